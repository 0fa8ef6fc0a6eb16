"""`row_number() <= k` over a window: of each partition the first k rows are enough, and a TopK keeps just these.

A change then costs what it costs the TopK, whatever the size of the partition. It holds while every call of the window
looks only at rows before its own. TopK and Window break ties alike, by the whole row.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.dataflow.graph import Order
from engine.expr.scalar import Call, Literal, Ref, Scalar
from engine.expr.window import Kind
from engine.plan.facts import Facts
from engine.plan.relation import Project, Relation, TopK, Window

MIRRORED: Final = {"<=": ">=", "<": ">", "=": "=", ">=": "<=", ">": "<"}


def limited(relation: Window, predicates: Sequence[Scalar], facts: Facts) -> tuple[Window, Sequence[Scalar]]:
    """The window over the rows that may pass the predicates, which stand above it, and those that all its rows do not
    pass anyway."""
    if not all(call.looks_back() for call in relation.calls):
        return relation, predicates
    width = facts.arity(relation.input)
    numbers = {width + i for i, call in enumerate(relation.calls) if call.kind is Kind.ROW_NUMBER}
    found = [limit for predicate in predicates if (limit := most(predicate, numbers)) is not None]
    if not found:
        return relation, predicates
    limit = max(0, min(found))
    left = [predicate for predicate in predicates if not passes(predicate, numbers, limit)]
    if has_limit(relation.input, relation.partition, relation.order, limit):
        return relation, left
    return replace(relation, input=TopK(relation.input, relation.partition, relation.order, limit)), left


def passes(predicate: Scalar, numbers: set[int], limit: int) -> bool:
    """Whether every row number from 1 to the limit passes."""
    bound = most(predicate, numbers)
    if bound is None or bound < limit:
        return False
    return bound == limit == 1 or not is_equality(predicate)


def is_equality(predicate: Scalar) -> bool:
    return isinstance(predicate, Call) and predicate.function.name == "="


def most(predicate: Scalar, numbers: set[int]) -> int | None:
    """The largest row number that passes, if the predicate compares one with a constant."""
    if not isinstance(predicate, Call) or len(predicate.arguments) != 2 or predicate.function.name not in MIRRORED:
        return None
    (left, right), operator = predicate.arguments, predicate.function.name
    if isinstance(left, Literal):
        left, right, operator = right, left, MIRRORED[operator]
    if not (isinstance(left, Ref) and left.index in numbers and isinstance(right, Literal)):
        return None
    if type(right.value) is not int or operator not in ("<=", "<", "="):
        return None
    return right.value - (operator == "<")


def has_limit(relation: Relation, partition: tuple[int, ...], order: tuple[Order, ...], limit: int) -> bool:
    """Whether the relation is such a TopK already, but for a projection."""
    if isinstance(relation, Project):
        partition = tuple(relation.columns[column] for column in partition)
        order = tuple(replace(item, column=relation.columns[item.column]) for item in order)
        return has_limit(relation.input, partition, order, limit)
    if not isinstance(relation, TopK) or relation.limit is None or relation.offset:
        return False
    return relation.limit <= limit and set(relation.group) == set(partition) and relation.order == order
