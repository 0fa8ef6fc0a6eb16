"""Random plans and random histories: hypothesis strategies over graph.Plan.

Three fed collections stand for the catalog. Values come from small domains, so that keys meet, groups have several rows
and what is inserted is retracted again; NULLs are as common as values.
"""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from engine import types
from engine.dataflow import graph
from engine.dataflow.graph import Plan, output_types
from engine.expr.aggregate import Kind
from engine.expr.overload import call, resolve_table_function
from engine.expr.scalar import Literal, Ref, Scalar, Value
from engine.expr.window import Bound, Edge, Frame, Unit, WindowCall
from engine.expr.window import Kind as Rank
from engine.types import SqlType
from tests.laws.naive import Row

INT, TEXT, BOOL = types.BIGINT, types.TEXT, types.BOOLEAN

SOURCES = (
    graph.Source(1, (INT, INT)),
    graph.Source(2, (INT, TEXT, INT)),
    graph.Source(3, (INT, BOOL), append_only=True),
)

Change = tuple[int, Row, int]
"""(collection, row, diff)"""
Tick = list[Change]


def values(type: SqlType) -> st.SearchStrategy[Value]:
    """Few values of a type, NULL among them."""
    if type == INT:
        return st.sampled_from([None, 0, 1, 2, -3])
    return st.sampled_from([None, "", "a", "long enough not to fit"] if type == TEXT else [None, False, True])


def rows(row: tuple[SqlType, ...]) -> st.SearchStrategy[Row]:
    """Rows of those columns."""
    return st.tuples(*(values(type) for type in row))


@st.composite
def histories(draw: st.DrawFn, negative: bool = False) -> list[Tick]:
    """Ticks of changes. Unless `negative`, no multiplicity is ever below zero; collection 3 is only appended to."""
    counts: dict[tuple[int, Row], int] = {}
    ticks: list[Tick] = []
    for _ in range(draw(st.integers(1, 5))):
        tick: Tick = []
        for _ in range(draw(st.integers(0, 6))):
            held = [at for at, n in counts.items() if n > 0 and at[0] != 3]
            if held and draw(st.booleans()):
                source, row = draw(st.sampled_from(held))
                diff = -draw(st.integers(1, counts[source, row]))
            else:
                plan = draw(st.sampled_from(SOURCES))
                source, row = plan.id, draw(rows(plan.types))
                diff = draw(st.sampled_from([1, 1, 2, -1] if negative and source != 3 else [1, 1, 2]))
            counts[source, row] = counts.get((source, row), 0) + diff
            tick.append((source, row, diff))
        ticks.append(tick)
    return ticks


@dataclass
class Shape:
    """What a plan may hold. `counted`: operators that only take collections without negative multiplicities."""

    counted: bool = True
    topk: bool = True


@st.composite
def plans(draw: st.DrawFn, shape: Shape | None = None, depth: int = 3) -> Plan:
    """A plan of at most `depth` operators on a path. Where `shape.counted`, its rows' counts are never negative."""
    shape = shape or Shape()
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(SOURCES))
    below = plans(shape, depth - 1)
    kinds = [mfps, joins, distincts, unions, constants, flat_maps]
    kinds += [reduces] if shape.counted else [negates]
    kinds += [topks, windows] if shape.counted and shape.topk else []
    return draw(draw(st.sampled_from(kinds))(below, shape))


@st.composite
def scalars(draw: st.DrawFn, row: tuple[SqlType, ...]) -> Scalar:
    """An integer expression; one in a while fails."""
    operands = [Ref(i, INT) for i, type in enumerate(row) if type == INT]
    operand = st.sampled_from([*operands, Literal(1, INT), Literal(None, INT)])
    match draw(st.sampled_from(["+", "/", "big", "ref"])):
        case "ref":
            return draw(operand)
        case "big":
            return call("+", draw(operand), Literal((1 << 63) - 2, INT))
        case operator:
            return call(operator, draw(operand), draw(operand))


@st.composite
def predicates(draw: st.DrawFn, row: tuple[SqlType, ...]) -> Scalar:
    """A boolean expression."""
    column = draw(st.integers(0, len(row) - 1))
    ref = Ref(column, row[column])
    match draw(st.sampled_from(["=", "<", "is_null"])):
        case "is_null":
            return call("is_null", ref)
        case operator:
            return call(operator, ref, Literal(draw(values(row[column]).filter(lambda v: v is not None)), row[column]))


