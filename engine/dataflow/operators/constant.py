"""Fixed rows.

Rule   out = the rows, once, when the dataflow hydrates; no delta ever after.
State  the rows.
Cost   O(rows) once.
From   Budiu et al., "DBSP", VLDB 2023: a constant's derivative is zero after the first step.
"""

from collections.abc import Sequence

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.words import vector_of
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.operator import Stateless


class Constant(Stateless):
    def __init__(self, plan: graph.Constant, heap: Heap) -> None:
        super().__init__()
        self._types = plan.types
        columns = [vector_of([row[c] for row, _ in plan.rows], type, heap) for c, type in enumerate(plan.types)]
        diffs = np.array([count for _, count in plan.rows], np.int64)
        self._rows = Batch.from_vectors(columns, diffs).consolidate()

    def apply(self, deltas: Sequence[Batch], errors: ErrorCounts) -> Batch:
        return self._rows

    def contents(self) -> Batch:
        return self._rows

    def rows(self) -> int:
        return len(self._rows)

    def bytes_held(self) -> int:
        return self._rows.words.nbytes

    def mark(self, marks: Marks) -> None:
        self._rows.mark(marks, self._types)
