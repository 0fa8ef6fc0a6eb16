"""Intervals: months, days and microseconds, added up, scaled and justified field by field on whole columns.

Law: a field that does not fit is the row's error. Fractions of months become days (30 a month), fractions of days
microseconds; no field spills into a larger one unless it is justified. The functions of single intervals serve
aggregates, whose values are few, and the tests as the oracle of the columns.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.heap import Heap
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.errors import DatetimeOverflow, DivisionByZero
from engine.expr.calendar import DAY, SECOND
from engine.expr.columns import Codes, each, failing
from engine.expr.registry import Function, Kernel
from engine.kernels import calendar as kernels
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Numbers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
Fields: TypeAlias = tuple[Numbers, Numbers, Numbers]
"""Months, days, microseconds."""

LAYOUT: Final = np.dtype([("months", "<i4"), ("days", "<i4"), ("microseconds", "<i8")])
FIELD_MAX: Final = (1 << 31) - 1
FIELD_MIN: Final = -FIELD_MAX - 1
MICROS_MAX: Final = (1 << 63) - 1
MICROS_END: Final = float(1 << 63)
MONTH: Final = 30
"""Days."""
OUT_OF_RANGE: Final = "interval out of range"


# One interval


def interval(months: int, days: int, micros: int) -> Interval:
    """An interval whose fields fit; raises DatetimeOverflow."""
    if not (min(months, days) >= -FIELD_MAX - 1 and max(months, days) <= FIELD_MAX and abs(micros) <= MICROS_MAX):
        raise DatetimeOverflow(OUT_OF_RANGE)
    return Interval(months, days, micros)


def plus(a: Interval, b: Interval) -> Interval:
    return interval(a.months + b.months, a.days + b.days, a.microseconds + b.microseconds)


def minus(a: Interval, b: Interval) -> Interval:
    return interval(a.months - b.months, a.days - b.days, a.microseconds - b.microseconds)


def times(span: Interval, factor: float) -> Interval:
    if factor != factor or abs(factor) == float("inf"):
        raise DatetimeOverflow(OUT_OF_RANGE)
    return _scaled(span, lambda part: part * factor)


def shared(months: int, days: int, micros: int, divisor: float) -> Interval:
    """An interval's part of so many. The fields may be too large for an interval themselves."""
    if divisor == 0:
        raise DivisionByZero("division by zero")
    return _scaled(Interval(months, days, micros), lambda part: part / divisor)


def _scaled(span: Interval, scale: Callable[[int], float]) -> Interval:
    exact_months, exact_days = scale(span.months), scale(span.days)
    if not max(abs(exact_months), abs(exact_days), abs(scale(span.microseconds))) < MICROS_END:
        raise DatetimeOverflow(OUT_OF_RANGE)
    months, days = int(exact_months), int(exact_days)
    spill = _to_microseconds((exact_months - months) * MONTH)
    spilled_days = int(spill)
    seconds = _to_microseconds((exact_days - days + spill - spilled_days) * 86_400)
    if abs(seconds) >= 86_400:
        spilled_days += int(seconds / 86_400)
        seconds -= int(seconds / 86_400) * 86_400
    micros = round(scale(span.microseconds) + seconds * SECOND)
    return interval(months, days + spilled_days, micros)


def _to_microseconds(value: float) -> float:
    """Rounded to six places, as PostgreSQL's TSROUND."""
    return round(value * 1e6) / 1e6


# Columns


def fields(words: Codes, context: "Context") -> Fields:
    """(months, days, microseconds) of intervals. 30 ns a row."""
    return _fields(words, context.heap)


def lengths(words: Codes, heap: Heap) -> Fields:
    """The fields of what intervals are compared by, which are in the order of the intervals."""
    return _of_length(*_fields(words, heap))


def _fields(words: Codes, heap: Heap) -> Fields:
    start, _, data = heap.view()
    at = start[words.astype(np.int64)]
    rows = data[at[:, None] + np.arange(LAYOUT.itemsize)].view(LAYOUT)[:, 0]
    return tuple(rows[name].astype(np.int64) for name in ("months", "days", "microseconds"))  # pyright: ignore[reportReturnType]


def made(months: Numbers, days: Numbers, micros: Numbers, bad: Mask | None, context: "Context") -> Vector:
    """Intervals of those fields; where one does not fit, or `bad` says so, the row has failed."""
    over = _beyond(months) | _beyond(days) | (micros == -MICROS_MAX - 1)
    if bad is not None:
        over |= bad
    return failing(_interned(months, days, micros, context), over, context, "22008", OUT_OF_RANGE)


