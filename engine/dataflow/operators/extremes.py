"""min and max of a collection with retractions: the values of each group, the extreme one at hand.

Rule   the least (greatest) value of the group with a positive count; NULLs are no values, NaN is the greatest.
State  (group, value) -> count: up to 64 values of a group side by side, 15 to 20 bytes each; more of them a heap with
       lazy deletion over a hash table, 35 to 80 bytes each (engine/kernels/extremes.py).
Cost   O(1) a change on average, O(log n) at worst; other values are looked at only when the extreme itself went.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from engine.collection.batch import Batch, null_words
from engine.collection.extremes import Extremes
from engine.collection.groups import GroupTable, Ids
from engine.collection.heap import Heap, Marks
from engine.dataflow.graph import Aggregate
from engine.expr.aggregate import Kind
from engine.types import SqlType


class Extreme:
    """One min or max; `place` is where its words lie in the records of the groups."""

    def __init__(self, aggregate: Aggregate, input_types: Sequence[SqlType], place: int, heap: Heap) -> None:
        self._column: Final = aggregate.columns[0]
        self._nulls = null_words(len(input_types))
        self._place = place
        self._values: Final = Extremes(input_types[self._column].physical, aggregate.kind is Kind.MAX, heap)

    def add(self, batch: Batch, gids: Ids, groups: GroupTable) -> None:
        """Take a batch into the values and the records of its groups."""
        rows = None
        if batch.null_columns() >> self._column & 1:
            rows = np.flatnonzero(batch.words[self._column >> 6] & np.uint64(1 << (self._column & 63)) == 0)
        value = self._nulls + self._column
        self._values.add(batch.words, value, rows, batch.diffs, gids, groups.records, self._place, groups.used)

    def bytes_held(self) -> int:
        """Memory of the values."""
        return self._values.bytes_held()

    def mark(self, marks: Marks, groups: GroupTable) -> None:
        """Keep the values' data."""
        self._values.mark(marks, groups.records, self._place, groups.used)
