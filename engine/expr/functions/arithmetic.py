"""Arithmetic. Integers never wrap and floats never overflow silently: such a row is an error, as in PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection import numeric
from engine.collection.vector import Vector
from engine.expr.columns import Codes, failing, floats
from engine.expr.registry import Function, Kernel
from engine.expr.text_forms import INTEGER_RANGES
from engine.kernels import integers
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Int64s = NDArray[np.int64]
Doubles = NDArray[np.float64]
Bits = Callable[[Int64s, Int64s], Int64s]

ZERO_DIVISION: Final = "division by zero"
OVERFLOW: Final = "value out of range: overflow"
UNDERFLOW: Final = "value out of range: underflow"


def _integer(operation: int) -> Kernel:
    """+ - * / % of integers; the width of the result type says what fits."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        a, b = vectors[0].words, vectors[1].words
        out, status = np.empty(len(a), np.uint64), np.empty(len(a), np.uint8)
        if integers.arithmetic(operation, 8 * type.length, a, b, out, status) == 0:
            return Vector(out)
        found = failing(out, status == integers.OVERFLOW, context, "22003", f"{type.name} out of range")
        return failing(out, status == integers.ZERO_DIVISOR, context, "22012", ZERO_DIVISION, found.errors)

    return kernel


def _negate(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    a = vectors[0].words.view(np.int64)
    bad = a == INTEGER_RANGES[type][0]
    return failing((-a).view(np.uint64), bad, context, "22003", f"{type.name} out of range")


def _absolute(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    a = vectors[0].words.view(np.int64)
    bad = a == INTEGER_RANGES[type][0]
    return failing(np.abs(a).view(np.uint64), bad, context, "22003", f"{type.name} out of range")


def _itself(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return vectors[0]


def _bitwise(bits: Bits) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        found = bits(vectors[0].words.view(np.int64), vectors[1].words.view(np.int64))
        return Vector(found.view(np.uint64))

    return kernel


def _invert(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(~vectors[0].words)


def _shift(left: bool) -> Kernel:
    """Shifts take the count modulo the width and drop what leaves it, as the machine's own instruction."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        a, b = vectors[0].words.view(np.int64), vectors[1].words.view(np.int64)
        width = 64 if type == types.BIGINT else 32
        count = b & (width - 1)
        found = a << count if left else a >> count
        if left and type != types.BIGINT:
            found = found.astype(np.int32 if type == types.INTEGER else np.int16).astype(np.int64)
        return Vector(found.view(np.uint64))

    return kernel


def finish_float(
    values: Doubles, given: Sequence[Doubles], type: SqlType, context: "Context", *, before: Codes | None = None,
    vanishes: NDArray[np.bool_] | None = None,
) -> Vector:  # fmt: skip
    """Words of float results: an infinity that no argument had is an overflow, `vanishes` says where 0 is underflow."""
    if type == types.REAL:
        with np.errstate(all="ignore"):
            values = values.astype(np.float32).astype(np.float64)
    n = len(values)
    if before is None and np.count_nonzero(values) == n and np.count_nonzero(np.isfinite(values)) == n:
        return Vector(values.view(np.uint64))
    infinite = np.isinf(values)
    if np.count_nonzero(infinite):
        for argument in given:
            infinite &= ~np.isinf(argument)
    found = failing(floats(values), infinite, context, "22003", OVERFLOW, before)
    if vanishes is None:
        return found
    return failing(found.words, vanishes & (values == 0), context, "22003", UNDERFLOW, found.errors)


def _float_operator(apply: Callable[[Doubles, Doubles], Doubles], scales: bool) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        a, b = vectors[0].words.view(np.float64), vectors[1].words.view(np.float64)
        with np.errstate(all="ignore"):
            values = apply(a, b)
        may_vanish = scales and (type == types.REAL or np.count_nonzero(values) < len(values))
        vanishes = (a != 0) & (b != 0) if may_vanish else None
        return finish_float(values, (a, b), type, context, vanishes=vanishes)

    return kernel


def _float_divide(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    a, b = vectors[0].words.view(np.float64), vectors[1].words.view(np.float64)
    zero = (b == 0) & (a == a)
    with np.errstate(all="ignore"):
        values = a / b
    if type != types.REAL and not np.count_nonzero(zero) and np.count_nonzero(values) == len(values):
        return finish_float(values, (a, b), type, context)
    values[zero] = 0.0
    found = failing(values.view(np.uint64), zero, context, "22012", ZERO_DIVISION)
    vanishes = (a != 0) & ~np.isinf(b) & ~zero
    return finish_float(values, (a, b), type, context, before=found.errors, vanishes=vanishes)


def _float_negate(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(floats(-vectors[0].words.view(np.float64)))


def _float_absolute(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(floats(np.abs(vectors[0].words.view(np.float64))))


def _decimal_operator(apply: Callable[..., numeric.Checked], divides: bool) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        a, b = vectors[0].words, vectors[1].words
        if not divides:
            words, failed = apply(a, b, context.heap)
            return Vector(words) if failed is None else failing(words, failed, context, "22003", numeric.OVERFLOW)
        zero = (b == 0) & ~numeric.is_nan(a, context.heap)
        words, failed = apply(a, np.where(b == 0, np.uint64(1), b), context.heap)
        found = failing(words, zero, context, "22012", ZERO_DIVISION)
        if failed is None:
            return found
        return failing(found.words, failed & ~zero, context, "22003", numeric.OVERFLOW, found.errors)

    return kernel


def _decimal_negate(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(numeric.negate(vectors[0].words, context.heap))


def _decimal_absolute(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(numeric.absolute(vectors[0].words, context.heap))


INTEGERS: Final = (types.SMALLINT, types.INTEGER, types.BIGINT)

INTEGER_OPERATORS: Final = (
    ("+", _integer(integers.ADD), "sum"),
    ("-", _integer(integers.SUBTRACT), "difference"),
    ("*", _integer(integers.MULTIPLY), "product"),
    ("/", _integer(integers.DIVIDE), "quotient, truncated toward zero"),
)
FLOAT_OPERATORS: Final = (
    ("+", _float_operator(np.add, False), "sum"),
    ("-", _float_operator(np.subtract, False), "difference"),
    ("*", _float_operator(np.multiply, True), "product"),
    ("/", _float_divide, "quotient"),
)
BITWISE: Final[tuple[tuple[str, Bits, str], ...]] = (
    ("&", np.bitwise_and, "bitwise and"),
    ("|", np.bitwise_or, "bitwise or"),
    ("#", np.bitwise_xor, "bitwise exclusive or"),
)
DECIMAL_OPERATORS: Final = (
    ("+", numeric.add, False, "sum"),
    ("-", numeric.subtract, False, "difference"),
    ("*", numeric.multiply, False, "product"),
    ("/", numeric.divide, True, "quotient, to 39 digits"),
    ("%", numeric.remainder, True, "remainder, with the sign of the dividend"),
    ("mod", numeric.remainder, True, "remainder, with the sign of the dividend"),
)


def _wider(left: SqlType, right: SqlType) -> SqlType:
    return left if left.length >= right.length else right


SIGNED_OF: Final = {types.UINT2: types.INTEGER, types.UINT4: types.BIGINT}
"""The signed type that holds what an unsigned one does: beside a signed number it counts as that."""


def _integer_rows() -> Iterator[Function]:
    for left in (*INTEGERS, *SIGNED_OF):
        for right in (*INTEGERS, *SIGNED_OF):
            if left in SIGNED_OF and right in SIGNED_OF:
                continue
            result = _wider(SIGNED_OF.get(left, left), SIGNED_OF.get(right, right))
            for name, kernel, doc in INTEGER_OPERATORS:
                yield Function(name, (left, right), result, kernel, can_fail=True, on_words=True, doc=doc)
    for kind in INTEGERS:
        pair = (kind, kind)
        for name in ("%", "mod"):
            doc = "remainder, with the sign of the dividend"
            yield Function(name, pair, kind, _integer(integers.MODULO), can_fail=True, on_words=True, doc=doc)
        for name, bits, doc in BITWISE:
            yield Function(name, pair, kind, _bitwise(bits), on_words=True, doc=doc)
        for name, left in (("<<", True), (">>", False)):
            doc = f"shift {'left' if left else 'right'}"
            yield Function(name, (kind, types.INTEGER), kind, _shift(left), on_words=True, doc=doc)
        yield Function("~", (kind,), kind, _invert, on_words=True, doc="bitwise not")
        yield Function("-", (kind,), kind, _negate, can_fail=True, on_words=True, doc="negation")
        for name in ("abs", "@"):
            yield Function(name, (kind,), kind, _absolute, can_fail=True, on_words=True, doc="absolute value")


def _rows() -> Iterator[Function]:
    yield from _integer_rows()
    for left in (types.REAL, types.DOUBLE):
        for right in (types.REAL, types.DOUBLE):
            for name, kernel, doc in FLOAT_OPERATORS:
                result = _wider(left, right)
                yield Function(name, (left, right), result, kernel, can_fail=True, on_words=True, doc=doc)
        yield Function("-", (left,), left, _float_negate, on_words=True, doc="negation")
        for name in ("abs", "@"):
            yield Function(name, (left,), left, _float_absolute, on_words=True, doc="absolute value")
    kind = types.NUMERIC
    for name, apply, divides, doc in DECIMAL_OPERATORS:
        kernel = _decimal_operator(apply, divides)
        yield Function(name, (kind, kind), kind, kernel, can_fail=True, on_words=True, doc=doc)
    yield Function("-", (kind,), kind, _decimal_negate, on_words=True, doc="negation")
    for name in ("abs", "@"):
        yield Function(name, (kind,), kind, _decimal_absolute, on_words=True, doc="absolute value")
    for kind in (*INTEGERS, types.REAL, types.DOUBLE, types.NUMERIC):
        yield Function("+", (kind,), kind, _itself, on_words=True, doc="the number itself")


FUNCTIONS: Final = tuple(_rows())
