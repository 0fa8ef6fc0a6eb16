# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Record batches of Kafka's format 2, read where they lie and written whole: no object a record.

The layout is in Kafka's protocol guide ("Record Batch"): a header of 61 bytes, big-endian, then records of zigzag
varints, perhaps compressed as a whole.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.varint import put_varint, varint, varint_size

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


@register_jitable
def _record_size(keys, headers, values):
    """Bytes of a record behind its length, by the bytes of its parts (-1: none)."""
    size = 2 + varint_size(keys) + max(keys, 0) + varint_size(values) + max(values, 0)
    return size + max(headers, 1)


@njit(
    "Tuple((int64, int64))(Array(uint8, 1, 'C', readonly=True), int64[::1], int64[::1],"
    "Array(uint8, 1, 'C', readonly=True), int64[::1], int64[::1], Array(uint8, 1, 'C', readonly=True), int64[::1],"
    "int64[::1], int64[::1], int64, int64, uint8[::1])",
    cache=True,
    nogil=True,
)
def write_records(
    keys, key_begins, key_ends, values, begins, ends, headers, header_begins, header_ends, rows, first, limit, out
):
    """Write the records rows[first:] behind each other to `out`, as far as they stay within `limit` bytes and the first
    one in any case: (how many, bytes). O(bytes).

    The parts of record r are keys[key_begins[r]:key_ends[r]] and so on, none where they begin at -1; headers are a
    count and as many (length, name, length, value). `out` has room for the limit and for the largest record.
    """
    at = 0
    for i in range(first, len(rows)):
        r = rows[i]
        key = np.int64(-1) if key_begins[r] < 0 else key_ends[r] - key_begins[r]
        value = np.int64(-1) if begins[r] < 0 else ends[r] - begins[r]
        header = np.int64(-1) if header_begins[r] < 0 else header_ends[r] - header_begins[r]
        delta = np.int64(i - first)
        size = _record_size(key, header, value) + varint_size(delta)
        if i > first and at + varint_size(size) + size > limit:
            return i - first, at
        at = put_varint(out, at, size)
        out[at], out[at + 1] = 0, 0  # no attributes, the batch's own time
        at = put_varint(out, at + 2, delta)
        at = put_varint(out, at, key)
        for j in range(key):
            out[at + j] = keys[key_begins[r] + j]
        at = put_varint(out, at + max(key, 0), value)
        for j in range(value):
            out[at + j] = values[begins[r] + j]
        at += max(value, 0)
        if header < 0:
            out[at] = 0
            at += 1
        for j in range(header):
            out[at + j] = headers[header_begins[r] + j]
        at += max(header, 0)
    return len(rows) - first, at
