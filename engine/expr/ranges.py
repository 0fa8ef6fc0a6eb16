"""Ranges: what lies between two bounds of one type, and what can be asked of two of them.

A bound is a place on a line: below everything, above everything, or at a value and just before, upon or just behind it.
So containment, overlap and adjacency are comparisons of places. Ranges of whole numbers and dates are canonical, the
lower bound in and the upper one out, so that equal ranges are one value.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

from engine import types
from engine.collection import nested
from engine.collection.value import Range
from engine.errors import DataError, OutOfRange
from engine.types import SqlType

Raw: TypeAlias = Any
Place: TypeAlias = tuple[int, bytes, int]
"""(-1 below, 0 at a value, 1 above; the value's bytes in order; -1 just before, 0 upon, 1 just behind it)."""

EMPTY: Final = Range(None, None, False, False, True)
BELOW: Final[Place] = (-1, b"", 0)
ABOVE: Final[Place] = (1, b"", 0)
LAST: Final = {types.INTEGER: (1 << 31) - 1, types.BIGINT: (1 << 63) - 1, types.DATE: 2_145_031_948}
"""The greatest value of each type whose values have a next one."""


@cache
def key_of(kind: SqlType) -> Callable[[Raw], bytes]:
    """What makes of a value bytes that compare as the values do."""
    write = nested.writer(kind)

    def key(value: Raw) -> bytes:
        out = bytearray()
        write(value, out)
        return bytes(out)

    return key


def made(lower: Raw, upper: Raw, lower_inc: bool, upper_inc: bool, kind: SqlType) -> Range:
    """The range between two bounds of a type; None is no bound. Raises DataError where the lower one is above."""
    key = key_of(kind)
    if lower is not None and upper is not None:
        a, b = key(lower), key(upper)
        if a > b:
            raise DataError("range lower bound must be less than or equal to range upper bound")
        if a == b and not (lower_inc and upper_inc):
            return EMPTY
    if kind in LAST:
        if lower is not None and not lower_inc:
            lower, lower_inc = _next(lower, kind), True
        if upper is not None and upper_inc:
            upper, upper_inc = _next(upper, kind), False
        if lower is not None and upper is not None and lower >= upper:
            return EMPTY
    return Range(lower, upper, lower_inc and lower is not None, upper_inc and upper is not None, False)


def _next(value: int, kind: SqlType) -> int:
    if value >= LAST[kind]:
        raise OutOfRange(f"{kind.name} out of range")
    return value + 1


class Ranges:
    """The operations on the ranges of one type of bounds."""

    def __init__(self, kind: SqlType) -> None:
        self.kind: Final = kind
        self._key: Final = key_of(kind)

    def lower(self, a: Range) -> Place:
        return BELOW if a.lower is None else (0, self._key(a.lower), 0 if a.lower_inc else 1)

    def upper(self, a: Range) -> Place:
        return ABOVE if a.upper is None else (0, self._key(a.upper), 0 if a.upper_inc else -1)

    def _between(self, low: Range, high: Range) -> Range:
        """From the lower bound of one to the upper bound of another."""
        return made(low.lower, high.upper, low.lower_inc, high.upper_inc, self.kind)

    def contains(self, a: Range, b: Range) -> bool:
        if a.empty or b.empty:
            return b.empty
        return self.lower(a) <= self.lower(b) and self.upper(b) <= self.upper(a)

    def contains_value(self, a: Range, value: Raw) -> bool:
        return not a.empty and self.lower(a) <= (0, self._key(value), 0) <= self.upper(a)

    def overlap(self, a: Range, b: Range) -> bool:
        if a.empty or b.empty:
            return False
        return max(self.lower(a), self.lower(b)) <= min(self.upper(a), self.upper(b))

    def before(self, a: Range, b: Range) -> bool:
        return not (a.empty or b.empty) and self.upper(a) < self.lower(b)

    def not_beyond(self, a: Range, b: Range) -> bool:
        return not (a.empty or b.empty) and self.upper(a) <= self.upper(b)

    def not_short(self, a: Range, b: Range) -> bool:
        return not (a.empty or b.empty) and self.lower(a) >= self.lower(b)

    def adjacent(self, a: Range, b: Range) -> bool:
        return not (a.empty or b.empty) and (self._meet(a, b) or self._meet(b, a))

    def _meet(self, a: Range, b: Range) -> bool:
        """Whether `b` begins where `a` ends, without a gap and without a value in both."""
        (end, value, side), (begin, other, after) = self.upper(a), self.lower(b)
        return end == begin == 0 and value == other and after == side + 1

    def merge(self, a: Range, b: Range) -> Range:
        """The smallest range with both in it."""
        if a.empty or b.empty:
            return b if a.empty else a
        return self._between(min(a, b, key=self.lower), max(a, b, key=self.upper))

    def union(self, a: Range, b: Range) -> Range:
        if not (a.empty or b.empty or self.overlap(a, b) or self.adjacent(a, b)):
            raise DataError("result of range union would not be contiguous")
        return self.merge(a, b)

    def intersection(self, a: Range, b: Range) -> Range:
        if not self.overlap(a, b):
            return EMPTY
        return self._between(max(a, b, key=self.lower), min(a, b, key=self.upper))

    def difference(self, a: Range, b: Range) -> Range:
        if not self.overlap(a, b):
            return a
        begins, ends = self.lower(a) < self.lower(b), self.upper(b) < self.upper(a)
        if begins and ends:
            raise DataError("result of range difference would not be contiguous")
        if begins:
            return made(a.lower, b.lower, a.lower_inc, not b.lower_inc, self.kind)
        if ends:
            return made(b.upper, a.upper, not b.upper_inc, a.upper_inc, self.kind)
        return EMPTY
