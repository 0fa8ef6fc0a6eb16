"""The input's counts negated.

Rule   out = -delta.
State  none.
Cost   O(|delta|); the words are shared.
From   Budiu et al., "DBSP", VLDB 2023: linear operators are their own delta rule.
"""

from collections.abc import Sequence

from engine.collection.batch import Batch
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.operator import Stateless


class Negate(Stateless):
    def apply(self, deltas: Sequence[Batch], errors: ErrorCounts) -> Batch:
        return deltas[0].negate()
