# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Packed decimals: bit 63 clear, scale 0..31 in bits 58..62, mantissa as 58-bit two's complement below, value m / 10^s.

Canonical: trailing zeros after the point are trimmed and |m| < 2^57, so equal numbers have equal words and 0 is word 0.
With bit 63 set the rest is a heap code of canonical decimal text; kernels pass such rows, and results that do not fit,
to the caller as `slow`. Wide numbers are (hi, lo) halves of an int128 at a scale; what of them does not pack leaves as
text to be interned.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.memory import multiply_high

TENS = np.array([10**k for k in range(19)], np.int64)
MANTISSA_END = 1 << 57
SCALE_MAX = 31
DIGITS_MAX = 39
"""Significant digits of a numeric, and its largest scale: Materialize's limits."""

ADD, SUBTRACT, MULTIPLY, REMAINDER = 0, 1, 2, 3
NEGATE, ABSOLUTE, ROUND, TRUNCATE, FLOOR, CEIL, SIGN = 0, 1, 2, 3, 4, 5, 6
WIDE_OUT = "Tuple((uint64[::1], boolean[::1], int64[::1], uint8[::1]))"


@register_jitable
def mantissa(word):
    """The mantissa of a packed decimal, int64."""
    return np.int64(word << np.uint64(6)) >> 6


@register_jitable
def scale_of(word):
    """The scale of a packed decimal, int64."""
    return np.int64((word >> np.uint64(58)) & np.uint64(31))


@register_jitable
def pack(m, scale):
    """(word, fits) of the number m / 10^scale, int64 m, any scale >= 0."""
    while scale > 0 and (m & 1) == 0 and m % 10 == 0:
        if m == 0:
            return np.uint64(0), True
        m //= 10
        scale -= 1
    if scale > SCALE_MAX or m >= MANTISSA_END or m <= -MANTISSA_END:
        return np.uint64(0), False
    return (np.uint64(scale) << np.uint64(58)) | (np.uint64(m) & np.uint64((1 << 58) - 1)), True


@register_jitable
def pack_wide(hi, lo, scale):
    """(word, fits) of the int128 (hi int64, lo uint64) / 10^scale; numbers beyond int64 count as not fitting."""
    m = np.int64(lo)
    if hi != m >> 63:
        return np.uint64(0), False
    return pack(m, scale)


@register_jitable
def widened(m, places):
    """(m * 10^places, fits in 62 bits)."""
    if places == 0 or m == 0:
        return m, True
    if places > 18 or abs(m) > (1 << 62) // TENS[places]:
        return np.int64(0), False
    return m * TENS[places], True


@register_jitable
def _product(a, b, scale):
    x, y = np.uint64(abs(a)), np.uint64(abs(b))
    low = x * y
    if multiply_high(x, y) != 0 or low >= np.uint64(1 << 63):
        return np.uint64(0), False
    return pack(-np.int64(low) if (a < 0) != (b < 0) else np.int64(low), scale)


@njit("int64(int64, uint64[::1], uint64[::1], uint64[::1], boolean[::1])", cache=True, nogil=True)
def arithmetic(operation, a, b, out, slow):
    """out = a (operation) b row by row; rows it cannot do exactly are `slow`, and counted. x % 0 is slow. O(n)."""
    count = 0
    for i in range(len(out)):
        fits = False
        word = np.uint64(0)
        if (a[i] | b[i]) >> np.uint64(63) == 0:
            m, s, k, t = mantissa(a[i]), scale_of(a[i]), mantissa(b[i]), scale_of(b[i])
            if operation == MULTIPLY:
                word, fits = _product(m, k, s + t)
            else:
                fits = True
                if s < t:
                    m, fits = widened(m, t - s)
                    s = t
                elif t < s:
                    k, fits = widened(k, s - t)
                if fits:
                    if operation == ADD:
                        word, fits = pack(m + k, s)
                    elif operation == SUBTRACT:
                        word, fits = pack(m - k, s)
                    elif k != 0:
                        rest = abs(m) % abs(k)
                        word, fits = pack(-rest if m < 0 else rest, s)
                    else:
                        fits = False
        out[i] = word
        slow[i] = not fits
        count += not fits
    return count


