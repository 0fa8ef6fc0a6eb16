"""A collection in the tick at which it becomes what another one is.

Rule   at that tick out = the other's contents - its own contents + the other's delta; so old + out = the other's new.
State  the difference, from the tick boundary before until that tick.
Cost   O(difference + |delta|), once; the circuit takes the node away again behind the tick.
"""

from collections.abc import Sequence

from engine.collection.batch import Batch
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.operator import Stateless


class Turn(Stateless):
    """It says something at the next tick, whether its input does or not."""

    def __init__(self, difference: Batch) -> None:
        super().__init__()
        self._difference: Batch | None = difference

    def due(self) -> int | None:
        return None if self._difference is None else 0

    def apply(self, deltas: Sequence[Batch], errors: ErrorCounts) -> Batch:
        assert self._difference is not None, "a turn takes one tick"
        difference, self._difference = self._difference, None
        return Batch.concat([difference, deltas[0]]).consolidate()
