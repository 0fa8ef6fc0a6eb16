"""Packed decimals against Python's decimal: every operation, every scale, both sides of every limit."""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.collection import numeric
from engine.collection.heap import DECIMAL_TAG, Heap
from engine.errors import OutOfRange
from engine.kernels.compare import order_prefix

WIDE = Context(prec=300, rounding=ROUND_HALF_UP)

numbers = st.one_of(
    st.tuples(st.integers(-(10**6), 10**6), st.integers(0, 10)).map(lambda p: Decimal(p[0]).scaleb(-p[1])),
    st.tuples(st.integers(-(10**38), 10**38), st.integers(0, 39)).map(lambda p: Decimal(p[0]).scaleb(-p[1], WIDE)),
    st.tuples(st.sampled_from([2**57, 2**57 - 1, 10**17, 10**18, 5, 15, 25]), st.integers(0, 32)).map(
        lambda p: Decimal(p[0]).scaleb(-p[1])
    ),
)


def pack(values: list[Decimal], heap: Heap) -> np.ndarray:
    return np.array([numeric.pack_decimal(value, heap) for value in values], np.uint64)


def unpack(words: np.ndarray, heap: Heap) -> list[Decimal]:
    return [numeric.unpack_decimal(int(word), heap) for word in words]


def expected(value: Decimal) -> Decimal | None:
    try:
        return numeric.limited(value)
    except OutOfRange:
        return None


def agrees(checked: numeric.Checked, want: list[Decimal | None], heap: Heap) -> None:
    words, failed = checked
    for row, value in enumerate(want):
        if value is None:
            assert failed is not None
            assert failed[row]
            assert words[row] == 0
        else:
            assert failed is None or not failed[row]
            assert words[row] == numeric.pack_decimal(value, heap), (
                value,
                numeric.unpack_decimal(int(words[row]), heap),
            )


@settings(deadline=None, max_examples=100)
@given(st.lists(numbers, min_size=1, max_size=20))
def test_a_number_has_one_word_and_comes_back(values):
    heap = Heap()
    values = [numeric.limited(value) for value in values]
    words = pack(values, heap)
    assert unpack(words, heap) == values
    texts = numeric.to_text(words, heap)
    assert texts.to_pylist() == [numeric.text_of(value) for value in values]
    again, failed = numeric.from_text(texts, heap)
    assert failed is None
    assert (again == words).all()
    padded = pa.array(
        [f" {value}0 " if "." in format(value, "f") and "E" not in str(value) else str(value) for value in values]
    )
    assert (numeric.from_text(padded, heap)[0] == words).all()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_arithmetic_is_exact_then_limited(pairs):
    heap = Heap()
    left, right = [numeric.limited(a) for a, _ in pairs], [numeric.limited(b) for _, b in pairs]
    a, b = pack(left, heap), pack(right, heap)
    rows = list(zip(left, right, strict=True))
    agrees(numeric.add(a, b, heap), [expected(WIDE.add(x, y)) for x, y in rows], heap)
    agrees(numeric.subtract(a, b, heap), [expected(WIDE.subtract(x, y)) for x, y in rows], heap)
    agrees(numeric.multiply(a, b, heap), [expected(WIDE.multiply(x, y)) for x, y in rows], heap)
    divisible = [i for i, (_, y) in enumerate(rows) if y]
    rows = [rows[i] for i in divisible]
    a, b = a[divisible], b[divisible]
    agrees(numeric.remainder(a, b, heap), [expected(WIDE.remainder(x, y)) for x, y in rows], heap)
    agrees(numeric.divide(a, b, heap), [quotient(x, y) for x, y in rows], heap)


def quotient(x: Decimal, y: Decimal) -> Decimal | None:
    """x / y rounded once: to 39 digits or 39 places, whichever is coarser."""
    exact = Context(prec=200, rounding=ROUND_DOWN).divide(x, y)
    if not exact:
        return exact
    places = min(39, 38 - exact.adjusted())
    if places < 0:
        return None
    return expected(exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, WIDE))


