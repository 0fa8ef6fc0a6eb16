# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The values of each group with their multiplicities, and the least or greatest of them: what min and max read.

A group's distinct values lie in one block of `values` uint64[N], at words `offset` .. `offset + size`.

Small    up to SMALL values: in no order, their multiplicities (never 0) at the same places of `counts` int32[N]. A
         change looks through the block, a few cache lines side by side; so does the group when its extreme goes.
Large    a binary heap, the extreme on top, with lazy deletion. `table` uint64[T, 2] has the multiplicity of (group,
         value): a retraction only counts down. What is dead (multiplicity not above 0) goes when it comes to the top,
         or all at once when it is more than half of the heap; a value that comes back before that revives its entry.
         So a change is O(1), plus a sift that is O(log n) at worst and O(1) on average, whatever the order of changes.

`records[group, at]` on are the words of a group: ENTRIES (values whose multiplicity is not 0), HAS (whether there is an
extreme), EXTREME, BLOCK ((offset + 1) << 6 | class, 0: none), SIZE << 32 | odd, where `odd` counts the dead of a heap,
of a small group the multiplicities that are not 1: without any `counts` need not be read. They are all 0 when the group
holds nothing.

A block of class c holds CAPACITY[c] values. Free blocks are chained by class: `free` int64[CLASSES] has offset + 1,
the block's first word the next. When `values` is full, the blocks in use move to a larger array, packed
(`move_blocks`), and no block is free. `head` int64[5]: words of `values` ever used, those of free blocks, entries of
the table, and how many of `values` and of the table the next change needs.

`table` is of engine/kernels/extreme_keys.py.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.compare import VIEW, compare
from engine.kernels.extreme_keys import (
    FREE,
    IN_HEAP,
    KEYS,
    LOW,
    NEED_KEYS,
    NEED_WORDS,
    USED,
    ZERO,
    count_at,
    find_key,
    home,
    leave_heap,
    remove_key,
    set_key,
)
from engine.kernels.memory import prefetch

ENTRIES, HAS, EXTREME, BLOCK, SIZE, WIDTH = 0, 1, 2, 3, 4, 5
CAPACITY = np.array([2, 4, 6, 8, 12, 16, 24, 32, 48, 64, *(128 << c for c in range(26))], np.int64)
CLASSES = len(CAPACITY)
LARGE = 10
"""The first class that is a heap."""
SMALL = 64
"""Values of the last class before it: looking through them costs what finding one of them in a table does."""
AHEAD = 32
"""Changes whose cache misses are made to overlap: eleven lines each at most."""
COUNT_MAX = 1 << 30
"""Multiplicities are int32."""
ONE = np.uint64(1)
STATE = "uint64[::1], int32[::1], int64[::1], int64[::1], uint64[:, ::1]"


@register_jitable
def take_block(c, free, values, head):
    """The offset of a block of class c. The caller has seen to it that there is room."""
    if free[c] > 0:
        offset = free[c] - 1
        free[c] = np.int64(values[offset])
        head[FREE] -= CAPACITY[c]
        return offset
    head[USED] += CAPACITY[c]
    return head[USED] - CAPACITY[c]


@register_jitable
def give_block(c, offset, free, values, head):
    """A block of class c that is not needed any more."""
    values[offset] = np.uint64(free[c])
    free[c] = offset + 1
    head[FREE] += CAPACITY[c]


@register_jitable
def move_block(c, offset, size, to, free, values, counts, head):
    """The values of a block in a new one of class `to`: its offset. O(size)."""
    target = take_block(to, free, values, head)
    for j in range(size):
        values[target + j] = values[offset + j]
        if to < LARGE:
            counts[target + j] = counts[offset + j]
    give_block(c, offset, free, values, head)
    return target


@register_jitable
def class_for(size):
    """The least class that holds so many values."""
    c = 0
    while CAPACITY[c] < size:
        c += 1
    return c


