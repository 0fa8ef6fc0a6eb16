# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The ordered tree (engine/kernels/ordered.py) made anew: its entries and a large batch, sorted and packed."""

import numpy as np
from numba import njit

from engine.kernels.memory import prefetch
from engine.kernels.ordered import (
    BULK_FILL,
    ENTRIES,
    FREE,
    FREE_COUNT,
    LEVEL,
    META,
    NEXT,
    PARENT,
    PREVIOUS,
    ROOT,
    SIZE,
    STORE,
    TREE,
    USED,
    WEIGHT,
    compare_rows,
    entry_of,
    load_of,
    new_node,
    weight_of,
)


@njit(f"Tuple((int32[::1], int64[::1], int64[::1]))({TREE})", cache=True, nogil=True)
def read_tree(nodes, head):
    """All entries in order: (groups, prefixes, loads). O(n)."""
    n = head[ENTRIES]
    gids, prefixes, loads = np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n, np.int64)
    leaf = head[ROOT]
    while nodes[leaf, LEVEL] > 0:
        leaf = load_of(nodes[leaf, META])
    k = 0
    while leaf >= 0:
        for i in range(nodes[leaf, SIZE]):
            gids[k] = nodes[leaf, META + 2 * i] >> 32
            loads[k] = load_of(nodes[leaf, META + 2 * i])
            prefixes[k] = nodes[leaf, META + 2 * i + 1]
            k += 1
        leaf = nodes[leaf, NEXT]
    return gids, prefixes, loads


@njit(
    f"Tuple((int64[::1], int64[::1], int64[::1]))(int32[::1], int64[::1], int64[::1], int64, {STORE})",
    cache=True,
    nogil=True,
)
def sort_entries(gids, prefixes, loads, groups, store, spec, start, length, data):
    """(prefixes, loads, bounds): entries of group g, in order, are bounds[g] .. bounds[g + 1]. O(n log(group)).

    A counting sort by group, then a quicksort of each group.
    """
    n = len(gids)
    bounds = np.zeros(groups + 2, np.int64)
    for i in range(n):
        bounds[gids[i] + 2] += 1
    for g in range(groups):
        bounds[g + 2] += bounds[g + 1]
    p, x = np.empty(n, np.int64), np.empty(n, np.int64)
    for i in range(n):
        if i + 16 < n:
            prefetch(p, bounds[gids[i + 16] + 1])
            prefetch(x, bounds[gids[i + 16] + 1])
        to = bounds[gids[i] + 1]
        p[to] = prefixes[i]
        x[to] = loads[i]
        bounds[gids[i] + 1] = to + 1
    stack = np.empty((128, 2), np.int64)
    for g in range(groups):
        depth = 1
        stack[0, 0], stack[0, 1] = bounds[g], bounds[g + 1] - 1
        while depth > 0:
            depth -= 1
            low, high = stack[depth, 0], stack[depth, 1]
            while high - low > 20:
                middle = (low + high) >> 1
                # The median of three at the middle; equal entries are spread to both sides.
                for a, b in ((low, middle), (middle, high), (low, middle)):
                    order = 0 if p[a] == p[b] else (-1 if p[a] < p[b] else 1)
                    if order == 0:
                        order = compare_rows(store, spec, x[a], x[b], start, length, data)
                    if order > 0:
                        p[a], p[b] = p[b], p[a]
                        x[a], x[b] = x[b], x[a]
                pivot, pivot_x = p[middle], x[middle]
                i, j = low, high
                while i <= j:
                    while True:
                        order = 0 if p[i] == pivot else (-1 if p[i] < pivot else 1)
                        if order == 0:
                            order = compare_rows(store, spec, x[i], pivot_x, start, length, data)
                        if order >= 0:
                            break
                        i += 1
                    while True:
                        order = 0 if p[j] == pivot else (-1 if p[j] < pivot else 1)
                        if order == 0:
                            order = compare_rows(store, spec, x[j], pivot_x, start, length, data)
                        if order <= 0:
                            break
                        j -= 1
                    if i <= j:
                        p[i], p[j] = p[j], p[i]
                        x[i], x[j] = x[j], x[i]
                        i += 1
                        j -= 1
                # The larger side waits, so the stack stays below log2(n).
                if j - low > high - i:
                    stack[depth, 0], stack[depth, 1] = low, j
                    low = i
                else:
                    stack[depth, 0], stack[depth, 1] = i, high
                    high = j
                depth += 1
            for i in range(low + 1, high + 1):
                a, b = p[i], x[i]
                j = i - 1
                while j >= low:
                    order = 0 if p[j] == a else (-1 if p[j] < a else 1)
                    if order == 0:
                        order = compare_rows(store, spec, x[j], b, start, length, data)
                    if order <= 0:
                        break
                    p[j + 1] = p[j]
                    x[j + 1] = x[j]
                    j -= 1
                p[j + 1] = a
                x[j + 1] = b
    return p, x, bounds


