"""The group table against a dict: ids are dense, found again, freed when empty and used again."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.collection.batch import Batch
from engine.collection.groups import CAPACITY_MIN, GroupTable

keys = st.tuples(st.integers(0, 1), st.integers(0, 30), st.integers(0, 2))
"""(whether the first column is NULL, first column, second column)"""


def batch_of(rows, diffs):
    words = np.zeros((3, len(rows)), np.uint64)
    for i, (null, a, b) in enumerate(rows):
        words[:, i] = (null, 0 if null else a, b)
    return Batch(words, np.array(diffs, np.int64), 2)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.tuples(keys, st.sampled_from([1, 1, -1])), min_size=1, max_size=40), max_size=8))
def test_counts_by_key(ticks):
    table, counts = GroupTable((1, 0), 2, 0), Counter()
    for tick in ticks:
        rows = [(null, 0 if null else a, b) for (null, a, b), _ in tick]
        gids, touched = table.assign(batch_of(rows, [diff for _, diff in tick]))
        for row, (_, diff) in zip(rows, tick, strict=True):
            counts[row] += diff
        assert sorted(set(gids.tolist())) == sorted(touched.tolist()), "each touched group once"
        for row, gid in zip(rows, gids.tolist(), strict=True):
            null, a, b = row
            assert table.records[gid].tolist()[:4] == [null << 1, b, a, counts[row] % (1 << 64)]
        table.settle(touched)
        assert len(table) == sum(n != 0 for n in counts.values())
        assert table.used <= 31 * 2 * 3, "ids of groups that went are used again"


def test_growth_and_removal():
    """Ten times the first capacity in, all but every third out, all found where they were."""
    n = 10 * CAPACITY_MIN
    rows = [(0, i, 0) for i in range(n)]
    table = GroupTable((0,), 2, 0)
    gids, touched = table.assign(batch_of(rows, [1] * n))
    assert gids.tolist() == list(range(n))
    table.settle(touched)
    gone = [row for i, row in enumerate(rows) if i % 3]
    _, touched = table.assign(batch_of(gone, [-1] * len(gone)))
    table.settle(touched)
    assert len(table) == len(rows[::3])
    again, touched = table.assign(batch_of(rows[::3], [1] * len(rows[::3])))
    assert again.tolist() == gids.tolist()[::3]


def test_the_empty_key_is_one_group():
    table = GroupTable((), 2, 0)
    gids, touched = table.assign(batch_of([(0, 1, 1), (0, 2, 2)], [1, 1]))
    assert gids.tolist() == [0, 0]
    assert touched.tolist() == [0]
