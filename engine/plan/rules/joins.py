"""Nested inner joins become one n-ary join, so that the delta join may choose any order; implied inputs go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from engine.expr.scalar import Ref, Scalar
from engine.plan.facts import Facts
from engine.plan.relation import (
    UNIT,
    Distinct,
    Filter,
    Get,
    Join,
    Let,
    Local,
    Map,
    Project,
    Relation,
    children,
    with_children,
)
from engine.plan.scalars import all_columns_read, map_refs, moved, shifted


def flatten_joins(relation: Relation, facts: Facts) -> Relation:
    """Joins of joins as joins; the projections, maps and filters between the two go above. O(size)."""
    if isinstance(relation, Let):
        value = flatten_joins(relation.value, facts)
        facts.bind(Let(relation.id, value, UNIT))
        return with_children(relation, (value, flatten_joins(relation.body, facts)))
    relation = with_children(relation, tuple(flatten_joins(child, facts) for child in children(relation)))
    return flatten(relation, facts) if isinstance(relation, Join) else relation


@dataclass(frozen=True, slots=True)
class Lifted:
    """A join that stood below another, with what was between: `columns` and `predicates` are over its own row."""

    join: Join
    columns: tuple[Scalar, ...]
    predicates: tuple[Scalar, ...]


def lift(relation: Relation, keys: set[int], facts: Facts) -> Lifted | None:
    """The join below projections, maps and filters of which none can fail, if there is one.

    The columns `keys` are what the upper join meets on: one computed from several inputs would be lost as a key.
    """
    links: list[Project | Map | Filter] = []
    base = relation
    while isinstance(base, Project | Map | Filter):
        links.append(base)
        base = base.input
    if not isinstance(base, Join):
        return None
    columns: list[Scalar] = list(facts.refs(base))
    predicates: list[Scalar] = []
    for link in reversed(links):
        if isinstance(link, Project):
            columns = [columns[column] for column in link.columns]
            continue
        scalars = cast(tuple[Scalar, ...], link.scalars if isinstance(link, Map) else link.predicates)
        for scalar in scalars:
            if scalar.fallible or scalar.volatile:
                return None
            over = replaced(scalar, columns)
            (columns if isinstance(link, Map) else predicates).append(over)
    owner = [i for i, branch in enumerate(base.inputs) for _ in range(facts.arity(branch))]
    for key in keys:
        if len({owner[column] for column in columns[key].reads}) > 1:
            return None
    return Lifted(base, tuple(columns), tuple(predicates))


def replaced(scalar: Scalar, columns: Sequence[Scalar]) -> Scalar:
    """The scalar with each column read replaced by what the column is."""

    def change(ref: Ref) -> Scalar:
        return columns[ref.index]

    return map_refs(scalar, change)


def flatten(relation: Join, facts: Facts) -> Relation:
    read = all_columns_read(scalar for group in relation.equivalences for scalar in group)
    inputs: list[Relation] = []
    classes: list[tuple[Scalar, ...]] = []
    predicates: list[Scalar] = []
    columns: list[Scalar] = []
    old = width = 0
    some = False
    for branch in relation.inputs:
        arity = facts.arity(branch)
        lifted = lift(branch, {column - old for column in read if old <= column < old + arity}, facts)
        if lifted is None:
            inputs.append(branch)
            columns.extend(shifted(ref, width) for ref in facts.refs(branch))
            width += arity
        else:
            some = True
            inputs.extend(lifted.join.inputs)
            classes.extend(tuple(shifted(scalar, width) for scalar in group) for group in lifted.join.equivalences)
            predicates.extend(shifted(predicate, width) for predicate in lifted.predicates)
            columns.extend(shifted(scalar, width) for scalar in lifted.columns)
            width += facts.arity(lifted.join)
        old += arity
    if not some:
        return without_implied(relation, facts)
    classes.extend(tuple(replaced(scalar, columns) for scalar in group) for group in relation.equivalences)
    made = without_implied(Join(tuple(inputs), tuple(classes)), facts)
    if predicates:
        made = Filter(made, tuple(predicates))
    maps = [scalar for scalar in columns if not isinstance(scalar, Ref)]
    if maps:
        made = Map(made, tuple(maps))
    computed = iter(range(width, width + len(maps)))
    return Project(made, tuple(s.index if isinstance(s, Ref) else next(computed) for s in columns))


def without_implied(relation: Join, facts: Facts) -> Relation:
    """The join without the inputs that another one implies: each row of that other meets exactly one of theirs.

    One is Distinct(Project(x, columns)) beside x, tied on all its columns: the scopes of subqueries go this way. The
    other is x beside some rows of x, tied on a unique key: each meets itself.
    """
    starts = [0]
    for branch in relation.inputs:
        starts.append(starts[-1] + facts.arity(branch))

    owner = [i for i, branch in enumerate(relation.inputs) for _ in range(starts[i + 1] - starts[i])]
    groups: dict[int, set[int]] = {}  # the equivalences that hold each column
    near: list[set[int]] = [set() for _ in relation.inputs]  # the inputs that an equivalence ties to each
    for number, group in enumerate(relation.equivalences):
        columns = [scalar.index for scalar in group if isinstance(scalar, Ref)]
        for column in columns:
            groups.setdefault(column, set()).add(number)
        owners = {owner[column] for column in columns}
        for i in owners:
            near[i] |= owners

    def tied(one: int, other: int) -> bool:
        """Whether an equivalence holds both columns."""
        return not groups.get(one, set()).isdisjoint(groups.get(other, set()))

    for j, branch in enumerate(relation.inputs):
        alone = frozenset() in facts.keys(branch)  # then it needs no tie
        for i in range(len(relation.inputs)) if alone else sorted(near[j]):
            other = relation.inputs[i]
            twins = (
                None if i == j else implied(branch, other) if isinstance(branch, Distinct) else itself(branch, other)
            )
            if twins is None:
                continue
            met = {k for k, twin in enumerate(twins) if tied(starts[j] + k, starts[i] + twin)}
            if len(met) == len(twins) if isinstance(branch, Distinct) else facts.unique(branch, met):
                return dropped(relation, j, {starts[j] + k: starts[i] + twin for k, twin in enumerate(twins)}, facts)
    return relation


def itself(branch: Relation, other: Relation) -> tuple[int, ...] | None:
    """Which columns of `other`, some rows of a collection, are those of the branch, columns of the same collection."""
    wanted = range_of(branch)
    place: list[int] | None = None
    while isinstance(other, Filter | Project):
        if isinstance(other, Project):
            place = list(other.columns) if place is None else [other.columns[p] for p in place]
        other = other.input
    if wanted is None or not same(wanted[0], other):
        return None
    columns = wanted[1]
    if place is None:
        return columns
    return tuple(place.index(column) for column in columns) if set(columns) <= set(place) else None


def range_of(relation: Relation) -> tuple[Get | Local, tuple[int, ...]] | None:
    """The collection that a relation is columns of, and which."""
    if isinstance(relation, Project):
        below = range_of(relation.input)
        return None if below is None else (below[0], tuple(below[1][column] for column in relation.columns))
    match relation:
        case Get():
            return relation, tuple(range(len(relation.columns)))
        case Local():
            return relation, tuple(range(len(relation.types)))
        case _:
            return None


def is_column(scalar: Scalar, column: int) -> bool:
    return isinstance(scalar, Ref) and scalar.index == column


def implied(distinct: Distinct, other: Relation) -> tuple[int, ...] | None:
    """Which columns of `other` are the Distinct's columns, if its rows are all among those of the relation below it."""
    inner = distinct.input
    columns = None
    if isinstance(inner, Project):
        columns = inner.columns
        inner = inner.input
    place: list[int] | None = None
    while True:
        if same(inner, other):
            break
        if isinstance(other, Filter):
            other = other.input
        elif isinstance(other, Project):
            at = other.columns if place is None else [other.columns[p] for p in place]
            place = list(at)
            other = other.input
        else:
            return None
    width = None if place is None else place
    wanted = columns
    if wanted is None:
        return None if width is not None else tuple(range(len(distinct_columns(distinct))))
    if width is None:
        return wanted
    if any(column not in width for column in wanted):
        return None
    return tuple(width.index(column) for column in wanted)


