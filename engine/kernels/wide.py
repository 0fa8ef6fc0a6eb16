# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Exact sums: two's complement numbers of a few 64-bit limbs, the lowest first, inside rows of a uint64 matrix.

Integers add up in 2 limbs. Doubles and decimals add up in 6 limbs (384 bits) as fixed point, so a sum is exact, does
not depend on the order, and returns to where it was when rows go:
  double   in units of 2^-224: every finite x with 2^-170 <= |x| < 2^118 is a whole number of them, and the sum of |x|
           may reach 2^158. What lies outside is the caller's (a Python integer per group).
  decimal  in units of 10^-scale, scale <= 39: 39-digit values leave 2^64 of room above the largest.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.memory import multiply_high
from engine.kernels.numeric import DIGITS_MAX, pack

LIMBS = 6
FLOAT_SCALE = 224
"""A double's sum is a whole number of 2^-FLOAT_SCALE."""
EXPONENT_LOW, EXPONENT_HIGH = 1023 - 170, 1023 + 118
"""Biased exponents e of doubles that are added in limbs: EXPONENT_LOW <= e < EXPONENT_HIGH."""
SQUARE_LOW, SQUARE_HIGH = 1023 - 60, 1023 + 59
"""The same for doubles whose squares are added too: the square's last bit is not below 2^-224."""
POWERS = np.array([[(10**k >> (64 * i)) & (2**64 - 1) for i in range(3)] for k in range(DIGITS_MAX + 1)], np.uint64)
"""10^0 .. 10^39 in 3 limbs."""
ZERO, ONE = np.uint64(0), np.uint64(1)
OVERFLOW = np.uint64(1 << 63)
"""No numeric: what a division yields that has more than 39 digits before its point."""
MANTISSA = np.uint64((1 << 52) - 1)
BILLION = np.uint64(1_000_000_000)
HALF = np.uint64(0xFFFFFFFF)


@register_jitable
def add_wide(rows, g, offset, limbs, at, a0, a1, a2, a3, a4, negative):
    """rows[g, offset:offset+limbs] += or -= the five-limb magnitude a, shifted up by `at` limbs. O(limbs)."""
    carry = ZERO
    for j in range(at, limbs):
        k = j - at
        if k == 0:
            a = a0
        elif k == 1:
            a = a1
        elif k == 2:
            a = a2
        elif k == 3:
            a = a3
        elif k == 4:
            a = a4
        else:
            a = ZERO
            if carry == ZERO:
                break
        x = rows[g, offset + j]
        if negative:
            y = x - a
            z = y - carry
            carry = ONE if (x < a or y < carry) else ZERO
        else:
            y = x + a
            z = y + carry
            carry = ONE if (y < a or z < carry) else ZERO
        rows[g, offset + j] = z


@register_jitable
def product_2_3(lo, hi, p0, p1, p2):
    """The five limbs of (hi, lo) times (p2, p1, p0)."""
    r0 = lo * p0
    r1 = multiply_high(lo, p0)
    x = lo * p1
    y = multiply_high(lo, p1)
    r1 = r1 + x
    r2 = y + (ONE if r1 < x else ZERO)
    x = lo * p2
    y = multiply_high(lo, p2)
    r2 = r2 + x
    r3 = y + (ONE if r2 < x else ZERO)
    x = hi * p0
    carry = multiply_high(hi, p0)
    r1 = r1 + x
    carry = carry + (ONE if r1 < x else ZERO)
    x = hi * p1
    y = multiply_high(hi, p1)
    x = x + carry
    y = y + (ONE if x < carry else ZERO)
    r2 = r2 + x
    carry = y + (ONE if r2 < x else ZERO)
    x = hi * p2
    y = multiply_high(hi, p2)
    x = x + carry
    y = y + (ONE if x < carry else ZERO)
    r3 = r3 + x
    r4 = y + (ONE if r3 < x else ZERO)
    return r0, r1, r2, r3, r4


@register_jitable
def magnitude(x):
    """|x| of an int64 as uint64, and whether x is negative."""
    return (np.uint64(0) - np.uint64(x), True) if x < 0 else (np.uint64(x), False)


@register_jitable
def add_product(rows, g, offset, limbs, x, diff):
    """Add x * diff, both int64. O(1)."""
    a, minus = magnitude(x)
    d, down = magnitude(diff)
    if d == ONE:
        add_wide(rows, g, offset, limbs, 0, a, ZERO, ZERO, ZERO, ZERO, minus != down)
    else:
        add_wide(rows, g, offset, limbs, 0, a * d, multiply_high(a, d), ZERO, ZERO, ZERO, minus != down)


