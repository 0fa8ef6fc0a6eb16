"""Subqueries and outer joins become joins: no Outer, Exists, ScalarSubquery, Quantified or BoundJoin is left behind.

Rule   a correlated relation is computed against the *distinct* outer columns it reads (its scope), for all of them at
       once: its rows carry those columns in front. What holds it joins the result back on them, NULL-safely. So a
       relation is computed once for each distinct outer value, never once a row, and a change costs what a join costs.
       An outer join is the inner join and the padded rest: the rows of the side less those with a partner, each with
       its own multiplicity (a semijoin against distinct partners keeps it).
Error  evaluation is never moved above a filter that stands before it; a subquery is evaluated even where a CASE would
       not ask for it.
From   Galindo-Legaria and Joshi, "Orthogonal optimization of subqueries and aggregation", SIGMOD 2001; Neumann and
       Kemper, "Unnesting arbitrary queries", BTW 2015.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final, cast

from engine import types
from engine.errors import Unsupported
from engine.expr.aggregate import Kind, Overload
from engine.expr.functions.planner import error_if_many
from engine.expr.scalar import Call, Literal, Ref, Scalar
from engine.plan.facts import Facts
from engine.plan.outer import Reference, References
from engine.plan.predicates import (
    Equi,
    equi,
    negate,
    negated,
    not_null_filters,
    plain_columns,
    test_null,
    test_same,
    test_true_or_null,
)
from engine.plan.relation import (
    UNIT,
    AggregateCall,
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
    map_scalars,
    scalars,
    with_children,
)
from engine.plan.rules.aggregates import default_of
from engine.plan.scalars import (
    FALSE,
    TRUE,
    can_fail,
    conjuncts,
    null,
    parts,
    shifted,
    with_parts,
)

COUNT_ROWS: Final = Overload("count", Kind.COUNT_ROWS, (), types.BIGINT)
BOOL_OR: Final = Overload("bool_or", Kind.BOOL_OR, (types.BOOLEAN,), types.BOOLEAN)


def decorrelate(relation: Relation) -> Relation:
    """The same rows without any node marked (bound). O(size), but a correlated WITH is copied to each of its uses."""
    return Decorrelation(relation).result()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a relation is computed against: distinct rows of outer columns; `at` says which reference is in which."""

    rows: Relation
    width: int
    at: Mapping[Reference, int]


TOP: Final = Scope(UNIT, 0, {})


@dataclass(slots=True)
class Row:
    """The row that scalars are being lowered over, while subqueries add columns to it.

    `at[i]` is where column i of the bound relation lies in `relation`; `lets` are to be wrapped around the result.
    """

    relation: Relation
    width: int
    at: list[int]
    lets: list[tuple[int, Relation]] = field(default_factory=list)

    def closed(self, result: Relation) -> Relation:
        for id_, value in reversed(self.lets):
            result = Let(id_, value, result)
        return result


@dataclass(frozen=True, slots=True)
class Partners:
    """Distinct `rows`, and the scalars over some row that must be equal to its columns, one by one, to be a partner.

    Only rows that pass `asked` (predicates over the same row) have partners at all.
    """

    rows: Relation
    wanted: tuple[Scalar, ...]
    asked: tuple[Scalar, ...] = ()


