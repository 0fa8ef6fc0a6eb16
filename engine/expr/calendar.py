"""The proleptic Gregorian calendar in integers: days and microseconds since 1970-01-01, beyond Python's own dates.

From Howard Hinnant, "chrono-compatible low-level date algorithms"; columns of days go to engine/kernels/calendar.py.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from engine.errors import DatetimeOverflow, InvalidArgument
from engine.kernels import calendar as kernels

Micros = NDArray[np.int64]

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

JULIAN_EPOCH: Final = 2_440_588
"""The Julian day of 1970-01-01."""
DATE_MIN, DATE_MAX = -JULIAN_EPOCH, 2_145_042_541
"""4714-11-24 BC to 5874897-12-31: PostgreSQL's range of dates, in days."""
TIMESTAMP_MIN, TIMESTAMP_MAX = -210_866_803_200_000_000, 9_223_371_331_199_999_999
"""4714-11-24 BC to 294276-12-31 23:59:59.999999: PostgreSQL's range of timestamps, in microseconds."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MONTH_LENGTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; year 0 is 1 BC."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def civil_from_days(days: int) -> tuple[int, int, int]:
    """(year, month, day) of days since 1970-01-01."""
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def month_length(year: int, month: int) -> int:
    """How many days the month has."""
    return 29 if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else MONTH_LENGTHS[month - 1]


def add_months(days: int, months: int) -> int:
    """The same day of another month, or that month's last day."""
    year, month, day = civil_from_days(days)
    total = year * 12 + month - 1 + months
    year, month = total // 12, total % 12 + 1
    return days_from_civil(year, month, min(day, month_length(year, month)))


def civil(days: Micros) -> tuple[Micros, Micros, Micros]:
    """(years, months, days of the month) of days since 1970-01-01."""
    years, months, of_month = (np.empty(len(days), np.int64) for _ in range(3))
    kernels.civil(days, years, months, of_month)
    return years, months, of_month


def days_of(years: Micros, months: Micros, days: Micros) -> Micros:
    """The inverse of `civil`."""
    out = np.empty(len(years), np.int64)
    kernels.days(years, months, days, out)
    return out


def checked(micros: int) -> int:
    """A timestamp within PostgreSQL's range; raises DatetimeOverflow (22008)."""
    if not TIMESTAMP_MIN <= micros <= TIMESTAMP_MAX:
        raise DatetimeOverflow("timestamp out of range")
    return micros


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """A time zone by IANA name, abbreviation or offset ('+02', '-03:30'); raises InvalidArgument (22023)."""
    plain = name.strip()
    if plain.lower() in ("utc", "z", "gmt", "zulu", "uct"):
        return UTC
    sign = plain[:1]
    if sign in ("+", "-"):
        hours, _, minutes = plain[1:].partition(":")
        if not minutes and len(hours) == 4:
            hours, minutes = hours[:2], hours[2:]
        if hours.isdigit() and (not minutes or minutes.isdigit()) and int(hours) < 16:
            from_utc = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return FixedOffset(from_utc if sign == "+" else -from_utc)
    offset = ABBREVIATIONS.get(plain.lower())
    if offset is not None:
        return FixedOffset(timedelta(hours=offset))
    posix = POSIX_ZONE.fullmatch(plain)
    if posix is not None:
        return FixedOffset(-timedelta(hours=int(posix[1]), minutes=int(posix[1][0] + (posix[2] or "0"))))
    try:
        return ZoneInfo(_spelling(plain))
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        raise InvalidArgument(f'time zone "{name}" not recognized') from None


def iana_zone(name: str) -> tzinfo:
    """A time zone by its name in the IANA database alone, in any case; raises InvalidArgument (22023)."""
    plain = name.strip()
    try:
        return ZoneInfo(_spelling(plain)) if plain else _unknown_zone(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        return _unknown_zone(name)


def _unknown_zone(name: str) -> NoReturn:
    raise InvalidArgument(f"invalid IANA Time Zone Database identifier: '{name}'")


def clock_zone(name: str) -> tzinfo:
    """The zone that AT TIME ZONE names: an offset there is POSIX's, hours west of Greenwich, unlike in a timestamp."""
    place = zone(name)
    if isinstance(place, FixedOffset) and name.strip()[:1] in ("+", "-"):
        return FixedOffset(-place.offset)
    return place


class FixedOffset(tzinfo):
    """A zone without a name: so far ahead of UTC, always."""

    def __init__(self, offset: timedelta) -> None:
        self.offset = offset

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return self.offset

    def dst(self, dt: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, dt: datetime | None) -> str:
        return str(self.offset)


POSIX_ZONE: Final = re.compile(r"[A-Za-z]{3,}([+-]\d{1,2})(?::(\d{2}))?")
"""UTC+3, whatever its letters are: hours and minutes west of Greenwich."""
ABBREVIATIONS: Final = {
    "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "cet": 1, "cest": 2,
    "bst": 1, "eet": 2, "eest": 3, "msk": 3, "jst": 9,
}  # fmt: skip
"""The abbreviations of PostgreSQL's default list that people use, in hours ahead of UTC."""


def _spelling(name: str) -> str:
    """IANA names by any case: america/new_york."""
    if any(letter.isupper() for letter in name) or "/" not in name:
        return name
    return "/".join("_".join(word.capitalize() for word in part.split("_")) for part in name.split("/"))


def moment(utc: int) -> datetime:
    """A timestamp as Python has it, to the second. Far years are taken for near ones."""
    return EPOCH + timedelta(seconds=_near(utc) // SECOND)


def offset_at(place: tzinfo, utc: int) -> int:
    """How far the zone's clocks are ahead of UTC at a moment, in microseconds."""
    offset = moment(utc).astimezone(place).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)


def offset_on_clock(place: tzinfo, local: int) -> int:
    """How far the zone is ahead of UTC when its clocks show `local`.

    PostgreSQL's choice where clocks jump: before a gap the offset before it, in an overlap the later (standard) one.
    """
    naive = (EPOCH + timedelta(seconds=_near(local) // SECOND)).replace(tzinfo=place)
    first, second = naive.utcoffset(), naive.replace(fold=1).utcoffset()
    assert first is not None
    assert second is not None
    return min(first, second) // timedelta(microseconds=1)


def _near(micros: int) -> int:
    """The moment moved by multiples of 400 years (one cycle of the calendar) into the years that Python knows."""
    cycle = 146_097 * DAY
    if micros < -62_000_000_000 * SECOND:
        return micros + cycle * (-(micros + 62_000_000_000 * SECOND) // cycle + 1)
    if micros > 253_000_000_000 * SECOND:
        return micros - cycle * ((micros - 253_000_000_000 * SECOND) // cycle + 1)
    return micros


def to_local(utc: Micros, place: tzinfo) -> Micros:
    """What the zone's clocks show at those moments. One look-up for each quarter of an hour among them."""
    if place is UTC:
        return utc
    quarters, inverse = np.unique(utc // (15 * MINUTE), return_inverse=True)
    offsets = np.array([offset_at(place, q * 15 * MINUTE) for q in quarters.tolist()], np.int64)
    return utc + offsets[inverse]


def to_utc(local: Micros, place: tzinfo) -> Micros:
    """The moments at which the zone's clocks show those times."""
    if place is UTC:
        return local
    quarters, inverse = np.unique(local // (15 * MINUTE), return_inverse=True)
    offsets = np.array([offset_on_clock(place, q * 15 * MINUTE) for q in quarters.tolist()], np.int64)
    return local - offsets[inverse]