@register_jitable
def sift_up(order, values, offset, j, word):
    """Put a value into the heap at or above place j, which is free. O(log n), O(1) on average."""
    kind, largest, start, length, data = order
    while j > 0:
        above = (j - 1) >> 1
        if compare(kind, word, values[offset + above], start, length, data) * largest <= 0:
            break
        values[offset + j] = values[offset + above]
        j = above
    values[offset + j] = word


@register_jitable
def sift_down(order, values, offset, size, j, word):
    """Put a value into the heap at or below place j, which is free. O(log n)."""
    kind, largest, start, length, data = order
    while True:
        below = 2 * j + 1
        if below >= size:
            break
        if below + 1 < size:
            a, b = values[offset + below], values[offset + below + 1]
            if compare(kind, b, a, start, length, data) * largest > 0:
                below += 1
        if compare(kind, values[offset + below], word, start, length, data) * largest <= 0:
            break
        values[offset + j] = values[offset + below]
        j = below
    values[offset + j] = word


@register_jitable
def heapify(order, values, offset, size):
    """Make a heap of values in no order. O(n)."""
    for j in range((size >> 1) - 1, -1, -1):
        sift_down(order, values, offset, size, j, values[offset + j])


@register_jitable
def grow_group(order, g, c, offset, size, odd, values, counts, free, head, table):
    """A full block (class -1: none) in one of the next class: (offset, odd). O(size)."""
    if c < 0:
        return take_block(0, free, values, head), odd
    if c == LARGE - 1:
        odd = 0
        for j in range(size):
            word, count = values[offset + j], np.int64(counts[offset + j])
            slot, _ = find_key(table, g, word)
            set_key(table, slot, g, word, count, True)
            odd += np.int64(count <= 0)
        head[KEYS] += size
    offset = move_block(c, offset, size, c + 1, free, values, counts, head)
    if c == LARGE - 1:
        heapify(order, values, offset, size)
    return offset, odd


@register_jitable
def rebuild(order, g, c, offset, size, entries, values, counts, free, head, table):
    """A heap without its dead: (class, offset, size, odd); small (class -1: empty) when few are left. O(size)."""
    live = 0
    for j in range(size):
        word = values[offset + j]
        slot, _ = find_key(table, g, word)
        if count_at(table, slot) > 0:
            values[offset + live] = word
            live += 1
        elif count_at(table, slot) == 0:
            remove_key(table, head, slot)
        else:
            table[slot, 0] &= ~IN_HEAP
    # Values of a multiplicity below 0 are in the table alone: with any, the group stays large.
    if entries == live and 2 * live <= SMALL:
        if live == 0:
            give_block(c, offset, free, values, head)
            return -1, np.int64(-1), 0, 0
        to = class_for(live)
        target = take_block(to, free, values, head)
        odd = 0
        for j in range(live):
            word = values[offset + j]
            slot, _ = find_key(table, g, word)
            values[target + j] = word
            counts[target + j] = count_at(table, slot)
            odd += np.int64(count_at(table, slot) != 1)
            remove_key(table, head, slot)
        give_block(c, offset, free, values, head)
        return to, target, live, odd
    while c > LARGE and 4 * live <= CAPACITY[c]:
        c -= 1
        give_block(c, offset + CAPACITY[c], free, values, head)
    heapify(order, values, offset, live)
    return c, offset, live, 0


@register_jitable
def find_small(values, offset, size, word):
    """The place of a value in a small block plus 1, or 0. O(size), without a branch: several at a time."""
    found = 0
    for j in range(size):
        found += (j + 1) if values[offset + j] == word else 0
    return found


@register_jitable
def extreme_of_small(order, values, counts, offset, size, odd):
    """(whether there is an extreme, the extreme). O(size)."""
    kind, largest, start, length, data = order
    some, best = False, ZERO
    for j in range(size):
        if odd == 0 or counts[offset + j] > 0:
            word = values[offset + j]
            if not some or compare(kind, word, best, start, length, data) * largest > 0:
                some, best = True, word
    return some, best


