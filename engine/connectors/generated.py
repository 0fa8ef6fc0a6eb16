"""What a load generator is: tables whose changes are functions of tick numbers.

Law: everything is a function of the description and the tick, so a generator keeps nothing. What a tick takes away is
computed again, and after a restart the same rows come again up to the tick where the last process stood.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine import types
from engine.types import Column, SqlType

Ticks = NDArray[np.int64]
Diffs = NDArray[np.int64]
Change: TypeAlias = tuple[pa.Table, Diffs]
"""Rows and the diff of each."""


@dataclass(frozen=True, slots=True)
class Table:
    """One relation of a generator. `grows`: no row ever goes. `keys` are column sets in which no two rows agree."""

    columns: tuple[Column, ...]
    grows: bool
    keys: tuple[tuple[int, ...], ...] = ()

    def of(self, *columns: object) -> pa.Table:
        """Rows of it: one array a column."""
        return pa.table(list(columns), names=[column.name for column in self.columns])


class Generator(Protocol):
    """`rows_per_tick` is about how many rows a tick changes: blocks are made of so many ticks that they fit."""

    rows_per_tick: int

    @property
    def tables(self) -> Mapping[str, Table]:
        """By name; "" is the relation that bears the source's own name."""
        ...

    def begin(self) -> Iterator[Mapping[str, pa.Table]]:
        """What is there before the first tick, in blocks."""
        ...

    def ticks(self, begin: int, end: int) -> Mapping[str, Change]:
        """What ticks begin .. end - 1 change."""
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """Times of ticks: tick `first` is at start_ms, the others tick_ms apart, those before it in the past. A generator
    that is flat out has a millisecond a tick."""

    start_ms: int
    tick_ms: int
    first: int = 0

    def us(self, ticks: Ticks) -> Ticks:
        """Microseconds since 1970."""
        return (self.start_ms + (ticks - self.first) * max(1, self.tick_ms)) * 1000


def times(us: Ticks) -> pa.Array:
    """A column of timestamptz."""
    return pa.array(us, pa.timestamp("us", "UTC"))


def columns(text: str) -> tuple[Column, ...]:
    """Columns from "name:type name:type?"; with ? they may be NULL."""
    return tuple(_column(*word.split(":")) for word in text.split())


TYPES: Mapping[str, SqlType] = {
    "bigint": types.BIGINT, "int": types.INTEGER, "text": types.TEXT, "double": types.DOUBLE, "bytea": types.BYTEA,
    "timestamptz": types.TIMESTAMPTZ,
}  # fmt: skip


def _column(name: str, type: str) -> Column:
    return Column(name, TYPES[type.removesuffix("?")], nullable=type.endswith("?"))


def window(begin: int, end: int, live: int | None) -> tuple[Ticks, Diffs]:
    """The ticks whose rows come, then those whose rows go so that `live` are left, and the diff of each."""
    come = np.arange(begin, end)
    if live is None:
        return come, np.ones(len(come), np.int64)
    go = np.arange(max(0, begin - live), max(0, end - live))
    return np.concatenate([come, go]), np.repeat(np.array([1, -1], np.int64), [len(come), len(go)])


def inserted(rows: pa.Table) -> Change:
    """The rows as insertions."""
    return rows, np.ones(len(rows), np.int64)
