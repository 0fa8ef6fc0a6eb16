"""Where SQL asks whether values are equal, and the engine whether words are.

A double has two zeros, and SQL takes them for one: 0 = -0. Intervals are equal when they are equally long: '1 month' =
'30 days'. So are arrays, lists, maps and records of them, part by part. The engine keeps all apart, so that a value is
what was stored. The law: what is compared, grouped, made distinct or put in order by its value goes through `as_key`
when it is bound. After the binder equal means equal words, so that no rule or operator has to know of it. What a group
or a DISTINCT shows is 0 for both zeros; of what has intervals it is one of the group's own, the first in the order of
the engine, whatever came first.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine import types
from engine.collection.value import Interval, MinusZero
from engine.dataflow.graph import Order, Ties
from engine.expr import window
from engine.expr.aggregate import EXTREME, Kind, Overload
from engine.expr.functions.comparable import NAMES, comparable, has_spans, has_two_zeros, nested_key, ordered_by_key
from engine.expr.functions.intervals import of_length
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
from engine.plan.rules.aggregates import guarded
from engine.plan.scalars import parts, with_parts
from engine.types import Physical, SqlType


def as_key(scalar: BoundScalar) -> BoundScalar:
    """The scalar as what it is compared by."""
    kind = scalar.type
    spans = has_spans(kind)
    if not spans and not (has_two_zeros(kind) and may_be_minus_zero(scalar)):
        return scalar
    if not isinstance(scalar, Literal):
        if isinstance(scalar, Call) and scalar.function.name in NAMES:
            return scalar
        return Call(comparable(kind), (scalar,), kind)  # pyright: ignore[reportArgumentType]
    match scalar.value:
        case bytes() if kind.nesting is not None:
            return replace(scalar, value=nested_key(scalar.value, kind))
        case Interval():
            return replace(scalar, value=of_length(scalar.value))
        case MinusZero():
            return Literal(0.0, kind)
        case _:
            return scalar


def may_be_minus_zero(scalar: BoundScalar) -> bool:
    """Whether a zero in the scalar, which is a double or has some in it, may be -0: not what is known to be another
    number, or came of an exact one."""
    match scalar:
        case Literal():
            return scalar.type.nesting is not None or isinstance(scalar.value, MinusZero)
        case Call() if scalar.function.name in NAMES:
            return False
        case Call() if scalar.function.name == "cast":
            source = scalar.arguments[0]
            exact = source.type.physical in (Physical.SIGNED, Physical.UNSIGNED, Physical.DECIMAL)
            return not exact and (not has_two_zeros(source.type) or may_be_minus_zero(source))
        case _:
            return True


def compared(scalars: Sequence[BoundScalar]) -> tuple[BoundScalar, ...]:
    """The arguments of a comparison. Beside a number that is not 0 there is nothing to take for it."""
    if not ordered_by_key(scalars[0].type) and any(isinstance(scalar, Literal) and scalar.value for scalar in scalars):
        return tuple(scalars)
    return tuple(map(as_key, scalars))


def compared_with_each(operand: BoundScalar, others: Sequence[BoundScalar]) -> list[BoundScalar]:
    """The arguments of several equalities that have one side in common, which stays the same for all."""
    plain = all(compared((operand, other))[0] is operand for other in others)
    return [operand if plain else as_key(operand), *map(as_key, others)]


def distinct(relation: Relation, columns: Sequence[SqlType]) -> Relation:
    """The distinct rows of the relation, which has these columns."""
    if not any(map(has_spans, columns)):
        return Distinct(as_keys(relation, columns))
    wide, places = _with_keys(relation, columns, range(len(columns)))
    return Project(TopK(wide, _places(columns, places), _by_spans(columns), 1), _shown(columns, places))


def difference(a: Relation, b: Relation, columns: Sequence[SqlType]) -> Relation:
    """The rows of `a`, which are distinct, that are not in `b`."""
    if not any(map(has_spans, columns)):
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
    """The value with intervals that a group shows, of those that it has: that of its first row in the order of all its
    values with intervals, `beside`."""
    plain = len(beside) == 1 and span.type.nesting is None
    overload, _ = resolve_aggregate("min" if plain else "first_value", [span.type])
    return AggregateCall(overload, (span,), order=() if plain else tuple((other, False, False) for other in beside))


def told_apart(found: Overload, values: Sequence[BoundScalar]) -> tuple[BoundScalar, ...]:
    """The arguments of an aggregate with DISTINCT: what it is the same for is one value, but for those with intervals
    that it shows, which are `once`."""
    if found.kind in EXTREME:
        return tuple(values)
    shown = found.kind is not Kind.COUNT
    return tuple(value if shown and has_spans(value.type) else as_key(value) for value in values)


def once(
    relation: Relation, width: int, keys: Sequence[BoundScalar], aggregates: Sequence[AggregateCall]
) -> tuple[Relation, tuple[AggregateCall, ...]]:
    """The aggregates, those with DISTINCT of values with intervals over the first of those that are equal in its group;
    and the relation, of so many columns, with these values behind."""
    made: dict[tuple[object, ...], AggregateCall] = {}
    for call in aggregates:
        if not call.distinct or call.overload.kind in (*EXTREME, Kind.COUNT):
            continue
        if any(has_spans(argument.type) for argument in call.arguments) and (call.arguments, call.filter) not in made:
            relation, width = _first_of_equals(relation, width, keys, call)
            start = width - len(call.arguments)
            firsts = tuple(Ref(start + i, argument.type) for i, argument in enumerate(call.arguments))
            made[call.arguments, call.filter] = replace(call, arguments=firsts)
    over = [made.get((call.arguments, call.filter)) if call.distinct else None for call in aggregates]
    return relation, tuple(map(_over, aggregates, over))


def _first_of_equals(
    relation: Relation, width: int, keys: Sequence[BoundScalar], call: AggregateCall
) -> tuple[Relation, int]:
    """The rows with, at their end, the arguments of the first row of the group that has equal ones and passes the
    filter too; and how many columns they have."""
    values = [_where(call.filter, argument) for argument in call.arguments]
    apart = [*map(as_key, keys), *([] if call.filter is None else [call.filter]), *map(as_key, values)]
    wide = Map(relation, (*apart, *values))
    start = width + len(apart)
    places = range(start, start + len(values))
    calls = tuple(
        window.WindowCall(window.Kind.FIRST_VALUE, (place,), value.type)
        for place, value in zip(places, values, strict=True)
    )
    found = Window(wide, tuple(range(width, start)), tuple(map(Order, places)), calls)
    return found, start + 2 * len(values)


def _where(condition: BoundScalar | None, value: BoundScalar) -> BoundScalar:
    """The value where the condition is true, NULL elsewhere: there it may fail."""
    return value if condition is None else guarded(condition, value)


def _over(call: AggregateCall, made: AggregateCall | None) -> AggregateCall:
    """The call over other arguments, in its order too."""
    if made is None:
        return call
    to = dict(zip(call.arguments, made.arguments, strict=True))

    def swap(scalar: BoundScalar) -> BoundScalar:
        return to[scalar] if scalar in to else with_parts(scalar, tuple(map(swap, parts(scalar))))

    order = tuple((swap(scalar), descending, first) for scalar, descending, first in call.order)
    return replace(made, overload=call.overload, order=order)


def _places(columns: Sequence[SqlType], places: dict[int, int]) -> tuple[int, ...]:
    return tuple(places[column] for column in range(len(columns)))


def _by_spans(columns: Sequence[SqlType]) -> tuple[Order, ...]:
    """The order of rows that are equal: of equal values the engine has one before the other."""
    return tuple(Order(column) for column, type in enumerate(columns) if has_spans(type))


def _shown(columns: Sequence[SqlType], places: dict[int, int]) -> tuple[int, ...]:
    """What has intervals is shown as it is, a double as what it is compared by."""
    return tuple(column if has_spans(type) else places[column] for column, type in enumerate(columns))


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
