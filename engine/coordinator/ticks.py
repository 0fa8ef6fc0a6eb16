"""Group commit: whoever has work runs the tick for everything that waits.

There is no tick thread. A writer puts its write into the queue and takes the tick lock; by the time it has it, its
write is committed already (another writer's tick took it along) or it runs one tick for all that is queued: writes, and
what sources have ready, up to a budget. So a lone INSERT costs no hand-off between threads, and many writers share
ticks.

A tick: merge the deltas, commit them to the log, compute, publish, tell subscribers. Acknowledged means published.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Final, Protocol

import numpy as np

from engine.cluster.command import Tick
from engine.cluster.local import Local
from engine.collection.batch import Batch
from engine.collection.wanted import unasked
from engine.connectors.ingest import Taken
from engine.coordinator.constraints import Constraints
from engine.coordinator.oracle import Oracle
from engine.coordinator.pace import Pace
from engine.coordinator.runtime import Durations
from engine.errors import ConstraintViolation, SqlError, UndefinedTable

Record = Callable[[int, Mapping[int, Batch], Mapping[tuple[int, str], int], Mapping[int, str | None]], None]
"""Keeps a tick: its time, its deltas, the offsets of sources, what is broken."""

NOTHING_BROKEN: Final[Mapping[int, str]] = {}


class Write:
    """Changes that commit together, and what became of them. `check` has retractions verified: see Ticks."""

    __slots__ = ("check", "deltas", "done", "error", "timestamp")

    def __init__(self, deltas: Mapping[int, Batch], check: bool = False) -> None:
        self.deltas: Final = deltas
        self.check: Final = check
        self.done = False
        self.error: SqlError | None = None
        self.timestamp = 0


class Inboxes(Protocol):
    """What sources have ready, and how far they came."""

    @property
    def ready(self) -> bool:
        """Whether some inbox has a block."""
        ...

    def take(self, rows_max: int) -> Taken:
        """About `rows_max` rows of what is ready, and what comes with them."""
        ...

    def committed(self, offsets: Mapping[tuple[int, str], int]) -> None:
        """What was taken with these offsets, by (source, partition), is committed."""
        ...


class Ticks:
    """The queue of writes and the driver of ticks. `lock` is the tick lock; it is reentrant."""

    def __init__(
        self,
        cluster: Local,
        oracle: Oracle,
        record: Record | None,
        pace: Pace,
    ) -> None:
        self.lock: Final = cluster.lock
        self._cluster = cluster
        self._oracle = oracle
        self._record = record
        self._pace = pace
        self._queue: deque[Write] = deque()
        self._broken: BaseException | None = None
        self.sources: Inboxes | None = None
        self.constraints: Constraints | None = None
        self.after: Callable[[], None] | None = None  # runs at the boundary behind each tick
        self.due_changed: Callable[[], None] | None = None  # what is to change by itself next is another
        self._due: int | None = None
        self._operators = 0  # that there were when rows were taken last
        self._turning: list[tuple[int, int]] = []
        self.count = 0
        self.rows = 0
        self.seconds = 0.0

    def close(self) -> None:
        """Refuse what comes after the tick that is under way."""
        with self.lock:
            self._broken = self._broken or SqlError("the database is closed")

    def put(self, write: Write) -> Write:
        """Queue a write. Whoever interned its data holds the heap pinned until here; a sweep sees what is queued."""
        self._queue.append(write)
        return write

    def commit(self, write: Write) -> int:
        """Commit a write that was put; the timestamp of its tick, in ms. Raises what makes it fail, and only it.

        The caller holds no pin: its own tick may have to sweep.
        """
        with self.lock:
            if not write.done:
                self.run()
        if write.error is not None:
            raise write.error
        return write.timestamp

    def queued(self) -> list[Mapping[int, Batch]]:
        """What waits, for a sweep. Under the lock."""
        return [write.deltas for write in tuple(self._queue)]

    def commit_computed(self, compute: Callable[[], Mapping[int, Batch]]) -> int:
        """Commit what `compute` makes of the present contents: nothing commits between its reads and this tick."""
        with self.lock:
            if self._queue:
                self.run()
            return self.commit_ahead(compute())

    def commit_ahead(self, deltas: Mapping[int, Batch]) -> int:
        """Commit these before what others have queued: they were computed, or a table published for them, under the
        lock, which is held since."""
        with self.lock:
            write = Write(deltas)
            if any(map(len, deltas.values())):
                self._queue.appendleft(write)
                self.run()
            else:
                write.timestamp = self._cluster.worker.upper
        if write.error is not None:
            raise write.error
        return write.timestamp

    def run_queued(self) -> None:
        """Tick for the writes that wait, if any do."""
        with self.lock:
            if self._queue:
                self.run()

    def turn(self, target: int, other: int) -> None:
        """From the next tick on collection `target` is what `other` is. Under the lock, at which `other` is live."""
        self._turning.append((target, other))

    def run_turning(self) -> None:
        """Tick if something is to turn with it."""
        if self._turning:
            self.run()

    def replay(self, timestamp: int, deltas: Mapping[int, Batch], broken: Mapping[int, str] = NOTHING_BROKEN) -> None:
        """A tick of what the log has already, behind those at which something changed by itself before it."""
        with self.lock:
            while (due := self._cluster.worker.due()) is not None and due < timestamp:
                self._cluster.send(Tick(max(due, self._cluster.worker.upper + 1), {}))
            self._cluster.send(Tick(timestamp, dict(deltas), broken=broken))

    def run(self, idle: bool = False) -> None:
        """Tick for all that waits. With `idle` a tick happens even without work, so that progress moves."""
        with self.lock:
            if isinstance(self._broken, SqlError):
                raise self._broken
            if self._broken is not None:
                raise SqlError("the engine has stopped after an internal error; restart it", detail=repr(self._broken))
            try:
                with unasked():
                    self._run(idle)
            except BaseException as error:
                # A tick that stops half way leaves operators that disagree. Nothing may be written after it.
                self._broken = error
                raise

    def due_ms(self) -> int | None:
        """How long until something changes by itself (a temporal filter's row comes or goes); None: nothing will."""
        due = self._due
        return None if due is None else max(0, due - self._oracle.wall_ms())

    def look_ahead(self) -> None:
        """Learn what is due next: after each command to the worker, under the lock."""
        due = self._cluster.worker.due()
        if due != self._due:
            self._due = due
            if self.due_changed is not None:
                self.due_changed()

    def run_due(self) -> None:
        """Tick if something was to change by itself by now. The caller holds no pin."""
        if self.due_ms() == 0:
            self.run(idle=True)

    def _run(self, idle: bool) -> None:
        group: list[Write] = []
        while self._queue:
            write = self._queue.popleft()
            if not all(self._cluster.worker.takes(id) for id in write.deltas):
                write.error = UndefinedTable("a table that the statement writes to was dropped")
                write.done = True
                continue
            keyed = self.constraints is not None and self.constraints.bind([*write.deltas])
            if write.check or keyed:
                # It is checked against published contents, so what came before it has to be there.
                if any(not write.deltas.keys().isdisjoint(earlier.deltas) for earlier in group):
                    self._tick(group)
                    group = []
                write.error = self._missing(write) if write.check else None
                if keyed and write.error is None:
                    assert self.constraints is not None
                    write.error = self.constraints.violation(write.deltas)
                if write.error is not None:
                    write.done = True
                    continue
            group.append(write)
        if group or idle or self._turning or (self.sources is not None and self.sources.ready):
            self._tick(group)

    def _tick(self, group: list[Write]) -> None:
        """One tick for a group of writes and what the sources have."""
        taken = Taken()
        if self.sources is not None and self.sources.ready:
            self._look_at_views()
            taken = self.sources.take(self._pace.rows)
        deltas, offsets = taken.deltas, taken.offsets
        for id in taken.cleared:
            gone = self._cluster.worker.circuit.contents(id).negate()
            deltas[id] = [Batch.concat([gone, *deltas.get(id, [])]).consolidate()]
        for write in group:
            for id, batch in write.deltas.items():
                if len(batch):
                    deltas.setdefault(id, []).append(batch)
        begin = time.perf_counter()
        merged = {id: batches[0] if len(batches) == 1 else Batch.concat(batches) for id, batches in deltas.items()}
        begun = {id for write in group for id in write.deltas if not self._cluster.worker.is_live(id)}
        timestamp = self._timestamp()
        if self._record is not None and (merged or offsets):
            self._record(timestamp, merged, offsets, taken.broken)
        turned, self._turning = tuple(self._turning), []
        began = frozenset(taken.began | begun)
        self._cluster.send(Tick(timestamp, merged, self._oracle.held(), began, taken.broken, turned))
        if self.sources is not None and offsets:
            self.sources.committed(offsets)
        for write in group:
            write.timestamp = timestamp
            write.done = True
        self.count += 1
        self.rows += sum(len(batch) for batch in merged.values())
        seconds = time.perf_counter() - begin
        self.seconds += seconds
        if taken.rows:
            self._pace.took(taken.rows, seconds, self._cluster.worker.circuit.made_bytes)
        if self.after is not None:
            self.after()

    def _look_at_views(self) -> None:
        """What is known of the cost of a row is of the views that there were."""
        operators = self._cluster.worker.circuit.operators_ever
        if operators != self._operators:
            self._operators = operators
            self._pace.unknown()
        elif self._cluster.worker.unfinished():
            self._pace.building()

    def _timestamp(self) -> int:
        """The time of the tick, behind ticks at all times before it at which something changed by itself: what is read
        as of such a time, or followed, has to show it."""
        present = self._oracle.following()  # a view that is refreshed each millisecond is due at all times behind it
        while (due := self._cluster.worker.due()) is not None and self._oracle.last < due < present:
            self._cluster.send(Tick(self._oracle.next(due), {}, self._oracle.held()))
        return self._oracle.next(present)

    def _missing(self, write: Write) -> SqlError | None:
        """The error when the write takes away rows that are not there."""
        for id, batch in write.deltas.items():
            change = batch.consolidate()
            gone = change.take(change.diffs < 0)
            if len(gone) and np.any(self._cluster.worker.circuit.counts(id, gone) + gone.diffs < 0):
                return ConstraintViolation(
                    "the write takes away rows that the table does not have",
                    hint="A negative diff must match a row that is there in every column.",
                )
        return None


class Ticker:
    """The thread that ticks when sources have something, when something is due, and now and then when nothing happens.

    Readers decode in threads of their own and `wake` it; it ticks as long as an inbox has a block, so decoding the next
    block overlaps with the tick of the last one.
    """

    def __init__(self, ticks: Ticks, progress_ms: int, watched: Callable[[], bool]) -> None:
        self._ticks = ticks
        self._progress_seconds = progress_ms / 1000
        self._watched = watched  # whether somebody waits for progress
        self._wanted: Final = Event()
        self.follow: Callable[[], None] | None = None  # brings what changes without a tick to whoever watches it
        self._closed = False
        self.parks: Final = Durations()
        """How long it waited for something to do."""
        self._thread: Final = Thread(target=self._run, name="ticker", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """A source has something. Cheap, from any thread."""
        self._wanted.set()

    def close(self) -> None:
        """End the thread after the tick it is in."""
        self._closed = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            due = self._ticks.due_ms()
            seconds = self._progress_seconds if due is None else min(self._progress_seconds, due / 1000)
            slept = time.perf_counter_ns()
            woken = self._wanted.wait(seconds)
            self.parks.add(time.perf_counter_ns() - slept)
            self._wanted.clear()
            if due is not None and not self._closed:
                self._ticks.run_due()
            if self.follow is not None and not self._closed:
                self.follow()
            sources = self._ticks.sources
            if not woken and self._watched():
                self._ticks.run(idle=True)
            while not self._closed and sources is not None and sources.ready:
                self._ticks.run()
