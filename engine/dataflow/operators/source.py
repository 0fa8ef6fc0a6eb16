"""A collection that is fed from outside: where deltas enter the graph.

Rule   out = delta; what comes in for an append-only collection never takes anything back.
State  append-only: a log of the batches. Otherwise none: the circuit arranges the rows like any other collection's.
Cost   O(1) a tick.
From   DESIGN section 5: a tick is all that is ready.
"""

from collections.abc import Sequence

from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.collection.log import Log
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.operator import Stateless
from engine.types import SqlType


class Source(Stateless):
    """`log` is None for a collection whose rows may be retracted."""

    def __init__(self, types: tuple[SqlType, ...], append_only: bool) -> None:
        super().__init__()
        self._types = types
        self.log = Log(len(types)) if append_only else None
        self._staged: Batch | None = None

    def apply(self, deltas: Sequence[Batch], errors: ErrorCounts) -> Batch:
        delta = deltas[0]
        if self.log is not None:
            assert len(delta) == 0 or int(delta.diffs.min()) > 0, "a retraction from an append-only collection"
            self._staged = delta
        return delta

    def publish(self) -> None:
        super().publish()
        if self.log is not None and self._staged is not None:
            self.log.append(self._staged)
            self._staged = None

    def contents(self) -> Batch | None:
        return None if self.log is None else Batch.concat([Batch.empty(self.log.columns), *self.log.batches()])

    def rows(self) -> int:
        return 0 if self.log is None else len(self.log)

    def bytes_held(self) -> int:
        return 0 if self.log is None else self.log.bytes_held()

    def mark(self, marks: Marks) -> None:
        if self.log is not None:
            for batch in self.log.batches():
                batch.mark(marks, self._types)
