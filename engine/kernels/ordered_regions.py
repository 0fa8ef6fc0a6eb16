# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Stretches of the ordered tree (engine/kernels/ordered.py) around entries that change: what a window looks at again.

A region is a run of entries of one group. It reaches so far beyond the changed entries that every row of its `zone`
has all that its value depends on inside of the region; rows outside of all zones keep their values.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.compare import compare
from engine.kernels.memory import doubled
from engine.kernels.ordered import META, NEXT, ONE, SIZE, STORE, TREE, compare_rows, leaf_of, load_of, position, step

CHANGED, VISITED = 1, 2
"""Marks of a slot: its row changes; its region has been walked."""
RUNS_ON, RUNS_BACK = 1, 2


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


@register_jitable
def is_null(store, slot, word, bit):
    """Whether a column of a row is NULL."""
    return (store[slot, word] >> np.uint64(bit)) & ONE == ONE


@register_jitable
def frames_meet(store, spans, ahead, holder, other, heap):
    """Whether the frame of row `holder` reaches row `other`, before it or, with `ahead`, behind it: by the value of one
    of its bounds of that side. O(spans)."""
    start, length, data = heap
    for s in range(len(spans)):
        if spans[s, 6] != ahead:
            continue
        no_key, no_bound = (
            is_null(store, other, spans[s, 1], spans[s, 2]),
            is_null(store, holder, spans[s, 4], spans[s, 5]),
        )
        if no_key and no_bound:
            return True
        if no_key or no_bound:
            key_first = no_key == (spans[s, 9] == 1)
        else:
            way = compare(spans[s, 7], store[other, spans[s, 0]], store[holder, spans[s, 3]], start, length, data)
            if way == 0:
                return True
            key_first = (way < 0) != (spans[s, 8] == 1)
        if key_first == (ahead == 1):
            return True
    return False


@register_jitable
def within_skips(skips, side, counts):
    """Whether one of the columns has not been met with a value as often as it is looked for."""
    for s in range(len(skips)):
        if counts[s] < skips[s, side]:
            return True
    return False


@register_jitable
def count_skips(store, skips, slot, copies, counts):
    """Count the columns in which a row has a value."""
    for s in range(len(skips)):
        if not is_null(store, slot, skips[s, 0], skips[s, 1]):
            counts[s] += copies


@register_jitable
def walk_on(nodes, store, g, leaf, i, most, slots, befores, afters, used):
    """Put up to `most` entries of a group, but not its last one, behind the `used` ones, as far as there is room:
    (leaf and number of the next entry, how many there are)."""
    last_word = store.shape[1] - 1
    end = min(used + most, len(slots))
    while used < end:
        after, at = leaf, i + 1
        if at >= nodes[leaf, SIZE]:
            after, at = nodes[leaf, NEXT], np.int64(0)
        if after < 0 or nodes[after, META + 2 * at] >> 32 != g:
            break
        slot = load_of(nodes[leaf, META + 2 * i])
        slots[used] = slot
        befores[used] = afters[used] = max(np.int64(store[slot, last_word]), 0)
        used += 1
        leaf, i = after, at
    return leaf, i, used


