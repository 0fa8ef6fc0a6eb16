"""Temporal filters: at every tick, also those without a change, the rows whose time it is."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataflow import graph
from engine.dataflow.graph import Local, Lookup, Order, Plan, output_types
from engine.expr.aggregate import Kind
from engine.expr.window import DEFAULT_FRAME, WindowCall
from engine.expr.window import Kind as Call
from tests.laws.harness import World, rows_of
from tests.laws.naive import Rows, meaning
from tests.laws.plans import INT, SOURCES, Tick

VIEW, COUNT = 10, Kind.COUNT_ROWS
BETWEEN = graph.Temporal(SOURCES[0], 0, 1)
PLANS = (BETWEEN, graph.Temporal(SOURCES[0], None, 1), graph.Temporal(SOURCES[0], 0, None))
TIMES = st.one_of(st.none(), st.integers(-1, 14))


def there(plan: graph.Temporal, rows: Rows, tick: int) -> Rows:
    found: Rows = {}
    for row, n in rows.items():
        bounds = [row[c] for c in (plan.lower, plan.upper) if c is not None]
        if None in bounds:
            continue
        if (plan.lower is None or row[0] <= tick) and (plan.upper is None or tick < row[1]):
            found[row] = n
    return found


@st.composite
def timed_histories(draw: st.DrawFn) -> list[Tick]:
    counts: dict[tuple, int] = {}
    ticks: list[Tick] = []
    for _ in range(draw(st.integers(1, 8))):
        tick: Tick = []
        for _ in range(draw(st.integers(0, 3))):
            held = [row for row, n in counts.items() if n]
            row = draw(st.sampled_from(held)) if held and draw(st.booleans()) else None
            diff = -1 if row is not None else 1
            row = row or (draw(TIMES), draw(TIMES))
            counts[row] = counts.get(row, 0) + diff
            tick.append((1, row, diff))
        ticks.append(tick)
    return ticks


@given(history=timed_histories(), plan=st.sampled_from(PLANS), installed=st.integers(0, 8))
def test_rows_are_there_while_it_is_their_time(history: list[Tick], plan: graph.Temporal, installed: int) -> None:
    """The view is installed amid the history; then nothing but time moves."""
    world = World()
    for number, tick in enumerate([*history, *([] for _ in range(16))]):
        if number == installed:
            world.circuit.install(VIEW, plan)
        world.run(tick)
        if number >= installed:
            found = rows_of(world.circuit.contents(VIEW), output_types(plan), world.heap)
            assert found == there(plan, world.sources[1], world.tick)
    assert world.circuit.due() is None
    world.circuit.drop(VIEW)
    assert world.circuit.due() is None


@given(history=timed_histories())
def test_what_is_behind_it_follows(history: list[Tick]) -> None:
    plan = graph.Reduce(BETWEEN, (0,), (graph.Aggregate(COUNT, (), INT),))
    world = World()
    world.circuit.install(VIEW, plan)
    for tick in [*history, *([] for _ in range(16))]:
        world.run(tick)
        expected: dict[object, int] = {}
        for row, n in there(BETWEEN, world.sources[1], world.tick).items():
            expected[row[0]] = expected.get(row[0], 0) + n
        found = rows_of(world.circuit.contents(VIEW), output_types(plan), world.heap)
        assert found == {(key, n): 1 for key, n in expected.items()}


PAIR = (INT, INT)
NOW = graph.Source(9, PAIR)
"""What is there now, for who computes anew."""


def met(rows: Plan, others: Plan) -> Plan:
    """(a, b) and (b, c) make (a, c)."""
    return graph.Join((rows, others), ((Lookup(1, (1,), (0,)),), (Lookup(0, (0,), (1,)),)), (0, 3))


ABOVE: dict[str, Callable[[Plan], Plan]] = {
    "join": lambda rows: met(rows, SOURCES[0]),
    "self join": lambda rows: met(rows, rows),
    "window": lambda rows: graph.Window(rows, (0,), (Order(1),), (
        WindowCall(Call.ROW_NUMBER, (), INT, False), WindowCall(Kind.MIN, (1,), INT, True, DEFAULT_FRAME),
    )),
    "first": lambda rows: graph.TopK(rows, (0,), (Order(1),), 1, 0),
    "recursion": lambda rows: graph.LetRec(
        (rows,), (PAIR,), (graph.Distinct(graph.Union((Local(0, PAIR), met(Local(1, PAIR), Local(0, PAIR))))),),
        Local(1, PAIR),
    ),
    "recomputed recursion": lambda rows: graph.LetRec(
        (rows,), (PAIR,),
        (graph.Reduce(graph.Union((Local(0, PAIR), met(Local(1, PAIR), Local(0, PAIR)))), (0,),
                      (graph.Aggregate(Kind.MIN, (1,), INT),)),),
        Local(1, PAIR),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ABOVE)
@given(history=timed_histories())
def test_what_is_above_it_is_of_the_rows_of_now(name: str, history: list[Tick]) -> None:
    """At every time the same as computed anew over the rows that are there, also when nothing but time moves."""
    plan, anew = ABOVE[name](BETWEEN), ABOVE[name](NOW)
    world = World()
    world.circuit.install(VIEW, plan)
    for tick in [*history, *([] for _ in range(16))]:
        world.run(tick)
        now = {**world.sources, NOW.id: there(BETWEEN, world.sources[1], world.tick)}
        assert rows_of(world.circuit.contents(VIEW), output_types(plan), world.heap) == meaning(anew, now)
