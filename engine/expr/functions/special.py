"""Trigonometry in degrees, exact where the answer is (sind(30) is 0.5), and the gamma and error functions.

From  PostgreSQL's float.c: a value within the first octant is scaled by what the same formula gives at a known angle,
so that the errors of both cancel there.
"""

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

import numpy as np

from engine import types
from engine.errors import OutOfRange
from engine.expr.columns import each
from engine.expr.functions.math import BEYOND_ONE, INFINITIES, Rule, libm, on_doubles
from engine.expr.registry import Function

SIN_30: Final = math.sin(math.radians(30.0))
ONE_MINUS_COS_60: Final = 1.0 - math.cos(math.radians(60.0))
ASIN_HALF: Final = math.asin(0.5)
ACOS_HALF: Final = math.acos(0.5)
ATAN_ONE: Final = math.atan(1.0)
FACTORIAL_MAX: Final = 34
"""35! has 41 digits, more than a numeric holds."""


def _sine_to_30(x: float) -> float:
    return math.sin(math.radians(x)) / SIN_30 / 2.0


def _cosine_to_60(x: float) -> float:
    return 1.0 - (1.0 - math.cos(math.radians(x))) / ONE_MINUS_COS_60 / 2.0


def _sine(x: float) -> float:
    """Of 0 to 90 degrees."""
    return _sine_to_30(x) if x <= 30 else _cosine_to_60(90 - x)


def _cosine(x: float) -> float:
    """Of 0 to 90 degrees."""
    return _cosine_to_60(x) if x <= 60 else _sine_to_30(90 - x)


TAN_45: Final = _sine(45.0) / _cosine(45.0)
COT_45: Final = _cosine(45.0) / _sine(45.0)


def _quadrant(x: float) -> tuple[float, bool, bool]:
    """(the angle's image within 0 to 90 degrees, whether its sine is negative, whether its cosine is)."""
    x = math.fmod(x, 360.0)
    below = x < 0
    x = abs(x)
    if x > 180:
        x, below = 360 - x, not below
    return (180 - x, below, True) if x > 90 else (x, below, False)


def _sind(x: float) -> float:
    angle, below, _ = _quadrant(x)
    return -_sine(angle) if below else _sine(angle)


def _cosd(x: float) -> float:
    angle, _, left = _quadrant(x)
    return -_cosine(angle) if left else _cosine(angle)


def _tand(x: float) -> float:
    angle, below, left = _quadrant(x)
    cosine = _cosine(angle)
    found = _sine(angle) / cosine / TAN_45 if cosine else math.inf
    return (-found if below != left else found) + 0.0  # never -0, as in PostgreSQL


def _cotd(x: float) -> float:
    angle, below, left = _quadrant(x)
    sine = _sine(angle)
    found = _cosine(angle) / sine / COT_45 if sine else math.inf
    return (-found if below != left else found) + 0.0


def _arc_sine(x: float) -> float:
    """Of 0 to 1, in degrees."""
    return math.asin(x) / ASIN_HALF * 30 if x <= 0.5 else 90 - math.acos(x) / ACOS_HALF * 60


def _arc_cosine(x: float) -> float:
    """Of 0 to 1, in degrees."""
    return 90 - math.asin(x) / ASIN_HALF * 30 if x <= 0.5 else math.acos(x) / ACOS_HALF * 60


def _asind(x: float) -> float:
    return _arc_sine(x) if x >= 0 else -_arc_sine(-x)


def _acosd(x: float) -> float:
    return _arc_cosine(x) if x >= 0 else 90 + _arc_sine(-x)


def _atand(x: float) -> float:
    return math.atan(x) / ATAN_ONE * 45


def _atan2d(y: float, x: float) -> float:
    return math.atan2(y, x) / ATAN_ONE * 45


OVERFLOW: Final = "value out of range: overflow"
UNDERFLOW: Final = "value out of range: underflow"

POLES: Final[Rule] = (lambda x: (x <= 0) & (np.trunc(x) == x) & np.isfinite(x), "22003", OVERFLOW)
BELOW_ALL: Final[Rule] = (np.isneginf, "22003", OVERFLOW)
VANISHING: Final[Rule] = (lambda x: (x < -184) & (np.trunc(x) != x), "22003", UNDERFLOW)
"""Below -184 the gamma function is smaller than the smallest double."""

DOUBLE_FUNCTIONS: Final[tuple[tuple[str, Callable[[float], float], tuple[Rule, ...], str], ...]] = (
    ("sind", _sind, (INFINITIES,), "sine of degrees"),
    ("cosd", _cosd, (INFINITIES,), "cosine of degrees"),
    ("tand", _tand, (INFINITIES,), "tangent of degrees"),
    ("cotd", _cotd, (INFINITIES,), "cotangent of degrees"),
    ("asind", _asind, (BEYOND_ONE,), "inverse sine, in degrees"),
    ("acosd", _acosd, (BEYOND_ONE,), "inverse cosine, in degrees"),
    ("atand", _atand, (), "inverse tangent, in degrees"),
    ("coth", lambda x: 1 / math.tanh(x) if x else math.inf, (), "hyperbolic cotangent"),
    ("gamma", math.gamma, (POLES, BELOW_ALL, VANISHING), "the gamma function: (x - 1)!"),
    ("lgamma", math.lgamma, (POLES,), "natural logarithm of the size of the gamma function"),
    ("erf", math.erf, (), "error function"),
    ("erfc", math.erfc, (), "1 - erf(x)"),
)
UNBOUNDED: Final = frozenset({"tand", "cotd", "coth"})


def _factorial(n: int) -> Decimal:
    if n < 0:
        raise OutOfRange("factorial of a negative number is undefined")
    if n > FACTORIAL_MAX:
        raise OutOfRange("numeric field overflow")
    return Decimal(math.factorial(n))


def _rows() -> Iterator[Function]:
    double = types.DOUBLE
    for name, apply, rules, doc in DOUBLE_FUNCTIONS:
        kernel = on_doubles(libm(apply), rules, unbounded=name in UNBOUNDED)
        yield Function(name, (double,), double, kernel, can_fail=True, on_words=True, doc=doc)
    yield each("atan2d", (double, double), double, _atan2d, "inverse tangent of y / x, in degrees")
    yield each("factorial", (types.BIGINT,), types.NUMERIC, _factorial, "1 * 2 * ... x", can_fail=True)


FUNCTIONS: Final = tuple(_rows())
