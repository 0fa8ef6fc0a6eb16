# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The group table: from the key of a row to a dense group id and to the group's record.

Records are rows of a uint64[capacity, width] matrix, so that key, row count and accumulators of a group share a cache
line: `kw` key words (null bits first), the row count (int64), the mark (position among the groups touched since the
last `settle`, plus 1; else 0), then what the caller accumulates, all zero for a new group.

The index is an open-addressing table of uint64 entries, hash >> 32 above id + 1, 0 where free. An entry's home is
given by the high bits of its tag, so growing the index and closing the gap behind a removed entry read no record.
Linear probing, never more than half full. Per group: 8 width bytes of record and 16 to 32 of index.

`head` is int64[4]: groups alive, ids ever used, ids in the free list, groups touched.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.hash import K1, finish, mix
from engine.kernels.memory import prefetch

BLOCK = 256
"""Rows whose cache misses are made to overlap: their lines (at most three each) stay in the first two cache levels."""

ALIVE, USED, FREE, TOUCHED = 0, 1, 2, 3


@register_jitable
def table_shift(table):
    """By how much a 32-bit tag is shifted to give its home in a table of this size (a power of two)."""
    bits = 0
    while (1 << bits) < len(table):
        bits += 1
    return np.uint64(32 - bits)


@njit(
    "int64(uint64[:, ::1], int64[::1], int64[::1], int64, int64, uint64[::1], uint64[:, ::1], int64[::1], int32[::1],"
    "int32[::1], int32[::1])",
    cache=True,
    nogil=True,
)
def assign_groups(words, diffs, columns, nulls, begin, table, records, head, free, gids, touched):
    """Find or add the group of each row from `begin` on and add its diff to the group's row count. O(rows x kw).

    `words` uint64[nulls + c, n] are rows, `columns` int64[k] the key among them. `gids` int32[n] takes the group of
    each row, `touched` int32[>= head[3] + n or all groups] the groups in order of first touch. Returns the number of
    rows done: less than n when the table or the records are full; the caller grows them and calls again from there.
    """
    n = words.shape[1]
    k = len(columns)
    kw = (k + 63) // 64
    width = kw + k
    mask = np.int64(len(table) - 1)
    shift = table_shift(table)
    keys = np.empty((min(n - begin, BLOCK), width), np.uint64)
    tags = np.empty(min(n - begin, BLOCK), np.uint64)
    low = np.uint64(0xFFFFFFFF)
    room = min(len(table) // 2, records.shape[0])
    for start in range(begin, n, BLOCK):
        size = min(n - start, BLOCK)
        for i in range(size):
            for w in range(kw):
                keys[i, w] = np.uint64(0)
        for j in range(k):
            column = columns[j]
            value, null, bit = nulls + column, column >> 6, np.uint64(column & 63)
            to, up = j >> 6, np.uint64(j & 63)
            for i in range(size):
                keys[i, kw + j] = words[value, start + i]
                keys[i, to] |= ((words[null, start + i] >> bit) & np.uint64(1)) << up
        for i in range(size):
            h = K1
            for w in range(width):
                h = mix(h, keys[i, w])
            tags[i] = finish(h) >> np.uint64(32)
        if size > 2:
            for i in range(size):
                prefetch(table, np.int64(tags[i] >> shift))
            for i in range(size):
                entry = table[np.int64(tags[i] >> shift)]
                if entry != np.uint64(0):
                    at = np.int64((entry & low) - np.uint64(1)) * records.shape[1]
                    prefetch(records, at)
                    prefetch(records, at + width + 1)
        for i in range(size):
            tag = tags[i]
            slot = np.int64(tag >> shift)
            while True:
                entry = table[slot]
                if entry == np.uint64(0):
                    if head[ALIVE] >= room:
                        return start + i
                    if head[FREE] > 0:
                        head[FREE] -= 1
                        gid = free[head[FREE]]
                    else:
                        gid = head[USED]
                        head[USED] += 1
                    head[ALIVE] += 1
                    table[slot] = (tag << np.uint64(32)) | np.uint64(gid + 1)
                    for w in range(width):
                        records[gid, w] = keys[i, w]
                    break
                if entry >> np.uint64(32) == tag:
                    gid = np.int64(entry & low) - 1
                    same = True
                    for w in range(width):
                        if records[gid, w] != keys[i, w]:
                            same = False
                            break
                    if same:
                        break
                slot = (slot + 1) & mask
            gids[start + i] = gid
            records[gid, width] += np.uint64(diffs[start + i])
            if records[gid, width + 1] == np.uint64(0):
                touched[head[TOUCHED]] = gid
                head[TOUCHED] += 1
                records[gid, width + 1] = np.uint64(head[TOUCHED])
    return n


@njit("void(uint64[::1], uint64[::1])", cache=True, nogil=True)
def rehash_groups(old, new):
    """Move the entries of an index into a larger, empty one. O(entries), no record is read."""
    shift = table_shift(new)
    mask = np.int64(len(new) - 1)
    for i in range(len(old)):
        entry = old[i]
        if entry != np.uint64(0):
            slot = np.int64((entry >> np.uint64(32)) >> shift)
            while new[slot] != np.uint64(0):
                slot = (slot + 1) & mask
            new[slot] = entry


@register_jitable
def remove_group(table, shift, tag, gid):
    """Take an entry out of the index and move up those that it kept from their homes. O(1) expected."""
    mask = np.int64(len(table) - 1)
    slot = np.int64(tag >> shift)
    entry = (tag << np.uint64(32)) | np.uint64(gid + 1)
    while table[slot] != entry:
        slot = (slot + 1) & mask
    hole = slot
    while True:
        slot = (slot + 1) & mask
        entry = table[slot]
        if entry == np.uint64(0):
            break
        home = np.int64((entry >> np.uint64(32)) >> shift)
        if ((slot - home) & mask) >= ((slot - hole) & mask):
            table[hole] = entry
            hole = slot
    table[hole] = np.uint64(0)


@register_jitable
def settle(width, table, records, head, free, touched):
    """Clear the marks, and free the groups all of whose words behind the key are zero. O(touched).

    `width` is that of the key with its null bits. A group with no rows whose accumulators are not zero stays: it has
    seen retractions before the insertions that they belong to.
    """
    shift = table_shift(table)
    for t in range(head[TOUCHED]):
        gid = touched[t]
        records[gid, width + 1] = np.uint64(0)
        dead = True
        for w in range(width, records.shape[1]):
            if records[gid, w] != np.uint64(0):
                dead = False
                break
        if dead:
            h = K1
            for w in range(width):
                h = mix(h, records[gid, w])
            remove_group(table, shift, finish(h) >> np.uint64(32), gid)
            free[head[FREE]] = gid
            head[FREE] += 1
            head[ALIVE] -= 1
    head[TOUCHED] = 0


@njit("void(int64, uint64[::1], uint64[:, ::1], int64[::1], int32[::1], int32[::1])", cache=True, nogil=True)
def settle_groups(width, table, records, head, free, touched):
    """`settle` for whoever shows groups by other means than kernels/changes.py."""
    settle(width, table, records, head, free, touched)
