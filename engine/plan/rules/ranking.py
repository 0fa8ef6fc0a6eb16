"""A ranking with an upper bound over a window: of each partition a prefix is enough, and a TopK keeps just that.

`row_number() <= k` is the first k rows, `rank() <= k` these and the peers of the last, `dense_rank() <= k` the first k
groups of peers: each holds the one before. A change then costs what it costs the TopK, whatever the size of the
partition. It holds while every call of the window looks only at rows before its own; one that looks at its own peers
too asks for a prefix that cuts none of them. TopK and Window break ties alike, by the whole row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil, floor, isfinite
from typing import Final

from engine import types
from engine.dataflow.graph import Order, Ties
from engine.expr.scalar import Call, Literal, Logic, Ref, Scalar
from engine.expr.window import Kind
from engine.plan.facts import Facts
from engine.plan.relation import Project, Relation, TopK, Window

MIRRORED: Final = {"<=": ">=", "<": ">", "=": "=", ">=": "<=", ">": "<"}
RANKED: Final = {Kind.ROW_NUMBER: Ties.CUT, Kind.RANK: Ties.WHOLE, Kind.DENSE_RANK: Ties.COUNTED}
"""By function, what a bound of it says of peers."""
LEVEL: Final = {Ties.CUT: 0, Ties.WHOLE: 1, Ties.COUNTED: 2}
"""row_number() >= rank() >= dense_rank(), so a bound of one is a bound of those after it."""
BOUND_MAX: Final = 1 << 24
"""Below it a real tells whole numbers apart; so long a prefix saves nothing."""
EXACT: Final = (types.BIGINT, types.NUMERIC, types.REAL, types.DOUBLE)
"""Types in which a ranking may be compared with a bound."""

Rankings = Mapping[int, Ties]
"""The columns of a window that are rankings."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """The rows of a partition of which a ranking is at most `limit`."""

    ties: Ties
    limit: int

    @property
    def size(self) -> tuple[int, int]:
        """The smaller, the better. What cuts peers is shorter than what does not."""
        return LEVEL[self.ties], self.limit


def limited(relation: Window, predicates: Sequence[Scalar], facts: Facts) -> tuple[Window, Sequence[Scalar]]:
    """The window over the rows that may pass the predicates, which stand above it, and those that all its rows do not
    pass anyway."""
    peers = not all(call.looks_back(False) for call in relation.calls)
    if peers and not all(call.looks_back(True) for call in relation.calls):
        return relation, predicates
    width = facts.arity(relation.input)
    ranks = {width + i: RANKED[call.kind] for i, call in enumerate(relation.calls) if call.kind in RANKED}
    found = [prefix for predicate in predicates if (prefix := within(predicate, ranks)) is not None]
    if not found:
        return relation, predicates
    best = min(found, key=lambda prefix: prefix.size)
    if peers and best.ties is Ties.CUT:
        best = replace(best, ties=Ties.WHOLE)
    left = [predicate for predicate in predicates if not passes(predicate, ranks, best)]
    if not relation.order and best.ties is not Ties.CUT:  # all rows are peers, of rank 1
        return relation, left if best.limit else predicates
    if has_limit(relation.input, relation.partition, relation.order, best):
        return relation, left
    prefix = TopK(relation.input, relation.partition, relation.order, best.limit, ties=best.ties)
    return replace(relation, input=prefix), left


def within(predicate: Scalar, ranks: Rankings) -> Prefix | None:
    """The shortest prefix known to have all rows that pass."""
    if isinstance(predicate, Logic):
        parts = [within(part, ranks) for part in predicate.arguments]
        found = [part for part in parts if part is not None]
        if not found or (len(found) < len(parts) and not predicate.conjunction):
            return None
        if predicate.conjunction:
            return min(found, key=lambda prefix: prefix.size)
        ties = max((prefix.ties for prefix in found), key=LEVEL.__getitem__)
        return Prefix(ties, max(prefix.limit for prefix in found))
    compared = comparison(predicate, ranks)
    if compared is None or compared[1] not in ("<=", "<", "="):
        return None
    column, operator, value = compared
    most = ceil(value) - 1 if operator == "<" else floor(value)
    return Prefix(ranks[column], max(0, most))


def passes(predicate: Scalar, ranks: Rankings, prefix: Prefix) -> bool:
    """Whether every row of the prefix is sure to pass."""
    compared = comparison(predicate, ranks)
    if compared is None:
        return False
    column, operator, value = compared
    if operator in (">=", ">"):
        return value <= 1 if operator == ">=" else value < 1
    if LEVEL[ranks[column]] < LEVEL[prefix.ties]:
        return False
    if operator == "=":
        return prefix.limit == value == 1
    return prefix.limit <= value if operator == "<=" else prefix.limit < value


def comparison(predicate: Scalar, ranks: Rankings) -> tuple[int, str, int | float | Decimal] | None:
    """The ranking, the operator and the number, if the predicate compares one with a constant."""
    if not isinstance(predicate, Call) or len(predicate.arguments) != 2 or predicate.function.name not in MIRRORED:
        return None
    (left, right), operator = predicate.arguments, predicate.function.name
    if isinstance(left, Literal):
        left, right, operator = right, left, MIRRORED[operator]
    if isinstance(left, Call) and left.function.name == "cast" and left.type in EXACT:
        left = left.arguments[0]
    if not (isinstance(left, Ref) and left.index in ranks and isinstance(right, Literal)):
        return None
    value = right.value
    if isinstance(value, int | float | Decimal) and isfinite(value) and abs(value) < BOUND_MAX:
        return left.index, operator, value
    return None


def has_limit(relation: Relation, partition: tuple[int, ...], order: tuple[Order, ...], prefix: Prefix) -> bool:
    """Whether the relation is within such a prefix of each partition already, but for a projection."""
    if isinstance(relation, Project):
        partition = tuple(relation.columns[column] for column in partition)
        order = tuple(replace(item, column=relation.columns[item.column]) for item in order)
        return has_limit(relation.input, partition, order, prefix)
    if not isinstance(relation, TopK) or relation.limit is None or relation.offset:
        return False
    if relation.limit > prefix.limit or LEVEL[relation.ties] > LEVEL[prefix.ties]:
        return False
    return set(relation.group) == set(partition) and relation.order == order
