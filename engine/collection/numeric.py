"""numeric: packed decimals by kernels, the few that do not pack by Python's decimal.

Law: a number has one word. It is packed whenever it fits (engine/kernels/numeric.py), else a heap code of its text
under DECIMAL_TAG: no exponent, no trailing zeros after the point, or 'NaN', 'Infinity', '-Infinity'. Up to 39
significant digits and 39 places; results round half away from zero, and an integer part of more than 39 digits is an
overflow, reported as a mask.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, Overflow
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.collection.heap import DECIMAL_TAG, Heap, Interning
from engine.errors import OutOfRange
from engine.kernels import numeric as kernels

Words: TypeAlias = NDArray[np.uint64]
Mask: TypeAlias = NDArray[np.bool_]
Checked: TypeAlias = tuple[Words, Mask | None]
"""Words and the rows that failed (their word is 0), or None: no row did."""

CONTEXT: Final = Context(prec=kernels.DIGITS_MAX, rounding=ROUND_HALF_UP, Emax=999_999, Emin=-999_999, traps=[Overflow])
"""What has no value, such as the difference of two infinities, is NaN."""
EXACT: Final = Context(prec=200, rounding=ROUND_HALF_UP, Emax=999_999, Emin=-999_999, traps=[Overflow])
"""Wide enough for the exact sum or product of any two numerics."""
SPECIAL: Final = frozenset({"nan", "inf", "infinity", "+inf", "+infinity", "-inf", "-infinity"})
"""Every spelling, in lower case, of what is no finite number."""

MANTISSA_MASK: Final = np.uint64((1 << 58) - 1)
SMALLEST: Final = Decimal(1).scaleb(-kernels.DIGITS_MAX)
TENS: Final = 10.0 ** np.arange(32)
OVERFLOW: Final = "numeric field overflow"


# One number


def limited(value: Decimal) -> Decimal:
    """The number within the limits of the type; OutOfRange when its integer part is too long."""
    if value.is_nan():
        return Decimal("NaN")
    if value.is_infinite():
        return value
    if value.is_zero():
        return Decimal(0)  # whatever exponent a division or a logarithm left with it
    if value.adjusted() >= kernels.DIGITS_MAX:
        raise OutOfRange(OVERFLOW)
    value = CONTEXT.plus(value)
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -kernels.DIGITS_MAX:
        value = value.quantize(SMALLEST, context=EXACT)
    if value.adjusted() >= kernels.DIGITS_MAX:
        raise OutOfRange(OVERFLOW)
    return value


def text_of(value: Decimal) -> str:
    """Canonical text: plain digits, trailing zeros trimmed."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def pack_decimal(value: Decimal, heap: Interning) -> int:
    """The word of a number; OutOfRange beyond the limits."""
    value = limited(value)
    text = text_of(value)
    if value.is_finite():
        whole, _, fraction = text.partition(".")
        mantissa = int(whole + fraction)
        if len(fraction) <= kernels.SCALE_MAX and abs(mantissa) < kernels.MANTISSA_END:
            return (len(fraction) << 58) | (mantissa & int(MANTISSA_MASK))
    return heap.intern(text.encode()) | int(DECIMAL_TAG)


def unpack_decimal(word: int, heap: Heap) -> Decimal:
    """The number that a word stands for."""
    if word >> 63:
        return Decimal(heap.get(word ^ int(DECIMAL_TAG)).decode())
    mantissa = word & int(MANTISSA_MASK)
    if mantissa >> 57:
        mantissa -= 1 << 58
    return Decimal(mantissa).scaleb(-(word >> 58), EXACT)


# Arithmetic


def add(a: Words, b: Words, heap: Heap) -> Checked:
    """a + b."""
    return _binary(kernels.ADD, EXACT.add, a, b, heap)


def subtract(a: Words, b: Words, heap: Heap) -> Checked:
    """a - b."""
    return _binary(kernels.SUBTRACT, EXACT.subtract, a, b, heap)


def multiply(a: Words, b: Words, heap: Heap) -> Checked:
    """a * b."""
    return _binary(kernels.MULTIPLY, EXACT.multiply, a, b, heap)


def remainder(a: Words, b: Words, heap: Heap) -> Checked:
    """What division truncated toward zero leaves; the caller has taken out rows where b is 0."""
    return _binary(kernels.REMAINDER, EXACT.remainder, a, b, heap)


def divide(a: Words, b: Words, heap: Heap) -> Checked:
    """a / b to 39 significant digits; the caller has taken out rows where b is 0."""
    slow = (a | b) >= DECIMAL_TAG
    signed = mantissas(a)
    words, failed = divide_wide(signed >> 63, signed.view(np.uint64), scales(a), mantissas(b), scales(b), heap)
    if slow.any():
        return _by_decimal(words, failed, slow, CONTEXT.divide, (a, b), heap)
    return words, failed


