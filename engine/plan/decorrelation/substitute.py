"""A correlated WITH is put where it is read, its outer references counted from there."""

from dataclasses import replace

from engine.plan.relation import (
    BoundJoin,
    BoundScalar,
    Exists,
    Local,
    Outer,
    Quantified,
    Relation,
    ScalarSubquery,
    children,
    map_scalars,
    with_children,
)
from engine.plan.scalars import (
    parts,
    with_parts,
)


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
