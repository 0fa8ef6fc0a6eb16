"""Subqueries inside scalars: each becomes a column of the row around it, or a semijoin or antijoin of that row.

A subquery is computed against the distinct columns that it reads of the row. EXISTS and comparisons that are equalities
with an uncorrelated subquery are computed without a look at the row: its distinct right sides are the partners.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

from engine import types
from engine.expr.aggregate import Kind, Overload
from engine.expr.functions.planner import error_if_many
from engine.expr.scalar import Call, Ref, Scalar
from engine.plan.decorrelation.bound import always_one, at_most_one, without_output
from engine.plan.decorrelation.outer import Reference
from engine.plan.decorrelation.scope import TOP, Partners, Row, Scope
from engine.plan.decorrelation.shapes import Shapes
from engine.plan.predicates import (
    equi,
    negate,
    negated,
    not_false,
    test_true_or_null,
)
from engine.plan.relation import (
    AggregateCall,
    BoundScalar,
    Distinct,
    Exists,
    Filter,
    Map,
    Negate,
    Outer,
    Project,
    Quantified,
    Reduce,
    Relation,
    ScalarSubquery,
    Union,
)
from engine.plan.scalars import (
    FALSE,
    conjunction,
    conjuncts,
    null,
    parts,
    with_parts,
)

COUNT_ROWS: Final = Overload("count", Kind.COUNT_ROWS, (), types.BIGINT)
BOOL_OR: Final = Overload("bool_or", Kind.BOOL_OR, (types.BOOLEAN,), types.BOOLEAN)

WAYS_MAX: Final = 16
"""Each way in which a comparison is true or unknown costs an antijoin: four columns that can be NULL on one side, two
on both. Beyond them each distinct asker is compared with each row."""


class Subqueries(Shapes, ABC):
    """The lowering of scalars that hold relations; `apply` and `scalar` close the recursion."""

    @abstractmethod
    def apply(self, relation: Relation, scope: Scope) -> Relation:
        """For each row of the scope the relation's rows: the scope's columns, then the relation's."""

    @abstractmethod
    def scalar(self, bound: BoundScalar, row: Row, scope: Scope) -> Scalar:
        """The scalar over `row.relation`, to which each subquery in it adds the column of its value."""

    def keep(self, predicates: Sequence[BoundScalar], row: Row, scope: Scope) -> None:
        """Filter the row by the predicates in their order; an EXISTS or IN among them becomes a semijoin."""
        plain: list[Scalar] = []
        for bound in conjuncts(predicates):
            if bound.subquery:
                if plain:
                    row.relation = Filter(row.relation, tuple(plain))
                    plain = []
                if self.restrict(bound, row, scope):
                    continue
            plain.append(self.scalar(bound, row, scope))
        if plain:
            row.relation = Filter(row.relation, tuple(plain))

    def restrict(self, predicate: BoundScalar, row: Row, scope: Scope) -> bool:
        """Keep the rows where an EXISTS, a quantified comparison or the NOT of one is true. False: it is none."""
        wanted = True
        inner = negated(predicate)
        while inner is not None:
            predicate, wanted = inner, not wanted
            inner = negated(predicate)
        match predicate:
            case Exists():
                partners = [self.existence(predicate.relation, row, scope)]
            case Quantified():
                wanted = wanted is not predicate.all  # ALL (c) is NOT ANY (NOT c)
                partners = self.hits(predicate, row, scope, unknown=not wanted)
            case _:
                return False
        for some in partners:
            if wanted:
                row.relation = self.semijoin(row.relation, some)
            else:
                row.relation = self.shared(row, row.relation)
                row.relation = self.antijoin(row.relation, some)
        return True

    def branch(self, references: set[int], row: Row, *, fails: bool = False) -> tuple[tuple[int, ...], Scope]:
        """The columns of the row that a subquery reads, and the scope of their distinct values (its `at` is empty).
        What `fails` is computed for the rows that get to it."""
        columns = tuple(sorted(references))
        if not columns:
            return (), self.anybody(self.asking(row)) if fails else TOP
        row.relation = self.shared(row, row.relation)
        asking = self.asking(row) if fails else row.relation
        keys = self.shared(row, Distinct(Project(asking, columns)))
        return columns, Scope(keys, len(columns), {})

    def asking(self, row: Row) -> Relation:
        """The rows that get to what is being lowered."""
        row.relation = self.shared(row, row.relation)
        return Filter(row.relation, (conjunction(row.guards),)) if row.guards else row.relation

    def with_unasked(
        self, values: Relation, default: Scalar, columns: Sequence[int], inner: Scope, row: Row
    ) -> Relation:
        """The values with one, which nobody looks at, for the rows that do not get there: none of them is lost when the
        values are joined to the row."""
        if inner is TOP or not row.guards:
            return values
        row.relation = self.shared(row, row.relation)
        every = Distinct(Project(row.relation, tuple(columns)))
        return Union((values, Map(Union((every, Negate(inner.rows))), (default,))))

    def subscope(
        self, relation: Relation, row: Row, scope: Scope, *, fails: bool | None = None
    ) -> tuple[tuple[int, ...], Scope]:
        """The scope of a relation one level further in than the row."""
        at = {
            (depth, column): self.seen(depth - 1, column, row, scope) for depth, column in self.references.of(relation)
        }
        rounds = {id_: scope.rounds[id_] for id_ in self.rounds_in(relation) if id_ in scope.rounds}
        read = {*at.values(), *(column for columns in rounds.values() for column in columns)}
        columns, inner = self.branch(read, row, fails=self.failing.may(relation) if fails is None else fails)
        if not columns:
            return (), inner
        return columns, replace(
            inner,
            at={r: columns.index(column) for r, column in at.items()},
            rounds={id_: tuple(map(columns.index, where)) for id_, where in rounds.items()},
        )

    def seen(self, depth: int, column: int, row: Row, scope: Scope) -> int:
        """Where the row has what is a reference (depth, column) at its own level."""
        return row.at[column] if depth == 0 else scope.at[depth, column]

    def existence(self, relation: Relation, row: Row, scope: Scope) -> Partners:
        """The partners for which the subquery has a row."""
        relation = without_output(relation)
        tied = None if self.recurs(relation) else self.tied(relation)
        if tied is not None:
            below, predicates = tied
            width = row.width

            def over_both(part: BoundScalar) -> Scalar:
                match part:
                    case Ref():
                        return Ref(width + part.index, part.type, part.nullable)
                    case Outer():
                        return Ref(self.seen(part.depth - 1, part.index, row, scope), part.type, part.nullable)
                    case _:
                        return cast(Scalar, with_parts(part, tuple(map(over_both, parts(part)))))

            condition = equi(map(over_both, predicates), width)
            if condition is not None:
                return self.partners(self.unread(below, row), condition)
        columns, inner = self.subscope(relation, row, scope)
        found = self.apply(relation, inner)
        own = self.facts.refs(row.relation)
        return Partners(Distinct(self.cut(found, range(len(columns)))), tuple(own[column] for column in columns))

    def unread(self, relation: Relation, row: Row) -> Relation:
        """A relation that reads nothing of the row."""
        return self.apply(relation, self.branch(set(), row, fails=self.failing.may(relation))[1])

    def tied(self, relation: Relation) -> tuple[Relation, list[BoundScalar]] | None:
        """A relation as an uncorrelated one and the predicates that tie it to outer columns, if it is that simple."""
        if not self.references.of(relation):
            return relation, []
        if not isinstance(relation, Filter) or self.references.of(relation.input):
            return None
        own: list[BoundScalar] = []
        tied: list[BoundScalar] = []
        for predicate in conjuncts(relation.predicates):
            if all(depth == 0 for depth, _ in self.references.of_scalar(predicate)):
                if tied and predicate.fallible:
                    return None  # what ties it may be what guards it
                own.append(predicate)
            elif predicate.subquery:
                return None
            else:
                tied.append(predicate)
        return (Filter(relation.input, tuple(own)) if own else relation.input), tied

    def hits(self, bound: Quantified, row: Row, scope: Scope, *, unknown: bool) -> list[Partners]:
        """Partners of the rows for which a comparison is true, or (if wanted) unknown; with ALL, its negation."""
        fast = self.equi_hits(bound, row, scope, unknown=unknown)
        if fast is not None:
            return fast
        columns, _, found, condition = self.compared(bound, row, scope)
        if unknown:
            condition = test_true_or_null(condition)
        found.relation = Filter(found.relation, (condition,))
        rows = Distinct(found.closed(self.cut(found.relation, range(len(columns)))))
        own = self.facts.refs(row.relation)
        return [Partners(rows, tuple(own[column] for column in columns))]

    def equi_hits(self, bound: Quantified, row: Row, scope: Scope, *, unknown: bool) -> list[Partners] | None:
        """The hits of an uncorrelated subquery compared by equalities, without a look at the rows that ask."""
        if self.references.of(bound.relation) or self.recurs(bound.relation) or bound.condition.subquery:
            return None
        width = row.width

        def over_both(part: BoundScalar) -> Scalar:
            match part:
                case Ref() if part.index >= bound.width:
                    return Ref(width + part.index - bound.width, part.type, part.nullable)
                case Ref():
                    return Ref(row.at[part.index], part.type, part.nullable)
                case Outer():
                    return Ref(scope.at[part.depth, part.index], part.type, part.nullable)
                case _:
                    return cast(Scalar, with_parts(part, tuple(map(over_both, parts(part)))))

        comparison = over_both(bound.condition)
        if bound.all:
            comparison = negate(comparison)
        condition = equi(cast(list[Scalar], conjuncts([comparison])), width)
        if condition is None:
            return None
        if not unknown or not comparison.nullable:
            return [self.partners(self.unread(bound.relation, row), condition)]
        ways = not_false(condition)
        if len(ways) > WAYS_MAX:
            return None
        rows = self.shared(row, self.unread(bound.relation, row))
        return [self.partners(rows, way) for way in ways]

    def compared(self, bound: Quantified, row: Row, scope: Scope) -> tuple[tuple[int, ...], Scope, Row, Scalar]:
        """The columns that a quantified comparison reads, their distinct values, those with each row of the subquery
        that they are to be compared with, and the comparison (with ALL its negation).
        """
        read: dict[Reference, int] = {}
        for depth, column in self.references.of_scalar(bound.condition):
            if depth > 0 or column < bound.width:
                read[depth, column] = self.seen(depth, column, row, scope)
        nested: dict[Reference, int] = {}
        for depth, column in self.references.of(bound.relation):
            nested[depth, column] = self.seen(depth - 1, column, row, scope)
        rounds = {id_: scope.rounds[id_] for id_ in self.rounds_in(bound.relation) if id_ in scope.rounds}
        carried = {column for where in rounds.values() for column in where}
        fails = self.failing.may_scalar(bound)
        columns, inner = self.branch({*read.values(), *nested.values(), *carried}, row, fails=fails)
        place = {column: position for position, column in enumerate(columns)}
        if columns:
            held = {id_: tuple(place[column] for column in where) for id_, where in rounds.items()}
            inner = replace(inner, at={r: place[c] for r, c in nested.items()}, rounds=held)
        below = self.apply(bound.relation, inner)
        width = self.facts.arity(below)
        at = [place[read[0, i]] if (0, i) in read else -1 for i in range(bound.width)]
        found = Row(below, width, [*at, *range(len(columns), width)])
        outer = replace(inner, at={r: place[c] for r, c in read.items() if r[0] > 0})
        comparison = self.scalar(bound.condition, found, outer)
        return columns, inner, found, negate(comparison) if bound.all else comparison

    def quantified(self, bound: Quantified, row: Row, scope: Scope) -> Scalar:
        """The value of a quantified comparison: ANY is true by a true row, else NULL by an unknown one, else false."""
        fast = self.equi_hits(bound, row, scope, unknown=False) if not bound.condition.nullable else None
        if fast is not None:
            value: Scalar = self.truth(fast[0], row)
        else:
            columns, inner, found, comparison = self.compared(bound, row, scope)
            open_ = Filter(found.relation, (test_true_or_null(comparison),))
            refs = self.facts.refs(open_)[: len(columns)]
            decided = found.closed(Reduce(open_, refs, (AggregateCall(BOOL_OR, (comparison,)),)))
            values = self.defaulted(decided, inner.rows, (FALSE,), row)
            values = self.with_unasked(values, FALSE, columns, inner, row)
            row.relation = self.joined_back(row.relation, values, columns)
            row.width += 1
            value = Ref(row.width - 1, types.BOOLEAN)
        return negate(value) if bound.all else value

    def scalar_subquery(self, bound: ScalarSubquery, row: Row, scope: Scope) -> Scalar:
        """The value of the one row; NULL where there is none; an error where there are more."""
        some = row.guards or self.references.of(bound.relation)
        fails = self.failing.may_scalar(bound) if some else None
        columns, inner = self.subscope(bound.relation, row, scope, fails=fails)
        keys = inner.rows
        values = self.apply(bound.relation, inner)
        if not always_one(bound.relation):
            width = len(columns)
            values = self.shared(row, values)
            present: Relation = self.cut(values, range(width))
            branches = [values]
            if not (at_most_one(bound.relation) or self.facts.unique(values, range(width))):
                refs = self.facts.refs(values)[:width]
                counted: Relation = Reduce(values, refs, (AggregateCall(COUNT_ROWS, ()),))
                if not columns:
                    counted = self.crossed(self.anybody(self.asking(row)).rows, counted)
                check = Call(error_if_many(), (Ref(width, types.BIGINT, False),), types.BOOLEAN)
                many: Relation = Filter(counted, (check,))
                branches.append(Map(self.cut(many, range(width)), (null(bound.type),)))
                present = Distinct(present)
            branches.append(Map(Union((keys, Negate(present))), (null(bound.type),)))
            values = Union(tuple(branches))
        values = self.with_unasked(values, null(bound.type), columns, inner, row)
        row.relation = self.joined_back(row.relation, values, columns)
        row.width += 1
        return Ref(row.width - 1, bound.type, bound.nullable)
