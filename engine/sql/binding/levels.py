"""How many queries out the columns are that a bound expression reads, and the expression as that query has it."""

from collections.abc import Callable
from dataclasses import replace

from engine.expr.scalar import Ref
from engine.plan.decorrelation.outer import References
from engine.plan.relation import (
    AggregateCall,
    BoundJoin,
    BoundScalar,
    Exists,
    Outer,
    Quantified,
    Relation,
    ScalarSubquery,
    call_scalars,
    children,
    map_scalars,
    with_children,
)
from engine.plan.scalars import parts, with_parts

Change = Callable[[BoundScalar, int], BoundScalar | None]
"""Gives what stands for a scalar that is so many subqueries deep, or None: its parts are to be changed."""


def level_of(call: AggregateCall) -> int:
    """The innermost query whose columns an aggregate reads, 0 for the one that it stands in: that is whose it is."""
    references = References()
    depths = {depth for scalar in call_scalars(call) for depth, _ in references.of_scalar(scalar)}
    return min(depths, default=0)


def outward(scalar: BoundScalar, by: int) -> BoundScalar:
    """The scalar as the query `by` levels out has it: nothing in it is nearer than that."""

    def change(part: BoundScalar, level: int) -> BoundScalar | None:
        if not isinstance(part, Outer) or part.depth <= level:
            return None
        if part.depth - by == 0:
            return Ref(part.index, part.type, part.nullable)
        return replace(part, depth=part.depth - by)

    return changed(scalar, change, 0)


def changed(scalar: BoundScalar, change: Change, level: int) -> BoundScalar:
    """The scalar, which stands `level` subqueries deep, changed from the top down, and all in its subqueries."""
    found = change(scalar, level)
    if found is not None:
        return found
    match scalar:
        case Exists() | ScalarSubquery():
            return replace(scalar, relation=changed_within(scalar.relation, change, level + 1))
        case Quantified():
            inner = changed_within(scalar.relation, change, level + 1)
            return replace(scalar, relation=inner, condition=changed(scalar.condition, change, level))
        case _:
            return with_parts(scalar, tuple(changed(part, change, level) for part in parts(scalar)))


def changed_within(relation: Relation, change: Change, level: int) -> Relation:
    """Each scalar of a relation whose row is `level` subqueries deep."""
    below = children(relation)
    lateral = isinstance(relation, BoundJoin) and relation.lateral
    new = tuple(
        changed_within(child, change, level + (1 if lateral and i == 1 else 0)) for i, child in enumerate(below)
    )
    return map_scalars(with_children(relation, new), lambda scalar: changed(scalar, change, level))