@register_jitable
def enough_room(c, size, values, free, head, table):
    """Whether a change of a group finds what it may need; else `head` says what is missing."""
    full = c < 0 or size == CAPACITY[c]
    to = c + 1 if full else 0
    words = head[USED] + (CAPACITY[to] if to >= LARGE and free[to] == 0 else SMALL)
    keys = head[KEYS] + (SMALL + 1 if to == LARGE else 1 if c >= LARGE else 0)
    if words > len(values) or 4 * keys > 3 * len(table):
        head[NEED_WORDS], head[NEED_KEYS] = words, keys
        return False
    return True


@njit(
    f"int64(uint64[:, ::1], int64[::1], int64[::1], int64, int64, int64, int64, int64, int32[::1], {STATE}, {VIEW},"
    "uint64[:, ::1], int64)",
    cache=True,
    nogil=True,
    _nrt=False,  # pyright: ignore[reportCallIssue]
)
def update_extremes(
    words, diffs, kept, n, value, kind, largest, begin, gids, values, counts, free, head, table, start, length, data,
    records, at,
):  # fmt: skip
    """Add the values words[value, kept[i]], begin <= i < n, to their groups; `largest` 1: max, -1: min.

    An empty `kept` stands for all rows. Returns how many are done: less than n when there is no room
    (head[NEED_WORDS], head[NEED_KEYS]); -1 - i when the multiplicity of value i leaves int32. Allocates nothing:
    compiled without reference counting, which would cost more than the work.
    """
    order = (kind, largest, start, length, data)
    every = len(kept) == 0
    for first in range(begin, n, AHEAD):
        end = min(n, first + AHEAD)
        if end - first > 2:
            for i in range(first, end):
                k = i if every else kept[i]
                g = np.int64(gids[k])
                block = np.int64(records[g, at + BLOCK])
                if block & 63 >= LARGE:
                    prefetch(table, 2 * home(table, g, words[value, k]))
                elif block != 0:
                    offset, size = (block >> 6) - 1, np.int64(records[g, at + SIZE] >> np.uint64(32))
                    for j in range(0, size + 7, 8):
                        prefetch(values, offset + j)
                    if records[g, at + SIZE] & LOW != ZERO:
                        for j in range(0, size + 15, 16):
                            prefetch(counts, offset + j)
        for i in range(first, end):
            k = i if every else kept[i]
            g, word, diff = np.int64(gids[k]), words[value, k], diffs[k]
            block = np.int64(records[g, at + BLOCK])
            c = block & 63 if block != 0 else np.int64(-1)
            offset = (block >> 6) - 1
            size = np.int64(records[g, at + SIZE] >> np.uint64(32))
            odd = np.int64(records[g, at + SIZE] & LOW)
            entries = np.int64(records[g, at + ENTRIES])
            if not enough_room(c, size, values, free, head, table):
                return i
            if diff > COUNT_MAX or diff < -COUNT_MAX:
                return -1 - i
            place = find_small(values, offset, size, word) if c < LARGE else 0
            if c < LARGE and place == 0 and (c < 0 or size == CAPACITY[c]):
                offset, odd = grow_group(order, g, c, offset, size, odd, values, counts, free, head, table)
                c += 1
            if c < LARGE:
                before = 0
                if place == 0:
                    values[offset + size] = word
                    size += 1
                    entries += 1
                    place = size
                else:
                    before = np.int64(counts[offset + place - 1]) if odd > 0 else 1
                count = before + diff
                odd += np.int64(count != 0 and count != 1) - np.int64(before != 0 and before != 1)
                if count != 0:
                    counts[offset + place - 1] = count
                else:
                    size -= 1
                    entries -= 1
                    values[offset + place - 1] = values[offset + size]
                    counts[offset + place - 1] = counts[offset + size] if odd > 0 else 1
                    if size == 0:
                        give_block(c, offset, free, values, head)
                        c = np.int64(-1)
                    elif c >= 2 and 2 * size <= CAPACITY[c - 1]:
                        offset = move_block(c, offset, size, c - 1, free, values, counts, head)
                        c -= 1
            else:
                slot, there = find_key(table, g, word)
                before = count_at(table, slot) if there else 0
                in_heap = there and table[slot, 0] & IN_HEAP != ZERO
                count = before + diff
                entries += np.int64(count != 0) - np.int64(before != 0)
                if in_heap:
                    odd += np.int64(count <= 0) - np.int64(before <= 0)
                if not there:
                    head[KEYS] += 1
                if count > 0 and not in_heap:
                    if size == CAPACITY[c]:
                        offset, _ = grow_group(order, g, c, offset, size, odd, values, counts, free, head, table)
                        c += 1
                    sift_up(order, values, offset, size, word)
                    size += 1
                    in_heap = True
                set_key(table, slot, g, word, count, in_heap)
                if count == 0 and not in_heap:
                    remove_key(table, head, slot)
            if count > COUNT_MAX or count < -COUNT_MAX:
                return -1 - i
            if count > 0:
                if records[g, at + HAS] == ZERO or (
                    compare(kind, word, records[g, at + EXTREME], start, length, data) * largest > 0
                ):
                    records[g, at + HAS] = ONE
                    records[g, at + EXTREME] = word
            elif records[g, at + HAS] == ONE and records[g, at + EXTREME] == word:
                # The extreme itself went.
                if c < LARGE:
                    some, best = extreme_of_small(order, values, counts, offset, size, odd)
                else:
                    while size > 0:
                        slot, _ = find_key(table, g, values[offset])
                        if count_at(table, slot) > 0:
                            break
                        leave_heap(table, head, g, values[offset])
                        size -= 1
                        odd -= 1
                        if size > 0:
                            sift_down(order, values, offset, size, 0, values[offset + size])
                    some, best = size > 0, values[offset] if size > 0 else ZERO
                records[g, at + HAS] = ONE if some else ZERO
                records[g, at + EXTREME] = best
            if c >= LARGE and (2 * odd > size or entries == 0):
                c, offset, size, odd = rebuild(order, g, c, offset, size, entries, values, counts, free, head, table)
            records[g, at + ENTRIES] = np.uint64(entries)
            records[g, at + BLOCK] = np.uint64((offset + 1) << 6 | c) if c >= 0 else ZERO
            records[g, at + SIZE] = np.uint64(size << 32 | odd)
    return n


