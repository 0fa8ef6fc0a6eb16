"""The text forms of intervals, read and written as PostgreSQL does (IntervalStyle postgres; ISO 8601 is read too)."""

import re
from fractions import Fraction
from typing import Final

from engine.collection.value import Interval
from engine.errors import IntervalOverflow, InvalidDatetime
from engine.expr.calendar import DAY, HOUR, MINUTE, SECOND

MONTH_UNITS: Final = {
    "month": 1, "months": 1, "mon": 1, "mons": 1, "year": 12, "years": 12, "y": 12, "yr": 12, "yrs": 12,
    "decade": 120, "decades": 120, "dec": 120, "decs": 120, "century": 1200, "centuries": 1200, "c": 1200, "cent": 1200,
    "millennium": 12000, "millennia": 12000, "mil": 12000, "mils": 12000, "millenniums": 12000, "quarter": 3,
    "quarters": 3,
}  # fmt: skip
DAY_UNITS: Final = {"day": 1, "days": 1, "d": 1, "week": 7, "weeks": 7, "w": 7}
MICRO_UNITS: Final = {
    "microsecond": 1, "microseconds": 1, "us": 1, "usec": 1, "usecs": 1, "useconds": 1, "usecond": 1,
    "millisecond": 1000, "milliseconds": 1000, "ms": 1000, "msec": 1000, "msecs": 1000, "msecond": 1000,
    "mseconds": 1000, "second": SECOND, "seconds": SECOND, "s": SECOND, "sec": SECOND, "secs": SECOND,
    "minute": MINUTE, "minutes": MINUTE, "m": MINUTE, "min": MINUTE, "mins": MINUTE,
    "hour": HOUR, "hours": HOUR, "h": HOUR, "hr": HOUR, "hrs": HOUR,
}  # fmt: skip

TOKENS: Final = re.compile(
    r"\s*(?:(?P<clock>[+-]?\d+:\d{1,2}(?::\d{1,2})?(?:\.\d*)?)"
    r"|(?P<years>[+-]?\d+-\d{1,2}(?![\d-]))"
    r"|(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)"
    r"|(?P<word>[a-z]+)|(?P<at>@))"
)
ISO: Final = re.compile(r"([+-]?\d+(?:\.\d*)?)([ymwdhs])")
FIELD_MAX: Final = (1 << 31) - 1


def parse_interval(text: str, fields: str = "") -> Interval:
    """The interval of a text; a bare number counts the last of its `fields` (INTERVAL '3' DAY), or seconds."""
    unit = fields.split()[-1] if fields else None
    source = text.strip().lower()
    total = _Sum(text)
    if re.match(r"[+-]?p", source):
        _read_iso(source, total)
        return total.interval()
    at, pending, ago, any_token = 0, None, False, False
    days: Fraction | None = None  # a bare number before hours
    while at < len(source):
        token = TOKENS.match(source, at)
        if token is None or ago:
            raise total.invalid()
        at, any_token = token.end(), True
        if pending is not None and token["word"] is None:
            if days is not None or (token["clock"] is None and token["number"] is None):
                raise total.invalid()
            days, pending = pending, None
        if days is not None and token["clock"] is not None:
            total.add(days, "day")  # '1 04:05:06'
            days = None
        if (value := token["clock"]) is not None:
            total.add_clock(value, fields == "minute to second")
        elif (value := token["years"]) is not None:
            years, months = value.lstrip("+-").split("-")
            sign = -1 if value.startswith("-") else 1
            total.add(Fraction(sign * (int(years) * 12 + int(months))), "month")
        elif (value := token["number"]) is not None:
            pending = Fraction(value)
        elif (value := token["word"]) is not None:
            if value == "ago":
                ago = True
            elif pending is None:
                raise total.invalid()
            else:
                total.add(pending, value, days)
                days = pending = None
    if pending is not None:
        total.add(pending, unit or "second", days)
    if not any_token:
        raise total.invalid()
    return total.interval(-1 if ago else 1)


