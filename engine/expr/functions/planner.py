"""Functions that only the planner calls: no SQL names them, and none looks at a type.

They work on words and null masks alone, so one kernel serves every type.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from engine import types
from engine.collection.vector import Vector
from engine.errors import CardinalityViolation
from engine.expr.registry import Function, OnNull
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

MORE_THAN_ONE: Final = "more than one row returned by a subquery used as an expression"


def _same(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    """Equal words and equal NULLs: a NULL's word is 0, but so is the word of a zero."""
    left, right = arguments
    equal = left.words == right.words
    if left.nulls is not None or right.nulls is not None:
        absent = np.zeros(len(left.words), np.bool_)
        equal &= (absent if left.nulls is None else left.nulls) == (absent if right.nulls is None else right.nulls)
    return Vector(equal.astype(np.uint64))


def _fail_if_many(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    """Error 21000 where the count is above one; NULL elsewhere."""
    (count,) = arguments
    many = count.words.view(np.int64) > 1
    errors = None
    if many.any():
        errors = many.astype(np.uint64) * np.uint64(context.error(CardinalityViolation.sqlstate, MORE_THAN_ONE))
    return Vector(np.zeros(len(many), np.uint64), np.ones(len(many), np.bool_), errors)


def _is_null(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    (value,) = arguments
    return Vector(np.zeros(len(value.words), np.uint64) if value.nulls is None else value.nulls.astype(np.uint64))


def _not(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    return Vector(arguments[0].words ^ np.uint64(1), arguments[0].nulls)


def is_null(type_: SqlType) -> Function:
    """IS NULL of the type."""
    return Function("is_null", (type_,), types.BOOLEAN, _is_null, OnNull.OWN, never_null=True)


NOT: Final = Function("not", (types.BOOLEAN,), types.BOOLEAN, _not)


def same(type_: SqlType) -> Function:
    """NULL-safe equality: what an equivalence of a join means within one row."""
    return Function(
        "is_not_distinct_from", (type_, type_), types.BOOLEAN, _same, OnNull.OWN, never_null=True,
        doc="Internal: equal, or both NULL.",
    )  # fmt: skip


def error_if_many() -> Function:
    """A predicate that keeps no row: NULL, or an error if the count is above one. The guard of a scalar subquery."""
    return Function(
        "error_if_many", (types.BIGINT,), types.BOOLEAN, _fail_if_many, can_fail=True, gives_null=True,
        doc="Internal: fails where a scalar subquery has more than one row.",
    )  # fmt: skip
