# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The inner loops of a reduce: a program of accumulators run over rows, and results read from the groups' records.

A reduce has one `program` int64[states, 10] of what to accumulate and one `results` int64[aggregates, 6] of what to
show, so one kernel call serves any number of aggregates. Records are those of kernels/groups.py.

State of an operation, in words from its offset (linear in the diffs unless stated; all zero when no row is there):
  COUNT     rows that are not NULL
  INTEGER   the same; sum in 2 limbs
  DOUBLE    the same; whether the group has an entry beside the limbs; sum in 6 limbs
  DECIMAL   the same, in units of 10^-scale
  TRUTH     rows that are not NULL; rows that are true
  SQUARES_* rows that are not NULL; entry beside; sum in 6 limbs; sum of squares in 6 limbs
  PAIRS     of two doubles y and x, rows where neither is NULL; entry beside; in 6 limbs each the sums of y, x, y^2, x^2
            and x y
  BITS      rows that are not NULL; for each bit of the value, from the lowest, the rows that have it
  LARGEST   0; whether there is a value; the value (append-only input)
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.compare import simple_prefix
from engine.kernels.memory import multiply_high, prefetch
from engine.kernels.numeric import pack
from engine.kernels.wide import (
    EXPONENT_HIGH,
    EXPONENT_LOW,
    FLOAT_SCALE,
    LIMBS,
    MANTISSA,
    ONE,
    POWERS,
    SQUARE_HIGH,
    SQUARE_LOW,
    ZERO,
    absolute,
    add_at_bit,
    add_product,
    add_wide,
    magnitude,
    product_2_3,
    to_double,
)

BLOCK = 512
"""Rows that all operations see before the next ones: their records stay in the second cache level."""

(
    COUNT, INTEGER, DOUBLE, DECIMAL, TRUTH, SQUARES_INTEGER, SQUARES_DOUBLE, SQUARES_DECIMAL, LARGEST, PAIRS, BITS,
) = range(11)  # fmt: skip

# Columns of `program`.
OPERATION, VALUE, NULL_WORD, NULL_BIT, OFFSET, PARAMETER, ASIDE, VALUE_2, NULL_WORD_2, NULL_BIT_2 = range(10)
"""VALUE, NULL_WORD: rows of the batch's words; those of the second column of PAIRS. PARAMETER: scale of a DECIMAL;
physical * 2 + smallest of LARGEST; how many BITS.
ASIDE is written: how many rows the operation left to the caller (`is_aside` says which), or the scale it needs."""

(
    SHOW_ROWS, SHOW_COUNT, SHOW_BIGINT, SHOW_INTEGER, SHOW_MEAN_INTEGER, SHOW_DOUBLE, SHOW_MEAN_DOUBLE, SHOW_DECIMAL,
    SHOW_MEAN_DECIMAL, SHOW_AND, SHOW_OR, SHOW_VALUE, SHOW_SPREAD, SHOW_BITS, SHOW_LATER,
) = range(15)  # fmt: skip

# Columns of `results`.
FUNCTION, STATE, TARGET, TARGET_NULL, TARGET_BIT, OPTION = range(6)
"""STATE: offset into the record. TARGET, TARGET_NULL: words of the shown row. OPTION: scale of a decimal; 1 of a
double that is shown as real; of SHOW_SPREAD population * 2 + square root; of SHOW_BITS bits * 4 + BIT_AND or its like,
the highest bit being the sign."""
BIT_AND, BIT_OR, BIT_XOR = range(3)

LONE_MAX = 1 << 20
"""Diffs of floats above this are added aside: the window of a sum is stated for |diff| below it."""
SQUARE_DIFF_MAX = 1 << 14
SQUARE_SCALE_MAX = 18
"""Packed numerics of a larger scale are squared aside, so that squares in 6 limbs leave 2^64 of room."""


@register_jitable
def decimal_parts(word):
    """(scale, mantissa) of a packed numeric."""
    return np.int64((word >> np.uint64(58)) & np.uint64(31)), np.int64(word << np.uint64(6)) >> 6


