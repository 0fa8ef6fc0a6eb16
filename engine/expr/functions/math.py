"""Mathematics: on doubles by numpy, on numeric by decimal to 39 digits. A result that does not exist is an error."""

import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Context as DecimalContext
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection import numeric
from engine.collection.vector import Vector
from engine.errors import DivisionByZero, InvalidLogarithm, InvalidPower, InvalidWidth, OutOfRange
from engine.expr.columns import each, failing, floats
from engine.expr.functions.arithmetic import finish_float
from engine.expr.registry import Function, Kernel
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rule = tuple[Callable[[Doubles], Mask], str, str]
"""Where a function is not defined, and the error there: (mask of, sqlstate, message)."""

INPUT_RANGE: Final = "input is out of range"
NEGATIVE_ROOT: Final = "cannot take square root of a negative number"
ZERO_LOG: Final = "cannot take logarithm of zero"
NEGATIVE_LOG: Final = "cannot take logarithm of a negative number"
COMPLEX_POWER: Final = "a negative number raised to a non-integer power yields a complex result"
ZERO_POWER: Final = "zero raised to a negative power is undefined"

NEGATIVE_ROOTS: Final[Rule] = (lambda x: x < 0, "2201F", NEGATIVE_ROOT)
NEGATIVE_LOGS: Final[Rule] = (lambda x: x < 0, "2201E", NEGATIVE_LOG)
ZERO_LOGS: Final[Rule] = (lambda x: x == 0, "2201E", ZERO_LOG)
INFINITIES: Final[Rule] = (np.isinf, "22003", INPUT_RANGE)
BEYOND_ONE: Final[Rule] = (lambda x: np.abs(x) > 1, "22003", INPUT_RANGE)


WHOLE: Final = DecimalContext(prec=100)
"""No numeric has so many digits: none is lost."""


