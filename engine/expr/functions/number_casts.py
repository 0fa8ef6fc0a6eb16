"""Casts between numbers: what does not fit is 22003. Floats round to even, decimals half away from zero."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection import numeric
from engine.collection.vector import Vector
from engine.errors import OutOfRange, UnsupportedValue
from engine.expr import text_forms
from engine.expr.calendar import TIMESTAMP_MAX
from engine.expr.columns import distinct, failing, floats, map_rows, unpack
from engine.expr.registry import Kernel
from engine.expr.text_forms import INTEGER_RANGES, RANGES, RawValue
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Conversion = tuple[Kernel, bool, bool]
"""(kernel, whether it can fail, whether it may run on the words of NULL rows)."""

INTEGERS: Final = tuple(INTEGER_RANGES) + types.REGISTERED
"""Whole numbers whose words are int64."""
WIDE: Final = (types.UINT8, types.MZ_TIMESTAMP)
"""Whole numbers whose words are uint64."""
FLOATS: Final = (types.REAL, types.DOUBLE)
MICROS: Final = 1000
"""Microseconds in a millisecond."""


def per_value(source: SqlType, target: SqlType, one: Callable[[RawValue], RawValue]) -> Kernel:
    """A cast by a function of raw values, run once for each distinct one."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        (unique,), inverse = distinct([vectors[0].words])
        found = map_rows(one, [unpack(unique, source, context)], target, context)
        return found if inverse is None else found.take(inverse)

    return kernel


def _range_message(target: SqlType) -> str:
    return f"{target.name} out of range"


def _to_integer(target: SqlType) -> Kernel:
    low, high = INTEGER_RANGES[target]

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        words = vectors[0].words
        values = words.view(np.int64)
        bad = (values < low) | (values > high)
        if not np.count_nonzero(bad):
            return Vector(words)
        return failing(words.copy(), bad, context, "22003", _range_message(target))

    return kernel


def _float_to_integer(target: SqlType) -> Kernel:
    low, high = INTEGER_RANGES[target]

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        values = np.rint(vectors[0].words.view(np.float64))
        bad = ~((values >= low) & (values < float(high + 1)))
        if np.count_nonzero(bad):
            values = np.where(bad, 0.0, values)
        words = values.astype(np.int64).view(np.uint64)
        return failing(words, bad, context, "22003", _range_message(target))

    return kernel


def _integer_to_float(target: SqlType) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        values = vectors[0].words.view(np.int64)
        if target == types.REAL:
            return Vector(values.astype(np.float32).astype(np.float64).view(np.uint64))
        return Vector(values.astype(np.float64).view(np.uint64))

    return kernel


