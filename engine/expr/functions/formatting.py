"""to_char of times and intervals by templates, and the functions of all templates."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Final

from engine import types
from engine.collection.value import Interval
from engine.errors import InvalidDatetime
from engine.expr import calendar
from engine.expr.calendar import DAY, HOUR, JULIAN_EPOCH, MINUTE, SECOND
from engine.expr.columns import each
from engine.expr.functions.number_format import double_to_char, number_to_char
from engine.expr.functions.template_reading import date_from_char, stamp_from_char
from engine.expr.functions.templates import DAY_NAMES, MONTH_NAMES, ROMAN, template
from engine.expr.registry import Function


class _Moment:
    """The fields of a timestamp that templates name."""

    def __init__(self, stamp: int, zone: str) -> None:
        self.zone = zone
        self.days, self.clock = divmod(stamp, DAY)
        self.year, self.month, self.day = calendar.civil_from_days(self.days)
        self.hour = self.clock // HOUR
        self.shown_year = self.year if self.year > 0 else 1 - self.year
        self.of_year = self.days - calendar.days_from_civil(self.year, 1, 1) + 1
        self.weekday = (self.days + 3) % 7
        thursday = self.days - self.weekday + 3
        self.iso_year = calendar.civil_from_days(thursday)[0]
        self.iso_week = (thursday - calendar.days_from_civil(self.iso_year, 1, 1)) // 7 + 1


def _ordinal(number: str, suffix: str) -> str:
    """1st, 2nd, 3rd, 4th, 11th."""
    last = number[-1]
    teen = len(number) > 1 and number[-2] == "1"
    ending = "th" if teen else {"1": "st", "2": "nd", "3": "rd"}.get(last, "th")
    return number + (ending.upper() if suffix == "TH" else ending)


def _cased(name: str, key: str) -> str:
    return name.upper() if key.isupper() else name.lower() if key.islower() else name


def _clock_part(key: str, hour: int, clock: int) -> tuple[str, int] | None:
    """(text, width) of a part that needs the time of day alone."""
    micros = clock % SECOND
    match key:
        case "HH24":
            return str(hour), 2
        case "HH" | "HH12":
            return str(hour % 12 or 12), 2
        case "MI":
            return str(clock // MINUTE % 60), 2
        case "SS":
            return str(clock // SECOND % 60), 2
        case "MS" | "FF3":
            return f"{micros // 1000:03d}", 3
        case "US" | "FF6":
            return f"{micros:06d}", 6
        case "FF1" | "FF2" | "FF4" | "FF5":
            return f"{micros:06d}"[: int(key[2])], 1
        case "SSSS" | "SSSSS":
            return str(clock // SECOND), 1
        case "AM" | "PM" | "A.M." | "P.M." | "am" | "pm" | "a.m." | "p.m.":
            half = "PM" if hour % 24 >= 12 else "AM"
            half = f"{half[0]}.{half[1]}." if "." in key else half
            return (half if key[0].isupper() else half.lower()), 1
        case _:
            return None


def _date_part(key: str, at: _Moment) -> tuple[str, int]:
    year = at.shown_year
    match key:
        case "Y,YYY":
            return f"{year:,}" if year >= 1000 else f"0,{year:03d}", 1
        case "YYYY" | "YYY" | "YY" | "Y":
            width = len(key)
            return str(year if width == 4 else year % 10**width), width
        case "IYYY" | "IYY" | "IY" | "I":
            width = len(key)
            year = at.iso_year if at.iso_year > 0 else 1 - at.iso_year
            return str(year if width == 4 else year % 10**width), width
        case "BC" | "AD" | "bc" | "ad" | "B.C." | "A.D." | "b.c." | "a.d.":
            era = "BC" if at.year <= 0 else "AD"
            era = f"{era[0]}.{era[1]}." if "." in key else era
            return (era if key[0].isupper() else era.lower()), 1
        case "MONTH" | "Month" | "month":
            return _cased(MONTH_NAMES[at.month - 1], key), -9
        case "MON" | "Mon" | "mon":
            return _cased(MONTH_NAMES[at.month - 1][:3], key), 1
        case "MM":
            return str(at.month), 2
        case "DAY" | "Day" | "day":
            return _cased(DAY_NAMES[at.weekday], key), -9
        case "DY" | "Dy" | "dy":
            return _cased(DAY_NAMES[at.weekday][:3], key), 1
        case "DDD":
            return str(at.of_year), 3
        case "IDDD":
            return str((at.iso_week - 1) * 7 + at.weekday + 1), 3
        case "DD":
            return str(at.day), 2
        case "D":
            return str((at.weekday + 1) % 7 + 1), 1
        case "ID":
            return str(at.weekday + 1), 1
        case "W":
            return str((at.day - 1) // 7 + 1), 1
        case "WW":
            return str((at.of_year - 1) // 7 + 1), 2
        case "IW":
            return str(at.iso_week), 2
        case "CC":
            century = (at.shown_year + 99) // 100
            return (f"{century:02d}" if at.year > 0 else f"-{century:02d}"), 1
        case "J":
            return str(at.days + JULIAN_EPOCH), 1
        case "Q":
            return str((at.month - 1) // 3 + 1), 1
        case "RM" | "rm":
            return _cased(ROMAN[at.month - 1], key), -4
        case "TZ" | "tz":
            return _cased(at.zone, key), 0
        case "OF" | "TZH":
            return "+00", 1
        case _:
            assert key == "TZM"
            return "00", 1


def _padded(part: tuple[str, int], bare: bool, ordinal: str) -> str:
    """Digits get zeros before them, names (negative width) blanks behind, unless FM says neither."""
    text, width = part
    if not bare:
        text = text.ljust(-width) if width < 0 else text.rjust(width, "0")
    return _ordinal(text, ordinal) if ordinal else text


def stamp_to_char(stamp: int, pattern: str, zone: str = "UTC") -> str | None:
    """A timestamp, in the zone of that name, by a template; NULL by an empty one."""
    if not pattern:
        return None
    at = _Moment(stamp, zone)
    out: list[str] = []
    for key, literal, bare, ordinal, _ in template(pattern):
        if not key or key == "FX":
            out.append(literal)
            continue
        part = _clock_part(key, at.hour, at.clock) or _date_part(key, at)
        out.append(_padded(part, bare, ordinal))
    return "".join(out)


def _signed(value: int, width: int, negative: bool) -> str:
    """Zeros before the digits; a place more where the sign stands (or would: 12 of an hour that is negative)."""
    return f"{value:0{width + negative}d}"


def _remainder(value: int, by: int) -> int:
    """The remainder with the sign of the value."""
    return value % by if value >= 0 else -(-value % by)


def _span_part(key: str, span: Interval) -> tuple[str, str] | None:
    """(with its zeros, bare) of a part of an interval: each field has its own sign, hours are not cut at 24."""
    years, clock = int(span.months / 12), span.microseconds
    hours = int(clock / HOUR)
    seconds = int(clock / SECOND)
    match key:
        case "YYYY" | "YYY" | "YY" | "Y":
            width = len(key)
            value, negative = years if width == 4 else _remainder(years, 10**width), years < 0
        case "MM":
            value, width = span.months - years * 12, 2
            negative = value < 0
        case "DD":
            value, width, negative = span.days, 2, False
        case "DDD":
            value, width, negative = span.months * 30 + span.days, 3, False
        case "HH24":
            value, width, negative = hours, 2, hours < 0
        case "HH" | "HH12":
            value, width, negative = _remainder(hours, 12) or 12, 2, hours < 0
        case "MI" | "SS":
            value, width = _remainder(seconds if key == "SS" else int(clock / MINUTE), 60), 2
            negative = value < 0
        case "MS" | "FF3":
            value, width, negative = int(_remainder(clock, SECOND) / 1000), 3, False
        case "US" | "FF6":
            value, width, negative = _remainder(clock, SECOND), 6, False
        case "SSSS" | "SSSSS":
            value, width, negative = seconds, 1, seconds < 0
        case "AM" | "PM" | "A.M." | "P.M." | "am" | "pm" | "a.m." | "p.m.":
            part = _clock_part(key, hours % 24 if hours >= 0 else 0, 0)
            return None if part is None else (part[0], part[0])
        case _:
            return None
    return _signed(value, width, negative), str(value)


def interval_to_char(span: Interval, pattern: str) -> str | None:
    """An interval by a template; NULL by an empty one."""
    if not pattern:
        return None
    out: list[str] = []
    for key, literal, bare, ordinal, _ in template(pattern):
        if not key or key == "FX":
            out.append(literal)
            continue
        part = _span_part(key, span)
        if part is None:
            raise InvalidDatetime("invalid format specification for an interval value")
        text = part[1] if bare else part[0]
        out.append(_ordinal(text, ordinal) if ordinal else text)
    return "".join(out)


def _integer_to_char(value: int, pattern: str) -> str:
    return number_to_char(Decimal(value), pattern)


def _rows() -> Iterator[Function]:
    text = types.TEXT
    doc = "by a template such as YYYY-MM-DD HH24:MI:SS"
    for kind, zone in ((types.TIMESTAMP, ""), (types.TIMESTAMPTZ, "UTC")):
        yield each("to_char", (kind, text), text, partial(stamp_to_char, zone=zone), doc, gives_null=True)
    yield each("to_char", (types.INTERVAL, text), text, interval_to_char, doc, can_fail=True, gives_null=True)
    doc = "by a template such as 999,990.00"
    for kind in (types.INTEGER, types.BIGINT):
        yield each("to_char", (kind, text), text, _integer_to_char, doc, can_fail=True)
    yield each("to_char", (types.NUMERIC, text), text, number_to_char, doc, can_fail=True)
    yield each("to_char", (types.DOUBLE, text), text, double_to_char, doc, can_fail=True)
    yield each("to_timestamp", (text, text), types.TIMESTAMPTZ, stamp_from_char, "x read by a template", can_fail=True)
    yield each("to_date", (text, text), types.DATE, date_from_char, "x read by a template", can_fail=True)


FUNCTIONS: Final = tuple(_rows())
