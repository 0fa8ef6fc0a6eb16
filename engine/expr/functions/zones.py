"""Time zones: AT TIME ZONE and timezone_offset, by IANA name, abbreviation or offset.

A zone is looked up once for each distinct name, its offset once for each quarter of an hour among the moments.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from engine import types
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.errors import InvalidArgument
from engine.expr import calendar
from engine.expr.calendar import DAY, SECOND
from engine.expr.columns import distinct, each, map_rows, texts
from engine.expr.interval_text import format_interval
from engine.expr.registry import Function, Kernel
from engine.expr.text_forms import RawValue
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

OFFSET: Final = types.record_of(
    (("abbrev", types.TEXT), ("base_utc_offset", types.INTERVAL), ("dst_offset", types.INTERVAL))
)
"""What timezone_offset tells of a zone at a moment."""


def _zoned(to_zone: bool) -> Kernel:
    """AT TIME ZONE by name: a timestamptz as the zone's clock shows it, or a clock time as the moment it stands for."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        zones, stamps = vectors[0].words, vectors[1].words.view(np.int64)
        (names,), inverse = distinct([zones])
        known = [texts(names, context).to_pylist()]
        places = map_rows(lambda name: calendar.clock_zone(name) and None, known, types.BOOLEAN, context)
        which = np.arange(len(zones)) if inverse is None else inverse
        out = np.zeros(len(stamps), np.int64)
        shift = calendar.to_local if to_zone else calendar.to_utc
        for index, name in enumerate(texts(names, context).to_pylist()):
            if places.errors is None or not places.errors[index]:
                rows = which == index
                out[rows] = shift(stamps[rows], calendar.clock_zone(name))
        errors = None if places.errors is None else places.errors[which]
        return Vector(out.view(np.uint64), None, errors)

    return kernel


def _shifted(sign: int) -> Callable[[Interval, int], int]:
    def shift(offset: Interval, stamp: int) -> int:
        return calendar.checked(stamp + sign * _span(offset))

    return shift


def _span(offset: Interval) -> int:
    if offset.months or offset.days:
        raise InvalidArgument(f'interval time zone "{format_interval(offset)}" must not include months or days')
    return int(offset.microseconds / SECOND) * SECOND


def _shifted_clock(offset: Interval, clock: int) -> int:
    return (clock + _span(offset)) % DAY


def _offset(name: str, moment: int) -> RawValue:
    place = calendar.iana_zone(name)
    local = calendar.moment(moment).astimezone(place)
    total, summer = local.utcoffset() or timedelta(0), local.dst() or timedelta(0)
    micro = timedelta(microseconds=1)
    return (local.tzname() or name, Interval(0, 0, (total - summer) // micro), Interval(0, 0, summer // micro))


def _rows() -> Iterator[Function]:
    span, stamp, stamptz, time = types.INTERVAL, types.TIMESTAMP, types.TIMESTAMPTZ, types.TIME
    doc = "AT TIME ZONE: what the zone's clock shows at a moment"
    yield Function("timezone", (types.TEXT, stamptz), stamp, _zoned(True), can_fail=True, doc=doc)
    yield each("timezone", (span, stamptz), stamp, _shifted(1), doc, can_fail=True)
    doc = "AT TIME ZONE: the moment at which the zone's clock shows y"
    yield Function("timezone", (types.TEXT, stamp), stamptz, _zoned(False), can_fail=True, doc=doc)
    yield each("timezone", (span, stamp), stamptz, _shifted(-1), doc, can_fail=True)
    doc = "AT TIME ZONE: a time of day, in UTC, by a clock so far ahead"
    yield each("timezone", (span, time), time, _shifted_clock, doc, can_fail=True)
    doc = "the zone's abbreviation, offset from UTC and summer time at a moment"
    yield each("timezone_offset", (types.TEXT, stamptz), OFFSET, _offset, doc, can_fail=True)


FUNCTIONS: Final = tuple(_rows())