class Decorrelation:
    """One run over one relation: fresh ids for the Lets it makes, and what it learned of the nodes on the way."""

    def __init__(self, relation: Relation) -> None:
        self.root = relation
        self.ids = count(highest_let(relation) + 1)
        self.facts = Facts()
        self.references = References()

    def result(self) -> Relation:
        return self.apply(self.root, TOP)

    def apply(self, relation: Relation, scope: Scope) -> Relation:
        """For each row of the scope the relation's rows: the scope's columns, then the relation's."""
        if scope is not TOP and not self.references.of(relation):
            return self.crossed(scope.rows, self.apply(relation, TOP))
        match relation:
            case Get() | Constant() | Local():
                return relation
            case Let():
                if self.references.of(relation.value):
                    return self.apply(substitute(relation.body, relation.id, relation.value), scope)
                value = self.apply(relation.value, TOP)
                self.facts.bind(Let(relation.id, value, UNIT))
                return Let(relation.id, value, self.apply(relation.body, scope))
            case LetRec():
                if any(map(self.references.of, relation.values)):
                    raise Unsupported("a recursive query that reads columns of the query around it is not supported")
                values = tuple(self.apply(value, TOP) for value in relation.values)
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
                return TopK(self.apply(relation.input, scope), group, order, relation.limit, relation.offset)
            case Window():
                below = self.apply(relation.input, scope)
                at = {i: scope.width + i for i in range(self.facts.arity(below) - scope.width)}
                partition = (*range(scope.width), *(at[column] for column in relation.partition))
                order = tuple(replace(order, column=at[order.column]) for order in relation.order)
                return Window(below, partition, order, tuple(call.moved(at) for call in relation.calls))
            case Distinct() | Negate() | Threshold() | Union():
                return with_children(relation, tuple(self.apply(child, scope) for child in children(relation)))

    def row(self, relation: Relation, scope: Scope) -> Row:
        below = self.apply(relation, scope)
        width = self.facts.arity(below)
        return Row(below, width, list(range(scope.width, width)))

    def cut(self, relation: Relation, columns: Sequence[int]) -> Relation:
        """Those columns, without a node where they are all of them."""
        every = range(self.facts.arity(relation))
        return relation if tuple(columns) == tuple(every) else Project(relation, tuple(columns))

    def crossed(self, left: Relation, right: Relation) -> Relation:
        return right if left is UNIT else left if right is UNIT else Join((left, right), ())

    def joined_back(self, left: Relation, right: Relation, columns: Sequence[int]) -> Relation:
        """Left, and right without its first columns, which must be the same as left's `columns`."""
        if not columns:
            return self.crossed(left, right)
        width, extra = self.facts.arity(left), self.facts.arity(right)
        own, other = self.facts.refs(left), self.facts.columns(right)
        classes = tuple((own[column], Ref(width + i, *other[i])) for i, column in enumerate(columns))
        return Project(Join((left, right), classes), (*range(width), *range(width + len(columns), width + extra)))

    def shared(self, row: Row, relation: Relation) -> Relation:
        """A stand-in for a relation that is about to be read more than once."""
        if isinstance(relation, Get | Local | Constant):
            return relation
        id_ = next(self.ids)
        row.lets.append((id_, relation))
        self.facts.bind(Let(id_, relation, UNIT))
        columns = self.facts.columns(relation)
        return Local(id_, tuple(type_ for type_, _ in columns), tuple(nullable for _, nullable in columns))

    def scalar(self, bound: BoundScalar, row: Row, scope: Scope) -> Scalar:
        """The scalar over `row.relation`, to which each subquery in it adds the column of its value."""
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
            case _:
                return cast(Scalar, with_parts(bound, tuple(self.scalar(part, row, scope) for part in parts(bound))))

    def map(self, relation: Map, scope: Scope) -> Relation:
        row = self.row(relation.input, scope)
        for bound in relation.scalars:
            row.at.append(self.added(self.scalar(bound, row, scope), row).index)
        return row.closed(self.cut(row.relation, (*range(scope.width), *row.at)))

    def added(self, scalar: Scalar, row: Row) -> Ref:
        """The column that the scalar becomes."""
        row.relation = Map(row.relation, (scalar,))
        row.width += 1
        return Ref(row.width - 1, scalar.type, scalar.nullable)

    def filter(self, relation: Filter, scope: Scope) -> Relation:
        row = self.row(relation.input, scope)
        self.keep(relation.predicates, row, scope)
        return row.closed(self.cut(row.relation, (*range(scope.width), *row.at)))

    def keep(self, predicates: Sequence[BoundScalar], row: Row, scope: Scope) -> None:
        """Filter the row by the predicates in their order; an EXISTS or IN among them becomes a semijoin."""
        plain: list[Scalar] = []
        for bound in conjuncts(predicates):
            if has_subquery(bound):
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

    # Subqueries.

    def branch(self, references: set[int], row: Row) -> tuple[tuple[int, ...], Scope]:
        """The columns of the row that a subquery reads, and the scope of their distinct values (its `at` is empty)."""
        columns = tuple(sorted(references))
        if not columns:
            return (), TOP
        row.relation = self.shared(row, row.relation)
        keys = self.shared(row, Distinct(Project(row.relation, columns)))
        return columns, Scope(keys, len(columns), {})

    def subscope(self, relation: Relation, row: Row, scope: Scope) -> tuple[tuple[int, ...], Scope]:
        """The scope of a relation one level further in than the row."""
        at = {
            (depth, column): self.seen(depth - 1, column, row, scope) for depth, column in self.references.of(relation)
        }
        columns, inner = self.branch(set(at.values()), row)
        return columns, replace(inner, at={r: columns.index(column) for r, column in at.items()}) if columns else TOP

    def seen(self, depth: int, column: int, row: Row, scope: Scope) -> int:
        """Where the row has what is a reference (depth, column) at its own level."""
        return row.at[column] if depth == 0 else scope.at[depth, column]

    def semijoin(self, relation: Relation, partners: Partners) -> Relation:
        """The rows that have a partner, each as often as it was there."""
        width = self.facts.arity(relation)
        asking = Filter(relation, partners.asked) if partners.asked else relation
        columns = self.facts.columns(partners.rows)
        classes = tuple((scalar, Ref(width + i, *columns[i])) for i, scalar in enumerate(partners.wanted))
        return self.cut(Join((asking, partners.rows), classes), range(width))

    def antijoin(self, relation: Relation, partners: Partners) -> Relation:
        """The rows that have none."""
        return Union((relation, Negate(self.semijoin(relation, partners))))

    def partners(self, relation: Relation, condition: Equi) -> Partners:
        """Those of an equi-join: the distinct right sides, computed without a look at the left."""
        asked = (*condition.right_only, *not_null_filters(condition.right))
        rows = Filter(relation, asked) if asked else relation
        columns = plain_columns(condition.right)
        if columns is None:
            width = self.facts.arity(rows)
            rows = Map(rows, condition.right)
            columns = range(width, width + len(condition.right))
        return Partners(Distinct(self.cut(rows, columns)), condition.left, condition.left_only)

    def existence(self, relation: Relation, row: Row, scope: Scope) -> Partners:
        """The partners for which the subquery has a row."""
        relation = without_output(relation)
        tied = self.tied(relation)
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
                return self.partners(self.apply(below, TOP), condition)
        columns, inner = self.subscope(relation, row, scope)
        found = self.apply(relation, inner)
        own = self.facts.refs(row.relation)
        return Partners(Distinct(self.cut(found, range(len(columns)))), tuple(own[column] for column in columns))

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
                if tied and can_fail(predicate):
                    return None  # what ties it may be what guards it
                own.append(predicate)
            elif has_subquery(predicate):
                return None
            else:
                tied.append(predicate)
        return (Filter(relation.input, tuple(own)) if own else relation.input), tied

    def truth(self, partners: Partners, row: Row) -> Ref:
        """Whether each row has a partner, as a column."""
        if not partners.wanted and not partners.asked:
            some = self.shared(row, partners.rows)
            none = Union((UNIT, Negate(some)))
            flag = Union((Map(some, (TRUE,)), Map(none, (FALSE,))))
            row.relation = self.crossed(row.relation, flag)
        else:
            every = self.shared(row, row.relation)
            having = self.shared(row, self.semijoin(every, partners))
            lacking = Union((every, Negate(having)))
            row.relation = Union((Map(having, (TRUE,)), Map(lacking, (FALSE,))))
        row.width += 1
        return Ref(row.width - 1, types.BOOLEAN, nullable=False)

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
        if self.references.of(bound.relation) or has_subquery(bound.condition):
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
            return [self.partners(self.apply(bound.relation, TOP), condition)]
        if len(condition.left) != 1 or condition.left_only or condition.right_only:
            return None
        # One nullable equality, as in NOT IN: unknown where the asker is NULL and there is any row, or where any
        # row is NULL.
        rows = self.shared(row, self.apply(bound.relation, TOP))
        equal = self.partners(rows, condition)
        found = [equal]
        if condition.left[0].nullable:
            found.append(Partners(Distinct(Project(rows, ())), (), (test_null(condition.left[0]),)))
        if condition.right[0].nullable:
            absent = Filter(rows, (test_null(condition.right[0]),))
            found.append(Partners(Distinct(Project(absent, ())), ()))
        return found

    def compared(self, bound: Quantified, row: Row, scope: Scope) -> tuple[tuple[int, ...], Relation, Row, Scalar]:
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
        columns, inner = self.branch({*read.values(), *nested.values()}, row)
        place = {column: position for position, column in enumerate(columns)}
        below = self.apply(
            bound.relation, replace(inner, at={r: place[c] for r, c in nested.items()}) if columns else TOP
        )
        width = self.facts.arity(below)
        at = [place[read[0, i]] if (0, i) in read else -1 for i in range(bound.width)]
        found = Row(below, width, [*at, *range(len(columns), width)])
        outer = replace(inner, at={r: place[c] for r, c in read.items() if r[0] > 0})
        comparison = self.scalar(bound.condition, found, outer)
        return columns, inner.rows, found, negate(comparison) if bound.all else comparison

    def quantified(self, bound: Quantified, row: Row, scope: Scope) -> Scalar:
        """The value of a quantified comparison: ANY is true by a true row, else NULL by an unknown one, else false."""
        fast = self.equi_hits(bound, row, scope, unknown=False) if not bound.condition.nullable else None
        if fast is not None:
            value: Scalar = self.truth(fast[0], row)
        else:
            columns, keys, found, comparison = self.compared(bound, row, scope)
            open_ = Filter(found.relation, (test_true_or_null(comparison),))
            refs = self.facts.refs(open_)[: len(columns)]
            decided = found.closed(Reduce(open_, refs, (AggregateCall(BOOL_OR, (comparison,)),)))
            values = self.defaulted(decided, keys, (FALSE,), row)
            row.relation = self.joined_back(row.relation, values, columns)
            row.width += 1
            value = Ref(row.width - 1, types.BOOLEAN)
        return negate(value) if bound.all else value

    def defaulted(self, rows: Relation, keys: Relation, default: tuple[Scalar, ...], row: Row) -> Relation:
        """The rows, at most one for each key (their first columns), and the default for the keys without."""
        rows = self.shared(row, rows)
        present = self.cut(rows, range(self.facts.arity(keys)))
        return Union((rows, Map(Union((keys, Negate(present))), default)))

    def scalar_subquery(self, bound: ScalarSubquery, row: Row, scope: Scope) -> Scalar:
        """The value of the one row; NULL where there is none; an error where there are more."""
        columns, inner = self.subscope(bound.relation, row, scope)
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
                if not columns:  # nobody asks, nothing fails
                    row.relation = self.shared(row, row.relation)
                    counted = self.crossed(Distinct(Project(row.relation, ())), counted)
                check = Call(error_if_many(), (Ref(width, types.BIGINT, False),), types.BOOLEAN)
                many: Relation = Filter(counted, (check,))
                branches.append(Map(self.cut(many, range(width)), (null(bound.type),)))
                present = Distinct(present)
            branches.append(Map(Union((keys, Negate(present))), (null(bound.type),)))
            values = Union(tuple(branches))
        row.relation = self.joined_back(row.relation, values, columns)
        row.width += 1
        return Ref(row.width - 1, bound.type, bound.nullable)

    # Aggregates and joins.

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

    def join(self, relation: BoundJoin, scope: Scope) -> Relation:
        """INNER and LEFT; the right side is computed against the columns of the left row that it reads."""
        left = self.row(relation.left, scope)
        outer = relation.kind is JoinKind.LEFT
        if outer:
            left.relation = self.shared(left, left.relation)
        if relation.lateral:
            columns, inner = self.subscope(relation.right, left, scope)
        else:
            at = {reference: scope.at[reference] for reference in self.references.of(relation.right)}
            columns, inner = self.branch(set(at.values()), left)
            inner = replace(inner, at={r: columns.index(column) for r, column in at.items()}) if columns else TOP
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
        if has_subquery(on):
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


