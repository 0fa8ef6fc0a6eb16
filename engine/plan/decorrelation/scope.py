"""What a relation is computed against while subqueries become joins, and the row that scalars are lowered over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.expr.scalar import Scalar
from engine.plan.decorrelation.outer import Reference
from engine.plan.relation import (
    UNIT,
    Let,
    Relation,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a relation is computed against: distinct rows of outer columns; `at` says which reference is in which.

    `rounds`: where the columns lie that a recursion around the relation is computed against, by the id of its rows.
    Without columns there is one row if somebody asks for the relation, and none if nobody does.
    """

    rows: Relation
    width: int
    at: Mapping[Reference, int]
    rounds: Mapping[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])


TOP: Final = Scope(UNIT, 0, {})


@dataclass(slots=True)
class Row:
    """The row that scalars are being lowered over, while subqueries add columns to it.

    `at[i]` is where column i of the bound relation lies in `relation`; `lets` are to be wrapped around the result.
    `guards` are the conditions, in their order, under which a row gets to what is being lowered: those of CASE, AND, OR
    and COALESCE around it.
    """

    relation: Relation
    width: int
    at: list[int]
    lets: list[tuple[int, Relation]] = field(default_factory=list)
    guards: list[Scalar] = field(default_factory=list)

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
