"""Percentiles of ordered values: which rows percentile_cont and percentile_disc ask for, and what they make of them."""

from math import ceil, floor

from engine.collection.value import Interval
from engine.errors import OutOfRange
from engine.expr.functions.intervals import minus, plus, times
from engine.expr.text_forms import RawValue


def between(fraction: float, rows: int) -> tuple[int, int, float]:
    """percentile_cont: the rows, from 0 and of so many, beside the place so far along the way from the first to the
    last, and what part of the way from one to the other the place is."""
    place = _checked(fraction) * (rows - 1)
    return floor(place), ceil(place), place - floor(place)


def upon(fraction: float, rows: int) -> tuple[int, int, float]:
    """percentile_disc: the first row that at least such a part of the rows is not behind, in the same form."""
    row = max(0, ceil(_checked(fraction) * rows) - 1)
    return row, row, 0.0


def on_the_way(low: RawValue, high: RawValue, part: float) -> RawValue:
    """The value a part of the way from one to the other."""
    if part == 0:
        return low
    if isinstance(low, Interval):
        return plus(low, times(minus(high, low), part))
    return low + part * (high - low)


def _checked(fraction: float) -> float:
    if not 0 <= fraction <= 1:
        raise OutOfRange(f"percentile value {fraction:g} is not between 0 and 1")
    return fraction
