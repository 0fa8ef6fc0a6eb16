"""Subqueries and outer joins become joins: no Outer, Exists, ScalarSubquery, Quantified or BoundJoin is left behind.

Rule   a correlated relation is computed against the *distinct* outer columns it reads (its scope), for all of them at
       once: its rows carry those columns in front. What holds it joins the result back on them, NULL-safely. So a
       relation is computed once for each distinct outer value, never once a row, and a change costs what a join costs.
       An outer join is the inner join and the padded rest: the rows of the side less those with a partner, each with
       its own multiplicity (a semijoin against distinct partners keeps it).
Error  evaluation is never moved above a filter that stands before it. What can fail in a subquery is computed against
       the rows that ask for it: those that CASE, AND, OR and COALESCE leave, if it reads columns of theirs, and else
       whether there is one.
From   Galindo-Legaria and Joshi, "Orthogonal optimization of subqueries and aggregation", SIGMOD 2001; Neumann and
       Kemper, "Unnesting arbitrary queries", BTW 2015.
"""

from dataclasses import replace
from typing import cast

from engine.collection.wanted import ask
from engine.expr.scalar import Case, Coalesce, Literal, Logic, Ref, Scalar
from engine.plan.decorrelation.joins import Joins
from engine.plan.decorrelation.scope import TOP, Row, Scope
from engine.plan.decorrelation.substitute import substitute
from engine.plan.predicates import test, test_null, test_true_or_null
from engine.plan.relation import (
    UNIT,
    BoundJoin,
    BoundScalar,
    Constant,
    Distinct,
    Exists,
    Filter,
    FlatMap,
    Get,
    Join,
    JoinKind,
    Let,
    LetRec,
    Local,
    Map,
    Negate,
    Outer,
    Project,
    Quantified,
    Reduce,
    Relation,
    ScalarSubquery,
    Threshold,
    TopK,
    Union,
    Window,
    children,
    map_call,
    with_children,
)
from engine.plan.rules.aggregates import default_of
from engine.plan.scalars import (
    TRUE,
    parts,
    with_parts,
)


def decorrelate(relation: Relation) -> Relation:
    """The same rows without any node marked (bound). O(size), but a correlated WITH is copied to each of its uses."""
    return Decorrelation(relation).apply(relation, TOP)


