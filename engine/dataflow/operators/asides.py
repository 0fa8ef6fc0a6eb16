"""What a group has beside its limbs, in Python's integers of any length, and how these become limbs and doubles."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf, isinf, isnan, nan
from typing import Final

import numpy as np

from engine.collection.batch import Words
from engine.kernels import wide

FINE_BITS: Final = 1074
"""Every double is a whole number of 2^-1074."""
FINE_DIGITS: Final = 39
"""Every numeric is a whole number of 10^-39."""


@dataclass(slots=True)
class Aside:
    """What one group has beside its limbs. `total` and `squares` in units of 2^-1074 (10^-39) and their squares.
    Of two columns `second` is what it has of the other one, `products` the sum of their products."""

    nans: int = 0
    infinities: int = 0
    negative_infinities: int = 0
    total: int = 0
    squares: int = 0
    products: int = 0
    second: "Aside | None" = None

    @property
    def empty(self) -> bool:
        return not any(self._numbers()) and (self.second is None or self.second.empty)

    def _numbers(self) -> tuple[int, ...]:
        return self.nans, self.infinities, self.negative_infinities, self.total, self.squares, self.products

    def plus(self, other: "Aside", sign: int) -> "Aside":
        """The sum, or difference, of two entries."""
        numbers = (a + sign * b for a, b in zip(self._numbers(), other._numbers(), strict=True))
        second = None
        if self.second is not None or other.second is not None:
            second = (self.second or Aside()).plus(other.second or Aside(), sign)
        return Aside(*numbers, second=second)

    def add(self, x: float, diff: int) -> int:
        """So many times a double more; it in units of 2^-1074."""
        unit = 0
        if isnan(x) or isinf(x):
            self.nans += diff * isnan(x)
            self.infinities += diff * (x == inf)
            self.negative_infinities += diff * (x == -inf)
        else:
            over, under = x.as_integer_ratio()
            unit = over * ((1 << FINE_BITS) // under)
        self.add_units(unit, diff)
        return unit

    def add_units(self, unit: int, diff: int) -> None:
        """So many times a number more."""
        self.total += diff * unit
        self.squares += diff * unit * unit

    def add_pair(self, y: float, x: float, diff: int) -> None:
        """So many times a pair of doubles more."""
        if self.second is None:
            self.second = Aside()
        self.products += diff * self.add(y, diff) * self.second.add(x, diff)

    @property
    def special(self) -> float | None:
        """NaN or an infinity, if the sum is one."""
        if self.nans or (self.infinities and self.negative_infinities):
            return nan
        return inf if self.infinities else -inf if self.negative_infinities else None


def quotient(over: int, under: int) -> float:
    """The nearest double; an infinity beyond the largest."""
    try:
        return over / under
    except OverflowError:
        return inf if over > 0 else -inf


def scaled(value: Decimal, scale: int) -> int:
    """The whole number of 10^-scale that a numeric is."""
    sign, digits, exponent = value.as_tuple()
    mantissa = int("".join(map(str, digits))) * 10 ** (scale + int(exponent))
    return -mantissa if sign else mantissa


def to_limbs(values: Sequence[int]) -> Words:
    """Integers in two's complement: uint64[n, LIMBS]."""
    size = 8 * wide.LIMBS
    data = b"".join(value.to_bytes(size, "little", signed=True) for value in values)
    return np.frombuffer(bytearray(data), np.uint64).reshape(-1, wide.LIMBS)  # kernels take no read-only arrays


def from_limbs(limbs: Words) -> int:
    """The integer of limbs in two's complement."""
    return int.from_bytes(np.ascontiguousarray(limbs).tobytes(), "little", signed=True)
