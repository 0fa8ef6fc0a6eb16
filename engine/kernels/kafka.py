# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Record batches of Kafka's format 2, read where they lie: no object a record.

The layout is in Kafka's protocol guide ("Record Batch"): a header of 61 bytes, big-endian, then records of zigzag
varints, perhaps compressed as a whole.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.varint import varint

HEADER = 61
"""Bytes of a batch before its records."""

BASE, LENGTH, MAGIC, ATTRIBUTES, LAST, FIRST_MS, MAX_MS, PRODUCER, COUNT, AT, FIELDS = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""Columns of what `scan_batches` finds: base offset, length from the magic's byte on, magic, attributes, last offset's
delta, first and greatest timestamp, producer, number of records, where the batch begins."""


@register_jitable
def _big(data, at, n):
    value = np.int64(np.int8(data[at]))
    for k in range(1, n):
        value = (value << 8) | np.int64(data[at + k])
    return value


@njit("int64(Array(uint8, 1, 'C', readonly=True), int64[:, ::1])", cache=True, nogil=True)
def scan_batches(data, found):
    """The headers of the whole batches in `data`, as rows of `found`: how many. O(batches).

    A batch that the broker cut off at the end is left out, and so is what no longer has room in `found`.
    """
    at, n = 0, 0
    while n < len(found) and at + HEADER <= len(data):
        length = _big(data, at + 8, 4)
        if length < HEADER - 12 or at + 12 + length > len(data):
            break
        found[n, BASE] = _big(data, at, 8)
        found[n, LENGTH] = length
        found[n, MAGIC] = data[at + 16]
        found[n, ATTRIBUTES] = _big(data, at + 21, 2)
        found[n, LAST] = _big(data, at + 23, 4)
        found[n, FIRST_MS] = _big(data, at + 27, 8)
        found[n, MAX_MS] = _big(data, at + 35, 8)
        found[n, PRODUCER] = _big(data, at + 43, 8)
        found[n, COUNT] = _big(data, at + 57, 4)
        found[n, AT] = at
        n += 1
        at += 12 + length
    return n


@njit(
    "int64(Array(uint8, 1, 'C', readonly=True), int64, int64, int64, int64, int64, int64, int64,"
    "int64, int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])",
    cache=True,
    nogil=True,
)
def parse_records(
    data, at, end, count, base, first_ms, log_ms, since,
    n, offsets, times, key_begins, key_ends, begins, ends, header_begins, header_ends,
):  # fmt: skip
    """Append the records in data[at:end], from offset `since` on, to the arrays behind n: the new n, or -1 when the
    bytes are no records. O(bytes of the records' own headers).

    Timestamps are `first_ms` and a delta, or log_ms where the broker set them (log_ms >= 0). An absent key or value
    begins at -1. Headers are a count and as many (length, name, length, value), from header_begins to header_ends.
    """
    for _ in range(count):
        length, at = varint(data, at, end)
        if at < 0 or length < 0 or at + length > end:
            return -1
        stop = at + length
        delta_ms, at = varint(data, at + 1, stop)
        if at < 0:
            return -1
        delta, at = varint(data, at, stop)
        if at < 0:
            return -1
        size, at = varint(data, at, stop)
        if at < 0 or size > stop - at:
            return -1
        key = -1 if size < 0 else at
        at += max(size, 0)
        key_end = at
        size, at = varint(data, at, stop)
        if at < 0 or size > stop - at:
            return -1
        begin = -1 if size < 0 else at
        at += max(size, 0)
        if base + delta >= since:
            offsets[n] = base + delta
            times[n] = first_ms + delta_ms if log_ms < 0 else log_ms
            key_begins[n], key_ends[n] = key, key_end
            begins[n], ends[n] = begin, at
            header_begins[n], header_ends[n] = at, stop
            n += 1
        at = stop
    return n
