"""Temporal filters: comparisons of mz_now() with something that a row knows, as the times between which a row is there.

Only a conjunct of WHERE or HAVING can be one, with mz_now() alone on one side. Times are those of ticks, integers of
milliseconds, so a bound between two of them is rounded up to the one that decides.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from typing import cast as typing_cast

from engine import types
from engine.expr.overload import call, cast
from engine.expr.scalar import Call, Literal, Scalar
from engine.plan.predicates import negated
from engine.plan.relation import BoundScalar

NOW: Final = frozenset({"mz_now", "mz_logical_timestamp"})
OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
MIRRORED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The row is there from `lower` on (None: always) until before `upper` (None: forever): bigint scalars over it."""

    lower: Scalar | None
    upper: Scalar | None


def is_now(scalar: BoundScalar) -> bool:
    """Whether it is mz_now(), perhaps as a number of another type."""
    while type(scalar) is Call and scalar.function.name == "cast":
        (scalar,) = scalar.arguments
    return type(scalar) is Call and scalar.function.name in NOW


def milliseconds(scalar: BoundScalar) -> Scalar:
    """What mz_now() is compared with as a numeric: a moment is the milliseconds since 1970 until it."""
    made = typing_cast(Scalar, scalar)  # bound scalars nest where scalars do
    if made.type.plain in (types.TIMESTAMPTZ, types.TIMESTAMP, types.DATE):
        seconds = call("extract", Literal("epoch", types.TEXT), made)
        return call("floor", call("*", seconds, Literal(Decimal(1000), types.NUMERIC)))
    return cast(made, types.NUMERIC) if made.type.plain in (types.DOUBLE, types.REAL) else made


def bounds(predicate: BoundScalar) -> Bounds | None:
    """What a conjunct says about the time; None if it is no temporal filter."""
    opposite = negated(predicate)
    if opposite is not None:
        predicate = opposite
    if type(predicate) is not Call or predicate.function.name not in MIRRORED:
        return None
    operator = predicate.function.name
    if opposite is not None:
        if operator == "=":
            return None
        operator = OPPOSITE[operator]
    left, right = predicate.arguments
    if is_now(right):
        left, right, operator = right, left, MIRRORED[operator]
    if not is_now(left) or right.volatile:
        return None
    at = cast(call("ceil", right), types.BIGINT)
    after = call("+", cast(call("floor", right), types.BIGINT), Literal(1, types.BIGINT))
    match operator:
        case "<":
            return Bounds(None, at)
        case "<=":
            return Bounds(None, after)
        case ">":
            return Bounds(after, None)
        case ">=":
            return Bounds(at, None)
        case _:
            return Bounds(at, after)
