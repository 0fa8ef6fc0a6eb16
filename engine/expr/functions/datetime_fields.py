"""Fields of dates, times and intervals: date_trunc, extract, date_part; a column at a time for each distinct field."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection import numeric
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.errors import InvalidArgument, UnsupportedValue
from engine.expr import calendar
from engine.expr.calendar import DAY, HOUR, JULIAN_EPOCH, MINUTE, SECOND
from engine.expr.columns import each, floats
from engine.expr.registry import Function, Kernel
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Micros = NDArray[np.int64]

ALIASES: Final[Mapping[str, str]] = {
    "years": "year", "y": "year", "yr": "year", "yrs": "year", "months": "month", "mon": "month", "mons": "month",
    "days": "day", "d": "day", "hours": "hour", "h": "hour", "hr": "hour", "hrs": "hour", "minutes": "minute",
    "min": "minute", "mins": "minute", "m": "minute", "seconds": "second", "sec": "second", "secs": "second",
    "s": "second", "milliseconds": "millisecond", "ms": "millisecond", "msec": "millisecond",
    "microseconds": "microsecond", "us": "microsecond", "usec": "microsecond", "weeks": "week", "w": "week",
    "qtr": "quarter", "quarters": "quarter", "decades": "decade", "decs": "decade", "dec": "decade",
    "centuries": "century", "cent": "century", "c": "century", "millennia": "millennium", "millenniums": "millennium",
    "mil": "millennium", "mils": "millennium", "dayofweek": "dow", "dayofyear": "doy",
}  # fmt: skip

CLOCK_UNITS: Final[Mapping[str, int]] = {
    "microsecond": 1, "millisecond": 1000, "second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY,
}  # fmt: skip
MONTH_UNITS: Final[Mapping[str, int]] = {"month": 1, "quarter": 3, "year": 12, "decade": 120}


FIELDS: Final = frozenset({*ALIASES.values(), *CLOCK_UNITS, *MONTH_UNITS, "isodow", "isoyear", "epoch", "julian",
                           "timezone", "timezone_hour", "timezone_minute"})  # fmt: skip
"""Every field that some type has."""


def field_of(name: str) -> str:
    """The field that a spelling means, in lower case and singular."""
    plain = name.strip().lower()
    return ALIASES.get(plain, plain)


def _unknown(name: str, type: SqlType) -> InvalidArgument | UnsupportedValue:
    if field_of(name) in FIELDS:
        return UnsupportedValue(f'unit "{name}" not supported for type {type.name}')
    return InvalidArgument(f'unit "{name}" not recognized for type {type.name}')


def truncate(field: str, stamps: Micros, type: SqlType) -> Micros:
    """The start of the field's unit around each timestamp."""
    unit = field_of(field)
    if unit in CLOCK_UNITS:
        return stamps // CLOCK_UNITS[unit] * CLOCK_UNITS[unit]
    days = stamps // DAY
    if unit == "week":
        return ((days + 3) // 7 * 7 - 3) * DAY  # 1970-01-01 was a Thursday
    year, month, _ = calendar.civil(days)
    one = np.ones(len(days), np.int64)
    if unit in MONTH_UNITS:
        size = MONTH_UNITS[unit]
        total = (year * 12 + month - 1) // size * size
        return calendar.days_of(total // 12, total % 12 + 1, one) * DAY
    if unit in ("century", "millennium"):
        size = 100 if unit == "century" else 1000
        return calendar.days_of((year - 1) // size * size + 1, one, one) * DAY
    raise _unknown(field, type)


def _iso(days: Micros) -> tuple[Micros, Micros]:
    """ISO 8601 (year, week): the week's Thursday decides its year."""
    thursday = (days + 3) // 7 * 7
    year, _, _ = calendar.civil(thursday)
    one = np.ones(len(days), np.int64)
    return year, (thursday - calendar.days_of(year, one, one)) // 7 + 1


def _clock_field(unit: str, micros: Micros) -> tuple[Micros, int] | None:
    match unit:
        case "microsecond":
            return micros % MINUTE, 0
        case "millisecond":
            return micros % MINUTE, 3
        case "second":
            return micros % MINUTE, 6
        case "minute":
            return micros // MINUTE % 60, 0
        case "hour":
            return micros // HOUR, 0
        case _:
            return None


def _date_field(unit: str, days: Micros) -> tuple[Micros, int] | None:
    year, month, day = calendar.civil(days)
    before_christ = year <= 0
    match unit:
        case "day":
            return day, 0
        case "month":
            return month, 0
        case "quarter":
            return (month - 1) // 3 + 1, 0
        case "year":
            return np.where(before_christ, year - 1, year), 0
        case "decade":
            return year // 10, 0
        case "century":
            return np.where(before_christ, -((-year) // 100 + 1), (year + 99) // 100), 0
        case "millennium":
            return np.where(before_christ, -((-year) // 1000 + 1), (year + 999) // 1000), 0
        case "dow":
            return (days + 4) % 7, 0
        case "isodow":
            return (days + 3) % 7 + 1, 0
        case "doy":
            one = np.ones(len(days), np.int64)
            return days - calendar.days_of(year, one, one) + 1, 0
        case "week":
            return _iso(days)[1], 0
        case "isoyear":
            found = _iso(days)[0]
            return np.where(found <= 0, found - 1, found), 0
        case _:
            return None


def extract(field: str, values: Micros, type: SqlType) -> tuple[Micros, int]:
    """The field of each value as (mantissas, decimal scale)."""
    unit = field_of(field)
    found: tuple[Micros, int] | None = None
    match type:
        case types.DATE:
            found = (values * 86_400, 0) if unit == "epoch" else _date_field(unit, values)
            if unit == "julian":
                found = values + JULIAN_EPOCH, 0
        case types.TIME:
            found = (values, 6) if unit == "epoch" else _clock_field(unit, values)
        case _:
            if unit == "epoch":
                found = values, 6
            elif unit in ("timezone", "timezone_hour", "timezone_minute") and type == types.TIMESTAMPTZ:
                found = np.zeros(len(values), np.int64), 0
            else:
                found = _clock_field(unit, values % DAY) or _date_field(unit, values // DAY)
    if found is None:
        raise _unknown(field, type)
    return found


def extract_interval(field: str, span: Interval) -> Decimal:
    """The field of an interval."""
    sign = -1 if span.microseconds < 0 else 1
    micros = abs(span.microseconds)
    years = int(span.months / 12)
    months = span.months - years * 12
    match field_of(field):
        case "epoch":
            # A year is 365.25 days and a month 30.
            whole = years * 31_557_600 + months * 2_592_000 + span.days * 86_400
            return Decimal(whole) + Decimal(span.microseconds) / SECOND
        case "microsecond":
            return Decimal(sign * (micros % MINUTE))
        case "millisecond":
            return Decimal(sign * (micros % MINUTE)) / 1000
        case "second":
            return Decimal(sign * (micros % MINUTE)) / SECOND
        case "minute":
            return Decimal(sign * (micros // MINUTE % 60))
        case "hour":
            return Decimal(sign * (micros // HOUR))
        case "day":
            return Decimal(span.days)
        case "month":
            return Decimal(months)
        case "quarter":
            return Decimal(int(months / 3) + 1)
        case "year":
            return Decimal(years)
        case "decade":
            return Decimal(int(years / 10))
        case "century":
            return Decimal(int(years / 100))
        case "millennium":
            return Decimal(int(years / 1000))
        case _:
            raise _unknown(field, types.INTERVAL)


def truncate_interval(field: str, span: Interval) -> Interval:
    """The interval with all below the field dropped."""
    unit = field_of(field)
    if unit in CLOCK_UNITS:
        size = CLOCK_UNITS[unit]
        kept = int(span.microseconds / size) * size if unit != "day" else 0
        return Interval(span.months, span.days, kept)
    sizes = {**MONTH_UNITS, "century": 1200, "millennium": 12_000}
    if unit not in sizes:
        raise _unknown(field, types.INTERVAL)
    return Interval(int(span.months / sizes[unit]) * sizes[unit], 0, 0)


def _by_field(apply: Callable[..., NDArray[np.uint64]]) -> Kernel:
    """apply(context, field, *words of the other arguments): one pass a distinct field; an unknown one is an error."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        fields, *columns = (vector.words for vector in vectors)
        n = len(fields)
        out = np.zeros(n, np.uint64)
        errors = None
        first = fields[0] if len(fields) else 0
        names = [first] if len(fields) and (fields == first).all() else np.unique(fields).tolist()
        for code in names:
            rows = slice(None) if len(names) == 1 else fields == code
            try:
                out[rows] = apply(context, context.heap.get(int(code)).decode(), *(words[rows] for words in columns))
            except (InvalidArgument, UnsupportedValue) as error:
                errors = np.zeros(n, np.uint64) if errors is None else errors
                errors[rows] = context.error(error.sqlstate, error.message)
        return Vector(out, None, errors)

    return kernel


def _trunc_kernel(kind: SqlType) -> Kernel:
    return _by_field(lambda _, field, words: truncate(field, words.view(np.int64), kind).view(np.uint64))


def _is_julian(field: str, kind: SqlType) -> bool:
    """Whether it is the Julian day of a moment, and what part of it is over: no decimal of so many digits."""
    return field_of(field) == "julian" and kind in (types.TIMESTAMP, types.TIMESTAMPTZ)


def _since_julian(stamps: NDArray[np.uint64]) -> tuple[Micros, NDArray[np.uint64]]:
    """Microseconds since Julian day 0, before which there is no timestamp, in 128 bits."""
    return np.zeros(len(stamps), np.int64), stamps + np.uint64(JULIAN_EPOCH * DAY)


def _part_kernel(kind: SqlType) -> Kernel:
    def part(context: "Context", field: str, words: NDArray[np.uint64]) -> NDArray[np.uint64]:
        stamps = words.view(np.int64)
        if _is_julian(field, kind):
            return floats(stamps // DAY + JULIAN_EPOCH + stamps % DAY / DAY)
        values, scale = extract(field, stamps, kind)
        return floats(values / 10.0**scale)

    return _by_field(part)


def _midnight_part(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    """Of a date its midnight's, as PostgreSQL's: a date has hours there, but not for extract()."""
    fields, days = vectors
    stamps = Vector((days.words.view(np.int64) * DAY).view(np.uint64))
    return _part_kernel(types.TIMESTAMP)(context, (fields, stamps), type)


def _extract_kernel(kind: SqlType) -> Kernel:
    def part(context: "Context", field: str, words: NDArray[np.uint64]) -> NDArray[np.uint64]:
        if _is_julian(field, kind):
            found, _ = numeric.divide_wide(*_since_julian(words), 0, np.full(len(words), DAY), 0, context.heap)
            return found
        values, scale = extract(field, words.view(np.int64), kind)
        found, _ = numeric.from_wide(values >> 63, values.view(np.uint64), scale, context.heap)
        return found

    return _by_field(part)


def difference(field: str, start: Micros, stop: Micros, type: SqlType) -> Micros:
    """How many units lie between: whole ones of a week and less, boundaries crossed of a month and more."""
    unit = field_of(field)
    if unit == "week" or unit in CLOCK_UNITS:
        size = CLOCK_UNITS.get(unit, 7 * DAY)
        span = stop - start
        return np.where(span < 0, -(-span // size), span // size)
    if type != types.TIME and unit in MONTH_UNITS:
        size = MONTH_UNITS[unit]
        months = [
            (year * 12 + month - 1) // size for year, month, _ in map(calendar.civil, (start // DAY, stop // DAY))
        ]
        return months[1] - months[0]
    if type != types.TIME and unit in ("century", "millennium"):
        found = [_date_field(unit, stamps // DAY) for stamps in (start, stop)]
        return found[1][0] - found[0][0]  # pyright: ignore[reportOptionalSubscript]  # the two are fields of a date
    raise _unknown(field, type)


def _difference_kernel(kind: SqlType) -> Kernel:
    return _by_field(lambda _, field, a, b: difference(field, a.view(np.int64), b.view(np.int64), kind).view(np.uint64))


def _zone_truncate(field: str, stamp: int, zone: str) -> int:
    place = calendar.clock_zone(zone)
    local = calendar.to_local(np.array([stamp], np.int64), place)
    return int(calendar.to_utc(truncate(field, local, types.TIMESTAMPTZ), place)[0])


def _rows() -> Iterator[Function]:
    text, span = types.TEXT, types.INTERVAL
    for kind in (types.TIMESTAMP, types.TIMESTAMPTZ):
        doc = "the start of the unit x around y"
        yield Function("date_trunc", (text, kind), kind, _trunc_kernel(kind), can_fail=True, doc=doc)
    for kind in (types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ):
        doc = "how many units x from y to z: boundaries crossed of months and longer ones, whole ones of shorter ones"
        yield Function("datediff", (text, kind, kind), types.BIGINT, _difference_kernel(kind), can_fail=True, doc=doc)
    triple = (text, types.TIMESTAMPTZ, text)
    yield each("date_trunc", triple, types.TIMESTAMPTZ, _zone_truncate, "the same by a zone's clock", can_fail=True)
    yield each("date_trunc", (text, span), span, truncate_interval, "all below the unit x dropped", can_fail=True)
    doc = "the field x of y"
    yield Function("date_part", (text, types.DATE), types.DOUBLE, _midnight_part, can_fail=True, doc=doc)
    for kind in (types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ):
        yield Function("date_part", (text, kind), types.DOUBLE, _part_kernel(kind), can_fail=True, doc=doc)
    for kind in (types.DATE, types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ):
        yield Function("extract", (text, kind), types.NUMERIC, _extract_kernel(kind), can_fail=True, doc=doc)
    yield each("extract", (text, span), types.NUMERIC, extract_interval, "the field x of y", can_fail=True)
    yield each(
        "date_part", (text, span), types.DOUBLE, lambda field, value: float(extract_interval(field, value)),
        "the field x of y", can_fail=True,
    )  # fmt: skip


FUNCTIONS: Final = tuple(_rows())
