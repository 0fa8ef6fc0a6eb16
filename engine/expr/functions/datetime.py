"""Dates, times and intervals: calendar arithmetic on whole columns, in UTC unless a zone is named.

Adding an interval moves by its months (to the month's last day at most), then its days, then its microseconds.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.errors import DataError, DatetimeOverflow, DivisionByZero, UnsupportedValue
from engine.expr import calendar
from engine.expr.calendar import DAY, HOUR, MINUTE, SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN
from engine.expr.columns import Codes, distinct, each, failing, map_rows, unpack
from engine.expr.datetime_text import parse_timestamp
from engine.expr.registry import Function, Kernel
from engine.kernels import calendar as kernels
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Micros = NDArray[np.int64]

FIELD_MAX: Final = (1 << 31) - 1
MICROS_MAX: Final = (1 << 63) - 1
MICROS_A_MONTH: Final = 30 * DAY
TIMESTAMP_RANGE: Final = "timestamp out of range"


def interval(months: int, days: int, micros: int) -> Interval:
    """An interval whose fields fit; raises DatetimeOverflow."""
    if abs(months) > FIELD_MAX or abs(days) > FIELD_MAX or abs(micros) > MICROS_MAX:
        raise DatetimeOverflow("interval out of range")
    return Interval(months, days, micros)


def _stamped(micros: Micros, bad: NDArray[np.bool_], context: "Context") -> Vector:
    bad = bad | (micros < TIMESTAMP_MIN) | (micros > TIMESTAMP_MAX)
    return failing(micros.view(np.uint64), bad, context, "22008", TIMESTAMP_RANGE)


def _fields(words: Codes, context: "Context") -> tuple[Micros, Micros, Micros]:
    """(months, days, microseconds) of intervals; each distinct interval is read once."""
    (unique,), inverse = distinct([words])
    data = [(i.months, i.days, i.microseconds) for i in unpack(unique, types.INTERVAL, context)]
    months, days, micros = np.array(data, np.int64).reshape(-1, 3).T
    return (months, days, micros) if inverse is None else (months[inverse], days[inverse], micros[inverse])


def add_interval(stamps: Micros, months: Micros, days: Micros, micros: Micros) -> tuple[Micros, NDArray[np.bool_]]:
    """Timestamps moved by intervals, and where the result leaves int64."""
    day, clock = np.divmod(stamps, DAY)
    if np.count_nonzero(months):
        moved_day = np.empty(len(day), np.int64)
        kernels.add_months(day, np.ascontiguousarray(months), moved_day)
        day = moved_day
    day = day + days
    far = np.abs(day) > 200_000_000
    moved = np.where(far, 0, day) * DAY + clock
    total = moved + micros
    return total, far | (((moved ^ total) & (micros ^ total)) < 0)


def _plus_interval(unit: int, sign: int, swapped: bool) -> Kernel:
    """Days (unit DAY) or timestamps (unit 1), plus or minus an interval, as a timestamp."""
    first, second = (1, 0) if swapped else (0, 1)

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        stamps = vectors[first].words.view(np.int64)
        stamps = stamps * unit if unit > 1 else stamps
        months, days, micros = _fields(vectors[second].words, context)
        return _stamped(*add_interval(stamps, sign * months, sign * days, sign * micros), context)

    return kernel


def _time_plus_interval(sign: int, swapped: bool) -> Kernel:
    first, second = (1, 0) if swapped else (0, 1)

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        _, _, micros = _fields(vectors[second].words, context)
        return Vector(((vectors[first].words.view(np.int64) + sign * (micros % DAY)) % DAY).view(np.uint64))

    return kernel


def _between_stamps(a: int, b: int) -> Interval:
    days, micros = divmod(abs(a - b), DAY)
    sign = 1 if a >= b else -1
    return interval(0, sign * days, sign * micros)


def _days_plus(sign: int, swapped: bool) -> Kernel:
    first, second = (1, 0) if swapped else (0, 1)

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        total = vectors[first].words.view(np.int64) + sign * vectors[second].words.view(np.int64)
        bad = (total < calendar.DATE_MIN) | (total > calendar.DATE_MAX)
        return failing(total.view(np.uint64), bad, context, "22008", "date out of range")

    return kernel


def _days_between(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector((vectors[0].words.view(np.int64) - vectors[1].words.view(np.int64)).view(np.uint64))


def _date_plus_time(swapped: bool) -> Kernel:
    first, second = (1, 0) if swapped else (0, 1)

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        total = vectors[first].words.view(np.int64) * DAY + vectors[second].words.view(np.int64)
        return Vector(total.view(np.uint64))

    return kernel


def plus(a: Interval, b: Interval) -> Interval:
    return interval(a.months + b.months, a.days + b.days, a.microseconds + b.microseconds)


def minus(a: Interval, b: Interval) -> Interval:
    return interval(a.months - b.months, a.days - b.days, a.microseconds - b.microseconds)


def _negate(a: Interval) -> Interval:
    return interval(-a.months, -a.days, -a.microseconds)


def _scaled(span: Interval, scale: Callable[[int], float]) -> Interval:
    """Fractions of months become days (30 a month), fractions of days microseconds, as in PostgreSQL."""
    exact_months, exact_days = scale(span.months), scale(span.days)
    months, days = int(exact_months), int(exact_days)
    spill = round((exact_months - months) * 30, 6)
    spilled_days = int(spill)
    seconds = round((exact_days - days + spill - spilled_days) * 86_400, 6)
    if abs(seconds) >= 86_400:
        spilled_days += int(seconds / 86_400)
        seconds -= int(seconds / 86_400) * 86_400
    micros = round(scale(span.microseconds) + seconds * SECOND)
    return interval(months, days + spilled_days, micros)


def times(span: Interval, factor: float) -> Interval:
    if factor != factor or abs(factor) == float("inf"):
        raise DatetimeOverflow("interval out of range")
    return _scaled(span, lambda part: part * factor)


def shared(months: int, days: int, micros: int, divisor: float) -> Interval:
    """An interval's part of so many. The fields may be too large for an interval themselves."""
    if divisor == 0:
        raise DivisionByZero("division by zero")
    return _scaled(Interval(months, days, micros), lambda part: part / divisor)


