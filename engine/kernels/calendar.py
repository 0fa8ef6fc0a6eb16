# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The proleptic Gregorian calendar on columns of days since 1970-01-01 (engine/expr/calendar.py has it for one day).

From Howard Hinnant, "chrono-compatible low-level date algorithms".
"""

from numba import njit
from numba.extending import register_jitable


@register_jitable
def civil_from_days(day):
    """(year, month, day of the month); year 0 is 1 BC."""
    day += 719_468
    era = day // 146_097
    of_era = day - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (1 if month <= 2 else 0), month, of_year - (153 * shifted + 2) // 5 + 1


@register_jitable
def days_from_civil(year, month, day):
    """The inverse; a day beyond the month's end runs on into the next."""
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@njit("void(int64[::1], int64[::1], int64[::1], int64[::1])", cache=True, nogil=True)
def civil(days, years, months, of_month):
    """Fill in year, month and day of the month of each day. O(n)."""
    for i in range(len(days)):
        years[i], months[i], of_month[i] = civil_from_days(days[i])


@njit("void(int64[::1], int64[::1], int64[::1], int64[::1])", cache=True, nogil=True)
def days(years, months, of_month, out):
    """The inverse of `civil`. O(n)."""
    for i in range(len(out)):
        out[i] = days_from_civil(years[i], months[i], of_month[i])


@njit("void(int64[::1], int64[::1], int64[::1])", cache=True, nogil=True)
def add_months(start, months, out):
    """The same day so many months on, or that month's last day. O(n)."""
    for i in range(len(out)):
        year, month, day = civil_from_days(start[i])
        total = year * 12 + month - 1 + months[i]
        year, month = total // 12, total % 12 + 1
        first = days_from_civil(year, month, 1)
        following = days_from_civil(year + month // 12, month % 12 + 1, 1)
        out[i] = first + min(day, following - first) - 1
