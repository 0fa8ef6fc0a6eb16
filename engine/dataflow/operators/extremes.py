"""min and max of a collection with retractions: the values of each group in order.

Rule   the least (greatest) value of the group with a positive count; NULLs are no values, NaN is the greatest.
State  (group, value) -> count in one B+tree over all groups: 16 bytes an entry, about 27 with its share of free room;
       values without an exact order prefix (text, numeric, interval, jsonb) 36 bytes more.
Cost   O(log n) a change; the tree is looked into for the extreme itself only when that is what went.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from engine.collection.batch import Batch, Words, null_words
from engine.collection.groups import Ids
from engine.collection.heap import Heap, Marks
from engine.collection.ordered import OrderedValues
from engine.dataflow.graph import Aggregate
from engine.dataflow.operators.accumulators import IN_ORDER
from engine.expr.aggregate import Kind
from engine.types import SqlType


class Extreme:
    """One min or max; `place` is where its three words lie in the records of the groups."""

    def __init__(self, aggregate: Aggregate, input_types: Sequence[SqlType], place: int, heap: Heap) -> None:
        self._column: Final = aggregate.columns[0]
        self._type: Final = input_types[self._column]
        self._nulls = null_words(len(input_types))
        self._place = place
        exact = self._type.physical in IN_ORDER
        self._values: Final = OrderedValues(self._type, exact, aggregate.kind is Kind.MAX, heap)

    def add(self, batch: Batch, gids: Ids, records: Words) -> None:
        """Take a batch into the values and the records of its groups."""
        bits = batch.words[self._column >> 6] & np.uint64(1 << (self._column & 63))
        rows = np.flatnonzero(bits == 0)
        value = self._nulls + self._column
        self._values.add(batch.words, value, rows, batch.diffs, gids, records, self._place)

    def bytes_held(self) -> int:
        """Memory of the values."""
        return self._values.bytes_held()

    def mark(self, marks: Marks) -> None:
        """Keep the values' data."""
        self._values.mark(marks, self._type)