def has_subquery(scalar: BoundScalar) -> bool:
    """Whether a relation is nested in it."""
    return isinstance(scalar, Exists | ScalarSubquery | Quantified) or any(map(has_subquery, parts(scalar)))


def always_one(relation: Relation) -> bool:
    """Whether a (bound) relation has exactly one row for each outer row."""
    match relation:
        case Reduce():
            return relation.scalar and not relation.keys
        case Constant():
            return len(relation.rows) == 1 and relation.rows[0][1] == 1
        case Project() | Map() | Window():
            return always_one(relation.input)
        case Let():
            return always_one(relation.body)
        case _:
            return False


def at_most_one(relation: Relation) -> bool:
    """Whether a (bound) relation has at most one row for each outer row."""
    match relation:
        case Project() | Map() | Filter() | Distinct() | Window():
            return at_most_one(relation.input)
        case TopK():
            return (relation.limit is not None and relation.limit <= 1 and not relation.group) or at_most_one(
                relation.input
            )
        case Reduce():
            return not relation.keys
        case Let():
            return at_most_one(relation.body)
        case _:
            return always_one(relation)


def without_output(relation: Relation) -> Relation:
    """The relation below what does not change whether there is a row."""
    match relation:
        case Project() | Map() | Distinct() | Window():
            return without_output(relation.input)
        case TopK() if relation.offset == 0 and (relation.limit is None or relation.limit > 0):
            return without_output(relation.input)
        case _:
            return relation


