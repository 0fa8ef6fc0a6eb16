"""to_timestamp and to_date: what a text means under a template of PostgreSQL's chapter 9.8.

Rule   each keyword takes a number or a name out of the text; a blank or a mark of the template takes one of the text if
       there is one, a letter takes any; what the text lacks at its end is left out. The fields then make a day of the
       calendar or of the ISO weeks (not of both), or a Julian one, and a time of that day. What no field says is
       January 1 of 1 BC at 00:00.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from engine.errors import DatetimeOverflow, InvalidDatetime, UnsupportedValue
from engine.expr import calendar
from engine.expr.calendar import DAY, HOUR, JULIAN_EPOCH, MINUTE, SECOND
from engine.expr.functions.templates import DAY_NAMES, MONTH_NAMES, ROMAN, Part, template

INTEGER: Final = re.compile(r"\s*[+-]?\d+")
THOUSANDS: Final = re.compile(r"\s*([+-]?\d+),(\d{1,3})")
LENGTHS: Final = {
    "HH": 2, "HH12": 2, "HH24": 2, "MI": 2, "SS": 2, "MS": 3, "US": 6, "SSSS": 5, "SSSSS": 5, "TZH": 2, "TZM": 2,
    "MM": 2, "DD": 2, "DDD": 3, "IDDD": 3, "D": 1, "ID": 1, "W": 1, "WW": 2, "IW": 2, "CC": 2, "J": 7, "Q": 1,
    "YYYY": 4, "IYYY": 4, "YYY": 3, "IYY": 3, "YY": 2, "IY": 2, "Y": 1, "I": 1, "Y,YYY": 5,
    **{f"FF{n}": n for n in range(1, 7)},
}  # fmt: skip
"""How many digits a number has that stands right before another."""
YEARS: Final = ("YYYY", "YYY", "YY", "Y", "Y,YYY")
GREGORIAN: Final = frozenset({"MM", "MON", "MONTH", "RM", "DD", "DDD", "D", "W", "WW", *YEARS})
ISO_YEARS: Final = ("IYYY", "IYY", "IY", "I")
ISO: Final = frozenset({"ID", "IDDD", "IW", *ISO_YEARS})
INTEGER_MAX: Final = (1 << 31) - 1
ZONE_HOURS_MAX: Final = 15
CENTURY_PIVOTS: Final = ((70, 2000), (100, 1900), (520, 2000), (1000, 1000))
"""A year of fewer than four digits is the one closest to 2020."""
SAME: Final = {"SSSSS": "SSSS", "HH12": "HH", "HH24": "HH", "IDDD": "DDD", "ID": "D", "IW": "WW"}


@dataclass(slots=True)
class Fields:
    """What was read, by keyword; several keywords for one thing have one name."""

    numbers: dict[str, int] = field(default_factory=dict)
    year_digits: int = 0  # of the keyword
    iso: bool | None = None
    twelve: bool = False
    sign: int = 0  # of a zone

    def set(self, name: str, value: int, key: str) -> None:
        """Note a value; InvalidDatetime if there is another one."""
        if self.numbers.get(name) not in (None, 0, value):
            raise InvalidDatetime(
                f'conflicting values for "{key}" field in formatting string',
                detail="This value contradicts a previous setting for the same field type.",
            )
        self.numbers[name] = value

    def get(self, name: str) -> int:
        """The value; 0 where there is none, which is what no field says."""
        return self.numbers.get(name, 0)


class _Reader:
    """One text under one template."""

    def __init__(self, text: str, parts: tuple[Part, ...]) -> None:
        self.text, self.parts, self.at, self.skipped = text, parts, 0, 0
        self.found: Final = Fields()
        self.exact = False

    def run(self) -> Fields:
        for index, part in enumerate(self.parts):
            if self.at >= len(self.text):
                break
            if not self.exact and (part.key or index == 0):
                self._blanks()
            if part.key:
                self._take(part, index)
                if not self.exact:
                    self.skipped = 0
                    self._blanks()
            elif part.mark:
                self.skipped -= 1
                if self.exact or not self.text[self.at].isalnum():
                    self.at += 1
                    self.skipped += 1
            elif self.skipped > 0 and not self.exact:
                self.skipped -= 1
            else:
                self.at += 1
        return self.found

    def _blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
            self.skipped += 1

    def _take(self, part: Part, index: int) -> None:
        """The field of a keyword."""
        key = part.key.upper()
        if key in GREGORIAN or key in ISO:
            if self.found.iso not in (None, key in ISO):
                raise InvalidDatetime(
                    "invalid combination of date conventions",
                    hint="Do not mix Gregorian and ISO week date conventions in a formatting template.",
                )
            self.found.iso = key in ISO
        match key:
            case "FX":
                self.exact = True
            case "AM" | "PM" | "A.M." | "P.M.":
                self.found.set("PM", self._name(("A.M.", "P.M.") if "." in key else ("AM", "PM"), part.key), key)
                self.found.twelve = True
            case "AD" | "BC" | "A.D." | "B.C.":
                self.found.set("BC", self._name(("A.D.", "B.C.") if "." in key else ("AD", "BC"), part.key), key)
            case "MONTH":
                self.found.set("MM", self._name(MONTH_NAMES, part.key) + 1, key)
            case "MON":
                self.found.set("MM", self._name([name[:3] for name in MONTH_NAMES], part.key) + 1, key)
            case "RM":
                self.found.set("MM", 12 - self._name(ROMAN[::-1], part.key), key)
            case "DAY" | "DY":
                names = DAY_NAMES if key == "DAY" else [name[:3] for name in DAY_NAMES]
                self.found.set("D", (self._name(names, part.key) + 1) % 7 + 1, key)
            case "TZ" | "OF":
                raise UnsupportedValue(f'formatting field "{part.key}" is only supported in to_char')
            case "TZH":
                self._sign()
                self.found.set(key, self._number(key, index)[0], key)
            case "Y,YYY":
                self._thousands(part.key)
            case _:
                self._digits(key, index)

    def _digits(self, key: str, index: int) -> None:
        value, length = self._number(key, index)
        found = self.found
        if key in ("HH", "HH12"):
            found.twelve = True
        if key in YEARS or key in ISO_YEARS:
            if key not in ("YYYY", "IYYY") and length < 4:
                value += next((more for below, more in CENTURY_PIVOTS if value < below), 0)
            found.set("YEAR", value, key)
            found.year_digits = LENGTHS[key]
        elif key in ("MS", "US") or key.startswith("FF"):
            name, digits = ("MS", 3) if key == "MS" else ("US", 6)
            found.set(name, value * 10 ** max(0, digits - length), key)
        elif key == "ID":
            found.set("D", value % 7 + 1, key)
        elif key != "Q":
            found.set(SAME.get(key, key), value, key)

    def _number(self, key: str, index: int) -> tuple[int, int]:
        """A number and how many characters it takes: all digits that there are, but for one right before another."""
        length = LENGTHS[key]
        free = self.parts[index].bare or self._ends(index)
        window = self.text[self.at :] if free else self.text[self.at : self.at + length]
        hit = INTEGER.match(window)
        if hit is None:
            raise InvalidDatetime(
                f'invalid value "{self.text[self.at : self.at + length]}" for "{key}"',
                detail="Value must be an integer.",
            )
        if not free and hit.end() < length:
            raise InvalidDatetime(
                f'invalid value "{window}" for "{key}"',
                detail=f"Field requires {length} characters, but only {hit.end()} could be parsed.",
                hint='If your source string is not fixed-width, try using the "FM" modifier.',
            )
        self.at += hit.end()
        if self.parts[index].ordinal:
            self.at += 2
        value = int(hit.group())
        if abs(value) > INTEGER_MAX:
            raise DatetimeOverflow(f'value for "{key}" in source string is out of range')
        return value, hit.end()

    def _ends(self, index: int) -> bool:
        """Whether no digit can follow a number of part `index`, so that it is all the digits that there are."""
        if self.parts[index].ordinal or index + 1 == len(self.parts):
            return True
        after = self.parts[index + 1]
        return (
            after.key.upper() not in LENGTHS or after.key.upper() == "TZH" if after.key else not after.literal.isdigit()
        )

    def _thousands(self, key: str) -> None:
        hit = THOUSANDS.match(self.text, self.at)
        if hit is None:
            raise InvalidDatetime(f'invalid input string for "{key}"')
        self.at = hit.end()
        self.found.set("YEAR", int(hit[1]) * 1000 + int(hit[2]), key)
        self.found.year_digits = 4

    def _sign(self) -> None:
        mark = self.text[self.at]
        if mark in "+- ":
            self.at += 1
            self.found.sign = -1 if mark == "-" else 1
        else:
            self.found.sign = -1 if self.skipped > 0 and self.text[self.at - 1] == "-" else 1

    def _name(self, names: "tuple[str, ...] | list[str]", key: str) -> int:
        """Which of the names stands there, in whatever case."""
        rest = self.text[self.at :]
        for number, name in enumerate(names):
            if rest[: len(name)].lower() == name.lower():
                self.at += len(name)
                return number
        raise InvalidDatetime(
            f'invalid value "{rest.split(maxsplit=1)[0] if rest.strip() else rest}" for "{key}"',
            detail="The given value did not match any of the allowed values for this field.",
        )


def _year(found: Fields) -> int:
    """The year, 0 being 1 BC."""
    century, year, before = found.get("CC"), found.get("YEAR"), bool(found.get("BC"))
    century = -century if before else century
    if year and century and found.year_digits <= 2:
        year %= 100
        if year:
            return year + (century - 1) * 100 if century >= 0 else (century + 1) * 100 - year + 1
        return century * 100 + (century < 0)
    if year:
        year = -year if before else year
        return year + (year < 0)
    if century:
        return (century - 1) * 100 + 1 if century >= 0 else century * 100 + 1
    return 0


def _iso_week(year: int, week: int) -> int:
    """The Monday of an ISO week, in days since 1970."""
    fourth = calendar.days_from_civil(year, 1, 4)
    return fourth - (fourth + 3) % 7 + (week - 1) * 7


def _day(found: Fields, text: str) -> int:
    """The day that the fields mean, in days since 1970."""
    year, month, day = _year(found), 1, 1
    of_year = found.get("DDD")
    if found.get("J"):
        year, month, day = calendar.civil_from_days(found.get("J") - JULIAN_EPOCH)
    if found.get("WW") and found.iso:
        weekday = found.get("D")
        monday = _iso_week(year, found.get("WW"))
        year, month, day = calendar.civil_from_days(monday + (0 if not weekday else weekday - 2 if weekday > 1 else 6))
    elif found.get("WW"):
        of_year = (found.get("WW") - 1) * 7 + 1
    if found.get("W"):
        found.numbers["DD"] = (found.get("W") - 1) * 7 + 1
    month, day = found.get("MM") or month, found.get("DD") or day
    if of_year and (month <= 1 or day <= 1):
        if not year and not found.get("BC"):
            raise InvalidDatetime("cannot calculate day of year without year information")
        first = _iso_week(year, 1) if found.iso else calendar.days_from_civil(year, 1, 1)
        days = first + of_year - 1
        last = calendar.days_from_civil(year + 1, 1, 1)
        if not found.iso and not first <= days < last:
            raise DatetimeOverflow(f'date/time field value out of range: "{text}"')
        given = calendar.civil_from_days(days)
        if found.iso:
            return days
        month, day = given[1] if month <= 1 else month, given[2] if day <= 1 else day
    if not 1 <= month <= 12 or not 1 <= day <= calendar.month_length(year, month):
        raise DatetimeOverflow(f'date/time field value out of range: "{text}"')
    return calendar.days_from_civil(year, month, day)


def _clock(found: Fields, text: str) -> int:
    """The time of day in microseconds."""
    minutes, second = divmod(found.get("SSSS"), 60)
    hour, minute = divmod(minutes, 60)
    hour, minute, second = found.get("HH") or hour, found.get("MI") or minute, found.get("SS") or second
    if found.twelve:
        if not 1 <= hour <= 12:
            raise InvalidDatetime(
                f'hour "{hour}" is invalid for the 12-hour clock',
                hint="Use the 24-hour clock, or give an hour from 1 to 12.",
            )
        hour = hour % 12 + 12 * found.get("PM")
    fraction = found.get("MS") * 1000 + found.get("US")
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= fraction < SECOND):
        raise DatetimeOverflow(f'date/time field value out of range: "{text}"')
    return hour * HOUR + minute * MINUTE + second * SECOND + fraction


def stamp_from_char(text: str, pattern: str) -> int:
    """The timestamp that a text means under a template, in UTC unless it says a zone."""
    found = _Reader(text, template(pattern)).run()
    stamp = _day(found, text) * DAY + _clock(found, text)
    if found.sign:
        if found.get("TZH") > ZONE_HOURS_MAX or found.get("TZM") > 59:
            raise DatetimeOverflow(f'date/time field value out of range: "{text}"')
        stamp -= found.sign * (found.get("TZH") * HOUR + found.get("TZM") * MINUTE)
    return calendar.checked(stamp)


def date_from_char(text: str, pattern: str) -> int:
    """The date that a text means under a template."""
    found = _Reader(text, template(pattern)).run()
    _clock(found, text)
    return calendar.checked(_day(found, text) * DAY) // DAY
