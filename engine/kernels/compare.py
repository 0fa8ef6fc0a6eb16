# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The order of words, for every physical layout (engine/types.py: Physical gives the numbers).

Law: a total order whose ties are exactly equal words, so ordered structures need no second look at the data. Intervals
order by length, then months, then days; numerics by value, the infinities at the ends and NaN last; text, bytea and
uuid bytewise; jsonb as json_order.py says.

`order_prefix` maps words to uint64 so that a < b implies prefix(a) <= prefix(b). For BOOLEAN, SIGNED and FLOAT it is
exact: equal prefixes mean equal words. For the others a tie is settled by `compare`.

What needs the heap is compiled here, once, without reference counting, and called; a dozen kernels that each took it
in anew made a third of the first start.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.json_order import compare_documents, document_prefix
from engine.kernels.memory import byteswap, load64, load_tail
from engine.kernels.numeric import TENS, mantissa, scale_of

BOOLEAN, SIGNED, FLOAT, DECIMAL, BYTES, INTERVAL, JSON = 0, 1, 2, 3, 4, 5, 6
SIGN = np.uint64(1 << 63)
DAY = 86_400_000_000
VIEW = "int64[::1], uint32[::1], uint8[::1]"
"""The heap's view, as the signatures of kernels have it."""


@register_jitable
def compare(kind, a, b, start, length, data):
    """-1, 0 or 1 as word a sorts before, with or after word b; (start, length, data) is the heap's view.

    O(1), on heap data O(common bytes).
    """
    if a == b:
        return 0
    if kind <= FLOAT:
        return -1 if simple_prefix(kind, a) < simple_prefix(kind, b) else 1
    return compare_data(kind, a, b, start, length, data)


@register_jitable
def simple_prefix(kind, word):
    """The order prefix of the layouts that need no heap."""
    if kind == SIGNED:
        return word ^ SIGN
    if kind == FLOAT:
        return ~word if word >> np.uint64(63) != 0 else word | SIGN
    return word


@register_jitable
def prefix(kind, word, start, length, data):
    """The order prefix of one word."""
    if kind <= FLOAT:
        return simple_prefix(kind, word)
    return data_prefix(kind, word, start, length, data)


@register_jitable
def _compare_bytes(a, b, start, length, data):
    i, j = start[a], start[b]
    n, m = np.int64(length[a]), np.int64(length[b])
    common = min(n, m)
    while common > 8:
        x, y = load64(data, i), load64(data, j)
        if x != y:
            return -1 if byteswap(x) < byteswap(y) else 1
        i += 8
        j += 8
        common -= 8
    x, y = byteswap(load_tail(data, i, common)), byteswap(load_tail(data, j, common))
    if x != y:
        return -1 if x < y else 1
    return -1 if n < m else 1


@register_jitable
def _span(word, start, data):
    """An interval's length as (days, microseconds of the last day), 30 days a month."""
    at = start[word]
    head, micros = load64(data, at), np.int64(load64(data, at + 8))
    months, days = np.int64(np.int32(head & np.uint64(0xFFFFFFFF))), np.int64(head) >> 32
    over = micros // DAY
    return months * 30 + days + over, micros - over * DAY


@register_jitable
def _compare_intervals(a, b, start, data):
    days, rest = _span(a, start, data)
    others, other = _span(b, start, data)
    if days != others:
        return -1 if days < others else 1
    if rest != other:
        return -1 if rest < other else 1
    x, y = load64(data, start[a]), load64(data, start[b])
    months, other_months = np.int32(x & np.uint64(0xFFFFFFFF)), np.int32(y & np.uint64(0xFFFFFFFF))
    if months != other_months:
        return -1 if months < other_months else 1
    return -1 if np.int64(x) >> 32 < np.int64(y) >> 32 else 1


@register_jitable
def _packed(word):
    return word >> np.uint64(63) == 0


@register_jitable
def _compare_decimals(a, b, start, length, data):
    if _packed(a) and _packed(b):
        m, s, k, t = mantissa(a), scale_of(a), mantissa(b), scale_of(b)
        if s == t or (m < 0) != (k < 0):
            return -1 if m < k else 1
        sign = -1 if m < 0 else 1
        larger = _above(abs(m), s, abs(k), t) if s < t else not _above(abs(k), t, abs(m), s)
        return sign if larger else -sign
    x, y = _decimal_prefix(a, start, length, data), _decimal_prefix(b, start, length, data)
    if x != y:
        return -1 if x < y else 1
    # The same sign and 16 leading digits: the number with the greater digit where they first differ is the larger.
    sign = 1 if x >= SIGN else -1
    for place in range(40, -41, -1):
        p, q = _digit(a, place, start, length, data), _digit(b, place, start, length, data)
        if p != q:
            return -sign if p < q else sign
    return 0