def distinct_columns(distinct: Distinct) -> tuple[object, ...]:
    return Facts().columns(distinct)


def same(one: Relation, other: Relation) -> bool:
    """Whether two relations are one, as far as a cheap look tells."""
    if one is other:
        return True
    return type(one) is type(other) and isinstance(one, Local | Get) and one == other


def dropped(relation: Join, j: int, twins: dict[int, int], facts: Facts) -> Relation:
    """The join without input j, whose columns are read at their twins."""
    start = sum(facts.arity(branch) for branch in relation.inputs[:j])
    gone = facts.arity(relation.inputs[j])
    width = sum(map(facts.arity, relation.inputs))
    at = [twins.get(column, column) for column in range(width)]
    at = [column - gone if column >= start + gone else column for column in at]
    classes: list[tuple[Scalar, ...]] = []
    for group in relation.equivalences:
        members: list[Scalar] = []
        for scalar in group:
            inner = moved(scalar, at)
            if inner not in members:
                members.append(inner)
        if len(members) > 1:
            classes.append(tuple(members))
    inputs = relation.inputs[:j] + relation.inputs[j + 1 :]
    made = without_implied(Join(inputs, tuple(classes)), facts)
    return Project(made, tuple(at))


def merged_classes(classes: Sequence[Sequence[Scalar]]) -> list[list[Scalar]]:
    """Equivalences that share a member as one. A Ref is the same column whether it is thought to be NULL or not."""
    merged: list[dict[Scalar, Scalar]] = []
    for group in classes:
        joined = {nullable_throughout(scalar): scalar for scalar in group}
        for other in [other for other in merged if not other.keys().isdisjoint(joined)]:
            merged.remove(other)
            joined = other | joined
        merged.append(joined)
    return [list(group.values()) for group in merged]


def nullable_throughout(scalar: Scalar) -> Scalar:
    """The scalar with every column possibly NULL: a name for it that does not depend on what is known there."""
    return map_refs(scalar, lambda ref: ref if ref.nullable else Ref(ref.index, ref.type))
