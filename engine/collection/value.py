"""Data outside the engine: what literals hold and what `Result.rows()` yields."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID as Uuid


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval as PostgreSQL keeps it: three fields that do not carry into each other."""

    months: int = 0
    days: int = 0
    microseconds: int = 0


Value: TypeAlias = bool | int | float | str | bytes | Decimal | date | time | datetime | Interval | Uuid | None
"""One datum. jsonb is its canonical text; timestamp with time zone is an aware datetime in UTC."""
