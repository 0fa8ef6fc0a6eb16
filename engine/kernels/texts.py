# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Texts of the heap put one after another: what string_agg and jsonb_agg come to."""

import numpy as np
from numba import njit

from engine.kernels.compare import VIEW
from engine.kernels.memory import copy_bytes


@njit(
    "Tuple((int64[::1], uint8[::1]))(int64[::1], int64[::1], uint64[::1], boolean[::1], uint64[::1], uint64,"
    f"int64, {VIEW})",
    cache=True,
    nogil=True,
)
def join_texts(bounds, counts, values, no_value, separators, filler, edge, start, length, data):
    """(offsets, bytes) of the text of each run bounds[g] .. bounds[g + 1] of values: one after the other, values[i]
    counts[i] times, each but the first one behind its separator. A NULL value is `filler`.

    With `edge` a byte is left free before and behind each text (brackets). The bytes end with 8 spare ones. O(bytes).
    """
    groups = len(bounds) - 1
    offsets = np.zeros(groups + 1, np.int64)
    for g in range(groups):
        size, first = 2 * edge, True
        for i in range(bounds[g], bounds[g + 1]):
            value = filler if no_value[i] else values[i]
            size += counts[i] * (np.int64(length[value]) + np.int64(length[separators[i]]))
            if first and counts[i] > 0:
                size -= np.int64(length[separators[i]])
                first = False
        offsets[g + 1] = offsets[g] + size
    out = np.zeros(offsets[groups] + 8, np.uint8)
    for g in range(groups):
        at, first = offsets[g] + edge, True
        for i in range(bounds[g], bounds[g + 1]):
            value = filler if no_value[i] else values[i]
            separator = separators[i]
            for _ in range(counts[i]):
                if not first:
                    n = np.int64(length[separator])
                    copy_bytes(data, start[separator], out, at, n)
                    at += n
                first = False
                n = np.int64(length[value])
                copy_bytes(data, start[value], out, at, n)
                at += n
    return offsets, out
