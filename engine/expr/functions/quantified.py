"""`x op ANY (array)` and `x op ALL (array)`: three-valued OR and AND over the elements of an array or a list.

Rule   each distinct array is taken apart once. `= ANY` and `<> ALL` search its elements' words for that of x; any other
       operator compares x with each element.
Cost   O((rows + elements of the distinct arrays) log elements) of a search, else O(rows · elements).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.vector import Vector
from engine.expr.columns import pack, raws
from engine.expr.evaluate import evaluate
from engine.expr.functions.array import items_of
from engine.expr.registry import Function, OnNull
from engine.expr.scalar import INTEGERS, Call, Ref
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

SEARCHED: Final = (("=", False), ("<>", True))
"""(operator, whether ALL) that the equality of words decides."""
PAIRS_MAX: Final = 1 << 20
"""Comparisons made at a time: some tens of megabytes."""


def quantified_function(name: str, test: Function, container: SqlType, every: bool) -> Function:
    """x op ANY|ALL (array or list), op being `test`; both sides are what they are compared by."""
    left, right = test.parameters
    alike = left.plain == right.plain or (left in INTEGERS and right in INTEGERS)
    searched = (test.name, every) in SEARCHED and alike

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        x, whole = vectors
        values, which = distinct(whole, container, context)
        items = [() if value is None else items_of(value) for value in values]
        counts = np.array([len(part) for part in items], np.int64)
        flat = [item for part in items for item in part]
        nulls = np.array([item is None for item in flat], np.bool_)
        column = Vector(pack(flat, right, context), nulls if nulls.any() else None)
        origin = np.repeat(np.arange(len(items)), counts)
        if searched:
            decided, unknown, errors = search(x, which, column, origin, counts)
        else:
            decided, unknown, errors = each(test, every, x, which, column, counts, context)
        unknown |= np.array([value is None for value in values], np.bool_)[which]
        unknown &= ~decided
        words = (decided ^ every).astype(np.uint64)
        errors[decided] = 0
        words[unknown] = 0
        unknown &= errors == 0
        return Vector(words, unknown if unknown.any() else None, errors if errors.any() else None)

    quantifier = "all" if every else "any"
    return Function(
        f"{name} {quantifier}", (left, container), types.BOOLEAN, kernel, OnNull.OWN,
        can_fail=test.can_fail, gives_null=True,
    )  # fmt: skip


Decision = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.uint64]]
"""Per row: whether an element decides it, whether one is NULL or failed, the error if there is one."""


def distinct(whole: Vector, container: SqlType, context: "Context") -> tuple[list[object], NDArray[np.int64]]:
    """The distinct arrays, and which of them each row has; the last stands for NULLs and failed rows."""
    alive = np.ones(len(whole.words), np.bool_)
    if whole.nulls is not None:
        alive &= ~whole.nulls
    if whole.errors is not None:
        alive &= whole.errors == 0
    found, places = np.unique(whole.words[alive], return_inverse=True)
    which = np.full(len(alive), len(found), np.int64)
    which[alive] = places
    return [*raws(Vector(found), container, context), None], which


def search(
    x: Vector, which: NDArray[np.int64], column: Vector, origin: NDArray[np.int64], counts: NDArray[np.int64]
) -> Decision:
    """Whether the word of x is among those of the array `which` of its row."""
    there = np.ones(len(origin), np.bool_) if column.nulls is None else ~column.nulls
    known = np.unique(column.words[there])
    keys = np.unique(origin[there] * len(known) + np.searchsorted(known, column.words[there]))
    n = len(which)
    decided = np.zeros(n, np.bool_)
    if len(known):
        place = np.minimum(np.searchsorted(known, x.words), len(known) - 1)
        key = which * len(known) + place
        decided = (known[place] == x.words) & (keys[np.minimum(np.searchsorted(keys, key), len(keys) - 1)] == key)
    some = counts[which] > 0
    unknown = np.bincount(origin[~there], minlength=len(counts))[which] > 0
    errors = np.zeros(n, np.uint64)
    if x.nulls is not None:
        decided &= ~x.nulls
        unknown |= x.nulls & some
    if x.errors is not None:
        decided &= x.errors == 0
        errors = np.where(some, x.errors, errors)
        unknown |= errors != 0
    return decided, unknown, errors


def each(
    test: Function, every: bool, x: Vector, which: NDArray[np.int64], column: Vector, counts: NDArray[np.int64],
    context: "Context",
) -> Decision:  # fmt: skip
    """Whether the test of x and an element of its row's array is true, or, of `every`, false."""
    pairs = int(counts[which].sum())
    if pairs > PAIRS_MAX and len(which) > 1:
        half = len(which) // 2
        parts = np.arange(half), np.arange(half, len(which))
        found = [each(test, every, x.take(rows), which[rows], column, counts, context) for rows in parts]
        decided, unknown, errors = (np.concatenate(part) for part in zip(*found, strict=True))
        return decided, unknown, errors
    left, right = test.parameters
    compare = Call(test, (Ref(0, left), Ref(1, right)), types.BOOLEAN)
    size, times = len(which), counts[which]
    origin = np.repeat(np.arange(size), times)
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
    within = np.arange(len(origin)) - np.repeat(np.cumsum(times) - times, times)
    verdict = evaluate(compare, (x.take(origin), column.take(begins[which][origin] + within)), len(origin), context)
    decisive = verdict.words == (0 if every else 1)
    errors = np.zeros(size, np.uint64)
    unknown = np.zeros(len(origin), np.bool_)
    if verdict.nulls is not None:
        unknown |= verdict.nulls
    if verdict.errors is not None:
        unknown |= verdict.errors != 0
        bad = np.flatnonzero(verdict.errors)
        errors[origin[bad]] = verdict.errors[bad]
    decided = np.bincount(origin[decisive & ~unknown], minlength=size) > 0
    return decided, np.bincount(origin[unknown], minlength=size) > 0, errors
