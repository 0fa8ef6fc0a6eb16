# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Integer arithmetic that never wraps: a row whose result does not fit, or whose divisor is 0, is told apart."""

import numpy as np
from numba import njit

from engine.kernels.memory import multiply_high

ADD, SUBTRACT, MULTIPLY, DIVIDE, MODULO = 0, 1, 2, 3, 4
FITS, OVERFLOW, ZERO_DIVISOR = 0, 1, 2
LOW = np.int64(-(1 << 63))
SIGN = np.uint64(1 << 63)


@njit("int64(int64, int64, uint64[::1], uint64[::1], uint64[::1], uint8[::1])", cache=True, nogil=True)
def arithmetic(operation, bits, a, b, out, status):
    """out = a (operation) b as integers of `bits` bits; how many rows failed, why in `status`, 0 in `out`. O(n).

    Division truncates toward zero, and the remainder has the dividend's sign.
    """
    failed = 0
    high = np.int64((np.uint64(1) << np.uint64(bits - 1)) - np.uint64(1))
    for i in range(len(out)):
        x, y = np.int64(a[i]), np.int64(b[i])
        why = FITS
        value = np.int64(0)
        # Sums wrap in unsigned arithmetic: of signed integers the compiler may assume that they never do.
        if operation == ADD:
            value = np.int64(a[i] + b[i])
            if ((x ^ value) & (y ^ value)) < 0:
                why = OVERFLOW
        elif operation == SUBTRACT:
            value = np.int64(a[i] - b[i])
            if ((x ^ y) & (x ^ value)) < 0:
                why = OVERFLOW
        elif operation == MULTIPLY:
            value = np.int64(a[i] * b[i])
            p = a[i] if x >= 0 else np.uint64(0) - a[i]
            q = b[i] if y >= 0 else np.uint64(0) - b[i]
            negative = (x < 0) != (y < 0)
            if multiply_high(p, q) != 0 or p * q > (SIGN if negative else SIGN - np.uint64(1)):
                why = OVERFLOW
        elif y == 0:
            why = ZERO_DIVISOR
        elif y == -1:  # the machine traps on the lowest number / -1
            if operation == DIVIDE:
                value = -x
                if x == LOW:
                    why = OVERFLOW
        else:
            quotient = x // y
            if quotient < 0 and quotient * y != x:
                quotient += 1
            value = quotient if operation == DIVIDE else x - quotient * y
        if why == FITS and (value > high or value < -high - 1):
            why = OVERFLOW
        out[i] = np.uint64(value) if why == FITS else np.uint64(0)
        status[i] = why
        failed += why != FITS
    return failed
