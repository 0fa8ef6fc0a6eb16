"""What is done to bound scalars: functions and casts applied to them, conditions put together of them.

Subqueries and outer columns may stand wherever scalars may, which is what these say beside engine/expr/overload.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from engine import types
from engine.errors import SqlError, Unsupported
from engine.expr import overload
from engine.expr.functions.comparable import ordered_by_key
from engine.expr.functions.numbered import XID_OF
from engine.expr.scalar import Call, Literal, Logic, Scalar
from engine.plan.predicates import EQUALITIES
from engine.plan.relation import BoundScalar
from engine.plan.temporal import MIRRORED, is_now, milliseconds
from engine.sql.binding.keys import compared
from engine.sql.binding.types import widened
from engine.types import CastContext, SqlType

FALSE: Final = Literal(False, types.BOOLEAN)
TRUE: Final = Literal(True, types.BOOLEAN)

R = TypeVar("R")


def located(at: int, make: Callable[..., R], *arguments: object) -> R:
    """make(*arguments), whose error then points at `at` unless it points elsewhere already."""
    try:
        return make(*arguments)
    except SqlError as error:
        if error.position is None:
            error.position = at
        raise


def call(name: str, *arguments: BoundScalar) -> Scalar:
    """A function or operator by name. Subqueries and outer columns may stand wherever scalars may."""
    if name in MIRRORED and any(map(is_now, arguments)):
        arguments = tuple(map(milliseconds, arguments))
    if name in EQUALITIES and types.XID in [argument.type for argument in arguments]:
        arguments = tuple(map(_transaction, arguments))
    if name in SEES_BLANKS:
        arguments = tuple(map(padded, arguments))
    made = overload.call(name, *arguments)  # pyright: ignore[reportArgumentType]: BoundScalar has type and nullable too
    if name in EQUALITIES or (name in MIRRORED and ordered_by_key(made.arguments[0].type)):
        return replace(made, arguments=compared(made.arguments))
    return made


def _transaction(scalar: BoundScalar) -> BoundScalar:
    """An integer beside the number of a transaction: it is one to compare, though no cast makes it one."""
    return Call(XID_OF, (scalar,), types.XID) if scalar.type == types.INTEGER else scalar  # pyright: ignore[reportArgumentType]


SEES_BLANKS: Final = frozenset(
    {"like", "~~", "ilike", "~~*", "!~~", "!~~*", "~", "~*", "!~", "!~*", "octet_length", "concat", "concat_ws",
     "to_jsonb", "to_json", "jsonb_build_array", "jsonb_build_object", "format"}
)  # fmt: skip
"""Functions that take the blanks at the end of a char(n) for what they are; to all others they are not there."""


def padded(scalar: BoundScalar) -> BoundScalar:
    """A char(n) as the text of n characters that it is written as."""
    kind = scalar.type
    if kind.plain != types.CHAR or not kind.modifier:
        return scalar
    text = cast(scalar, types.TEXT, CastContext.IMPLICIT)
    return overload.call("rpad", text, Literal(kind.modifier[0], types.INTEGER))  # pyright: ignore[reportArgumentType]


def cast(scalar: BoundScalar, to: SqlType, context: CastContext) -> BoundScalar:
    """As overload.cast; a numeric constant becomes another one without a function to call."""
    if isinstance(scalar, Literal) and scalar.value is not None and scalar.type is not types.UNKNOWN:
        constant = widened(scalar, to)
        if constant is not None:
            return constant
    if to.plain == types.BYTEA:
        scalar = padded(scalar)
    return overload.cast(scalar, to, context)  # pyright: ignore[reportArgumentType]: the same


def settled(scalar: BoundScalar) -> BoundScalar:
    """The scalar, an untyped literal being text."""
    return cast(scalar, types.TEXT, CastContext.IMPLICIT) if scalar.type == types.UNKNOWN else scalar


def conjunction(arguments: Sequence[BoundScalar], all_: bool = True) -> BoundScalar:
    """AND (or OR) of booleans."""
    if len(arguments) == 1:
        return arguments[0]
    return Logic(all_, tuple(arguments))  # pyright: ignore[reportArgumentType]: the same


def negated(scalar: BoundScalar, yes: bool = True) -> BoundScalar:
    """NOT scalar, if `yes`."""
    return call("not", scalar) if yes else scalar


def compare_rows(operator: str, pairs: Sequence[tuple[BoundScalar, BoundScalar]]) -> BoundScalar:
    """A comparison of rows of equal width."""
    if operator == "=":
        return conjunction([call("=", a, b) for a, b in pairs])
    if operator == "<>":
        return conjunction([call("<>", a, b) for a, b in pairs], all_=False)
    if operator not in ("<", ">", "<=", ">="):
        raise Unsupported(f"operator {operator} of rows is not supported")
    strict = operator[0]
    result = call(operator, *pairs[-1])
    for a, b in reversed(pairs[:-1]):
        rest = conjunction((call("=", a, b), result))
        result = conjunction((call(strict, a, b), rest), all_=False)
    return result
