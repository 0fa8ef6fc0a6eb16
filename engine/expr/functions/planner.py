"""Functions that only the planner calls: no SQL names them, and none looks at a type.

They work on words and null masks alone, so one kernel serves every type.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from engine import types
from engine.collection.vector import Vector
from engine.errors import AssertedNull, CardinalityViolation
from engine.expr.registry import Function, OnNull
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

MINUS_ZERO: Final = np.uint64(1 << 63)
"""The word of -0.0."""

MORE_THAN_ONE: Final = "more than one row returned by a subquery used as an expression"


def _fail_if_many(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    """Error 21000 where the count is above one; NULL elsewhere."""
    (count,) = arguments
    many = count.words.view(np.int64) > 1
    errors = None
    if many.any():
        errors = many.astype(np.uint64) * np.uint64(context.error(CardinalityViolation.sqlstate, MORE_THAN_ONE))
    return Vector(np.zeros(len(many), np.uint64), np.ones(len(many), np.bool_), errors)


def error_if_many() -> Function:
    """A predicate that keeps no row: NULL, or an error if the count is above one. The guard of a scalar subquery."""
    return Function(
        "error_if_many", (types.BIGINT,), types.BOOLEAN, _fail_if_many, can_fail=True, gives_null=True,
        doc="Internal: fails where a scalar subquery has more than one row.",
    )  # fmt: skip


def _unsign(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    words = arguments[0].words
    zero = words == MINUS_ZERO
    return Vector(np.where(zero, np.uint64(0), words) if np.count_nonzero(zero) else words)


def unsigned_zero(type: SqlType) -> Function:
    """A double with -0 as the 0 that it is equal to: the word that it is compared and grouped by."""
    return Function(
        "unsigned_zero", (type.plain,), type.plain, _unsign, on_words=True,
        doc="Internal: a double, -0 being 0: what it is compared by.",
    )  # fmt: skip


def _there(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    """The first argument; error 23502, with the text of the second, where it is NULL."""
    value, text = arguments
    errors = None
    if value.nulls is not None and value.nulls.any():
        message = context.heap.get(int(text.words[0])).decode()
        errors = value.nulls.astype(np.uint64) * np.uint64(context.error(AssertedNull.sqlstate, message))
    return Vector(value.words, None, errors)


def not_null(type: SqlType) -> Function:
    """A value that must be there, and what is said where it is not."""
    return Function(
        "not_null", (type, types.TEXT), type, _there, OnNull.OWN, can_fail=True, never_null=True,
        doc="Internal: fails where a column that is asserted not to be NULL is.",
    )  # fmt: skip


def fails(argument: SqlType) -> Function:
    """Whether the argument's evaluation fails for a row: it stands for the error, which goes no further."""
    return Function(
        "fails", (argument,), types.BOOLEAN, _unused, OnNull.OWN, never_null=True, catches=True,
        doc="Internal: whether an expression fails for a row.",
    )  # fmt: skip


def _unused(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    raise AssertionError("evaluation asks the argument itself")
