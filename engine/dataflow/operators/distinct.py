"""One copy of each row whose count is above zero.

Rule   out = [n + d > 0] - [n > 0], n = count of the row before this tick, d = its change in this tick.
State  the input arranged by the whole row: shared with whoever else wants it so.
Cost   O(|delta|) a tick; rows that are not touched are not read.
From   Budiu et al., "DBSP", VLDB 2023: the function H.
"""

from collections.abc import Sequence

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.trace import Trace


class Distinct:
    def __init__(self, trace: Trace) -> None:
        self.errors = ErrorCounts()
        self.traces = [trace]

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        delta = deltas[0].consolidate()
        before = self.traces[0].arrangement.counts(delta)
        return delta.with_diffs((before + delta.diffs > 0).astype(np.int64) - (before > 0))

    def publish(self) -> None: ...

    def contents(self) -> Batch:
        rows = self.traces[0].arrangement.rows()
        return rows.with_diffs((rows.diffs > 0).astype(np.int64))

    def rows(self) -> int:
        return len(self.traces[0].arrangement)

    def bytes_held(self) -> int:
        return 0

    def mark(self, marks: Marks) -> None: ...
