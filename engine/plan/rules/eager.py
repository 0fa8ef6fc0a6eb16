"""Aggregates before windows of time: each row of a hopping window is counted once, not once for every window it is in.

Rule   Reduce[k, f(x); agg](FlatMap f(x)) = Reduce[k, w; agg of agg](FlatMap w = f(c)(Reduce[k, c; agg])), c coarser
       than x with f(c) = f(x): for windows of `width` every `hop`, `width` a multiple of `hop`, c is the bin of `hop`
       that x lies in. The aggregates are those that add up: counts, exact sums, least and largest, and, or.
Cost   a second, small state (one row a group and bin); a change passes one group instead of width / hop of them.
From   Yan and Larson, "Eager aggregation and lazy aggregation", VLDB 1995; "panes" of Li et al., SIGMOD Record 2005.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

from engine.collection.value import Interval
from engine.expr.aggregate import COUNTS, Kind, Overload
from engine.expr.overload import call
from engine.expr.scalar import INTEGERS, Literal, Ref, Scalar
from engine.plan.facts import Facts
from engine.plan.relation import (
    UNIT,
    AggregateCall,
    FlatMap,
    Let,
    Map,
    Project,
    Reduce,
    Relation,
    call_scalars,
    children,
    with_children,
)
from engine.plan.rules.joins import replaced

SAME: Final = frozenset({Kind.MIN, Kind.MAX, Kind.BOOL_AND, Kind.BOOL_OR})
"""Aggregates of aggregates of the same kind."""

DAY_US: Final = 86_400_000_000


def count_in_bins(relation: Relation, facts: Facts) -> Relation:
    """Reduces over hopping windows as reduces of bins, unfolded into windows. O(size)."""
    if isinstance(relation, Let):
        value = count_in_bins(relation.value, facts)
        facts.bind(Let(relation.id, value, UNIT))
        return with_children(relation, (value, count_in_bins(relation.body, facts)))
    relation = with_children(relation, tuple(count_in_bins(child, facts) for child in children(relation)))
    return binned(relation, facts) if isinstance(relation, Reduce) and relation.keys else relation


def binned(relation: Reduce, facts: Facts) -> Relation:
    unfolded = over_windows(relation.input, facts)
    if unfolded is None:
        return relation
    windows, columns = unfolded
    bin_ = coarse(cast(tuple[Scalar, ...], windows.arguments))
    width = facts.arity(windows.input)
    keys = [replaced(cast(Scalar, key), columns) for key in relation.keys]
    calls = [moved_call(aggregate, columns) for aggregate in relation.aggregates]
    own = [key for key in keys if key != Ref(width, key.type, key.nullable)]
    if bin_ is None or len(own) == len(keys) or any(combined(aggregate) is None for aggregate in calls):
        return relation
    read = own + [cast(Scalar, scalar) for aggregate in calls for scalar in call_scalars(aggregate)]
    if any(scalar.fallible or max(scalar.reads, default=0) >= width for scalar in read):
        return relation
    partial = Reduce(windows.input, (*own, bin_), tuple(calls))
    at = len(own)
    stride, length, _, *origin = windows.arguments
    again = FlatMap(partial, windows.function, (stride, length, Ref(at, bin_.type, bin_.nullable), *origin))
    start = at + 1 + len(calls)
    place = iter(range(at))
    group = tuple(
        Ref(start, key.type, key.nullable) if key not in own else Ref(next(place), key.type, key.nullable)
        for key in keys
    )
    whole = [
        AggregateCall(cast(Overload, combined(aggregate)), (Ref(at + 1 + i, aggregate.overload.result),))
        for i, aggregate in enumerate(calls)
    ]
    return Reduce(again, group, tuple(whole))


def over_windows(relation: Relation, facts: Facts) -> tuple[FlatMap, list[Scalar]] | None:
    """The hopping windows below projections and maps that cannot fail, and what each column is over their row."""
    links: list[Project | Map] = []
    while isinstance(relation, Project | Map):
        links.append(relation)
        relation = relation.input
    if not isinstance(relation, FlatMap) or relation.function.name != "date_bin_hopping" or is_reduced(relation.input):
        return None
    columns: list[Scalar] = list(facts.refs(relation))
    for link in reversed(links):
        if isinstance(link, Project):
            columns = [columns[column] for column in link.columns]
            continue
        for scalar in cast(tuple[Scalar, ...], link.scalars):
            if scalar.fallible or scalar.volatile:
                return None
            columns.append(replaced(scalar, columns))
    return relation, columns


def is_reduced(relation: Relation) -> bool:
    """Whether the windows are of groups already."""
    while isinstance(relation, Project | Map):
        relation = relation.input
    return isinstance(relation, Reduce)


def moved_call(aggregate: AggregateCall, columns: Sequence[Scalar]) -> AggregateCall:
    arguments = tuple(replaced(cast(Scalar, argument), columns) for argument in aggregate.arguments)
    return replace(aggregate, arguments=arguments)


def combined(aggregate: AggregateCall) -> Overload | None:
    """The aggregate of the aggregates of parts; None if there is none, or if it is not exact."""
    overload = aggregate.overload
    if aggregate.distinct or aggregate.filter is not None or aggregate.order:
        return None
    if overload.kind in COUNTS:
        return Overload("sum", Kind.SUM, (overload.result,), overload.result)
    if overload.kind is Kind.SUM and all(kind.plain in INTEGERS for kind in overload.parameters):
        return Overload("sum", Kind.SUM, (overload.result,), overload.result)
    return replace(overload, parameters=(overload.result,)) if overload.kind in SAME else None


def coarse(arguments: Sequence[Scalar]) -> Scalar | None:
    """The bin that stands for all times in it: None where the windows are not whole numbers of bins."""
    hop, width, at, *origin = arguments
    if not isinstance(hop, Literal) or not isinstance(width, Literal):
        return None
    lengths = [microseconds(literal.value) for literal in (hop, width)]
    if min(lengths) <= 0 or lengths[1] % lengths[0]:
        return None
    return call("date_bin", hop, at, *origin)


def microseconds(value: object) -> int:
    """The length of an interval; 0 if it has none."""
    return value.days * DAY_US + value.microseconds if isinstance(value, Interval) and not value.months else 0
