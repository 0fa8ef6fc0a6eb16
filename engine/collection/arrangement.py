"""The contents of a collection at rest, addressed by keys: the one stateful structure that most operators share.

Rule   contents = the sum of all batches applied; a row whose multiplicity comes back to zero leaves nothing.
State  each row once, whatever the keys: its words, its multiplicity and a link word for each key whose groups can have
       many rows; a table of 8 bytes an entry at a load of 0.3 to 0.6 for the whole row, and one for each key's groups
       (engine/kernels/arrangement.py has the layout). Rows of 3 columns and one key: 75 to 101 bytes.
Cost   O(1) a change and key however large its group, O(result) a probe; a further key O(rows) once. Growth is amortised
       doubling; what has not been written is address space, not memory.
From   McSherry et al., "Shared Arrangements", VLDB 2020: what is shared and why. The layout is our own: no history in
       the structure (Circuit's two phases do that), so one row is one record, and every key leads to it.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, Diffs, Words, null_words
from engine.collection.heap import Marks
from engine.collection.wanted import ask
from engine.errors import LimitExceeded
from engine.kernels.arrangement import (
    CAME,
    FREE,
    ROWS,
    USED,
    apply_rows,
    copy_rows,
    find,
    free_records,
    regroup,
    rehash,
)
from engine.kernels.join import join_rows
from engine.types import Physical

Key: TypeAlias = tuple[int, ...]

TABLE_MIN = 16
"""Entries of a table that holds nothing: small, because a circuit of a thousand views has thousands."""
RECORDS_MIN = 8
COMPACT_MIN = 4096
"""Below so many records a mostly free array is not worth rebuilding."""
NOT_LISTED = -1
"""The link word of a key without lists."""
EVEN_NULL: Final = np.empty(0, np.bool_)
"""No column of the key is strict about NULL."""
UNTOLD = np.empty(0, np.int32), np.empty(0, np.uint8)
"""Where no groups have to learn what became of which record."""


COPY_SLOTS: Final = 1 << 16
"""Records that are copied out between two questions whether they are still wanted: some milliseconds."""
CROSS_ROWS: Final = 1 << 18
"""Rows of a product that are made at once, likewise: other threads have to get their turn."""


class Groups:
    """The groups of one key: a table from key to head record, and which word of each record links its rows."""

    __slots__ = ("count", "key", "link", "places", "table")

    def __init__(self, key: Key, link: int) -> None:
        self.key = np.array(key, np.int64)
        self.places = np.arange(len(key), dtype=np.int64)  # of the key's columns in a key by itself
        self.link = link
        self.clear()

    def clear(self) -> None:
        self.table = np.zeros(TABLE_MIN, np.uint64)
        self.count = np.zeros(1, np.int64)


class Arrangement:
    """A collection of rows of `columns` columns, arranged by any number of keys.

    By the empty key all rows are one group; by all columns each row is its own: neither takes anything to keep, and
    both are always there. Multiplicities may be negative. One writer; readers only while it does not write.
    """

    __slots__ = ("_columns", "_groups", "_index", "_records", "_state", "columns", "width")

    def __init__(self, columns: int, *keys: Sequence[int]) -> None:
        self.columns = columns
        self.width = null_words(columns) + columns
        self._columns = np.arange(columns, dtype=np.int64)
        self._groups: dict[Key, Groups] = {}
        self._clear()
        for key in keys:
            self.add(tuple(key))

    def _clear(self) -> None:
        links = max((groups.link + 1 for groups in self._groups.values()), default=self.width + 1)
        self._records: Words = np.empty((RECORDS_MIN, links), np.uint64)
        self._index = np.zeros(TABLE_MIN, np.uint64)
        self._state = np.array([0, -1, 0], np.int64)
        for groups in self._groups.values():
            groups.clear()

    def grouped(self, key: Key) -> bool:
        """Whether the key takes lists of rows: it is neither empty nor all columns."""
        return key != () and sorted(key) != list(range(self.columns))

    def has(self, key: Key) -> bool:
        """Whether it is arranged by the key."""
        return key in self._groups or not self.grouped(key)

    def keys(self) -> tuple[Key, ...]:
        """The keys that it keeps groups of."""
        return tuple(self._groups)

    def add(self, key: Key) -> None:
        """Arrange by one more key. O(rows)."""
        if self.has(key):
            return
        taken = {groups.link for groups in self._groups.values()}
        link = next(at for at in range(self.width + 1, self.width + 2 + len(taken)) if at not in taken)
        used = int(self._state[USED])
        if link == self._records.shape[1]:
            records = np.empty((len(self._records), link + 1), np.uint64)
            records[:used, :link] = self._records[:used]
            self._records = records
        groups = self._groups[key] = Groups(key, link)
        if len(self):
            slots = self._live()
            words = np.ascontiguousarray(self._records[slots, : self.width].T)
            self._regroup(groups, words, slots, np.full(len(slots), CAME, np.uint8))

    def remove(self, key: Key) -> None:
        """Arrange by that key no longer; its link words wait for another key."""
        self._groups.pop(key, None)

    def __len__(self) -> int:
        """How many distinct rows there are."""
        return int(self._state[ROWS])

    def groups(self, key: Key) -> int:
        """How many distinct values the key has."""
        if key in self._groups:
            return int(self._groups[key].count[0])
        return len(self) if key else min(len(self), 1)

    def apply(self, batch: Batch) -> None:
        """Add a batch. O(batch · keys), growth amortised."""
        n, begin = len(batch), 0
        slots, moves = (np.empty(n, np.int32), np.empty(n, np.uint8)) if self._groups else UNTOLD
        while True:
            ask()
            begin = apply_rows(
                batch.words, batch.diffs, begin, self._records, self._index, self._state, slots, moves
            )  # fmt: skip
            if begin == n:
                break
            self._grow(n - begin)
        for groups in self._groups.values():
            self._regroup(groups, batch.words, slots, moves)
        if self._groups:
            free_records(slots, moves, self._records, self._state)
        rows, used = len(self), int(self._state[USED])
        if rows == 0:
            if used > RECORDS_MIN:
                self._clear()
        elif used > COMPACT_MIN and rows * 4 < used:
            kept = self.rows()
            self._clear()
            self.apply(kept)

    def _regroup(self, groups: Groups, words: Words, slots: NDArray[np.int32], moves: NDArray[np.uint8]) -> None:
        begin = 0
        while True:
            ask()
            begin = regroup(
                words, begin, null_words(self.columns), groups.key, slots, moves, self._records, groups.link,
                groups.table, groups.count,
            )  # fmt: skip
            if begin == len(slots):
                break
            groups.table = _grown(groups.table)

    def _grow(self, coming: int) -> None:
        """Make room where there is none: small tables grow fourfold, large ones twofold; records as they may come."""
        state = self._state
        if state[ROWS] >= len(self._index) * 3 // 5:
            self._index = _grown(self._index)
        if state[USED] == len(self._records) and state[FREE] < 0:
            used = len(self._records)
            if used + max(used, coming) >= 1 << 31:
                raise LimitExceeded("an arrangement holds at most 2147483647 rows")
            records = np.empty((used + max(used, coming), self._records.shape[1]), np.uint64)
            records[:used] = self._records
            self._records = records

    def find(
        self, by: Key, words: Words, columns: int, on: NDArray[np.int64], strict: NDArray[np.bool_] = EVEN_NULL
    ) -> tuple[NDArray[np.int32], int]:
        """Where the groups are whose key `by` is the columns `on` of each row of `words` (rows of `columns` columns).

        NULL is equal to NULL but where `strict` (a flag for each column of the key, or none) is set. (head slots
        int32[n], -1: no such group; rows in those groups in all). Not for the empty key.
        """
        heads = np.empty(words.shape[1], np.int32)
        groups = self._groups.get(by)
        if groups is None:
            key, link, table = self._columns, NOT_LISTED, self._index
            order = np.argsort(by)
            on, strict = on[order], strict[order] if len(strict) else strict
        else:
            key, link, table = groups.key, groups.link, groups.table
        total = find(
            words, null_words(columns), on, self._records, null_words(self.columns), key, link, table, strict, heads
        )
        return heads, int(total)

    def join(
        self,
        by: Key,
        stream: Batch,
        on: NDArray[np.int64],
        sources: NDArray[np.int64],
        strict: NDArray[np.bool_] = EVEN_NULL,
    ) -> Batch:
        """Each row of the stream beside each row here whose key `by` its columns `on` equal; multiplicities multiply.

        NULL is equal to NULL but where `strict` (a flag for each column of the key, or none) is set. `sources` are the
        output's columns: c of the stream, or -1 - c of the arrangement. O(stream + result).
        """
        if not len(self):
            return Batch.empty(len(sources))
        if by:
            heads, total = self.find(by, stream.words, stream.columns, on, strict)
            return self._joined(by, stream, heads, total, sources)
        live = self._live()
        step = max(1, CROSS_ROWS // len(live))
        crossed = [
            self._joined(by, *_crossed(stream, begin, min(begin + step, len(stream)), live), sources)
            for begin in range(0, len(stream), step)
        ]
        return Batch.concat(crossed) if crossed else Batch.empty(len(sources))

    def _joined(
        self, by: Key, stream: Batch, heads: NDArray[np.int32], total: int, sources: NDArray[np.int64]
    ) -> Batch:
        """Each row of the stream beside the rows of its group, which begins at its head."""
        ask()
        link = self._groups[by].link if by in self._groups else NOT_LISTED
        width = null_words(len(sources)) + len(sources)
        out, diffs = np.empty((width, total), np.uint64), np.empty(total, np.int64)
        if total and join_rows(
            stream.words, stream.diffs, null_words(stream.columns), heads, self._records, self.columns,
            null_words(self.columns), link, sources, out, diffs,
        ):  # fmt: skip
            raise LimitExceeded("the multiplicity of a joined row does not fit in 64 bits")
        return Batch(out, diffs, len(sources))

    def _live(self) -> NDArray[np.int32]:
        used = int(self._state[USED])
        return np.flatnonzero(self._records[:used, self.width]).astype(np.int32)

    def counts(self, batch: Batch) -> Diffs:
        """The multiplicity of each row of a batch here, 0 where it is not."""
        heads, _ = self.find(tuple(range(self.columns)), batch.words, batch.columns, self._columns)
        counts = self._records[heads, self.width].view(np.int64)
        return np.where(heads >= 0, counts, 0)

    def lookup(self, by: Key, key_words: Words) -> Batch:
        """The rows whose key is one of `key_words` (uint64[null_words(k) + k, n], all different). O(n + result)."""
        n = key_words.shape[1]
        keys = Batch(key_words, np.ones(n, np.int64), len(by))
        found = self.join(by, keys, np.arange(len(by), dtype=np.int64), -1 - self._columns)
        return Batch(found.words, found.diffs, self.columns, True)

    def one(self, by: Key, key_words: Words) -> tuple[int, list[int]]:
        """How many rows have the key (uint64[null_words(k) + k, 1], k not 0), and if it is one its words and how often
        it is there. O(1)."""
        if not len(self):
            return 0, []
        groups = self._groups.get(by)
        heads, count = self.find(by, key_words, len(by), self._columns if groups is None else groups.places)
        return count, self._records[heads[0], : self.width + 1].tolist() if count == 1 else []

    def rows(self) -> Batch:
        """The contents. O(rows)."""
        words, diffs = np.empty((self.width, len(self)), np.uint64), np.empty(len(self), np.int64)
        used, at = int(self._state[USED]), 0
        for begin in range(0, used, COPY_SLOTS):
            ask()
            at = copy_rows(self._records, begin, min(begin + COPY_SLOTS, used), self.width, words, diffs, at)
        return Batch(words, diffs, self.columns, True)

    def mark(self, marks: Marks, physical: Sequence[Physical]) -> None:
        """Mark every heap code of the rows, whose columns have these layouts. O(rows) a column on the heap."""
        live: NDArray[np.int32] | None = None
        for c, layout in enumerate(physical):
            if layout.on_heap:
                live = self._live() if live is None else live
                marks.words(layout, self._records[live, null_words(self.columns) + c])

    def bytes_held(self) -> int:
        """Memory of the structure: records ever written, and the tables in full. 0 when nothing is held."""
        if not len(self):
            return 0
        used = int(self._state[USED]) * self._records.shape[1]
        return 8 * (used + len(self._index) + sum(len(groups.table) for groups in self._groups.values()))


def _crossed(stream: Batch, begin: int, end: int, live: NDArray[np.int32]) -> tuple[Batch, NDArray[np.int32], int]:
    """Those rows of the stream, each once for each of the slots, the slots that they meet, and how many they are."""
    repeated = np.repeat(np.arange(begin, end), len(live))
    words = np.ascontiguousarray(stream.words[:, repeated])
    return Batch(words, stream.diffs[repeated], stream.columns), np.tile(live, end - begin), len(repeated)


def _grown(table: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The same entries in a larger table."""
    grown = np.zeros(len(table) * (4 if len(table) < 1 << 16 else 2), np.uint64)
    rehash(table, grown)
    return grown
