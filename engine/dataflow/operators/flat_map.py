"""Each row, once for each row that a table function yields for it.

Rule   out = f(delta), row by row: the input's columns, then the function's. A NULL argument yields no rows unless the
       function takes it; a row whose argument or call fails leaves the ok stream and enters the error stream.
State  none.
Cost   O(|delta| + |out|).
From   Budiu et al., "DBSP", VLDB 2023: linear operators are their own delta rule.
"""

from collections.abc import Sequence

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.vector import Vector
from engine.collection.wanted import ask
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.operator import Stateless
from engine.errors import LimitExceeded
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
            if argument.nulls is not None and not self._function.on_null:
                null |= argument.nulls
        failed = code != 0
        if failed.any():
            errors.add(code[failed], delta.diffs[failed])
        called = ~(failed | null)
        if not called.all():
            rows = np.flatnonzero(called)
            delta = delta.take(rows)
            arguments = [Vector(a.words[rows], None if a.nulls is None else a.nulls[rows]) for a in arguments]
        else:
            arguments = [Vector(argument.words, argument.nulls) for argument in arguments]
        if not len(delta):
            return self._empty
        return Batch.concat(self._calls(delta, arguments, errors) or [self._empty])

    def _calls(self, delta: Batch, arguments: Sequence[Vector], errors: ErrorCounts) -> list[Batch]:
        """The function's rows for calls that have all their arguments.

        Where they are more than one call of the kernel may yield, half of the rows at a time; a row that yields too
        many by itself fails by itself, so that its retraction takes the error back.
        """
        try:
            expanded = self._function.kernel(self._context, arguments)
        except LimitExceeded as limit:
            n = len(delta)
            if n == 1:
                code = self._context.error(limit.sqlstate, limit.message)
                errors.add(np.array([code], np.uint64), delta.diffs)
                return []
            halves = np.arange(n // 2), np.arange(n // 2, n)
            return [
                batch
                for rows in halves
                for batch in self._calls(delta.take(rows), [argument.take(rows) for argument in arguments], errors)
            ]
        if expanded.errors is not None:
            failed = expanded.errors != 0
            errors.add(expanded.errors[failed], delta.diffs[failed])
        origin = expanded.origin
        columns: list[Vector] = []
        for vector in delta.vectors():
            ask()
            columns.append(vector.take(origin))
        return [Batch.from_vectors([*columns, *expanded.columns], delta.diffs[origin])]

    def mark(self, marks: Marks) -> None:
        super().mark(marks)
        for program in self._arguments:
            marks.codes(program.codes)
