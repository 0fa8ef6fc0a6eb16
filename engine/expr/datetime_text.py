"""The text forms of dates, times and intervals, read and written as PostgreSQL does (DateStyle ISO, MDY).

Raw values go in and out: days, microseconds (engine/expr/calendar.py). Errors are PostgreSQL's: 22007 for what is no
date at all, 22008 for a field or a result out of range.
"""

import re
from fractions import Fraction
from typing import Final

from engine.errors import DatetimeOverflow, InvalidDatetime
from engine.expr import calendar
from engine.expr.calendar import DAY, HOUR, MINUTE, SECOND

MONTHS: Final = {
    name[:length]: index + 1
    for index, name in enumerate(
        ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
         "december")
    )
    for length in (3, 4, len(name))
}  # fmt: skip
OFFSET_HOURS_MAX: Final = 15
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

NUMERIC_DATE: Final = re.compile(r"(\d+)[-/.](\d{1,2})[-/.](\d+)")
NAMED_DATE: Final = re.compile(r"(\d{1,4})-([a-z]{3,})-(\d{1,4})")
CLOCK: Final = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d*)?)?(am|pm)?")
COMPACT_CLOCK: Final = re.compile(r"(\d{2})(\d{2})(\d{2})(\.\d*)?")
OFFSET: Final = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?(?::?(\d{2}))?")
TOKENS: Final = re.compile(
    r"\s*(?:,|(?P<clock>\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d*)?)?(?:\s*[ap]m\b)?)"
    r"|(?P<date>\d+[-/.]\d{1,2}[-/.]\d+|\d{1,4}-[a-z]{3,}-\d{1,4})"
    r"|(?P<offset>[+-]\d{1,2}(?::?\d{2}){0,2}(?![\d:]))"
    r"|(?P<posix>[a-z]{3,}(?P<west>[+-]\d{1,2}(?::?\d{2}){0,2})(?![\d:]))"
    r"|(?P<word>[a-z_]+(?:/[a-z_+\-0-9]+)*)"
    r"|(?P<number>\d+(?:\.\d+)?))"
)


class _Fields:
    """What the tokens of a date and time text said."""

    def __init__(self) -> None:
        self.date: tuple[int, int, int] | None = None
        self.clock: int | None = None
        self.offset: int | None = None
        self.zone: str | None = None
        self.days: int | None = None


def parse_date(text: str) -> int:
    """Days since 1970-01-01."""
    fields = _read(text, "date")
    days = _days(fields, text, "date")
    if not calendar.DATE_MIN <= days <= calendar.DATE_MAX:
        raise DatetimeOverflow(f'date out of range: "{text}"')
    return days


def parse_time(text: str) -> int:
    """Microseconds since midnight; 24:00:00 is one."""
    fields = _read(text, "time")
    if fields.clock is None:
        raise _invalid("time", text)
    return fields.clock


def parse_timestamp(text: str) -> int:
    """Microseconds; a zone in the text is ignored, as the type has none."""
    fields = _read(text, "timestamp")
    return _ranged(_days(fields, text, "timestamp") * DAY + (fields.clock or 0), text)


def parse_timestamptz(text: str) -> int:
    """Microseconds of UTC; without a zone in the text it is UTC."""
    fields = _read(text, "timestamp with time zone")
    local = _days(fields, text, "timestamp with time zone") * DAY + (fields.clock or 0)
    if fields.offset is not None:
        local -= fields.offset
    elif fields.zone is not None:
        local -= calendar.offset_on_clock(calendar.zone(fields.zone), local)
    return _ranged(local, text)


def _ranged(micros: int, text: str) -> int:
    if not calendar.TIMESTAMP_MIN <= micros <= calendar.TIMESTAMP_MAX:
        raise DatetimeOverflow(f'timestamp out of range: "{text}"')
    return micros


def _invalid(name: str, text: str) -> InvalidDatetime:
    return InvalidDatetime(f'invalid input syntax for type {name}: "{text}"')


def _out_of_range(text: str) -> DatetimeOverflow:
    return DatetimeOverflow(f'date/time field value out of range: "{text}"')


def _days(fields: _Fields, text: str, name: str) -> int:
    if fields.days is not None:
        return fields.days
    if fields.date is None:
        raise _invalid(name, text)
    year, month, day = fields.date
    if not 1 <= month <= 12 or not 1 <= day <= calendar.month_length(year, month):
        raise _out_of_range(text)
    return calendar.days_from_civil(year, month, day)


