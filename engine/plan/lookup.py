"""Queries that an arrangement answers by itself: what is given for every column of one of its keys.

Given are literals, alone or as the elements of an array; in a statement that is not run yet also parameters, and what
is computed of both: they are literals when it is run.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Final, TypeAlias, cast

from engine import types
from engine.collection.value import MINUS_ZERO
from engine.dataflow.graph import Compute, Keep, Mfp, Plan, Source, nodes
from engine.dataflow.node import Key
from engine.dataflow.seeking import Seek
from engine.expr.membership import AMONG, elements
from engine.expr.registry import Placeholder
from engine.expr.scalar import INTEGERS, Call, Literal, Logic, Ref, Scalar, Value
from engine.plan.lower import Arranged
from engine.plan.predicates import equal_sides, same_sides
from engine.plan.relation import BoundScalar
from engine.plan.scalars import conjuncts, map_refs, parts, rewrite
from engine.types import CastContext, Physical, SqlType, cast_context

LOOKUP_KEYS_MAX: Final = 10_000
"""Keys of one look-up (IN lists multiply): beyond it, reading everything once is no worse."""

TEXTS: Final = (types.TEXT, types.VARCHAR)
"""Types of one word for one text."""

Step: TypeAlias = Compute | Keep


@dataclass(frozen=True, slots=True)
class Each:
    """The elements of an array that is given when the statement is run; NULL is none of them."""

    array: Scalar


Choice: TypeAlias = Scalar | Each


@dataclass(frozen=True, slots=True)
class KeyLookup:
    """The rows of collection `id` whose columns `key` equal one of `choices` (distinct, no NULLs), through `mfp`.

    All is literal, but in a statement that is not run yet. `rest` are the steps of `mfp` without the predicates that
    the look-up has answered.
    """

    id: int
    key: tuple[int, ...]
    choices: tuple[tuple[Choice, ...], ...]
    mfp: Mfp
    rest: tuple[Step, ...]

    @property
    def values(self) -> tuple[tuple[Value, ...], ...]:
        """The choices, when all are literals."""
        rows = (tuple(scalar.value for scalar in row if isinstance(scalar, Literal)) for row in self.choices)
        return tuple(dict.fromkeys(rows))


def as_lookup(plan: Plan, arranged: Arranged, later: bool = False) -> KeyLookup | None:
    """The look-up that answers a plan, if it reads one collection by what is given for a key in `arranged`; `later`:
    when its statement is run.

    Filters before the first computed column count: `column = literal`, `column IN (literals)`, `column = ANY (array)`.
    The longest key wins. The Mfp keeps every step, so it decides alone which rows come out.
    """
    if not isinstance(plan, Mfp) or not isinstance(plan.input, Source):
        return None
    keys = arranged.get(plan.input.id, frozenset())
    if not keys:
        return None
    given = Given(plan.input.types, later)
    wanted: dict[int, tuple[Choice, ...]] = {}
    answered: dict[int, BoundScalar] = {}
    for predicate in leading(plan):
        found = given.column_values(predicate)
        if found is not None and found[0] not in wanted:
            wanted[found[0]], answered[found[0]] = found[1], predicate
    for key in sorted(keys, key=lambda key: (-len(key), key)):
        if key and all(column in wanted for column in key):
            choices = [wanted[column] for column in key]
            if prod(map(len, choices)) <= LOOKUP_KEYS_MAX:
                done = [answered[column] for column in key]
                return KeyLookup(plan.input.id, key, tuple(product(*choices)), plan, without(plan.steps, done))
    return by_whole_keys(plan, plan.input, keys, given)


def seeks_of(plan: Plan, arranged: Arranged) -> tuple[Seek, ...]:
    """What of a plan that is run once can be found by the keys in `arranged`, anywhere in it. O(size)."""
    found = (lookup for node in nodes(plan) for lookup in as_lookups(node, arranged))
    return tuple(Seek(lookup.mfp, lookup.key, lookup.values) for lookup in found)


def as_lookups(plan: Plan, arranged: Arranged) -> tuple[KeyLookup, ...]:
    """The look-ups that find between them all that a plan reads of one collection: one, or, where the branches of an OR
    are each given a key of their own, one of each key. A row may be found by several. (): there are none."""
    found = as_lookup(plan, arranged)
    if found is not None:
        return (found,)
    if not isinstance(plan, Mfp) or not isinstance(plan.input, Source):
        return ()
    keys, given = arranged.get(plan.input.id, frozenset()), Given(plan.input.types)
    for predicate in leading(plan):
        if isinstance(predicate, Logic) and not predicate.conjunction:
            rows = by_keys([given.branch_values(branch) for branch in predicate.arguments], keys)
            if rows is not None:
                return tuple(KeyLookup(plan.input.id, key, tuple(rows[key]), plan, plan.steps) for key in rows)
    return ()


def by_keys(
    branches: Sequence[Mapping[int, tuple[Choice, ...]]], keys: AbstractSet[Key]
) -> dict[Key, dict[tuple[Choice, ...], None]] | None:
    """What each branch gives for the longest key that it gives all of; None: one gives none, or they are too many."""
    found: dict[Key, dict[tuple[Choice, ...], None]] = {}
    for branch in branches:
        whole = [key for key in keys if key and all(column in branch for column in key)]
        if not whole:
            return None
        key = min(whole, key=lambda key: (-len(key), key))
        choices = [branch[column] for column in key]
        if sum(map(len, found.values())) + prod(map(len, choices)) > LOOKUP_KEYS_MAX:
            return None
        found.setdefault(key, {}).update(dict.fromkeys(product(*choices)))
    return found


def leading(plan: Mfp) -> Iterator[BoundScalar]:
    """The conjuncts of the filters before the first computed column."""
    for step in plan.steps:
        if not isinstance(step, Keep):
            return
        yield from conjuncts((step.predicate,))


def missing(plan: Plan, key: tuple[int, ...]) -> tuple[int, ...]:
    """The columns of a key that a plan over one collection gives no literals for, where it gives some for others: rows
    are found by whole keys only."""
    if not isinstance(plan, Mfp) or not isinstance(plan.input, Source):
        return ()
    given, known = Given(plan.input.types), set[int]()
    for step in plan.steps:
        if not isinstance(step, Keep):
            break
        known |= given.branch_values(step.predicate).keys()
    return tuple(column for column in key if column not in known) if known & set(key) else ()


def by_whole_keys(plan: Mfp, source: Source, keys: AbstractSet[tuple[int, ...]], given: "Given") -> KeyLookup | None:
    """The look-up of an OR whose every branch has literals for the whole of a key: `(a, b) IN ((1, 2), (3, 4))`."""
    for predicate in leading(plan):
        if not isinstance(predicate, Logic) or predicate.conjunction:
            continue
        branches = [given.branch_values(branch) for branch in predicate.arguments]
        for key in sorted(keys, key=lambda key: (-len(key), key)):
            rows = by_keys(branches, {key})
            if rows is not None:
                return KeyLookup(source.id, key, tuple(rows[key]), plan, plan.steps)
    return None


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


@dataclass(frozen=True, slots=True)
class Given:
    """What predicates over rows of these types bound columns to. `later`: literals are not all that will be given."""

    row: tuple[SqlType, ...]
    later: bool = False

    def branch_values(self, branch: Scalar) -> dict[int, tuple[Choice, ...]]:
        """The columns that a branch of an OR bounds to a few values, and these."""
        found = [self.column_values(part) for part in conjuncts((branch,))]
        return dict(reversed([pair for pair in found if pair is not None]))

    def column_values(self, predicate: BoundScalar) -> tuple[int, tuple[Choice, ...]] | None:
        """The column that a predicate bounds to a few values, and these; NULL is none of them."""
        if isinstance(predicate, Logic) and not predicate.conjunction:
            parts = [self.column_values(part) for part in predicate.arguments]
            columns = {part[0] for part in parts if part is not None}
            if len(columns) != 1 or None in parts:
                return None
            values = dict.fromkeys(value for part in parts if part is not None for value in part[1])
            return columns.pop(), tuple(values)
        if not isinstance(predicate, Call):
            return None
        if predicate.function.name == AMONG:
            return self.among(*predicate.arguments)
        sides = equal_sides(predicate)
        if sides is None:
            sides = same_sides(predicate)
            if sides is None or not any(isinstance(side, Literal) and side.value is not None for side in sides):
                return None
        for one, other in (sides, sides[::-1]):
            found = self.value(one, other)
            if found is not None:
                return found
        return None

    def value(self, one: Scalar, other: Scalar) -> tuple[int, tuple[Choice, ...]] | None:
        """The column that a side is, and the value that the other one is."""
        one = as_varchar(one)
        if isinstance(one, Ref) and self.comparable(one, other.type) and self.known(other):
            null = isinstance(other, Literal) and other.value is None
            return one.index, () if null else (placeholder(other) or other,)
        if isinstance(one, Call) and one.function.name == "unsigned_zero" and isinstance(other, Literal):
            (inner,) = one.arguments
            if isinstance(inner, Ref) and other.value == 0:
                return inner.index, (other, Literal(MINUS_ZERO, other.type))
        return None

    def among(self, operand: Scalar, array: Scalar) -> tuple[int, tuple[Choice, ...]] | None:
        """The column and the elements of the array, of `column = ANY (array)`. A double may be another zero."""
        column, zeros = operand, False
        if isinstance(operand, Call) and operand.function.name == "unsigned_zero" and isinstance(array, Literal):
            column, zeros = operand.arguments[0], True
        if not isinstance(column, Ref) or column.type.physical is Physical.INTERVAL or not self.known(array):
            return None
        if not self.comparable(column, array.type.within):
            return None
        double = column.type.physical is Physical.FLOAT
        if not isinstance(array, Literal):
            return None if double else (column.index, (Each(array),))
        if double and not zeros and any(not literal.value or literal.value == MINUS_ZERO for literal in each_of(array)):
            return None
        found = [literal for literal in each_of(array) if not zeros or literal.value != 0]
        if zeros and len(found) < len(each_of(array)):
            found += [Literal(0.0, column.type), Literal(MINUS_ZERO, column.type)]
        return column.index, tuple(found)

    def known(self, scalar: Scalar) -> bool:
        """Whether the value is there without a row."""
        if isinstance(scalar, Literal):
            return True
        return self.later and not scalar.reads and is_given(scalar)

    def comparable(self, column: Ref, kind: SqlType) -> bool:
        """Whether a value of that type, taken as one of the column's, has the word that it is compared by."""
        own = self.row[column.index].plain
        return kind.plain == own or any(own in alike and kind.plain in alike for alike in (INTEGERS, TEXTS))


