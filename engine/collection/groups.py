"""Groups by key, each with a dense id and a record of words: the state of whatever is kept per group."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, Words, null_words
from engine.collection.wanted import ask
from engine.kernels import groups as kernels

Ids: TypeAlias = NDArray[np.int32]

CAPACITY_MIN: Final = 64
"""Groups that a new table has room for."""


class GroupTable:
    """From the key of a row to its group.

    1. `records` uint64[capacity, key + 2 + extra]: key words, row count, mark, then the owner's words (zero when new).
    2. A group's id is dense and stays while any of its words behind the key is not zero; then it is used again.
    3. Between `assign` and the kernel that settles (`engine/kernels/groups.py`) the touched groups carry marks.
    """

    def __init__(self, key: Sequence[int], columns: int, extra: int) -> None:
        self.key: Final = np.array(key, np.int64)
        self.key_width: Final = null_words(len(key)) + len(key)
        self.nulls: Final = null_words(columns)
        self.records: Words = np.zeros((CAPACITY_MIN, self.key_width + 2 + extra), np.uint64)
        self.table: Words = np.zeros(2 * CAPACITY_MIN, np.uint64)
        self.free: Ids = np.empty(CAPACITY_MIN, np.int32)
        self.head: Final = np.zeros(4, np.int64)

    def __len__(self) -> int:
        """How many groups there are."""
        return int(self.head[kernels.ALIVE])

    @property
    def used(self) -> int:
        """All ids are below this."""
        return int(self.head[kernels.USED])

    def assign(self, batch: Batch) -> tuple[Ids, Ids]:
        """(group of each row, the groups touched, each once), the row counts taken up to date. O(rows)."""
        n = len(batch)
        gids, touched = np.empty(n, np.int32), np.empty(n, np.int32)
        done = 0
        while True:
            ask()
            done = kernels.assign_groups(
                batch.words, batch.diffs, self.key, self.nulls, done, self.table, self.records, self.head, self.free,
                gids, touched,
            )  # fmt: skip
            if done == n:
                return gids, touched[: int(self.head[kernels.TOUCHED])]
            self._grow()

    def settle(self, touched: Ids) -> None:
        """Clear the marks of the touched groups and free those that are empty. O(touched)."""
        kernels.settle_groups(self.key_width, self.table, self.records, self.head, self.free, touched)

    def _grow(self) -> None:
        """Twice the groups; four times while they are few, as bulk loads begin with an empty table."""
        capacity = len(self.records)
        larger = capacity * (4 if capacity < 1 << 16 else 2)
        records = np.zeros((larger, self.records.shape[1]), np.uint64)
        records[:capacity] = self.records
        self.records = records
        self.free = np.concatenate([self.free, np.empty(larger - capacity, np.int32)])
        table = np.zeros(2 * larger, np.uint64)
        kernels.rehash_groups(self.table, table)
        self.table = table

    def bytes_held(self) -> int:
        """Memory of its arrays."""
        return self.records.nbytes + self.table.nbytes + self.free.nbytes
