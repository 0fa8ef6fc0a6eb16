"""The coordinator: what a statement's effect goes through. One for a database; sessions share it.

It owns the catalog (an immutable value that a change replaces), the clock, the ticks, the worker, the log and the
subscriptions. The tick lock serialises whatever changes any of them; reads take the catalog as it is and run beside.
"""

import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Final
from weakref import WeakSet

import numpy as np

from engine.catalog.catalog import Catalog, Path
from engine.catalog.connections import FileRef, SecretRef, Setting
from engine.catalog.items import Item, MaterializedView, Source, SourceRelation, Table, View
from engine.catalog.system.definition import Runtime
from engine.catalog.system.oids import Oids
from engine.cluster.command import Arrange, Cancel, Command, Drop, Hydrated, Maintain, Response, Rows, Subscribe, Ticked
from engine.cluster.local import Local
from engine.cluster.worker import sources
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.value import Value
from engine.collection.words import vector_of
from engine.connectors.files.roots import Roots
from engine.connectors.ingest import Ingest
from engine.connectors.postgres.held import Room
from engine.coordinator.activity import Activity
from engine.coordinator.advisory import AdvisoryLocks
from engine.coordinator.complete import rests_on
from engine.coordinator.constraints import Constraints
from engine.coordinator.durable import DurableSubscriptions
from engine.coordinator.envelope import Telling
from engine.coordinator.options import Options
from engine.coordinator.oracle import Oracle
from engine.coordinator.pace import Pace
from engine.coordinator.past import Past
from engine.coordinator.plans import Plans
from engine.coordinator.record import record
from engine.coordinator.replay import REFRESHED, Replay
from engine.coordinator.result import Notice, Result
from engine.coordinator.runtime import Commands, Durations, SessionLike, runtime
from engine.coordinator.sink_states import Sinks
from engine.coordinator.subscription import Subscription
from engine.coordinator.system import SystemCollections
from engine.coordinator.ticks import Ticker, Ticks
from engine.coordinator.turns import Turns
from engine.coordinator.watched import STEPS_MAX, Watched
from engine.dataflow.graph import Plan
from engine.durable.log import Log
from engine.errors import DataError, LimitExceeded, SourceError, UndefinedTable
from engine.types import Column


