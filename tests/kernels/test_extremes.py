"""The values of min and max against a dict: small groups, heaps, what lies between, and what is left of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.collection.extremes import Extremes
from engine.collection.heap import Heap, Marks
from engine.errors import LimitExceeded
from engine.kernels import extremes as kernels
from engine.kernels.extremes import BLOCK, CAPACITY, LARGE, SIZE
from engine.types import Physical


class Model:
    """Extremes beside a dict from (group, value) to multiplicity. Values are bigints, or texts (`texts`: by number)."""

    def __init__(self, groups, largest, texts=None, heap=None):
        self.heap = heap or Heap()
        self.texts = texts
        self.codes = None if texts is None else self.heap.intern_many(texts)
        self.values = Extremes(Physical.SIGNED if texts is None else Physical.BYTES, largest, self.heap)
        self.records = np.zeros((groups, kernels.WIDTH), np.uint64)
        self.largest, self.counts = largest, {}

    def add(self, changes):
        """Feed (group, value, diff) changes and compare."""
        for g, v, d in changes:
            self.counts[g, v] = self.counts.get((g, v), 0) + d
        self.counts = {at: n for at, n in self.counts.items() if n}
        words = np.array([[v for _, v, _ in changes]], np.int64).view(np.uint64)
        if self.codes is not None:
            words = self.codes[words]
        gids, diffs = np.array([g for g, _, _ in changes], np.int32), np.array([d for _, _, d in changes], np.int64)
        rows = np.arange(len(changes))
        self.values.add(words, 0, rows, diffs, gids, self.records, 0, len(self.records))
        self.check()

    def check(self):
        """The records are what the dict says; blocks do not overlap, and hold what they should."""
        by_group = {}
        for (g, v), n in self.counts.items():
            by_group.setdefault(g, {})[v] = n
        head, blocks = self.values._head, []
        for g in range(len(self.records)):
            mine = by_group.get(g, {})
            some = [v for v, n in mine.items() if n > 0]
            if self.texts is None:
                best = (max(some) if self.largest else min(some)) if some else 0
            else:
                order = [self.texts[v] for v in some]
                best = int(self.codes[self.texts.index((max if self.largest else min)(order))]) if some else 0
            assert self.records[g, :3].view(np.int64).tolist() == [len(mine), bool(some), best]
            block, size = int(self.records[g, BLOCK]), int(self.records[g, SIZE]) >> 32
            if not mine:
                assert self.records[g].tolist() == [0] * kernels.WIDTH
                continue
            c, offset, odd = block & 63, (block >> 6) - 1, int(self.records[g, SIZE]) & 0xFFFFFFFF
            blocks.append((offset, int(CAPACITY[c])))
            assert size <= CAPACITY[c]
            assert c < LARGE or (size - odd == len(some) and 2 * odd <= size)
            assert c >= LARGE or (size == len(mine) and odd == sum(n != 1 for n in mine.values()))
        end = 0
        for offset, length in sorted(blocks):
            assert offset >= end
            end = offset + length
        assert end <= head[kernels.USED] <= len(self.values._values)
        assert sum(length for _, length in blocks) == head[kernels.USED] - head[kernels.FREE]
        assert head[kernels.KEYS] == np.count_nonzero(self.values._table[:, 0])


TEXTS = [f"{'long common beginning ' * (i % 3)}{i * 7919 % 4001}".encode() for i in range(4001)]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 1 << 30), st.booleans(), st.booleans(), st.sampled_from([1, 3, 50]), st.sampled_from([5, 60, 2000])
)
def test_random_histories(seed, texts, largest, groups, span):
    """Groups that grow, shrink, vanish and come again, with multiplicities below 0 among them."""
    rng = np.random.default_rng(seed)
    model = Model(groups, largest, TEXTS if texts else None)
    low = 0 if texts else -span
    for tick in range(10):
        grows = tick % 5 < 3
        changes, held = [], dict(model.counts)
        for _ in range(int(rng.integers(1, 500))):
            at, diff = (int(rng.integers(groups)), int(rng.integers(low, span))), int(rng.integers(-1, 3)) or 1
            if not grows and held:
                at = list(held)[rng.integers(len(held))] if tick % 2 else max(held)
                diff = -held[at]
            held[at] = held.get(at, 0) + diff
            changes.append((*at, diff))
            if held[at] == 0:
                del held[at]
        model.add(changes)


ORDERS = {
    "ascending": list(range(3000)),
    "descending": list(range(2999, -1, -1)),
    "mixed": [i * 7 % 3000 for i in range(3000)],
}


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("coming", ORDERS)
@pytest.mark.parametrize("going", ORDERS)
def test_one_group_comes_and_goes(coming, going, largest):
    """In any order; the extreme right after every part; nothing is left."""
    model = Model(1, largest)
    for _ in range(2):
        for begin in range(0, 3000, 500):
            model.add([(0, v, 1) for v in ORDERS[coming][begin : begin + 500]])
        for begin in range(0, 3000, 500):
            model.add([(0, v, -1) for v in ORDERS[going][begin : begin + 500]])
        assert model.values._head[kernels.KEYS] == 0
        assert model.values._head[kernels.USED] == model.values._head[kernels.FREE]
        assert model.values.bytes_held() < 1 << 20


def test_a_value_that_comes_back_revives_its_entry():
    model = Model(1, True)
    model.add([(0, v, 1) for v in range(200)])
    for _ in range(3):
        model.add([(0, 100, -1)])
        model.add([(0, 100, 1)])
    model.add([(0, v, -1) for v in range(150, 200)])
    model.add([(0, 150, 1)])
    assert int(model.records[0, SIZE]) >> 32 <= 200, "an entry twice in the heap"


def test_retractions_before_their_insertions_in_a_heap():
    model = Model(1, False)
    model.add([(0, v, 1) for v in range(100)])
    model.add([(0, -v, -1) for v in range(1, 40)])
    model.add([(0, v, -1) for v in range(100)])
    model.add([(0, -v, 2) for v in range(1, 40)])
    model.add([(0, -v, -1) for v in range(1, 40)])


def test_work_is_in_proportion_to_the_changes():
    """Each insertion the new extreme, then each retraction that of the extreme: no scan of the group. (If each change
    looked at the group, this would be 10^10 steps.)"""
    n, values, records = 200_000, Extremes(Physical.SIGNED, True, Heap()), np.zeros((1, kernels.WIDTH), np.uint64)
    up = np.arange(n, dtype=np.uint64).reshape(1, n)
    for words, diff in ((up, 1), (np.ascontiguousarray(up[:, ::-1]), -1)):
        values.add(words, 0, np.arange(n), np.full(n, diff), np.zeros(n, np.int32), records, 0, 1)
    assert records[0].tolist() == [0] * kernels.WIDTH
    assert values.bytes_held() < 100_000, "memory comes back"


def test_bytes_are_those_of_the_arrays():
    """Reported: the words ever used and the table; of 50 values a group at most 20 bytes each, of 1,000 at most 64."""
    for size, most in ((50, 20), (1000, 64)):
        groups = 100_000 // size
        values, records = Extremes(Physical.SIGNED, True, Heap()), np.zeros((groups, kernels.WIDTH), np.uint64)
        rng = np.random.default_rng(size)
        for _ in range(10):
            n = groups * size // 10
            words = rng.integers(0, 1 << 60, (1, n)).astype(np.uint64)
            gids = rng.permutation(np.repeat(np.arange(groups, dtype=np.int32), size // 10))
            values.add(words, 0, np.arange(n), np.ones(n, np.int64), gids, records, 0, groups)
        held = values._values.nbytes + values._counts.nbytes + values._table.nbytes
        assert values.bytes_held() <= held + values._free.nbytes
        assert values.bytes_held() <= most * groups * size


@pytest.mark.parametrize("n", [10, 300])
def test_a_sweep_keeps_every_value_held(n):
    """Those without a positive count too: they are still compared."""
    model = Model(1, True, TEXTS)
    model.add([(0, v, 1) for v in range(n)])
    model.add([(0, v, -2) for v in range(0, n, 3)])
    marks = Marks(int(model.codes.max()) + 1)
    model.values.mark(marks, model.records, 0, 1)
    assert np.flatnonzero(marks.marked).tolist() == sorted(model.codes[:n].tolist())


def test_counts_beyond_the_entry_are_refused():
    model = Model(1, True)
    model.add([(0, 1, kernels.COUNT_MAX)])
    with pytest.raises(LimitExceeded):
        model.add([(0, 1, 1)])