@register_jitable
def is_aside(operation, word, diff):
    """Whether an operation leaves this value, which is not NULL, to exact Python integers."""
    if operation == DOUBLE:
        e = np.int64((word >> np.uint64(52)) & np.uint64(2047))
        if word == ZERO:
            return False
        return e < EXPONENT_LOW or e >= EXPONENT_HIGH or diff >= LONE_MAX or diff <= -LONE_MAX
    if operation == SQUARES_DOUBLE or operation == PAIRS:
        e = np.int64((word >> np.uint64(52)) & np.uint64(2047))
        if word == ZERO:
            return False
        return e < SQUARE_LOW or e >= SQUARE_HIGH or diff >= SQUARE_DIFF_MAX or diff <= -SQUARE_DIFF_MAX
    if operation == DECIMAL:
        return (word >> np.uint64(63)) != ZERO
    if operation == SQUARES_DECIMAL:
        if (word >> np.uint64(63)) != ZERO or diff >= SQUARE_DIFF_MAX or diff <= -SQUARE_DIFF_MAX:
            return True
        return decimal_parts(word)[0] > SQUARE_SCALE_MAX
    return False


@register_jitable
def double_parts(word):
    """(mantissa, exponent of its last bit, whether negative) of a double that is not tiny."""
    e = np.int64((word >> np.uint64(52)) & np.uint64(2047))
    return (word & MANTISSA) | (ONE << np.uint64(52)), e - 1075, (word >> np.uint64(63)) != ZERO


@register_jitable
def add_double_product(records, g, at, a, b, d, down):
    """Add a * b * d, a and b doubles that are not 0, d < SQUARE_DIFF_MAX."""
    m, e, minus = double_parts(a)
    n, f, other = double_parts(b)
    low, high = m * n, multiply_high(m, n)
    high = high * d + multiply_high(low, d)
    add_at_bit(records, g, at, low * d, high, e + f + FLOAT_SCALE, (minus != other) != down)


@register_jitable
def add_pair(records, g, at, y, x, diff):
    """Add what PAIRS has from its sums on."""
    d, down = magnitude(diff)
    for k in range(2):
        word = y if k == 0 else x
        if word != ZERO:
            m, e, minus = double_parts(word)
            add_at_bit(records, g, at + k * LIMBS, m * d, multiply_high(m, d), e + FLOAT_SCALE, minus != down)
            add_double_product(records, g, at + (2 + k) * LIMBS, word, word, d, down)
    if y != ZERO and x != ZERO:
        add_double_product(records, g, at + 4 * LIMBS, y, x, d, down)


