"""The laws of topk: incremental equals batch at every tick; the k-set is a function of the rows."""

import math
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from functools import cmp_to_key
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.dataflow.graph import Order, Source, Ties, TopK
from engine.dataflow.operators.topk import TopKOperator
from tests.laws.test_reduce import batch_of, contents_of, plain, rows_of

ROW = (types.INTEGER, types.TEXT, types.DOUBLE, types.NUMERIC)


def before(a, b, order):
    """-1, 0 or 1: by the order, then by every column ascending with NULLs last."""
    rest = [Order(c) for c in range(len(a)) if all(o.column != c for o in order)]
    for o in [*order, *rest]:
        x, y = a[o.column], b[o.column]
        if x is None or y is None:
            if (x is None) != (y is None):
                return -1 if (x is None) == o.nulls_first else 1
            continue
        x, y = place(x), place(y)
        if x != y:
            return (-1 if x < y else 1) * (-1 if o.descending else 1)
    return 0


def peers(a, b, order):
    """Whether the order does not tell them apart."""
    return all(before((a[o.column],), (b[o.column],), (replace(o, column=0),)) == 0 for o in order)


def place(v):
    nan = isinstance(v, (float, Decimal)) and math.isnan(v)
    return (nan, 0 if nan else v.encode() if isinstance(v, str) else v)


def oracle(contents, node):
    groups = defaultdict(list)
    for row, n in contents.items():
        groups[tuple(plain(row[c]) for c in node.group)] += [row] * n
    out = defaultdict(int)
    for rows in groups.values():
        rows.sort(key=cmp_to_key(lambda a, b: before(a, b, node.order)))
        for i, row in enumerate(rows):
            first = next(k for k, other in enumerate(rows) if peers(row, other, node.order))
            place = {
                Ties.CUT: i - node.offset,
                Ties.WHOLE: max(first, node.offset) - node.offset,
                Ties.COUNTED: sum(not peers(a, b, node.order) for a, b in pairwise(rows[: i + 1])),
            }[node.ties]
            if i >= node.offset and (node.limit is None or place < node.limit):
                out[tuple(plain(v) for v in row)] += 1
    return dict(out)


rows = st.tuples(
    st.sampled_from([1, 2, None]),
    st.one_of(st.none(), st.sampled_from(["", "a", "commonprefix-a", "commonprefix-b"]), st.text(max_size=10)),
    st.one_of(st.none(), st.sampled_from([0.0, 1.5, -1.5, math.nan, math.inf]), st.floats(-3, 3)),
    st.one_of(
        st.none(),
        st.sampled_from([Decimal("NaN"), Decimal("1" + "0" * 30), Decimal("1.5")]),
        st.decimals(-5, 5, places=2),
    ),
)


@st.composite
def histories(draw):
    ticks, present = [], []
    for _ in range(draw(st.integers(1, 5))):
        tick = [(draw(rows), draw(st.sampled_from([1, 1, 2, 5]))) for _ in range(draw(st.integers(0, 6)))]
        present += tick
        for _ in range(draw(st.integers(0, 5))):
            if present:
                row, n = present.pop(draw(st.integers(0, len(present) - 1)))
                tick.append((row, -n))
        if tick:
            ticks.append(tick)
    return ticks, present


orders = st.lists(
    st.builds(Order, st.integers(0, 3), st.booleans(), st.booleans()), max_size=2, unique_by=lambda o: o.column
)


@st.composite
def nodes(draw):
    ties = draw(st.sampled_from(Ties))
    group, order = draw(st.sampled_from([(), (0,), (0, 1)])), tuple(draw(orders))
    offset = 0 if ties is Ties.COUNTED else draw(st.integers(0, 3))
    return TopK(Source(1, ROW), group, order, draw(st.one_of(st.none(), st.integers(0, 4))), offset, ties)