def on_doubles(apply: Callable[[Doubles], Doubles], rules: Sequence[Rule], unbounded: bool) -> Kernel:
    """A function of one double; `unbounded`: an infinity is its value there, not an overflow."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        x = vectors[0].words.view(np.float64)
        errors = None
        clean = x
        for undefined, sqlstate, message in rules:
            bad = undefined(x)
            if np.count_nonzero(bad):
                clean = np.where(bad, 1.0, clean)
                errors = failing(np.zeros(len(x), np.uint64), bad, context, sqlstate, message, errors).errors
        with np.errstate(all="ignore"):
            values = apply(clean)
        found = finish_float(values, (values if unbounded else clean,), type, context, before=errors)
        if errors is not None:
            found.words[errors != 0] = 0
        return found

    return kernel


def libm(apply: Callable[[float], float], pole: float = math.nan) -> Callable[[Doubles], Doubles]:
    """The C library's function, as PostgreSQL's: numpy's own differ in the last digit from machine to machine.

    `pole` is the size of the argument at which the value is infinite (atanh). 0.1 us a row.
    """

    def one(x: float) -> float:
        try:
            return apply(x)
        except OverflowError:
            return -math.inf if x < 0 and apply is math.sinh else math.inf
        except ValueError:
            return math.copysign(math.inf, x) if abs(x) == pole else math.nan

    return lambda values: np.array([one(x) for x in values.tolist()], np.float64)


def _sign(x: Doubles) -> Doubles:
    return np.where(np.isnan(x), 0.0, np.sign(x))


def _cotangent(x: float) -> float:
    return 1.0 / math.tan(x) if x else math.inf


UNBOUNDED: Final = frozenset({"sinh", "cosh", "tan", "cot", "atanh"})

DOUBLE_FUNCTIONS: Final[tuple[tuple[str, Callable[[Doubles], Doubles], tuple[Rule, ...], str], ...]] = (
    ("ceil", np.ceil, (), "the least integer not below"),
    ("ceiling", np.ceil, (), "the least integer not below"),
    ("floor", np.floor, (), "the greatest integer not above"),
    ("round", np.rint, (), "the nearest integer, halves to even"),
    ("trunc", np.trunc, (), "the fraction dropped"),
    ("sign", _sign, (), "-1, 0 or 1"),
    ("sqrt", np.sqrt, (NEGATIVE_ROOTS,), "square root"),
    ("cbrt", libm(math.cbrt), (), "cube root"),
    ("|/", np.sqrt, (NEGATIVE_ROOTS,), "square root"),
    ("||/", libm(math.cbrt), (), "cube root"),
    ("exp", libm(math.exp), (), "e to the power of x"),
    ("ln", libm(math.log), (ZERO_LOGS, NEGATIVE_LOGS), "natural logarithm"),
    ("log", libm(math.log10), (ZERO_LOGS, NEGATIVE_LOGS), "logarithm to base 10"),
    ("log10", libm(math.log10), (ZERO_LOGS, NEGATIVE_LOGS), "logarithm to base 10"),
    ("log2", libm(math.log2), (ZERO_LOGS, NEGATIVE_LOGS), "logarithm to base 2"),
    ("sin", libm(math.sin), (INFINITIES,), "sine of radians"),
    ("cos", libm(math.cos), (INFINITIES,), "cosine of radians"),
    ("tan", libm(math.tan), (INFINITIES,), "tangent of radians"),
    ("cot", libm(_cotangent), (INFINITIES,), "cotangent of radians"),
    ("asin", libm(math.asin), (BEYOND_ONE,), "inverse sine, in radians"),
    ("acos", libm(math.acos), (BEYOND_ONE,), "inverse cosine, in radians"),
    ("atan", libm(math.atan), (), "inverse tangent, in radians"),
    ("sinh", libm(math.sinh), (), "hyperbolic sine"),
    ("cosh", libm(math.cosh), (), "hyperbolic cosine"),
    ("tanh", libm(math.tanh), (), "hyperbolic tangent"),
    ("asinh", libm(math.asinh), (), "inverse hyperbolic sine"),
    ("acosh", libm(math.acosh), ((lambda x: x < 1, "22003", INPUT_RANGE),), "inverse hyperbolic cosine"),
    ("atanh", libm(math.atanh, 1.0), (BEYOND_ONE,), "inverse hyperbolic tangent"),
    ("degrees", np.degrees, (), "radians in degrees"),
    ("radians", np.radians, (), "degrees in radians"),
)


def _power(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    x, y = vectors[0].words.view(np.float64), vectors[1].words.view(np.float64)
    undefined = (x == 0) & (y < 0)
    unreal = (x < 0) & (np.trunc(y) != y) & np.isfinite(y)
    bad = undefined | unreal
    clean = np.where(bad, 1.0, x)
    with np.errstate(all="ignore"):
        values = np.power(clean, y)
    blank = np.zeros(len(x), np.uint64)
    before = failing(blank, undefined, context, "2201F", ZERO_POWER).errors
    before = failing(blank, unreal, context, "2201F", COMPLEX_POWER, before).errors
    found = finish_float(
        values, (x, y), type, context, before=before, vanishes=(clean != 0) & np.isfinite(clean) & np.isfinite(y)
    )
    if np.count_nonzero(bad):
        found.words[bad] = 0
    return found


def _atan2(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    y, x = vectors[0].words.view(np.float64), vectors[1].words.view(np.float64)
    return Vector(floats(np.arctan2(y, x)))


def _decimal(apply: Callable[..., numeric.Checked]) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        words, failed = apply(vectors[0].words, context.heap)
        return Vector(words) if failed is None else failing(words, failed, context, "22003", numeric.OVERFLOW)

    return kernel


def _to_places(apply: Callable[..., numeric.Checked]) -> Kernel:
    """round(x, n), trunc(x, n): one pass for each distinct n."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        words = vectors[0].words
        places = vectors[1].words.view(np.int64)
        out = np.zeros(len(words), np.uint64)
        bad = np.zeros(len(words), np.bool_)
        for count in np.unique(places).tolist():
            rows = places == count
            out[rows], failed = apply(words[rows], max(-100, min(100, count)), context.heap)
            if failed is not None:
                bad[rows] = failed
        return failing(out, bad, context, "22003", numeric.OVERFLOW)

    return kernel