@njit("void(uint64[:, ::1], int64, int64, uint64[::1], int32[::1], uint64[::1], int32[::1], int64[::1], int64[::1])",
      cache=True, nogil=True)  # fmt: skip
def move_blocks(records, groups, at, values, counts, new_values, new_counts, free, head):
    """Move the blocks of all groups to larger arrays, one behind the other. O(groups + values)."""
    used = 0
    for g in range(groups):
        block = np.int64(records[g, at + BLOCK])
        if block != 0:
            c, offset = block & 63, (block >> 6) - 1
            for j in range(np.int64(records[g, at + SIZE] >> np.uint64(32))):
                new_values[used + j] = values[offset + j]
                new_counts[used + j] = counts[offset + j]
            records[g, at + BLOCK] = np.uint64((used + 1) << 6 | c)
            used += CAPACITY[c]
    head[USED], head[FREE] = used, 0
    for c in range(CLASSES):
        free[c] = 0


@njit("uint64[::1](uint64[:, ::1], int64, int64, uint64[::1], uint64[:, ::1])", cache=True, nogil=True)
def held_values(records, groups, at, values, table):
    """Every value that is held, some more than once: what a sweep of the heap keeps. O(values)."""
    total = 0
    for g in range(groups):
        if np.int64(records[g, at + BLOCK]) & 63 < LARGE:
            total += np.int64(records[g, at + SIZE] >> np.uint64(32))
    for i in range(len(table)):
        total += np.int64(table[i, 0] != ZERO)
    out = np.empty(total, np.uint64)
    n = 0
    for g in range(groups):
        block = np.int64(records[g, at + BLOCK])
        if block & 63 < LARGE:
            offset = (block >> 6) - 1
            for j in range(np.int64(records[g, at + SIZE] >> np.uint64(32))):
                out[n] = values[offset + j]
                n += 1
    for i in range(len(table)):
        if table[i, 0] != ZERO:
            out[n] = table[i, 1]
            n += 1
    return out
