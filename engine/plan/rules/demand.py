"""Columns that nobody reads go, everywhere: the narrower the rows, the smaller every state."""

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from engine.expr.scalar import Scalar
from engine.plan.facts import Facts
from engine.plan.relation import (
    UNIT,
    BoundJoin,
    BoundScalar,
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
    call_scalars,
    children,
    map_call,
    with_children,
)
from engine.plan.scalars import all_columns_read, moved

Columns = tuple[int, ...]


def prune(relation: Relation, facts: Facts) -> Relation:
    """The relation computing no column that its result does not need. O(size)."""
    return Demand(facts).only(relation, tuple(range(facts.arity(relation))))


class Demand:
    """One run. `wanted` collects, for each Let on the way, the columns that its readers ask for."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.wanted: dict[int, set[int]] = {}

    def only(self, relation: Relation, columns: Columns) -> Relation:
        """Exactly those columns of the relation, in that order."""
        match relation:
            case Get() | Constant():
                return self.cut(relation, columns)
            case Local():
                self.wanted.setdefault(relation.id, set()).update(columns)
                return Project(relation, columns)
            case Let():
                return self.let(relation, columns)
            case LetRec():  # whoever reads a variable reads all of it: which columns count would take a fixed point too
                values = tuple(self.only(value, tuple(range(self.facts.arity(value)))) for value in relation.values)
                return replace(relation, values=values, body=self.only(relation.body, columns))
            case Project():
                return self.only(relation.input, tuple(relation.columns[column] for column in columns))
            case Map():
                return self.map(relation, columns)
            case Filter():
                read = ascending(columns, all_columns_read(cast(tuple[Scalar, ...], relation.predicates)))
                at = place(read)
                predicates = tuple(moved(cast(Scalar, predicate), at) for predicate in relation.predicates)
                return self.cut(Filter(self.only(relation.input, read), predicates), [at[c] for c in columns])
            case FlatMap():
                width = self.facts.arity(relation.input)
                arguments = cast(tuple[Scalar, ...], relation.arguments)
                read = ascending((c for c in columns if c < width), all_columns_read(arguments))
                at = place(read)
                at |= {width + i: len(read) + i for i in range(len(relation.function.columns))}
                made = FlatMap(
                    self.only(relation.input, read), relation.function, tuple(moved(a, at) for a in arguments)
                )
                return self.cut(made, [at[c] for c in columns])
            case Join():
                return self.join(relation, columns)
            case Reduce():
                return self.reduce(relation, columns)
            case Distinct() | Threshold():
                below = self.only(relation.input, tuple(range(self.facts.arity(relation))))
                return self.cut(type(relation)(below), columns)
            case TopK():
                read = ascending(columns, relation.group, (order.column for order in relation.order))
                at = place(read)
                order = tuple(replace(order, column=at[order.column]) for order in relation.order)
                group = tuple(at[column] for column in relation.group)
                made = replace(relation, input=self.only(relation.input, read), group=group, order=order)
                return self.cut(made, [at[c] for c in columns])
            case Window():
                return self.window(relation, columns)
            case Negate():
                return Negate(self.only(relation.input, columns))
            case Union():
                return Union(tuple(self.only(branch, columns) for branch in relation.inputs))
            case BoundJoin():
                raise AssertionError("decorrelate has not run")

    def cut(self, relation: Relation, columns: Iterable[int]) -> Relation:
        columns = tuple(columns)
        return relation if columns == tuple(range(self.facts.arity(relation))) else Project(relation, columns)

    def map(self, relation: Map, columns: Columns) -> Relation:
        width = self.facts.arity(relation.input)
        scalars = cast(tuple[Scalar, ...], relation.scalars)
        read = set(columns)
        live: list[int] = []
        for i in reversed(range(len(scalars))):
            if width + i in read:
                live.append(i)
                read |= scalars[i].reads
        live.reverse()
        below = ascending(column for column in read if column < width)
        at = place(below) | {width + i: len(below) + n for n, i in enumerate(live)}
        inner = self.only(relation.input, below)
        made = Map(inner, tuple(moved(scalars[i], at) for i in live)) if live else inner
        return self.cut(made, [at[c] for c in columns])

    def join(self, relation: Join, columns: Columns) -> Relation:
        read = set(columns) | all_columns_read(scalar for group in relation.equivalences for scalar in group)
        at: dict[int, int] = {}
        inputs: list[Relation] = []
        start = 0
        for branch in relation.inputs:
            end = start + self.facts.arity(branch)
            own = ascending(column for column in read if start <= column < end)
            for column in own:
                at[column] = len(at)
            inputs.append(self.only(branch, tuple(column - start for column in own)))
            start = end
        classes = tuple(tuple(moved(scalar, at) for scalar in group) for group in relation.equivalences)
        return self.cut(Join(tuple(inputs), classes), [at[c] for c in columns])

    def reduce(self, relation: Reduce, columns: Columns) -> Relation:
        width = len(relation.keys)
        live = ascending(column - width for column in columns if column >= width)
        if relation.scalar and not live:
            return UNIT
        calls = tuple(relation.aggregates[i] for i in live)
        held = cast(list[Scalar], [*relation.keys, *(scalar for call in calls for scalar in call_scalars(call))])
        read = ascending(all_columns_read(held))
        at = place(read)

        def move(scalar: BoundScalar) -> Scalar:
            return moved(cast(Scalar, scalar), at)

        keys = tuple(map(move, relation.keys))
        below = self.only(relation.input, read)
        made = Reduce(below, keys, tuple(map_call(call, move) for call in calls), relation.scalar)
        new = {width + old: width + n for n, old in enumerate(live)}
        return self.cut(made, [new.get(c, c) for c in columns])

    def window(self, relation: Window, columns: Columns) -> Relation:
        width = self.facts.arity(relation.input)
        live = ascending(column - width for column in columns if column >= width)
        if not live:
            return self.only(relation.input, columns)
        calls = [relation.calls[i] for i in live]
        read = ascending(
            (column for column in columns if column < width),
            relation.partition,
            (order.column for order in relation.order),
            (column for call in calls for column in call.reads()),
        )
        at = place(read)
        order = tuple(replace(order, column=at[order.column]) for order in relation.order)
        partition = tuple(at[column] for column in relation.partition)
        made = Window(self.only(relation.input, read), partition, order, tuple(call.moved(at) for call in calls))
        at |= {width + old: len(read) + n for n, old in enumerate(live)}
        return self.cut(made, [at[c] for c in columns])

    def let(self, relation: Let, columns: Columns) -> Relation:
        self.facts.bind(relation)
        body = self.only(relation.body, columns)
        wanted = ascending(self.wanted.pop(relation.id, ()))
        value = self.only(relation.value, wanted)
        if wanted == tuple(range(self.facts.arity(relation.value))):
            return Let(relation.id, value, body)
        known = self.facts.columns(value)
        local = Local(relation.id, tuple(type_ for type_, _ in known), tuple(nullable for _, nullable in known))
        return Let(relation.id, value, renumbered(body, local, place(wanted)))


def renumbered(relation: Relation, local: Local, at: dict[int, int]) -> Relation:
    """The readers of a Let (each is a Project of a Local, as Demand makes them) over its narrower value."""
    if isinstance(relation, Project) and isinstance(relation.input, Local) and relation.input.id == local.id:
        return Project(local, tuple(at[column] for column in relation.columns))
    return with_children(relation, tuple(renumbered(child, local, at) for child in children(relation)))


def ascending(*columns: Iterable[int]) -> Columns:
    return tuple(sorted(set().union(*columns)))


def place(columns: Columns) -> dict[int, int]:
    return {column: i for i, column in enumerate(columns)}
