"""The contents of a collection at rest, addressed by key: the one stateful structure that most operators share.

Rule   contents = the sum of all batches applied; a row whose multiplicity comes back to zero leaves nothing.
State  per row its words, its multiplicity and, if rows of a key can be many, a link word; two tables of 8 bytes an
       entry at a load of 0.3 to 0.6 (engine/kernels/arrangement.py has the layout). Rows of 3 columns: 75 to 101 bytes.
Cost   O(1) a change however large its group, O(result) a probe. Growth is amortised doubling; what has not been
       written is address space, not memory.
From   McSherry et al., "Shared Arrangements", VLDB 2020: what is shared and why. The layout is our own: no history in
       the structure (Circuit's two phases do that), so one row is one record.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, Diffs, Words, null_words
from engine.collection.heap import Marks
from engine.errors import LimitExceeded
from engine.kernels.arrangement import FREE, GROUPS, ROWS, USED, apply_rows, copy_rows, find, rehash
from engine.kernels.join import join_rows
from engine.types import Physical

TABLE_MIN = 16
"""Entries of a table that holds nothing: small, because a circuit of a thousand views has thousands."""
RECORDS_MIN = 8
COMPACT_MIN = 4096
"""Below so many records a mostly free array is not worth rebuilding."""


class Arrangement:
    """A collection of rows of `columns` columns, arranged by the columns `key`.

    With the empty key every row is one group; with all columns as key each row is its own: neither keeps lists.
    Multiplicities may be negative. One writer; readers only while it does not write.
    """

    __slots__ = ("_columns", "_groups", "_index", "_key", "_places", "_records", "_state", "columns", "key", "width")

    def __init__(self, columns: int, key: Sequence[int]) -> None:
        self.columns = columns
        self.key = tuple(key)
        self.width = null_words(columns) + columns
        self._columns = np.arange(columns, dtype=np.int64)
        self._key = np.array(self.key, np.int64)
        self._clear()
        self._places = np.arange(len(self.key), dtype=np.int64)
        """Where the columns of a key by itself are, in the order in which `find` asks for them."""
        if not self.grouped:
            self._places = self._places[np.argsort(self._key)]

    def _clear(self) -> None:
        grouped = self.key != () and sorted(self.key) != list(range(self.columns))
        self._records: Words = np.empty((RECORDS_MIN, self.width + 1 + grouped), np.uint64)
        self._index = np.zeros(TABLE_MIN, np.uint64)
        self._groups = np.zeros(TABLE_MIN if grouped else 0, np.uint64)
        self._state = np.array([0, -1, 0, 0], np.int64)

    @property
    def grouped(self) -> bool:
        """Whether lists of the rows of a key are kept."""
        return len(self._groups) > 0

    def __len__(self) -> int:
        """How many distinct rows there are."""
        return int(self._state[ROWS])

    @property
    def groups(self) -> int:
        """How many distinct keys there are."""
        if self.grouped:
            return int(self._state[GROUPS])
        return len(self) if self.key else min(len(self), 1)

    def apply(self, batch: Batch) -> None:
        """Add a batch. O(batch), growth amortised."""
        n, begin = len(batch), 0
        while True:
            begin = apply_rows(
                batch.words, batch.diffs, begin, null_words(self.columns), self._key, self._records, self._index,
                self._groups, self._state,
            )  # fmt: skip
            if begin == n:
                break
            self._grow(n - begin)
        rows, used = len(self), int(self._state[USED])
        if rows == 0:
            if used > RECORDS_MIN:
                self._clear()
        elif used > COMPACT_MIN and rows * 4 < used:
            kept = self.rows()
            self._clear()
            self.apply(kept)

    def _grow(self, coming: int) -> None:
        """Make room where there is none: small tables grow fourfold, large ones twofold; records as they may come."""
        state = self._state
        if state[ROWS] >= len(self._index) * 3 // 5:
            self._index = _grown(self._index)
        if self.grouped and state[GROUPS] >= len(self._groups) * 3 // 5:
            self._groups = _grown(self._groups)
        if state[USED] == len(self._records) and state[FREE] < 0:
            used = len(self._records)
            if used + max(used, coming) >= 1 << 31:
                raise LimitExceeded("an arrangement holds at most 2147483647 rows")
            records = np.empty((used + max(used, coming), self._records.shape[1]), np.uint64)
            records[:used] = self._records
            self._records = records

    def find(self, words: Words, columns: int, key: NDArray[np.int64]) -> tuple[NDArray[np.int32], int]:
        """Where the groups are whose key is the columns `key` of each row of `words` (rows of `columns` columns).

        (head slots int32[n], -1: no such group; rows in those groups in all). Not for the empty key; where all columns
        are the key, `key` is in the order of the columns here.
        """
        heads = np.empty(words.shape[1], np.int32)
        grouped = self.grouped
        total = find(
            words, null_words(columns), key, self._records, null_words(self.columns),
            self._key if grouped else self._columns, self._groups if grouped else self._index, grouped, heads,
        )  # fmt: skip
        return heads, int(total)

    def join(self, stream: Batch, key: NDArray[np.int64], sources: NDArray[np.int64]) -> Batch:
        """Each row of the stream beside each row here whose key its columns `key` equal; multiplicities multiply.

        `sources` are the output's columns: c of the stream, or -1 - c of the arrangement. O(stream + result).
        """
        grouped, stream_nulls = self.grouped, null_words(stream.columns)
        if not len(self):
            return Batch.empty(len(sources))
        if self.key:
            if grouped:
                heads, total = self.find(stream.words, stream.columns, key)
            else:
                heads, total = self.find(stream.words, stream.columns, key[np.argsort(self._key)])
        else:
            stream, heads = self._cross(stream)
            total = len(heads)
        width = null_words(len(sources)) + len(sources)
        out, diffs = np.empty((width, total), np.uint64), np.empty(total, np.int64)
        if total and join_rows(
            stream.words, stream.diffs, stream_nulls, heads, self._records, self.columns, null_words(self.columns),
            grouped, sources, out, diffs,
        ):  # fmt: skip
            raise LimitExceeded("the multiplicity of a joined row does not fit in 64 bits")
        return Batch(out, diffs, len(sources))

    def _cross(self, stream: Batch) -> tuple[Batch, NDArray[np.int32]]:
        """The stream with each row once for each row here, and the slots that they meet."""
        live = self._live()
        repeated = np.repeat(np.arange(len(stream), dtype=np.int64), len(live))
        words = np.ascontiguousarray(stream.words[:, repeated])
        return Batch(words, stream.diffs[repeated], stream.columns), np.tile(live, len(stream))

    def _live(self) -> NDArray[np.int32]:
        used = int(self._state[USED])
        return np.flatnonzero(self._records[:used, self.width]).astype(np.int32)

    def counts(self, batch: Batch) -> Diffs:
        """The multiplicity of each row of a batch here, 0 where it is not. Only if arranged by all columns."""
        heads, _ = self.find(batch.words, batch.columns, self._columns)
        counts = self._records[heads, self.width].view(np.int64)
        return np.where(heads >= 0, counts, 0)

    def lookup(self, key_words: Words) -> Batch:
        """The rows whose key is one of `key_words` (uint64[null_words(k) + k, n], all different). O(n + result)."""
        n = key_words.shape[1]
        keys = Batch(key_words, np.ones(n, np.int64), len(self.key))
        found = self.join(keys, np.arange(len(self.key), dtype=np.int64), -1 - self._columns)
        return Batch(found.words, found.diffs, self.columns, True)

    def one(self, key_words: Words) -> tuple[int, list[int]]:
        """How many rows have the key (uint64[null_words(k) + k, 1], k not 0), and if it is one its words and how often
        it is there. O(1)."""
        if not len(self):
            return 0, []
        heads, count = self.find(key_words, len(self.key), self._places)
        return count, self._records[heads[0], : self.width + 1].tolist() if count == 1 else []

    def rows(self) -> Batch:
        """The contents. O(rows)."""
        words, diffs = np.empty((self.width, len(self)), np.uint64), np.empty(len(self), np.int64)
        copy_rows(self._records, int(self._state[USED]), self.width, words, diffs)
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
        return 8 * (used + len(self._index) + len(self._groups))


def _grown(table: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The same entries in a larger table."""
    grown = np.zeros(len(table) * (4 if len(table) < 1 << 16 else 2), np.uint64)
    rehash(table, grown)
    return grown