def _read(text: str, name: str) -> _Fields:
    fields = _Fields()
    source = text.strip().lower()
    if name != "time" and source.lstrip("+-") == "infinity":
        hint = "NULL, or a day far away, says that there is no bound."
        raise InvalidDatetime(f'dates and timestamps have no infinity: "{text}"', hint=hint)
    if re.match(r"\d[^ ]*t\d", source):  # ISO 8601's T between date and time
        source = source.replace("t", " ", 1)
    at = 0
    numbers: list[str] = []
    month: int | None = None
    before_christ = False
    while at < len(source):
        token = TOKENS.match(source, at)
        if token is None or token.end() == at:
            if source[at:].isspace():
                break
            raise _invalid(name, text)
        at = token.end()
        if (value := token["clock"]) is not None:
            if fields.clock is not None:
                raise _invalid(name, text)
            fields.clock = _clock(value, text)
        elif (value := token["date"]) is not None:
            if fields.date is not None:
                raise _invalid(name, text)
            fields.date = _date(value, text, name)
        elif (value := token["offset"]) is not None:
            if fields.clock is None and fields.date is None and name != "time":
                raise _invalid(name, text)
            fields.offset = _offset(value)
        elif token["posix"] is not None:  # UTC+3, whatever its letters are: hours west of Greenwich
            if fields.zone is not None or fields.offset is not None or (fields.date is None and fields.clock is None):
                raise _invalid(name, text)
            fields.offset = -_offset(token["west"])
        elif (value := token["number"]) is not None:
            numbers.append(value)
        elif (value := token["word"]) is not None:
            if value in MONTHS and month is None:
                month = MONTHS[value]
            elif value == "bc":
                before_christ = True
            elif value == "ad" or value in WEEKDAYS or value in {day[:3] for day in WEEKDAYS}:
                pass
            elif value == "epoch":
                fields.days, fields.clock = 0, 0
            elif value in ("am", "pm"):
                raise _invalid(name, text)
            elif value == "z":
                fields.offset = 0
            elif value == "t" and (fields.date is not None or numbers) and re.match(r"\s*\d", source[at:]):
                pass  # ISO 8601's, set apart
            elif fields.zone is None and (fields.date is not None or fields.clock is not None):
                calendar.zone(value)
                fields.zone = value
            else:
                raise _invalid(name, text)
    _place_numbers(fields, numbers, month, text, name)
    if before_christ and fields.date is not None:
        year, month_, day = fields.date
        fields.date = (1 - year, month_, day)
    elif fields.date is not None and fields.date[0] == 0:
        raise _out_of_range(text)
    return fields


def _place_numbers(fields: _Fields, numbers: list[str], month: int | None, text: str, name: str) -> None:
    """Bare numbers: the day and year beside a month's name, or compact forms (20240131, 040506)."""
    if month is not None:
        whole = [number for number in numbers if number.isdigit()]
        if len(whole) != 2 or len(numbers) != 2 or fields.date is not None:
            raise _invalid(name, text)
        year, day = (whole[0], whole[1]) if len(whole[0]) > 2 else (whole[1], whole[0])
        fields.date = (_year(year), month, int(day))
        return
    for number in numbers:
        if len(number) == 8 and number.isdigit() and fields.date is None:
            fields.date = (int(number[:4]), int(number[4:6]), int(number[6:]))
        elif (compact := COMPACT_CLOCK.fullmatch(number)) and fields.clock is None:
            hour, minute, second, fraction = compact.groups()
            fields.clock = _clock(f"{hour}:{minute}:{second}{fraction or ''}", text)
        else:
            raise _invalid(name, text)


def _year(digits: str) -> int:
    year = int(digits)
    return year + (2000 if year < 70 else 1900) if len(digits) <= 2 else year


def _date(value: str, text: str, name: str) -> tuple[int, int, int]:
    named = NAMED_DATE.fullmatch(value)
    if named is not None:
        first, word, last = named.groups()
        month = MONTHS.get(word)
        if month is None:
            raise _invalid(name, text)
        return (int(first), month, int(last)) if len(first) > 2 else (_year(last), month, int(first))
    found = NUMERIC_DATE.fullmatch(value)
    assert found is not None
    first, second, third = found.groups()
    if len(first) > 2:
        if len(third) > 2:
            raise _invalid(name, text)
        return int(first), int(second), int(third)
    return _year(third), int(first), int(second)


def _clock(value: str, text: str) -> int:
    found = CLOCK.fullmatch(value.replace(" ", ""))
    assert found is not None
    hour, minute, second = (int(part or 0) for part in found.group(1, 2, 3))
    if found[5] is not None:
        if not 1 <= hour <= 12:
            raise _out_of_range(text)
        hour = hour % 12 + (12 if found[5] == "pm" else 0)
    micros = round(Fraction("0" + (found[4] or ".0") + "0") * SECOND)
    total = hour * HOUR + minute * MINUTE + second * SECOND + micros
    if hour > 24 or minute > 59 or second > 60 or total > DAY:
        raise _out_of_range(text)
    return total


def _offset(value: str) -> int:
    found = OFFSET.fullmatch(value)
    assert found is not None
    hours, minutes, seconds = (int(part or 0) for part in found.group(2, 3, 4))
    if hours > OFFSET_HOURS_MAX or minutes > 59 or seconds > 59:
        raise DatetimeOverflow(f'time zone displacement out of range: "{value}"')
    micros = hours * HOUR + minutes * MINUTE + seconds * SECOND
    return -micros if found[1] == "-" else micros


def format_date(days: int) -> str:
    """2024-01-31; years before 1 end in ' BC'."""
    year, month, day = calendar.civil_from_days(days)
    return f"{year:04d}-{month:02d}-{day:02d}" if year > 0 else f"{1 - year:04d}-{month:02d}-{day:02d} BC"


def format_time(micros: int) -> str:
    """04:05:06.789, without trailing zeros in the fraction."""
    seconds, fraction = divmod(micros, SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    text = f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def format_timestamp(micros: int, zone: str = "") -> str:
    """2024-01-31 04:05:06.789, then the zone's suffix ('+00')."""
    days, clock = divmod(micros, DAY)
    date = format_date(days)
    if date.endswith(" BC"):
        return f"{date[:-3]} {format_time(clock)}{zone} BC"
    return f"{date} {format_time(clock)}{zone}"


def format_timestamptz(micros: int) -> str:
    """As a timestamp in UTC, with +00."""
    return format_timestamp(micros, "+00")