def _divide(span: Interval, divisor: float) -> Interval:
    return shared(span.months, span.days, span.microseconds, divisor)


def _justify_hours(span: Interval) -> Interval:
    days, micros = int(span.microseconds / DAY), span.microseconds
    micros -= days * DAY
    days += span.days
    if days > 0 and micros < 0:
        days, micros = days - 1, micros + DAY
    elif days < 0 and micros > 0:
        days, micros = days + 1, micros - DAY
    return interval(span.months, days, micros)


def _justify_days(span: Interval) -> Interval:
    whole = int(span.days / 30)
    days, months = span.days - whole * 30, span.months + whole
    if months > 0 and days < 0:
        months, days = months - 1, days + 30
    elif months < 0 and days > 0:
        months, days = months + 1, days - 30
    return interval(months, days, span.microseconds)


def _justify(span: Interval) -> Interval:
    months, days, micros = span.months, span.days, span.microseconds
    whole = int(micros / DAY)
    days, micros = days + whole, micros - whole * DAY
    whole = int(days / 30)
    months, days = months + whole, days - whole * 30
    if months > 0 and (days < 0 or (days == 0 and micros < 0)):
        months, days = months - 1, days + 30
    elif months < 0 and (days > 0 or (days == 0 and micros > 0)):
        months, days = months + 1, days - 30
    if days > 0 and micros < 0:
        days, micros = days - 1, micros + DAY
    elif days < 0 and micros > 0:
        days, micros = days + 1, micros - DAY
    return interval(months, days, micros)


