"""Rows that are there between two times that they carry: insertions and retractions scheduled ahead.

Rule   a row is in the output at tick t when lower <= t < upper; NULL as a bound: never. A change of a row that is there
       goes on at once, and its end is put down for later; one whose time has not come is put down whole. At each tick
       what was put down for it or before comes out. A retraction cancels what its insertion put down.
State  what is to come, in runs sorted by time, each at least twice as long as the next: bounded by twice the input rows
       whose time is not over.
Cost   O(|delta| log |state|) amortised a tick, and O(what is due); a tick with neither is not even stepped.
From   McSherry, Materialize's temporal filters (2021); the runs: O'Neil et al., "The LSM-Tree", 1996.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.collection.vector import Vector
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.types import SqlType

ALWAYS: Final = np.iinfo(np.int64).min
FOREVER: Final = np.iinfo(np.int64).max


class Temporal:
    def __init__(self, plan: graph.Temporal, row: tuple[SqlType, ...]) -> None:
        self.errors = ErrorCounts()
        self._plan = plan
        self._row = row
        self._runs: list[Batch] = []  # the row's columns, then the time; ascending by time

    def due(self) -> int | None:
        """The first tick at which something was put down."""
        return min((int(_times(run)[0]) for run in self._runs), default=None)

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        parts = [Batch.empty(len(self._row)), *self._taken(tick)]
        delta = deltas[0]
        if len(delta):
            lower, upper, never = self._bounds(delta)
            alive = ~never & (lower < upper) & (upper > tick)
            there = alive & (lower <= tick)
            parts.append(delta.take(there))
            begins, ends = alive & ~there, alive & (upper != FOREVER)
            self._put(
                [_at(delta.take(begins), lower[begins]), _at(delta.take(ends).negate(), upper[ends])]
            )  # fmt: skip
        return Batch.concat(parts).consolidate()

    def _bounds(self, delta: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        never = np.zeros(len(delta), np.bool_)
        found: list[NDArray[np.int64]] = []
        for column, without in ((self._plan.lower, ALWAYS), (self._plan.upper, FOREVER)):
            if column is None:
                found.append(np.full(len(delta), without, np.int64))
                continue
            vector = delta.vector(column)
            found.append(vector.words.view(np.int64))
            if vector.nulls is not None:
                never |= vector.nulls
        return found[0], found[1], never

    def _taken(self, tick: int) -> list[Batch]:
        """What was put down for this tick or before."""
        due: list[Batch] = []
        left: list[Batch] = []
        for run in self._runs:
            n = int(np.searchsorted(_times(run), tick, "right"))
            if n:
                due.append(run.take(np.arange(n)).project(range(len(self._row))))
                run = run.take(np.arange(n, len(run)))
            if len(run):
                left.append(run)
        self._runs = left
        return due

    def _put(self, changes: Sequence[Batch]) -> None:
        """Put changes down, merged with the runs that are not twice as long."""
        new = Batch.concat(changes).consolidate()
        while self._runs and len(self._runs[-1]) <= 2 * len(new):
            new = Batch.concat([self._runs.pop(), new]).consolidate()
        if len(new):
            self._runs.append(new.take(np.argsort(_times(new), kind="stable")))

    def publish(self) -> None: ...

    def contents(self) -> Batch | None:
        return None

    def rows(self) -> int:
        return 0

    def bytes_held(self) -> int:
        return sum(run.words.nbytes + run.diffs.nbytes for run in self._runs)

    def mark(self, marks: Marks) -> None:
        for run in self._runs:
            run.mark(marks, (*self._row, types.BIGINT))


def _times(run: Batch) -> NDArray[np.int64]:
    return run.words[-1].view(np.int64)


def _at(rows: Batch, times: NDArray[np.int64]) -> Batch:
    """The rows with the time when they change as their last column."""
    return Batch.from_vectors([*rows.vectors(), Vector(times.view(np.uint64))], rows.diffs)
