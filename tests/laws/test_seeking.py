"""What is looked up is what would have been read: plans that run once over collections arranged by many keys."""

from collections import Counter
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataflow import graph, seeking
from engine.dataflow.graph import Plan, output_types
from engine.expr.overload import call
from engine.expr.scalar import Literal, Logic, Ref, Scalar
from engine.plan.lookup import seeks_of
from tests.laws import plans
from tests.laws.harness import World, rows_of
from tests.laws.naive import Rows, meaning
from tests.laws.plans import INT, SOURCES, TEXT, Shape, Tick

KEYS = {source.id: {(0,), (len(source.types) - 1,), (1, 0)} for source in SOURCES}
MANY = st.tuples(*(st.lists(plans.rows(source.types), min_size=8, max_size=10) for source in SOURCES))
"""Rows to begin with: more than are few."""


@st.composite
def small(draw: st.DrawFn) -> Plan:
    """One to three fixed rows, or the rows of a collection that have a value."""
    if draw(st.booleans()):
        held = draw(st.lists(plans.rows((INT, TEXT)), min_size=1, max_size=3, unique_by=repr))
        return graph.Constant(tuple((row, 1) for row in held), (INT, TEXT))
    source = draw(st.sampled_from(SOURCES))
    value = Literal(draw(st.sampled_from([0, 1, 2])), INT)
    return graph.Mfp(source, (graph.Keep(call("=", Ref(0, INT), value)),), tuple(range(len(source.types))))


@st.composite
def small_beside_large(draw: st.DrawFn, shape: Shape) -> Plan:
    """A join of few rows with what is made of collections, met by one or two columns; perhaps joined again."""
    source = st.sampled_from(SOURCES)
    made = [plans.mfps, plans.distincts, plans.unions, plans.joins, plans.reduces, plans.topks, plans.windows]
    larges = st.one_of(source, *(make(source, shape) for make in made if shape.counted or made.index(make) < 4))
    left = draw(small())
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        right = draw(larges)
        rows = [output_types(side) for side in (left, right)]
        ones, others = ([c for c, kind in enumerate(row) if kind == INT] for row in rows)
        pairs = draw(st.integers(1, min(2, len(ones), len(others)))) if ones and others else 0
        a, b = (tuple(draw(st.permutations(columns)))[:pairs] for columns in (ones, others))
        paths = (graph.Lookup(1, a, b),), (graph.Lookup(0, b, a),)
        project = draw(st.permutations(range(sum(map(len, rows)))))[:4]
        left = graph.Join((left, right), paths, tuple(project))
    return left


@pytest.mark.parametrize(("few", "part"), [(7, 0), (12, 1), (7, 2)], ids=["seven", "twelve", "a half, and seven"])
@given(data=st.data())
def test_looked_up_is_read(few: int, part: int, data: st.DataObject) -> None:
    """At every tick and of every tick before; what is not met is not evaluated, so fewer rows may fail, never more."""
    shape = Shape(data.draw(st.booleans()))
    plan = data.draw(small_beside_large(shape))
    begin = [(source.id, row, 1) for source, many in zip(SOURCES, data.draw(MANY), strict=True) for row in many]
    history: list[Tick] = [begin, *data.draw(plans.histories(negative=not shape.counted))[:2]]
    world = World()
    for source in SOURCES:
        world.circuit.install(10 + source.id, source, sorted(KEYS[source.id]))
    seeks = seeks_of(plan, {source: frozenset(keys) for source, keys in KEYS.items()})
    past: list[tuple[int, Rows, bool]] = []
    with mock.patch.multiple(seeking, FEW_ROWS_MAX=few, PART=part):
        for tick in history:
            world.run(tick)
            past.append(expected(plan, world))
            for at, wanted, fails in past:
                for as_of in (at, None) if at == world.tick else (at,):
                    found, error, _ = world.circuit.read(plan, as_of, seeks=seeks)
                    assert rows_of(found, output_types(plan), world.heap) == wanted
                    assert fails or error is None


@given(data=st.data())
def test_rows_that_several_keys_find_are_there_once(data: st.DataObject) -> None:
    """An OR of which each branch gives one key or another, and perhaps something else; at each tick that was."""
    n = data.draw(st.sampled_from(range(len(SOURCES))))
    source, many = SOURCES[n], data.draw(MANY)
    last = len(source.types) - 1
    branches: list[Scalar] = []
    for key in ((0,), (last,), *data.draw(st.lists(st.sampled_from(sorted(KEYS[source.id])), max_size=2))):
        asked = (*key, data.draw(st.integers(0, last))) if data.draw(st.booleans()) else key
        row = data.draw(st.sampled_from(many[n]))
        tests = [call("=", Ref(c, source.types[c]), Literal(row[c], source.types[c])) for c in asked]
        branches.append(tests[0] if len(tests) == 1 else Logic(True, tuple(tests)))
    keep = graph.Keep(Logic(False, tuple(branches)))
    plan = graph.Distinct(graph.Mfp(source, (keep,), tuple(range(len(source.types)))))
    plan = data.draw(st.sampled_from([plan, plan.input]))
    seeks = seeks_of(plan, {source: frozenset(keys) for source, keys in KEYS.items()})
    assert seeks
    world = World()
    for each in SOURCES:
        world.circuit.install(10 + each.id, each, sorted(KEYS[each.id]))
    past: list[tuple[int, Rows, bool]] = []
    begin = [(each.id, row, 1) for each, rows in zip(SOURCES, many, strict=True) for row in rows]
    for tick in (begin, *data.draw(plans.histories())[:2]):
        world.run(tick)
        past.append(expected(plan, world))
        for at, wanted, _ in past:
            found, _, _ = world.circuit.read(plan, at, seeks=seeks)
            assert rows_of(found, output_types(plan), world.heap) == wanted


def expected(plan: Plan, world: World) -> tuple[int, Rows, bool]:
    """The tick, what the plan means at it, and whether a row fails."""
    errors: Counter[str] = Counter()
    return world.tick, meaning(plan, world.sources, errors), any(errors.values())
