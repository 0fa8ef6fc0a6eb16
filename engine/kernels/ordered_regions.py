# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Stretches of the ordered tree (engine/kernels/ordered.py) around entries that change: what a window looks at again.

A region is a run of entries of one group. It reaches so far beyond the changed entries that every row of its `zone`
has all that its value depends on inside of the region; rows outside of all zones keep their values.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.memory import doubled
from engine.kernels.ordered import META, ONE, STORE, TREE, compare_rows, leaf_of, load_of, position, step

CHANGED, VISITED = 1, 2
"""Marks of a slot: its row changes; its region has been walked."""


@njit(
    f"void(int32[::1], int64[::1], int32[::1], int64[::1], boolean, int64[::1], uint8[::1], int32[::1], int64[::1],"
    f"int64[::1], {TREE}, {STORE})",
    cache=True,
    nogil=True,
)
def locate_rows(
    gids, prefixes, slots, diffs, earliest, change, marks, found, leaves, places, nodes, head, store, spec, start,
    length, data,
):  # fmt: skip
    """Where the rows of `slots` are in the tree: slot found[k] (-1: nowhere) at entry places[k] of node leaves[k].

    change[slot] becomes its diff and marks[slot] CHANGED. `gids` are sorted; `earliest`: the first of each group is the
    one that stands first in its order. O(log n) a row.
    """
    rows = (store, spec, start, length, data)
    first = 0
    for k in range(len(gids)):
        g, p, slot = np.int64(gids[k]), prefixes[k], np.int64(slots[k])
        leaf = leaf_of(nodes, head, g, p, slot, rows)
        at, equal = position(nodes, leaf, np.int64(0), g, p, slot, rows)
        found[k], leaves[k], places[k] = -1, leaf, at
        if not equal:
            continue
        found[k] = load_of(nodes[leaf, META + 2 * at])
        change[found[k]] = diffs[k]
        marks[found[k]] = CHANGED
        if not earliest or k == 0:
            continue
        if gids[first] != gids[k]:
            first = k
        elif found[first] < 0 or compare_rows(store, spec, found[k], found[first], start, length, data) < 0:
            found[k], found[first] = found[first], found[k]
            leaves[k], leaves[first] = leaves[first], leaves[k]
            places[k], places[first] = places[first], places[k]


@register_jitable
def are_peers(store, spec, a, b, columns):
    """Whether two rows are equal in the first `columns` columns of their order."""
    for c in range(columns):
        bit = np.uint64(spec[c, 2])
        if ((store[a, spec[c, 1]] ^ store[b, spec[c, 1]]) >> bit) & ONE or store[a, spec[c, 0]] != store[b, spec[c, 0]]:
            return False
    return True


@njit(
    "Tuple((int32[::1], int64[:, ::1], int64[:, ::1], uint8[:, ::1]))(int32[::1], int32[::1], int64[::1], int64[::1],"
    "uint8[::1], int64[::1], uint8[::1], int64, int64, int64, boolean, int64[:, ::1], uint64[:, ::1], int64[:, ::1])",
    cache=True,
    nogil=True,
)
def walk_regions(
    gids, found, leaves, places, to_end, change, marks, back, ahead, peers, one, nodes, store, spec
):  # fmt: skip
    """The regions around the entries that `locate_rows` found: (slots, counts, regions, inside).

    A row depends on `back` rows before it and `ahead` after it; with `peers` >= 0 those are groups of peers, rows equal
    in so many columns of the order. `one`: each group is one region from its earliest change to behind its last; if
    that does not begin with the group, the entry before it comes first, once, to stand for all that is before; and
    where to_end[k], row k's region goes on to the end of the group.

    counts int64[2, entries]: multiplicities before and after the change. regions int64[5, r]: begin and end of the
    region, begin and end of its zone, the entry behind its last change. inside uint8[2, r]: whether the group goes on
    before and behind the region. The store counts what is added already, not yet what is taken away. O(entries +
    changes).
    """
    n = len(gids)
    slots, befores, afters = np.empty(64, np.int32), np.empty(64, np.int64), np.empty(64, np.int64)
    regions, inside = np.empty((5, n), np.int64), np.zeros((2, n), np.uint8)
    last_word = store.shape[1] - 1
    far = back + ahead
    used, r, run = 0, 0, 0
    for k in range(n):
        if gids[k] != gids[run]:
            run = k
        if found[k] < 0 or marks[found[k]] != CHANGED:
            continue
        g = np.int64(gids[k])
        left = 0
        if one:
            j = run
            while j < n and gids[j] == g:
                left += found[j] >= 0
                j += 1
        # Back from the change to where the region begins.
        leaf, i = leaves[k], places[k]
        zone = beside = np.int64(found[k])
        passed = 0
        while True:
            before, at = step(nodes, leaf, i, -1)
            if before < 0 or nodes[before, META + 2 * at] >> 32 != g:
                break
            slot = load_of(nodes[before, META + 2 * at])
            if peers < 0:
                apart = passed
            else:
                apart = passed + (not are_peers(store, spec, slot, beside, peers))
            if apart > far or (peers < 0 and apart == far):
                inside[0, r] = 1
                break
            if marks[slot] != 0:
                passed, zone = 0, slot
            else:
                passed = apart
                if apart < ahead or (peers >= 0 and apart == ahead):
                    zone = slot
                if peers < 0:
                    passed += max(np.int64(store[slot, last_word]), 0)
            leaf, i, beside = before, at, slot
        representative = one and inside[0, r] == 1
        if representative:
            leaf, i = before, at
        # On from there to where it ends; what runs is compared at an entry that stays.
        behind = max(far, 1) if one else far
        regions[0, r] = regions[2, r] = regions[3, r] = regions[4, r] = used
        seen, passed = False, 0
        while leaf >= 0 and nodes[leaf, META + 2 * i] >> 32 == g:
            slot = load_of(nodes[leaf, META + 2 * i])
            reached = seen and left <= 0 and to_end[k] == 0
            if reached:
                if peers < 0:
                    apart = passed
                else:
                    apart = passed + (not are_peers(store, spec, slot, beside, peers))
                if apart > behind or (peers < 0 and apart == behind):
                    inside[1, r] = 1
                    break
                passed = apart
                if apart < back or (peers >= 0 and apart == back):
                    regions[3, r] = used + 1
                if peers < 0:
                    passed += max(np.int64(store[slot, last_word]), 0)
            elif seen:
                regions[3, r] = used + 1
            if marks[slot] != 0:
                marks[slot] = VISITED
                seen, passed = True, 0
                left -= 1
                regions[3, r] = regions[4, r] = used + 1
            if slot == zone:
                regions[2, r] = used
            if used == len(slots):
                slots, befores, afters = doubled(slots), doubled(befores), doubled(afters)
            count, diff = np.int64(store[slot, last_word]), change[slot]
            slots[used] = slot
            befores[used] = max(count - max(diff, 0), 0)
            afters[used] = max(count + min(diff, 0), 0)
            if representative and used == regions[0, r]:
                befores[used] = afters[used] = 1
            used += 1
            beside = slot
            leaf, i = step(nodes, leaf, i, 1)
        regions[1, r] = used
        if one and inside[1, r] == 0:
            regions[3, r] = used
        r += 1
    counts = np.empty((2, used), np.int64)
    counts[0], counts[1] = befores[:used], afters[:used]
    return slots[:used].copy(), counts, regions[:, :r].copy(), inside[:, :r].copy()
