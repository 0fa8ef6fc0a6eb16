"""The laws of windows: incremental equals batch at every tick; what went leaves nothing; ties do not tell history."""

import math
from collections import Counter, defaultdict
from decimal import Decimal
from functools import cmp_to_key

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.dataflow.graph import Order, Source, Window
from engine.dataflow.operators.window import WindowOperator
from engine.expr.aggregate import Kind as Aggregate
from engine.expr.window import DEFAULT_FRAME, MOVED, Bound, Edge, Exclude, Frame, Kind, Unit, WindowCall, reach_of
from engine.kernels.compare import order_prefix
from engine.kernels.frames import least_in_frames, run_sums, sort_words, sum_frames
from tests.laws import naive_window
from tests.laws.test_reduce import batch_of, contents_of, naive, plain, rows_of
from tests.laws.test_topk import before, place

ROW = (types.INTEGER, types.BIGINT, types.TEXT, types.BIGINT, types.BIGINT, types.DOUBLE, types.NUMERIC, types.BOOLEAN)
"""Partition, ordering number, text, the ordering number - 1 and + 2, a double, a numeric, a condition."""

WIDE = (*ROW, types.INTEGER)
"""ROW, then a small offset."""

numbers = st.sampled_from([None, 0, 1, 2, 3, 5, -1])
rows = st.builds(
    lambda g, x, y, d, m, b: (g, x, y, None if x is None else x - 1, None if x is None else x + 2, d, m, b),
    st.sampled_from([1, 2, None]),
    numbers,
    st.sampled_from([None, "", "a", "b", "common prefix a", "common prefix b"]),
    st.sampled_from([None, 0.0, 1.5, -0.1, 1e300, math.nan, math.inf, -math.inf]),
    st.sampled_from([None, Decimal("1.5"), Decimal("-0.25"), Decimal("NaN"), Decimal("1" + "0" * 30)]),
    st.sampled_from([None, True, False]),
)


@st.composite
def histories(draw):
    ticks, present = [], []
    for _ in range(draw(st.integers(1, 4))):
        tick = [(draw(rows), draw(st.sampled_from([1, 1, 1, 2]))) for _ in range(draw(st.integers(0, 6)))]
        present += tick
        for _ in range(draw(st.integers(0, 4))):
            if present:
                row, n = present.pop(draw(st.integers(0, len(present) - 1)))
                tick.append((row, -n))
        if tick:
            ticks.append(tick)
    return ticks, present


PLACES = list(Edge)


@st.composite
def frames(draw, order):
    """A frame that SQL allows over this ORDER BY."""
    kinds = [Unit.ROWS, Unit.RANGE, Unit.GROUPS] if order else [Unit.ROWS, Unit.RANGE]
    unit = draw(st.sampled_from(kinds))
    start = draw(st.sampled_from(PLACES[:4]))
    end = draw(st.sampled_from([edge for edge in PLACES[1:] if PLACES.index(edge) >= PLACES.index(start)]))
    exclude = draw(st.sampled_from(list(Exclude)))
    if unit is not Unit.RANGE:
        first, last = (Bound(e, draw(st.integers(0, 3)) if e in MOVED else 0) for e in (start, end))
        return Frame(unit, first, last, exclude)
    if not {start, end} & set(MOVED):
        return Frame(unit, Bound(start), Bound(end), exclude)
    if len(order) != 1 or order[0].column != 1 or (start, end) == (Edge.PRECEDING,) * 2:
        return DEFAULT_FRAME
    back, on = (4, 3) if order[0].descending else (3, 4)
    first, last = (Bound(e, back if e is Edge.PRECEDING else on if e is Edge.FOLLOWING else 0) for e in (start, end))
    return Frame(unit, first, last, exclude, key=1)


