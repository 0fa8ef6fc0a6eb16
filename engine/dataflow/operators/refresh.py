"""A view as of its last refresh: the changes of its input held back until the next time it is refreshed.

Rule   at a refresh all that was held back and what comes in that tick go out, and the input's error, if there is one,
       takes the place of the one before; at any other tick nothing does. Before the first refresh there is an error in
       place of the rows.
State  the sum of the changes since the last refresh.
Cost   O(|delta|) amortised a tick, O(held back) at a refresh; a tick with neither is not even stepped.
"""

from collections.abc import Sequence

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.expr.datetime_text import format_timestamptz
from engine.types import SqlType


class Refresh:
    def __init__(self, plan: graph.Refresh, row: tuple[SqlType, ...], heap: Heap) -> None:
        self.errors = ErrorCounts()
        self._plan = plan
        self._row = row
        self._heap = heap
        self._held: list[Batch] = []  # each at least twice as long as the next
        self._error: int | None = None  # what stands in `errors`
        self._next: int | None = None
        self.refreshed: int | None = None  # the tick of the last refresh
        self._begun = False
        self._refreshing = False

    def begin(self, tick: int) -> None:
        """The input begins with its contents at `tick`."""
        self._begun = True
        resumes = self._plan.resumes
        self._next = resumes if resumes is not None else self._plan.schedule.first(self._plan.since, tick)
        if self._next is None or self._next > tick:
            text = "55000 the materialized view has not been refreshed yet"
            if self._next is not None:
                text += f": read it after its first refresh, at {format_timestamptz(self._next * 1000)}"
            self._fail(self._heap.intern(text.encode()))
            self.errors.publish()

    def due(self) -> int | None:
        """The next refresh."""
        return self._next

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        assert self._begun, "a refresh that was not begun"
        self._hold(deltas[0])
        if self._next is not None and self._next <= tick:
            self.refreshed, self._next = tick, self._plan.schedule.after(tick)
        if tick != self.refreshed:
            return Batch.empty(len(self._row))
        self._refreshing = True
        held, self._held = self._held, []
        return Batch.concat([Batch.empty(len(self._row)), *held]).consolidate()

    def take_error(self, code: int | None) -> bool:
        """In publish, when what is upstream has published: its error, if there is one, as of this tick. Whether what
        could not be read until now can be."""
        if not self._refreshing:
            return False
        self._refreshing = False
        healed = code is None and self._error is not None
        self._fail(code)
        return healed

    def _fail(self, code: int | None) -> None:
        for each, diff in ((self._error, -1), (code, 1)):
            if each is not None:
                self.errors.add(np.array([each], np.uint64), np.array([diff], np.int64))
        self._error = code

    def _hold(self, delta: Batch) -> None:
        new = delta
        while self._held and len(self._held[-1]) <= 2 * len(new):
            new = Batch.concat([self._held.pop(), new]).consolidate()
        if len(new):
            self._held.append(new)

    def publish(self) -> None:
        self.errors.publish()

    def contents(self) -> Batch | None:
        return None

    def rows(self) -> int:
        return 0

    def bytes_held(self) -> int:
        return sum(batch.words.nbytes + batch.diffs.nbytes for batch in self._held)

    def mark(self, marks: Marks) -> None:
        self.errors.mark(marks)
        for batch in self._held:
            batch.mark(marks, self._row)
