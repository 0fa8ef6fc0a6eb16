"""A collection that becomes what another is: its readers see the difference at one tick, and nothing else of it."""

from hypothesis import given
from hypothesis import strategies as st

from engine.dataflow import graph
from engine.dataflow.graph import Plan, output_types
from engine.expr.aggregate import Kind
from engine.expr.scalar import Literal
from tests.laws.harness import World, rows_of
from tests.laws.naive import Rows, total
from tests.laws.plans import INT, SOURCES, Tick, histories, plans

VIEW, OTHER, TWIN, INDEX, SAME, ABOVE, INLINE, UPON = range(10, 18)
READ = graph.Source(VIEW, (INT, INT))
LOWEST = graph.Reduce(READ, (0,), (graph.Aggregate(Kind.MIN, (1,), INT), graph.Aggregate(Kind.COUNT_ROWS, (), INT)))


def pairs(plan: Plan) -> Plan:
    """Two integers of each row."""
    row = output_types(plan)
    places = [place for place, type in enumerate(row) if type == INT]
    return graph.Mfp(plan, (graph.Compute(Literal(7, INT)),), tuple((*places, len(row), len(row))[:2]))


def over(plan: Plan, body: Plan) -> Plan:
    """The plan with what the view is in the place of its name."""
    if plan == READ or (isinstance(plan, graph.Source) and plan.id in (SAME, VIEW)):
        return body
    return graph.with_inputs(plan, tuple(over(child, body) for child in graph.inputs(plan)))


def reading(plan: Plan) -> Plan:
    """The plan over the view where it was over the first source."""
    if plan == SOURCES[0]:
        return READ
    return graph.with_inputs(plan, tuple(map(reading, graph.inputs(plan))))


GROWING = pairs(graph.Mfp(SOURCES[2], (), (0,)))
BODIES = st.one_of(st.sampled_from([SOURCES[0], GROWING, graph.Distinct(GROWING)]), plans(depth=2).map(pairs))
READERS = st.one_of(st.sampled_from([READ, LOWEST, graph.Distinct(LOWEST)]), plans(depth=2).map(reading))


@given(
    data=st.data(), before=BODIES, after=BODIES, above=READERS, histories=st.lists(histories(), min_size=3, max_size=4)
)  # fmt: skip
def test_downstream_is_at_every_tick_what_it_would_be(
    data: st.DataObject, before: Plan, after: Plan, above: Plan, histories: list[list[Tick]]
) -> None:
    """Beside it there is one by the same query, one like the one it becomes, and one that has its query inline; another
    view stands upon what reads it. It turns twice."""
    world, body = World(), before
    upon = graph.Distinct(graph.Source(ABOVE, output_types(above)))
    plan_of = {
        VIEW: READ, INDEX: READ, SAME: READ, ABOVE: above, INLINE: over(above, before), TWIN: before, UPON: upon,
    }  # fmt: skip
    ids = {id for id in plan_of if id in (VIEW, ABOVE) or data.draw(st.booleans(), label=str(id))}
    if data.draw(st.booleans(), label="another like it"):
        ids, plan_of = ids | {8}, plan_of | {8: after}

    def meant(id: int) -> Plan:
        return graph.Distinct(over(above, body)) if id == UPON else over(plan_of[id], body)

    def install(id: int) -> None:
        if id == VIEW:
            world.circuit.install(VIEW, before)
        elif id == INDEX:
            world.circuit.install(INDEX, READ, ((1,),))
        else:
            world.circuit.install(id, plan_of[id])

    def check() -> None:
        for id in sorted(ids):
            world.check(id, meant(id))
            now = rows_of(world.circuit.contents(id), output_types(plan_of[id]), world.heap)
            past.setdefault(id, {})[world.tick] = now

    past: dict[int, dict[int, Rows]] = {}
    early = {id for id in ids if data.draw(st.booleans(), label=f"early {id}")} | {VIEW, ABOVE}
    for id in sorted(early):
        install(id)
    for tick in histories[0]:
        world.run(tick)
    for id in sorted(ids - early, key=lambda id: (id == UPON, id)):
        install(id)
    check()
    for number, history in enumerate(histories[1:]):
        new, turns = (after, before, after)[number], data.draw(st.integers(0, len(history) - 1), label="turns")
        staged = world.circuit.stage(OTHER, new)
        for tick in history[:turns]:
            world.run(tick)
            check()
        staged.hydrate()
        world.circuit.adopt(staged)
        then = {id: rows_of(world.circuit.contents(id), output_types(plan_of[id]), world.heap) for id in ids}
        world.circuit.turn(VIEW, OTHER)
        assert then == {id: rows_of(world.circuit.contents(id), output_types(plan_of[id]), world.heap) for id in ids}
        world.begin(history[turns])
        told = {id: world.circuit.delta(id) for id in ids}
        world.circuit.settle()
        body = new
        check()
        for id in ids:
            delta = told[id]
            change = {} if delta is None else rows_of(delta, output_types(plan_of[id]), world.heap)
            assert past[id][world.tick] == total([*then[id].items(), *change.items()])
        for tick in history[turns + 1 :]:
            world.run(tick)
            check()
    for id in ids:
        for tick, rows in past[id].items():
            if tick >= world.circuit.since(id):
                assert rows_of(world.circuit.contents(id, tick), output_types(plan_of[id]), world.heap) == rows
    for id in sorted(ids, reverse=True):
        world.circuit.drop(id)
    assert world.circuit.operators == len(SOURCES)