@st.composite
def calls(draw, order):
    kind = draw(st.sampled_from([*Kind, *SUMS, Aggregate.STRING_AGG, Aggregate.MIN, Aggregate.MAX]))
    column = draw(st.sampled_from([1, 2, 5, 6]))
    ignore = draw(st.booleans())
    match kind:
        case Kind.ROW_NUMBER | Kind.RANK | Kind.DENSE_RANK:
            return WindowCall(kind, (), types.BIGINT, False)
        case Kind.PERCENT_RANK | Kind.CUME_DIST:
            return WindowCall(kind, (), types.DOUBLE, False)
        case Kind.NTILE:
            return WindowCall(kind, (1,), types.INTEGER)
        case Kind.LAG | Kind.LEAD:
            return WindowCall(kind, (2, draw(st.sampled_from([1, 4])), 2), types.TEXT, ignore_nulls=ignore)
    frame = draw(frames(order))
    match kind:
        case Kind.FIRST_VALUE | Kind.LAST_VALUE:
            return WindowCall(kind, (column,), ROW[column], True, frame, ignore)
        case Kind.NTH_VALUE:
            number = draw(st.sampled_from([None, 1, 1, 2, 3, 7, 0]))
            arguments = (column, 1) if number is None else (column,)
            return WindowCall(kind, arguments, ROW[column], True, frame, ignore, number=number)
    condition = draw(st.sampled_from([None, 7]))
    match kind:
        case Aggregate.STRING_AGG:
            return WindowCall(kind, (2, 2), types.TEXT, True, frame, filter=condition)
        case Aggregate.COUNT_ROWS:
            return WindowCall(kind, (), types.BIGINT, False, frame, filter=condition)
        case Aggregate.COUNT:
            return WindowCall(kind, (column,), types.BIGINT, False, frame, filter=condition)
        case Aggregate.MIN | Aggregate.MAX:
            return WindowCall(kind, (column,), ROW[column], True, frame, filter=condition)
        case Aggregate.BOOL_AND | Aggregate.BOOL_OR:
            return WindowCall(kind, (7,), types.BOOLEAN, True, frame, filter=condition)
    column = draw(st.sampled_from([1, 5, 6]))
    result = types.DOUBLE if column == 5 else types.NUMERIC
    return WindowCall(kind, (column,), result, True, frame, filter=condition)


SUMS = [
    Aggregate.COUNT_ROWS, Aggregate.COUNT, Aggregate.SUM, Aggregate.AVG, Aggregate.BOOL_AND, Aggregate.BOOL_OR,
    Aggregate.VAR_POP,
]  # fmt: skip


orders = st.lists(
    st.builds(Order, st.sampled_from([1, 1, 2, 6]), st.booleans(), st.booleans()), max_size=2,
    unique_by=lambda o: o.column,
).map(tuple)  # fmt: skip


@st.composite
def nodes(draw):
    order = draw(orders)
    partition = draw(st.sampled_from([(), (0,), (0,), (0, 2)]))
    return Window(Source(1, ROW), partition, order, tuple(draw(st.lists(calls(order), min_size=1, max_size=4))))


def oracle(contents, node):
    """(rows, errors) by the definition."""
    groups = defaultdict(list)
    for row, n in contents.items():
        groups[tuple(plain(row[c]) for c in node.partition)] += [row] * n
    out, errors = Counter(), Counter()

    def stands_before(a, b):
        by = node.order[0]
        if a is None or b is None:
            return a is not b and (a is None) == by.nulls_first
        return a > b if by.descending else a < b

    def aggregate(call, members):
        if call.kind is Aggregate.COUNT_ROWS:
            return len(members)
        column = call.columns[0]
        missing = {5: math.nan, 6: Decimal("NaN")}
        kept = [missing.get(column, row[column]) if row[column] == "NaN" else row[column] for row in members]
        kept = [v for v in kept if v is not None]
        if call.kind is Aggregate.STRING_AGG:
            return "".join(part for v in kept for part in (v, v))[len(kept[0]) :] if kept else None
        found = naive(call.kind, kept, ROW[call.columns[0]], call.type)
        if found == "error":
            raise naive_window.NoValue("22003")
        return found

    for members in groups.values():
        members.sort(key=cmp_to_key(lambda a, b: before(a, b, node.order)))
        plain_rows = [tuple(plain(v) for v in row) for row in members]
        columns = []
        for call in node.calls:
            order = [o.column for o in node.order]
            columns.append(naive_window.values(call, plain_rows, order, stands_before, aggregate))
        for i, row in enumerate(plain_rows):
            found = [column[i] for column in columns]
            failed = [v for v in found if isinstance(v, naive_window.NoValue)]
            if failed:
                errors[str(failed[0])] += 1
            else:
                out[(*row, *(plain(v) for v in found))] += 1
    return dict(out), errors


def close(rows):
    """Rows with doubles of spreads compared to twelve digits."""

    def rounded(value):
        return float(f"{value:.12g}") if isinstance(value, float) else value

    return Counter({tuple(map(rounded, row)): n for row, n in rows.items()})