def _numeric_sign(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(numeric.sign(vectors[0].words, context.heap))


Number = TypeVar("Number", float, Decimal)
INT32_MAX: Final = (1 << 31) - 1
DIGITS: Final = numeric.CONTEXT


def _numeric_sqrt(x: Decimal) -> Decimal:
    if x.is_nan():
        return x
    if x < 0:
        raise InvalidPower(NEGATIVE_ROOT)
    return DIGITS.sqrt(x)


def _checked_log(x: Decimal) -> Decimal:
    if x.is_nan():
        return x
    if x == 0:
        raise InvalidLogarithm(ZERO_LOG)
    if x < 0:
        raise InvalidLogarithm(NEGATIVE_LOG)
    return x


def _numeric_ln(x: Decimal) -> Decimal:
    return DIGITS.ln(_checked_log(x))


def _numeric_log10(x: Decimal) -> Decimal:
    return DIGITS.log10(_checked_log(x))


def _numeric_log(base: Decimal, x: Decimal) -> Decimal:
    if x.is_nan() or base.is_nan():
        return Decimal("NaN")
    wide = numeric.EXACT
    over, under = wide.ln(_checked_log(x)), wide.ln(_checked_log(base))
    if x.is_infinite() and base.is_finite():
        return x
    if under == 0:
        raise DivisionByZero("division by zero")
    return DIGITS.plus(wide.divide(over, under))


def _numeric_exp(x: Decimal) -> Decimal:
    if not x.is_finite():
        return DIGITS.exp(x)
    if x > 100:
        raise OutOfRange(numeric.OVERFLOW)
    return DIGITS.exp(x) if x > -200 else Decimal(0)


def _numeric_power(x: Decimal, y: Decimal) -> Decimal:
    if x.is_nan() or y.is_nan():
        return Decimal(1) if x == 1 or y == 0 else Decimal("NaN")
    if x == 0 and y < 0:
        raise InvalidPower(ZERO_POWER)
    if x < 0 and y != y.to_integral_value():
        raise InvalidPower(COMPLEX_POWER)
    if y == 0:
        return Decimal(1)
    if x == 0:
        return Decimal(0)
    if x.is_infinite() or y.is_infinite():
        return _infinite_power(x, y)
    magnitude = float(y) * math.log10(abs(x)) if abs(x) != 1 else 0.0
    if magnitude > 2 * DIGITS.prec:
        raise OutOfRange(numeric.OVERFLOW)
    return DIGITS.power(x, y) if magnitude > -3 * DIGITS.prec else Decimal(0)


def _infinite_power(x: Decimal, y: Decimal) -> Decimal:
    """POSIX's rules of pow where one of the two is infinite, neither is 0 and x is negative for whole y only."""
    if abs(x) == 1:
        return Decimal(1)
    if y.is_infinite():
        return Decimal("Infinity" if (abs(x) > 1) == (y > 0) else 0)
    if y < 0:
        return Decimal(0)
    return x if x > 0 or numeric.EXACT.remainder(y, Decimal(2)) else -x


def _gcd(high: int) -> Callable[[int, int], int]:
    def gcd(a: int, b: int) -> int:
        found = math.gcd(a, b)
        if found > high:
            raise OutOfRange("integer out of range" if high < 1 << 32 else "bigint out of range")
        return found

    return gcd


def _lcm(high: int) -> Callable[[int, int], int]:
    def lcm(a: int, b: int) -> int:
        found = math.lcm(a, b)
        if found > high:
            raise OutOfRange("integer out of range" if high < 1 << 32 else "bigint out of range")
        return found

    return lcm


def _div(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    a, b = vectors[0].words, vectors[1].words
    zero = (b == 0) & ~numeric.is_nan(a, context.heap)
    quotient, failed = numeric.divide(a, np.where(b == 0, np.uint64(1), b), context.heap)
    if failed is None:
        quotient, failed = numeric.truncate(quotient, 0, context.heap)
    found = failing(quotient, zero, context, "22012", "division by zero")
    if failed is None:
        return found
    return failing(found.words, failed & ~zero, context, "22003", numeric.OVERFLOW, found.errors)


def _bucket(x: Number, low: Number, high: Number, count: int) -> int:
    """Which of so many buckets of one width from low to high x is in; 0 before the first, count + 1 behind the last."""
    if count <= 0:
        raise InvalidWidth("count must be greater than zero")
    if x != x or low != low or high != high:
        raise InvalidWidth("operand, lower bound, and upper bound cannot be NaN")
    if math.isinf(low) or math.isinf(high):
        raise InvalidWidth("lower and upper bounds must be finite")
    if low == high:
        raise InvalidWidth("lower bound cannot equal upper bound")
    inside, width = (x - low, high - low) if low < high else (low - x, low - high)
    if inside < 0:
        return 0
    if inside >= width:
        found = count + 1
    else:
        found = min(count, int(inside * count / width) + 1)
    if found > INT32_MAX:
        raise OutOfRange("integer out of range")
    return found


def _pi(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(floats(np.array([math.pi])))


def _min_scale(value: Decimal) -> int | None:
    if not value.is_finite():
        return None
    exponent = value.normalize(WHOLE).as_tuple().exponent
    return max(0, -int(exponent))


def _rows() -> Iterator[Function]:
    double, decimal = types.DOUBLE, types.NUMERIC
    for name, apply, rules, doc in DOUBLE_FUNCTIONS:
        yield Function(
            name, (double,), double, on_doubles(apply, rules, name in UNBOUNDED), can_fail=True, on_words=True, doc=doc
        )
    for name in ("power", "pow", "^"):
        doc = "x to the power of y"
        yield Function(name, (double, double), double, _power, can_fail=True, on_words=True, doc=doc)
        yield each(name, (decimal, decimal), decimal, _numeric_power, doc, can_fail=True)
    yield Function("atan2", (double, double), double, _atan2, on_words=True, doc="inverse tangent of y / x")
    yield Function("pi", (), double, _pi, doc="the ratio of a circle's circumference to its diameter")
    for name, apply, doc in (
        ("ceil", numeric.ceil, "the least integer not below"),
        ("ceiling", numeric.ceil, "the least integer not below"),
        ("floor", numeric.floor, "the greatest integer not above"),
        ("round", lambda words, heap: numeric.round_to(words, 0, heap), "the nearest integer, halves away from zero"),
        ("trunc", lambda words, heap: numeric.truncate(words, 0, heap), "the fraction dropped"),
    ):
        yield Function(name, (decimal,), decimal, _decimal(apply), can_fail=True, on_words=True, doc=doc)
    for name, apply, doc in (
        ("round", numeric.round_to, "rounded to n places, halves away from zero"),
        ("trunc", numeric.truncate, "cut to n places"),
    ):
        pair = (decimal, types.INTEGER)
        yield Function(name, pair, decimal, _to_places(apply), can_fail=True, on_words=True, doc=doc)
    yield Function("sign", (decimal,), decimal, _numeric_sign, on_words=True, doc="-1, 0 or 1")
    yield Function("div", (decimal, decimal), decimal, _div, can_fail=True, on_words=True, doc="quotient, truncated")
    yield each("sqrt", (decimal,), decimal, _numeric_sqrt, "square root", can_fail=True)
    yield each("ln", (decimal,), decimal, _numeric_ln, "natural logarithm", can_fail=True)
    for name in ("log", "log10"):
        yield each(name, (decimal,), decimal, _numeric_log10, "logarithm to base 10", can_fail=True)
    yield each("log", (decimal, decimal), decimal, _numeric_log, "logarithm of y to base x", can_fail=True)
    yield each("exp", (decimal,), decimal, _numeric_exp, "e to the power of x", can_fail=True)
    for kind in (double, decimal):
        doc = "which of z buckets of one width from y on x is in; 0 and z + 1 are outside"
        yield each("width_bucket", (kind, kind, kind, types.INTEGER), types.INTEGER, _bucket, doc, can_fail=True)
    doc = "how many digits behind the point it takes"
    yield each("min_scale", (decimal,), types.INTEGER, _min_scale, doc, gives_null=True)
    doc = "without zeros at the end of its digits behind the point, as every numeric is here"
    yield each("trim_scale", (decimal,), decimal, lambda value: value, doc)
    for kind, high in ((types.INTEGER, (1 << 31) - 1), (types.BIGINT, (1 << 63) - 1)):
        yield each("gcd", (kind, kind), kind, _gcd(high), "greatest common divisor", can_fail=True)
        yield each("lcm", (kind, kind), kind, _lcm(high), "least common multiple", can_fail=True)


FUNCTIONS: Final = tuple(_rows())
