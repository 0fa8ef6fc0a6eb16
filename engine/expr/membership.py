"""`x IN (a, b, ...)`, which is `x = ANY (array)` or `x = a OR x = b OR ...`: one search of a sorted list for each row.

Rule   true where the word of x is among those of the literals, else NULL where x is NULL or the list has a NULL, else
       false. x is evaluated once, and fails where it does.
Cost   O(n log literals) instead of O(n · literals).
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection import nested
from engine.collection.nested import Array
from engine.collection.vector import Vector
from engine.expr.literal import literal_of_raw
from engine.expr.scalar import Call, Literal, Logic, Scalar
from engine.types import Physical

LISTED_MIN: Final = 8
"""Comparisons one by one are cheaper below it."""


AMONG: Final = "= any"
"""The name of `= ANY (array)`."""


def elements(array: Literal) -> tuple[Literal, ...] | None:
    """The elements of a constant array or list, NULLs among them; None if it is NULL itself."""
    if array.value is None:
        return None
    assert isinstance(array.value, bytes)
    raw = nested.decode(array.value, array.type)
    return tuple(literal_of_raw(item, array.type.within) for item in (raw.items if isinstance(raw, Array) else raw))


def searched(call: Call) -> tuple[Scalar, tuple[Literal, ...]] | None:
    """The same of `= ANY (array)` where the array is constant and has an element. Intervals are not their words."""
    if call.function.name != AMONG or call.arguments[0].type.physical is Physical.INTERVAL:
        return None
    operand, array = call.arguments
    found = elements(array) if isinstance(array, Literal) else None
    if not found:
        return None
    zero = Literal(0.0, operand.type)  # of which there are two; the operand has been taken for one of them
    floats = operand.type.physical is Physical.FLOAT
    return operand, tuple(zero if floats and literal.value == 0 else literal for literal in found)


def listed(expression: Logic) -> tuple[Scalar, tuple[Literal, ...]] | None:
    """What is compared and with which literals, if an OR is nothing but that: `=` of one type is equality of words."""
    if expression.conjunction or len(expression.arguments) < LISTED_MIN:
        return None
    operand: Scalar | None = None
    literals: list[Literal] = []
    for argument in expression.arguments:
        if not isinstance(argument, Call) or argument.function.name != "=":
            return None
        left, literal = argument.arguments
        if not isinstance(literal, Literal) or literal.type.plain != left.type.plain or operand not in (None, left):
            return None
        operand = left
        literals.append(literal)
    return None if operand is None else (operand, tuple(literals))


def among(
    operand: Callable[[Sequence[Vector], int], Vector], words: NDArray[np.uint64], or_null: bool
) -> Callable[[Sequence[Vector], int], Vector]:
    """Whether the operand is one of the words (at least one); `or_null`: NULL where it is not."""
    known = np.unique(words)

    def run(columns: Sequence[Vector], n: int) -> Vector:
        value = operand(columns, n)
        found = known[np.minimum(np.searchsorted(known, value.words), len(known) - 1)] == value.words
        nulls = value.nulls
        if nulls is not None:
            found &= ~nulls
        if value.errors is not None:
            found &= value.errors == 0
        if or_null:
            nulls = ~found
            if value.errors is not None:
                nulls &= value.errors == 0
        return Vector(found.astype(np.uint64), nulls, value.errors)

    return run
