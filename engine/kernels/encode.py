# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Columns as the bytes of JSON and Avro: (offsets int64[n + 1], bytes) of n data, the buffers of a LargeBinary array.

Data come as spans: datum i is data[offsets[i]:offsets[i + 1]].
"""

import numpy as np
from numba import njit

from engine.kernels.varint import VARINT_BYTES_MAX, put_varint, varint_size

QUOTE, BACKSLASH, LETTER_U, ZERO = 34, 92, 117, 48

HEX = np.frombuffer(b"0123456789abcdef", np.uint8).copy()
ESCAPES = np.zeros(256, np.uint8)
"""The letter behind the backslash of a byte that JSON escapes; 0: the byte stands for itself."""
ESCAPES[:32] = LETTER_U
for _byte, _letter in {8: "b", 9: "t", 10: "n", 12: "f", 13: "r", QUOTE: '"', BACKSLASH: "\\"}.items():
    ESCAPES[_byte] = ord(_letter)

BUFFERS = "Array(int64, 1, 'C', readonly=True), Array(uint8, 1, 'C', readonly=True)"
FOUND = "Tuple((int64[::1], uint8[::1]))"


@njit(f"{FOUND}({BUFFERS})", cache=True, nogil=True)
def quoted(offsets, data):
    """Each text (UTF-8) as a JSON string, with the fewest escapes. O(bytes)."""
    n = len(offsets) - 1
    ends = np.empty(n + 1, np.int64)
    ends[0] = 0
    for i in range(n):
        size = offsets[i + 1] - offsets[i] + 2
        for j in range(offsets[i], offsets[i + 1]):
            letter = ESCAPES[data[j]]
            if letter != 0:
                size += 5 if letter == LETTER_U else 1
        ends[i + 1] = ends[i] + size
    out = np.empty(ends[n], np.uint8)
    for i in range(n):
        at = ends[i]
        out[at] = QUOTE
        at += 1
        if ends[i + 1] - ends[i] == offsets[i + 1] - offsets[i] + 2:
            begin = offsets[i]
            for j in range(offsets[i + 1] - begin):
                out[at + j] = data[begin + j]
        else:
            for j in range(offsets[i], offsets[i + 1]):
                byte = data[j]
                letter = ESCAPES[byte]
                if letter == 0:
                    out[at] = byte
                    at += 1
                    continue
                out[at] = BACKSLASH
                out[at + 1] = letter
                at += 2
                if letter == LETTER_U:
                    out[at], out[at + 1] = ZERO, ZERO
                    out[at + 2], out[at + 3] = HEX[byte >> 4], HEX[byte & 15]
                    at += 4
        out[ends[i + 1] - 1] = QUOTE
    return ends, out


@njit(f"{FOUND}({BUFFERS})", cache=True, nogil=True)
def measured(offsets, data):
    """Each datum behind its length, as Avro has bytes and strings. O(bytes)."""
    n = len(offsets) - 1
    ends = np.empty(n + 1, np.int64)
    ends[0] = 0
    for i in range(n):
        size = offsets[i + 1] - offsets[i]
        ends[i + 1] = ends[i] + varint_size(size) + size
    out = np.empty(ends[n], np.uint8)
    for i in range(n):
        begin = offsets[i]
        size = offsets[i + 1] - begin
        at = put_varint(out, ends[i], size)
        for j in range(size):
            out[at + j] = data[begin + j]
    return ends, out


@njit(f"{FOUND}(int64[::1])", cache=True, nogil=True)
def longs(values):
    """Each number as Avro's int and long. O(n)."""
    n = len(values)
    ends = np.empty(n + 1, np.int64)
    ends[0] = 0
    out = np.empty(n * VARINT_BYTES_MAX, np.uint8)
    at = 0
    for i in range(n):
        at = put_varint(out, at, values[i])
        ends[i + 1] = at
    return ends, out


@njit(f"{FOUND}(int64[::1])", cache=True, nogil=True)
def decimals(values):
    """Each number as Avro's decimal: the fewest bytes of two's complement, the high ones first, behind their count."""
    n = len(values)
    ends = np.empty(n + 1, np.int64)
    ends[0] = 0
    out = np.empty(n * 9, np.uint8)
    at = 0
    for i in range(n):
        value = values[i]
        size = 1
        while size < 8 and not -(1 << (8 * size - 1)) <= value < 1 << (8 * size - 1):
            size += 1
        at = put_varint(out, at, size)
        for k in range(size):
            out[at + k] = np.uint8((value >> (8 * (size - 1 - k))) & 255)
        at += size
        ends[i + 1] = at
    return ends, out
