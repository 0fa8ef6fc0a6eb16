# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The multiplicities of the values of large groups: a hash table of (group, value), beside the heaps of extremes.py.

An entry of the table is IN_HEAP << 63 | group << 32 | multiplicity (int32), then the value; 0 where free. A home is
the low bits of the hash; linear probing, at most 3/4 full, gaps closed on removal.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.hash import K1, finish, mix

USED, FREE, KEYS, NEED_WORDS, NEED_KEYS = range(5)
"""Positions in `head`: see extremes.py."""
IN_HEAP = np.uint64(1 << 63)
LOW = np.uint64(0xFFFFFFFF)
ZERO = np.uint64(0)


@register_jitable
def home(table, g, word):
    """Where the search for (group, value) begins."""
    return np.int64(finish(mix(mix(K1, np.uint64(g)), word))) & (len(table) - 1)


@register_jitable
def find_key(table, g, word):
    """(position, whether (group, value) is there); else the position where it goes. O(1) expected."""
    slot = home(table, g, word)
    while table[slot, 0] != ZERO:
        if table[slot, 1] == word and np.int64((table[slot, 0] & ~IN_HEAP) >> np.uint64(32)) == g:
            return slot, True
        slot = (slot + 1) & (len(table) - 1)
    return slot, False


@register_jitable
def count_at(table, slot):
    """The multiplicity of an entry."""
    return np.int64(np.int32(np.uint32(table[slot, 0] & LOW)))


@register_jitable
def set_key(table, slot, g, word, count, in_heap):
    """Write an entry."""
    table[slot, 0] = (np.uint64(g) << np.uint64(32)) | (np.uint64(count) & LOW) | (IN_HEAP if in_heap else ZERO)
    table[slot, 1] = word


@register_jitable
def remove_key(table, head, slot):
    """Take an entry out and move up those that it kept from their homes. O(1) expected."""
    mask = len(table) - 1
    hole = slot
    while True:
        slot = (slot + 1) & mask
        if table[slot, 0] == ZERO:
            break
        own = home(table, np.int64((table[slot, 0] & ~IN_HEAP) >> np.uint64(32)), table[slot, 1])
        if ((slot - own) & mask) >= ((slot - hole) & mask):
            table[hole, 0] = table[slot, 0]
            table[hole, 1] = table[slot, 1]
            hole = slot
    table[hole, 0] = ZERO
    head[KEYS] -= 1


@register_jitable
def leave_heap(table, head, g, word):
    """A dead value is in no heap any more. Its entry stays while its multiplicity is below 0."""
    slot, _ = find_key(table, g, word)
    if count_at(table, slot) == 0:
        remove_key(table, head, slot)
    else:
        table[slot, 0] &= ~IN_HEAP


@njit("void(uint64[:, ::1], uint64[:, ::1])", cache=True, nogil=True)
def rehash_keys(old, new):
    """Move the entries of a table into another, empty one. O(entries)."""
    for i in range(len(old)):
        if old[i, 0] != ZERO:
            slot = home(new, np.int64((old[i, 0] & ~IN_HEAP) >> np.uint64(32)), old[i, 1])
            while new[slot, 0] != ZERO:
                slot = (slot + 1) & (len(new) - 1)
            new[slot, 0] = old[i, 0]
            new[slot, 1] = old[i, 1]