@register_jitable
def add_at_bit(rows, g, offset, lo, hi, bit, negative):
    """Add (hi, lo) * 2^bit into LIMBS limbs. O(1)."""
    s = np.uint64(bit & 63)
    if s == ZERO:
        add_wide(rows, g, offset, LIMBS, bit >> 6, lo, hi, ZERO, ZERO, ZERO, negative)
    else:
        r = np.uint64(64) - s
        add_wide(rows, g, offset, LIMBS, bit >> 6, lo << s, (hi << s) | (lo >> r), hi >> r, ZERO, ZERO, negative)


@register_jitable
def top_bit(x):
    """The number of the highest set bit of x > 0."""
    n = 0
    for s in (32, 16, 8, 4, 2, 1):
        if x >> np.uint64(s) != ZERO:
            x = x >> np.uint64(s)
            n += s
    return n


@register_jitable
def absolute(rows, g, offset, limbs, out):
    """out[0:len(out)] = |number|, sign returned (True: negative). The number may have fewer limbs than `out`."""
    negative = (rows[g, offset + limbs - 1] >> np.uint64(63)) != ZERO
    carry = ONE
    for j in range(len(out)):
        x = rows[g, offset + j] if j < limbs else (~ZERO if negative else ZERO)
        if negative:
            x = ~x + carry
            carry = ONE if (carry == ONE and x == ZERO) else ZERO
        out[j] = x
    return negative


@register_jitable
def to_double(limbs, negative, scale):
    """limbs * 2^-scale rounded to the nearest double, ties to even. O(limbs)."""
    j = len(limbs) - 1
    while j >= 0 and limbs[j] == ZERO:
        j -= 1
    if j < 0:
        return 0.0
    top = top_bit(limbs[j])
    # The highest 64 bits, left-aligned, with everything below them in `sticky`.
    up = np.uint64(63 - top)
    head = limbs[j] << up
    sticky = False
    if j > 0:
        if up != ZERO:
            head |= limbs[j - 1] >> (np.uint64(64) - up)
            sticky = (limbs[j - 1] << up) != ZERO
        else:
            sticky = limbs[j - 1] != ZERO
        for k in range(j - 1):
            if limbs[k] != ZERO:
                sticky = True
    kept = head >> np.uint64(11)
    rest = head & np.uint64(2047)
    if rest > np.uint64(1024) or (rest == np.uint64(1024) and (sticky or (kept & ONE) == ONE)):
        kept += ONE
    value = np.ldexp(np.float64(np.int64(kept)), 64 * j + top - 52 - scale)
    return -value if negative else value


@register_jitable
def scale_wide(rows, g, offset, limbs, factor):
    """Multiply in place by an unsigned word (two's complement needs no care). O(limbs)."""
    carry = ZERO
    for j in range(limbs):
        x = rows[g, offset + j]
        lo = x * factor + carry
        carry = multiply_high(x, factor) + (ONE if lo < carry else ZERO)
        rows[g, offset + j] = lo


@njit("void(uint64[:, ::1], int64, int64, int64)", cache=True, nogil=True)
def rescale(rows, used, offset, power):
    """Multiply the LIMBS-limb numbers at `offset` of the first `used` rows by 10^power. O(used)."""
    while power > 0:
        step = min(power, 19)
        factor = POWERS[step, 0]
        for g in range(used):
            scale_wide(rows, g, offset, LIMBS, factor)
        power -= step


@njit("void(uint64[:, ::1], int32[::1], int64, uint64[:, ::1], int64[::1])", cache=True, nogil=True)
def add_numbers(rows, gids, offset, numbers, diffs):
    """rows[gids[i], offset:] += numbers[i] * diffs[i], numbers uint64[n, LIMBS] in two's complement. O(n)."""
    for i in range(len(gids)):
        d, down = magnitude(diffs[i])
        carry = ZERO
        borrow = ZERO
        for j in range(LIMBS):
            x = numbers[i, j]
            lo = x * d + carry
            carry = multiply_high(x, d) + (ONE if lo < carry else ZERO)
            y = rows[gids[i], offset + j]
            if down:
                t = y - lo
                z = t - borrow
                borrow = ONE if (y < lo or t < borrow) else ZERO
            else:
                t = y + lo
                z = t + borrow
                borrow = ONE if (t < lo or z < borrow) else ZERO
            rows[gids[i], offset + j] = z