@njit(
    f"int64(int64[::1], int64[::1], int64[::1], int32[::1], {TREE}, {STORE}, int32[::1], int64[::1], uint64[:, ::1],"
    "int64)",
    cache=True,
    nogil=True,
)
def build_tree(
    p, x, bounds, gone, nodes, head, store, spec, start, length, data, free_slots, slot_head, records, at,
):  # fmt: skip
    """Make the tree anew of sorted entries, equal ones added up. O(n).

    `nodes` has room for n / BULK_FILL leaves and the nodes above. records[group, at] takes the number of entries.
    gone[: result] are the slots of rows whose count is 0; slots of rows that are there twice go back to the stack.
    """
    last = store.shape[1] - 1
    head[ROOT], head[USED], head[FREE], head[FREE_COUNT], head[ENTRIES] = 0, 0, -1, 0, 0
    leaf = new_node(nodes, head, np.int64(0))
    went = 0
    for g in range(len(bounds) - 2):
        entries = 0
        i = bounds[g]
        while i < bounds[g + 1]:
            slot = x[i]
            count = np.int64(store[slot, last])
            j = i + 1
            while j < bounds[g + 1] and p[j] == p[i]:
                if compare_rows(store, spec, slot, x[j], start, length, data) != 0:
                    break
                count += np.int64(store[x[j], last])
                free_slots[slot_head[1]] = x[j]
                slot_head[1] += 1
                j += 1
            store[slot, last] = np.uint64(count)
            if count == 0:
                gone[went] = slot
                went += 1
            else:
                n = nodes[leaf, SIZE]
                if n == BULK_FILL:
                    after = new_node(nodes, head, np.int64(0))
                    nodes[leaf, NEXT] = after
                    nodes[after, PREVIOUS] = leaf
                    leaf = after
                    n = np.int64(0)
                nodes[leaf, META + 2 * n] = entry_of(g, slot)
                nodes[leaf, META + 2 * n + 1] = p[i]
                nodes[leaf, SIZE] = n + 1
                nodes[leaf, WEIGHT] += weight_of(store, head, slot)
                entries += 1
            i = j
        if bounds[g] < bounds[g + 1]:
            records[g, at] = np.uint64(entries)
            head[ENTRIES] += entries
    # Levels of inner nodes over the nodes first .. end.
    first, end, level = 0, head[USED], 0
    while end - first > 1:
        level += 1
        inner = np.int64(-1)
        for node in range(first, end):
            if inner < 0 or nodes[inner, SIZE] == BULK_FILL:
                inner = new_node(nodes, head, np.int64(level))
            n = nodes[inner, SIZE]
            nodes[inner, META + 2 * n] = entry_of(nodes[node, META] >> 32, node)
            nodes[inner, META + 2 * n + 1] = nodes[node, META + 1]
            nodes[inner, SIZE] = n + 1
            nodes[inner, WEIGHT] += nodes[node, WEIGHT]
            nodes[node, PARENT] = inner
        first, end = end, head[USED]
    head[ROOT] = first
    return went
