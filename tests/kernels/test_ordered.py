"""The ordered tree against sorted lists: its shape holds through splits, merges and bulk loads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection import ordered
from engine.collection.heap import Heap
from engine.collection.ordered import OrderedValues
from engine.errors import LimitExceeded
from engine.kernels import ordered as kernels
from engine.kernels import ordered_bulk
from engine.kernels.ordered import LEVEL, META, NEXT, PARENT, PREVIOUS, SIZE


def check(tree):
    """The shape of a tree; its entries as a list of (group, prefix, load)."""
    nodes, root = tree.nodes.tolist(), int(tree.head[kernels.ROOT])
    leaves = []

    def least_of(node):
        size, level = nodes[node][SIZE], nodes[node][LEVEL]
        assert size > 0 or node == root
        keys = [(nodes[node][META + 2 * i] >> 32, nodes[node][META + 2 * i + 1]) for i in range(size)]
        assert keys == sorted(keys)
        if level == 0:
            leaves.append(node)
        for i in range(size if level else 0):
            child = nodes[node][META + 2 * i] & 0xFFFFFFFF
            assert nodes[child][LEVEL] == level - 1
            assert nodes[child][PARENT] == node
            assert least_of(child) == keys[i]
        return keys[0] if keys else None

    least_of(root)
    assert [nodes[leaf][NEXT] for leaf in leaves] == [*leaves[1:], -1]
    assert [nodes[leaf][PREVIOUS] for leaf in leaves] == [-1, *leaves[:-1]]
    used = [node for node in range(int(tree.head[kernels.USED]))]
    inner = len(used) - len(leaves) - int(tree.head[kernels.FREE_COUNT])
    assert inner >= 0
    gids, prefixes, loads = ordered_bulk.read_tree(tree.nodes, tree.head)
    return list(zip(gids.tolist(), prefixes.tolist(), loads.tolist(), strict=True))


def add(values, records, changes):
    """Feed (group, value, diff) changes."""
    words = np.array([[v for _, v, _ in changes]], np.int64).view(np.uint64)
    gids = np.array([g for g, _, _ in changes], np.int32)
    diffs = np.array([d for _, _, d in changes], np.int64)
    values.add(words, 0, np.arange(len(changes)), diffs, gids, records, 0)


def expect(records, counts, groups, largest):
    for g in range(groups):
        mine = {v: n for (group, v), n in counts.items() if group == g and n}
        some = [v for v, n in mine.items() if n > 0]
        value = (max(some) if largest else min(some)) if some else 0
        assert records[g].view(np.int64).tolist() == [len(mine), bool(some), value]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 30), st.booleans(), st.sampled_from([1, 3, 50]), st.sampled_from([30, 2000]))
def test_random_histories(seed, largest, groups, span):
    rng = np.random.default_rng(seed)
    values = OrderedValues(types.BIGINT, True, largest, Heap())
    records, counts = np.zeros((groups, 3), np.uint64), {}
    for tick in range(8):
        grows = tick < 4
        changes = []
        for _ in range(int(rng.integers(1, 400))):
            at, diff = (int(rng.integers(groups)), int(rng.integers(-span, span))), int(rng.integers(-1, 3)) or 1
            if not grows and counts:
                at = list(counts)[rng.integers(len(counts))]
                diff = -counts[at]
            counts[at] = counts.get(at, 0) + diff
            changes.append((*at, diff))
            if counts[at] == 0:
                del counts[at]
        add(values, records, changes)
        entries = check(values._tree)
        assert {(g, p): n for g, p, n in entries} == counts
        expect(records, counts, groups, largest)


@pytest.mark.parametrize("rows", [ordered.BULK_MIN, 5 * ordered.BULK_MIN])
@pytest.mark.parametrize("groups", [1, 7, 3000])
def test_bulk_loads(rows, groups):
    """Sorted anew: into an empty tree, then beside what is there; a tree that goes on as any other."""
    rng = np.random.default_rng(rows + groups)
    values = OrderedValues(types.BIGINT, True, True, Heap())
    records, counts = np.zeros((groups, 3), np.uint64), {}
    for n in (rows, 300, rows + 400, 200):
        keys, numbers = rng.integers(0, groups, n).tolist(), rng.integers(-5000, 5000, n).tolist()
        changes = [(g, v, int(d)) for g, v, d in zip(keys, numbers, rng.choice([1, 1, 2, -1], n), strict=True)]
        for g, v, d in changes:
            counts[g, v] = counts.get((g, v), 0) + d
        add(values, records, changes)
        assert {(g, p): n for g, p, n in check(values._tree)} == {k: n for k, n in counts.items() if n}
        expect(records, counts, groups, True)


def test_all_gone_leaves_one_empty_leaf():
    values, records = OrderedValues(types.BIGINT, True, True, Heap()), np.zeros((1, 3), np.uint64)
    for order in (range(3000), range(2999, -1, -1), [i * 7 % 3000 for i in range(3000)]):
        add(values, records, [(0, v, 1) for v in range(3000)])
        add(values, records, [(0, v, -1) for v in order])
        assert check(values._tree) == []
        assert records[0].tolist() == [0, 0, 0]
    assert values._tree.head[kernels.USED] - values._tree.head[kernels.FREE_COUNT] == 1, "every other node is free"


def test_ascending_values_fill_their_leaves():
    values, records = OrderedValues(types.BIGINT, True, True, Heap()), np.zeros((1, 3), np.uint64)
    for v in range(0, 4000, 1000):
        add(values, records, [(0, v + i, 1) for i in range(1000)])
    leaves = 4000 / kernels.B
    assert int(values._tree.head[kernels.USED]) <= 1.2 * leaves


def test_counts_beyond_the_entry_are_refused():
    values, records = OrderedValues(types.BIGINT, True, True, Heap()), np.zeros((1, 3), np.uint64)
    add(values, records, [(0, 1, kernels.COUNT_MAX)])
    with pytest.raises(LimitExceeded):
        add(values, records, [(0, 1, 1)])
