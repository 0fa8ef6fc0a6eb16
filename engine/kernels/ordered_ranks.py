# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Places in the ordered tree (engine/kernels/ordered.py) by what rows weigh: how much is before a row, and which row is
behind so much. By multiplicity that is the n-th row of a group, by the bytes of its datum where it stands in a text.

Each is O(B log n): the nodes beside the path to a row tell what is below them.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.ordered import (
    LEVEL,
    META,
    PARENT,
    ROOT,
    STORE,
    TREE,
    WEIGHT,
    first_entry,
    leaf_of,
    load_of,
    position,
    weight_of,
)


@register_jitable
def weight_before(nodes, head, store, leaf, i):
    """What all entries before entry i of a leaf weigh, of all groups; leaf -1 is the end."""
    if leaf < 0:
        return nodes[head[ROOT], WEIGHT]
    before = np.int64(0)
    for j in range(i):
        before += weight_of(store, head, load_of(nodes[leaf, META + 2 * j]))
    node = leaf
    while node != head[ROOT]:
        parent = nodes[node, PARENT]
        j = 0
        while load_of(nodes[parent, META + 2 * j]) != node:
            before += nodes[load_of(nodes[parent, META + 2 * j]), WEIGHT]
            j += 1
        node = parent
    return before


@register_jitable
def weight_before_group(nodes, head, store, g):
    """What all groups before g weigh."""
    leaf, i = first_entry(nodes, head, g)
    return weight_before(nodes, head, store, leaf, i)


@register_jitable
def entry_behind(nodes, head, store, before):
    """The entry that begins after so much or has it in its middle: (leaf, number, how much of it is before); leaf -1
    if there is none."""
    node = head[ROOT]
    if before >= nodes[node, WEIGHT]:
        return np.int64(-1), np.int64(0), np.int64(0)
    left = before
    while nodes[node, LEVEL] > 0:
        j = 0
        child = load_of(nodes[node, META])
        while left >= nodes[child, WEIGHT]:
            left -= nodes[child, WEIGHT]
            j += 1
            child = load_of(nodes[node, META + 2 * j])
        node = child
    i = np.int64(0)
    weight = weight_of(store, head, load_of(nodes[node, META]))
    while left >= weight:
        left -= weight
        i += 1
        weight = weight_of(store, head, load_of(nodes[node, META + 2 * i]))
    return node, i, left


@njit(f"int64[::1](int32[::1], {TREE}, uint64[:, ::1])", cache=True, nogil=True)
def weigh_groups(gids, nodes, head, store):
    """What all rows of each group weigh."""
    out = np.empty(len(gids), np.int64)
    for k in range(len(gids)):
        g = np.int64(gids[k])
        before = weight_before_group(nodes, head, store, g)
        out[k] = weight_before_group(nodes, head, store, g + 1) - before
    return out


@njit(f"int32[::1](int32[::1], int64[::1], {TREE}, uint64[:, ::1])", cache=True, nogil=True)
def rows_behind(gids, before, nodes, head, store):
    """The slot of the row of group gids[k] that has before[k] of it before itself; there is such a row."""
    out = np.empty(len(gids), np.int32)
    for k in range(len(gids)):
        first = weight_before_group(nodes, head, store, np.int64(gids[k]))
        leaf, i, _ = entry_behind(nodes, head, store, first + before[k])
        out[k] = load_of(nodes[leaf, META + 2 * i])
    return out


@njit(
    f"Tuple((int64[:, ::1], int32[::1]))(int32[::1], int64[::1], int32[::1], {TREE}, {STORE})", cache=True, nogil=True
)
def place_rows(gids, prefixes, slots, nodes, head, store, spec, start, length, data):
    """Where rows stand among those of their groups, or would: (places, found).

    places[0, k] is what is before row k, places[1, k] what the entry of that content weighs, places[2, k] how many
    rows it stands for; found[k] is its slot, -1 if there is none.
    """
    rows = (store, spec, start, length, data)
    n = len(gids)
    places, found = np.zeros((3, n), np.int64), np.full(n, np.int32(-1))
    before, last = np.int64(0), np.int64(-1)
    for k in range(n):
        g = np.int64(gids[k])
        if g != last:
            before, last = weight_before_group(nodes, head, store, g), g
        p, slot = prefixes[k], np.int64(slots[k])
        leaf = leaf_of(nodes, head, g, p, slot, rows)
        at, equal = position(nodes, leaf, np.int64(0), g, p, slot, rows)
        places[0, k] = weight_before(nodes, head, store, leaf, at) - before
        if equal:
            found[k] = load_of(nodes[leaf, META + 2 * at])
            places[1, k] = weight_of(store, head, found[k])
            places[2, k] = max(np.int64(store[found[k], store.shape[1] - 1]), 0)
    return places, found
