"""The changes of a collection as rows: what it held at some tick, then whatever came and went, each with its tick.

Rule   each row of the input's delta goes out once, with the tick and its diff behind its columns; nothing ever goes
       back. It begins with the input's contents as of a tick of the past, told as if they had come at that tick, and
       the deltas from there to the tick at which it is made, each at its own.
Law    the sum of diff by row, of the rows told up to t, is the input as of t.
State  all rows that it ever told, in a log. Before the tick that it begins with: the input.
Cost   O(|delta|) a tick.
"""

from collections.abc import Sequence

import numpy as np

from engine import types
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.log import Log
from engine.collection.vector import Vector
from engine.dataflow.errors import ErrorCounts
from engine.types import SqlType

ADDED = (types.MZ_TIMESTAMP, types.BIGINT)
"""The types of the columns behind those of the input: the tick, the diff."""


class Changes:
    def __init__(self, row: tuple[SqlType, ...], heap: Heap) -> None:
        self.errors = ErrorCounts()
        self._row = (*row, *ADDED)
        self._heap = heap
        self._log = Log(len(self._row))
        self._staged: Batch | None = None
        self._first: Batch | None = None
        self._begun = 0
        self._awaited: int | None = None  # the tick that it begins with, until that comes
        self._input: list[Batch] = []  # up to then

    def begin(self, tick: int, first: Batch | None, error: str = "") -> None:
        """It is made at `tick`, by when these rows have been told; None: that is not known, which is an error."""
        self._begun = tick
        self._first = first
        if first is None:
            code = self._heap.intern(error.encode())
            self.errors.add(np.array([code], np.uint64), np.ones(1, np.int64))
            self.errors.publish()

    def wait(self, tick: int) -> None:
        """It begins with a tick that is yet to come."""
        self._awaited = tick

    def due(self) -> int | None:
        """What was told before it was made goes out at once."""
        return self._awaited if self._first is None else self._begun

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        if self._awaited is not None:
            if tick <= self._awaited:
                self._input = [Batch.concat([*self._input, deltas[0]]).consolidate()]
            if tick < self._awaited:
                return Batch.empty(len(self._row))
            since = told(deltas[0].consolidate(), tick) if tick > self._awaited else Batch.empty(len(self._row))
            held = [told(batch, self._awaited) for batch in self._input]
            self._staged = Batch.concat([*held, since])
            self._awaited, self._input, self._begun = None, [], tick
        elif self._first is not None:
            self._staged, self._first = self._first, None
        elif tick <= self._begun:  # the input's contents, as it hydrates: they were told
            return Batch.empty(len(self._row))
        else:
            self._staged = told(deltas[0].consolidate(), tick)
        return self._staged

    def publish(self) -> None:
        self.errors.publish()
        if self._staged is not None and len(self._staged):
            self._log.append(self._staged)
        self._staged = None

    def contents(self) -> Batch | None:
        return Batch.concat([Batch.empty(self._log.columns), *self._log.batches()])

    def rows(self) -> int:
        return len(self._log)

    def bytes_held(self) -> int:
        return self._log.bytes_held() + sum(batch.words.nbytes + batch.diffs.nbytes for batch in self._input)

    def mark(self, marks: Marks) -> None:
        waiting = [batch for batch in (self._first, self._staged) if batch is not None]
        for batch in (*self._log.batches(), *waiting):
            batch.mark(marks, self._row)
        for batch in self._input:
            batch.mark(marks, self._row[: -len(ADDED)])


def told(delta: Batch, tick: int) -> Batch:
    """The rows of a delta, no two equal, each once, with the tick and its diff behind it."""
    at = Vector(np.full(len(delta), tick, np.uint64))
    diff = Vector(delta.diffs.astype(np.int64).view(np.uint64))
    return Batch.from_vectors([*delta.vectors(), at, diff], np.ones(len(delta), np.int64))


def until(rows: Batch, tick: int) -> Batch:
    """Those of such rows that were told up to a tick."""
    return rows.take(rows.vector(rows.columns - len(ADDED)).words <= np.uint64(tick))
