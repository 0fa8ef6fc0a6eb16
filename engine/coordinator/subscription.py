"""Subscriptions: a bounded queue of changes between the ticks and one subscriber.

The ticking thread appends each tick's change, O(1) amortised; the subscriber takes it when it likes. Behind
`ticks_max` ticks the rest is merged: net changes at the latest of their times. So a slow subscriber costs at most the
memory of its relation's changed rows, sees every change, and never a state that was not (a merged batch ends at one).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple, Self

import numpy as np
import pyarrow as pa

from engine import types
from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.collection.vector import Vector
from engine.coordinator.envelope import Telling
from engine.coordinator.result import Result
from engine.errors import LimitExceeded, SqlError
from engine.expr.scalar import Value
from engine.types import Column

MERGE_ROWS_MIN: Final = 65_536
"""Merged changes are consolidated when they have doubled since the last time, and not below so many rows."""


class Change(NamedTuple):
    """One change of the subscribed relation: `diff` copies of `row` came (or, negative, went) at `timestamp` (ms).

    A progress mark has `progressed` set, diff 0 and row (): no more changes with times below `timestamp` will come.
    """

    timestamp: int
    diff: int
    row: tuple[Value, ...]
    progressed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SubscriptionBatch:
    """All changes of one time (the snapshot, one tick, or several ticks merged), or one progress mark.

    `timestamp` is in ms. `columns` are those of the Subscription: mz_timestamp numeric, with PROGRESS also
    mz_progressed boolean, mz_diff bigint, then the query's columns; or with an envelope mz_state and its columns. A
    batch that is `progressed` is the mark alone: one row whose mz_diff (or mz_state) and other columns are NULL.
    """

    timestamp: int
    progressed: bool
    columns: tuple[Column, ...]
    diffs: np.ndarray  # int64[n]
    data: Result = field(repr=False)  # the query's own columns of the n rows
    delta: Batch = field(repr=False)  # the changes as a batch: one object for all subscribers of one collection's tick
    by_key: bool = False  # with an envelope: `data` has its columns, mz_state first, and there is no mz_diff

    @property
    def row_count(self) -> int:
        """Rows, the progress mark counted as one."""
        return 1 if self.progressed else self.data.row_count

    def changes(self) -> list[Change]:
        """The changes as tuples."""
        if self.progressed:
            return [Change(self.timestamp, 0, (), True)]
        if self.by_key:
            return [Change(self.timestamp, 1, row) for row in self.data.rows()]
        return [
            Change(self.timestamp, diff, row) for diff, row in zip(self.diffs.tolist(), self.data.rows(), strict=True)
        ]

    def result(self) -> Result:
        """The rows over all of `columns`, the mz_ ones first."""
        n = self.row_count
        at = self.data.numeric(self.timestamp)
        lead = [Vector(np.full(n, at, np.uint64))]
        if self._with_progress:
            lead.append(Vector(np.full(n, self.progressed, np.uint64)))
        if self.progressed:
            nothing = Vector(np.zeros(1, np.uint64), np.ones(1, np.bool_))
            return self.data.of([*lead, *[nothing] * (len(self.columns) - 2)], self.columns)
        if not self.by_key:
            lead.append(Vector(self.diffs.view(np.uint64)))
        return self.data.behind(lead, self.columns)

    def rows(self) -> list[tuple[Value, ...]]:
        """The rows over all of `columns` as values."""
        return self.result().rows()

    def arrow(self) -> pa.Table:
        """The rows over all of `columns` as an Arrow table."""
        return self.result().arrow()

    def text(self) -> list[pa.LargeStringArray]:
        """The rows over all of `columns` as text, as `Result.text`."""
        return self.result().text()

    @property
    def _with_progress(self) -> bool:
        return len(self.columns) > 1 and self.columns[1].name == "mz_progressed"


@dataclass(slots=True, eq=False)
class _Pending:
    """Changes that wait: of one tick, or merged up to `timestamp`."""

    timestamp: int
    parts: list[Batch]
    rows: int
    settled: int = 0  # rows when they were consolidated last


class Subscription:
    """The changes of a query's answer, from a snapshot on, each tick's as one batch, in order of time.

    Never loses a change and never slows a tick: what a slow subscriber has not taken yet is merged to net changes.
    Iterating waits for changes and ends when the subscription does (`close`, its end of time, or, by raising its
    SqlError, when the relation has an error). Not iterating: `poll` takes what is there, `on_ready` tells when to.
    """

    def __init__(
        self,
        columns: tuple[Column, ...],
        to_result: Callable[[Batch, tuple[Column, ...]], Result],
        *,
        with_progress: bool,
        up_to: int | None,
        ticks_max: int,
        rows_max: int,
        on_close: Callable[["Subscription"], None],
        telling: Telling | None = None,
    ) -> None:
        self.began: Final = datetime.now(UTC)
        lead = [Column("mz_timestamp", types.NUMERIC, False)]
        if with_progress:
            lead.append(Column("mz_progressed", types.BOOLEAN, False))
        self._telling: Final = telling
        self._by_key: Final = telling is not None and telling.by_key
        self._data: Final = columns if telling is None else telling.columns(columns)
        if not self._by_key:
            lead.append(Column("mz_diff", types.BIGINT, with_progress))
        self.columns: Final = (*lead, *self._data)
        self.with_progress: Final = with_progress
        self._own: Final = columns
        self._to_result: Final = to_result
        self._up_to: Final = up_to
        self._ticks_max: Final = ticks_max
        self._rows_max: Final = rows_max
        self._on_close: Final = on_close
        self._changed: Final = threading.Condition()
        self._queue: deque[_Pending] = deque()
        self._start = 0  # the time of the snapshot; 0 until it is there
        self._upper = 0  # every change before this time is in the queue or taken
        self._marked = 0  # the progress that was told last
        self._over = False  # nothing more will be put into the queue
        self._error: SqlError | None = None
        self._raised = False
        self._callback: Callable[[], None] | None = None

    # The subscriber's side

    def poll(self) -> SubscriptionBatch | None:
        """The next batch without waiting; None when there is none (see `ended`). Raises the error that ended it, after
        all the batches before it were taken."""
        with self._changed:
            if self._queue and not (self.with_progress and self._marked == 0):
                pending = self._queue.popleft()
                batch = Batch.concat(pending.parts).consolidate() if len(pending.parts) > 1 else pending.parts[0]
                return self._batch(pending.timestamp, batch)
            if self._mark_due():
                # The first mark is the time of the snapshot, so that a client knows where it starts.
                self._marked = self._upper if self._marked else self._start
                nothing = Batch.empty(len(self._own))
                data = self._to_result(Batch.empty(len(self._data)), self._data)
                return SubscriptionBatch(self._marked, True, self.columns, nothing.diffs, data, nothing)
            if self._error is not None and not self._raised:
                self._raised = True
                raise self._error
            return None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds (None: for ever) until `poll` has something to say. Whether it has."""
        with self._changed:
            self._changed.wait_for(self._has_news, timeout)
            return self._has_news()

    def on_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` when `poll` may have turned from having nothing to having something (also: the end). It runs
        in the thread that ticks, so it may only wake somebody (loop.call_soon_threadsafe). At once, if there is."""
        with self._changed:
            self._callback = callback
            news = self._has_news()
        if news and callback is not None:
            callback()

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more: poll gives None for ever."""
        with self._changed:
            return self._over and not self._queue and not self._mark_due() and (self._error is None or self._raised)

    @property
    def over(self) -> bool:
        """Whether nothing more will be put into the queue."""
        return self._over

    @property
    def start(self) -> int:
        """The time of the snapshot; 0 until it is there."""
        return self._start

    @property
    def complete(self) -> int | None:
        """The tick up to which every change has been taken; None while some wait, or before the snapshot."""
        with self._changed:
            return None if self._queue or not self._start else max(self._upper - 1, self._start)

    @property
    def error(self) -> SqlError | None:
        """Why it ended, if by an error."""
        return self._error

    def close(self) -> None:
        """End it; what was not taken is gone. Idempotent."""
        with self._changed:
            self._queue.clear()
            self._marked = self._upper
        self.finish(None)
        self._on_close(self)

    def __iter__(self) -> Iterator[Change]:
        while not self.ended:
            self.wait()
            batch = self.poll()
            if batch is not None:
                yield from batch.changes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The ticking side

    def offer(self, timestamp: int, batch: Batch) -> None:
        """All changes at `timestamp`; an empty batch begins the subscription or says nothing."""
        with self._changed:
            if self._over:
                return
            if self._up_to is not None and timestamp >= self._up_to:
                self._advance(self._up_to)
            else:
                if len(batch):
                    self._append(timestamp, batch)
                self._upper = max(self._upper, timestamp + 1 if self._start else timestamp)
            self._start = self._start or timestamp
            self._changed.notify_all()
        self._wake()

    def advance(self, upper: int) -> None:
        """No more changes before `upper` will be offered."""
        with self._changed:
            if self._over or not self._upper:
                return
            self._advance(upper)
            self._changed.notify_all()
        if self.with_progress or self._over:
            self._wake()

    def finish(self, error: SqlError | None) -> None:
        """End it after what is in the queue, with an error or without."""
        with self._changed:
            if self._over:
                return
            self._over = True
            self._error = error
            self._changed.notify_all()
        self._wake()

    def mark(self, marks: Marks) -> None:
        """Mark the heap codes of what waits, for a sweep."""
        with self._changed:
            parts = [part for pending in self._queue for part in pending.parts]
        for part in parts:
            part.mark(marks, [column.type for column in self._own])

    @property
    def has_begun(self) -> bool:
        """Whether the snapshot is there, or the time that the changes begin at."""
        return bool(self._start)

    @property
    def pending_rows(self) -> int:
        """Changes that were not taken yet."""
        return sum(pending.rows for pending in self._queue)

    def _append(self, timestamp: int, batch: Batch) -> None:
        if len(self._queue) < self._ticks_max:
            self._queue.append(_Pending(timestamp, [batch], len(batch), len(batch)))
            return
        last = self._queue[-1]
        last.timestamp = timestamp
        last.parts.append(batch)
        last.rows += len(batch)
        if last.rows > max(2 * last.settled, MERGE_ROWS_MIN):
            last.parts = [Batch.concat(last.parts).consolidate()]
            last.rows = last.settled = len(last.parts[0])
            if last.rows > self._rows_max:
                self._over = True
                self._error = LimitExceeded(
                    f"the subscriber is {last.rows} changes behind, more than subscription_rows_max",
                    hint="Read faster, subscribe to fewer rows, or raise subscription_rows_max.",
                )

    def _advance(self, upper: int) -> None:
        if self._up_to is not None and upper >= self._up_to:
            upper, self._over = self._up_to, True
        self._upper = max(self._upper, upper)

    def _mark_due(self) -> bool:
        return self.with_progress and self._marked < self._upper and not self._raised

    def _has_news(self) -> bool:
        return bool(self._queue) or self._mark_due() or self._over

    def _wake(self) -> None:
        callback = self._callback
        if callback is not None:
            callback()

    def _batch(self, timestamp: int, batch: Batch) -> SubscriptionBatch:
        told = batch if self._telling is None else self._telling.told(batch)
        ones = Batch(told.words, np.ones(len(told), np.int64), told.columns)
        data = self._to_result(ones, self._data)
        return SubscriptionBatch(timestamp, False, self.columns, told.diffs, data, batch, self._by_key)
