"""Where SQL asks whether values are equal, and the engine whether words are.

A double has two zeros, and SQL takes them for one: 0 = -0. Intervals are equal when they are equally long: '1 month' =
'30 days'. The engine keeps both apart, so that a value is what was stored. The law: what is compared, grouped, made
distinct or put in order by its value goes through `as_key` when it is bound. After the binder equal means equal words,
so that no rule or operator has to know of it. What a group or a DISTINCT shows is 0 for both zeros; of intervals it is
one of the group's own, the first in the order of the engine, whatever came first.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine import types
from engine.collection.value import Interval, MinusZero
from engine.dataflow.graph import Order, Ties
from engine.errors import Unsupported
from engine.expr import window
from engine.expr.aggregate import EXTREME, Kind, Overload
from engine.expr.functions.intervals import of_length, span_length
from engine.expr.functions.planner import unsigned_zero
from engine.expr.overload import resolve_aggregate
from engine.expr.scalar import Call, Literal, Ref
from engine.plan.predicates import negate
from engine.plan.relation import (
    AggregateCall,
    BoundScalar,
    Distinct,
    Filter,
    Map,
    Negate,
    Project,
    Relation,
    Threshold,
    TopK,
    Union,
    Window,
)
from engine.types import Physical, SqlType


def as_key(scalar: BoundScalar) -> BoundScalar:
    """The scalar as what it is compared by."""
    if is_span(scalar.type):
        if isinstance(scalar, Literal):
            span = scalar.value
            return replace(scalar, value=of_length(span)) if isinstance(span, Interval) else scalar
        if isinstance(scalar, Call) and scalar.function.name == "span_length":
            return scalar
        return Call(span_length(), (scalar,), scalar.type)  # pyright: ignore[reportArgumentType]
    if not has_two_zeros(scalar.type) or not may_be_minus_zero(scalar):
        return scalar
    if isinstance(scalar, Literal):
        return Literal(0.0, scalar.type)
    return Call(unsigned_zero(scalar.type), (scalar,), scalar.type)  # pyright: ignore[reportArgumentType]


def has_two_zeros(type: SqlType) -> bool:
    return type.physical is Physical.FLOAT


def is_span(type: SqlType) -> bool:
    return type.physical is Physical.INTERVAL


def may_be_minus_zero(scalar: BoundScalar) -> bool:
    """Whether the scalar, which is a double, may be -0: not what is known to be another number, or came of an exact
    one."""
    match scalar:
        case Literal():
            return isinstance(scalar.value, MinusZero)
        case Call() if scalar.function.name == "unsigned_zero":
            return False
        case Call() if scalar.function.name == "cast":
            source = scalar.arguments[0]
            exact = source.type.physical in (Physical.SIGNED, Physical.UNSIGNED, Physical.DECIMAL)
            return not exact and (not has_two_zeros(source.type) or may_be_minus_zero(source))
        case _:
            return True


def compared(scalars: Sequence[BoundScalar]) -> tuple[BoundScalar, ...]:
    """The arguments of a comparison. Beside a number that is not 0 there is nothing to take for it."""
    if not is_span(scalars[0].type) and any(isinstance(scalar, Literal) and scalar.value for scalar in scalars):
        return tuple(scalars)
    return tuple(map(as_key, scalars))


def compared_with_each(operand: BoundScalar, others: Sequence[BoundScalar]) -> list[BoundScalar]:
    """The arguments of several equalities that have one side in common, which stays the same for all."""
    plain = all(compared((operand, other))[0] is operand for other in others)
    return [operand if plain else as_key(operand), *map(as_key, others)]


def distinct(relation: Relation, columns: Sequence[SqlType]) -> Relation:
    """The distinct rows of the relation, which has these columns."""
    if not any(map(is_span, columns)):
        return Distinct(as_keys(relation, columns))
    wide, places = _with_keys(relation, columns, range(len(columns)))
    return Project(TopK(wide, _places(columns, places), _by_spans(columns), 1), _shown(columns, places))


def difference(a: Relation, b: Relation, columns: Sequence[SqlType]) -> Relation:
    """The rows of `a`, which are distinct, that are not in `b`."""
    if not any(map(is_span, columns)):
        return Threshold(Union((a, Negate(b))))
    tagged = Union((Map(a, (Literal(False, types.BOOLEAN),)), Map(b, (Literal(True, types.BOOLEAN),))))
    tag = len(columns)
    wide, places = _with_keys(tagged, [*columns, types.BOOLEAN], range(tag))
    first = TopK(wide, _places(columns, places), (Order(tag, True), *_by_spans(columns)), 1)
    alone = negate(Ref(tag, types.BOOLEAN, False))
    return Project(Filter(first, (alone,)), _shown(columns, places))


def numbered(relation: Relation, columns: Sequence[SqlType]) -> Relation:
    """The rows and, behind them, a number that tells apart those that are equal: 1 and up."""
    wide, places = _with_keys(relation, columns, range(len(columns)))
    number = window.WindowCall(window.Kind.ROW_NUMBER, (), types.BIGINT, False, window.Frame())
    found = Window(wide, _places(columns, places), _by_spans(columns), (number,))
    width = len(columns) + sum(place != column for column, place in places.items())
    return Project(found, (*_shown(columns, places), width))


def first_of(span: BoundScalar, beside: Sequence[BoundScalar]) -> AggregateCall:
    """The interval that a group shows, of those that it has: that of its first row in the order of all its intervals,
    `beside`."""
    overload, _ = resolve_aggregate("first_value" if len(beside) > 1 else "min", [types.INTERVAL])
    order = tuple((other, False, False) for other in beside) if len(beside) > 1 else ()
    return AggregateCall(overload, (span,), order=order)


def told_apart(found: Overload, values: Sequence[BoundScalar]) -> tuple[BoundScalar, ...]:
    """The arguments of an aggregate with DISTINCT: what it is the same for is one value."""
    if found.kind in EXTREME:
        return tuple(values)
    if found.kind is not Kind.COUNT and any(is_span(value.type) for value in values):
        raise Unsupported(
            f"{found.name} of DISTINCT intervals is not supported",
            hint="Take it of a subquery with SELECT DISTINCT, which says which of equal intervals is meant.",
        )
    return tuple(map(as_key, values))


def _places(columns: Sequence[SqlType], places: dict[int, int]) -> tuple[int, ...]:
    return tuple(places[column] for column in range(len(columns)))


def _by_spans(columns: Sequence[SqlType]) -> tuple[Order, ...]:
    """The order of rows that are equal: of equal intervals the engine has one before the other."""
    return tuple(Order(column) for column, type in enumerate(columns) if is_span(type))


def _shown(columns: Sequence[SqlType], places: dict[int, int]) -> tuple[int, ...]:
    """An interval is shown as it is, a double as what it is compared by."""
    return tuple(column if is_span(type) else places[column] for column, type in enumerate(columns))


def as_keys(relation: Relation, columns: Sequence[SqlType]) -> Relation:
    """The rows as what they are compared by."""
    wide, places = _with_keys(relation, columns, range(len(columns)))
    return relation if wide is relation else Project(wide, tuple(places[i] for i in range(len(columns))))


def cut(
    relation: Relation, columns: Sequence[SqlType], group: Sequence[int], order: Sequence[Order], limit: int | None,
    offset: int = 0, ties: Ties = Ties.CUT,
) -> Relation:  # fmt: skip
    """The first rows of each group: a TopK by what group and order compare by."""
    wide, places = _with_keys(relation, columns, [*group, *(item.column for item in order)])
    by = tuple(replace(item, column=places[item.column]) for item in order)
    found = TopK(wide, tuple(places[column] for column in group), by, limit, offset, ties)
    return found if wide is relation else Project(found, tuple(range(len(columns))))


def _with_keys(
    relation: Relation, columns: Sequence[SqlType], compared: Sequence[int]
) -> tuple[Relation, dict[int, int]]:
    """The relation with, behind its columns, the keys of those of `compared` that are not their own; and where each
    column's key is."""
    made: list[BoundScalar] = []
    places: dict[int, int] = {}
    for column in dict.fromkeys(compared):
        places[column] = column
        ref = Ref(column, columns[column])
        key = as_key(ref)
        if key is not ref:
            places[column] = len(columns) + len(made)
            made.append(key)
    return (Map(relation, tuple(made)) if made else relation), places
