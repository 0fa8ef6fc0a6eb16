"""Recursion: after every tick of a random history a loop holds its fixed point from empty, however it is maintained."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataflow import graph
from engine.dataflow.graph import Compute, Keep, Local, Lookup, Plan
from engine.expr.aggregate import Kind
from engine.expr.overload import call
from engine.expr.scalar import Literal, Ref
from tests.laws.harness import World
from tests.laws.plans import INT, SOURCES, Shape, Tick, histories, plans

VIEW = 10
PAIR = (INT, INT)
EDGES, VARIABLE, SECOND = Local(0, PAIR), Local(1, PAIR), Local(2, PAIR)


def step(variable: Plan, edges: Plan = EDGES) -> Plan:
    """(a, b) and an edge (b, c) make (a, c)."""
    paths = ((Lookup(1, (1,), (0,)),), (Lookup(0, (0,), (1,)),))
    return graph.Join((variable, edges), paths, (0, 3))


CLOSURE = graph.LetRec((SOURCES[0],), (PAIR,), (graph.Distinct(graph.Union((EDGES, step(VARIABLE)))),), VARIABLE)
SELF_JOINED = graph.LetRec(
    (SOURCES[0],), (PAIR,), (graph.Distinct(graph.Union((EDGES, step(VARIABLE, VARIABLE)))),), VARIABLE
)
MUTUAL = graph.LetRec(
    (SOURCES[0],),
    (PAIR, PAIR),
    (graph.Distinct(graph.Union((EDGES, step(SECOND)))), graph.Distinct(step(VARIABLE))),
    graph.Union((VARIABLE, graph.Negate(SECOND))),
)
BOUNDED = graph.Mfp(
    VARIABLE, (Keep(call("<", Ref(0, INT), Literal(6, INT))), Compute(call("+", Ref(0, INT), Literal(1, INT)))), (2, 1)
)
BAG = graph.LetRec((SOURCES[0],), (PAIR,), (graph.Union((EDGES, BOUNDED)),), VARIABLE)
DISTINCT_INSIDE = graph.LetRec(
    (SOURCES[0],), (PAIR,), (graph.Union((EDGES, graph.Distinct(BOUNDED))),), graph.Distinct(VARIABLE)
)
LEAST = graph.LetRec(
    (SOURCES[0],),
    (PAIR,),
    (
        graph.Reduce(
            graph.Union((EDGES, BOUNDED)), (0,), (graph.Aggregate(Kind.MIN, (1,), INT),)
        ),
    ),
    VARIABLE,
)  # fmt: skip
LIMITED = graph.LetRec((SOURCES[0],), (PAIR,), CLOSURE.bodies, VARIABLE, limit=2, returns_at_limit=True)
PLANS = {
    "closure": CLOSURE, "self joined": SELF_JOINED, "mutual": MUTUAL, "bag": BAG, "inside": DISTINCT_INSIDE,
    "least": LEAST, "limited": LIMITED,
}  # fmt: skip


@st.composite
def edge_histories(draw: st.DrawFn) -> list[Tick]:
    """Insertions and retractions of edges among few nodes: most of them lie on circles."""
    nodes = st.integers(0, 3)
    counts: dict[tuple[int, int], int] = {}
    ticks: list[Tick] = []
    for _ in range(draw(st.integers(1, 6))):
        tick: Tick = []
        for _ in range(draw(st.integers(1, 4))):
            held = [row for row, n in counts.items() if n]
            row = draw(st.sampled_from(held)) if held and draw(st.booleans()) else None
            diff = -1 if row is not None else 1
            row = row or (draw(nodes), draw(nodes))
            counts[row] = counts.get(row, 0) + diff
            tick.append((1, row, diff))
        ticks.append(tick)
    return ticks


@pytest.mark.parametrize("name", PLANS)
@given(history=edge_histories())
def test_incremental_equals_the_fixed_point(name: str, history: list[Tick]) -> None:
    plan = PLANS[name]
    assert graph.is_monotone(plan) is (name not in ("least", "limited"))
    world = World()
    world.circuit.install(VIEW, plan)
    for tick in history:
        world.run(tick)
        world.check(VIEW, plan)
        world.check_once(plan)
    world.undo()
    world.check(VIEW, plan)


@st.composite
def loops(draw: st.DrawFn) -> graph.LetRec:
    """Any plans as the bodies of two variables of pairs, for a few passes: most of them grow and shrink by turns."""

    def inside(plan: Plan) -> Plan:
        """The plan over the leaves of a loop."""
        match plan:
            case graph.Source(id=1):
                return draw(st.sampled_from([Local(0, PAIR), Local(3, PAIR), Local(3, PAIR), Local(4, PAIR)]))
            case graph.Source():
                return Local(plan.id - 1, plan.types)
            case graph.Constant():
                return graph.Mfp(Local(1, SOURCES[1].types), (), (0, 1))
            case _:
                return graph.with_inputs(plan, tuple(map(inside, graph.inputs(plan))))

    def pairs(plan: Plan) -> Plan:
        """Two numbers of each of its rows."""
        row = graph.output_types(plan)
        numbers = [c for c, type in enumerate(row) if type == INT]
        return graph.Mfp(plan, (Compute(Literal(1, INT)),), tuple((numbers + [len(row)] * 2)[:2]))

    shape = Shape(counted=draw(st.booleans()))
    bodies = tuple(pairs(inside(draw(plans(shape, depth=2)))) for _ in range(2))
    result = inside(draw(plans(shape, depth=1)))
    return graph.LetRec(SOURCES, (PAIR, PAIR), bodies, result, draw(st.integers(1, 3)), True)


@settings(max_examples=60)
@given(loops(), histories())
def test_any_loop_equals_its_passes(plan: graph.LetRec, history: list[Tick]) -> None:
    world = World()
    world.circuit.install(VIEW, plan)
    for tick in history:
        world.run(tick)
        world.check(VIEW, plan)


@given(history=edge_histories())
def test_a_history_that_is_too_long_is_given_up(history: list[Tick]) -> None:
    """The loop is computed anew from then on."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.dataflow.operators.iterated.ENTRIES_MIN", 6)
        patch.setattr("engine.dataflow.operators.iterated.ENTRIES_TIMES", 2)
        world.circuit.install(VIEW, LEAST)
        for tick in history:
            world.run(tick)
            world.check(VIEW, LEAST)