def _binary(code: int, exact: Callable[[Decimal, Decimal], Decimal], a: Words, b: Words, heap: Heap) -> Checked:
    out, slow = np.empty(len(a), np.uint64), np.empty(len(a), np.bool_)
    if kernels.arithmetic(code, np.ascontiguousarray(a), np.ascontiguousarray(b), out, slow):
        return _by_decimal(out, None, slow, exact, (a, b), heap)
    return out, None


def _by_decimal(
    words: Words,
    failed: Mask | None,
    slow: Mask,
    function: Callable[..., Decimal],
    arguments: tuple[Words, ...],
    heap: Heap,
) -> Checked:
    """Overwrite the slow rows one by one with what `function` makes of their numbers. 2 us a row."""
    failed = np.zeros(len(words), np.bool_) if failed is None else failed
    for row in np.flatnonzero(slow).tolist():
        failed[row], words[row] = False, 0
        try:
            value = function(*(unpack_decimal(int(argument[row]), heap) for argument in arguments))
            words[row] = pack_decimal(value, heap)
        except (Overflow, OutOfRange):
            failed[row] = True
    return words, failed if failed.any() else None


def negate(words: Words, heap: Heap) -> Words:
    """-x."""
    return _unary(kernels.NEGATE, words, 0, heap, EXACT.minus)[0]


def absolute(words: Words, heap: Heap) -> Words:
    """|x|."""
    return _unary(kernels.ABSOLUTE, words, 0, heap, EXACT.abs)[0]


def sign(words: Words, heap: Heap) -> Words:
    """-1, 0 or 1."""
    return _unary(kernels.SIGN, words, 0, heap, _sign_of)[0]


def _sign_of(value: Decimal) -> Decimal:
    return value if value.is_nan() else Decimal((value > 0) - (value < 0))


def is_nan(words: Words, heap: Heap) -> Mask:
    """Where a word is that of NaN."""
    if not np.count_nonzero(words >= DECIMAL_TAG):
        return np.zeros(len(words), np.bool_)
    return words == (np.uint64(heap.intern(b"NaN")) | DECIMAL_TAG)


def round_to(words: Words, places: int, heap: Heap) -> Checked:
    """Rounded half away from zero to so many places; negative places round before the point."""
    return _unary(kernels.ROUND, words, places, heap, lambda x: _cut(x, places, "ROUND_HALF_UP"))


def truncate(words: Words, places: int, heap: Heap) -> Checked:
    """Digits beyond so many places dropped; negative places drop before the point."""
    return _unary(kernels.TRUNCATE, words, places, heap, lambda x: _cut(x, places, "ROUND_DOWN"))


def floor(words: Words, heap: Heap) -> Checked:
    """The greatest integer not above."""
    return _unary(kernels.FLOOR, words, 0, heap, lambda x: _cut(x, 0, "ROUND_FLOOR"))


def ceil(words: Words, heap: Heap) -> Checked:
    """The least integer not below."""
    return _unary(kernels.CEIL, words, 0, heap, lambda x: _cut(x, 0, "ROUND_CEILING"))


def _cut(value: Decimal, places: int, rounding: str) -> Decimal:
    if not value.is_finite() or places >= kernels.DIGITS_MAX:
        return value
    return value.quantize(Decimal(1).scaleb(-max(places, -2 * kernels.DIGITS_MAX)), rounding, EXACT)


def _unary(code: int, words: Words, places: int, heap: Heap, exact: Callable[[Decimal], Decimal]) -> Checked:
    out, slow = np.empty(len(words), np.uint64), np.ones(len(words), np.bool_)
    if places < 0 or kernels.adjust(code, np.ascontiguousarray(words), places, out, slow):
        return _by_decimal(out, None, slow, exact, (words,), heap)
    return out, None


# Wide results: what aggregates accumulate


def from_wide(hi: NDArray[np.int64], lo: Words, scale: NDArray[np.int64] | int, heap: Heap) -> Checked:
    """The numbers (hi:lo as int128) / 10^scale."""
    return _interned(kernels.pack_all_wide(hi, lo, _each(scale, len(hi))), heap)


def divide_wide(
    hi: NDArray[np.int64],
    lo: Words,
    scale: NDArray[np.int64] | int,
    divisor: NDArray[np.int64],
    divisor_scale: NDArray[np.int64] | int,
    heap: Heap,
) -> Checked:
    """(hi:lo / 10^scale) / (divisor / 10^divisor_scale), |divisor| < 10^18, to 39 digits; 0 where the divisor is 0."""
    n = len(hi)
    return _interned(kernels.divide_wide(hi, lo, _each(scale, n), divisor, _each(divisor_scale, n)), heap)


def _each(value: NDArray[np.int64] | int, n: int) -> NDArray[np.int64]:
    return np.full(n, value, np.int64) if isinstance(value, int) else value


