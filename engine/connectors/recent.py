"""The errors of a source that are kept: the latest ones, however many come.

Law    the error relation has the last rows that were added and not taken away since, `rows_max` of them with data of
       `bytes_max` at the most, the last one always. What has to go for them goes in the block in which they come, so
       at their tick; what would be taken away later and has gone already is passed over.
State  those rows, in their order; the relation has the same. Another process begins with what the relation had.
Cost   O(errors of a block), a Python object each: as many as have a reason each.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.types import Column

Row = tuple[int, ...]


class _Kept(NamedTuple):
    times: int
    size: int  # of the data of all of them


class Recent:
    """See above. `let_go` counts the rows that had to go, also by processes before."""

    def __init__(
        self, columns: Sequence[Column], heap: Heap, rows_max: int, bytes_max: int, let_go: int = 0
    ) -> None:  # fmt: skip
        data = (types.TEXT, types.BYTEA)
        self._data: Final = [i for i, column in enumerate(columns) if column.type in data]
        self._columns: Final = len(columns)
        self._heap: Final = heap
        self._rows_max: Final = rows_max
        self._bytes_max: Final = bytes_max
        self._kept: Final[OrderedDict[Row, _Kept]] = OrderedDict()
        self._rows = self._bytes = 0
        self.let_go = let_go

    def bounded(self, delta: Batch) -> Batch:
        """What of a change of the relation is done, and what goes for it."""
        change: dict[Row, int] = {}
        rows: list[list[int]] = delta.words.T.tolist()
        for listed, diff, size in zip(rows, delta.diffs.tolist(), self._sizes(delta).tolist(), strict=True):
            row = tuple(listed)
            count = self._kept[row].times if row in self._kept else 0
            done = max(diff, -count)
            self._keep(row, count + done, size)
            change[row] = change.get(row, 0) + done
        while self._rows > self._rows_max or (self._bytes > self._bytes_max and len(self._kept) > 1):
            row, (count, _) = next(iter(self._kept.items()))
            gone = count if len(self._kept) > 1 else self._rows - self._rows_max
            self._keep(row, count - gone, 0)
            self.let_go += gone
            change[row] = change.get(row, 0) - gone
        change = {row: diff for row, diff in change.items() if diff}
        if not change:
            return Batch.empty(self._columns)
        words = np.ascontiguousarray(np.array(list(change), np.uint64).T)
        return Batch(words, np.array(list(change.values()), np.int64), self._columns, consolidated=True)

    def restore(self, rows: Batch) -> None:
        """Begin with what the relation has. What is beyond the bounds goes with the next that come."""
        listed: list[list[int]] = rows.words.T.tolist()
        for row, count, size in zip(listed, rows.diffs.tolist(), self._sizes(rows).tolist(), strict=True):
            self._keep(tuple(row), count, size)

    def _keep(self, row: Row, count: int, size: int) -> None:
        had = self._kept.pop(row, _Kept(0, 0))
        each = had.size // had.times if had.times else size
        self._rows += count - had.times
        self._bytes += each * (count - had.times)
        if count:
            self._kept[row] = _Kept(count, each * count)

    def _sizes(self, delta: Batch) -> NDArray[np.int64]:
        """The bytes of the data of each row."""
        _, lengths, _ = self._heap.view()
        sizes = np.zeros(len(delta), np.int64)
        for column in self._data:
            vector = delta.vector(column)
            there = slice(None) if vector.nulls is None else ~vector.nulls
            sizes[there] += lengths[vector.words[there]]
        return sizes