@settings(max_examples=250, deadline=None)
@given(histories(), nodes())
def test_incremental_equals_batch(history, node):
    ticks, present = history
    heap = Heap()
    operator = WindowOperator(node, ROW, heap)
    out = (*ROW, *(call.type for call in node.calls))
    shown, seen = defaultdict(int), []
    for t, tick in enumerate([*ticks, [(row, -n) for row, n in present]]):
        if not tick:
            continue
        delta = operator.step(t, [batch_of(tick, ROW, heap)])
        operator.publish()
        for row, n in rows_of(delta, out, heap).items():
            shown[row] += n
        seen += tick
        expected, errors = oracle(contents_of(seen), node)
        assert close({row: n for row, n in shown.items() if n}) == close(expected)
        assert (operator.errors.first() is not None) == bool(errors)
    assert not any(shown.values())
    assert len(operator._groups) == 0, "nothing is left of what went"


def test_ties_do_not_depend_on_history():
    """Heap codes follow the order of arrival; row numbers do not."""
    node = Window(Source(1, (types.TEXT,)), (), (), (WindowCall(Kind.ROW_NUMBER, (), types.BIGINT),))
    for names in (["c", "b", "a"], ["a", "b", "c"], ["b", "c", "a"]):
        heap, shown = Heap(), Counter()
        operator = WindowOperator(node, (types.TEXT,), heap)
        for t, name in enumerate(names):
            delta = operator.step(t, [batch_of([((name,), 1)], (types.TEXT,), heap)])
            shown.update(rows_of(delta, (types.TEXT, types.BIGINT), heap))
        assert {row for row, n in shown.items() if n} == {("a", 1), ("b", 2), ("c", 3)}


def test_only_what_changed_is_emitted():
    """An insertion moves the neighbours of a lag, and what stands behind it in a row_number: no more."""
    heap, row = Heap(), (types.BIGINT,)
    lag = WindowCall(Kind.LAG, (0, 0, 0), types.BIGINT)
    node = Window(Source(1, row), (), (Order(0),), (WindowCall(Aggregate.COUNT_ROWS, (), types.BIGINT),))
    assert lag.reads() == (0, 0, 0)
    operator = WindowOperator(node, row, heap)
    operator.step(0, [batch_of([((2 * i,), 1) for i in range(100)], row, heap)])
    delta = operator.step(1, [batch_of([((191,), 1)], row, heap)])
    assert len(delta) == 1 + 2 * 4


