"""Numbers of limbs against Python's integers, fractions and decimals."""

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataflow.operators.asides import from_limbs, to_limbs
from engine.kernels import accumulate as kernels
from engine.kernels import wide

EXACT = Context(prec=400, rounding=ROUND_HALF_UP)
numbers = st.one_of(st.integers(-1000, 1000), st.integers(-(1 << 250), 1 << 250))
MANTISSA = (1 << 58) - 1


@settings(max_examples=100, deadline=None)
@given(numbers, numbers, st.integers(-(1 << 40), 1 << 40), st.integers(0, 20))
def test_adding_and_scaling(start, number, diff, power):
    rows = to_limbs([start])
    gids = np.zeros(1, np.int32)
    wide.add_numbers(rows, gids, 0, to_limbs([number]), np.array([diff]))
    assert from_limbs(rows[0]) == start + number * diff
    wide.rescale(rows, 1, 0, power)
    assert from_limbs(rows[0]) == (start + number * diff) * 10**power
    wide.rescale(rows, 1, 0, 0)
    wide.add_numbers(rows, gids, 0, to_limbs([number * 10**power]), np.array([-diff]))
    assert from_limbs(rows[0]) == start * 10**power


def word_of(value: Decimal | None):
    """(packed word or None, text or None) of a numeric."""
    if value is None:
        return int(wide.OVERFLOW), ""
    text = format(value.normalize(EXACT), "f") if value else "0"
    whole, _, fraction = text.partition(".")
    mantissa = int(whole + fraction)
    if abs(mantissa) < 1 << 57 and len(fraction) <= 31:
        return (len(fraction) << 58) | (mantissa & MANTISSA), ""
    return 0, text


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(numbers, st.integers(-(10**39), 10**39), st.sampled_from([10**39 - 1, 1 - 10**39, 10**78])),
    st.one_of(st.integers(1, 12), st.integers(1, (1 << 63) - 1)),
    st.sampled_from([0, 1, 2, 20, 39]),
)
def test_division_to_39_digits(number, divisor, scale):
    exact = EXACT.divide(Decimal(number).scaleb(-scale, EXACT), Decimal(divisor))
    expected: Decimal | None = Decimal(0)
    if exact:
        expected = exact.quantize(Decimal(1).scaleb(max(-39, exact.adjusted() - 38)), context=EXACT)
        expected = None if expected.adjusted() >= 39 else expected
    words, text, offsets = np.empty(1, np.uint64), np.empty(96, np.uint8), np.empty(2, np.int64)
    end = wide.divide_decimals(to_limbs([number]), np.array([divisor]), scale, words, text, offsets)
    assert offsets.tolist() == [0, end]
    assert (int(words[0]), text[:end].tobytes().decode()) == word_of(expected)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.builds(lambda x, s: x >> s, st.integers(-(1 << 380), 1 << 380), st.integers(0, 379)), min_size=1))
def test_rounding_to_double(values):
    """Nearest, ties to even: what Python's true division of integers does."""
    results = np.array([[kernels.SHOW_DOUBLE, 3, 1, 0, 0, 0]])
    errors, later = np.zeros(2, np.uint64), np.empty((1, 1), np.uint8)
    for value in values:
        # A record: no key, one row, no mark, then one value, nothing aside, the limbs.
        record = np.concatenate([np.array([1, 0, 0, 1, 0], np.uint64), to_limbs([value])[0]])[None, :]
        shown = np.empty((1, 3), np.uint64)
        kernels.show_groups(record, np.zeros(1, np.int32), 0, 1, results, errors, shown, later)
        assert shown[0, 1:2].view(np.float64)[0] == float(Fraction(value, 1 << wide.FLOAT_SCALE))