@njit("int64(uint64[:, ::1], int64[::1], int32[::1], uint64[:, ::1], int64[:, ::1])", cache=True, nogil=True)
def accumulate(words, diffs, gids, records, program):
    """Add a batch to its groups' records. Returns how many rows were left aside, over all operations.

    Returns -1, with nothing added, when a DECIMAL needs a larger scale, then found in its ASIDE: the caller rescales
    the records and calls again. O(rows x operations).
    """
    n = len(diffs)
    again = False
    for p in range(len(program)):
        program[p, ASIDE] = 0
        operation = program[p, OPERATION]
        if operation == DECIMAL or operation == SQUARES_DECIMAL:
            value = program[p, VALUE]
            most = program[p, PARAMETER]
            for i in range(n):
                word = words[value, i]
                if (word >> np.uint64(63)) == ZERO:
                    scale = decimal_parts(word)[0]
                    if scale > most and not (operation == SQUARES_DECIMAL and scale > SQUARE_SCALE_MAX):
                        most = scale
            if most > program[p, PARAMETER]:
                program[p, ASIDE] = most
                again = True
    if again:
        return -1
    aside = 0
    for begin in range(0, n, BLOCK):
        end = min(n, begin + BLOCK)
        for p in range(len(program)):
            operation, value, null = program[p, OPERATION], program[p, VALUE], program[p, NULL_WORD]
            bit, at, parameter = np.uint64(program[p, NULL_BIT]), program[p, OFFSET], program[p, PARAMETER]
            if n > 2 * BLOCK or p == 0:
                for i in range(begin, end):
                    prefetch(records, np.int64(gids[i]) * records.shape[1] + at)
            if operation == COUNT:
                for i in range(begin, end):
                    if (words[null, i] >> bit) & ONE == ZERO:
                        records[gids[i], at] += np.uint64(diffs[i])
            elif operation == INTEGER:
                for i in range(begin, end):
                    if (words[null, i] >> bit) & ONE == ZERO:
                        g = gids[i]
                        d = diffs[i]
                        records[g, at] += np.uint64(d)
                        x = np.int64(words[value, i])
                        if d == 1 or (d == -1 and x != np.int64(-(2**63))):
                            x = x * d
                            low = records[g, at + 1] + np.uint64(x)
                            carry = np.int64(1) if low < np.uint64(x) else np.int64(0)
                            records[g, at + 1] = low
                            records[g, at + 2] += np.uint64((x >> 63) + carry)
                        else:
                            add_product(records, g, at + 1, 2, x, d)
            elif operation == TRUTH:
                for i in range(begin, end):
                    if (words[null, i] >> bit) & ONE == ZERO:
                        records[gids[i], at] += np.uint64(diffs[i])
                        if words[value, i] != ZERO:
                            records[gids[i], at + 1] += np.uint64(diffs[i])
            elif operation == LARGEST:
                physical = parameter >> 1
                for i in range(begin, end):
                    if (words[null, i] >> bit) & ONE == ZERO:
                        g = gids[i]
                        x = words[value, i]
                        if records[g, at + 1] == ZERO:
                            records[g, at + 1] = ONE
                            records[g, at + 2] = x
                        else:
                            a, b = simple_prefix(physical, x), simple_prefix(physical, records[g, at + 2])
                            if (a > b) if parameter & 1 == 0 else (a < b):
                                records[g, at + 2] = x
            elif operation == DOUBLE or operation == SQUARES_DOUBLE:
                for i in range(begin, end):
                    if (words[null, i] >> bit) & ONE == ZERO:
                        g = gids[i]
                        records[g, at] += np.uint64(diffs[i])
                        word = words[value, i]
                        if word == ZERO:
                            continue
                        if is_aside(operation, word, diffs[i]):
                            program[p, ASIDE] += 1
                            continue
                        e = np.int64((word >> np.uint64(52)) & np.uint64(2047))
                        m = (word & MANTISSA) | (ONE << np.uint64(52))
                        d, down = magnitude(diffs[i])
                        minus = (word >> np.uint64(63)) != ZERO
                        low, high = m * d, multiply_high(m, d)
                        add_at_bit(records, g, at + 2, low, high, e - 1075 + FLOAT_SCALE, minus != down)
                        if operation == SQUARES_DOUBLE:
                            low, high = m * m, multiply_high(m, m)
                            high = high * d + multiply_high(low, d)
                            add_at_bit(records, g, at + 2 + LIMBS, low * d, high, 2 * (e - 1075) + FLOAT_SCALE, down)
            elif operation == DECIMAL or operation == SQUARES_DECIMAL:
                for i in range(begin, end):
                    if (words[null, i] >> bit) & ONE == ZERO:
                        g = gids[i]
                        records[g, at] += np.uint64(diffs[i])
                        word = words[value, i]
                        if word == ZERO:
                            continue
                        if is_aside(operation, word, diffs[i]):
                            program[p, ASIDE] += 1
                            continue
                        scale, x = decimal_parts(word)
                        m, minus = magnitude(x)
                        d, down = magnitude(diffs[i])
                        up = parameter - scale
                        if up <= 19 and d == ONE:
                            low, high = m * POWERS[up, 0], multiply_high(m, POWERS[up, 0])
                            add_wide(records, g, at + 2, LIMBS, 0, low, high, ZERO, ZERO, ZERO, minus != down)
                        else:
                            r = product_2_3(m * d, multiply_high(m, d), POWERS[up, 0], POWERS[up, 1], POWERS[up, 2])
                            add_wide(records, g, at + 2, LIMBS, 0, r[0], r[1], r[2], r[3], r[4], minus != down)
                        if operation == SQUARES_DECIMAL:
                            low, high = m * m, multiply_high(m, m)
                            high = high * d + multiply_high(low, d)
                            r = product_2_3(low * d, high, POWERS[2 * up, 0], POWERS[2 * up, 1], POWERS[2 * up, 2])
                            add_wide(records, g, at + 2 + LIMBS, LIMBS, 0, r[0], r[1], r[2], r[3], r[4], down)
            elif operation == PAIRS:
                second, second_null = program[p, VALUE_2], program[p, NULL_WORD_2]
                second_bit = np.uint64(program[p, NULL_BIT_2])
                for i in range(begin, end):
                    if ((words[null, i] >> bit) | (words[second_null, i] >> second_bit)) & ONE == ZERO:
                        g = gids[i]
                        records[g, at] += np.uint64(diffs[i])
                        y, x = words[value, i], words[second, i]
                        if is_aside(operation, y, diffs[i]) or is_aside(operation, x, diffs[i]):
                            program[p, ASIDE] += 1
                            continue
                        add_pair(records, g, at + 2, y, x, diffs[i])
            elif operation == BITS:
                for i in range(begin, end):
                    if (words[null, i] >> bit) & ONE == ZERO:
                        g = gids[i]
                        records[g, at] += np.uint64(diffs[i])
                        word = words[value, i]
                        for b in range(parameter):
                            records[g, at + 1 + b] += ((word >> np.uint64(b)) & ONE) * np.uint64(diffs[i])
            elif operation == SQUARES_INTEGER:
                for i in range(begin, end):
                    if (words[null, i] >> bit) & ONE == ZERO:
                        g = gids[i]
                        records[g, at] += np.uint64(diffs[i])
                        x = np.int64(words[value, i])
                        m, _ = magnitude(x)
                        d, down = magnitude(diffs[i])
                        add_product(records, g, at + 2, LIMBS, x, diffs[i])
                        r = product_2_3(m * m, multiply_high(m, m), d, ZERO, ZERO)
                        add_wide(records, g, at + 2 + LIMBS, LIMBS, 0, r[0], r[1], r[2], r[3], r[4], down)
            aside += program[p, ASIDE] if end == n else 0
    return aside


