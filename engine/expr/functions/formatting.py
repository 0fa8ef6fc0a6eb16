"""to_char of times and its inverses: templates of PostgreSQL's chapter 9.8, read once and kept by their text."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Final

from engine import types
from engine.collection.value import Interval
from engine.errors import DatetimeOverflow, InvalidDatetime
from engine.expr import calendar
from engine.expr.calendar import DAY, HOUR, MINUTE, SECOND
from engine.expr.columns import each
from engine.expr.functions.number_format import number_to_char
from engine.expr.registry import Function

MONTH_NAMES: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ROMAN: Final = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")

KEYWORDS: Final = (
    "SSSSS", "SSSS", "HH24", "HH12", "HH", "MI", "SS", "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6",
    "A.M.", "P.M.", "a.m.", "p.m.", "AM", "PM", "am", "pm", "Y,YYY", "YYYY", "IYYY", "YYY", "IYY", "YY", "IY", "Y", "I",
    "B.C.", "A.D.", "b.c.", "a.d.", "BC", "AD", "bc", "ad", "MONTH", "Month", "month", "MON", "Mon", "mon", "MM",
    "DAY", "Day", "day", "DY", "Dy", "dy", "DDD", "IDDD", "DD", "ID", "D", "WW", "W", "IW", "CC", "J", "Q", "RM", "rm",
    "TZH", "TZM", "TZ", "tz", "OF",
)  # fmt: skip
SPELLINGS: Final = {key.lower(): key for key in KEYWORDS} | {key: key for key in KEYWORDS}
"""Keywords in lower case, of which some have a meaning of their own."""
TOKENS: Final = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<fill>FM|fm)?(?P<key>'
    + "|".join(re.escape(key) for key in sorted(SPELLINGS, key=len, reverse=True))
    + r")(?P<ordinal>TH|th)?|(?P<other>.)",
    re.DOTALL,
)


@lru_cache(maxsize=1024)
def template(text: str) -> tuple[tuple[str, str, bool, str], ...]:
    """A template's parts: (keyword or '', literal text, FM, ordinal suffix)."""
    parts: list[tuple[str, str, bool, str]] = []
    for found in TOKENS.finditer(text):
        if found["key"]:
            parts.append((SPELLINGS[found["key"]], "", found["fill"] is not None, found["ordinal"] or ""))
        elif found["quoted"] is not None:
            parts.append(("", re.sub(r"\\(.)", r"\1", found["quoted"]), False, ""))
        else:
            parts.append(("", found["other"], False, ""))
    return tuple(parts)


