"""ROWS FROM, WITH ORDINALITY and table functions in a SELECT list: several functions side by side, as one.

Row k of a call holds the k-th row of every part; parts that have fewer are padded with NULLs. A plain scalar takes part
as a function of one row. Rows are numbered from 1 where ordinality is asked for.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.vector import Vector
from engine.expr.table import Expanded, TableFunction
from engine.types import Column, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

ORDINALITY = Column("ordinality", types.BIGINT, nullable=False)


def one_row(name: str, kind: SqlType, nullable: bool) -> TableFunction:
    """A scalar as a table of one row: its argument is the value."""

    def kernel(context: "Context", vectors: Sequence[Vector]) -> Expanded:
        return Expanded(np.arange(len(vectors[0].words)), (Vector(vectors[0].words, vectors[0].nulls),))

    return TableFunction(name, (kind,), (Column(name, kind, nullable),), kernel, on_null=True)


def rows_from(functions: Sequence[TableFunction], ordinality: bool) -> TableFunction:
    """The functions side by side, their arguments one after the other. O(rows out · columns)."""
    if len(functions) == 1 and not ordinality:
        return functions[0]
    padded = len(functions) > 1
    columns = [
        Column(column.name, column.type, column.nullable or padded)
        for function in functions
        for column in function.columns
    ]
    name = f"rows_from({', '.join(function.name for function in functions)})" if padded else functions[0].name
    if ordinality:
        name += " with ordinality"
        columns.append(ORDINALITY)

    def kernel(context: "Context", vectors: Sequence[Vector]) -> Expanded:
        n = len(vectors[0].words) if vectors else 1
        parts: list[tuple[NDArray[np.int64], Expanded]] = []
        counts = np.zeros(n, np.int64)
        errors: NDArray[np.uint64] | None = None
        start = 0
        for function in functions:
            arguments = vectors[start : start + len(function.parameters)]
            start += len(arguments)
            part = _called(function, context, arguments, n)
            own = np.bincount(part.origin, minlength=n)
            parts.append((own, part))
            counts = np.maximum(counts, own)
            if part.errors is not None:
                errors = part.errors if errors is None else np.where(errors != 0, errors, part.errors)
        if errors is not None:
            counts[errors != 0] = 0
        first = np.cumsum(counts) - counts
        origin = np.repeat(np.arange(n), counts)
        out: list[Vector] = []
        for own, part in parts:
            lived = np.ones(len(part.origin), np.bool_) if errors is None else errors[part.origin] == 0
            number = np.arange(len(part.origin)) - (np.cumsum(own) - own)[part.origin]
            to = (first[part.origin] + number)[lived]
            for column in part.columns:
                words, nulls = np.zeros(len(origin), np.uint64), np.ones(len(origin), np.bool_)
                words[to] = column.words[lived]
                nulls[to] = False if column.nulls is None else column.nulls[lived]
                out.append(Vector(words, nulls if nulls.any() else None))
        if ordinality:
            out.append(Vector((np.arange(len(origin)) - first[origin] + 1).view(np.uint64)))
        return Expanded(origin, tuple(out), errors)

    parameters = tuple(parameter for function in functions for parameter in function.parameters)
    can_fail = any(function.can_fail for function in functions)
    return TableFunction(name, parameters, tuple(columns), kernel, can_fail, on_null=True)


def _called(function: TableFunction, context: "Context", arguments: Sequence[Vector], n: int) -> Expanded:
    """The function's rows over n calls: those with a NULL argument have none, unless it takes them."""
    if function.on_null or not any(argument.nulls is not None for argument in arguments):
        return function.kernel(context, arguments)
    null = np.zeros(n, np.bool_)
    for argument in arguments:
        if argument.nulls is not None:
            null |= argument.nulls
    rows = np.flatnonzero(~null)
    if not len(rows):
        empty = Vector(np.zeros(0, np.uint64))
        return Expanded(np.zeros(0, np.int64), tuple(empty for _ in function.columns))
    made = function.kernel(context, [Vector(argument.words[rows]) for argument in arguments])
    errors = None
    if made.errors is not None:
        errors = np.zeros(n, np.uint64)
        errors[rows] = made.errors
    return Expanded(rows[made.origin], made.columns, errors)