def nested(scalar: BoundScalar) -> list[Relation]:
    """The relations in a scalar."""
    match scalar:
        case Exists() | ScalarSubquery():
            return [scalar.relation]
        case Quantified():
            return [scalar.relation, *nested(scalar.condition)]
        case _:
            return [relation for part in parts(scalar) for relation in nested(part)]


def highest_let(relation: Relation) -> int:
    """The largest id of a Let anywhere in the relation, or -1."""
    highest = relation.id if isinstance(relation, Let) else -1
    if isinstance(relation, LetRec):
        highest = max(relation.ids)
    for child in (*children(relation), *(inner for scalar in scalars(relation) for inner in nested(scalar))):
        highest = max(highest, highest_let(child))
    return highest


def substitute(relation: Relation, id_: int, value: Relation) -> Relation:
    """The relation with the value wherever it reads Local(id_), its outer references counted from there."""
    return _walk(relation, 0, id_, value)


def _walk(relation: Relation, level: int, id_: int | None, value: Relation | None, by: int = 0) -> Relation:
    """Two walks in one: put `value` for Local(id_), or (id_ None) move free outer references `by` levels out."""
    if isinstance(relation, Local) and relation.id == id_ and value is not None:
        return _walk(value, 0, None, None, level) if level else value

    def scalar(bound: BoundScalar) -> BoundScalar:
        match bound:
            case Outer():
                return replace(bound, depth=bound.depth + by) if by and bound.depth > level else bound
            case Exists() | ScalarSubquery():
                return replace(bound, relation=_walk(bound.relation, level + 1, id_, value, by))
            case Quantified():
                inner = _walk(bound.relation, level + 1, id_, value, by)
                return replace(bound, relation=inner, condition=scalar(bound.condition))
            case _:
                return with_parts(bound, tuple(map(scalar, parts(bound))))

    below = children(relation)
    lateral = isinstance(relation, BoundJoin) and relation.lateral
    new = tuple(_walk(child, level + (1 if lateral and i == 1 else 0), id_, value, by) for i, child in enumerate(below))
    return map_scalars(with_children(relation, new), scalar)
