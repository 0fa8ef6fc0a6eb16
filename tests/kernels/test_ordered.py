"""The ordered tree against sorted lists: its shape holds through splits, merges and bulk loads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection import ordered
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.ordered import OrderedRows
from engine.kernels import ordered as kernels
from engine.kernels import ordered_bulk
from engine.kernels.ordered import LEVEL, META, NEXT, PARENT, PREVIOUS, SIZE, WEIGHT


def check(rows):
    """The shape of a tree; its entries as a list of (group, prefix, slot)."""
    tree = rows._tree
    nodes, root = tree.nodes.tolist(), int(tree.head[kernels.ROOT])
    leaves = []

    def weight(slot):
        count = max(int(rows.store.words[slot, -1].view(np.int64)), 0)
        return count * int(rows.store.words[slot, -2]) if tree.head[kernels.WEIGHED] else count

    def least_of(node):
        size, level = nodes[node][SIZE], nodes[node][LEVEL]
        assert size > 0 or node == root
        keys = [(nodes[node][META + 2 * i] >> 32, nodes[node][META + 2 * i + 1]) for i in range(size)]
        assert keys == sorted(keys)
        if level == 0:
            leaves.append(node)
        below = [nodes[node][META + 2 * i] & 0xFFFFFFFF for i in range(size)]
        weights = [nodes[child][WEIGHT] for child in below] if level else list(map(weight, below))
        assert nodes[node][WEIGHT] == sum(weights)
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


def rows_of(heap):
    return OrderedRows([0], [types.BIGINT], [(0, False, False)], heap)


def add(rows, records, changes):
    """Feed (group, value, diff) changes."""
    words = np.array([[0] * len(changes), [v for _, v, _ in changes]], np.int64).view(np.uint64)
    diffs = np.array([d for _, _, d in changes], np.int64)
    rows.add(Batch(words, diffs, 1), None, np.array([g for g, _, _ in changes], np.int32), records, 0)
    rows.settle()


def expect(rows, records, counts):
    """The tree holds `counts`, a dict from (group, value), in order, and the records say how many each group has."""
    slots = rows.store.words
    entries = [(g, p, int(slots[slot, -1].view(np.int64))) for g, p, slot in check(rows)]
    assert entries == sorted((g, v, n) for (g, v), n in counts.items() if n)
    held = [0] * len(records)
    for g, _, _ in entries:
        held[g] += 1
    assert records[:, 0].tolist() == held


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from([1, 3, 50]), st.sampled_from([30, 2000]))
def test_random_histories(seed, groups, span):
    rng = np.random.default_rng(seed)
    rows = rows_of(Heap())
    records, counts = np.zeros((groups, 1), np.uint64), {}
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
        add(rows, records, changes)
        expect(rows, records, counts)


@pytest.mark.parametrize("n", [ordered.BULK_MIN, 5 * ordered.BULK_MIN])
@pytest.mark.parametrize("groups", [1, 7, 3000])
def test_bulk_loads(n, groups):
    """Sorted anew: into an empty tree, then beside what is there; a tree that goes on as any other."""
    rng = np.random.default_rng(n + groups)
    rows = rows_of(Heap())
    records, counts = np.zeros((groups, 1), np.uint64), {}
    for size in (n, 300, n + 400, 200):
        keys, numbers = rng.integers(0, groups, size).tolist(), rng.integers(-5000, 5000, size).tolist()
        changes = [(g, v, int(d)) for g, v, d in zip(keys, numbers, rng.choice([1, 1, 2, -1], size), strict=True)]
        for g, v, d in changes:
            counts[g, v] = counts.get((g, v), 0) + d
        add(rows, records, changes)
        expect(rows, records, counts)


def test_all_gone_leaves_one_empty_leaf():
    rows, records = rows_of(Heap()), np.zeros((1, 1), np.uint64)
    for order in (range(3000), range(2999, -1, -1), [i * 7 % 3000 for i in range(3000)]):
        add(rows, records, [(0, v, 1) for v in range(3000)])
        add(rows, records, [(0, v, -1) for v in order])
        assert check(rows) == []
        assert records[0].tolist() == [0]
    assert rows._tree.head[kernels.USED] - rows._tree.head[kernels.FREE_COUNT] == 1, "every other node is free"


def test_ascending_values_fill_their_leaves():
    rows, records = rows_of(Heap()), np.zeros((1, 1), np.uint64)
    for v in range(0, 4000, 1000):
        add(rows, records, [(0, v + i, 1) for i in range(1000)])
    leaves = 4000 / kernels.B
    assert int(rows._tree.head[kernels.USED]) <= 1.2 * leaves


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 30), st.booleans())
def test_places_by_weight_are_those_in_a_list(seed, weighed):
    """What is before a row, what a group weighs, which row is behind so much: by counts and by weights of their own."""
    rng = np.random.default_rng(seed)
    rows = OrderedRows([0], [types.BIGINT], [(0, True, False)], Heap(), weighed)
    records, counts = np.zeros((3, 1), np.uint64), {}
    for size in (5, 40, 2000, 300):
        gids, values = rng.integers(0, 3, size).astype(np.int32), rng.integers(-400, 400, size)
        diffs = rng.choice([1, 1, 2, -1], size)
        weights = values % 5 if weighed else None
        words = np.stack([np.zeros(size, np.int64), values]).view(np.uint64)
        coming = rows.coming(words, diffs, gids, weights)
        (rows.load if size == 2000 else rows.enter)(coming, records, 0)
        rows.settle()
        for g, v, d in zip(gids.tolist(), values.tolist(), diffs.tolist(), strict=True):
            counts[g, v] = counts.get((g, v), 0) + d
        check(rows)
    held = [
        [(v, max(counts.get((g, v), 0), 0), v % 5 if weighed else 1) for v in range(399, -401, -1)] for g in range(3)
    ]
    assert rows.weights(np.arange(3, dtype=np.int32)).tolist() == [sum(n * w for _, n, w in of) for of in held]
    words = np.array([[0, 0], [7, -7]], np.int64).view(np.uint64)
    asked = rows.coming(words, np.ones(2, np.int64), np.array([1, 2], np.int32))
    places, _ = rows.places(asked)
    for k, (g, v) in enumerate(((1, 7), (2, -7))):
        ((n, w),) = [(n, w) for u, n, w in held[g] if u == v]
        assert places[:, k].tolist() == [sum(n * w for u, n, w in held[g] if u > v), n * w, n]
    for g in range(3):
        spread = [v for v, n, w in held[g] for _ in range(n * w)]
        at = rng.integers(0, len(spread), 20)
        slots = rows.at(np.full(20, g, np.int32), at)
        assert rows.store.words[slots, 1].view(np.int64).tolist() == [spread[i] for i in at]
        if not weighed:
            slots, takes, _ = rows.walk(np.array([g], np.int32), 100, 30)
            assert np.repeat(rows.store.words[slots, 1].view(np.int64), takes).tolist() == spread[100:130]
