# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Window frames: exact sums and least values over many ranges of the same rows, and the order of words.

A frame is up to P ranges [begin[p, i], end[p, i]) of rows. Sums are differences of running sums, which is exact
because accumulators are linear and never round (kernels/accumulate.py).
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.compare import FLOAT, compare

ZERO, ONE = np.uint64(0), np.uint64(1)


@register_jitable
def add_limbs(target, t, source, s, runs, negative):
    """target[t] += or -= source[s], each run of words being one number in two's complement."""
    for r in range(len(runs)):
        carry = ZERO
        for j in range(runs[r, 0], runs[r, 0] + runs[r, 1]):
            x, a = target[t, j], source[s, j]
            if negative:
                y = x - a
                z = y - carry
                carry = ONE if (x < a or y < carry) else ZERO
            else:
                y = x + a
                z = y + carry
                carry = ONE if (y < a or z < carry) else ZERO
            target[t, j] = z


@njit("uint64[:, ::1](uint64[:, ::1], int64[:, ::1], int64[:, ::1], int64[:, ::1])", cache=True, nogil=True)
def sum_frames(records, runs, begin, end):
    """The sum of the records of each frame: uint64[frames, width]. `records` becomes its own running sum.

    `runs` int64[numbers, 2] says where in a record the numbers lie and how many words each has. O(rows + frames).
    """
    ranges, n = begin.shape
    out = np.zeros((n, records.shape[1]), np.uint64)
    for i in range(1, len(records)):
        add_limbs(records, i, records, i - 1, runs, False)
    for i in range(n):
        for p in range(ranges):
            b, e = begin[p, i], end[p, i]
            if b < e:
                add_limbs(out, i, records, e - 1, runs, False)
                if b > 0:
                    add_limbs(out, i, records, b - 1, runs, True)
    return out


@njit("uint64[:, ::1](uint64[:, ::1], int64[:, ::1], int64[::1])", cache=True, nogil=True)
def run_sums(records, runs, begin):
    """`sum_frames` of the frames begin[i] .. i, where each row begins with the last or with itself. O(rows)."""
    out = records.copy()
    for i in range(1, len(records)):
        if i > begin[i]:
            add_limbs(out, i, out, i - 1, runs, False)
    return out


@njit("int64[::1](int64[::1], int64[:, ::1], int64[:, ::1])", cache=True, nogil=True)
def least_in_frames(values, begin, end):
    """The least value of each frame, the largest int64 of an empty one. O(rows + frames log rows)."""
    size = len(values)
    none = np.int64(2**63 - 1)
    tree = np.empty(2 * size, np.int64)
    for i in range(len(values)):
        tree[size + i] = values[i]
    for i in range(size - 1, 0, -1):
        tree[i] = min(tree[2 * i], tree[2 * i + 1])
    ranges, n = begin.shape
    out = np.empty(n, np.int64)
    for i in range(n):
        least = none
        for p in range(ranges):
            low, high = begin[p, i] + size, end[p, i] + size
            while low < high:
                if low & 1:
                    least = min(least, tree[low])
                    low += 1
                if high & 1:
                    high -= 1
                    least = min(least, tree[high])
                low >>= 1
                high >>= 1
        out[i] = least
    return out


@register_jitable
def sorts_after(kind, words, prefixes, a, b, start, length, data):
    """Whether word `a` sorts after word `b`."""
    if prefixes[a] != prefixes[b]:
        return prefixes[a] > prefixes[b]
    return kind > FLOAT and compare(kind, words[a], words[b], start, length, data) > 0


@njit("int64[::1](int64, uint64[::1], uint64[::1], int64[::1], uint32[::1], uint8[::1])", cache=True, nogil=True)
def sort_words(kind, words, prefixes, start, length, data):
    """The words' positions in their order (kernels/compare.py), by merging. O(n log n)."""
    n = len(words)
    order, other = np.arange(n), np.empty(n, np.int64)
    size = 1
    while size < n:
        for low in range(0, n, 2 * size):
            middle, high = min(n, low + size), min(n, low + 2 * size)
            a, b = low, middle
            for k in range(low, high):
                if a < middle and (
                    b >= high or not sorts_after(kind, words, prefixes, order[a], order[b], start, length, data)
                ):
                    other[k] = order[a]
                    a += 1
                else:
                    other[k] = order[b]
                    b += 1
        order, other = other, order
        size *= 2
    return order
