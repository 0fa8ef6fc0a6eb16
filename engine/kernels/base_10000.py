# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Decimal text to PostgreSQL's binary numeric: digits of base 10,000."""

import numpy as np
from numba import njit

POINT, MINUS, ZERO, LETTER_N = 46, 45, 48, 78
NEGATIVE, NAN = 0x4000, 0xC000


@njit("Tuple((int64[::1], uint8[::1]))(int64[::1], uint8[::1])", cache=True, nogil=True)
def base_10000(offsets, text):
    """(offsets, data) of the binary form of each plain decimal text (digits, perhaps a point and a sign, or NaN).

    int16 count, weight of the first digit, sign, digits after the point; then the digits, all big-endian. O(bytes).
    """
    n = len(offsets) - 1
    room = 0
    for i in range(n):
        room += 8 + 2 * ((offsets[i + 1] - offsets[i]) // 4 + 2)
    out, where = np.empty(room, np.uint8), np.empty(n + 1, np.int64)
    at = 0
    for i in range(n):
        where[i] = at
        begin, end = offsets[i], offsets[i + 1]
        head = at
        at += 8
        if text[begin] == LETTER_N:
            for k in range(8):
                out[head + k] = 0
            out[head + 4], out[head + 5] = NAN >> 8, NAN & 255
            continue
        sign = 0
        if text[begin] == MINUS:
            sign = NEGATIVE
            begin += 1
        point = begin
        while point < end and text[point] != POINT:
            point += 1
        scale = max(0, end - point - 1)
        whole = point - begin
        groups, after = (whole + 3) // 4, (scale + 3) // 4
        weight = groups - 1
        count, filled = 0, 0
        for g in range(groups + after):
            digit = 0
            for k in range(4):
                if g < groups:
                    place = begin + whole - 4 * (groups - g) + k
                    known = place >= begin
                else:
                    place = point + 1 + 4 * (g - groups) + k
                    known = place < end
                digit = digit * 10 + (np.int64(text[place]) - ZERO if known else 0)
            if digit == 0 and count == 0:
                weight -= 1
                continue
            out[at + 2 * count], out[at + 2 * count + 1] = digit >> 8, digit & 255
            count += 1
            if digit != 0:
                filled = count
        if filled == 0:
            weight, sign = 0, 0
        at += 2 * filled
        out[head], out[head + 1] = filled >> 8, filled & 255
        out[head + 2], out[head + 3] = (weight >> 8) & 255, weight & 255
        out[head + 4], out[head + 5] = sign >> 8, sign & 255
        out[head + 6], out[head + 7] = scale >> 8, scale & 255
    where[n] = at
    return where, out[:at].copy()
