"""Joins over plain columns: what is computed goes below, what ties more than one input goes above; physical paths."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from engine.dataflow import graph
from engine.expr.membership import AMONG
from engine.expr.scalar import Call, Literal, Logic, Ref, Scalar
from engine.plan.facts import Facts, Key
from engine.plan.lowering.join_order import Column, Stage
from engine.plan.predicates import equal_sides, not_null_tested, test_same
from engine.plan.relation import (
    UNIT,
    BoundScalar,
    Filter,
    Get,
    Join,
    Map,
    Project,
    Relation,
)
from engine.plan.rules.joins import merged_classes
from engine.plan.scalars import conjuncts, moved, shifted


def without_nulls(relation: Relation) -> tuple[Get, tuple[int, ...], frozenset[int]] | None:
    """The collection that a relation is some columns of, each once, and which; and the columns in which it may not
    be NULL, if rows are left out for no other reason."""
    match relation:
        case Get() if relation.changes is None:
            return relation, tuple(range(len(relation.columns))), frozenset()
        case Project() if distinct(relation.columns):
            found = without_nulls(relation.input)
            if found is None or not found[2] <= set(relation.columns):
                return None
            place = {column: i for i, column in enumerate(relation.columns)}
            columns = tuple(found[1][column] for column in relation.columns)
            return found[0], columns, frozenset(place[column] for column in found[2])
        case Filter():
            found = without_nulls(relation.input)
            tested = [not_null_tested(predicate) for predicate in conjuncts(relation.predicates)]
            columns = frozenset(scalar.index for scalar in tested if isinstance(scalar, Ref))
            if found is None or not all(isinstance(scalar, Ref) for scalar in tested):
                return None
            return found[0], found[1], found[2] | columns
        case _:
            return None


def narrowing(relation: Relation) -> tuple[int, int]:
    """How many predicates leave rows of one value only, or of a few; and how many others there are."""
    values = others = 0
    while isinstance(relation, Project | Map | Filter):
        if isinstance(relation, Filter):
            for predicate in conjuncts(relation.predicates):
                of_values = is_of_values(predicate)
                values += of_values
                others += not of_values
        relation = relation.input
    return values, others


def is_of_values(predicate: BoundScalar) -> bool:
    """Whether it is `column = literal`, or an OR of such."""
    if isinstance(predicate, Logic):
        return not predicate.conjunction and all(map(is_of_values, predicate.arguments))
    if isinstance(predicate, Call) and predicate.function.name == AMONG:
        return isinstance(predicate.arguments[0], Ref) and isinstance(predicate.arguments[1], Literal)
    sides = equal_sides(predicate)
    return sides is not None and any(isinstance(a, Ref) and isinstance(b, Literal) for a, b in (sides, sides[::-1]))


def distinct(columns: tuple[int, ...]) -> bool:
    return len(set(columns)) == len(columns)


def physical(
    start: int,
    path: Sequence[Stage],
    places: Sequence[Mapping[int, int]],
    widths: Sequence[int],
    orders: Sequence[Mapping[Key, tuple[int, ...]]],
    strict: AbstractSet[Column],
) -> tuple[graph.Lookup, ...]:
    """A path with each column as its position in the inputs and in the rows so far; in `strict` columns no NULL is met.

    Key columns ascend, so that equal keys are one arrangement, or go in the order of the arrangement that exists.
    """
    offsets = {start: 0}
    width = widths[start]
    lookups: list[graph.Lookup] = []
    for stage in path:
        target = places[stage.input]
        stream = {
            target[column]: offsets[i] + places[i][other]
            for column, (i, other) in zip(stage.key, stage.stream, strict=True)
        }
        key = orders[stage.input].get(frozenset(stream), tuple(sorted(stream)))
        never_null = {target[column] for column in stage.key if (stage.input, column) in strict}
        flags = tuple(column in never_null for column in key) if never_null else ()
        lookups.append(graph.Lookup(stage.input, tuple(stream[column] for column in key), key, flags))
        offsets[stage.input] = width
        width += widths[stage.input]
    return tuple(lookups)


def plain_join(relation: Join, facts: Facts) -> Relation:
    """The same rows by a Join whose equivalences are each one plain column of two or more inputs; itself if so."""
    starts = [0]
    for branch in relation.inputs:
        starts.append(starts[-1] + facts.arity(branch))
    owner = [i for i, branch in enumerate(relation.inputs) for _ in range(facts.arity(branch))]
    computed: list[list[Scalar]] = [[] for _ in relation.inputs]
    local: list[list[Scalar]] = [[] for _ in relation.inputs]
    after: list[Scalar] = []
    classes: list[list[tuple[int, int, Scalar]]] = []
    groups = merged_classes(relation.equivalences)
    changed = len(relation.inputs) == 1 or len(groups) != len(relation.equivalences)
    for group in groups:
        members: dict[int, tuple[int, int, Scalar]] = {}
        for scalar in group:
            owners = {owner[column] for column in scalar.reads}
            if len(owners) != 1:
                changed = True
                after.append(test_same(group[0] if group[0] is not scalar else group[-1], scalar))
                continue
            (i,) = owners
            inner = shifted(scalar, -starts[i])
            if i in members:
                changed = True
                local[i].append(test_same(shifted(members[i][2], -starts[i]), inner))
                continue
            if isinstance(inner, Ref):
                members[i] = (i, inner.index, scalar)
            else:
                changed = True
                members[i] = (i, facts.arity(relation.inputs[i]) + len(computed[i]), scalar)
                computed[i].append(inner)
        if len(members) > 1:
            classes.append(list(members.values()))
        else:
            changed = True
    if not changed:
        return relation
    inputs: list[Relation] = []
    for branch, tests, extra in zip(relation.inputs, local, computed, strict=True):
        filtered = Filter(branch, tuple(tests)) if tests else branch
        inputs.append(Map(filtered, tuple(extra)) if extra else filtered)
    shifts = [starts[i] + sum(map(len, computed[:i])) for i in range(len(inputs))]
    own = [shifts[owner[column]] + column - starts[owner[column]] for column in range(starts[-1])]
    tied = tuple(
        tuple(Ref(shifts[i] + column, scalar.type, scalar.nullable) for i, column, scalar in group) for group in classes
    )
    made: Relation = Join(tuple(inputs), tied) if len(inputs) > 1 else inputs[0] if inputs else UNIT
    if after:
        made = Filter(made, tuple(moved(predicate, own) for predicate in after))
    return made if own == list(range(facts.arity(made))) else Project(made, tuple(own))
