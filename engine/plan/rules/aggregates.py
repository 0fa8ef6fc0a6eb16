"""Aggregates as the reduce operator takes them: over columns, without DISTINCT and FILTER, rows only for groups."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, cast

from engine import types
from engine.expr.aggregate import COUNTS, KEEPS_NULL, Kind, Overload
from engine.expr.scalar import Case, Literal, Ref, Scalar
from engine.plan.facts import Facts
from engine.plan.relation import (
    UNIT,
    AggregateCall,
    BoundScalar,
    Distinct,
    Filter,
    Join,
    Map,
    Negate,
    Project,
    Reduce,
    Relation,
    Union,
    children,
)
from engine.plan.scalars import TRUE, null

IDEMPOTENT: Final = frozenset({Kind.MIN, Kind.MAX, Kind.BOOL_AND, Kind.BOOL_OR, Kind.BIT_AND, Kind.BIT_OR})
"""Aggregates for which DISTINCT changes nothing."""

BOOL_OR: Final = Overload("bool_or", Kind.BOOL_OR, (types.BOOLEAN,), types.BOOLEAN)


def default_of(call: AggregateCall) -> Literal:
    """The aggregate of no rows."""
    return Literal(0, call.overload.result) if call.overload.kind in COUNTS else null(call.overload.result)


def with_default(made: Reduce, calls: Sequence[AggregateCall], rows: Relation) -> Relation:
    """A global aggregate's row, or that of no rows. `rows` computes `made`; it is read twice."""
    missing = Union((UNIT, Negate(Project(rows, ()))))
    return Union((rows, Map(missing, tuple(default_of(call) for call in calls))))


def unfiltered(call: AggregateCall) -> AggregateCall:
    """The aggregate with its FILTER in its argument, where one that is NULL does not count."""
    condition = call.filter
    if condition is None:
        return call
    if call.overload.kind in KEEPS_NULL:
        order = tuple((safe(condition, by), descending, first) for by, descending, first in call.order)
        return replace(call, arguments=tuple(safe(condition, a) for a in call.arguments), order=order)
    if call.overload.kind is Kind.COUNT_ROWS:
        overload = replace(call.overload, kind=Kind.COUNT, parameters=(types.BOOLEAN,))
        return AggregateCall(overload, (guarded(condition, TRUE),))
    value, *others = call.arguments
    order = tuple((safe(condition, by), descending, first) for by, descending, first in call.order)
    given = (guarded(condition, value), *(safe(condition, other) for other in others))
    return replace(call, arguments=given, filter=None, order=order)


def guarded(condition: BoundScalar, value: BoundScalar) -> Scalar:
    """The value where the condition is true, NULL elsewhere."""
    return Case(((cast(Scalar, condition), cast(Scalar, value)),), null(value.type), value.type)


def safe(condition: BoundScalar, value: BoundScalar) -> BoundScalar:
    """The value, which may fail only where the condition is true."""
    return guarded(condition, value) if value.fallible else value


def plain_reduce(relation: Reduce, facts: Facts) -> Relation:
    """The Reduce as Reduces whose keys and arguments are columns, joined on the keys where DISTINCT sets some apart."""
    if relation.scalar:
        inner = plain_reduce(replace(relation, scalar=False), facts)
        return with_default(relation, relation.aggregates, inner)
    calls = [replace(c, distinct=False) if c.overload.kind in IDEMPOTENT else c for c in relation.aggregates]
    flagged = [many_filters(call, calls) for call in calls]
    calls = [call if flag else unfiltered(call) for call, flag in zip(calls, flagged, strict=True)]
    width = facts.arity(relation.input)
    computed: list[BoundScalar] = []
    at: dict[BoundScalar, int] = {}

    def column(scalar: BoundScalar) -> Ref:
        if isinstance(scalar, Ref):
            return scalar
        if scalar not in at:
            at[scalar] = width + len(computed)
            computed.append(scalar)
        return Ref(at[scalar], scalar.type, scalar.nullable)

    keys = tuple(column(key) for key in relation.keys)
    plain = [
        AggregateCall(
            call.overload,
            tuple(column(argument) for argument in call.arguments),
            call.distinct,
            None if call.filter is None else column(call.filter),
            tuple((column(scalar), descending, first) for scalar, descending, first in call.order),
        )
        for call in calls
    ]
    below = Map(relation.input, tuple(computed)) if computed else relation.input
    apart = [i for i, call in enumerate(plain) if call.distinct or call.filter is not None]
    if not apart:
        return Reduce(below, keys, tuple(plain))
    together = [i for i in range(len(plain)) if i not in apart]
    main = Reduce(below, keys, tuple(plain[i] for i in together))
    branches: list[Relation] = [main] if together else []
    groups: dict[tuple[object, ...], list[int]] = {}
    for i in apart:
        condition = None if flagged[i] else plain[i].filter
        groups.setdefault((plain[i].arguments if plain[i].distinct else None, condition), []).append(i)
    for members in groups.values():
        make = by_value if flagged[members[0]] else set_apart
        branches.append(make(below, keys, [plain[i] for i in members], facts))
    order = [*together, *(i for members in groups.values() for i in members)]
    return joined_on_keys(branches, len(keys), [order.index(i) for i in range(len(plain))], facts)


