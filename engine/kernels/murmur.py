# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""MurmurHash2 (Appleby, 2008) as Kafka's clients take it of a key: what chooses a record's partition."""

import numpy as np
from numba import njit

SEED = 0x9747B28C
MIX = 0x5BD1E995
MASK = 0xFFFFFFFF


@njit("int64[::1](Array(uint8, 1, 'C', readonly=True), int64[::1], int64[::1])", cache=True, nogil=True)
def murmur2_of(data, begins, ends):
    """The hash of each datum data[begins[i]:ends[i]] without its sign, as partitioners use it: 31 bits. O(bytes)."""
    found = np.empty(len(begins), np.int64)
    for i in range(len(begins)):
        at, end = begins[i], ends[i]
        value = SEED ^ (end - at)
        while end - at >= 4:
            part = np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16
            part = ((part | np.int64(data[at + 3]) << 24) * MIX) & MASK
            part = ((part ^ (part >> 24)) * MIX) & MASK
            value = ((value * MIX) & MASK) ^ part
            at += 4
        if at < end:
            part = np.int64(0)
            for k in range(end - at):
                part |= np.int64(data[at + k]) << (8 * k)
            value = ((value ^ part) * MIX) & MASK
        value = ((value ^ (value >> 13)) * MIX) & MASK
        found[i] = (value ^ (value >> 15)) & 0x7FFFFFFF
    return found