@pytest.mark.parametrize("name", PLANS)
@given(history=edge_histories())
def test_hydrated_later_is_the_same(name: str, history: list[Tick]) -> None:
    world = World()
    for tick in history[:-1]:
        world.run(tick)
    world.circuit.install(VIEW, PLANS[name])
    world.check(VIEW, PLANS[name])
    world.run(history[-1])
    world.check(VIEW, PLANS[name])


ENDLESS = graph.LetRec(
    (SOURCES[0],),
    (PAIR,),
    (
        graph.Union(
            (EDGES, graph.Mfp(VARIABLE, (Keep(call("<", Literal(0, INT), Ref(0, INT))),), (0, 1)))
        ),
    ),
    VARIABLE,
)  # fmt: skip


def test_what_never_ends_fails_and_heals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.dataflow.operators.let_rec.PASSES_MAX", 20)
    world = World()
    world.circuit.install(VIEW, ENDLESS)
    world.run([(1, (0, 1), 1)])
    world.check(VIEW, ENDLESS)
    world.run([(1, (1, 1), 1), (1, (0, 2), 1)])
    text = world.error(world.circuit.error(VIEW))
    assert "recursion limit 20" in str(text)
    world.run([(1, (0, 3), 1)])
    assert world.circuit.error(VIEW) is not None
    world.run([(1, (1, 1), -1)])
    world.check(VIEW, ENDLESS)
    world.run([(1, (0, 1), -1)])
    world.check(VIEW, ENDLESS)
