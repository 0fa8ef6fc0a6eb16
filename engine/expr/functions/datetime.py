"""Dates and times: calendar arithmetic on whole columns, in UTC unless a zone is named.

Adding an interval moves by its months (to the month's last day at most), then its days, then its microseconds.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.errors import DataError, DatetimeOverflow, UnsupportedValue
from engine.expr import calendar
from engine.expr.calendar import DAY, HOUR, MINUTE, SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN
from engine.expr.columns import distinct, each, failing, map_rows, unpack
from engine.expr.datetime_text import parse_timestamp
from engine.expr.functions.intervals import add_micros, fields
from engine.expr.registry import Function, Kernel
from engine.kernels import calendar as kernels
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Micros = NDArray[np.int64]

TIMESTAMP_RANGE: Final = "timestamp out of range"


def _stamped(micros: Micros, bad: NDArray[np.bool_], context: "Context") -> Vector:
    bad = bad | (micros < TIMESTAMP_MIN) | (micros > TIMESTAMP_MAX)
    return failing(micros.view(np.uint64), bad, context, "22008", TIMESTAMP_RANGE)


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
    total, over = add_micros(moved, micros)
    return total, far | over


def _plus_interval(unit: int, sign: int, swapped: bool) -> Kernel:
    """Days (unit DAY) or timestamps (unit 1), plus or minus an interval, as a timestamp."""
    first, second = (1, 0) if swapped else (0, 1)

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        stamps = vectors[first].words.view(np.int64)
        stamps = stamps * unit if unit > 1 else stamps
        months, days, micros = fields(vectors[second].words, context)
        return _stamped(*add_interval(stamps, sign * months, sign * days, sign * micros), context)

    return kernel


def _time_plus_interval(sign: int, swapped: bool) -> Kernel:
    first, second = (1, 0) if swapped else (0, 1)

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        _, _, micros = fields(vectors[second].words, context)
        return Vector(((vectors[first].words.view(np.int64) + sign * (micros % DAY)) % DAY).view(np.uint64))

    return kernel


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


def _make_timestamp_in(year: int, month: int, day: int, hour: int, minute: int, second: float, zone: str) -> int:
    local = _make_timestamp(year, month, day, hour, minute, second)
    return calendar.checked(local - calendar.offset_on_clock(calendar.zone(zone), local))


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
    if micros >= 1 << 63:
        raise DatetimeOverflow("interval out of range")
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
    for kind in (stamp, stamptz):
        doc = "the start of the stride that holds y, strides counted from z (1970-01-01)"
        yield Function("date_bin", (span, kind, kind), kind, _date_bin, can_fail=True, doc=doc)
        yield Function("date_bin", (span, kind), kind, _date_bin, can_fail=True, doc=doc)
    yield Function("+", (date, number), date, _days_plus(1, False), can_fail=True, on_words=True, doc="days later")
    yield Function("+", (number, date), date, _days_plus(1, True), can_fail=True, on_words=True, doc="days later")
    yield Function("-", (date, number), date, _days_plus(-1, False), can_fail=True, on_words=True, doc="days earlier")
    yield Function("-", (date, date), number, _days_between, on_words=True, doc="days between")
    yield Function("+", (date, time), stamp, _date_plus_time(False), on_words=True, doc="that time of that day")
    yield Function("+", (time, date), stamp, _date_plus_time(True), on_words=True, doc="that time of that day")
    yield each("make_date", (number, number, number), date, _make_date, "year, month, day", can_fail=True)
    yield each("make_time", (number, number, types.DOUBLE), time, _make_time, "hour, minute, second", can_fail=True)
    for kind in (date, stamp, stamptz, span):
        doc = "whether it is no infinity: true, as there is none"
        yield each("isfinite", (kind,), types.BOOLEAN, lambda _: True, doc)
    parts = (number, number, number, number, number, types.DOUBLE)
    yield each("make_timestamp", parts, stamp, _make_timestamp, "year, month, day, hour, minute, second", can_fail=True)
    yield each("make_timestamptz", parts, stamptz, _make_timestamp, "the same, in UTC", can_fail=True)
    doc = "the same, by a zone's clock"
    yield each("make_timestamptz", (*parts, types.TEXT), stamptz, _make_timestamp_in, doc, can_fail=True)
    doc = "the timestamp of a text of the form 2024-01-31T04:05:06.789Z; NULL of any other"
    yield each("try_parse_monotonic_iso8601_timestamp", (types.TEXT,), stamp, _monotonic, doc, gives_null=True)
    doc = "the moment so many seconds after 1970-01-01 00:00 UTC"
    yield each("to_timestamp", (types.DOUBLE,), stamptz, _to_timestamp, doc, can_fail=True)


FUNCTIONS: Final = tuple(_rows())