class Coordinator:
    """`catalog` changes under the tick lock only; whoever reads takes it once and works on what it got."""

    def __init__(self, options: Options, catalog: Catalog, log: Log | None) -> None:
        self.options: Final = options
        self.heap: Final = Heap(options.heap_sweep_bytes_min)
        self.log: Final = log
        self.oracle: Final = Oracle(last=0 if log is None else log.clock())
        self.identity: Final = secrets.token_hex(8) if log is None else log.begin(self.oracle.next())
        self.past: Final = Past()
        self.cluster: Final = Local(self.heap, self._deliver)
        record = None if log is None else self._record
        self.ticks: Final = Ticks(
            self.cluster, self.oracle, record,
            Pace(options.tick_rows_max, options.tick_ms_max / 1000, options.tick_bytes_max),
        )  # fmt: skip
        self.durable: Final = DurableSubscriptions(self)
        self.ticks.after = self._after_tick
        self.constraints: Final = Constraints(self.cluster.worker.circuit, self.heap)
        self.ticks.constraints = self.constraints
        self.subscriptions: dict[int, Subscription] = {}  # by request; the ticker asks for them from its first moment
        self.ticker: Final = Ticker(self.ticks, options.progress_ms, lambda: bool(self.subscriptions))
        self.ticks.due_changed = self.ticker.wake
        directory = None if log is None else log.directory
        self.roots: Final = Roots(options.roots, directory)
        written = options.roots if options.write_roots is None else options.write_roots
        self.write_roots: Final = Roots(written, directory, "file_write_roots")
        self.ingest: Final = Ingest(
            self.heap,
            options.inbox_rows_max,
            self.ticker.wake,
            self.resolve,
            self.roots,
            Room(options.transaction_bytes_max, directory),
            (options.source_errors_max, options.source_errors_bytes_max),
        )
        self.ticks.sources = self.ingest
        self.oids: Final = Oids()
        self.began: Final = datetime.now(UTC)
        self.sessions: dict[int, SessionLike] = {}  # the open ones, by number
        self.locks: Final = AdvisoryLocks()
        self.activity: Final = Activity()
        self.metrics: Callable[[], Iterable[tuple[str, Mapping[str, str], float]]] = tuple  # set by who has them all
        self.plans: Final = Plans(options)
        self.turns: Final = Turns()
        self.peeks: Final = Durations()
        self.commands: Final = Commands()
        self._steps: Final = threading.Semaphore(STEPS_MAX)
        self._catalog = catalog
        self.system: Final = SystemCollections(self, self.runtime)
        self.ticker.follow = self.system.follow
        self._named: tuple[Catalog, dict[str, Item]] = catalog, {}
        self.tables: dict[int, tuple[Column, ...]] = {}  # collections that clients write to
        self.sinks: Final = Sinks()
        self.replay: Replay | None = None  # while a data directory is put back with its past
        self.secrets: Final[dict[int, bytes]] = {}  # the values of secrets, by id
        self._subscribed: dict[int, set[int]] = {}  # and the collections that each reads
        self._ending: dict[int, Set[int]] = {}  # and the sources that those rest on which end with them
        self._live: set[int] = set()  # collections and indexes that have hydrated
        self._live_changed: Final = threading.Condition()
        self._begun: Final[dict[int, int]] = {}  # when what hydrates was asked for, by time.perf_counter_ns()
        self.hydration_ns: Final[dict[int, int]] = {}  # how long what is maintained took
        self._results: Final[WeakSet[Result]] = WeakSet()
        self._results_lock: Final = threading.Lock()
        self._reserved = 0  # ids below it are items', or those of drafts
        self._requests = 0
        self._requests_lock: Final = threading.Lock()

    @property
    def catalog(self) -> Catalog:
        """What exists."""
        return self._catalog

    @catalog.setter
    def catalog(self, catalog: Catalog) -> None:
        self._catalog = catalog
        if self.system.watched:
            self.ticker.wake()

    def named(self, name: str) -> Item:
        """The item that a name without quotes means outside of any session. Remembered as long as the catalog is."""
        catalog, found = self._named
        if catalog is not self.catalog:
            catalog, found = self._named = self.catalog, {}
        item = found.get(name)
        if item is None:
            item = found[name] = catalog.resolve(name.split("."), Path())
        return item

    def resolve(self, setting: Setting) -> str:
        """The value of a connection's setting: a secret's, a file's, or itself."""
        match setting:
            case str():
                return setting
            case SecretRef():
                return self.secrets[setting.id].decode(errors="surrogateescape")
            case FileRef():
                try:
                    return self.roots.find(setting.path).read_bytes().decode(errors="surrogateescape")
                except OSError as error:
                    raise SourceError(f'file "{setting.path}" cannot be read: {error.strerror}') from None

    def logged_together(self) -> AbstractContextManager[None]:
        """What the log is told within is there whole after a crash, or not at all. Under the tick lock."""
        return nullcontext() if self.log is None else self.log.together()

    def reserve(self, count: int) -> int:
        """The first of so many ids for new items, which nobody else gets. Under the tick lock."""
        first = max(self._reserved, self.catalog.next_id)
        self._reserved = first + count
        return first

    def request(self) -> int:
        """A number for a peek or a subscription that no other has."""
        with self._requests_lock:
            self._requests += 1
            return self._requests

    def reach(self, timestamp: int) -> int:
        """Tick if that makes `timestamp` complete; how many ms are left until one would."""
        if self.cluster.worker.upper >= timestamp:
            return 0
        left = timestamp - self.oracle.wall_ms()
        if left <= 0:
            self.ticks.run(idle=True)
        return max(0, left)

    def watched(self, check: Callable[[], None]) -> Watched:
        """What computes for a statement that `check` ends."""
        return Watched(check, self.heap, self._steps)

    # Answers

    def result(
        self,
        tag: str,
        columns: tuple[Column, ...],
        batch: Batch,
        *,
        timestamp: int | None = None,
        notices: tuple[Notice, ...] = (),
    ) -> Result:
        """An answer with rows. It is a root of the sweep while it lives."""
        answer = Result(tag, columns, batch=batch, heap=self.heap, timestamp=timestamp, notices=notices)
        with self._results_lock:
            self._results.add(answer)
        return answer

    def rows(self, tag: str, columns: tuple[Column, ...], rows: Sequence[tuple[Value, ...]]) -> Result:
        """An answer of values that are at hand."""
        vectors = [vector_of([row[i] for row in rows], column.type, self.heap) for i, column in enumerate(columns)]
        return self.result(tag, columns, Batch.from_vectors(vectors, np.ones(len(rows), np.int64)))

    def rows_of(self, batch: Batch, columns: tuple[Column, ...]) -> Result:
        """Rows by themselves, for a subscription's batch."""
        return self.result("", columns, batch)

    # Responses of the worker

    def _deliver(self, responses: Iterable[Response]) -> None:
        for response in responses:
            match response:
                case Ticked():
                    for subscription in tuple(self.subscriptions.values()):
                        subscription.advance(response.timestamp + 1)
                    self._end_complete()
                case Rows():
                    subscription = self.subscriptions.get(response.request)
                    if subscription is not None:
                        subscription.offer(response.timestamp, response.batch)
                        if response.error is not None:
                            subscription.finish(DataError.of(response.error))
                case Hydrated():
                    self._first_refresh(response.id)
                    with self._live_changed:
                        self._live.add(response.id)
                        begun = self._begun.pop(response.id, None)
                        if begun is not None:
                            self.hydration_ns[response.id] = time.perf_counter_ns() - begun
                        self._live_changed.notify_all()
                    self.durable.hydrated(response.id)
        self.ticks.look_ahead()

    def _end_complete(self) -> None:
        """End the subscriptions to which nothing can come any more."""
        for request, rest in tuple(self._ending.items()):
            subscription = self.subscriptions[request]
            if subscription.has_begun and self.ingest.are_finished(rest):
                del self._ending[request]
                subscription.finish(None)

    def _first_refresh(self, id: int) -> None:
        """A view that began with a refresh is as of that until the next one, over a restart too."""
        if self.log is None or self.replay is not None or id not in self.catalog.items:
            return
        at, _ = self.cluster.worker.circuit.refreshes(id)
        if at is not None:
            self.log.change(facts={(REFRESHED, str(id)): str(at)})

    def is_live(self, id: int) -> bool:
        """Whether a collection or index has hydrated."""
        return id in self._live

    def wait_live(self, ids: Iterable[int], check: Callable[[], None]) -> None:
        """Wait until all of these have hydrated. `check` raises when the wait is to end before."""
        wanted = set(ids)
        self.system.refresh(wanted)
        if wanted <= self._live:
            return
        left_ms = self.options.hydration_wait_ms_max
        with self._live_changed:
            while not wanted <= self._live:
                check()
                self.check_there(wanted)
                if left_ms <= 0:
                    raise LimitExceeded(
                        "the relation is still hydrating after hydration_wait_ms_max",
                        hint="mz_hydration_statuses shows how far it is; read it again later.",
                    )
                self._live_changed.wait(0.05)
                left_ms -= 50

    def holding_rows(self, ids: Iterable[int]) -> frozenset[int]:
        """The items among `ids` that hold rows of their own, or will: others know of them, and a plan may name them."""
        items = self.catalog.items
        return frozenset(
            id for id in ids if isinstance(items.get(id), Table | Source | SourceRelation | MaterializedView)
        )

    def check_there(self, ids: Iterable[int]) -> None:
        """Raises UndefinedTable if what a plan reads was dropped since it was planned. A view that had an index then
        is read as its query once it has none."""
        catalog = self.catalog
        for id in ids:
            item = catalog.items.get(id)
            if item is None or (isinstance(item, View) and not catalog.indexes(id)):
                raise UndefinedTable("a relation that the statement reads was dropped")

    def forget(self, ids: Iterable[int]) -> None:
        """These are dropped: nobody may wait for them."""
        with self._live_changed:
            for id in ids:
                self._begun.pop(id, None)
                self.hydration_ns.pop(id, None)
            self._live.difference_update(ids)
            self._live_changed.notify_all()

    # Subscriptions

    def subscribe(
        self,
        plan: Plan,
        columns: tuple[Column, ...],
        *,
        as_of: int | None = None,
        snapshot: bool = True,
        progress: bool = False,
        up_to: int | None = None,
        telling: Telling | None = None,
        unbounded: bool = False,
        merges: bool = True,
        behind: tuple[int, Batch] | None = None,
        ends: bool = False,
    ) -> Subscription:
        """Begin to send the changes of a plan's output; the snapshot comes when the plan has hydrated. `unbounded`: for
        one who keeps what was sent, so that what waits is never more than the relation's contents then and now. Not
        `merges`: what waits is each tick's change, which the history has anyhow. `behind`: as of the command. It
        `ends` when nothing can come any more. Raises UndefinedTable if what the plan reads was dropped meanwhile."""
        request = self.request()
        rest = rests_on(plan, self.catalog, self.options) if ends else None

        def end(_: Subscription) -> None:
            with self.ticks.lock:
                if self.subscriptions.pop(request, None) is not None:
                    del self._subscribed[request]
                    self._ending.pop(request, None)
                    self.system.leave(-request)
                    self.cluster.send(Cancel(request))

        subscription = Subscription(
            columns, self.rows_of, with_progress=progress, up_to=up_to,
            ticks_max=self.options.subscription_ticks_max if merges else sys.maxsize,
            rows_max=sys.maxsize if unbounded else self.options.subscription_rows_max, on_close=end, telling=telling,
        )  # fmt: skip
        with self.ticks.lock:
            self.check_there(sources(plan))
            self.subscriptions[request] = subscription
            self._subscribed[request] = sources(plan)
            if rest is not None:
                self._ending[request] = rest
            self.system.watch(-request, sources(plan))
            self.cluster.send(Subscribe(request, plan, as_of, snapshot, behind))
        return subscription

    def subscribed(self, request: int) -> set[int]:
        """The collections that a subscription reads."""
        return self._subscribed.get(request, set())

    def end_subscriptions(self, id: int) -> None:
        """Collection `id` is dropped: what reads it has no more to send. Under the tick lock."""
        for request, subscription in list(self.subscriptions.items()):
            if id in self._subscribed[request]:
                subscription.finish(UndefinedTable("the relation that is subscribed to was dropped"))
                subscription.close()

    # Changes

    def send(self, *commands: Command) -> None:
        """Carry out commands that change what the worker holds. Under the tick lock."""
        for command in commands:
            if isinstance(command, Arrange | Maintain):
                self._begun[command.id] = time.perf_counter_ns()
            if isinstance(command, Maintain):
                self.system.watch(command.id, sources(command.plan))
            elif isinstance(command, Drop):
                self.system.leave(command.id)
            self.cluster.send(command)

    def turn(self, target: int, other: int) -> None:
        """Collection `target` is what `other` is from the next tick on. Under the tick lock."""
        self.system.take_over(target, other)
        self.ticks.turn(target, other)

    def _record(
        self,
        timestamp: int,
        deltas: Mapping[int, Batch],
        offsets: Mapping[tuple[int, str], int],
        broken: Mapping[int, str | None],
    ) -> None:
        """Commit a tick to the log."""
        assert self.log is not None
        record(self.log, self.catalog, self.heap, timestamp, deltas, offsets, broken)

    def maintained(self) -> frozenset[int]:
        """The ids of what the worker holds, or will when it has hydrated."""
        return self.cluster.worker.known()

    def runtime(self) -> Runtime:
        """What system relations show of the workers."""
        return runtime(self)

    def close(self) -> None:
        """Stop the threads, end subscriptions, close the log."""
        self.sinks.close()
        self.ingest.close(forget=self.log is None)
        self.ticker.close()
        self.ticks.close()
        for subscription in tuple(self.subscriptions.values()):
            subscription.close()
        self.cluster.close()
        if self.log is not None:
            self.log.reach(self.cluster.worker.upper)
            self.log.close()

    def _after_tick(self) -> None:
        self.durable.expire()
        self._sweep_if_due()

    def _sweep_if_due(self) -> None:
        """At a tick boundary: free the heap's dead data, when they may be as many as the live."""
        if not self.heap.sweep_due:
            return
        marks = self.heap.begin_sweep()
        self.cluster.worker.mark(marks)
        for deltas in self.ticks.queued():
            for id, batch in deltas.items():
                batch.mark(marks, [column.type for column in self.tables.get(id, ())])
        # Batches go from subscriptions to results, so in this order none is missed.
        self.ingest.mark(marks)
        for subscription in tuple(self.subscriptions.values()):
            subscription.mark(marks)
        with self._results_lock:
            results = list(self._results)
        for answer in results:
            answer.mark(marks)
        self.sinks.mark(marks)  # behind the results: that is the way batches go
        self.past.forget()
        self.heap.sweep(marks)