@njit("int64[::1](uint64[:, ::1], int64[::1], int64[:, ::1], int64)", cache=True, nogil=True)
def aside_rows(words, diffs, program, p):
    """The rows that operation `p` left aside. O(rows)."""
    out = np.empty(program[p, ASIDE], np.int64)
    bit, second_bit, found = np.uint64(program[p, NULL_BIT]), np.uint64(program[p, NULL_BIT_2]), 0
    operation = program[p, OPERATION]
    for i in range(len(diffs)):
        if (words[program[p, NULL_WORD], i] >> bit) & ONE != ZERO:
            continue
        aside = is_aside(operation, words[program[p, VALUE], i], diffs[i])
        if operation == PAIRS:
            if (words[program[p, NULL_WORD_2], i] >> second_bit) & ONE != ZERO:
                continue
            aside = aside or is_aside(operation, words[program[p, VALUE_2], i], diffs[i])
        if aside:
            out[found] = i
            found += 1
    return out


@register_jitable
def packed(m, negative, scale):
    """(word of m / 10^scale, whether it does not fit a packed numeric)."""
    if m >> np.uint64(63):
        return ZERO, True
    word, fits = pack(-np.int64(m) if negative else np.int64(m), scale)
    return word, not fits


@register_jitable
def spread(records, g, state, option, scratch):
    """Variance or standard deviation of doubles: sqrt((n S2 - S1^2) / (n (n - 1))), difference exact. O(LIMBS^2)."""
    count = np.int64(records[g, state])
    s1, wide = scratch[0:LIMBS], scratch[LIMBS : 4 * LIMBS]
    absolute(records, g, state + 2, LIMBS, s1)
    for j in range(len(wide)):
        wide[j] = ZERO
    # n S2 in units of 2^-(2 FLOAT_SCALE): FLOAT_SCALE = 3 limbs and 32 bits.
    carry = ZERO
    for j in range(LIMBS + 1):
        x = records[g, state + 2 + LIMBS + j] if j < LIMBS else ZERO
        lo = x * np.uint64(count) + carry
        carry = multiply_high(x, np.uint64(count)) + (ONE if lo < carry else ZERO) if j < LIMBS else ZERO
        wide[j + 3] |= lo << np.uint64(32)
        wide[j + 4] |= lo >> np.uint64(32)
    for a in range(LIMBS):
        carry = ZERO
        if s1[a] == ZERO:
            continue
        for b in range(len(wide) - a):
            x = s1[b] if b < LIMBS else ZERO
            lo = x * s1[a]
            hi = multiply_high(x, s1[a])
            lo = lo + carry
            carry = hi + (ONE if lo < carry else ZERO)
            y = wide[a + b]
            wide[a + b] = y - lo
            carry = carry + (ONE if y < lo else ZERO)
            if b >= LIMBS and carry == ZERO:
                break
    if wide[len(wide) - 1] >> np.uint64(63):  # only while retractions are there without their insertions
        return 0.0
    top = to_double(wide, False, 2 * FLOAT_SCALE)
    n = np.float64(count)
    value = top / (n * n if option & 2 else n * (n - 1.0))
    return np.sqrt(value) if option & 1 else value


