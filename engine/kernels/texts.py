# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Texts put together of what they were: what string_agg, jsonb_agg and array_agg come to after a change."""

import numpy as np
from numba import njit

from engine.kernels.compare import VIEW
from engine.kernels.memory import copy_bytes


@njit(
    "Tuple((int64[::1], uint8[::1]))(int64[::1], int64[:, ::1], int64[::1], int64[:, ::1], int64[::1], uint8[::1],"
    f"int64[::1], int64[::1], int64, int64, {VIEW})",
    cache=True,
    nogil=True,
)
def splice_texts(bounds, places, counts, pieces, sizes, data, codes, heads, front, back, start, length, texts):
    """(begins, bytes): the new run of pieces of each group, made of the old one.

    Group g's run is of sizes[g] bytes; it was heads[g] (a code, -1: nothing), then datum codes[g] (-1: there was no
    run) without its first `front` and last `back` bytes. Edits bounds[g] .. bounds[g + 1], in order, put bytes
    data[pieces[0, e] : pieces[1, e]], counts[e] times, in the place of the places[1, e] bytes from places[0, e] on.
    Before and behind each new run `front` and `back` bytes are left free. Both runs must come out even, else a begin
    is -1. O(bytes).
    """
    groups = len(bounds) - 1
    begins = np.empty(groups, np.int64)
    total = 0
    for g in range(groups):
        begins[g] = total + front
        total += front + sizes[g] + back
    out = np.empty(total + 8, np.uint8)
    for g in range(groups):
        at, end = begins[g], begins[g] + sizes[g]
        head = np.int64(length[heads[g]]) if heads[g] >= 0 else np.int64(0)
        body = np.int64(0)
        if codes[g] >= 0:
            body = np.int64(length[codes[g]]) - front - back
        else:
            head = np.int64(0)
        old = np.int64(0)
        last = bounds[g + 1]
        even = True
        for e in range(bounds[g], last + 1):
            stays = places[0, e] if e < last else head + body
            if stays < old or stays > head + body or at + stays - old > end:
                even = False
                break
            if old < head and old < stays:
                n = min(head, stays) - old
                copy_bytes(texts, start[heads[g]] + old, out, at, n)
                at += n
                old += n
            if old < stays:
                copy_bytes(texts, start[codes[g]] + front + old - head, out, at, stays - old)
                at += stays - old
            if e == last:
                break
            old = stays + places[1, e]
            n = pieces[1, e] - pieces[0, e]
            if at + counts[e] * n > end:
                even = False
                break
            for _ in range(counts[e]):
                copy_bytes(data, pieces[0, e], out, at, n)
                at += n
        if not even or at != end:
            begins[g] = -1
    return begins, out
