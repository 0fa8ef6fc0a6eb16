"""Outer joins that are less: of the bound relation, before decorrelation makes unions of them.

Rule   a predicate above that is never true of a NULL drops the padded rows: LEFT, RIGHT and FULL joins lose the side
       that it rejects. A LEFT JOIN of which nothing on the right is read, and which meets at most one row, is its left
       side; so is one that meets many, where a DISTINCT above counts none twice.
Error  what goes is not evaluated; nothing is evaluated that was not.
From   Galindo-Legaria and Rosenthal, "Outerjoin simplification and reordering for query optimization", TODS 1997.
"""

from collections.abc import Iterable
from dataclasses import replace

from engine.expr.membership import AMONG
from engine.expr.registry import OnNull
from engine.expr.scalar import Call, Logic, Ref
from engine.plan.decorrelation.outer import References
from engine.plan.facts import Facts, positive
from engine.plan.predicates import equal_sides, not_null_tested
from engine.plan.relation import (
    BoundJoin,
    BoundScalar,
    Distinct,
    Exists,
    Filter,
    FlatMap,
    JoinKind,
    Let,
    LetRec,
    Map,
    Negate,
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
    map_scalars,
    scalars,
    with_children,
)
from engine.plan.scalars import conjuncts, null, parts, with_parts

Columns = frozenset[int]
NONE: Columns = frozenset()


def simplify_outer_joins(relation: Relation) -> Relation:
    """The bound relation with fewer and lesser outer joins. O(size)."""
    facts = Facts()
    whole = frozenset(range(facts.arity(relation)))
    return Unused(facts).keep(without_padding(relation, NONE, facts), whole, False)


# NULLs rejected above.


def without_padding(relation: Relation, rejected: Columns, facts: Facts) -> Relation:
    """The relation, whose rows with a NULL in a column of `rejected` may be left out."""
    relation = in_subqueries(relation, facts)
    match relation:
        case Filter():
            more = rejected.union(*map(rejects, conjuncts(relation.predicates)))
            return replace(relation, input=without_padding(relation.input, more, facts))
        case Project():
            below = frozenset(relation.columns[column] for column in rejected)
            return replace(relation, input=without_padding(relation.input, below, facts))
        case Map():
            width = facts.arity(relation.input)
            below = frozenset(column for column in rejected if column < width)
            for column in rejected - below:
                read = strict(relation.scalars[column - width])
                below |= frozenset(c for c in read if c < width)
            return replace(relation, input=without_padding(relation.input, below, facts))
        case BoundJoin():
            return lesser_join(relation, rejected, facts)
        case Distinct() | Negate() | Threshold() | Union():
            return with_children(
                relation, tuple(without_padding(child, rejected, facts) for child in children(relation))
            )
        case Let():
            value = without_padding(relation.value, NONE, facts)
            return Let(relation.id, value, without_padding(relation.body, rejected, facts))
        case _:
            return with_children(relation, tuple(without_padding(child, NONE, facts) for child in children(relation)))


def lesser_join(relation: BoundJoin, rejected: Columns, facts: Facts) -> Relation:
    width = facts.arity(relation.left)
    on_left = any(column < width for column in rejected)
    on_right = any(column >= width for column in rejected)
    pads_left = relation.kind in (JoinKind.RIGHT, JoinKind.FULL) and not on_left
    pads_right = relation.kind in (JoinKind.LEFT, JoinKind.FULL) and not on_right
    match pads_left, pads_right:
        case True, True:
            kind = JoinKind.FULL
        case True, False:
            kind = JoinKind.RIGHT
        case False, True:
            kind = JoinKind.LEFT
        case _:
            kind = JoinKind.INNER
    asked = frozenset().union(*map(rejects, conjuncts((relation.on,))))
    left = frozenset(c for c in rejected if c < width) if not pads_left else NONE
    right = frozenset(c - width for c in rejected if c >= width) if not pads_right else NONE
    if not pads_right:
        left |= frozenset(c for c in asked if c < width)
    if not pads_left:
        right |= frozenset(c - width for c in asked if c >= width)
    return BoundJoin(
        without_padding(relation.left, left, facts), without_padding(relation.right, right, facts), relation.on, kind,
        relation.lateral,
    )  # fmt: skip


def in_subqueries(relation: Relation, facts: Facts) -> Relation:
    """The relation with those inside its scalars simplified."""

    def change(scalar: BoundScalar) -> BoundScalar:
        match scalar:
            case Exists() | ScalarSubquery():
                return replace(scalar, relation=without_padding(scalar.relation, NONE, facts))
            case Quantified():
                inner = without_padding(scalar.relation, NONE, facts)
                return replace(scalar, relation=inner, condition=change(scalar.condition))
            case _ if scalar.subquery:
                return with_parts(scalar, tuple(map(change, parts(scalar))))
            case _:
                return scalar

    return map_scalars(relation, change) if any(scalar.subquery for scalar in scalars(relation)) else relation