def down_to(span: Interval, field: str) -> Interval:
    """The interval with all below the field dropped."""
    match field:
        case "year":
            return Interval(int(span.months / 12) * 12, 0, 0)
        case "month":
            return Interval(span.months, 0, 0)
        case "day":
            return Interval(span.months, span.days, 0)
        case "hour" | "minute":
            unit = HOUR if field == "hour" else MINUTE
            sign = -1 if span.microseconds < 0 else 1
            return Interval(span.months, span.days, sign * (abs(span.microseconds) // unit * unit))
        case _:
            return span


class _Sum:
    """The fields read so far. A fraction of a month spills into days (30 a month), of a day into microseconds."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.months = 0
        self.days = 0
        self.micros = Fraction(0)
        self._fields: set[str] = set()

    def invalid(self) -> InvalidDatetime:
        return InvalidDatetime(f'invalid input syntax for type interval: "{self.text}"')

    def add(self, number: Fraction, unit: str, days: Fraction | None = None) -> None:
        """So many units; a bare number before hours is days. Each field comes once."""
        if days is not None:
            if MICRO_UNITS.get(unit) != HOUR:
                raise self.invalid()
            self.add(days, "day")
        self._come(unit)
        if unit in MONTH_UNITS:
            exact = number * MONTH_UNITS[unit]
            if unit in ("month", "months", "mon", "mons"):
                whole = int(exact)
                self.months += whole
                self._add_days((exact - whole) * 30)
            else:
                self.months += round(exact)  # PostgreSQL rounds a fraction of years to months
        elif unit in DAY_UNITS:
            self._add_days(number * DAY_UNITS[unit])
        elif unit in MICRO_UNITS:
            self.micros += number * MICRO_UNITS[unit]
        else:
            raise self.invalid()

    def _come(self, *units: str) -> None:
        """A unit's field comes: once, as PostgreSQL has it."""
        for unit in units:
            sizes = next((sizes for sizes in (MONTH_UNITS, DAY_UNITS, MICRO_UNITS) if unit in sizes), None)
            if sizes is None:
                raise self.invalid()
            field = next(name for name, size in sizes.items() if size == sizes[unit])
            if field in self._fields:
                raise self.invalid()
            self._fields.add(field)

    def _add_days(self, days: Fraction) -> None:
        self.days += int(days)
        self.micros += (days - int(days)) * DAY

    def add_clock(self, clock: str, in_minutes: bool) -> None:
        self._come("hour", "minute", "second")
        sign = -1 if clock.startswith("-") else 1
        parts = clock.lstrip("+-").split(":")
        if len(parts) == 2 and (in_minutes or "." in parts[1]):
            parts.insert(0, "0")  # 12:30.5 is minutes and seconds
        hours, minutes = int(parts[0]), int(parts[1])
        seconds = Fraction(parts[2] + "0" if parts[2].endswith(".") else parts[2]) if len(parts) > 2 else Fraction(0)
        if minutes > 59 or seconds > 60:
            raise IntervalOverflow(f'interval field value out of range: "{self.text}"')
        self.micros += sign * (hours * HOUR + minutes * MINUTE + seconds * SECOND)

    def interval(self, sign: int = 1) -> Interval:
        micros = round(self.micros)
        fields = (sign * self.months, sign * self.days)
        if any(not -FIELD_MAX - 1 <= each <= FIELD_MAX for each in fields) or abs(micros) >= 1 << 63:
            raise IntervalOverflow(f'interval field value out of range: "{self.text}"')
        return Interval(*fields, sign * micros)


def _read_iso(source: str, total: _Sum) -> None:
    """P1Y2M3DT4H5M6.7S"""
    sign = -1 if source.startswith("-") else 1
    date, _, clock = source.lstrip("+-")[1:].partition("t")
    date_units = {"y": "year", "m": "month", "w": "week", "d": "day"}
    clock_units = {"h": "hour", "m": "minute", "s": "second"}
    if not date and not clock:
        raise total.invalid()
    for part, units in ((date, date_units), (clock, clock_units)):
        at = 0
        for found in ISO.finditer(part):
            if found.start() != at or found[2] not in units:
                raise total.invalid()
            total.add(sign * Fraction(found[1]), units[found[2]])
            at = found.end()
        if at != len(part):
            raise total.invalid()


def format_interval(interval: Interval) -> str:
    """1 year 2 mons 3 days 04:05:06.789; after a negative field a positive one shows its +."""
    years, months = int(interval.months / 12), abs(interval.months) % 12 * (1 if interval.months >= 0 else -1)
    parts: list[str] = []
    negative = False
    for value, unit in ((years, "year"), (months, "mon"), (interval.days, "day")):
        if value:
            parts.append(f"{'+' if negative and value > 0 else ''}{value} {unit}{'' if value == 1 else 's'}")
            negative = value < 0
    if interval.microseconds or not parts:
        seconds, fraction = divmod(abs(interval.microseconds), SECOND)
        sign = "-" if interval.microseconds < 0 else "+" if negative else ""
        clock = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        parts.append(f"{clock}.{fraction:06d}".rstrip("0") if fraction else clock)
    return " ".join(parts)