@settings(deadline=None, max_examples=100)
@given(st.lists(numbers, min_size=1, max_size=20), st.integers(-5, 12))
def test_rounding(values, places):
    heap = Heap()
    values = [numeric.limited(value) for value in values]
    words = pack(values, heap)
    unit = Decimal(1).scaleb(-places)
    half = [expected(value.quantize(unit, ROUND_HALF_UP, WIDE)) for value in values]
    agrees(numeric.round_to(words, places, heap), half, heap)
    agrees(numeric.truncate(words, places, heap), [value.quantize(unit, ROUND_DOWN, WIDE) for value in values], heap)
    agrees(
        numeric.floor(words, heap), [expected(value.quantize(Decimal(1), ROUND_FLOOR, WIDE)) for value in values], heap
    )
    agrees(
        numeric.ceil(words, heap), [expected(value.quantize(Decimal(1), ROUND_CEILING, WIDE)) for value in values], heap
    )
    assert unpack(numeric.negate(words, heap), heap) == [WIDE.minus(value) for value in values]
    assert unpack(numeric.absolute(words, heap), heap) == [WIDE.abs(value) for value in values]
    assert unpack(numeric.sign(words, heap), heap) == [(value > 0) - (value < 0) for value in values]
    whole, failed = numeric.to_int(words, heap)
    for row, value in enumerate(values):
        near = int(value.quantize(Decimal(1), ROUND_HALF_UP, WIDE))
        if -(2**63) <= near < 2**63:
            assert whole[row] == near
        else:
            assert failed is not None
            assert failed[row]
    if places >= 0:
        kept = [value is not None and abs(value) < 10 ** (20 - places) for value in half]
        want = [value if keep else None for value, keep in zip(half, kept, strict=True)]
        agrees(numeric.rescale(words, 20, places, heap), want, heap)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(-(2**127), 2**127 - 1) | st.integers(-(10**6), 10**6), st.integers(0, 31))))
def test_wide_results(rows):
    heap = Heap()
    hi = np.array([m >> 64 for m, _ in rows], np.int64)
    lo = np.array([m & (2**64 - 1) for m, _ in rows], np.uint64)
    scale = np.array([s for _, s in rows], np.int64)
    exact = [Decimal(m).scaleb(-s, WIDE) for m, s in rows]
    agrees(numeric.from_wide(hi, lo, scale, heap), [expected(value) for value in exact], heap)
    for divisor in (1, 3, -7, 10**17):
        by = np.full(len(rows), divisor, np.int64)
        agrees(
            numeric.divide_wide(hi, lo, scale, by, 2, heap), [quotient(v, Decimal(divisor) / 100) for v in exact], heap
        )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e38, max_value=1e38)))
def test_floats(values):
    heap = Heap()
    words, failed = numeric.from_float(np.array(values, np.float64), heap)
    assert failed is None
    assert unpack(words, heap) == [numeric.limited(Decimal(repr(value))) for value in values]
    exact = [float(value) for value in unpack(words, heap)]
    assert numeric.to_float(words, heap).tolist() == exact


def test_integers_of_every_size():
    heap = Heap()
    values = [0, 1, -1, 2**57, 2**57 - 1, -(2**57), 2**63 - 1, -(2**63)]
    words = numeric.from_int(np.array(values, np.int64), heap)
    assert unpack(words, heap) == values
    assert (words >= DECIMAL_TAG).tolist() == [abs(value) >= 2**57 for value in values]


@pytest.mark.parametrize("text", ["", "abc", "1_000", "NaN1", "infin", "1e40", "--1", ".", "0x10"])
def test_what_is_no_number_is_told(text):
    words, failed = numeric.from_text(pa.array([text, "1.50"]), Heap())
    assert failed is not None
    assert failed.tolist() == [True, False]
    assert words[0] == 0


def test_nan_is_a_number_above_all_and_stays_one():
    heap = Heap()
    words, failed = numeric.from_text(pa.array(["NaN", "nan", None]), heap)
    assert failed is None
    assert words[0] == words[1]
    assert words[2] == 0
    total, failed = numeric.add(words[:1], words[:1], heap)
    assert failed is None
    assert total[0] == words[0]
    assert numeric.to_int(words[:1], heap)[1] is not None


def test_infinities_lie_beyond_all_numbers():
    heap = Heap()
    texts = ["-Infinity", "-1e38", "-1", "0", "1", "1e38", "Infinity", "NaN"]
    words, failed = numeric.from_text(pa.array(texts), heap)
    assert failed is None
    assert numeric.to_text(words, heap).to_pylist()[-2:] == ["Infinity", "NaN"]
    prefixes = order_prefix(3, words, *heap.view())
    assert (prefixes[:-1] < prefixes[1:]).all()
    minus, plus = words[:1], words[6:7]
    for (found, failed), expected in (
        (numeric.add(plus, plus, heap), plus),
        (numeric.add(plus, minus, heap), words[7:]),
        (numeric.multiply(plus, words[3:4], heap), words[7:]),
        (numeric.multiply(plus, words[2:3], heap), minus),
        (numeric.divide(words[4:5], minus, heap), words[3:4]),
        (numeric.remainder(words[5:6], minus, heap), words[5:6]),
    ):
        assert failed is None
        assert found[0] == expected[0]