def rejects(predicate: BoundScalar) -> Columns:
    """Columns of which a NULL keeps the predicate from being true."""
    tested = not_null_tested(predicate)
    if tested is not None:
        return strict(tested)
    match predicate:
        case Logic():
            each = [rejects(argument) for argument in predicate.arguments]
            return frozenset().union(*each) if predicate.conjunction else each[0].intersection(*each[1:])
        case Call() if predicate.function.name == AMONG:
            return strict(predicate.arguments[0])
        case Quantified() if not predicate.all:
            return frozenset(column for column in rejects(predicate.condition) if column < predicate.width)
        case _:
            return strict(predicate)


def strict(scalar: BoundScalar) -> Columns:
    """Columns of which a NULL makes the scalar NULL."""
    match scalar:
        case Ref():
            return frozenset((scalar.index,))
        case Call() if scalar.function.on_null is OnNull.STRICT and not scalar.function.never_null:
            return frozenset().union(*map(strict, scalar.arguments))
        case _:
            return NONE


# Right sides that nobody reads.


class Unused:
    """One run: `keep` goes down with the columns that are read, and whether it matters how often a row is there."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.references = References()

    def keep(self, relation: Relation, wanted: Columns, once: bool) -> Relation:
        """The relation of which only the columns `wanted` are read; `once`: equal rows may count as one."""
        match relation:
            case Project():
                below = frozenset(relation.columns[column] for column in wanted)
                return replace(relation, input=self.keep(relation.input, below, once))
            case Map():
                width = self.facts.arity(relation.input)
                read = set(wanted)
                for i in reversed(range(len(relation.scalars))):
                    if width + i in read:
                        read |= self.read(relation.scalars[i])
                below = frozenset(column for column in read if column < width)
                return replace(relation, input=self.keep(relation.input, below, once))
            case Filter():
                below = wanted | self.all_read(relation.predicates)
                return replace(relation, input=self.keep(relation.input, below, once))
            case BoundJoin():
                return self.join(relation, wanted, once)
            case Reduce():
                below = self.all_read(scalars(relation))
                idempotent = not relation.aggregates
                return replace(relation, input=self.keep(relation.input, below, idempotent))
            case Distinct():
                whole = frozenset(range(self.facts.arity(relation)))
                return replace(relation, input=self.keep(relation.input, whole, True))
            case TopK():
                below = wanted | {*relation.group, *(order.column for order in relation.order)}
                return replace(relation, input=self.keep(relation.input, below, False))
            case Window():
                width = self.facts.arity(relation.input)
                below = {*relation.partition, *(order.column for order in relation.order)}
                below |= {column for call in relation.calls for column in call.reads()}
                below |= {column for column in wanted if column < width}
                return replace(relation, input=self.keep(relation.input, frozenset(below), False))
            case FlatMap():
                width = self.facts.arity(relation.input)
                below = frozenset(column for column in wanted if column < width) | self.all_read(relation.arguments)
                return replace(relation, input=self.keep(relation.input, below, once))
            case Union():
                once = once and positive(relation)
                return with_children(relation, tuple(self.keep(child, wanted, once) for child in relation.inputs))
            case Let() | LetRec():
                whole = [frozenset(range(self.facts.arity(child))) for child in children(relation)]
                whole[-1] = wanted
                inputs = zip(children(relation), whole, strict=True)
                return with_children(relation, tuple(self.keep(child, read, False) for child, read in inputs))
            case _:
                whole = frozenset(range(self.facts.arity(relation)))
                return with_children(relation, tuple(self.keep(child, whole, False) for child in children(relation)))

    def join(self, relation: BoundJoin, wanted: Columns, once: bool) -> Relation:
        width = self.facts.arity(relation.left)
        columns = self.facts.columns(relation.right)
        unread = relation.kind is JoinKind.LEFT and all(column < width for column in wanted)
        if unread and (once or self.meets_one(relation, width)):
            return Map(self.keep(relation.left, wanted, once), tuple(null(type_) for type_, _ in columns))
        read = wanted | self.read(relation.on)
        left = frozenset(column for column in read if column < width)
        if relation.lateral:
            left |= frozenset(column for depth, column in self.references.of(relation.right) if depth == 1)
        right = frozenset(column - width for column in read if column >= width)
        return replace(
            relation, left=self.keep(relation.left, left, once), right=self.keep(relation.right, right, once)
        )

    def meets_one(self, relation: BoundJoin, width: int) -> bool:
        """Whether no row of the left meets two of the right: one row at most, or equalities for all of a key."""
        tied: set[int] = set()
        for predicate in conjuncts((relation.on,)):
            sides = equal_sides(predicate)
            for one, other in (sides, sides[::-1]) if sides else ():
                if isinstance(one, Ref) and one.index >= width and all(c < width for c in self.read(other)):
                    tied.add(one.index - width)
        return self.facts.unique(relation.right, tied)

    def read(self, scalar: BoundScalar) -> Columns:
        """The columns of its own row that a scalar reads, in subqueries too."""
        return frozenset(column for depth, column in self.references.of_scalar(scalar) if depth == 0)

    def all_read(self, held: Iterable[BoundScalar]) -> Columns:
        return frozenset().union(*map(self.read, held))