@njit("int64(int64, uint64[::1], int64, uint64[::1], boolean[::1])", cache=True, nogil=True)
def adjust(operation, words, places, out, slow):
    """A function of one number; ROUND (half away from 0) and TRUNCATE keep `places` (>= 0) digits. O(n)."""
    count = 0
    for i in range(len(out)):
        word = words[i]
        fits = word >> np.uint64(63) == 0
        if fits:
            m, s = mantissa(word), scale_of(word)
            if operation == NEGATE:
                word, fits = pack(-m, s)
            elif operation == ABSOLUTE:
                word, fits = pack(abs(m), s)
            elif operation == SIGN:
                word, fits = pack(np.int64(np.sign(m)), 0)
            else:
                keep = places if operation <= TRUNCATE else 0
                cut = s - keep
                if cut > 18:
                    whole, rest, unit = np.int64(0), m, np.int64(0)
                elif cut > 0:
                    unit = TENS[cut]
                    whole = m // unit if m >= 0 else -((-m) // unit)
                    rest = m - whole * unit
                else:
                    whole, rest, unit = m, np.int64(0), np.int64(0)
                if cut > 0:
                    if operation == ROUND:
                        # beyond 18 digits the unit exceeds any mantissa by more than double: rounds to 0
                        if unit > 0 and abs(rest) >= unit - abs(rest):
                            whole += 1 if m > 0 else -1
                    elif operation == FLOOR:
                        whole -= rest < 0
                    elif operation == CEIL:
                        whole += rest > 0
                    word, fits = pack(whole, keep)
        out[i] = word if fits else np.uint64(0)
        slow[i] = not fits
        count += not fits
    return count


@register_jitable
def _digits(hi, lo, digits):
    """Decimal digits of |hi:lo| into `digits` (40 or more), most significant first; how many, no leading zeros."""
    if hi < 0:
        lo = ~lo + np.uint64(1)
        hi = ~hi + (1 if lo == 0 else 0)
    # base 2^32 limbs divided by 10^9 at a time
    a, b = np.uint64(hi) >> np.uint64(32), np.uint64(hi) & np.uint64(0xFFFFFFFF)
    c, d = lo >> np.uint64(32), lo & np.uint64(0xFFFFFFFF)
    base = np.uint64(1000000000)
    at = 45
    while (a | b | c | d) != 0:
        rest = a % base
        a //= base
        b |= rest << np.uint64(32)
        rest = b % base
        b //= base
        c |= rest << np.uint64(32)
        rest = c % base
        c //= base
        d |= rest << np.uint64(32)
        rest = d % base
        d //= base
        for _ in range(9):
            at -= 1
            digits[at] = rest % np.uint64(10)
            rest //= np.uint64(10)
    begin = at
    while begin < 45 and digits[begin] == 0:
        begin += 1
    for k in range(begin, 45):
        digits[k - begin] = digits[k]
    return 45 - begin


@register_jitable
def _write(digits, n, scale, negative, out, at):
    """Text of the number 0.d1..dn * 10^(n - scale), n digits without leading zeros, scale >= 0; where it ends."""
    if negative and n > 0:
        out[at] = 45
        at += 1
    if n <= scale:
        out[at] = 48
        at += 1
    for k in range(n - scale):
        out[at] = 48 + digits[k]
        at += 1
    if scale > 0:
        out[at] = 46
        at += 1
        for k in range(n - scale, n):
            out[at] = 48 if k < 0 else 48 + digits[k]
            at += 1
    return at


@register_jitable
def _settle(digits, n, scale, negative, out, at):
    """(word, fits in 39 digits, end of text): the trimmed number packed, or as text appended to `out`."""
    while n > 0 and scale > 0 and digits[n - 1] == 0:
        n -= 1
        scale -= 1
    if n == 0:
        return np.uint64(0), True, at
    if n > DIGITS_MAX or scale > DIGITS_MAX:
        return np.uint64(0), False, at
    if n <= 18:
        m = np.int64(0)
        for k in range(n):
            m = m * 10 + np.int64(digits[k])
        word, fits = pack(-m if negative else m, scale)
        if fits:
            return word, True, at
    return np.uint64(0), True, _write(digits, n, scale, negative, out, at)


@register_jitable
def _room(out, at):
    """The buffer, with room for one more number after `at`."""
    if at + 2 * DIGITS_MAX + 4 <= len(out):
        return out
    larger = np.empty(2 * len(out) + 128, np.uint8)
    for k in range(at):
        larger[k] = out[k]
    return larger


@njit(f"{WIDE_OUT}(int64[::1], uint64[::1], int64[::1])", cache=True, nogil=True)
def pack_all_wide(hi, lo, scale):
    """(words, failed, offsets, text) of the int128s (hi, lo) / 10^scale; row i is text where its span is not empty.

    A row failed when it has more than 39 digits. O(n) and 0.2 us for each row that does not pack.
    """
    n = len(hi)
    words, failed, offsets = np.zeros(n, np.uint64), np.zeros(n, np.bool_), np.zeros(n + 1, np.int64)
    text, at = np.empty(64, np.uint8), 0
    digits = np.zeros(96, np.uint8)
    for i in range(n):
        word, fits = pack_wide(hi[i], lo[i], scale[i])
        if not fits:
            text = _room(text, at)
            count = _digits(hi[i], lo[i], digits)
            word, fits, at = _settle(digits, count, scale[i], hi[i] < 0, text, at)
        words[i] = word
        failed[i] = not fits
        offsets[i + 1] = at
    return words, failed, offsets, text[:at].copy()


