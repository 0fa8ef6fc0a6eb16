"""Rewriting bound relations all through: also the subqueries inside their scalars."""

from collections.abc import Callable
from dataclasses import replace

from engine.plan.relation import (
    BoundScalar,
    Exists,
    Let,
    LetRec,
    Local,
    Quantified,
    Relation,
    ScalarSubquery,
    children,
    map_scalars,
    with_children,
)
from engine.plan.scalars import parts, with_parts


def rewrite(
    relation: Relation,
    change: Callable[[Relation], Relation],
    change_scalar: Callable[[BoundScalar], BoundScalar] = lambda scalar: scalar,
) -> Relation:
    """Every relation and every scalar of a bound relation changed, bottom up. O(size)."""

    def scalar(node: BoundScalar) -> BoundScalar:
        match node:
            case Exists() | ScalarSubquery():
                inner = relation_(node.relation)
                return node if inner is node.relation else replace(node, relation=inner)
            case Quantified():
                inner, condition = relation_(node.relation), scalar(node.condition)
                if inner is node.relation and condition is node.condition:
                    return node
                return replace(node, relation=inner, condition=condition)
            case _:
                return change_scalar(with_parts(node, tuple(map(scalar, parts(node)))))

    def relation_(node: Relation) -> Relation:
        below = with_children(node, tuple(map(relation_, children(node))))
        return change(map_scalars(below, scalar))

    return relation_(relation)


def renumbered(relation: Relation, fresh: Callable[[], int]) -> Relation:
    """The relation with ids of its own for its Lets: what a view's query gets wherever it is inlined."""
    ids: dict[int, int] = {}

    def change(node: Relation) -> Relation:
        match node:
            case Let():
                return replace(node, id=ids.setdefault(node.id, fresh()))
            case LetRec():
                return replace(node, ids=tuple(ids.setdefault(id_, fresh()) for id_ in node.ids))
            case Local():
                if node.id not in ids:
                    ids[node.id] = fresh()
                return replace(node, id=ids[node.id])
            case _:
                return node

    return rewrite(relation, change)