@pytest.mark.parametrize("seed", range(5))
def test_kernels_equal_numpy(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    values = rng.integers(-50, 50, n)
    begin = rng.integers(0, n + 1, (2, 40))
    end = np.maximum(begin, rng.integers(0, n + 1, (2, 40)))
    least = least_in_frames(values, begin, end)
    for i in range(40):
        seen = [values[b:e].min() for b, e in zip(begin[:, i], end[:, i], strict=True) if b < e]
        assert least[i] == min(seen, default=np.iinfo(np.int64).max)
    records = rng.integers(0, 2**63, (n, 3)).astype(np.uint64)
    runs = np.array([[0, 1], [1, 2]], np.int64)
    sums = sum_frames(records.copy(), runs, begin, end)
    first = np.maximum.accumulate(np.where(rng.random(n) < 0.2, np.arange(n), 0))
    so_far = sum_frames(records.copy(), runs, first[None], np.arange(1, n + 1)[None])
    assert np.array_equal(run_sums(records.copy(), runs, first), so_far)
    wide = [int(row[1]) + (int(row[2]) << 64) for row in records]
    for i in range(40):
        spans = list(zip(begin[:, i].tolist(), end[:, i].tolist(), strict=True))
        assert int(sums[i, 0]) == sum(int(records[j, 0]) for b, e in spans for j in range(b, e)) % 2**64
        assert int(sums[i, 1]) + (int(sums[i, 2]) << 64) == sum(wide[j] for b, e in spans for j in range(b, e)) % 2**128


def test_words_are_sorted():
    heap = Heap()
    texts = ["b", "", "common prefix b", "common prefix a", "common prefi", "a"]
    words = np.array([heap.intern(text.encode()) for text in texts], np.uint64)
    kind = int(types.TEXT.physical)
    order = sort_words(kind, words, order_prefix(kind, words, *heap.view()), *heap.view())
    assert [texts[i] for i in order] == sorted(texts, key=place)


def test_a_large_partition():
    """Running sums, minima and neighbours of 20,000 rows that come and go."""
    rng = np.random.default_rng(7)
    heap, row = Heap(), (types.INTEGER, types.BIGINT)
    rolling = Frame(Unit.ROWS, Bound(Edge.PRECEDING, 4), Bound(Edge.CURRENT_ROW))
    node = Window(Source(1, row), (0,), (Order(1),), (
        WindowCall(Aggregate.SUM, (1,), types.NUMERIC), WindowCall(Aggregate.MIN, (1,), types.BIGINT, True, rolling),
        WindowCall(Kind.ROW_NUMBER, (), types.BIGINT),
    ))  # fmt: skip
    operator = WindowOperator(node, row, heap)
    keys, values = rng.integers(0, 3, 20_000), rng.permutation(20_000)
    alive, shown = np.zeros(20_000, np.bool_), Counter()
    for tick in range(4):
        flip = np.flatnonzero(rng.random(20_000) < (0.5, 0.01, 0.3, 0.001)[tick])
        words = np.zeros((3, len(flip)), np.uint64)
        words[1], words[2] = keys[flip], values[flip]
        delta = operator.step(tick, [Batch(words, np.where(alive[flip], -1, 1), 2)])
        alive[flip] = ~alive[flip]
        for got, n in rows_of(delta, (*row, types.NUMERIC, types.BIGINT, types.BIGINT), heap).items():
            shown[got] += n
        expected = set()
        for key in range(3):
            held = np.sort(values[alive & (keys == key)])
            sums = np.cumsum(held)
            for i, v in enumerate(held.tolist()):
                expected.add((key, v, Decimal(int(sums[i])), int(held[max(0, i - 4)]), i + 1))
        assert {got for got, n in shown.items() if n} == expected


@st.composite
def near_calls(draw, order):
    """Calls that look no farther than some rows, or that run from the beginning or from the end."""
    call = draw(calls(order).filter(lambda call: reach_of((call,)) is not None))
    if call.kind in (Kind.LAG, Kind.LEAD):
        return WindowCall(call.kind, (2, draw(st.sampled_from([1, 8])), 2), types.TEXT, ignore_nulls=call.ignore_nulls)
    return call


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_a_change_cannot_reach_need_not_be_looked_at(data):
    """The rows within reach give the same changes as all rows of the touched partitions, which are large."""
    order = data.draw(orders)
    node = Window(Source(1, WIDE), data.draw(st.sampled_from([(), (0,)])), order,
                  tuple(data.draw(st.lists(near_calls(order), min_size=1, max_size=3))))  # fmt: skip
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    heap = Heap()
    near, whole = WindowOperator(node, WIDE, heap), WindowOperator(node, WIDE, heap)
    whole._reach = None
    texts = [None, "", "a", "b", "common prefix a", "common prefix b"]
    doubles = [None, 0.0, 1.5, -0.1, 1e300, math.nan, math.inf, -math.inf]
    decimals = [None, Decimal("1.5"), Decimal("-0.25"), Decimal("NaN"), Decimal("1" + "0" * 30)]
    plainly = rng.random() < 0.5  # without the values that do not go into limbs
    held: list[tuple] = []
    for t in range(8):
        tick: dict[tuple, int] = {}
        for _ in range(int(rng.integers(30, 60)) if t == 0 else int(rng.integers(0, 3))):
            x = None if rng.random() < 0.1 else int(rng.integers(0, 40))
            d, m = (rng.integers(0, 4), rng.integers(0, 3)) if plainly else (rng.integers(0, 8), rng.integers(0, 5))
            row = (int(rng.integers(0, 2)), x, texts[rng.integers(0, 6)], None if x is None else x - 1,
                   None if x is None else x + 2, doubles[d], decimals[m], [None, True, False][rng.integers(0, 3)],
                   int(rng.integers(-2, 3)))  # fmt: skip
            copies = int(rng.integers(1, 3))
            held += [row] * copies
            tick[row] = tick.get(row, 0) + copies
        for _ in range(int(rng.integers(0, 4))):
            if held:
                row = held.pop(int(rng.integers(0, len(held))))
                tick[row] = tick.get(row, 0) - 1
        changes = [(row, n) for row, n in tick.items() if n]
        if not changes:
            continue
        batch = batch_of(changes, WIDE, heap)
        out = (*WIDE, *(call.type for call in node.calls))
        assert rows_of(near.step(t, [batch]), out, heap) == rows_of(whole.step(t, [batch]), out, heap)
        assert near.errors.first() == whole.errors.first()
