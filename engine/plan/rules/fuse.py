"""Neighbours that are one node, nodes that do nothing, and what is empty: one walk, bottom up."""

from typing import cast

from engine.expr.scalar import Literal, Ref, Scalar
from engine.plan.facts import Facts, positive
from engine.plan.relation import (
    UNIT,
    BoundScalar,
    Constant,
    Distinct,
    Filter,
    FlatMap,
    Join,
    Let,
    Map,
    Negate,
    Project,
    Reduce,
    Relation,
    Threshold,
    TopK,
    Union,
    Window,
    children,
    with_children,
)
from engine.plan.scalars import conjuncts, moved


def fuse(relation: Relation, facts: Facts) -> Relation:
    """The relation without needless nodes. O(size)."""
    if isinstance(relation, Let):
        value = fuse(relation.value, facts)
        facts.bind(Let(relation.id, value, UNIT))
        body = fuse(relation.body, facts)
        return body if is_empty(body) else with_children(relation, (value, body))
    below = tuple(fuse(child, facts) for child in children(relation))
    return fuse_one(with_children(relation, below), facts)


def is_empty(relation: Relation) -> bool:
    return isinstance(relation, Constant) and not relation.rows


def empty(relation: Relation, facts: Facts) -> Constant:
    """No rows of the relation's type."""
    return Constant((), facts.types(relation))


def fuse_one(relation: Relation, facts: Facts) -> Relation:
    match relation:
        case Project():
            return fuse_project(relation, facts)
        case Map():
            return fuse_map(relation, facts)
        case Filter():
            return fuse_filter(relation, facts)
        case Union():
            return fuse_union(relation, facts)
        case Join():
            return fuse_join(relation, facts)
        case Negate():
            if isinstance(relation.input, Negate):
                return relation.input.input
            return relation.input if is_empty(relation.input) else relation
        case Distinct():
            return fuse_distinct(relation, facts)
        case Threshold():
            return relation.input if positive(relation.input) else relation
        case TopK():
            if relation.limit == 0 or is_empty(relation.input):
                return empty(relation, facts)
            if not relation.offset and (relation.limit is None or facts.unique(relation.input, relation.group)):
                return relation.input
            return relation
        case Reduce():
            if is_empty(relation.input) and not relation.scalar:
                return empty(relation, facts)
            return relation
        case Window():
            if is_empty(relation.input):
                return empty(relation, facts)
            return relation if relation.calls else relation.input
        case FlatMap():
            return empty(relation, facts) if is_empty(relation.input) else relation
        case _:
            return relation


def fuse_project(relation: Project, facts: Facts) -> Relation:
    inner = relation.input
    columns = relation.columns
    if isinstance(inner, Project):
        return fuse_project(Project(inner.input, tuple(inner.columns[column] for column in columns)), facts)
    if columns == tuple(range(facts.arity(inner))):
        return inner
    if isinstance(inner, Constant):
        rows = tuple((tuple(row[column] for column in columns), count) for row, count in inner.rows)
        return Constant(rows, tuple(inner.types[column] for column in columns))
    return relation


def fuse_map(relation: Map, facts: Facts) -> Relation:
    if not relation.scalars:
        return relation.input
    if is_empty(relation.input):
        return empty(relation, facts)
    if isinstance(relation.input, Map):
        return Map(relation.input.input, relation.input.scalars + relation.scalars)
    if any(isinstance(scalar, Ref) for scalar in relation.scalars):
        return without_copies(relation, facts)
    literals = [scalar for scalar in relation.scalars if isinstance(scalar, Literal)]
    if isinstance(relation.input, Constant) and len(literals) == len(relation.scalars):
        values = tuple(literal.value for literal in literals)
        rows = tuple(((*row, *values), count) for row, count in relation.input.rows)
        return Constant(rows, facts.types(relation))
    if isinstance(relation.input, Project):
        # A projection goes up, so that maps and filters meet.
        below = relation.input
        width = facts.arity(below.input)
        at = [*below.columns, *range(width, width + len(relation.scalars))]
        scalars = tuple(moved(scalar, at) for scalar in cast(tuple[Scalar, ...], relation.scalars))
        return fuse_project(Project(fuse_map(Map(below.input, scalars), facts), tuple(at)), facts)
    return relation


def without_copies(relation: Map, facts: Facts) -> Relation:
    """A Map that copies columns as a Project of one that only computes."""
    at = list(range(facts.arity(relation.input)))
    computed: list[Scalar] = []
    for scalar in cast(tuple[Scalar, ...], relation.scalars):
        inner = moved(scalar, at)
        if isinstance(inner, Ref):
            at.append(inner.index)
        else:
            at.append(facts.arity(relation.input) + len(computed))
            computed.append(inner)
    made = fuse_map(Map(relation.input, tuple(computed)), facts)
    return fuse_project(Project(made, tuple(at)), facts)


def fuse_filter(relation: Filter, facts: Facts) -> Relation:
    if is_empty(relation.input):
        return relation.input
    predicates: list[BoundScalar] = []
    seen: set[BoundScalar] = set()
    for predicate in conjuncts(relation.predicates):
        if isinstance(predicate, Literal):
            if predicate.value is True:
                continue
            if not any(earlier.fallible for earlier in predicates):
                return empty(relation, facts)
        if predicate.volatile or predicate not in seen:
            seen.add(predicate)
            predicates.append(predicate)
    if not predicates:
        return relation.input
    if isinstance(relation.input, Filter):
        return fuse_filter(Filter(relation.input.input, relation.input.predicates + tuple(predicates)), facts)
    return relation if tuple(predicates) == relation.predicates else Filter(relation.input, tuple(predicates))


def fuse_distinct(relation: Distinct, facts: Facts) -> Relation:
    inner = relation.input
    if is_empty(inner) or facts.keys(inner):
        return inner
    return Distinct(inner.input) if isinstance(inner, Threshold) else relation


def fuse_union(relation: Union, facts: Facts) -> Relation:
    """Nested unions flat, empty branches out, a branch and its negation out, constants together."""
    branches: list[Relation] = []
    for branch in relation.inputs:
        inner = branch.input if isinstance(branch, Negate) else None
        if isinstance(branch, Union):
            branches.extend(branch.inputs)
        elif isinstance(inner, Union):
            branches.extend(Negate(part) for part in inner.inputs)
        elif not is_empty(branch):
            branches.append(branch)
    kept: list[Relation] = []
    differs = any(isinstance(branch, Negate) for branch in branches)
    for branch in branches:
        if not differs:
            kept.append(branch)
            continue
        opposite = branch.input if isinstance(branch, Negate) else Negate(branch)
        if opposite in kept:
            kept.remove(opposite)
        else:
            kept.append(branch)
    if not kept:
        return empty(relation, facts)
    if len(kept) == 1:
        return kept[0]
    return relation if tuple(kept) == relation.inputs else Union(tuple(kept))


def fuse_join(relation: Join, facts: Facts) -> Relation:
    if any(map(is_empty, relation.inputs)):
        return empty(relation, facts)
    inputs = tuple(branch for branch in relation.inputs if branch != UNIT)
    classes = tuple(group for group in relation.equivalences if len(group) > 1)
    if not inputs:
        return UNIT
    if len(inputs) == 1 and not classes:
        return inputs[0]
    if len(inputs) == len(relation.inputs) and len(classes) == len(relation.equivalences):
        return relation
    return Join(inputs, classes)
