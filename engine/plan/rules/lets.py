"""WITH: a value that is read once, or that keeps no state, goes where it is read; what is never read goes."""

from engine.plan.facts import Facts
from engine.plan.relation import Constant, Filter, Get, Let, Local, Map, Project, Relation, children, with_children


def inline_lets(relation: Relation, facts: Facts) -> Relation:
    """Lets kept only where they share a state. O(size) for each Let that goes."""
    relation = with_children(relation, tuple(inline_lets(child, facts) for child in children(relation)))
    if not isinstance(relation, Let):
        return relation
    reads = count_reads(relation.body, relation.id)
    if reads <= 1 or stateless(relation.value):
        return put(relation.body, relation.id, relation.value)
    if isinstance(relation.value, Let):  # one list of shared relations, not a tree: ids are unique
        inner = relation.value
        return Let(inner.id, inner.value, Let(relation.id, inner.body, relation.body))
    return relation


def stateless(relation: Relation) -> bool:
    """Whether reading it twice costs no second state: a collection through maps and filters."""
    while isinstance(relation, Project | Map | Filter):
        relation = relation.input
    return isinstance(relation, Get | Local | Constant)


def count_reads(relation: Relation, id_: int) -> int:
    if isinstance(relation, Local):
        return relation.id == id_
    return sum(count_reads(child, id_) for child in children(relation))


def put(relation: Relation, id_: int, value: Relation) -> Relation:
    """The value in place of each Local(id_)."""
    if isinstance(relation, Local):
        return value if relation.id == id_ else relation
    return with_children(relation, tuple(put(child, id_, value) for child in children(relation)))