@settings(max_examples=120, deadline=None)
@given(histories(), nodes())
def test_incremental_equals_batch(history, node):
    ticks, present = history
    heap = Heap()
    operator = TopKOperator(node, ROW, heap)
    shown, seen = defaultdict(int), []
    for t, tick in enumerate([*ticks, [(row, -n) for row, n in present]]):
        if not tick:
            continue
        previous = rows_of(operator.contents(), ROW, heap)
        delta = operator.step(t, [batch_of(tick, ROW, heap)])
        assert rows_of(operator.contents(), ROW, heap) == previous, "compute shows nothing to readers"
        operator.publish()
        for row, n in rows_of(delta, ROW, heap).items():
            shown[row] += n
        seen += tick
        actual = {row: n for row, n in shown.items() if n}
        assert actual == oracle(contents_of(seen), node)
        assert rows_of(operator.contents(), ROW, heap) == actual
    assert len(operator.contents()) == 0
    assert len(operator._groups) == 0, "nothing is left of what went"


def test_ties_do_not_depend_on_history():
    """Heap codes follow the order of arrival; the k-set does not."""
    node = TopK(Source(1, (types.TEXT,)), (), (), 2)
    ends = []
    for names in (["c", "b", "a"], ["a", "b", "c"], ["b", "c", "a"]):
        heap = Heap()
        operator = TopKOperator(node, (types.TEXT,), heap)
        for t, name in enumerate(names):
            operator.step(t, [batch_of([((name,), 1)], (types.TEXT,), heap)])
            operator.publish()
        ends.append(rows_of(operator.contents(), (types.TEXT,), heap))
    assert ends == [{("a",): 1, ("b",): 1}] * 3


def test_negative_counts_are_no_rows():
    heap, row = Heap(), (types.INTEGER,)
    operator = TopKOperator(TopK(Source(1, row), (), (Order(0),), 2), row, heap)
    for t, tick in enumerate([[((1,), -1), ((2,), 1), ((3,), 1), ((4,), 1)], [((1,), 2)]]):
        operator.step(t, [batch_of(tick, row, heap)])
        operator.publish()
        expected = {(2,): 1, (3,): 1} if t == 0 else {(1,): 1, (2,): 1}
        assert rows_of(operator.contents(), row, heap) == expected


@pytest.mark.parametrize("groups", [1, 40])
def test_large_random_history(groups):
    """Trees of three levels that grow and shrink again."""
    rng = np.random.default_rng(7)
    heap, row = Heap(), (types.INTEGER, types.BIGINT)
    operator = TopKOperator(TopK(Source(1, row), (0,), (Order(1, descending=True),), 10, 2), row, heap)
    keys, values = rng.integers(0, groups, 20_000), rng.permutation(20_000)
    alive = np.zeros(20_000, np.bool_)
    for tick in range(10):
        flip = (
            np.flatnonzero(rng.random(20_000) < 0.5) if tick < 5 else np.flatnonzero(alive & (rng.random(20_000) < 0.7))
        )
        if len(flip) == 0:
            continue
        words = np.zeros((3, len(flip)), np.uint64)
        words[1], words[2] = keys[flip], values[flip]
        operator.step(tick, [Batch(words, np.where(alive[flip], -1, 1), 2)])
        operator.publish()
        alive[flip] = ~alive[flip]
        expected = {}
        for k in range(groups):
            for v in sorted(values[alive & (keys == k)].tolist(), reverse=True)[2:12]:
                expected[(k, v)] = 1
        assert rows_of(operator.contents(), row, heap) == expected


def test_a_row_that_goes_and_comes_back_in_a_tick_is_no_change():
    """What is emitted says that it is consolidated, whatever the input was."""
    heap, row = Heap(), (types.BIGINT,)
    operator = TopKOperator(TopK(Source(1, row), (), (), 2, 0), row, heap)
    operator.step(0, [batch_of([((1,), 1), ((2,), 1)], row, heap)])
    operator.publish()
    both = Batch.concat([batch_of([((1,), diff)], row, heap) for diff in (-1, 1)])
    assert len(both) == 2
    assert len(operator.step(1, [both])) == 0
