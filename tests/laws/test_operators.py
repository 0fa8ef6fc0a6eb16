"""The laws, over random plans and random histories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataflow import graph
from engine.dataflow.graph import Plan, output_types
from tests.laws.harness import World, rows_of
from tests.laws.naive import Rows, meaning, total
from tests.laws.plans import SOURCES, Shape, Tick, histories, plans

VIEW, OTHER, SECOND = 10, 11, 12

SHAPES = pytest.mark.parametrize("counted", [True, False], ids=["counted", "negative"])


@SHAPES
@given(data=st.data())
def test_incremental_equals_batch_at_every_tick(counted: bool, data: st.DataObject) -> None:
    plan, history = data.draw(plans(Shape(counted))), data.draw(histories(negative=not counted))
    world = World()
    world.circuit.install(VIEW, plan)
    shown: Rows = meaning(plan, world.sources)
    world.check(VIEW, plan)
    for tick in history:
        world.run(tick)
        world.check(VIEW, plan)
        world.check_once(plan)
        delta = world.circuit.delta(VIEW)
        if delta is not None:
            shown = total([*shown.items(), *rows_of(delta, output_types(plan), world.heap).items()])
        assert shown == meaning(plan, world.sources)


@SHAPES
@given(data=st.data())
def test_cuts_do_not_matter(counted: bool, data: st.DataObject) -> None:
    plan, history = data.draw(plans(Shape(counted))), data.draw(histories(negative=not counted))
    world = World()
    world.circuit.install(VIEW, plan)
    world.run([change for tick in history for change in tick])
    world.check(VIEW, plan)


@SHAPES
@given(data=st.data())
def test_insert_then_delete_leaves_nothing(counted: bool, data: st.DataObject) -> None:
    plan, history = data.draw(plans(Shape(counted))), data.draw(histories(negative=not counted))
    world = World()
    world.circuit.install(VIEW, plan, history_ms=0)
    history = [[change for change in tick if change[0] != 3] for tick in history]
    before = meaning(plan, world.sources)
    for tick in history:
        world.run(tick)
    world.undo()
    world.check(VIEW, plan)
    assert rows_of(world.circuit.contents(VIEW), output_types(plan), world.heap) == before
    if not before:
        assert all(node.rows == 0 for node in world.circuit.nodes()) or has_constant(plan)


def has_constant(plan: Plan) -> bool:
    """Whether rows come from nowhere: such state stays."""
    return isinstance(plan, graph.Constant) or any(map(has_constant, graph.inputs(plan)))


@SHAPES
@given(data=st.data())
def test_shared_equals_unshared_and_dropping_frees(counted: bool, data: st.DataObject) -> None:
    """Views that share operators, installed before, amid and after the history, some dropped on the way."""
    first, second = data.draw(plans(Shape(counted))), data.draw(plans(Shape(counted)))
    history = data.draw(histories(negative=not counted))
    both = graph.Union((first, graph.Threshold(graph.Union((first, first)))))
    world = World()
    alone = len(world.circuit.nodes())
    world.circuit.install(VIEW, first, history_ms=0)
    half = len(history) // 2
    for tick in history[:half]:
        world.run(tick)
    world.circuit.install(OTHER, both)
    world.circuit.install(SECOND, second)
    known = len(world.circuit.nodes())
    world.circuit.install(13, second)
    assert len(world.circuit.nodes()) == known, "the same plan is the same operators"
    for tick in history[half:]:
        world.run(tick)
        for id, plan in ((VIEW, first), (OTHER, both), (SECOND, second), (13, second)):
            world.check(id, plan)
    world.circuit.drop(VIEW)
    world.circuit.drop(13)
    world.run([(1, (7, None), 1), (2, (7, "a", 2), 1)])
    world.check(OTHER, both)
    world.check(SECOND, second)
    world.circuit.drop(OTHER)
    world.circuit.drop(SECOND)
    assert len(world.circuit.nodes()) == alone


@SHAPES
@given(data=st.data())
def test_hydration_beside_running_ticks(counted: bool, data: st.DataObject) -> None:
    """Staged at one tick, run later, caught up in parts, adopted later still: as if it had always been there."""
    plan, other = data.draw(plans(Shape(counted))), data.draw(plans(Shape(counted)))
    history = data.draw(histories(negative=not counted)) + data.draw(histories(negative=not counted))
    history = history if not counted else [[c for c in tick if c[2] > 0] for tick in history]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(history)), min_size=4, max_size=4)))
    world = World()
    if data.draw(st.booleans()):
        world.circuit.install(OTHER, other)
    staged = watched = None
    for at, tick in enumerate([*history, []]):
        if at == cuts[0]:
            staged = world.circuit.stage(VIEW, plan)
            watched = world.circuit.stage(SECOND, plan, readable=False)
        if staged is not None and watched is not None:
            if at == cuts[1]:
                staged.hydrate()
                watched.hydrate()
            if at == cuts[2]:
                staged.catch_up()
            if at == cuts[3]:
                world.circuit.adopt(staged)
                world.circuit.adopt(watched)
                shown = rows_of(watched.output(), output_types(plan), world.heap)
                assert shown == meaning(plan, world.sources)
        world.run(tick)
        if at >= cuts[3]:
            world.check(VIEW, plan)


@given(history=histories(), data=st.data())
def test_the_recent_past_is_readable(history: list[Tick], data: st.DataObject) -> None:
    plan = data.draw(plans())
    world = World()
    world.circuit.install(VIEW, plan)
    world.circuit.install(OTHER, SOURCES[0], [(0,)])
    past = [meaning(plan, world.sources)]
    pasts = [dict(world.sources[1])]
    for tick in history:
        world.run(tick)
        past.append(meaning(plan, world.sources))
        pasts.append(dict(world.sources[1]))
    for at, expected in enumerate(past):
        assert rows_of(world.circuit.contents(VIEW, at), output_types(plan), world.heap) == expected
        rows, _ = world.circuit.run_once(plan, at)
        assert rows_of(rows, output_types(plan), world.heap) == expected
        key = world.circuit.contents(OTHER, at).key_words((0,))
        if key.shape[1]:
            found = world.circuit.lookup(OTHER, (0,), key[:, :1].copy(), at)
            value = next(iter(rows_of(world.circuit.contents(OTHER, at), SOURCES[0].types, world.heap)))[0]
            wanted = {row: n for row, n in pasts[at].items() if row[0] == value}
            assert rows_of(found, SOURCES[0].types, world.heap) == wanted


@given(data=st.data())
def test_a_sweep_frees_nothing_that_is_held(data: st.DataObject) -> None:
    """Sweeps after every tick, until no code is young: answers stay, and what nobody holds goes."""
    plan, history = data.draw(plans()), data.draw(histories())
    world = World()
    world.circuit.install(VIEW, plan, history_ms=0)
    for tick in history:
        world.run(tick)
        for _ in range(3):
            marks = world.heap.begin_sweep()
            world.circuit.mark(marks)
            world.heap.sweep(marks)
        world.check(VIEW, plan)
        world.check_once(plan)