def _age(later: int, earlier: int) -> Interval:
    """The difference in years, months, days and the rest, as one counts birthdays."""
    if later < earlier:
        found = _age(earlier, later)
        return Interval(-found.months, -found.days, -found.microseconds)
    day, clock = divmod(later, DAY)
    from_day, from_clock = divmod(earlier, DAY)
    year, month, of_month = calendar.civil_from_days(day)
    from_year, from_month, from_of_month = calendar.civil_from_days(from_day)
    months = (year - from_year) * 12 + month - from_month
    days, micros = of_month - from_of_month, clock - from_clock
    if micros < 0:
        days, micros = days - 1, micros + DAY
    if days < 0:
        months -= 1
        days += calendar.month_length(from_year, from_month)
    return interval(months, days, micros)


ISO_8601: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d\.\d{3})Z", re.ASCII)


def _monotonic(text: str) -> int | None:
    """A timestamp of the one form whose texts sort as their times do; NULL of any other text."""
    found = ISO_8601.fullmatch(text)
    if found is None:
        return None
    try:
        return parse_timestamp(f"{found[1]} {found[2]}")
    except DataError:
        return None


def _make_date(year: int, month: int, day: int) -> int:
    actual = year + 1 if year < 0 else year
    if year == 0 or not 1 <= month <= 12 or not 1 <= day <= calendar.month_length(actual, month):
        raise DatetimeOverflow(f"date field value out of range: {year}-{month:02d}-{day:02d}")
    days = calendar.days_from_civil(actual, month, day)
    if not calendar.DATE_MIN <= days <= calendar.DATE_MAX:
        raise DatetimeOverflow(f"date out of range: {year}-{month:02d}-{day:02d}")
    return days


def _make_time(hour: int, minute: int, second: float) -> int:
    micros = round(second * SECOND) if second == second and abs(second) < 100 else -1
    total = hour * HOUR + minute * MINUTE + micros
    if not 0 <= hour <= 24 or not 0 <= minute < 60 or not 0 <= micros <= MINUTE or total > DAY:
        raise DatetimeOverflow(f"time field value out of range: {hour}:{minute:02d}:{second:02g}")
    return total


def _make_timestamp(year: int, month: int, day: int, hour: int, minute: int, second: float) -> int:
    return calendar.checked(_make_date(year, month, day) * DAY + _make_time(hour, minute, second))


def _to_timestamp(seconds: float) -> int:
    if seconds != seconds or not TIMESTAMP_MIN <= seconds * SECOND <= TIMESTAMP_MAX:
        raise DatetimeOverflow(f'timestamp out of range: "{seconds:g}"')
    return round(seconds * SECOND)


def stride(span: Interval) -> int:
    """The microseconds of an interval that timestamps are binned by."""
    if span.months:
        raise UnsupportedValue("timestamps cannot be binned into intervals containing months or years")
    micros = span.days * DAY + span.microseconds
    if micros <= 0:
        raise DatetimeOverflow("stride must be greater than zero")
    return micros


