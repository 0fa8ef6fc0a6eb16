"""Predicates go down to where their columns come from; `=` between inputs of a join becomes an equivalence.

A predicate that can fail stays above whatever may keep a row from it: joins, table functions, differences. One that
cannot goes through everything that keeps its columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, cast

from engine.expr.scalar import Literal, Ref, Scalar
from engine.plan.facts import Facts, positive
from engine.plan.predicates import equal_sides, not_null_filters, same_sides, test_same
from engine.plan.relation import (
    BoundJoin,
    Constant,
    Distinct,
    Filter,
    FlatMap,
    Get,
    Join,
    Let,
    LetRec,
    Local,
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
from engine.plan.rules.joins import is_column, merged_classes, replaced
from engine.plan.rules.ranking import limited
from engine.plan.scalars import conjuncts, moved, shifted

INLINED_SIZE_MAX: Final = 8
"""Nodes of a computed column that a predicate may repeat below the Map that computes it."""

Predicates = list[Scalar]


def push_down(relation: Relation, facts: Facts) -> Relation:
    """Every filter as far down as it may go. O(size · predicates)."""
    return Pushdown(facts).push(relation, [])


def filtered(relation: Relation, predicates: Sequence[Scalar]) -> Relation:
    """Filter, without a node for no predicates and with one for two."""
    if not predicates:
        return relation
    if isinstance(relation, Filter):
        have = cast(tuple[Scalar, ...], relation.predicates)
        return Filter(relation.input, once((*have, *predicates)))
    return Filter(relation, once(predicates))


def once(predicates: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """The predicates without repetitions; two of chance are two."""
    if len(predicates) < 2:
        return tuple(predicates)
    if any(predicate.volatile for predicate in predicates):
        return tuple(p for i, p in enumerate(predicates) if p.volatile or p not in predicates[:i])
    return tuple(dict.fromkeys(predicates))


class Pushdown:
    """One run. `at_local` collects, for each Let on the way, the predicates that stop at each place that reads it."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.at_local: dict[int, list[Predicates]] = {}

    def push(self, relation: Relation, predicates: Predicates) -> Relation:
        """The relation filtered by the predicates (in their order), each put where it belongs."""
        match relation:
            case Filter():
                own = cast(Predicates, conjuncts(relation.predicates))
                return self.push(relation.input, [*own, *predicates])
            case Project():
                inner = [moved(predicate, relation.columns) for predicate in predicates]
                return Project(self.push(relation.input, inner), relation.columns)
            case Map():
                return self.through_map(relation, predicates)
            case Join():
                return self.through_join(relation, predicates)
            case Union():
                down, above = predicates, list[Scalar]()
                if not positive(relation):
                    down, above = split(predicates, lambda predicate: not risky(predicate))
                return filtered(Union(tuple(self.push(branch, down) for branch in relation.inputs)), above)
            case Negate():
                return Negate(self.push(relation.input, predicates))
            case Distinct():
                down, above = split(predicates, lambda predicate: not predicate.volatile)
                return filtered(Distinct(self.push(relation.input, down)), above)
            case Threshold():
                down, above = split(predicates, lambda predicate: not risky(predicate))
                return filtered(Threshold(self.push(relation.input, down)), above)
            case Reduce():
                return self.through_reduce(relation, predicates)
            case TopK():
                group = set(relation.group)
                down, above = split(predicates, lambda p: bool(p.reads) and p.reads <= group and not p.volatile)
                below = self.push(relation.input, down)
                return filtered(replace(relation, input=below), above)
            case Window():
                group = set(relation.partition)
                down, above = split(predicates, lambda p: bool(p.reads) and p.reads <= group and not p.volatile)
                pushed = Window(self.push(relation.input, down), relation.partition, relation.order, relation.calls)
                return filtered(*limited(pushed, above, self.facts))
            case FlatMap():
                width = self.facts.arity(relation.input)
                down, above = split(predicates, lambda p: not risky(p) and all(c < width for c in p.reads))
                below = self.push(relation.input, down)
                return filtered(FlatMap(below, relation.function, relation.arguments), above)
            case Let():
                return self.through_let(relation, predicates)
            case LetRec():
                values = tuple(self.push(value, []) for value in relation.values)
                return replace(relation, values=values, body=self.push(relation.body, predicates))
            case Local():
                if relation.id in self.at_local:
                    self.at_local[relation.id].append(predicates)
                return filtered(relation, predicates)
            case Get() | Constant():
                return filtered(relation, predicates)
            case BoundJoin():
                raise AssertionError("decorrelate has not run")

    def through_map(self, relation: Map, predicates: Predicates) -> Relation:
        """Below the Map with those whose computed columns are cheap to repeat."""
        width = self.facts.arity(relation.input)
        columns: list[Scalar] = list(self.facts.refs(relation.input))
        for scalar in cast(tuple[Scalar, ...], relation.scalars):
            columns.append(replaced(scalar, columns))

        def cheap(predicate: Scalar) -> bool:
            read = [columns[column] for column in predicate.reads if column >= width]
            if predicate.volatile or any(risky(scalar) for scalar in read):
                return False
            return sum(scalar.size for scalar in read) <= INLINED_SIZE_MAX

        down, above = split(predicates, cheap)
        below = self.push(relation.input, [replaced(predicate, columns) for predicate in down])
        return filtered(Map(below, relation.scalars), above)

    def through_reduce(self, relation: Reduce, predicates: Predicates) -> Relation:
        """Below it with those that read key columns alone."""
        keys = cast(tuple[Scalar, ...], relation.keys)
        width = len(keys)

        def on_keys(predicate: Scalar) -> bool:
            read = predicate.reads
            return bool(read) and all(c < width and not risky(keys[c]) for c in read) and not predicate.volatile

        down, above = split(predicates, on_keys)
        below = self.push(relation.input, [replaced(predicate, keys) for predicate in down])
        return filtered(Reduce(below, relation.keys, relation.aggregates, relation.scalar), above)

    def through_let(self, relation: Let, predicates: Predicates) -> Relation:
        """Into the body; into the value go those that every place that reads it asks for."""
        self.facts.bind(relation)
        self.at_local[relation.id] = []
        body = self.push(relation.body, predicates)
        asked = self.at_local.pop(relation.id)
        common: Predicates = []
        if asked:
            first, *others = asked
            common = [p for p in first if not risky(p) and all(p in other for other in others)]
        if common:
            body = without_repeats(body, relation.id, common)
        return Let(relation.id, self.push(relation.value, common), body)

    def through_join(self, relation: Join, predicates: Predicates) -> Relation:
        starts = [0]
        for branch in relation.inputs:
            starts.append(starts[-1] + self.facts.arity(branch))
        owner = [i for i, branch in enumerate(relation.inputs) for _ in range(self.facts.arity(branch))]
        below: list[Predicates] = [[] for _ in relation.inputs]
        above: Predicates = []
        classes: list[list[Scalar]] = [list(group) for group in relation.equivalences]

        def owners(scalar: Scalar) -> set[int]:
            return {owner[column] for column in scalar.reads}

        for predicate in predicates:
            read = owners(predicate)
            if risky(predicate) or not read:
                above.append(predicate)
            elif len(read) == 1:
                (i,) = read
                below[i].append(shifted(predicate, -starts[i]))
            else:
                equal = equal_sides(predicate)
                sides = equal or same_sides(predicate)
                if sides is None or not all(len(owners(side)) == 1 for side in sides):
                    above.append(predicate)
                    continue
                classes.append(list(sides))
                for test in not_null_filters(sides) if equal else ():
                    (i,) = owners(test)
                    below[i].append(shifted(test, -starts[i]))
        merged = merged_classes(classes)
        for group in merged:
            self.spread(group, below, owner, starts)
        inputs = tuple(self.push(branch, list(own)) for branch, own in zip(relation.inputs, below, strict=True))
        return filtered(Join(inputs, tuple(tuple(group) for group in merged)), above)

    def spread(self, group: list[Scalar], below: list[Predicates], owner: list[int], starts: list[int]) -> None:
        """What holds for one column of an equivalence holds for all: a literal, equality of columns of one input."""
        refs = [scalar for scalar in group if isinstance(scalar, Ref)]
        for ref in refs:
            i = owner[ref.index]
            for predicate in list(below[i]):
                sides = equal_sides(predicate)
                if sides is None or not isinstance(sides[1], Literal) or not is_column(sides[0], ref.index - starts[i]):
                    continue
                for other in refs:
                    j = owner[other.index]
                    if other is ref or other.type.plain != ref.type.plain:
                        continue
                    twin = replaced(predicate, [shifted(other, -starts[j])] * (ref.index - starts[i] + 1))
                    if twin not in below[j]:
                        below[j].append(twin)
        by_owner: dict[int, Scalar] = {}
        for scalar in list(group):
            owners = {owner[column] for column in scalar.reads}
            if len(owners) != 1 or scalar.fallible:
                continue
            (i,) = owners
            if i in by_owner:
                below[i].append(test_same(shifted(by_owner[i], -starts[i]), shifted(scalar, -starts[i])))
                group.remove(scalar)
            else:
                by_owner[i] = scalar


def without_repeats(relation: Relation, id_: int, known: Predicates) -> Relation:
    """The body of a Let without filters of what its value passes already. O(size)."""
    if isinstance(relation, Filter) and isinstance(relation.input, Local) and relation.input.id == id_:
        left = tuple(predicate for predicate in relation.predicates if predicate not in known)
        return Filter(relation.input, left) if left else relation.input
    return with_children(relation, tuple(without_repeats(child, id_, known) for child in children(relation)))


def risky(scalar: Scalar) -> bool:
    """Whether it must stay where it is."""
    return scalar.fallible or scalar.volatile


def split(predicates: Predicates, may_go: Callable[[Scalar], bool]) -> tuple[Predicates, Predicates]:
    """Those that may go down, and those that stay."""
    down: Predicates = []
    stay: Predicates = []
    for predicate in predicates:
        (down if may_go(predicate) else stay).append(predicate)
    return down, stay
