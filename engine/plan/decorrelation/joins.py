"""Joins of the bound relation: outer joins are the inner join and the padded rest, lateral ones meet on their scope."""

from dataclasses import replace

from engine.plan.decorrelation.scope import TOP, Partners, Row, Scope
from engine.plan.decorrelation.subqueries import Subqueries
from engine.plan.predicates import (
    equi,
    test_same,
)
from engine.plan.relation import (
    UNIT,
    BoundJoin,
    BoundScalar,
    Distinct,
    Filter,
    Join,
    JoinKind,
    Map,
    Project,
    Relation,
    Union,
)
from engine.plan.scalars import (
    conjuncts,
    null,
    shifted,
)


class Joins(Subqueries):
    """Each side is computed against the columns that it reads of what is around it."""

    def row(self, relation: Relation, scope: Scope) -> Row:
        below = self.apply(relation, scope)
        width = self.facts.arity(below)
        return Row(below, width, list(range(scope.width, width)))

    def join(self, relation: BoundJoin, scope: Scope) -> Relation:
        """INNER and LEFT; the right side is computed against the columns of the left row that it reads."""
        left = self.row(relation.left, scope)
        outer = relation.kind is JoinKind.LEFT
        if outer:
            left.relation = self.shared(left, left.relation)
        if self.recurs(relation.right) and not relation.lateral:
            columns, inner = list(range(scope.width)), scope
        elif relation.lateral:
            columns, inner = self.subscope(relation.right, left, scope)
        else:
            at = {reference: scope.at[reference] for reference in self.references.of(relation.right)}
            columns, inner = self.branch(set(at.values()), left)
            inner = replace(inner, at={r: columns.index(column) for r, column in at.items()})
            inner = inner if columns else self.alone(relation.right, scope)
        right = self.apply(relation.right, inner)
        own = self.facts.arity(right) - len(columns)
        if outer and not columns:
            right = self.shared(left, right)
        both = self.joined_back(left.relation, right, columns)
        row = Row(both, left.width + own, [*left.at, *range(left.width, left.width + own)])
        self.keep((relation.on,), row, scope)
        joined = row.closed(self.cut(row.relation, range(left.width + own)))
        if not outer:
            return left.closed(joined)
        partners = None if columns else self.equi_partners(relation.on, right, left.width, row, scope)
        if partners is None:
            joined = self.shared(left, joined)
            read = {self.seen(depth, column, row, scope) for depth, column in self.references.of_scalar(relation.on)}
            tied = tuple(sorted({column for column in read if column < left.width} | set(columns)))
            refs = self.facts.refs(left.relation)
            partners = Partners(Distinct(Project(joined, tied)), tuple(refs[column] for column in tied))
        rest = self.antijoin(left.relation, partners)
        absent = tuple(map(null, self.facts.types(joined)[left.width :]))
        return left.closed(Union((joined, Map(rest, absent))))

    def equi_partners(
        self, on: BoundScalar, right: Relation, width: int, row: Row, scope: Scope, *, flipped: bool = False
    ) -> Partners | None:
        """What a row of the left must meet in `right`, if ON is equalities; flipped: `right` is the left side."""
        if on.subquery:
            return None
        condition = equi([self.scalar(predicate, row, scope) for predicate in conjuncts((on,))], width)
        if condition is None:
            return None
        return self.partners(right, condition.flipped() if flipped else condition)

    def two_sided_join(self, relation: BoundJoin, scope: Scope) -> Relation:
        """RIGHT and FULL: both sides are computed against the whole scope, so that either may stand alone."""
        shares = Row(UNIT, 0, [])
        prefix = tuple(range(scope.width))
        left = self.shared(shares, self.apply(relation.left, scope))
        right = self.shared(shares, self.apply(relation.right, scope))
        width = self.facts.arity(left)
        both = self.joined_back(left, right, prefix)
        total = self.facts.arity(both)
        row = Row(both, total, list(range(scope.width, total)))
        self.keep((relation.on,), row, scope)
        joined = self.shared(shares, row.closed(self.cut(row.relation, range(total))))
        every = self.facts.types(joined)
        read = {self.seen(depth, column, row, scope) for depth, column in self.references.of_scalar(relation.on)}
        branches = [joined]
        if relation.kind is JoinKind.FULL:
            partners = None if prefix else self.equi_partners(relation.on, right, width, row, scope)
            if partners is None:
                tied = tuple(sorted({*prefix, *(column for column in read if column < width)}))
                refs = self.facts.refs(left)
                partners = Partners(Distinct(Project(joined, tied)), tuple(refs[column] for column in tied))
            branches.append(Map(self.antijoin(left, partners), tuple(map(null, every[width:]))))
        partners = None if prefix else self.equi_partners(relation.on, left, width, row, scope, flipped=True)
        if partners is None:
            own = sorted(column for column in read if column >= width)
            refs = self.facts.refs(right)
            wanted = (*refs[: scope.width], *(refs[column - width + scope.width] for column in own))
            partners = Partners(Distinct(Project(joined, (*prefix, *own))), wanted)
        rest = self.antijoin(right, partners)
        size = self.facts.arity(right)
        absent = range(size, size + width - scope.width)
        padded = Map(rest, tuple(map(null, every[scope.width : width])))
        branches.append(Project(padded, (*prefix, *absent, *range(scope.width, size))))
        return shares.closed(Union(tuple(branches)))

    def bound_inner(self, relation: Join, scope: Scope) -> Relation:
        """An n-ary join in the input: its inputs meet on the scope, its equivalences stay NULL-safe."""
        inputs = tuple(self.apply(branch, scope) for branch in relation.inputs)
        if scope is TOP:
            return Join(inputs, relation.equivalences)
        joined = inputs[0]
        for branch in inputs[1:]:
            joined = self.joined_back(joined, branch, range(scope.width))
        predicates = [
            test_same(shifted(group[0], scope.width), shifted(other, scope.width))
            for group in relation.equivalences
            for other in group[1:]
        ]
        return Filter(joined, tuple(predicates)) if predicates else joined