def _date_bin(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    """The start of the stride that holds the timestamp, strides counted from the origin."""
    (strides,), inverse = distinct([vectors[0].words])
    found = map_rows(stride, [unpack(strides, types.INTERVAL, context)], types.BIGINT, context)
    found = found if inverse is None else found.take(inverse)
    length = found.words.view(np.int64)
    stamps = vectors[1].words.view(np.int64)
    origin = vectors[2].words.view(np.int64) if len(vectors) > 2 else np.zeros(len(stamps), np.int64)
    out = origin + (stamps - origin) // np.where(length == 0, 1, length) * length
    return Vector(out.view(np.uint64), None, found.errors)


def _rows() -> Iterator[Function]:
    date, time, span, number = types.DATE, types.TIME, types.INTERVAL, types.INTEGER
    stamp, stamptz = types.TIMESTAMP, types.TIMESTAMPTZ
    for left, result, unit in ((date, stamp, DAY), (stamp, stamp, 1), (stamptz, stamptz, 1)):
        doc = "moved by an interval"
        yield Function("+", (left, span), result, _plus_interval(unit, 1, False), can_fail=True, doc=doc)
        yield Function("+", (span, left), result, _plus_interval(unit, 1, True), can_fail=True, doc=doc)
        yield Function("-", (left, span), result, _plus_interval(unit, -1, False), can_fail=True, doc=doc)
    yield Function("+", (time, span), time, _time_plus_interval(1, False), doc="moved by an interval, around midnight")
    yield Function("+", (span, time), time, _time_plus_interval(1, True), doc="moved by an interval, around midnight")
    yield Function("-", (time, span), time, _time_plus_interval(-1, False), doc="moved by an interval, around midnight")
    yield each("-", (time, time), span, lambda a, b: Interval(0, 0, a - b), "time between")
    for kind in (stamp, stamptz):
        yield each("-", (kind, kind), span, _between_stamps, "days and time between")
        yield each("age", (kind, kind), span, _age, "years, months, days and time between")
        doc = "the start of the stride that holds y, strides counted from z (1970-01-01)"
        yield Function("date_bin", (span, kind, kind), kind, _date_bin, can_fail=True, doc=doc)
        yield Function("date_bin", (span, kind), kind, _date_bin, can_fail=True, doc=doc)
    yield Function("+", (date, number), date, _days_plus(1, False), can_fail=True, on_words=True, doc="days later")
    yield Function("+", (number, date), date, _days_plus(1, True), can_fail=True, on_words=True, doc="days later")
    yield Function("-", (date, number), date, _days_plus(-1, False), can_fail=True, on_words=True, doc="days earlier")
    yield Function("-", (date, date), number, _days_between, on_words=True, doc="days between")
    yield Function("+", (date, time), stamp, _date_plus_time(False), on_words=True, doc="that time of that day")
    yield Function("+", (time, date), stamp, _date_plus_time(True), on_words=True, doc="that time of that day")
    yield each("+", (span, span), span, plus, "sum, field by field", can_fail=True)
    yield each("-", (span, span), span, minus, "difference, field by field", can_fail=True)
    yield each("-", (span,), span, _negate, "negation, field by field", can_fail=True)
    yield each("*", (span, types.DOUBLE), span, times, "scaled", can_fail=True)
    yield each("*", (types.DOUBLE, span), span, lambda a, b: times(b, a), "scaled", can_fail=True)
    yield each("/", (span, types.DOUBLE), span, _divide, "scaled", can_fail=True)
    yield each("justify_hours", (span,), span, _justify_hours, "each 24 hours made a day", can_fail=True)
    yield each("justify_days", (span,), span, _justify_days, "each 30 days made a month", can_fail=True)
    yield each("justify_interval", (span,), span, _justify, "hours to days, days to months, signs alike", can_fail=True)
    yield each("make_date", (number, number, number), date, _make_date, "year, month, day", can_fail=True)
    yield each("make_time", (number, number, types.DOUBLE), time, _make_time, "hour, minute, second", can_fail=True)
    parts = (number, number, number, number, number, types.DOUBLE)
    yield each("make_timestamp", parts, stamp, _make_timestamp, "year, month, day, hour, minute, second", can_fail=True)
    yield each("make_timestamptz", parts, stamptz, _make_timestamp, "the same, in UTC", can_fail=True)
    doc = "the timestamp of a text of the form 2024-01-31T04:05:06.789Z; NULL of any other"
    yield each("try_parse_monotonic_iso8601_timestamp", (types.TEXT,), stamp, _monotonic, doc, gives_null=True)
    doc = "the moment so many seconds after 1970-01-01 00:00 UTC"
    yield each("to_timestamp", (types.DOUBLE,), stamptz, _to_timestamp, doc, can_fail=True)


FUNCTIONS: Final = tuple(_rows())