@njit(
    "Tuple((int32[::1], int64[:, ::1], int64[:, ::1], uint8[:, ::1]))(int32[::1], int32[::1], int64[::1], int64[::1],"
    "int64[:, ::1], int64[::1], uint8[::1], int64, int64, int64, int64[:, ::1], int64[:, ::1], int64, int64[:, ::1],"
    f"{STORE})",
    cache=True,
    nogil=True,
)
def walk_regions(
    gids, found, leaves, places, stretch, change, marks, back, ahead, peers, spans, skips, runs, nodes, store, spec,
    start, length, data,
):  # fmt: skip
    """The regions around the entries that `locate_rows` found: (slots, counts, regions, inside).

    What a row depends on, whichever is farthest: `back` rows before it and `ahead` after it, with `peers` >= 0 so many
    groups of peers (rows equal in so many columns of the order); rows up to a bound that it carries itself, spans
    int64[s, 10]: word, null word and null bit of the key, the same of the bound, whether the bound is ahead, physical,
    descending, nulls first; rows up to the so manieth that is not NULL in a column, skips int64[s, 4]: null word, null
    bit, back, ahead. Along the order none of these may turn back: who stands behind does not look farther back.

    `runs`: something runs through the rows, RUNS_ON from the beginning of a group, RUNS_BACK from its end, or both.
    Then each group is one region, from its earliest change to its last. What runs on may be another for stretch[1, k]
    entries more (k: the group's first change), what runs back for stretch[0, k] entries before. If there are entries
    before the region, the last of them comes first, once, to stand for all, where something runs on; so does the first
    one behind it at its end where something runs back.

    counts int64[2, entries]: multiplicities before and after the change. regions int64[7, r]: begin and end of the
    region, begin and end of its zone, the entry behind its last change and the stretch, that before the earliest one
    and the stretch, k. inside uint8[2, r]: whether the group goes on before and behind the region. The store counts
    what is added already, not yet what is taken away.
    O(entries + changes).
    """
    n = len(gids)
    heap = (start, length, data)
    slots, befores, afters = np.empty(64, np.int32), np.empty(64, np.int64), np.empty(64, np.int64)
    regions, inside = np.empty((7, n), np.int64), np.zeros((2, n), np.uint8)
    one, runs_on, runs_back = runs != 0, runs & RUNS_ON != 0, runs & RUNS_BACK != 0
    near_skips, far_skips = np.zeros(len(skips), np.int64), np.zeros(len(skips), np.int64)
    last_word = store.shape[1] - 1
    by_peers = peers >= 0
    # Rows before which fewer than so many stand are within; of groups of peers the last one counts itself.
    back_within, ahead_within = back + by_peers, ahead + by_peers
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
        # Back from the change to where its zone, then its region begins. `near` is what lies between a row and the
        # change, `far` between it and the zone.
        leaf, i = leaves[k], places[k]
        zone = changed = beside = np.int64(found[k])
        near, far = 0, 0
        near_skips[:], far_skips[:] = 0, 0
        compared, stretched = np.int64(-1), 0
        while True:
            before, at = step(nodes, leaf, i, -1)
            if before < 0 or nodes[before, META + 2 * at] >> 32 != g:
                break
            slot = load_of(nodes[before, META + 2 * at])
            copies = max(np.int64(store[slot, last_word]), 0)
            if by_peers:
                apart = not are_peers(store, spec, slot, beside, peers)
                near, far, copies_apart = near + apart, far + apart, 0
            else:
                copies_apart = copies
            # What runs is compared at the first entry that stays; a frame that by value begins behind it begins where
            # what runs is another.
            fresh = runs_back and compared < 0
            if fresh:
                changed = slot
            stretching = runs_back and stretched < stretch[0, k]
            depends = (
                stretching
                or near < ahead_within
                or within_skips(skips, 3, near_skips)
                or frames_meet(store, spans, 1, slot, changed, heap)
            )
            if not (
                depends
                or far < back_within
                or within_skips(skips, 2, far_skips)
                or frames_meet(store, spans, 0, zone, slot, heap)
                or fresh
            ):
                inside[0, r] = 1
                break
            if marks[slot] != 0 or stretching:
                stretched += 1
                zone = changed = slot
                near, far = 0, 0
                near_skips[:], far_skips[:] = 0, 0
            else:
                if fresh:
                    compared = slot
                near += copies_apart
                count_skips(store, skips, slot, copies, near_skips)
                if depends:
                    zone, far = slot, 0
                    far_skips[:] = 0
                else:
                    far += copies_apart
                    count_skips(store, skips, slot, copies, far_skips)
            leaf, i, beside = before, at, slot
        representative = runs_on and inside[0, r] == 1
        if representative:
            leaf, i = before, at
        # On from there to where it ends; what runs is compared at an entry that stays.
        regions[0, r] = regions[2, r] = regions[3, r] = regions[4, r] = used
        regions[5, r], regions[6, r] = -1, k
        seen, stretched, last = False, 0, zone
        while leaf >= 0 and nodes[leaf, META + 2 * i] >> 32 == g:
            if runs_on and seen and left <= 0 and stretched < stretch[1, k]:
                # All that changes is behind; the last entry of a stretch is one of those that are looked at.
                while True:
                    held = used
                    leaf, i, used = walk_on(
                        nodes, store, g, leaf, i, stretch[1, k] - stretched - 1, slots, befores, afters, used
                    )
                    stretched += used - held
                    if used < len(slots):
                        break
                    slots, befores, afters = doubled(slots), doubled(befores), doubled(afters)
                beside = changed = last = np.int64(slots[used - 1])
            slot = load_of(nodes[leaf, META + 2 * i])
            copies = max(np.int64(store[slot, last_word]), 0)
            copies_apart = 0 if by_peers else copies
            depends, stretching = seen, False
            behind = runs_on and seen and left <= 0 and used == regions[4, r]
            if behind:
                changed = slot
            if seen and left <= 0:
                if by_peers:
                    apart = not are_peers(store, spec, slot, beside, peers)
                    near, far = near + apart, far + apart
                stretching = runs_on and stretched < stretch[1, k]
                depends = (
                    stretching
                    or near < back_within
                    or within_skips(skips, 2, near_skips)
                    or frames_meet(store, spans, 0, slot, changed, heap)
                )
                if not (
                    depends
                    or far < ahead_within
                    or within_skips(skips, 3, far_skips)
                    or frames_meet(store, spans, 1, last, slot, heap)
                    or behind
                ):
                    inside[1, r] = 1
                    break
            if marks[slot] != 0:
                marks[slot] = VISITED
                seen, stretching, stretched = True, True, -1
                left -= 1
            if stretching:  # what runs is another here: as good as a change
                stretched += 1
                changed = last = slot
                near, far = 0, 0
                near_skips[:], far_skips[:] = 0, 0
                regions[3, r] = regions[4, r] = used + 1
            else:
                near += copies_apart
                count_skips(store, skips, slot, copies, near_skips)
                if depends:
                    regions[3, r] = used + 1
                    last, far = slot, 0
                    far_skips[:] = 0
                else:
                    far += copies_apart
                    count_skips(store, skips, slot, copies, far_skips)
            if slot == zone:
                regions[2, r] = used
            if slot == compared:
                regions[5, r] = used
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
        if runs_on and inside[1, r] == 0:
            regions[3, r] = used
        if runs_back and inside[0, r] == 0:
            regions[2, r] = regions[0, r]
        if runs_back and inside[1, r] == 1:
            if used == len(slots):
                slots, befores, afters = doubled(slots), doubled(befores), doubled(afters)
            slots[used], befores[used], afters[used] = load_of(nodes[leaf, META + 2 * i]), 1, 1
            used += 1
        regions[1, r] = used
        r += 1
    counts = np.empty((2, used), np.int64)
    counts[0], counts[1] = befores[:used], afters[:used]
    return slots[:used].copy(), counts, regions[:, :r].copy(), inside[:, :r].copy()