def as_varchar(scalar: Scalar) -> Scalar:
    """What is compared as text, as the varchar that it is: the same word."""
    if isinstance(scalar, Call) and scalar.function.name == "cast" and scalar.type == types.TEXT:
        (inner,) = scalar.arguments
        return inner if inner.type.plain == types.VARCHAR else scalar
    return scalar


def is_given(scalar: BoundScalar) -> bool:
    """Whether nothing but literals and parameters decide a scalar that reads no column."""
    if isinstance(scalar, Call) and scalar.function.volatile and not isinstance(scalar.function, Placeholder):
        return False
    return all(map(is_given, parts(scalar)))


def each_of(array: Literal) -> tuple[Literal, ...]:
    """The distinct elements of an array or a list, without NULLs."""
    return tuple(dict.fromkeys(literal for literal in elements(array) or () if literal.value is not None))


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


def number_asked(predicate: Scalar) -> Ref | None:
    """The double of which a predicate asks whether it is some number, which is not 0."""
    sides = equal_sides(predicate)
    for one, other in () if sides is None else (sides, sides[::-1]):
        if isinstance(one, Ref) and one.type.physical is Physical.FLOAT and isinstance(other, Literal) and other.value:
            return one
    return None


def over_index(plan: Mfp, id: int, expressions: tuple[Scalar, ...]) -> Mfp:
    """A plan over the rows of a collection as one over collection `id`, which has those rows with `expressions` behind
    their columns: what is asked of an expression is asked of its column. What the plan computes stands behind both.

    A double that is to be another number than 0 is that as what it is compared by too."""
    assert isinstance(plan.input, Source)
    width = len(plan.input.types)
    unsigned = {
        inner.index: place
        for place, expression in enumerate(expressions, width)
        if isinstance(expression, Call) and expression.function.name == "unsigned_zero"
        and isinstance(inner := expression.arguments[0], Ref)
    }  # fmt: skip

    def change(scalar: Scalar) -> Scalar:
        if isinstance(scalar, Ref) and scalar.index >= width:
            return Ref(scalar.index + len(expressions), scalar.type, scalar.nullable)
        for place, expression in enumerate(expressions, width):
            if scalar == expression:
                return Ref(place, scalar.type, scalar.nullable)
        number = number_asked(scalar)
        place = None if number is None else unsigned.get(number.index)
        return scalar if place is None else map_refs(scalar, lambda ref: Ref(place, ref.type, ref.nullable))

    steps = tuple(
        Compute(rewrite(step.expression, change))
        if isinstance(step, Compute)
        else Keep(rewrite(step.predicate, change))
        for step in plan.steps
    )
    types = (*plan.input.types, *(expression.type for expression in expressions))
    project = tuple(column if column < width else column + len(expressions) for column in plan.project)
    return replace(plan, input=Source(id, types), steps=steps, project=project)
