"""Predicates that the planner makes and recognises: equality, NULL tests, negation, equalities between two sides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from engine import types
from engine.expr.overload import resolve_function, resolve_operator
from engine.expr.registry import Function
from engine.expr.scalar import Call, Coalesce, Literal, Logic, Ref, Scalar
from engine.plan.relation import BoundScalar
from engine.plan.scalars import FALSE, TRUE, shifted
from engine.types import SqlType

OPPOSITE: Final = {
    "=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">",
    "is_null": "is_not_null", "is_not_null": "is_null",
    "is_distinct_from": "is_not_distinct_from", "is_not_distinct_from": "is_distinct_from",
    "is_true": "is_not_true", "is_not_true": "is_true", "is_false": "is_not_false", "is_not_false": "is_false",
}  # fmt: skip
"""Tests whose NOT is another test: all types are totally ordered, NaN included."""

EQUALITIES: Final = frozenset({"=", "<>", "is_distinct_from", "is_not_distinct_from"})
"""Functions that compare words."""


def equal_sides(predicate: BoundScalar) -> tuple[Scalar, Scalar] | None:
    """The two sides of an SQL `=`."""
    if type(predicate) is Call and predicate.function.name == "=" and len(predicate.arguments) == 2:
        return predicate.arguments[0], predicate.arguments[1]
    return None


def same_sides(predicate: BoundScalar) -> tuple[Scalar, Scalar] | None:
    """The two sides of an IS NOT DISTINCT FROM."""
    if type(predicate) is Call and predicate.function.name == "is_not_distinct_from":
        return predicate.arguments[0], predicate.arguments[1]
    return None


def negated(predicate: BoundScalar) -> Scalar | None:
    """What a NOT negates."""
    if type(predicate) is Call and predicate.function.name == "not":
        return predicate.arguments[0]
    return None


def null_tested(predicate: BoundScalar) -> Scalar | None:
    """What an IS NULL tests."""
    if type(predicate) is Call and predicate.function.name == "is_null":
        return predicate.arguments[0]
    return None


def not_null_tested(predicate: BoundScalar) -> Scalar | None:
    """What an IS NOT NULL tests."""
    if type(predicate) is Call and predicate.function.name == "is_not_null":
        return predicate.arguments[0]
    inner = negated(predicate)
    return None if inner is None else null_tested(inner)


@cache
def function(name: str, *parameters: SqlType) -> Function:
    """The registry's function or operator of these very types; kept, as planning asks for few again and again."""
    resolve = resolve_function if name[0].isalpha() else resolve_operator
    return resolve(name, parameters)[0]


def test(name: str, *arguments: Scalar) -> Scalar:
    """A boolean function of the arguments."""
    return Call(function(name, *(argument.type.plain for argument in arguments)), arguments, types.BOOLEAN)


def test_null(scalar: Scalar) -> Scalar:
    """scalar IS NULL."""
    return test("is_null", scalar) if scalar.nullable else FALSE


def test_not_null(scalar: Scalar) -> Scalar:
    """scalar IS NOT NULL."""
    return test("is_not_null", scalar) if scalar.nullable else TRUE


def test_same(left: Scalar, right: Scalar) -> Scalar:
    """left IS NOT DISTINCT FROM right."""
    return test("is_not_distinct_from", left, right)


def negate(predicate: Scalar) -> Scalar:
    """NOT predicate, pushed down to the comparisons where that is the same in three-valued logic."""
    match predicate:
        case Literal():
            return Literal(None if predicate.value is None else not predicate.value, predicate.type)
        case Logic():
            return Logic(not predicate.conjunction, tuple(map(negate, predicate.arguments)))
        case Call() if predicate.function.name == "not":
            return predicate.arguments[0]
        case Call() if predicate.function.name in OPPOSITE:
            return test(OPPOSITE[predicate.function.name], *predicate.arguments)
        case _:
            return test("not", predicate)


def test_true_or_null(predicate: Scalar) -> Scalar:
    """predicate IS NOT FALSE."""
    return Coalesce((predicate, TRUE), predicate.type) if predicate.nullable else predicate


@dataclass(frozen=True, slots=True)
class Equi:
    """A join condition that is equalities between its two sides and predicates on one side alone; none of it can fail.

    All scalars are over their own side's columns.
    """

    left: tuple[Scalar, ...]
    right: tuple[Scalar, ...]
    left_only: tuple[Scalar, ...] = ()
    right_only: tuple[Scalar, ...] = ()

    def flipped(self) -> "Equi":
        """The same condition with its sides exchanged."""
        return Equi(self.right, self.left, self.right_only, self.left_only)


def equi(predicates: Iterable[Scalar], width: int) -> Equi | None:
    """The predicates (conjuncts over a row whose first `width` columns are the left side) as an Equi, if they are."""
    left: list[Scalar] = []
    right: list[Scalar] = []
    left_only: list[Scalar] = []
    right_only: list[Scalar] = []
    for predicate in predicates:
        if predicate.fallible or predicate.volatile:
            return None
        sides = sides_of(predicate, width)
        if sides <= {"left"}:
            left_only.append(predicate)
        elif sides == {"right"}:
            right_only.append(shifted(predicate, -width))
        else:
            pair = across(predicate, width)
            if pair is None:
                return None
            left.append(pair[0])
            right.append(shifted(pair[1], -width))
    return Equi(tuple(left), tuple(right), tuple(left_only), tuple(right_only))


def not_false(condition: Equi) -> list[Equi]:
    """The conditions of which one is true where `condition` is true or unknown: each of its equalities is true, or its
    left side is NULL, or its right. Up to 3^n of n equalities, fewer where sides cannot be NULL."""
    left_only = tuple(map(test_true_or_null, condition.left_only))
    right_only = tuple(map(test_true_or_null, condition.right_only))
    ways = [Equi((), (), left_only, right_only)]
    for left, right in zip(condition.left, condition.right, strict=True):
        equal = [replace(way, left=(*way.left, left), right=(*way.right, right)) for way in ways]
        asker = [replace(way, left_only=(*way.left_only, test_null(left))) for way in ways if left.nullable]
        other = [replace(way, right_only=(*way.right_only, test_null(right))) for way in ways if right.nullable]
        ways = [*equal, *asker, *other]
    return ways


def across(predicate: Scalar, width: int) -> tuple[Scalar, Scalar] | None:
    """The left and the right side of an `=` between one side of a row and the other."""
    pair = equal_sides(predicate)
    if pair is None:
        return None
    one, other = pair
    if sides_of(one, width) == {"left"} and sides_of(other, width) == {"right"}:
        return one, other
    if sides_of(one, width) == {"right"} and sides_of(other, width) == {"left"}:
        return other, one
    return None


def sides_of(scalar: Scalar, width: int) -> set[str]:
    return {"left" if column < width else "right" for column in scalar.reads}


def not_null_filters(scalars: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """IS NOT NULL of each that can be NULL: what SQL's `=` asks beside the equal words."""
    return tuple(test_not_null(scalar) for scalar in scalars if scalar.nullable)


def plain_columns(scalars: Iterable[Scalar]) -> tuple[int, ...] | None:
    """The columns that the scalars are, if they are nothing but columns."""
    columns: list[int] = []
    for scalar in scalars:
        if not isinstance(scalar, Ref):
            return None
        columns.append(scalar.index)
    return tuple(columns)
