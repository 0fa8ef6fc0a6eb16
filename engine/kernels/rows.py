# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Rows of words: gathering some of them, and adding up the diffs of equal ones."""

import numpy as np
from numba import njit

from engine.kernels.hash import hash_rows
from engine.kernels.memory import prefetch

AHEAD = 16
"""Rows between asking for a table slot and reading it: enough to cover one miss to memory."""


@njit("uint64[:, ::1](uint64[:, ::1], int64[::1])", cache=True, nogil=True)
def take_rows(words, rows):
    """Those rows, in that order: uint64[w, len(rows)]. O(w len(rows))."""
    w, m = words.shape[0], len(rows)
    out = np.empty((w, m), np.uint64)
    for j in range(w):
        for i in range(m):
            out[j, i] = words[j, rows[i]]
    return out


@njit("Tuple((int64, int64))(int64[::1], int64, int64, int64[::1], int64[::1], int64, int64)", cache=True, nogil=True)
def spread(counts, i, k, origin, index, begin, end):
    """For counts[i] rows of each i, behind each other: which i a row is of, and which of its rows; from row k of i on,
    into places `begin` to `end`. Where it goes on behind them. O(rows)."""
    at = begin
    while at < end:
        stop = min(counts[i], k + end - at)
        for row in range(k, stop):
            origin[at], index[at] = i, row
            at += 1
        k = stop
        if k == counts[i]:
            i, k = i + 1, 0
    return i, k


@njit("Tuple((int64[::1], int64[::1]))(uint64[:, ::1], int64[::1])", cache=True, nogil=True)
def consolidate_rows(words, diffs):
    """Where equal rows first occur and the sum of their diffs, sums of zero left out; in order of occurrence. O(w n).

    A sum that leaves int64 wraps: no collection has that many rows.
    """
    w, n = words.shape
    hashes = hash_rows(words)
    bits = 4
    while (1 << bits) < 2 * n:
        bits += 1
    mask = np.uint64((1 << bits) - 1)
    table = np.full(1 << bits, -1, np.int32)
    sums = np.empty(n, np.int64)
    first = np.empty(n, np.int64)
    distinct = 0
    for i in range(n):
        if i + AHEAD < n:
            prefetch(table, np.int64(hashes[i + AHEAD] & mask))
        slot = hashes[i] & mask
        while True:
            k = table[slot]
            if k < 0:
                table[slot] = distinct
                first[distinct] = i
                sums[distinct] = diffs[i]
                distinct += 1
                break
            r = first[k]
            if hashes[r] == hashes[i]:
                same = True
                for j in range(w):
                    if words[j, r] != words[j, i]:
                        same = False
                        break
                if same:
                    sums[k] += diffs[i]
                    break
            slot = (slot + np.uint64(1)) & mask
    kept = 0
    for k in range(distinct):
        if sums[k] != 0:
            first[kept] = first[k]
            sums[kept] = sums[k]
            kept += 1
    return first[:kept].copy(), sums[:kept].copy()
