"""Aggregates as the reduce operator takes them: over columns, without DISTINCT and FILTER, rows only for groups."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, cast

from engine import types
from engine.expr.aggregate import KEEPS_NULL, Kind
from engine.expr.scalar import Case, Literal, Ref, Scalar
from engine.plan.facts import COUNTS, Facts
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
)
from engine.plan.scalars import TRUE, can_fail, null

IDEMPOTENT: Final = frozenset({Kind.MIN, Kind.MAX, Kind.BOOL_AND, Kind.BOOL_OR, Kind.BIT_AND, Kind.BIT_OR})
"""Aggregates for which DISTINCT changes nothing."""


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
        return replace(call, arguments=tuple(guarded(condition, a) if can_fail(a) else a for a in call.arguments))
    if call.overload.kind is Kind.COUNT_ROWS:
        overload = replace(call.overload, kind=Kind.COUNT, parameters=(types.BOOLEAN,))
        return AggregateCall(overload, (guarded(condition, TRUE),))
    value, *others = call.arguments
    return replace(call, arguments=(guarded(condition, value), *others), filter=None)


def guarded(condition: BoundScalar, value: BoundScalar) -> Scalar:
    """The value where the condition is true, NULL elsewhere."""
    return Case(((cast(Scalar, condition), cast(Scalar, value)),), null(value.type), value.type)


def plain_reduce(relation: Reduce, facts: Facts) -> Relation:
    """The Reduce as Reduces whose keys and arguments are columns, joined on the keys where DISTINCT sets some apart."""
    if relation.scalar:
        inner = plain_reduce(replace(relation, scalar=False), facts)
        return with_default(relation, relation.aggregates, inner)
    calls = [unfiltered(call) for call in relation.aggregates]
    calls = [replace(c, distinct=False) if c.overload.kind in IDEMPOTENT and c.distinct else c for c in calls]
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
        groups.setdefault((plain[i].arguments if plain[i].distinct else None, plain[i].filter), []).append(i)
    for members in groups.values():
        branches.append(set_apart(below, keys, [plain[i] for i in members], facts))
    order = [*together, *(i for members in groups.values() for i in members)]
    return joined_on_keys(branches, len(keys), [order.index(i) for i in range(len(plain))], facts)


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