def _interned(months: Numbers, days: Numbers, micros: Numbers, context: "Context") -> Codes:
    rows = np.empty(len(months), LAYOUT)
    rows["months"], rows["days"], rows["microseconds"] = months, days, micros
    offsets = np.arange(0, LAYOUT.itemsize * len(rows) + 1, LAYOUT.itemsize, dtype=np.int64)
    return context.heap.intern_buffers(offsets, rows.view(np.uint8))


def _beyond(field: Numbers) -> Mask:
    return (field > FIELD_MAX) | (field < -FIELD_MAX - 1)


def add_micros(a: Numbers, b: Numbers) -> tuple[Numbers, Mask]:
    """a + b, and where that leaves int64."""
    total = a + b
    return total, ((a ^ total) & (b ^ total)) < 0


def _sum(sign: int) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        a, b = (fields(vector.words, context) for vector in vectors)
        micros, over = add_micros(a[2], sign * b[2])
        return made(a[0] + sign * b[0], a[1] + sign * b[1], micros, over, context)

    return kernel


def _negated(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    months, days, micros = fields(vectors[0].words, context)
    return made(-months, -days, -micros, None, context)


def _scaling(divides: bool, swapped: bool) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        spans, factors = (vectors[1], vectors[0]) if swapped else vectors
        factor = factors.words.view(np.float64)
        zero = factor == 0 if divides else np.zeros(len(factor), np.bool_)
        apply = np.divide if divides else np.multiply
        with np.errstate(all="ignore"):
            exact = [apply(part.astype(np.float64), factor) for part in fields(spans.words, context)]
            months, days = np.trunc(exact[0]), np.trunc(exact[1])
            spill = np.rint((exact[0] - months) * MONTH * 1e6) / 1e6
            spilled = np.trunc(spill)
            seconds = np.rint((exact[1] - days + spill - spilled) * 86_400 * 1e6) / 1e6
            over_days = np.trunc(seconds / 86_400)
            micros = np.rint(exact[2] + (seconds - over_days * 86_400) * SECOND)
            days = days + spilled + over_days
            fits = (np.abs(months) <= FIELD_MAX) & (np.abs(days) <= FIELD_MAX) & (np.abs(micros) < MICROS_END)
        if not divides:
            fits &= np.isfinite(factor)
        whole = [np.where(fits, part, 0).astype(np.int64) for part in (months, days, micros)]
        found = made(whole[0], whole[1], whole[2], ~fits & ~zero, context)
        return failing(found.words, zero, context, "22012", "division by zero", found.errors)

    return kernel


def _carried(large: Numbers, small: Numbers, unit: int) -> tuple[Numbers, Numbers]:
    """Whole units of the smaller field moved into the larger one."""
    whole = np.abs(small) // unit * np.sign(small)
    return large + whole, small - whole * unit


def _alike(large: Numbers, small: Numbers, unit: int, below: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """The two fields with one sign: a unit of the larger one lent to the smaller. `below` decides where small is 0."""
    rest = small if below is None else np.where(small == 0, np.sign(below), small)
    lent = (((large < 0) & (rest > 0)).astype(np.int64)) - ((large > 0) & (rest < 0))
    return large + lent, small - lent * unit


def _by_length(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(_interned(*_of_length(*fields(vectors[0].words, context)), context))


def _of_length(months: Numbers, days: Numbers, micros: Numbers) -> Fields:
    """The one interval that stands for all of its length: fields of one sign, as few days and microseconds as can be.

    What is longer than its months can say is in the days, and then the microseconds, so that every length has one.
    """
    days, micros = days + micros // DAY, micros % DAY
    months, days = months + days // MONTH, days % MONTH
    lent = (months < 0) & (micros > 0)
    days, micros = days + lent, micros - lent * DAY
    lent = (months < 0) & (days > 0)
    months, days = months + lent, days - lent * MONTH
    held = np.clip(months, FIELD_MIN, FIELD_MAX)
    days = days + (months - held) * MONTH
    held_days = np.clip(days, FIELD_MIN, FIELD_MAX)
    return held, held_days, micros + (days - held_days) * DAY


def of_length(span: Interval) -> Interval:
    """What an interval is compared by."""
    one = (np.array([field], np.int64) for field in (span.months, span.days, span.microseconds))
    return Interval(*(int(field[0]) for field in _of_length(*one)))


def span_length() -> Function:
    """An interval in the one form of its length, a month being 30 days and a day 24 hours. It never fails."""
    return Function(
        "span_length", (types.INTERVAL,), types.INTERVAL, _by_length,
        doc="Internal: an interval as what it is compared by.",
    )  # fmt: skip


def _justified(hours: bool, month_days: bool) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        months, days, micros = fields(vectors[0].words, context)
        if hours:
            days, micros = _carried(days, micros, DAY)
        if month_days:
            months, days = _carried(months, days, MONTH)
            months, days = _alike(months, days, MONTH, micros if hours else None)
        if hours:
            days, micros = _alike(days, micros, DAY)
        return made(months, days, micros, None, context)

    return kernel


def _between(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    """Whole days and the rest between two timestamps."""
    difference = vectors[0].words.view(np.int64) - vectors[1].words.view(np.int64)
    days, micros = _carried(np.zeros(len(difference), np.int64), difference, DAY)
    return made(np.zeros(len(difference), np.int64), days, micros, None, context)


def _time_between(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    difference = vectors[0].words.view(np.int64) - vectors[1].words.view(np.int64)
    none = np.zeros(len(difference), np.int64)
    return made(none, none, difference, None, context)


def _age(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    """The difference in years, months, days and the rest, as one counts birthdays."""
    a, b = (vector.words.view(np.int64) for vector in vectors)
    sign = np.where(a < b, -1, 1)
    (year, month, day, clock), (from_year, from_month, from_day, from_clock) = (
        _civil(np.maximum(a, b)), _civil(np.minimum(a, b)),
    )  # fmt: skip
    months = (year - from_year) * 12 + month - from_month
    days, micros = day - from_day, clock - from_clock
    borrows = micros < 0
    days, micros = days - borrows, micros + borrows * DAY
    first, following = np.empty(len(a), np.int64), np.empty(len(a), np.int64)
    ones = np.ones(len(a), np.int64)
    kernels.days(from_year, from_month, ones, first)
    kernels.days(from_year + from_month // 12, from_month % 12 + 1, ones, following)
    borrows = days < 0
    months, days = months - borrows, days + borrows * (following - first)
    return made(sign * months, sign * days, sign * micros, None, context)


def _civil(stamps: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """(year, month, day of the month, microseconds of the day)."""
    days, clock = np.divmod(stamps, DAY)
    year, month, day = (np.empty(len(stamps), np.int64) for _ in range(3))
    kernels.civil(days, year, month, day)
    return year, month, day, clock


def _make_interval(
    years: int = 0, months: int = 0, weeks: int = 0, days: int = 0, hours: int = 0, minutes: int = 0, seconds: float = 0
) -> Interval:
    if not abs(seconds) < MICROS_MAX / SECOND:
        raise DatetimeOverflow(OUT_OF_RANGE)
    clock = (hours * 3600 + minutes * 60) * SECOND + round(seconds * SECOND)
    return interval(years * 12 + months, weeks * 7 + days, clock)


def _rows() -> Iterator[Function]:
    span, double, time = types.INTERVAL, types.DOUBLE, types.TIME
    yield Function("-", (time, time), span, _time_between, on_words=True, doc="time between")
    for kind in (types.TIMESTAMP, types.TIMESTAMPTZ):
        yield Function("-", (kind, kind), span, _between, on_words=True, doc="days and time between")
        doc = "years, months, days and time between"
        yield Function("age", (kind, kind), span, _age, on_words=True, doc=doc)
    parts = (*(types.INTEGER,) * 6, double)
    for count in range(1, len(parts) + 1):
        doc = "years, months, weeks, days, hours, minutes, seconds: as many as are given"
        yield each("make_interval", parts[:count], span, _make_interval, doc, can_fail=True)
    for name, parameters, kernel, doc in (
        ("+", (span, span), _sum(1), "sum, field by field"),
        ("-", (span, span), _sum(-1), "difference, field by field"),
        ("-", (span,), _negated, "negation, field by field"),
        ("*", (span, double), _scaling(False, False), "scaled"),
        ("*", (double, span), _scaling(False, True), "scaled"),
        ("/", (span, double), _scaling(True, False), "scaled"),
        ("justify_hours", (span,), _justified(True, False), "each 24 hours made a day"),
        ("justify_days", (span,), _justified(False, True), "each 30 days made a month"),
        ("justify_interval", (span,), _justified(True, True), "hours to days, days to months, signs alike"),
    ):
        yield Function(name, parameters, span, kernel, can_fail=True, doc=doc)


FUNCTIONS: Final = tuple(_rows())
