"""Queries that an arrangement answers by itself: literals for every column of a key it is arranged by."""

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Final

from engine.dataflow.graph import Keep, Mfp, Plan, Source
from engine.expr.scalar import INTEGERS, Call, Literal, Logic, Ref, Scalar, Value
from engine.plan.lower import Arranged
from engine.plan.predicates import equal_sides
from engine.plan.scalars import conjuncts
from engine.types import SqlType

LOOKUP_KEYS_MAX: Final = 10_000
"""Keys of one look-up (IN lists multiply): beyond it, reading everything once is no worse."""


@dataclass(frozen=True, slots=True)
class KeyLookup:
    """The rows of collection `id` whose columns `key` equal one of `values` (distinct, no NULLs), through `mfp`."""

    id: int
    key: tuple[int, ...]
    values: tuple[tuple[Value, ...], ...]
    mfp: Mfp


def as_lookup(plan: Plan, arranged: Arranged) -> KeyLookup | None:
    """The look-up that answers a plan, if it reads one collection by literals for a key in `arranged`.

    Filters before the first computed column count: `column = literal`, `column IN (literals)`. The longest key wins.
    The Mfp keeps every step, so it decides alone which rows come out.
    """
    if not isinstance(plan, Mfp) or not isinstance(plan.input, Source):
        return None
    keys = arranged.get(plan.input.id, frozenset())
    if not keys:
        return None
    wanted: dict[int, tuple[Value, ...]] = {}
    for step in plan.steps:
        if not isinstance(step, Keep):
            break
        for predicate in conjuncts((step.predicate,)):
            found = column_values(predicate, plan.input.types)
            if found is not None:
                wanted.setdefault(found[0], found[1])
    for key in sorted(keys, key=lambda key: (-len(key), key)):
        if key and all(column in wanted for column in key):
            choices = [wanted[column] for column in key]
            if prod(map(len, choices)) <= LOOKUP_KEYS_MAX:
                return KeyLookup(plan.input.id, key, tuple(product(*choices)), plan)
    return None


def column_values(predicate: object, row: tuple[SqlType, ...]) -> tuple[int, tuple[Value, ...]] | None:
    """The column that a predicate bounds to a few values, and these; NULL is none of them."""
    if isinstance(predicate, Logic) and not predicate.conjunction:
        parts = [column_values(part, row) for part in predicate.arguments]
        columns = {part[0] for part in parts if part is not None}
        if len(columns) != 1 or None in parts:
            return None
        values = dict.fromkeys(value for part in parts if part is not None for value in part[1])
        return columns.pop(), tuple(values)
    sides = equal_sides(predicate) if isinstance(predicate, Call) else None
    if sides is None:
        return None
    for one, other in (sides, sides[::-1]):
        if isinstance(one, Ref) and isinstance(other, Literal) and comparable(one, other, row):
            return one.index, () if other.value is None else (other.value,)
    return None


def comparable(column: Ref, literal: Scalar, row: tuple[SqlType, ...]) -> bool:
    """Whether the literal's value, taken as one of the column's type, has the word that it is compared by."""
    own = row[column.index].plain
    return literal.type.plain == own or (own in INTEGERS and literal.type in INTEGERS)
