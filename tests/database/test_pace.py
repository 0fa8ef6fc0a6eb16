"""A tick's rows follow what rows cost: it comes to its time and its bytes from either side, and stays."""

from hypothesis import given
from hypothesis import strategies as st

from engine.connectors.feed import ROWS_BEGIN
from engine.coordinator.pace import ROWS_BUILDING, ROWS_MIN, Pace

ROWS_MAX = 100_000
SECONDS_MAX = 0.5
BYTES_MAX = 1 << 28


def begun() -> Pace:
    return Pace(ROWS_MAX, SECONDS_MAX, BYTES_MAX)


def of_cost(seconds: float, made: int, own: float = 0.0, ticks: int = 40) -> tuple[Pace, float]:
    """A pace after ticks whose rows cost the same each, and the time of the last one."""
    pace, took = begun(), 0.0
    for _ in range(ticks):
        took = own + pace.rows * seconds
        pace.took(pace.rows, took, pace.rows * made)
    return pace, took


@given(st.lists(st.floats(1e-7, 1e-1), min_size=1, max_size=4), st.floats(0, 1e-3))
def test_it_comes_to_the_time_of_a_tick(costs, own):
    """`costs` are seconds a row, one after another for a while each; `own` a tick's."""
    pace = begun()
    for cost in costs:
        seconds = 0.0
        for _ in range(40):
            rows = pace.rows
            seconds = own + rows * cost
            pace.took(rows, seconds, 0)
        assert ROWS_MIN <= pace.rows <= ROWS_MAX
        assert seconds <= SECONDS_MAX * 1.01 or rows == ROWS_MIN
        fitting = (SECONDS_MAX - own) / cost
        assert pace.rows >= min(ROWS_MAX, fitting / 2 - 1)


@given(st.integers(1, 1 << 24))
def test_no_tick_makes_more_than_its_bytes_but_of_what_is_taken_when_nobody_knows(made):
    """`made` is what operators make of a row: from the first tick on."""
    pace = begun()
    for _ in range(40):
        rows = pace.rows
        assert rows * made <= max(BYTES_MAX, ROWS_BEGIN * made)
        pace.took(rows, 1e-3, rows * made)
    assert rows * made <= BYTES_MAX or rows == ROWS_MIN
    assert rows >= min(ROWS_MAX, BYTES_MAX / made / 2 - 1)


@given(st.integers(1, 100), st.floats(1e-6, 0.4))
def test_small_ticks_change_nothing(rows, seconds):
    """What an idle source brings now and then says nothing of what would fit."""
    pace = begun()
    pace.took(50_000, 5.0, 0)
    pace.took(1_000, 2.0, 0)
    before = pace.rows
    assert before < ROWS_MAX
    pace.took(rows, seconds, 0)
    assert pace.rows == before


@given(st.floats(1e-7, 1e-1), st.integers(0, 1 << 20))
def test_another_view_may_make_anything_of_a_row(seconds, made):
    """Whatever was known before: while it is being built little is read ahead of it, and it begins with little."""
    pace, _ = of_cost(seconds, made)
    before = pace.rows
    pace.building()
    assert pace.rows == min(before, ROWS_BUILDING)
    pace.unknown()
    assert pace.rows == min(before, ROWS_BEGIN)
