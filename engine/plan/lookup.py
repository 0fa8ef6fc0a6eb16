"""Queries that an arrangement answers by itself: literals or parameters for every column of one of its keys."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Final, TypeAlias, cast

from engine.dataflow.graph import Compute, Keep, Mfp, Plan, Source, nodes
from engine.dataflow.seeking import Seek
from engine.expr.registry import Placeholder
from engine.expr.scalar import INTEGERS, Call, Literal, Logic, Ref, Scalar, Value
from engine.plan.lower import Arranged
from engine.plan.predicates import equal_sides
from engine.plan.relation import BoundScalar
from engine.plan.scalars import conjuncts, rewrite
from engine.types import CastContext, SqlType, cast_context

LOOKUP_KEYS_MAX: Final = 10_000
"""Keys of one look-up (IN lists multiply): beyond it, reading everything once is no worse."""

Step: TypeAlias = Compute | Keep


@dataclass(frozen=True, slots=True)
class KeyLookup:
    """The rows of collection `id` whose columns `key` equal one of `choices` (distinct, no NULLs), through `mfp`.

    A choice is a literal or, in a statement that is not run yet, a placeholder. `rest` are the steps of `mfp` without
    the predicates that the look-up has answered.
    """

    id: int
    key: tuple[int, ...]
    choices: tuple[tuple[Scalar, ...], ...]
    mfp: Mfp
    rest: tuple[Step, ...]

    @property
    def values(self) -> tuple[tuple[Value, ...], ...]:
        """The choices, when all are literals."""
        rows = (tuple(scalar.value for scalar in row if isinstance(scalar, Literal)) for row in self.choices)
        return tuple(dict.fromkeys(rows))


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
    wanted: dict[int, tuple[Scalar, ...]] = {}
    answered: dict[int, BoundScalar] = {}
    for step in plan.steps:
        if not isinstance(step, Keep):
            break
        for predicate in conjuncts((step.predicate,)):
            found = column_values(predicate, plan.input.types)
            if found is not None and found[0] not in wanted:
                wanted[found[0]], answered[found[0]] = found[1], predicate
    for key in sorted(keys, key=lambda key: (-len(key), key)):
        if key and all(column in wanted for column in key):
            choices = [wanted[column] for column in key]
            if prod(map(len, choices)) <= LOOKUP_KEYS_MAX:
                done = [answered[column] for column in key]
                return KeyLookup(plan.input.id, key, tuple(product(*choices)), plan, without(plan.steps, done))
    return by_whole_keys(plan, plan.input, keys)


def seeks_of(plan: Plan, arranged: Arranged) -> tuple[Seek, ...]:
    """What of a plan that is run once can be found by the keys in `arranged`, anywhere in it. O(size)."""
    found = [lookup for node in nodes(plan) if (lookup := as_lookup(node, arranged)) is not None]
    literal = [lookup for lookup in found if all(isinstance(s, Literal) for row in lookup.choices for s in row)]
    return tuple(Seek(lookup.mfp, lookup.key, lookup.values) for lookup in literal)


def missing(plan: Plan, key: tuple[int, ...]) -> tuple[int, ...]:
    """The columns of a key that a plan over one collection gives no literals for, where it gives some for others: rows
    are found by whole keys only."""
    if not isinstance(plan, Mfp) or not isinstance(plan.input, Source):
        return ()
    given: set[int] = set()
    for step in plan.steps:
        if not isinstance(step, Keep):
            break
        given |= branch_values(step.predicate, plan.input.types).keys()
    return tuple(column for column in key if column not in given) if given & set(key) else ()


def by_whole_keys(plan: Mfp, source: Source, keys: AbstractSet[tuple[int, ...]]) -> KeyLookup | None:
    """The look-up of an OR whose every branch has literals for the whole of a key: `(a, b) IN ((1, 2), (3, 4))`."""
    for step in plan.steps:
        if not isinstance(step, Keep):
            break
        for predicate in conjuncts((step.predicate,)):
            if not isinstance(predicate, Logic) or predicate.conjunction:
                continue
            branches = [branch_values(branch, source.types) for branch in predicate.arguments]
            for key in sorted(keys, key=lambda key: (-len(key), key)):
                if key and all(column in branch for branch in branches for column in key):
                    each = [[branch[column] for column in key] for branch in branches]
                    if sum(prod(map(len, choices)) for choices in each) <= LOOKUP_KEYS_MAX:
                        rows = dict.fromkeys(row for choices in each for row in product(*choices))
                        return KeyLookup(source.id, key, tuple(rows), plan, plan.steps)
    return None


def branch_values(branch: Scalar, row: tuple[SqlType, ...]) -> dict[int, tuple[Scalar, ...]]:
    """The columns that a branch of an OR bounds to a few values, and these."""
    found = [column_values(part, row) for part in conjuncts((branch,))]
    return dict(reversed([pair for pair in found if pair is not None]))


def without(steps: tuple[Step, ...], answered: list[BoundScalar]) -> tuple[Step, ...]:
    """The steps but those conjuncts (by identity)."""
    rest: list[Step] = []
    for step in steps:
        if isinstance(step, Keep):
            kept = [part for part in conjuncts((step.predicate,)) if not any(part is one for one in answered)]
            rest += [Keep(cast(Scalar, part)) for part in kept]
        else:
            rest.append(step)
    return tuple(rest)


def column_values(predicate: object, row: tuple[SqlType, ...]) -> tuple[int, tuple[Scalar, ...]] | None:
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
        if not isinstance(one, Ref):
            continue
        if isinstance(other, Literal) and comparable(one, other, row):
            return one.index, () if other.value is None else (other,)
        given = placeholder(other)
        if given is not None and comparable(one, given, row):
            return one.index, (given,)
    return None


def placeholder(scalar: Scalar) -> Call | None:
    """The placeholder that a scalar is, perhaps as a wider integer, which is the same number."""
    if not isinstance(scalar, Call):
        return None
    if isinstance(scalar.function, Placeholder):
        return scalar
    if scalar.function.name == "cast" and scalar.type in INTEGERS:
        inner = scalar.arguments[0]
        if isinstance(inner, Call) and isinstance(inner.function, Placeholder) and inner.type in INTEGERS:
            return inner if cast_context(inner.type, scalar.type) is CastContext.IMPLICIT else None
    return None


def comparable(column: Ref, literal: Scalar, row: tuple[SqlType, ...]) -> bool:
    """Whether the literal's value, taken as one of the column's type, has the word that it is compared by."""
    own = row[column.index].plain
    return literal.type.plain == own or (own in INTEGERS and literal.type in INTEGERS)


def over_index(plan: Mfp, id: int, expressions: tuple[Scalar, ...]) -> Mfp:
    """A plan over the rows of a collection as one over collection `id`, which has those rows with `expressions` behind
    their columns: what is asked of an expression is asked of its column. What the plan computes stands behind both."""
    assert isinstance(plan.input, Source)
    width = len(plan.input.types)

    def change(scalar: Scalar) -> Scalar:
        if isinstance(scalar, Ref) and scalar.index >= width:
            return Ref(scalar.index + len(expressions), scalar.type, scalar.nullable)
        for place, expression in enumerate(expressions, width):
            if scalar == expression:
                return Ref(place, scalar.type, scalar.nullable)
        return scalar

    steps = tuple(
        Compute(rewrite(step.expression, change))
        if isinstance(step, Compute)
        else Keep(rewrite(step.predicate, change))
        for step in plan.steps
    )
    types = (*plan.input.types, *(expression.type for expression in expressions))
    project = tuple(column if column < width else column + len(expressions) for column in plan.project)
    return replace(plan, input=Source(id, types), steps=steps, project=project)
