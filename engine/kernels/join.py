# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The output of a probe: rows of a stream beside the rows of an arrangement they met, projected as they are written."""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.arrangement import LOW, ONE
from engine.kernels.memory import prefetch

PRODUCT_MAX = 2.0**63
BLOCK = 128
"""Groups walked abreast: each step of a list is a cache miss, and the misses of a block overlap."""
LINE_WORDS = 8
"""Of a cache line."""


@register_jitable
def _emit(words, i, null_words, record, record_null_words, sources, out, r):
    """Write one output row: `sources[j]` is a column of the stream, or minus one minus a column of the record."""
    out_null_words = out.shape[0] - sources.size
    for j in range(sources.size):
        c = sources[j]
        out[out_null_words + j, r] = words[null_words + c, i] if c >= 0 else record[record_null_words - 1 - c]
    nulls = np.uint64(0)
    for w in range(null_words):
        nulls |= words[w, i]
    for w in range(record_null_words):
        nulls |= record[w]
    for w in range(out_null_words):
        bits = np.uint64(0)
        if nulls != 0:
            for j in range(64 * w, min(64 * w + 64, sources.size)):
                c = sources[j]
                word = words[c >> 6, i] if c >= 0 else record[(-1 - c) >> 6]
                c = c if c >= 0 else -1 - c
                bits |= ((word >> np.uint64(c & 63)) & ONE) << np.uint64(j - 64 * w)
        out[w, r] = bits


@njit(
    "boolean(uint64[:, ::1], int64[::1], int64, int32[::1], uint64[:, ::1], int64, int64, int64, int64[::1],"
    " uint64[:, ::1], int64[::1])",
    cache=True,
    nogil=True,
)
def join_rows(words, diffs, null_words, heads, records, columns, record_null_words, at_link, sources, out, out_diffs):
    """Each row of the stream (words uint64[w, n]) beside each row of the group at heads int32[n] (-1: none).

    `columns` counts the record's; `at_link` is the link word of the key that is met, -1: each group is one row. Out
    uint64[out null words + len(sources), total] and out_diffs int64[total] get the projected rows and the products of
    the multiplicities, where `total` is what `find` counted. Rows come in no promised order. Returns whether a product
    does not fit in 64 bits. O(n + total).
    """
    n = words.shape[1]
    stride = records.shape[1]
    at_diff = record_null_words + columns
    overflow = False
    rows = np.empty(BLOCK, np.int64)
    slots = np.empty(BLOCK, np.int64)
    r = 0
    for base in range(0, n, BLOCK):
        active = 0
        for i in range(base, min(n, base + BLOCK)):
            if heads[i] >= 0:
                rows[active] = i
                slots[active] = heads[i]
                active += 1
                for word in range(0, stride, LINE_WORDS):
                    prefetch(records, np.int64(heads[i]) * stride + word)
        while active > 0:
            left = 0
            for a in range(active):
                i, slot = rows[a], slots[a]
                record = records[slot]
                if at_link >= 0:
                    following = np.int64(np.int32(np.uint32(record[at_link] & LOW)))
                    if following >= 0:
                        for word in range(0, stride, LINE_WORDS):
                            prefetch(records, following * stride + word)
                        rows[left] = i
                        slots[left] = following
                        left += 1
                _emit(words, i, null_words, record, record_null_words, sources, out, r)
                x, y = diffs[i], np.int64(record[at_diff])
                out_diffs[r] = x * y
                # In floats: LLVM may assume that a product of signed integers does not wrap.
                if abs(np.float64(x) * np.float64(y)) >= PRODUCT_MAX:
                    overflow = True
                r += 1
            active = left
    return overflow
