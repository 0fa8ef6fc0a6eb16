"""Views as of their last refresh: at every tick what the query meant over the inputs then, errors and all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataflow import graph
from engine.dataflow.graph import Schedule, output_types
from engine.dataflow.hydration import Staged
from engine.dataflow.reading import TooEarly
from engine.expr.aggregate import Kind
from tests.laws.harness import World, rows_of
from tests.laws.naive import Rows
from tests.laws.plans import INT, SOURCES, Tick
from tests.laws.test_temporal import BETWEEN, timed_histories

BODY, VIEW, ABOVE = 10, 11, 12
COUNTED = graph.Reduce(SOURCES[0], (0,), (graph.Aggregate(Kind.COUNT_ROWS, (), INT),))
BODIES = (SOURCES[0], COUNTED, BETWEEN, graph.Distinct(BETWEEN))
SCHEDULES = st.builds(
    Schedule,
    st.lists(st.integers(0, 20), max_size=3).map(tuple),
    st.lists(st.tuples(st.integers(-3, 20), st.integers(1, 7)), max_size=2).map(tuple),
    st.booleans(),
)


def refreshes(schedule: Schedule, since: int, begun: int, end: int) -> set[int]:
    """The ticks at which a view is refreshed that is there since `since` and begins at `begun`."""
    times = {t for t in range(since, end) if t in schedule.at or any((t - f) % s == 0 for f, s in schedule.every)}
    late = schedule.at_once or any(time <= begun for time in times)
    return {time for time in times if time > begun} | ({begun} if late else set())


@given(
    history=timed_histories(), body=st.sampled_from(BODIES), schedule=SCHEDULES, staged=st.integers(0, 8),
    hydrating=st.integers(0, 12), since=st.integers(0, 8),
)  # fmt: skip
def test_it_is_as_of_the_last_refresh(
    history: list[Tick], body: graph.Plan, schedule: Schedule, staged: int, hydrating: int, since: int
) -> None:
    """It hydrates beside ticks, some of which refresh it; another view is kept up to date behind it."""
    since = min(since, staged)
    world, plan = World(), graph.Refresh(body, VIEW, schedule, since)
    world.circuit.install(BODY, body)
    view: Staged | None = None
    times: set[int] = set()
    then: dict[int, Rows] = {}
    for number, tick in enumerate([*history, *([] for _ in range(30))]):
        if number == staged:
            view = world.circuit.stage(VIEW, plan)
            times = refreshes(schedule, since, world.tick, 100)
        then[world.tick] = rows_of(world.circuit.contents(BODY), output_types(body), world.heap)
        if view is not None and number == staged + hydrating:
            view.hydrate()
            world.circuit.adopt(view)
            world.circuit.install(ABOVE, graph.Distinct(graph.Source(VIEW, output_types(body))))
        if number >= staged + hydrating:
            last = max((time for time in times if time <= world.tick), default=None)
            for id in (VIEW, ABOVE):
                error = world.error(world.circuit.error(id))
                assert (error is None) == (last is not None)
                assert error is None or error.startswith("55000 ")
                held = rows_of(world.circuit.contents(id), output_types(body), world.heap)
                expected = {} if last is None else then[last]
                assert held == (expected if id == VIEW else dict.fromkeys(expected, 1))
            next = min((time for time in times if time > world.tick), default=None)
            assert world.circuit.refreshes(VIEW) == (last, next)
        world.run(tick)
    world.circuit.drop(ABOVE)
    world.circuit.drop(VIEW)
    world.circuit.drop(BODY)
    assert world.circuit.due() is None


@pytest.mark.parametrize("adopted", [0, 5])
def test_errors_are_those_of_the_last_refresh(adopted: int) -> None:
    """What breaks after a refresh does not show, and what has healed since does not either, also while it hydrates; the
    past before a refresh that healed it cannot be read."""
    world = World()
    view = world.circuit.stage(VIEW, graph.Refresh(SOURCES[0], VIEW, Schedule((2, 4, 6), (), False)))
    source = world.circuit.find(SOURCES[0], {})
    assert source is not None
    code = world.heap.intern(b"22012 division by zero")
    seen: list[str] = []
    for tick in range(1, 8):
        if tick in (3, 5):
            source.operator.errors.add(np.array([code], np.uint64), np.array([1 if tick == 3 else -1]))
        world.circuit.step(tick, {1: source.empty})
        world.circuit.publish()
        if tick == adopted or (tick == 1 and not adopted):
            view.hydrate()
            world.circuit.adopt(view)
        if tick >= max(adopted, 1):
            seen.append((world.error(world.circuit.error(VIEW)) or "fine!")[:5])
    assert seen == ["55000", "fine!", "fine!", "22012", "22012", "fine!", "fine!"][max(adopted, 1) - 1 :]
    assert len(world.circuit.contents(VIEW, 6)) == 0
    with pytest.raises(TooEarly):
        world.circuit.contents(VIEW, 5)
