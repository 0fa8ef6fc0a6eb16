"""The inputs' counts added.

Rule   out = sum of the deltas.
State  none.
Cost   O(|deltas|).
From   Budiu et al., "DBSP", VLDB 2023: linear operators are their own delta rule.
"""

from collections.abc import Sequence

from engine.collection.batch import Batch
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.operator import Stateless


class Union(Stateless):
    def apply(self, deltas: Sequence[Batch], errors: ErrorCounts) -> Batch:
        return Batch.concat(deltas)