@njit(
    "int64(uint64[:, ::1], int64[::1], int64, uint64[::1], uint8[::1], int64[::1])",
    cache=True,
    nogil=True,
)
def divide_decimals(numbers, divisors, scale, words, text, offsets):
    """numbers[i] * 10^-scale / divisors[i] as numerics of 39 significant digits, rounded half away from zero.

    `numbers` uint64[n, LIMBS] in two's complement, 0 < divisors < 2^63, 0 <= scale <= 39. words[i] is the packed
    numeric where it fits; else 0 and text[offsets[i]:offsets[i+1]] its decimal text; or OVERFLOW where it has more
    than 39 digits before the point. `text` has room for 96 bytes a row. Returns the bytes of text. Long division in
    base 10^9: O(15^2) a row.
    """
    limbs = np.empty(LIMBS, np.uint64)
    halves = np.empty(2 * LIMBS, np.uint64)
    digits = np.empty(32, np.uint64)  # base 10^9, the highest first
    decimals = np.empty(9 * 32, np.uint8)
    end = 0
    for i in range(len(divisors)):
        offsets[i] = end
        negative = absolute(numbers, i, 0, LIMBS, limbs)
        for j in range(LIMBS):
            halves[2 * j] = limbs[j] & HALF
            halves[2 * j + 1] = limbs[j] >> np.uint64(32)
        # Base 10^9 digits of the number, from the lowest.
        size = 0
        top = 2 * LIMBS - 1
        while top >= 0 and halves[top] == ZERO:
            top -= 1
        while top >= 0:
            rest = ZERO
            for j in range(top, -1, -1):
                x = (rest << np.uint64(32)) | halves[j]
                halves[j] = x // BILLION
                rest = x - halves[j] * BILLION
            digits[size] = rest
            size += 1
            while top >= 0 and halves[top] == ZERO:
                top -= 1
        if size == 0:
            words[i] = ZERO
            continue
        for j in range(size // 2):
            digits[j], digits[size - 1 - j] = digits[size - 1 - j], digits[j]
        # Divide digit by digit, on into the fraction until 39 significant digits and one more block are there.
        divisor = np.uint64(divisors[i])
        rest = ZERO
        j = 0
        first = -1
        while True:
            x = digits[j] if j < size else ZERO
            if divisor < np.uint64(1 << 33):
                y = rest * BILLION + x
                q = y // divisor
                rest = y - q * divisor
            else:  # 30 bits of the quotient, one at a time: rest * 10^9 would not fit a word
                high = multiply_high(rest, BILLION)
                low = rest * BILLION + x
                if low < x:
                    high += ONE
                q = ZERO
                for b in range(29, -1, -1):
                    s = np.uint64(b)
                    dh = ZERO if b == 0 else divisor >> (np.uint64(64) - s)
                    dl = divisor << s
                    if high > dh or (high == dh and low >= dl):
                        high = high - dh - (ONE if low < dl else ZERO)
                        low = low - dl
                        q |= ONE << s
                rest = low
            digits[j] = q
            if first < 0 and q != ZERO:
                first = j
            j += 1
            if j >= size and (rest == ZERO or (first >= 0 and j - first >= 6)):
                break
        blocks = j
        power = scale + 9 * (blocks - size)  # of ten, by which the last block's unit is divided
        for b in range(blocks):
            q = digits[b]
            for k in range(8, -1, -1):
                decimals[9 * b + k] = np.uint8(q % np.uint64(10))
                q = q // np.uint64(10)
        count = 9 * blocks
        begin = 0
        while begin < count and decimals[begin] == 0:
            begin += 1
        if begin == count:
            words[i] = ZERO
            continue
        # Round to 39 digits and to a scale of 39.
        keep = begin + DIGITS_MAX
        keep = min(keep, count - (power - DIGITS_MAX))
        if keep < count:
            if count - power > keep:  # more than 39 digits before the point
                words[i] = OVERFLOW
                continue
            if keep < begin:
                words[i] = ZERO
                continue
            up = decimals[keep] >= 5
            power -= count - keep
            count = keep
            if up:
                k = count - 1
                while k >= begin and decimals[k] == 9:
                    decimals[k] = 0
                    k -= 1
                if k >= begin:
                    decimals[k] += 1
                elif begin > 0:
                    begin -= 1
                    decimals[begin] = 1
                else:  # 9..9 became 10..0, and there is no place before it: one digit fewer behind
                    decimals[0] = 1
                    for k in range(1, count):
                        decimals[k] = 0
                    power -= 1
        while power > 0 and count > begin and decimals[count - 1] == 0:
            count -= 1
            power -= 1
        if count == begin:
            words[i] = ZERO
            continue
        if count - begin > DIGITS_MAX or power < 0:
            words[i] = OVERFLOW
            continue
        if count - begin <= 18:
            m = ZERO
            for k in range(begin, count):
                m = m * np.uint64(10) + np.uint64(decimals[k])
            word, fits = pack(-np.int64(m) if negative else np.int64(m), power)
            if fits:
                words[i] = word
                continue
        words[i] = ZERO
        if negative:
            text[end] = 45
            end += 1
        whole = count - begin - power
        if whole <= 0:
            text[end] = 48
            text[end + 1] = 46
            end += 2
            for _ in range(-whole):
                text[end] = 48
                end += 1
            whole = -1
        for k in range(begin, count):
            if k - begin == whole:
                text[end] = 46
                end += 1
            text[end] = 48 + decimals[k]
            end += 1
    offsets[len(divisors)] = end
    return end
