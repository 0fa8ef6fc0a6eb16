"""A tick's rows follow what rows cost: it comes to its time from either side, and stays."""

from hypothesis import given
from hypothesis import strategies as st

from engine.coordinator.pace import ROWS_MIN, Pace

ROWS_MAX = 100_000
SECONDS_MAX = 0.5


@given(st.lists(st.floats(1e-7, 1e-1), min_size=1, max_size=4), st.floats(0, 1e-3))
def test_it_comes_to_the_time_of_a_tick(costs, own):
    """`costs` are seconds a row, one after another for a while each; `own` a tick's."""
    pace = Pace(ROWS_MAX, SECONDS_MAX)
    for cost in costs:
        seconds = 0.0
        for _ in range(40):
            rows = pace.rows
            seconds = own + rows * cost
            pace.took(rows, seconds)
        assert ROWS_MIN <= pace.rows <= ROWS_MAX
        assert seconds <= SECONDS_MAX * 1.01 or rows == ROWS_MIN
        fitting = (SECONDS_MAX - own) / cost
        assert pace.rows >= min(ROWS_MAX, fitting / 2 - 1)


@given(st.integers(1, 100), st.floats(1e-6, 0.4))
def test_small_ticks_change_nothing(rows, seconds):
    """What an idle source brings now and then says nothing of what would fit."""
    pace = Pace(ROWS_MAX, SECONDS_MAX)
    pace.took(50_000, 5.0)
    before = pace.rows
    assert before < ROWS_MAX
    pace.took(rows, seconds)
    assert pace.rows == before