@njit(
    "int64(uint64[:, ::1], int32[::1], int64, int64, int64[:, ::1], uint64[::1], uint64[:, ::1], uint8[:, ::1])",
    cache=True,
    nogil=True,
)
def show_groups(records, touched, keys, columns, results, errors, shown, later):
    """The row of each touched group: shown[t] = null words, key, aggregates, status. O(groups x aggregates).

    `keys` is the number of key columns, `columns` that of all. Status 0: no row; 1: a row; else the heap code of the
    group's error, plus 1. Words of what is not a row are 0. `errors` holds the codes of 'bigint out of range' and
    'numeric field overflow'. later[a, t] is set where aggregate a is left to the caller; returns how many.
    """
    key_nulls, nulls = (keys + 63) >> 6, (columns + 63) >> 6
    width = key_nulls + keys
    status = nulls + columns
    left = 0
    limbs = np.empty(LIMBS, np.uint64)
    two = np.empty(2, np.uint64)
    scratch = np.empty(4 * LIMBS, np.uint64)
    real = np.empty(1, np.float64)
    bits = real.view(np.uint64)
    for t in range(len(touched)):
        g = touched[t]
        for w in range(status + 1):
            shown[t, w] = ZERO
        if np.int64(records[g, width]) <= 0:
            for a in range(len(results)):
                later[a, t] = 0
            continue
        for w in range(key_nulls):
            shown[t, w] = records[g, w]
        for w in range(keys):
            shown[t, nulls + w] = records[g, key_nulls + w]
        shown[t, status] = ONE
        for a in range(len(results)):
            function, state, target = results[a, FUNCTION], results[a, STATE], results[a, TARGET]
            option = results[a, OPTION]
            later[a, t] = 0
            is_null = False
            wait = False
            word = ZERO
            if function == SHOW_ROWS:
                word = records[g, width]
            elif function == SHOW_COUNT:
                word = records[g, state]
            elif function == SHOW_LATER:
                wait = True
            elif function == SHOW_VALUE:
                is_null = records[g, state + 1] == ZERO
                word = records[g, state + 2]
            elif np.int64(records[g, state]) <= 0:
                is_null = True
            elif function == SHOW_BIGINT:
                word = records[g, state + 1]
                if np.int64(records[g, state + 2]) != np.int64(word) >> 63:
                    shown[t, status] = errors[0] + ONE
            elif function == SHOW_INTEGER or function == SHOW_MEAN_INTEGER:
                negative = absolute(records, g, state + 1, 2, two)
                m = two[0]
                wait = two[1] != ZERO
                if function == SHOW_MEAN_INTEGER and not wait:
                    q = m // records[g, state]
                    wait = q * records[g, state] != m
                    m = q
                if not wait:
                    word, wait = packed(m, negative, 0)
            elif function == SHOW_DECIMAL or function == SHOW_MEAN_DECIMAL:
                wait = records[g, state + 1] != ZERO
                if not wait:
                    negative = absolute(records, g, state + 2, LIMBS, limbs)
                    m = limbs[0]
                    for j in range(1, LIMBS):
                        if limbs[j] != ZERO:
                            wait = True
                    if function == SHOW_MEAN_DECIMAL and not wait:
                        q = m // records[g, state]
                        wait = q * records[g, state] != m
                        m = q
                    if not wait:
                        word, wait = packed(m, negative, option)
            elif function == SHOW_DOUBLE or function == SHOW_MEAN_DOUBLE:
                wait = records[g, state + 1] != ZERO
                if not wait:
                    negative = absolute(records, g, state + 2, LIMBS, limbs)
                    real[0] = to_double(limbs, negative, FLOAT_SCALE)
                    if function == SHOW_MEAN_DOUBLE:
                        real[0] = real[0] / np.float64(np.int64(records[g, state]))
                    if option == 1:
                        real[0] = np.float64(np.float32(real[0]))
                    if real[0] != 0.0:
                        word = bits[0]
            elif function == SHOW_AND:
                word = ONE if records[g, state] == records[g, state + 1] else ZERO
            elif function == SHOW_OR:
                word = ONE if records[g, state + 1] != ZERO else ZERO
            elif function == SHOW_BITS:
                count, bits_of = records[g, state], option >> 2
                for b in range(bits_of):
                    having = records[g, state + 1 + b]
                    if option & 3 == BIT_AND:
                        is_set = having == count
                    elif option & 3 == BIT_OR:
                        is_set = having != ZERO
                    else:
                        is_set = having & ONE != ZERO
                    if is_set:
                        word |= ONE << np.uint64(b)
                word = np.uint64(np.int64(word << np.uint64(64 - bits_of)) >> (64 - bits_of))
            elif function == SHOW_SPREAD:
                if np.int64(records[g, state]) == 1 and option & 2 == 0:
                    is_null = True
                else:
                    wait = records[g, state + 1] != ZERO
                    if not wait:
                        real[0] = spread(records, g, state, option, scratch)
                        if real[0] != 0.0:
                            word = bits[0]
            if wait:
                later[a, t] = 1
                left += 1
            elif is_null:
                shown[t, results[a, TARGET_NULL]] |= ONE << np.uint64(results[a, TARGET_BIT])
            else:
                shown[t, target] = word
        if shown[t, status] != ONE:
            for w in range(status):
                shown[t, w] = ZERO
    return left
