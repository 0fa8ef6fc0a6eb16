# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Changes of the ordered tree (engine/kernels/ordered.py) row by row, and reads of it group by group.

The kernels that change the tree are compiled without reference counting (_nrt=False), which costs more than the work
itself where arrays go from function to function; so they allocate nothing: scratch int64[4, BLOCK] comes from the
caller.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.memory import doubled
from engine.kernels.ordered import (
    BLOCK,
    META,
    NEXT,
    ONE,
    SIZE,
    STORE,
    TREE,
    WEIGHED,
    change_entry,
    compare_rows,
    descend_block,
    enough_nodes,
    first_entry,
    load_of,
    row_prefix,
    step,
)
from engine.kernels.ordered_ranks import entry_behind, weight_before

CUT, WHOLE, COUNTED = range(3)


@njit(
    f"int64(int32[::1], int64[::1], int32[::1], int64[::1], int64, int32[::1], {TREE}, {STORE}, int32[::1], int64[::1],"
    "uint64[:, ::1], int64, int64[:, ::1])",
    cache=True,
    nogil=True,
    _nrt=False,  # pyright: ignore[reportCallIssue]
)
def update_rows(
    gids, prefixes, slots, diffs, begin, gone, nodes, head, store, spec, start, length, data, free_slots, slot_head,
    records, at, scratch,
):  # fmt: skip
    """Add rows, each in its own slot of the store, to the tree; from row `begin` on. O(log n) a row.

    A slot whose row was there already goes back to the stack; gone[i] is the slot of a row whose count became 0, else
    -1: the caller gives it back when nobody reads it any more. records[group, at] counts the entries of the group.
    Returns the rows done: less than all when the tree needs more nodes.
    """
    rows = (store, spec, start, length, data)
    n = len(diffs)
    for first in range(begin, n, BLOCK):
        size = min(BLOCK, n - first)
        for i in range(size):
            scratch[0, i], scratch[1, i], scratch[2, i] = gids[first + i], prefixes[first + i], slots[first + i]
        descend_block(nodes, head, size, scratch, rows)
        certain = True
        for i in range(size):
            k = first + i
            if not enough_nodes(nodes, head):
                return k
            count, added, found, changed = change_entry(nodes, head, i, certain, diffs[k], scratch, rows)
            certain = certain and not changed
            records[gids[k], at] += np.uint64(added)
            gone[k] = found if count == 0 else -1
            if found != slots[k]:
                free_slots[slot_head[1]] = slots[k]
                slot_head[1] += 1
    return n


@register_jitable
def take_on(nodes, store, g, leaf, i, slots, takes, used):
    """Put the rows of a group behind the `used` ones, as far as there is room, which there is: (leaf and number of the
    next entry, how many there are). A loop that may also make room costs ten times as much."""
    last_word = store.shape[1] - 1
    while used < len(slots) and leaf >= 0 and nodes[leaf, META + 2 * i] >> 32 == g:
        slot = load_of(nodes[leaf, META + 2 * i])
        count = np.int64(store[slot, last_word])
        if count > 0:
            slots[used] = slot
            takes[used] = count
            used += 1
        i += 1
        if i >= nodes[leaf, SIZE]:
            leaf, i = nodes[leaf, NEXT], np.int64(0)
    return leaf, i, used


@njit(
    f"Tuple((int32[::1], int64[::1], int64[::1]))(int32[::1], int64, int64, int64, int64, {TREE}, {STORE})",
    cache=True,
    nogil=True,
)
def walk_groups(gids, offset, limit, ties, peers, nodes, head, store, spec, start, length, data):
    """Of each group the rows from `offset` on, at most `limit` (negative: all), in order: (slots, how often, bounds).

    Rows of group i are bounds[i] .. bounds[i + 1]. Multiplicities count as that many rows, those below 1 as none.
    Rows that the first `peers` columns of the order do not tell apart are peers. `ties`: the last ones are CUT where
    the limit falls, or given WHOLE beyond it, or COUNTED as one. O(log n + rows walked) a group: of rows that are
    CUT and have no weights of their own those before the offset are none.
    """
    n = len(gids)
    by = spec[:peers]
    bounds = np.zeros(n + 1, np.int64)
    slots, takes = np.empty(64, np.int32), np.empty(64, np.int64)
    used = 0
    for k in range(n):
        g = np.int64(gids[k])
        leaf, i = first_entry(nodes, head, g)
        skip, left = offset, limit
        if offset > BLOCK and ties == CUT and not head[WEIGHED]:
            leaf, i, skip = entry_behind(nodes, head, store, weight_before(nodes, head, store, leaf, i) + offset)
        last = np.int64(-1)
        while skip == 0 and left < 0 and ties == CUT and leaf >= 0 and nodes[leaf, META + 2 * i] >> 32 == g:
            leaf, i, used = take_on(nodes, store, g, leaf, i, slots, takes, used)
            if used == len(slots):
                slots, takes = doubled(slots), doubled(takes)
        while leaf >= 0 and nodes[leaf, META + 2 * i] >> 32 == g and (left != 0 or ties != CUT):
            slot = load_of(nodes[leaf, META + 2 * i])
            count = np.int64(store[slot, store.shape[1] - 1])
            if count > 0:
                skipped = min(skip, count)
                skip -= skipped
                count -= skipped
                if ties != CUT and count > 0:
                    peer = last >= 0 and compare_rows(store, by, last, slot, start, length, data) == 0
                    if left == 0 and not peer:
                        break
                    last = slot
                    if ties == WHOLE:
                        left -= min(left, count)
                    elif not peer:
                        left -= 1
                elif left >= 0:
                    count = min(count, left)
                    left -= count
                if count > 0:
                    if used == len(slots):
                        slots, takes = doubled(slots), doubled(takes)
                    slots[used] = slot
                    takes[used] = count
                    used += 1
            leaf, i = step(nodes, leaf, i, 1)
        bounds[k + 1] = used
    return slots[:used].copy(), takes[:used].copy(), bounds


@njit(
    f"int64(uint64[:, ::1], int64[::1], int64, int32[::1], int64[::1], {STORE}, int32[::1], int64[::1])",
    cache=True,
    nogil=True,
    _nrt=False,  # pyright: ignore[reportCallIssue]
)
def store_rows(words, picked, nulls, slots, prefixes, store, spec, start, length, data, free_slots, slot_head):
    """Put the columns `picked` of rows into free slots of the store, of which there must be as many; O(rows).

    Row i gets slots[i] and the order prefix prefixes[i]. A store row is its null words, then the columns, then 0.
    """
    n = words.shape[1]
    k = len(picked)
    leading = (k + 63) >> 6
    for i in range(n):
        if slot_head[1] > 0:
            slot_head[1] -= 1
            slot = np.int64(free_slots[slot_head[1]])
        else:
            slot = slot_head[0]
            slot_head[0] += 1
        slots[i] = slot
        for w in range(store.shape[1]):
            store[slot, w] = np.uint64(0)
        for c in range(k):
            column = picked[c]
            store[slot, leading + c] = words[nulls + column, i]
            null = (words[column >> 6, i] >> np.uint64(column & 63)) & ONE
            store[slot, c >> 6] |= null << np.uint64(c & 63)
        prefixes[i] = row_prefix(store, spec, slot, start, length, data)
    return n
