"""The calendar of columns against the calendar of one day, and that against Python's for the years it knows."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.expr import calendar
from engine.kernels import calendar as kernels

days = st.integers(calendar.DATE_MIN, 200_000_000)


@given(st.integers(date.min.toordinal(), date.max.toordinal()))
def test_one_day(ordinal):
    day = date.fromordinal(ordinal)
    assert calendar.civil_from_days(ordinal - 719_163) == (day.year, day.month, day.day)
    assert calendar.days_from_civil(day.year, day.month, day.day) == ordinal - 719_163


@given(st.lists(st.tuples(days, st.integers(-100_000, 100_000)), min_size=1))
def test_columns(pairs):
    start, months = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    years, month, of_month = calendar.civil(start)
    found = list(zip(years.tolist(), month.tolist(), of_month.tolist(), strict=True))
    assert found == [calendar.civil_from_days(day) for day, _ in pairs]
    assert (calendar.days_of(years, month, of_month) == start).all()
    out = np.empty(len(start), np.int64)
    kernels.add_months(start, months, out)
    assert out.tolist() == [calendar.add_months(day, count) for day, count in pairs]
