"""Percentiles of ordered values, each there so many times: percentile_cont and percentile_disc of one group.

Cost   O(log n) a percentile beyond O(n) for the counts' sums.
"""

from bisect import bisect_right
from itertools import accumulate
from math import ceil, floor

from engine.collection.value import Interval
from engine.errors import OutOfRange
from engine.expr.functions.intervals import minus, plus, times
from engine.expr.text_forms import RawValue


def between(values: list[RawValue], counts: list[int], fraction: float | None) -> RawValue:
    """The value so far along the way from the first to the last, a part of the way between its two neighbours."""
    if fraction is None:
        return None
    ends = _ends(counts, fraction)
    place = fraction * (ends[-1] - 1)
    low, high = (values[bisect_right(ends, row)] for row in (floor(place), ceil(place)))
    part = place - floor(place)
    if low == high or part == 0:
        return low
    if isinstance(low, Interval):
        return plus(low, times(minus(high, low), part))
    return low + part * (high - low)


def upon(values: list[RawValue], counts: list[int], fraction: float | None) -> RawValue:
    """The first value that at least such a part of the values is not behind."""
    if fraction is None:
        return None
    ends = _ends(counts, fraction)
    return values[bisect_right(ends, max(0, ceil(fraction * ends[-1]) - 1))]


def _ends(counts: list[int], fraction: float) -> list[int]:
    """How many rows there are up to each value."""
    if not 0 <= fraction <= 1:
        raise OutOfRange(f"percentile value {fraction:g} is not between 0 and 1")
    return list(accumulate(counts))
