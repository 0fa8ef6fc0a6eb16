"""Data outside the engine: what literals hold and what `Result.rows()` yields."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final, TypeAlias
from uuid import UUID as Uuid


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval as PostgreSQL keeps it: three fields that do not carry into each other."""

    months: int = 0
    days: int = 0
    microseconds: int = 0


@dataclass(frozen=True, slots=True)
class Range:
    """What lies between two bounds, each of them in it or not; None is no bound. Nothing is in an empty one."""

    lower: "Value"
    upper: "Value"
    lower_inc: bool
    upper_inc: bool
    empty: bool = False


class MinusZero(float):
    """-0.0 in a plan. Plans are the same when they are equal, and Python's -0.0 is equal to 0.0: this is not."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MinusZero)

    def __hash__(self) -> int:
        return hash(MinusZero)


MINUS_ZERO: Final = MinusZero(-0.0)


def planned(value: "Value") -> "Value":
    """A value as a plan holds it."""
    return MINUS_ZERO if type(value) is float and value == 0 and str(value) == "-0.0" else value


Plain: TypeAlias = bool | int | float | str | bytes | Decimal | date | time | datetime | Interval | Uuid | None
Value: TypeAlias = "Plain | Range | list[Value] | dict[str, Value] | tuple[Value, ...]"
"""One datum. jsonb is its canonical text; timestamp with time zone is an aware datetime in UTC. An array is a list (of
lists, if it has several dimensions), a list a list, a map a dict, a record a tuple, a range a Range. A literal, being
hashed, holds one of these as its bytes (collection/nested.py)."""