def _interned(parts: tuple[Words, Mask, NDArray[np.int64], NDArray[np.uint8]], heap: Heap) -> Checked:
    words, failed, offsets, text = parts
    if len(text):
        codes = heap.intern_buffers(offsets, text)
        words = np.where(codes != 0, codes | DECIMAL_TAG, words)
    return words, failed if failed.any() else None


# Conversions


def mantissas(words: Words) -> NDArray[np.int64]:
    """Of packed numbers: m of m / 10^s. Meaningless on heap ones."""
    return (words << np.uint64(6)).view(np.int64) >> 6


def scales(words: Words) -> NDArray[np.int64]:
    """Of packed numbers: s of m / 10^s."""
    return ((words >> np.uint64(58)) & np.uint64(31)).view(np.int64)


def from_int(values: NDArray[np.int64], heap: Heap) -> Words:
    """Every int64 as a numeric."""
    words = values.view(np.uint64) & MANTISSA_MASK
    wide = (values >= kernels.MANTISSA_END) | (values <= -kernels.MANTISSA_END)
    for row in np.flatnonzero(wide).tolist():
        words[row] = pack_decimal(Decimal(int(values[row])), heap)
    return words


def to_int(words: Words, heap: Heap) -> tuple[NDArray[np.int64], Mask | None]:
    """Rounded half away from zero to int64; rows beyond its range, and NaN, failed."""
    out, failed = round_to(words, 0, heap)
    values = mantissas(out)
    for row in np.flatnonzero(out >= DECIMAL_TAG).tolist():
        value = unpack_decimal(int(out[row]), heap)
        if value.is_nan() or not -(1 << 63) <= value < 1 << 63:
            failed = np.zeros(len(words), np.bool_) if failed is None else failed
            failed[row], values[row] = True, 0
        else:
            values[row] = int(value)
    return values, failed


def to_float(words: Words, heap: Heap) -> NDArray[np.float64]:
    """The nearest doubles."""
    whole, places = mantissas(words), scales(words)
    values = whole / TENS[places]
    # One division of exact doubles rounds once; past 2^53 or 10^22 the operands are no longer exact.
    slow = (words >= DECIMAL_TAG) | (np.abs(whole) > 1 << 53) | (places > 22)
    for row in np.flatnonzero(slow).tolist():
        values[row] = float(unpack_decimal(int(words[row]), heap))
    return values


def from_float(values: NDArray[np.float64], heap: Heap) -> Checked:
    """The shortest decimals that read back as these doubles."""
    return from_text(pa.array(values).cast(pa.large_string()), heap)


def to_text(words: Words, heap: Heap) -> pa.LargeStringArray:
    """Canonical text. 30 ns a row."""
    offsets, text = kernels.format_all(np.ascontiguousarray(words), *heap.view())
    return pa.LargeStringArray.from_buffers(len(words), pa.py_buffer(offsets), pa.py_buffer(text))


def from_text(texts: pa.Array, heap: Heap) -> Checked:
    """Numbers as people write them, blanks around them and exponents allowed; nulls have word 0. 20 ns a row.

    What is no number, or is too long, failed: `Decimal` accepts underscores and 'NaN12', the type does not.
    """
    texts = texts.cast(pa.large_string())
    n = len(texts)
    _, offsets, data = texts.buffers()
    if n == 0 or offsets is None or data is None:
        return np.zeros(n, np.uint64), None if texts.null_count == n else np.ones(n, np.bool_)
    out, slow = np.empty(n, np.uint64), np.empty(n, np.bool_)
    where = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + n + 1]
    if not kernels.parse_all(where, np.frombuffer(data, np.uint8), out, slow):
        return out, None
    failed = np.zeros(n, np.bool_)
    for row in np.flatnonzero(slow).tolist():
        text = texts[row].as_py()
        try:
            if text is not None:
                value = Decimal(text.strip())
                failed[row] = "_" in text or not (value.is_finite() or text.strip().lower() in SPECIAL)
                out[row] = 0 if failed[row] else pack_decimal(value, heap)
        except (InvalidOperation, OutOfRange):
            failed[row] = True
    return out, failed if failed.any() else None


def rescale(words: Words, precision: int, scale: int, heap: Heap) -> Checked:
    """As numeric(precision, scale) keeps them: rounded to the scale; too many digits before the point failed."""
    out, failed = round_to(words, scale, heap)
    whole, places = mantissas(out), scales(out)
    over = np.zeros(len(out), np.bool_)
    for s in np.unique(places).tolist():
        digits = precision - scale + s
        if digits <= 18:
            over |= (places == s) & (np.abs(whole) >= 10**digits)
    limit = Decimal(1).scaleb(precision - scale)
    for row in np.flatnonzero(out >= DECIMAL_TAG).tolist():
        value = unpack_decimal(int(out[row]), heap)
        over[row] = not value.is_nan() and abs(value) >= limit
    if failed is not None:
        over |= failed
    if not over.any():
        return out, None
    out[over] = 0
    return out, over
