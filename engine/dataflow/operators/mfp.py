"""Map, filter and project in one pass.

Rule   out = f(delta), row by row; a row whose step fails leaves the ok stream and enters the error stream.
State  none.
Cost   O(|delta|) a step over the rows that reach it; only columns that a later step or the output reads are carried.
From   Budiu et al., "DBSP", VLDB 2023: linear operators are their own delta rule. The fusion is Materialize's MFP.
"""

from collections.abc import Sequence

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.vector import Vector
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.operator import Stateless
from engine.expr.evaluate import Context, compile


class Mfp(Stateless):
    def __init__(self, plan: graph.Mfp, columns: int, heap: Heap) -> None:
        super().__init__()
        context = Context(heap)
        self._columns = columns
        self._project = plan.project
        self._steps = [
            (compile(step.expression, context), False) if isinstance(step, graph.Compute)
            else (compile(step.predicate, context), True)
            for step in plan.steps
        ]  # fmt: skip
        self._computes = sum(1 for _, keeps in self._steps if not keeps)
        self._copies = all(c < columns for c in plan.project)  # the output is columns of the input
        reads = [program.expression.reads for program, _ in self._steps]
        output = frozenset[int]() if self._copies else frozenset(plan.project)
        self._read = sorted(c for c in output.union(*reads) if c < columns)
        self._carried = [sorted(output.union(*reads[at + 1 :])) for at in range(len(reads))]
        self._empty = Batch.empty(len(plan.project))

    def apply(self, deltas: Sequence[Batch], errors: ErrorCounts) -> Batch:
        delta = deltas[0]
        n, diffs = len(delta), delta.diffs
        vectors: list[Vector | None] = [None] * (self._columns + self._computes)
        for c in self._read:
            vectors[c] = delta.vector(c)
        rows: np.ndarray | None = None  # the rows of the delta that are still in; None: all
        computed = self._columns
        for (program, keeps), carried in zip(self._steps, self._carried, strict=True):
            value = program(vectors, n)  # pyright: ignore[reportArgumentType]: it reads no column that is None
            kept = None
            if value.errors is not None:
                failed = value.errors != 0
                if failed.any():
                    errors.add(value.errors[failed], diffs[failed])
                    kept = ~failed
            if keeps:
                kept = value.words != 0  # NULL and failed rows have word 0
            else:
                vectors[computed] = value
                computed += 1
            if kept is None or kept.all():
                continue
            chosen = np.flatnonzero(kept)
            n = len(chosen)
            if n == 0:
                return self._empty
            diffs = diffs[chosen]
            rows = chosen if rows is None else rows[chosen]
            for c in carried:
                vector = vectors[c]
                if vector is not None:
                    nulls = None if vector.nulls is None else vector.nulls[chosen]
                    vectors[c] = Vector(vector.words[chosen], nulls)
        if self._copies:
            return (delta if rows is None else delta.take(rows)).project(self._project)
        return Batch.from_vectors([vectors[c] for c in self._project], diffs)  # pyright: ignore[reportArgumentType]

    def mark(self, marks: Marks) -> None:
        super().mark(marks)
        for program, _ in self._steps:
            marks.codes(program.codes)