def _double_to_real(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return to_real(vectors[0].words.view(np.float64), context)


def to_real(values: NDArray[np.float64], context: "Context") -> Vector:
    """Doubles as float32: what does not fit overflows, what vanishes underflows."""
    with np.errstate(all="ignore"):
        rounded = values.astype(np.float32).astype(np.float64)
    over = np.isinf(rounded) & ~np.isinf(values)
    found = failing(floats(rounded), over, context, "22003", "value out of range: overflow")
    return failing(
        found.words, (rounded == 0) & (values != 0) & ~over, context, "22003", "value out of range: underflow",
        found.errors,
    )  # fmt: skip


def _numeric_to_integer(target: SqlType) -> Kernel:
    low, high = INTEGER_RANGES[target]

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        words = vectors[0].words
        values, failed = numeric.to_int(words, context.heap)
        bad = (values < low) | (values > high)
        before = None
        if failed is not None:
            bad |= failed
            for what, special in (("NaN", ("NaN",)), ("infinity", ("Infinity", "-Infinity"))):
                is_special = np.isin(words, [numeric.pack_decimal(Decimal(text), context.heap) for text in special])
                blank, message = np.zeros(len(words), np.uint64), f"cannot convert {what} to {target.name}"
                before = failing(blank, is_special, context, "0A000", message, before).errors
        return failing(values.view(np.uint64), bad, context, "22003", _range_message(target), before)

    return kernel


def _numeric_to_double(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(floats(numeric.to_float(vectors[0].words, context.heap)))


def _numeric_to_real(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return to_real(numeric.to_float(vectors[0].words, context.heap), context)


def _integer_to_numeric(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(numeric.from_int(vectors[0].words.view(np.int64), context.heap))


def _float_to_numeric(digits: int) -> Kernel:
    """PostgreSQL keeps 15 digits of a double and 6 of a real."""

    def one(value: float) -> Decimal:
        return text_forms.fit_numeric(Decimal(f"{value:.{digits}g}"))

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        (unique,), inverse = distinct([vectors[0].words])
        found = map_rows(one, [unique.view(np.float64).tolist()], types.NUMERIC, context)
        return found if inverse is None else found.take(inverse)

    return kernel


def number_as(value: Decimal, target: SqlType) -> RawValue:
    """A number as a raw value of a number type; OutOfRange where it does not fit."""
    if target in RANGES:
        if not value.is_finite():
            raise UnsupportedValue(f"cannot convert {'NaN' if value.is_nan() else 'infinity'} to {target.name}")
        low, high = RANGES[target]
        rounded = int(value.quantize(Decimal(1), context=text_forms.EXACT))
        if not low <= rounded <= high:
            raise OutOfRange(_range_message(target))
        return rounded
    if target == types.NUMERIC:
        return text_forms.fit_numeric(value)
    return text_forms.to_real(float(value)) if target == types.REAL else float(value)


def _same(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return vectors[0]


def _to_oid(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    """The same 32 bits, unsigned."""
    return Vector(vectors[0].words & np.uint64((1 << 32) - 1))


def _to_wide(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    words = vectors[0].words
    return failing(words.copy(), words.view(np.int64) < 0, context, "22003", _range_message(type))


def _from_wide(target: SqlType) -> Kernel:
    _, high = INTEGER_RANGES[target]

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        words = vectors[0].words
        return failing(words.copy(), words > np.uint64(high), context, "22003", _range_message(target))

    return kernel


def _wide_to_numeric(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    words = vectors[0].words
    found, _ = numeric.from_wide(np.zeros(len(words), np.int64), np.ascontiguousarray(words), 0, context.heap)
    return Vector(found)


def _wide_to_float(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    values = vectors[0].words.astype(np.float64)
    return Vector((values.astype(np.float32).astype(np.float64) if type == types.REAL else values).view(np.uint64))


def _float_to_wide(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    values = np.rint(vectors[0].words.view(np.float64))
    bad = ~((values >= 0) & (values < float(1 << 64)))
    return failing(np.where(bad, 0.0, values).astype(np.uint64), bad, context, "22003", _range_message(type))


def _tick_to_stamp(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    words = vectors[0].words
    bad = words > np.uint64(TIMESTAMP_MAX // MICROS)
    return failing(np.where(bad, 0, words) * np.uint64(MICROS), bad, context, "22008", "timestamp out of range")


def _stamp_to_tick(unit: int) -> Kernel:
    """Of so many milliseconds a unit; of microseconds the whole milliseconds."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        values = vectors[0].words.view(np.int64)
        ticks = values // MICROS if unit == 0 else values * unit
        return failing(ticks.view(np.uint64), ticks < 0, context, "22003", _range_message(type))

    return kernel


DAY_MILLISECONDS: Final = 86_400_000


def conversion(source: SqlType, target: SqlType) -> Conversion | None:
    """How one number type becomes another; None where not both are."""
    match source, target:
        case types.DATE, types.MZ_TIMESTAMP:
            return _stamp_to_tick(DAY_MILLISECONDS), True, True
        case ((types.TIMESTAMP | types.TIMESTAMPTZ), types.MZ_TIMESTAMP):
            return _stamp_to_tick(0), True, True
        case types.MZ_TIMESTAMP, (types.TIMESTAMP | types.TIMESTAMPTZ):
            return _tick_to_stamp, True, True
        case _ if source in WIDE and target in WIDE:
            return _same, False, True
        case _ if source in INTEGERS and target in WIDE:
            safe = source in types.UNSIGNED
            return (_same, False, True) if safe else (_to_wide, True, True)
        case _ if source in WIDE and target in INTEGERS:
            return _from_wide(target), True, True
        case _ if source in WIDE and target == types.NUMERIC:
            return _wide_to_numeric, False, True
        case _ if source in WIDE and target in FLOATS:
            return _wide_to_float, False, True
        case _ if source in FLOATS and target in WIDE:
            return _float_to_wide, True, True
        case types.NUMERIC, _ if target in WIDE:
            return per_value(source, target, lambda value: number_as(value, target)), True, False
        case ((types.SMALLINT | types.INTEGER), _) if target == types.OID or target in types.REGISTERED:
            return _to_oid, False, True
        case _ if source in INTEGERS and target in INTEGERS:
            low, high = INTEGER_RANGES[source]
            widening = INTEGER_RANGES[target][0] <= low and high <= INTEGER_RANGES[target][1]
            return (_same, False, True) if widening else (_to_integer(target), True, True)
        case _ if source in INTEGERS and target in FLOATS:
            return _integer_to_float(target), False, True
        case _ if source in INTEGERS and target == types.NUMERIC:
            return _integer_to_numeric, False, True
        case _ if source in FLOATS and target in INTEGERS:
            return _float_to_integer(target), True, True
        case types.REAL, types.DOUBLE:
            return _same, False, True
        case types.DOUBLE, types.REAL:
            return _double_to_real, True, True
        case ((types.REAL | types.DOUBLE), types.NUMERIC):
            return _float_to_numeric(15 if source == types.DOUBLE else 6), True, False
        case types.NUMERIC, types.NUMERIC:
            return _same, False, True
        case types.NUMERIC, types.DOUBLE:
            return _numeric_to_double, False, True
        case types.NUMERIC, types.REAL:
            return _numeric_to_real, True, True
        case types.NUMERIC, _ if target in INTEGERS:
            return _numeric_to_integer(target), True, True
        case _:
            return None
