"""A join on what can fail, `a.x + 1 = b.y`, is met by key, and still fails only where a pair of rows asks for it.

Rule   A ⋈[f(a) = g] B = A ⋈[key = g] B and E, key = f(a) where that does not fail, else NULL; E is the rows of A where
       it fails, joined with what exists of B, filtered by f(a): an error for each row that gets there, and no row ever.
Why    the predicate may not go below the join, as a row that meets none must not fail; above it, it is asked of every
       pair of rows. E costs nothing while no key fails, and keeps of B only the columns that guards before f(a) read.
"""

from collections.abc import Sequence
from typing import cast

from engine.expr.functions.planner import fails
from engine.expr.scalar import Call, Case, Ref, Scalar
from engine.plan.facts import Facts
from engine.plan.predicates import equal_sides, test, test_not_null
from engine.plan.relation import (
    UNIT,
    Distinct,
    Filter,
    Join,
    Let,
    Map,
    Project,
    Relation,
    Union,
    children,
    with_children,
)
from engine.plan.scalars import FALSE, all_columns_read, moved, null, shifted
from engine.types import BOOLEAN


def key_fallible(relation: Relation, facts: Facts) -> Relation:
    """Filters over joins without those of their predicates that can be keys. O(size)."""
    if isinstance(relation, Let):
        value = key_fallible(relation.value, facts)
        facts.bind(Let(relation.id, value, UNIT))
        return with_children(relation, (value, key_fallible(relation.body, facts)))
    relation = with_children(relation, tuple(key_fallible(child, facts) for child in children(relation)))
    if isinstance(relation, Filter) and isinstance(relation.input, Join):
        return keyed(relation, relation.input, facts)
    return relation


def keyed(relation: Filter, join: Join, facts: Facts) -> Relation:
    owner = [i for i, branch in enumerate(join.inputs) for _ in range(facts.arity(branch))]
    starts = [owner.index(i) if i in owner else 0 for i in range(len(join.inputs))]
    predicates = cast(tuple[Scalar, ...], relation.predicates)
    for at, predicate in enumerate(predicates):
        sides = equal_sides(predicate)
        if sides is None or not predicate.fallible or predicate.volatile:
            continue
        one, other = sides if sides[0].fallible else sides[::-1]
        owners = [{owner[column] for column in side.reads} for side in (one, other)]
        if [len(found) for found in owners] != [1, 1] or owners[0] == owners[1]:
            continue
        (i,), (j,) = owners
        if j not in tied_to(i, join, owner):
            met = by_key(join, predicates, at, one, other, i, starts[i], facts)
            failing = only_errors(join, predicates[:at], one, i, j, starts, facts)
            return Union((met, failing))
    return relation


def tied_to(start: int, join: Join, owner: Sequence[int]) -> set[int]:
    """The inputs that equivalences lead to from an input, step by step: a key exists there already."""
    found = {start}
    groups = [{owner[c] for scalar in group for c in scalar.reads} for group in join.equivalences]
    while grown := {i for group in groups if group & found for i in group} - found:
        found |= grown
    return found


def by_key(
    join: Join, predicates: Sequence[Scalar], at: int, one: Scalar, other: Scalar, i: int, start: int, facts: Facts
) -> Relation:
    """The join with `one`, over input i alone, as a column of that input that is equal to `other`."""
    branch = join.inputs[i]
    width, whole = facts.arity(branch), sum(map(facts.arity, join.inputs))
    inner = shifted(one, -start)
    failed = Call(fails(inner.type.plain), (inner,), BOOLEAN)
    key = Case(((failed, null(inner.type)),), inner, inner.type)
    column = Ref(width, key.type, True)
    keyed_branch = Filter(Map(branch, (key,)), (test_not_null(column),))
    to = [c if c < start + width else c + 1 for c in range(whole)]
    inputs = (*join.inputs[:i], keyed_branch, *join.inputs[i + 1 :])
    classes = [tuple(moved(scalar, to) for scalar in group) for group in join.equivalences]
    mine, theirs = Ref(start + width, key.type, True), moved(other, to)
    left = [moved(predicate, to) for n, predicate in enumerate(predicates) if n != at]
    if theirs.fallible:
        left.insert(at, test("=", mine, theirs))
        made: Relation = Join(inputs, tuple(classes))
    else:
        if theirs.nullable:
            left.insert(at, test_not_null(theirs))
        made = Join(inputs, (*classes, (mine, theirs)))
    if left:
        made = Filter(made, tuple(left))
        made = keyed(made, cast(Join, made.input), facts)
    return Project(made, tuple(to))


def only_errors(
    join: Join, guards: Sequence[Scalar], one: Scalar, i: int, j: int, starts: Sequence[int], facts: Facts
) -> Relation:
    """No row, and the errors of `one` for the rows of input i that meet rows of the others and pass the guards."""
    branch, met = join.inputs[i], join.inputs[j]
    whole = sum(map(facts.arity, join.inputs))
    inner = shifted(one, -starts[i])
    failing = Filter(branch, (Call(fails(inner.type.plain), (inner,), BOOLEAN),))
    asked = all_columns_read([*guards, *(scalar for group in join.equivalences for scalar in group)])
    end = starts[j] + facts.arity(met)
    kept = [c for c in range(starts[j], end) if c in asked]
    exists = Distinct(Project(met, tuple(c - starts[j] for c in kept)))
    inputs = tuple(failing if n == i else exists if n == j else other for n, other in enumerate(join.inputs))
    order = [c for c in range(whole) if not starts[j] <= c < end or c in asked]
    to = {c: n for n, c in enumerate(order)}
    classes = tuple(tuple(moved(scalar, to) for scalar in group) for group in join.equivalences)
    evaluated = test("is_null", moved(one, to))
    found: Relation = Filter(Join(inputs, classes), (*(moved(guard, to) for guard in guards), evaluated, FALSE))
    missing = [c for c in range(whole) if c not in to]
    kinds = [kind for branch in join.inputs for kind in facts.types(branch)]
    if missing:
        found = Map(found, tuple(null(kinds[c]) for c in missing))
        to |= {c: len(order) + n for n, c in enumerate(missing)}
    return Project(found, tuple(to[c] for c in range(whole)))