def many_filters(call: AggregateCall, calls: Sequence[AggregateCall]) -> bool:
    """Whether a DISTINCT aggregate is better off by value: others look at the same values through other filters."""
    if (
        not call.distinct
        or call.order
        or call.overload.kind in KEEPS_NULL
        or any(argument.fallible for argument in call.arguments)
    ):
        return False
    return len({other.filter for other in calls if other.distinct and other.arguments == call.arguments}) > 1


def by_value(below: Relation, keys: tuple[Ref, ...], calls: Sequence[AggregateCall], facts: Facts) -> Relation:
    """DISTINCT aggregates of the same arguments under several filters: each value once, with a flag for each filter,
    true when a row of it passes; then the aggregates over the flagged values."""
    values = tuple(dict.fromkeys(columns_of(calls)))
    filters = [condition for condition in dict.fromkeys(call.filter for call in calls) if condition is not None]
    passing = tuple(AggregateCall(BOOL_OR, (condition,)) for condition in filters)
    once = Reduce(below, (*keys, *values), passing)
    group = tuple(Ref(i, key.type, key.nullable) for i, key in enumerate(keys))
    at = {value.index: Ref(len(keys) + i, value.type, value.nullable) for i, value in enumerate(values)}
    flag = {condition: Ref(len(keys) + len(values) + i, types.BOOLEAN) for i, condition in enumerate(filters)}
    counted = tuple(
        unfiltered(
            replace(
                call,
                arguments=tuple(at[cast(Ref, argument).index] for argument in call.arguments),
                distinct=False,
                filter=None if call.filter is None else flag[call.filter],
            )
        )
        for call in calls
    )
    return plain_reduce(Reduce(once, group, counted), facts)


def repeated(plain: Relation, below: Relation) -> list[Relation]:
    """The Maps over `below` that a reduce made plain reads several times."""
    reads: list[Relation] = []
    todo = [plain]
    while todo:
        relation = todo.pop()
        if isinstance(relation, Map) and relation.input is below:
            reads.append(relation)
        elif relation is not below:
            todo.extend(children(relation))
    return [relation for relation in reads if sum(other is relation for other in reads) > 1]


def set_apart(below: Relation, keys: tuple[Ref, ...], calls: Sequence[AggregateCall], facts: Facts) -> Relation:
    """Aggregates that share a FILTER and, if DISTINCT, their arguments; every group has its row."""
    condition = calls[0].filter
    rows = below if condition is None else Filter(below, (condition,))
    if calls[0].distinct:
        read = sorted({ref.index for ref in (*keys, *columns_of(calls))})
        place = {column: i for i, column in enumerate(read)}
        rows = Distinct(Project(rows, tuple(read)))
    else:
        place = {i: i for i in range(facts.arity(below))}

    def moved(ref: BoundScalar) -> Scalar:
        assert isinstance(ref, Ref)
        return Ref(place[ref.index], ref.type, ref.nullable)

    made = Reduce(
        rows,
        tuple(map(moved, keys)),
        tuple(
            AggregateCall(
                call.overload,
                tuple(map(moved, call.arguments)),
                order=tuple((moved(scalar), descending, first) for scalar, descending, first in call.order),
            )
            for call in calls
        ),
    )
    if condition is None:
        return made
    every = Distinct(Project(below, tuple(key.index for key in keys)))
    missing = Union((every, Negate(Project(made, tuple(range(len(keys)))))))
    return Union((made, Map(missing, tuple(default_of(call) for call in calls))))


def columns_of(calls: Sequence[AggregateCall]) -> list[Ref]:
    held = [scalar for call in calls for scalar in (*call.arguments, *(scalar for scalar, _, _ in call.order))]
    return [scalar for scalar in held if isinstance(scalar, Ref)]


def joined_on_keys(branches: Sequence[Relation], keys: int, order: Sequence[int], facts: Facts) -> Relation:
    """Reduces over the same groups side by side: keys, then aggregate `order[i]` of all of theirs in a row."""
    if len(branches) == 1:
        made = branches[0]
        at = list(range(keys, facts.arity(made)))
    else:
        starts = [0]
        for branch in branches:
            starts.append(starts[-1] + facts.arity(branch))
        rows = [facts.columns(branch) for branch in branches]
        classes = tuple(
            tuple(Ref(start + key, *row[key]) for start, row in zip(starts, rows, strict=False)) for key in range(keys)
        )
        made = Join(tuple(branches), classes)
        at = [column for start, end in pairwise(starts) for column in range(start + keys, end)]
    columns = (*range(keys), *(at[i] for i in order))
    return made if columns == tuple(range(facts.arity(made))) else Project(made, columns)