@st.composite
def mfps(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    child = draw(below)
    row = output_types(child)
    steps: list[graph.Compute | graph.Keep] = []
    for _ in range(draw(st.integers(0, 3))):
        if row and draw(st.booleans()):
            steps.append(graph.Keep(draw(predicates(row))))
        else:
            steps.append(graph.Compute(draw(scalars(row))))
            row = (*row, steps[-1].expression.type)
    project = draw(st.lists(st.integers(0, len(row) - 1), min_size=1, max_size=4))
    return graph.Mfp(child, tuple(steps), tuple(project))


@st.composite
def joins(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    """A chain of inputs, each met with the one before it in one column, or with all of it."""
    inputs = draw(st.lists(below, min_size=2, max_size=3))
    if draw(st.booleans()):
        inputs[-1] = inputs[0]
    widths = [len(output_types(child)) for child in inputs]
    edges: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    for left, right in pairwise(inputs):
        pairs = [(a, b) for a, x in enumerate(output_types(left)) for b, y in enumerate(output_types(right)) if x == y]
        chosen = draw(st.lists(st.sampled_from(pairs), max_size=2, unique=True)) if pairs else []
        chosen = [pair for n, pair in enumerate(chosen) if all(p[1] != pair[1] for p in chosen[:n])]
        chosen = [pair for n, pair in enumerate(chosen) if all(p[0] != pair[0] for p in chosen[:n])]
        strict = draw(
            st.sampled_from([(), (True,) * len(chosen), (*[False] * len(chosen[1:]), *[True] * len(chosen[:1]))])
        )
        edges.append((tuple(a for a, _ in chosen), tuple(b for _, b in chosen), strict))
    paths = []
    for start in range(len(inputs)):
        visits, path = [start], []
        for other in [*range(start + 1, len(inputs)), *range(start - 1, -1, -1)]:
            near = other - 1 if other > start else other + 1
            offset = sum(widths[i] for i in visits[: visits.index(near)])
            near_side, other_side, strict = edges[min(other, near)]
            mine, theirs = (near_side, other_side) if other > start else (other_side, near_side)
            path.append(graph.Lookup(other, tuple(offset + c for c in mine), theirs, strict))
            visits.append(other)
        paths.append(tuple(path))
    project = draw(st.lists(st.integers(0, sum(widths) - 1), min_size=1, max_size=4))
    return graph.Join(tuple(inputs), tuple(paths), tuple(project))


@st.composite
def flat_maps(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    """generate_series between integer expressions, one of which may fail or be far too large."""
    child = draw(below)
    function, _ = resolve_table_function("generate_series", (INT, INT))
    return graph.FlatMap(child, function, (Literal(0, INT), draw(scalars(output_types(child)))))


@st.composite
def distincts(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    return draw(st.sampled_from([graph.Distinct, graph.Threshold]))(draw(below))


@st.composite
def negates(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    return graph.Negate(draw(below))


@st.composite
def unions(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    """A plan with another of its types; EXCEPT ALL among them."""
    first = draw(below)
    second = draw(st.sampled_from([first, graph.Distinct(first)]))
    if draw(st.booleans()):
        return graph.Threshold(graph.Union((first, graph.Negate(second))))
    return graph.Union((first, second))


@st.composite
def constants(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    counts = st.integers(1, 2) if shape.counted else st.sampled_from([-1, 1, 2])
    held = draw(st.lists(st.tuples(rows((INT, TEXT)), counts), max_size=2, unique_by=lambda pair: repr(pair[0])))
    return graph.Constant(tuple(held), (INT, TEXT))


@st.composite
def reduces(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    child = draw(below)
    row = output_types(child)
    key = tuple(draw(st.lists(st.integers(0, len(row) - 1), max_size=2, unique=True)))
    aggregates = [graph.Aggregate(Kind.COUNT_ROWS, (), INT)]
    column = draw(st.integers(0, len(row) - 1))
    aggregates.append(graph.Aggregate(Kind.COUNT, (column,), INT))
    if row[column] == INT:
        kind = draw(st.sampled_from([Kind.MIN, Kind.MAX]))
        aggregates.append(graph.Aggregate(kind, (column,), INT))
    return graph.Reduce(child, key, tuple(aggregates))


@st.composite
def topks(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    child = draw(below)
    row = output_types(child)
    group = tuple(draw(st.lists(st.integers(0, len(row) - 1), max_size=1)))
    order = tuple(
        graph.Order(column, draw(st.booleans()), draw(st.booleans()))
        for column in draw(st.lists(st.integers(0, len(row) - 1), max_size=2, unique=True))
    )
    limit = draw(st.sampled_from([1, 2, 3, None]))
    ties = draw(st.sampled_from(graph.Ties))
    offset = 0 if ties is graph.Ties.COUNTED else draw(st.sampled_from([0, 0, 1]))
    return graph.TopK(child, group, order, limit, offset, ties)


@st.composite
def windows(draw: st.DrawFn, below: st.SearchStrategy[Plan], shape: Shape) -> Plan:
    """Rankings, a lag and a count over the frame of a few rows."""
    child = draw(below)
    row = output_types(child)
    partition = tuple(draw(st.lists(st.integers(0, len(row) - 1), max_size=1)))
    order = tuple(
        graph.Order(column, draw(st.booleans()), draw(st.booleans()))
        for column in draw(st.lists(st.integers(0, len(row) - 1), max_size=2, unique=True))
    )
    column = draw(st.integers(0, len(row) - 1))
    frame = Frame(Unit.ROWS, Bound(Edge.PRECEDING, 1), Bound(Edge.FOLLOWING, draw(st.integers(0, 2))))
    offered = [
        WindowCall(Rank.ROW_NUMBER, (), INT, False),
        WindowCall(Rank.DENSE_RANK, (), INT, False),
        WindowCall(Rank.LAST_VALUE, (column,), row[column]),
        WindowCall(Kind.COUNT, (column,), INT, False, frame),
    ]
    calls = draw(st.lists(st.sampled_from(offered), min_size=1, max_size=2, unique=True))
    return graph.Window(child, partition, order, tuple(calls))