class _Moment:
    """The fields of a timestamp that templates name."""

    def __init__(self, stamp: int) -> None:
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
            return str(at.days + 2_440_588), 1
        case "Q":
            return str((at.month - 1) // 3 + 1), 1
        case "RM" | "rm":
            return _cased(ROMAN[at.month - 1], key), -4
        case "TZ":
            return "UTC", 1
        case "tz":
            return "utc", 1
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


def stamp_to_char(stamp: int, pattern: str) -> str:
    """A timestamp by a template."""
    at = _Moment(stamp)
    out: list[str] = []
    for key, literal, bare, ordinal in template(pattern):
        if not key:
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


def interval_to_char(span: Interval, pattern: str) -> str:
    """An interval by a template."""
    out: list[str] = []
    for key, literal, bare, ordinal in template(pattern):
        if not key:
            out.append(literal)
            continue
        part = _span_part(key, span)
        if part is None:
            raise InvalidDatetime("invalid format specification for an interval value")
        text = part[1] if bare else part[0]
        out.append(_ordinal(text, ordinal) if ordinal else text)
    return "".join(out)


FROM_WIDTH: Final = {"YYYY": 4, "IYYY": 4, "MS": 3, "US": 6, "DDD": 3, "SSSS": 5, "SSSSS": 5, "Y,YYY": 5, "J": 7}


def _read(text: str, pattern: str) -> tuple[dict[str, int], str]:
    """The numbers that a text has where the template names them, and AM, PM or ''."""
    fields: dict[str, int] = {}
    half = ""
    at = 0
    parts = template(pattern)
    for index, (key, literal, bare, _) in enumerate(parts):
        if not key:
            if literal.isspace():
                while at < len(text) and text[at].isspace():
                    at += 1
            elif at < len(text) and (not text[at].isalnum() or text[at] == literal):
                at += len(literal)
            continue
        while at < len(text) and text[at].isspace():
            at += 1
        lower = key.lower()
        if lower in ("month", "mon"):
            named = [name.lower()[: None if lower == "month" else 3] for name in MONTH_NAMES]
            found = next((m for m, name in enumerate(named, 1) if text[at:].lower().startswith(name)), 0)
            if not found:
                raise InvalidDatetime(f'invalid value "{text[at : at + 9]}" for "{key}"')
            fields["MM"] = found
            at += len(MONTH_NAMES[found - 1]) if lower == "month" else 3
        elif lower in ("day", "dy"):
            while at < len(text) and text[at].isalpha():
                at += 1
        elif lower.replace(".", "") in ("am", "pm"):
            half = text[at : at + len(key)].lower().replace(".", "")
            at += len(key)
        else:
            follows_digit = index + 1 < len(parts) and parts[index + 1][0] != ""
            width = FROM_WIDTH.get(key, 2) if follows_digit and not bare else 20
            width = FROM_WIDTH.get(key, len(key)) if key in ("MS", "US") else width
            number = re.compile(r"[+-]?\d+").match(text[: at + width], at)
            if number is None:
                raise InvalidDatetime(f'invalid value "{text[at : at + 2]}" for "{key}"')
            digits = number.group()
            at = number.end()
            fields[key] = int(digits) * 10 ** (FROM_WIDTH[key] - len(digits)) if key in ("MS", "US") else int(digits)
    return fields, half


def _from_char(text: str, pattern: str) -> int:
    """The timestamp that a text means under a template."""
    fields, half = _read(text, pattern)
    year = fields.get("YYYY", fields.get("IYYY", 0))
    if "YY" in fields:
        year = fields["YY"] + (2000 if fields["YY"] < 70 else 1900 if fields["YY"] < 100 else 0)
    month, day = fields.get("MM", 1), fields.get("DD", 1)
    hour = fields.get("HH24", fields.get("HH12", fields.get("HH", 0)))
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    minute, second = fields.get("MI", 0), fields.get("SS", 0)
    valid = 1 <= month <= 12 and 1 <= day <= calendar.month_length(year, month)
    if not valid or hour > 23 or minute > 59 or second > 59:
        raise DatetimeOverflow(f'date/time field value out of range: "{text}"')
    days = calendar.days_from_civil(year, month, day)
    if "DDD" in fields:
        days = calendar.days_from_civil(year, 1, 1) + fields["DDD"] - 1
    micros = fields.get("MS", 0) * 1000 + fields.get("US", 0)
    clock = hour * HOUR + minute * MINUTE + second * SECOND + micros
    clock += fields.get("SSSS", fields.get("SSSSS", 0)) * SECOND
    return calendar.checked(days * DAY + clock)


def _to_date(text: str, pattern: str) -> int:
    return _from_char(text, pattern) // DAY


def _float_to_char(value: float, pattern: str) -> str:
    return number_to_char(Decimal(repr(value)), pattern)


def _integer_to_char(value: int, pattern: str) -> str:
    return number_to_char(Decimal(value), pattern)


def _rows() -> Iterator[Function]:
    text = types.TEXT
    doc = "by a template such as YYYY-MM-DD HH24:MI:SS"
    for kind in (types.TIMESTAMP, types.TIMESTAMPTZ):
        yield each("to_char", (kind, text), text, stamp_to_char, doc)
    yield each("to_char", (types.INTERVAL, text), text, interval_to_char, doc, can_fail=True)
    doc = "by a template such as 999,990.00"
    for kind in (types.INTEGER, types.BIGINT):
        yield each("to_char", (kind, text), text, _integer_to_char, doc, can_fail=True)
    yield each("to_char", (types.NUMERIC, text), text, number_to_char, doc, can_fail=True)
    yield each("to_char", (types.DOUBLE, text), text, _float_to_char, doc, can_fail=True)
    yield each("to_timestamp", (text, text), types.TIMESTAMPTZ, _from_char, "x read by a template", can_fail=True)
    yield each("to_date", (text, text), types.DATE, _to_date, "x read by a template", can_fail=True)


FUNCTIONS: Final = tuple(_rows())
