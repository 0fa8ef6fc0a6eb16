"""Data put together of all rows of a group: what a change makes of the old datum is what all rows make anew."""

from collections import Counter

import numpy as np
import pytest

from engine import types
from engine.collection.arrow import decode_column
from engine.collection.heap import Heap
from engine.dataflow.graph import Aggregate, Order, Reduce, Source
from engine.dataflow.operators.pieces import Elements
from engine.dataflow.operators.reduce import ReduceOperator
from engine.expr.aggregate import Kind
from tests.laws.test_reduce import batch_of, rows_of

ROW = (types.INTEGER, types.TEXT, types.TEXT, types.BIGINT, types.DOUBLE, types.JSONB)
AGGREGATES = (
    Aggregate(Kind.STRING_AGG, (1, 2), types.TEXT, (Order(3, descending=True),)),
    Aggregate(Kind.STRING_AGG, (2, 1), types.TEXT),
    Aggregate(Kind.JSONB_AGG, (5,), types.JSONB, (Order(4), Order(1))),
    Aggregate(Kind.ARRAY_AGG, (3,), types.array_of(types.BIGINT), (Order(1),)),
    Aggregate(Kind.LIST_AGG, (4,), types.list_of(types.DOUBLE)),
    Aggregate(Kind.ARRAY_AGG, (1,), types.array_of(types.TEXT), (Order(3),)),
    Aggregate(Kind.ARRAY_AGG, (5,), types.array_of(types.JSONB), (Order(3),)),
    Aggregate(Kind.JSONB_OBJECT_AGG, (1, 5), types.JSONB, (Order(3, descending=True),)),
    Aggregate(Kind.MAP_AGG, (2, 4), types.map_of(types.DOUBLE)),
    Aggregate(Kind.MODE, (1,), types.TEXT, (Order(1, descending=True),)),
    Aggregate(Kind.MODE, (3,), types.BIGINT, (Order(3),)),
)
OUT = (types.INTEGER, *(aggregate.type for aggregate in AGGREGATES))
TEXTS = (None, "", "a", "b\0c", "longer than a word of eight")


def random_row(rng):
    return (
        int(rng.integers(3)), rng.choice(TEXTS), rng.choice((",", "", "; ", None)), rng.choice((None, 0, -7, 1 << 40)),
        rng.choice((None, -0.5, 2.0, np.nan)), rng.choice((None, "1", '{"a": 2}')),
    )  # fmt: skip


class Reduction:
    """The aggregates by group over ticks of changes."""

    def __init__(self):
        self.heap = Heap()
        self.operator = ReduceOperator(Reduce(Source(1, ROW), (0,), AGGREGATES), ROW, self.heap)

    def step(self, tick, changes):
        self.operator.step(tick, [batch_of(changes, ROW, self.heap)])
        self.operator.publish()

    def rows(self):
        contents = self.operator.contents()
        columns = [decode_column(contents.vector(c), t, self.heap) for c, t in enumerate(OUT)]
        return sorted(map(repr, zip(*columns, strict=True)))


@pytest.mark.parametrize("seed", range(8))
def test_incremental_equals_batch(seed):
    rng, ours = np.random.default_rng(seed), Reduction()
    counts: Counter[tuple] = Counter()
    for tick, size in enumerate((1, 30, 3, 1, 2, 60, 1, 5, 40, 2)):
        changes = []
        for _ in range(size):
            row, diff = random_row(rng), int(rng.choice((1, 1, 2, -1)))
            if counts and rng.random() < 0.4:
                row, diff = list(counts)[rng.integers(len(counts))], -1
            counts[row] += diff
            changes.append((row, diff))
        if rng.random() < 0.3:  # comes and goes in one tick
            changes += [(random_row(rng), 1)]
            changes += [(changes[-1][0], -1)]
        ours.step(tick, changes)
        anew = Reduction()
        anew.step(0, [(row, n) for row, n in counts.items() if n])
        assert ours.rows() == anew.rows()
        if tick == 6:
            marks = ours.heap.begin_sweep()
            ours.operator.mark(marks)
            ours.heap.sweep(marks)


def test_many_rows_and_a_few_changes():
    """A datum of a hundred thousand bytes, changed at both ends and in the middle; then loaded anew."""
    rng, heap = np.random.default_rng(1), Heap()
    row_types = (types.INTEGER, types.INTEGER, types.TEXT)
    node = Reduce(Source(1, row_types), (0,), (Aggregate(Kind.STRING_AGG, (2, 2), types.TEXT, (Order(1),)),))
    operator = ReduceOperator(node, row_types, heap)
    held: set[int] = set()
    for tick, size in enumerate((6000, 1, 3, 200, 1, 20_000, 2)):
        flip = {0, 100_000, *rng.integers(1, 100_000, size).tolist()} if size > 1 else {int(rng.integers(100_001))}
        changes = [((1, v, f"{v},"), -1 if v in held else 1) for v in flip]
        held ^= flip
        operator.step(tick, [batch_of(changes, row_types, heap)])
        operator.publish()
        parts = [f"{v}," for v in sorted(held)]
        text = "".join(part + part for part in parts)[len(parts[0]) :]
        assert rows_of(operator.contents(), (types.INTEGER, types.TEXT), heap) == {(1, text): 1}


@pytest.mark.parametrize("element", [types.BIGINT, types.DOUBLE, types.UINT8, types.DATE], ids=str)
def test_numbers_are_written_as_any_element_is(element):
    """By numpy as by the writers of nested values."""
    rng, heap = np.random.default_rng(2), Heap()
    words = rng.integers(0, 1 << 63, 50, np.uint64) * np.uint64(2)
    if element is types.DOUBLE:
        words = np.append(rng.normal(size=50), [0.0, -0.0, np.inf, -np.inf, np.nan]).view(np.uint64)
    nulls = rng.random(len(words)) < 0.3
    pieces, other = Elements(element, True, heap), Elements(element, True, heap)
    other.numbers = False
    for got, wanted in zip(pieces.of([(words, nulls)]), other.of([(words, nulls)]), strict=True):
        assert got.tolist() == wanted.tolist()
    assert pieces.sizes([(words, nulls)]).tolist() == other.sizes([(words, nulls)]).tolist()
