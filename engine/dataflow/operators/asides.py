"""What a group has beside its limbs, in Python's integers of any length, and how these become limbs and doubles."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf, nan

import numpy as np

from engine.collection.batch import Words
from engine.kernels import wide


@dataclass(slots=True)
class Aside:
    """What one group has beside its limbs. `total` and `squares` in units of 2^-1074 (10^-39) and their squares."""

    nans: int = 0
    infinities: int = 0
    negative_infinities: int = 0
    total: int = 0
    squares: int = 0

    @property
    def empty(self) -> bool:
        return not (self.nans or self.infinities or self.negative_infinities or self.total or self.squares)

    def plus(self, other: "Aside", sign: int) -> "Aside":
        """The sum, or difference, of two entries."""
        return Aside(
            self.nans + sign * other.nans,
            self.infinities + sign * other.infinities,
            self.negative_infinities + sign * other.negative_infinities,
            self.total + sign * other.total,
            self.squares + sign * other.squares,
        )

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
