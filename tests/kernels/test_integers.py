"""Integer arithmetic against Python's integers, which do not overflow."""

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels import integers


def truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


ORACLE = {
    integers.ADD: operator.add,
    integers.SUBTRACT: operator.sub,
    integers.MULTIPLY: operator.mul,
    integers.DIVIDE: truncated,
    integers.MODULO: lambda a, b: a - truncated(a, b) * b,
}


@pytest.mark.parametrize("bits", [16, 32, 64])
@pytest.mark.parametrize("operation", sorted(ORACLE))
def test_arithmetic(operation, bits):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    edges = [low, low + 1, -2, -1, 0, 1, 2, high - 1, high, 1 << (bits // 2), -(1 << (bits // 2 - 1))]
    number = st.one_of(st.sampled_from(edges), st.integers(low, high))

    @given(st.lists(st.tuples(number, number), min_size=1))
    def check(pairs):
        a, b = (np.array(column, np.int64).view(np.uint64) for column in zip(*pairs, strict=True))
        out, status = np.empty(len(a), np.uint64), np.empty(len(a), np.uint8)
        failed = integers.arithmetic(operation, bits, a, b, out, status)
        assert failed == np.count_nonzero(status)
        for (x, y), value, why in zip(pairs, out.view(np.int64).tolist(), status.tolist(), strict=True):
            if y == 0 and operation in (integers.DIVIDE, integers.MODULO):
                assert (value, why) == (0, integers.ZERO_DIVISOR)
                continue
            exact = ORACLE[operation](x, y)
            fits = low <= exact <= high
            assert (value, why) == ((exact, integers.FITS) if fits else (0, integers.OVERFLOW))

    check()