class Decorrelation(Joins):
    """One run over one relation."""

    def apply(self, relation: Relation, scope: Scope) -> Relation:
        ask()
        if scope is not TOP and not self.references.of(relation) and not self.recurs(relation):
            alone = self.alone(relation, scope)
            if alone is not scope:
                return self.crossed(scope.rows, self.apply(relation, alone))
        match relation:
            case Local() if relation.id in self.scoped:
                return self.own_round(relation, scope)
            case Get() | Constant() | Local():
                return relation
            case Let():
                if self.references.of(relation.value) or self.recurs(relation.value):
                    return self.apply(substitute(relation.body, relation.id, relation.value), scope)
                value = self.apply(relation.value, self.alone(relation.value, scope))
                self.facts.bind(Let(relation.id, value, UNIT))
                return Let(relation.id, value, self.apply(relation.body, scope))
            case LetRec():
                if any(map(self.references.of, relation.values)) or any(map(self.recurs, relation.values)):
                    return self.recursion(relation, scope)
                alone = self.alone(replace(relation, body=UNIT), scope)
                values = tuple(self.apply(value, alone) for value in relation.values)
                return replace(relation, values=values, body=self.apply(relation.body, scope))
            case Project():
                columns = (*range(scope.width), *(scope.width + column for column in relation.columns))
                return Project(self.apply(relation.input, scope), columns)
            case Map():
                return self.map(relation, scope)
            case Filter():
                return self.filter(relation, scope)
            case FlatMap():
                row = self.row(relation.input, scope)
                arguments = tuple(self.scalar(argument, row, scope) for argument in relation.arguments)
                own = range(row.width, row.width + len(relation.function.columns))
                made = FlatMap(row.relation, relation.function, arguments)
                return row.closed(self.cut(made, (*range(scope.width), *row.at, *own)))
            case BoundJoin():
                if relation.kind in (JoinKind.INNER, JoinKind.LEFT):
                    return self.join(relation, scope)
                return self.two_sided_join(relation, scope)
            case Join():
                return self.bound_inner(relation, scope)
            case Reduce():
                return self.reduce(relation, scope)
            case TopK():
                group = (*range(scope.width), *(scope.width + column for column in relation.group))
                order = tuple(replace(order, column=scope.width + order.column) for order in relation.order)
                return replace(relation, input=self.apply(relation.input, scope), group=group, order=order)
            case Window():
                below = self.apply(relation.input, scope)
                at = {i: scope.width + i for i in range(self.facts.arity(below) - scope.width)}
                partition = (*range(scope.width), *(at[column] for column in relation.partition))
                order = tuple(replace(order, column=at[order.column]) for order in relation.order)
                return Window(below, partition, order, tuple(call.moved(at) for call in relation.calls))
            case Distinct() | Negate() | Threshold() | Union():
                return with_children(relation, tuple(self.apply(child, scope) for child in children(relation)))

    def recursion(self, relation: LetRec, scope: Scope) -> Relation:
        """A recursion for each row of the scope, all of them in one: its rows carry the scope's columns."""
        prefix = tuple(self.facts.types(scope.rows))
        every = tuple(range(scope.width))
        scope = replace(scope, rounds={**scope.rounds, **dict.fromkeys(relation.ids, every)})
        self.scoped |= dict.fromkeys(relation.ids, scope)
        values = tuple(self.apply(value, scope) for value in relation.values)
        body = self.apply(relation.body, scope)
        kinds = tuple((*prefix, *kinds) for kinds in relation.types)
        return replace(relation, types=kinds, values=values, body=body)

    def own_round(self, local: Local, scope: Scope) -> Relation:
        """A recursion's rows, read in the scope that it is computed against, or in one further in that has its columns
        too."""
        own = self.scoped[local.id]
        rows = Local(local.id, (*self.facts.types(own.rows), *local.types))
        return rows if scope is own else self.joined_back(scope.rows, rows, scope.rounds[local.id])

    def scalar(self, bound: BoundScalar, row: Row, scope: Scope) -> Scalar:
        match bound:
            case Ref():
                return Ref(row.at[bound.index], bound.type, bound.nullable)
            case Literal():
                return bound
            case Outer():
                return Ref(scope.at[bound.depth, bound.index], bound.type, bound.nullable)
            case Exists():
                return self.truth(self.existence(bound.relation, row, scope), row)
            case Quantified():
                return self.quantified(bound, row, scope)
            case ScalarSubquery():
                return self.scalar_subquery(bound, row, scope)
            case Case() | Coalesce() | Logic() if bound.subquery:
                return self.in_order(bound, row, scope)
            case _:
                return cast(Scalar, with_parts(bound, tuple(self.scalar(part, row, scope) for part in parts(bound))))

    def in_order(self, bound: Case | Coalesce | Logic, row: Row, scope: Scope) -> Scalar:
        """What evaluates a part only where those before leave it open. Each part's subqueries are asked there alone."""
        outside = len(row.guards)
        made: list[Scalar] = []
        for i, part in enumerate(parts(bound)):
            scalar = self.scalar(part, row, scope)
            made.append(scalar)
            match bound:
                case Logic():
                    guard = test_true_or_null(scalar) if bound.conjunction else test("is_not_true", scalar)
                case Coalesce():
                    guard = test_null(scalar)
                case Case() if i % 2 == 0:  # a condition: true where its result is asked for, and not where the rest is
                    guard = scalar
                case Case():
                    row.guards.pop()
                    guard = test("is_not_true", made[-2])
            row.guards.append(TRUE if guard.volatile else guard)
        del row.guards[outside:]
        return cast(Scalar, with_parts(bound, tuple(made)))

    def map(self, relation: Map, scope: Scope) -> Relation:
        row = self.row(relation.input, scope)
        for bound in relation.scalars:
            row.at.append(self.added(self.scalar(bound, row, scope), row).index)
        return row.closed(self.cut(row.relation, (*range(scope.width), *row.at)))

    def filter(self, relation: Filter, scope: Scope) -> Relation:
        row = self.row(relation.input, scope)
        self.keep(relation.predicates, row, scope)
        return row.closed(self.cut(row.relation, (*range(scope.width), *row.at)))

    def reduce(self, relation: Reduce, scope: Scope) -> Relation:
        row = self.row(relation.input, scope)

        def lowered(bound: BoundScalar) -> Scalar:
            return self.scalar(bound, row, scope)

        keys = tuple(map(lowered, relation.keys))
        calls = tuple(map_call(call, lowered) for call in relation.aggregates)
        prefix = self.facts.refs(row.relation)[: scope.width]
        made = Reduce(row.relation, (*prefix, *keys), calls, relation.scalar and scope is TOP)
        if not relation.scalar or scope is TOP:
            return row.closed(made)
        default = tuple(default_of(call) for call in calls)
        return row.closed(self.defaulted(made, scope.rows, default, row))