@register_jitable
def _above(m, s, k, t):
    """Whether m / 10^s > k / 10^t for m, k >= 0, s < t, numbers that differ."""
    places = t - s
    if places > 18 or m > (1 << 62) // TENS[places]:
        return m != 0
    return m * TENS[places] > k


@register_jitable
def _point(code, start, length, data):
    """Where the digits of a heap decimal begin, how many stand before its point, and where it ends."""
    at, end = start[code], start[code] + np.int64(length[code])
    if data[at] == 45:
        at += 1
    point = at
    while point < end and data[point] != 46:
        point += 1
    return at, point, end


@register_jitable
def _digit(word, place, start, length, data):
    """The digit that counts 10^place."""
    if _packed(word):
        unit = place + scale_of(word)
        return abs(mantissa(word)) // TENS[unit] % 10 if 0 <= unit <= 17 else 0
    at, point, end = _point(word ^ SIGN, start, length, data)
    where = point - 1 - place if place >= 0 else point - place
    return np.int64(data[where]) - 48 if at <= where < end else 0


@register_jitable
def _decimal_prefix(word, start, length, data):
    """Sign, decimal exponent (8 bits) and 16 leading digits (54 bits): truncation keeps the order."""
    leading, exponent, negative = np.int64(0), 0, False
    if _packed(word):
        m = mantissa(word)
        if m == 0:
            return SIGN
        negative = m < 0
        leading = abs(m)
        digits = 1
        while digits < 18 and leading >= TENS[digits]:
            digits += 1
        exponent = digits - scale_of(word)
        leading = leading // TENS[digits - 16] if digits > 16 else leading * TENS[16 - digits]
    else:
        code = word ^ SIGN
        at, point, end = _point(code, start, length, data)
        negative = data[start[code]] == 45
        if data[at] == 78:  # NaN
            return np.uint64(0xFFFFFFFFFFFFFFFF)
        if data[at] == 73:  # Infinity
            return np.uint64(0) if negative else np.uint64(0xFFFFFFFFFFFFFFFE)
        exponent = point - at
        while at < end and (data[at] == 48 or data[at] == 46):
            exponent -= data[at] == 48
            at += 1
        digits = 0
        while digits < 16:
            if at < end and data[at] == 46:
                at += 1
                continue
            leading = leading * 10
            if at < end:
                leading += np.int64(data[at]) - 48
                at += 1
            digits += 1
    magnitude = (np.uint64(exponent + 64) << np.uint64(54)) | np.uint64(leading)
    return SIGN - magnitude if negative else SIGN + magnitude


@njit(f"int64(int64, uint64, uint64, {VIEW})", cache=True, nogil=True, _nrt=False)  # pyright: ignore[reportCallIssue]
def compare_data(kind, a, b, start, length, data):
    """`compare` of words that differ and are more than themselves."""
    if kind == DECIMAL:
        return _compare_decimals(a, b, start, length, data)
    if kind == INTERVAL:
        return _compare_intervals(a, b, start, data)
    if kind == JSON:
        end, other_end = start[a] + np.int64(length[a]), start[b] + np.int64(length[b])
        return compare_documents(data, start[a], end, start[b], other_end)
    return _compare_bytes(a, b, start, length, data)


@njit(f"uint64(int64, uint64, {VIEW})", cache=True, nogil=True, _nrt=False)  # pyright: ignore[reportCallIssue]
def data_prefix(kind, word, start, length, data):
    """`prefix` of a word that is more than itself."""
    if kind == DECIMAL:
        return _decimal_prefix(word, start, length, data)
    if kind == INTERVAL:
        days, rest = _span(word, start, data)
        return (np.uint64(days + (1 << 37)) << np.uint64(26)) | (np.uint64(rest) >> np.uint64(11))
    if kind == JSON:
        return document_prefix(data, start[word], start[word] + np.int64(length[word]))
    return byteswap(load_tail(data, start[word], min(np.int64(length[word]), 8)))


@njit("uint64[::1](int64, uint64[::1], int64[::1], uint32[::1], uint8[::1])", cache=True, nogil=True)
def order_prefix(kind, words, start, length, data):
    """The order prefix of each word: uint64[n]. O(n)."""
    out = np.empty(len(words), np.uint64)
    for i in range(len(words)):
        out[i] = prefix(kind, words[i], start, length, data)
    return out


@njit("int8[::1](int64, uint64[::1], uint64[::1], int64[::1], uint32[::1], uint8[::1])", cache=True, nogil=True)
def compare_all(kind, a, b, start, length, data):
    """`compare` row by row: int8[n] of -1, 0, 1. O(n), on heap data O(common bytes)."""
    out = np.empty(len(a), np.int8)
    for i in range(len(a)):
        out[i] = compare(kind, a[i], b[i], start, length, data)
    return out
