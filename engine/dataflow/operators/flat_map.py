"""Each row, once for each row that a table function yields for it.

Rule   out = f(delta), row by row: the input's columns, then the function's. A NULL argument yields no rows; a row
       whose argument or call fails leaves the ok stream and enters the error stream.
State  none.
Cost   O(|delta| + |out|).
From   Budiu et al., "DBSP", VLDB 2023: linear operators are their own delta rule.
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


class FlatMap(Stateless):
    def __init__(self, plan: graph.FlatMap, columns: int, heap: Heap) -> None:
        super().__init__()
        self._context = Context(heap)
        self._function = plan.function
        self._arguments = [compile(argument, self._context) for argument in plan.arguments]
        self._empty = Batch.empty(columns + len(plan.function.columns))

    def apply(self, deltas: Sequence[Batch], errors: ErrorCounts) -> Batch:
        delta = deltas[0]
        columns = delta.vectors()
        arguments = [program(columns, len(delta)) for program in self._arguments]
        code, null = np.zeros(len(delta), np.uint64), np.zeros(len(delta), np.bool_)
        for argument in arguments:
            if argument.errors is not None:
                code = np.where(code == 0, argument.errors, code)
            if argument.nulls is not None:
                null |= argument.nulls
        failed = code != 0
        if failed.any():
            errors.add(code[failed], delta.diffs[failed])
        called = ~(failed | null)
        if not called.all():
            rows = np.flatnonzero(called)
            delta = delta.take(rows)
            arguments = [Vector(argument.words[rows]) for argument in arguments]
        else:
            arguments = [Vector(argument.words) for argument in arguments]
        if not len(delta):
            return self._empty
        expanded = self._function.kernel(self._context, arguments)
        if expanded.errors is not None:
            failed = expanded.errors != 0
            errors.add(expanded.errors[failed], delta.diffs[failed])
        origin = expanded.origin
        out = [
            Vector(vector.words[origin], None if vector.nulls is None else vector.nulls[origin])
            for vector in delta.vectors()
        ]
        return Batch.from_vectors([*out, *expanded.columns], delta.diffs[origin])

    def mark(self, marks: Marks) -> None:
        super().mark(marks)
        for program in self._arguments:
            marks.codes(program.codes)
