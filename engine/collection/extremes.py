"""The values of one column by group, with the least or greatest of each group in the group's record."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Diffs, Words
from engine.collection.groups import Ids
from engine.collection.heap import Heap, Marks
from engine.collection.wanted import ask
from engine.errors import LimitExceeded
from engine.kernels import extreme_keys
from engine.kernels import extremes as kernels
from engine.types import Physical

WIDTH: Final = kernels.WIDTH
"""Words of a group's record that they take."""
WORDS_MIN: Final = 2 * kernels.SMALL
TABLE_MIN: Final = 4 * kernels.SMALL
SPARE_MIN: Final = 4096
"""Free words that are not worth moving the rest for."""
ALL: Final = np.empty(0, np.int64)
TOO_OFTEN: Final = "one value of min or max occurs more than 2^30 times in a group"


class Extremes:
    """Values with their multiplicities, small groups looked through, large ones heaps (engine/kernels/extremes.py).

    15 to 20 bytes a value, 12 of them its own; in groups of more than 64 values 35 to 80.
    """

    def __init__(self, physical: Physical, largest: bool, heap: Heap) -> None:
        self._physical: Final = physical
        self._kind: Final = int(physical)  # a plain integer: numba looks long at an enum
        self._largest: Final = 1 if largest else -1
        self._heap: Final = heap
        self._values: Words = np.empty(WORDS_MIN, np.uint64)
        self._counts: NDArray[np.int32] = np.empty(WORDS_MIN, np.int32)
        self._free: Final = np.zeros(kernels.CLASSES, np.int64)
        self._head: Final = np.zeros(5, np.int64)
        self._table: Words = np.zeros((2, 2), np.uint64)

    def add(
        self, words: Words, value: int, rows: NDArray[np.int64] | None, diffs: Diffs, gids: Ids, records: Words,
        at: int, groups: int,
    ) -> None:  # fmt: skip
        """Add words[value, rows] (rows None: all) to their groups, which are below `groups`.

        records[group, at:at + WIDTH] is kept up to date. O(1) a row on average, O(log n) at worst.
        """
        done, n = 0, len(diffs) if rows is None else len(rows)
        if rows is None:
            rows = ALL
        while True:
            ask()
            done = kernels.update_extremes(
                words, diffs, rows, n, value, self._kind, self._largest, done, gids, self._values, self._counts,
                self._free, self._head, self._table, *self._heap.view(), records, at,
            )  # fmt: skip
            if done == n:
                break
            if done < 0:
                raise LimitExceeded(TOO_OFTEN)
            self._grow(records, at, groups)
        self._shrink(records, at, groups)

    def _grow(self, records: Words, at: int, groups: int) -> None:
        """Room for what the next change needs."""
        head = self._head
        if 4 * head[kernels.NEED_KEYS] > 3 * len(self._table):
            self._rehash(max(TABLE_MIN, 2 * len(self._table)))
        used = int(head[kernels.USED])
        missing = int(head[kernels.NEED_WORDS]) - used
        if used + missing > len(self._values):
            live = used - int(head[kernels.FREE])
            self._move(live + max(missing, live // 2), records, at, groups)

    def _shrink(self, records: Words, at: int, groups: int) -> None:
        """Give memory back when most of it is free; so seldom that it costs no more than what freed it."""
        used, free, keys = self._head[: kernels.NEED_WORDS].tolist()
        if used > 4 * (used - free) + groups + SPARE_MIN:
            self._move(used - free + WORDS_MIN, records, at, groups)
        size = len(self._table)
        while size > TABLE_MIN and 8 * keys < size:
            size //= 2
        if size < len(self._table):
            self._rehash(size)

    def _move(self, room: int, records: Words, at: int, groups: int) -> None:
        values, counts = np.empty(room, np.uint64), np.empty(room, np.int32)
        kernels.move_blocks(records, groups, at, self._values, self._counts, values, counts, self._free, self._head)
        self._values, self._counts = values, counts

    def _rehash(self, size: int) -> None:
        table = np.zeros((size, 2), np.uint64)
        extreme_keys.rehash_keys(self._table, table)
        self._table = table

    def bytes_held(self) -> int:
        """Memory of the values ever written, and the table in full."""
        return 12 * int(self._head[kernels.USED]) + self._table.nbytes + self._free.nbytes

    def mark(self, marks: Marks, records: Words, at: int, groups: int) -> None:
        """Keep the values' data."""
        if self._physical.on_heap:
            marks.words(self._physical, kernels.held_values(records, groups, at, self._values, self._table))