@njit(f"{WIDE_OUT}(int64[::1], uint64[::1], int64[::1], int64[::1], int64[::1])", cache=True, nogil=True)
def divide_wide(hi, lo, scale, divisor, divisor_scale):
    """(words, failed, offsets, text) of (hi:lo / 10^scale) / (divisor / 10^divisor_scale); output as pack_all_wide's.

    Long division to 39 significant digits and 39 places, half away from zero. |divisor| < 10^18; a divisor of 0 yields
    word 0 and is the caller's error. A row failed when its integer part has more than 39 digits. O(n), 0.5 us a row.
    """
    n = len(hi)
    words, failed, offsets = np.zeros(n, np.uint64), np.zeros(n, np.bool_), np.zeros(n + 1, np.int64)
    text, at = np.empty(64, np.uint8), 0
    digits, quotient = np.zeros(96, np.uint8), np.zeros(96, np.uint8)
    ten = np.uint64(10)
    for i in range(n):
        by = np.uint64(abs(divisor[i]))
        if by != 0:
            text = _room(text, at)
            negative = (hi[i] < 0) != (divisor[i] < 0)
            count = _digits(hi[i], lo[i], digits)
            rest, q, k = np.uint64(0), 0, 0
            places = scale[i] - divisor_scale[i] - count
            # One quotient digit a step; `places` counts those behind the point. Digits past the dividend's are zeros.
            while k < count or places < 0 or (rest != 0 and q <= DIGITS_MAX and places <= DIGITS_MAX):
                rest = rest * ten
                if k < count:
                    rest += np.uint64(digits[k])
                digit = rest // by
                rest -= digit * by
                if q > 0 or digit != 0:
                    quotient[q] = digit
                    q += 1
                k += 1
                places += 1
            excess = max(q - DIGITS_MAX, places - DIGITS_MAX)
            if excess > 0 and places >= excess:
                if excess > q:
                    q = 0
                else:
                    q -= excess
                    places -= excess
                    if quotient[q] >= 5:
                        k = q - 1
                        while k >= 0 and quotient[k] == 9:
                            quotient[k] = 0
                            k -= 1
                        if k >= 0:
                            quotient[k] += 1
                        else:
                            for j in range(q, 0, -1):
                                quotient[j] = quotient[j - 1]
                            quotient[0] = 1
                            q += 1
            words[i], fits, at = _settle(quotient, q, places, negative, text, at)
            failed[i] = not fits
        offsets[i + 1] = at
    return words, failed, offsets, text[:at].copy()


@njit("Tuple((int64[::1], uint8[::1]))(uint64[::1], int64[::1], uint32[::1], uint8[::1])", cache=True, nogil=True)
def format_all(words, start, length, data):
    """Text of numerics, packed or on the heap (start, length, data), as offsets int64[n + 1] and bytes. O(bytes)."""
    n = len(words)
    offsets = np.zeros(n + 1, np.int64)
    out, at = np.empty(n * 12 + 128, np.uint8), 0
    digits = np.zeros(96, np.uint8)
    for i in range(n):
        out = _room(out, at)
        word = words[i]
        if word >> np.uint64(63) != 0:
            code = word & np.uint64((1 << 63) - 1)
            for k in range(np.int64(length[code])):
                out[at] = data[start[code] + k]
                at += 1
        else:
            m = mantissa(word)
            rest = np.uint64(abs(m))
            count = 0
            while rest != 0:
                digits[count] = rest % np.uint64(10)
                rest //= np.uint64(10)
                count += 1
            for k in range(count // 2):
                digits[k], digits[count - 1 - k] = digits[count - 1 - k], digits[k]
            if count == 0:
                out[at] = 48
                at += 1
            else:
                at = _write(digits, count, scale_of(word), m < 0, out, at)
        offsets[i + 1] = at
    return offsets, out[:at].copy()


@njit(
    "int64(Array(int64, 1, 'C', readonly=True), Array(uint8, 1, 'C', readonly=True), uint64[::1], boolean[::1])",
    cache=True,
    nogil=True,
)
def parse_all(offsets, source, out, slow):
    """Numerics written as [+-]digits[.digits] in at most 18 digits; other rows are `slow`, and counted. O(bytes)."""
    count = 0
    for i in range(len(out)):
        at, end = offsets[i], offsets[i + 1]
        negative = at < end and source[at] == 45
        at += at < end and (source[at] == 45 or source[at] == 43)
        m, digits, scale, point = np.int64(0), 0, 0, False
        fits = end - at <= 19
        while fits and at < end:
            c = np.int64(source[at])
            if 48 <= c <= 57:
                m = m * 10 + (c - 48)
                digits += 1
                scale += point
            elif c == 46 and not point:
                point = True
            else:
                fits = False
            at += 1
        word = np.uint64(0)
        if fits and 0 < digits <= 18:
            word, fits = pack(-m if negative else m, scale)
        else:
            fits = False
        out[i] = word
        slow[i] = not fits
        count += not fits
    return count
