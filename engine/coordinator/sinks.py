"""CREATE SINK: a sink subscribes to what it is made from and tells a topic the changes, each exactly once.

One thread a sink. A round opens the writer (nobody else can write as this sink from then on), learns from the topic how
the last transaction ended, and sends net changes, one transaction each:

    subscription -> pending -> Told (kept, numbered n) -> transaction n with the note "n" -> pending of the next ticks

Law    what readers of committed records see is at every moment the contents of the relation at some tick, and later
       transactions are of later ticks. The last transaction that was kept is in the topic or not, which the number in
       the progress topic says; when it is not, its change is pending again.
State  the change that waits: at most what the relation holds and held, since ticks that are not sent are merged.
Cost   O(change); a start O(relation): a fresh snapshot less what was told is the first change.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from threading import Event, Lock, Thread
from typing import Any, Final

from engine.catalog.items import Sink
from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.connectors.kafka.outgoing import Outgoing
from engine.connectors.kafka.writer import TRANSACTION_MS, KafkaWriter, Note
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import exists
from engine.coordinator.draft import Draft
from engine.coordinator.messages import KeyCheck, Writer, schemas_of
from engine.coordinator.pipeline import dataflow
from engine.coordinator.result import Result
from engine.coordinator.sink_states import State, Status
from engine.coordinator.subscription import Subscription, SubscriptionBatch
from engine.coordinator.told import Logged, Remembered, Told
from engine.durable.log import NO_DIGEST
from engine.errors import CardinalityViolation, SourceError, SqlError
from engine.sql.bound import BoundCreateSink

KIND: Final = "sink"
"""The kind of the log's facts: who a sink is to brokers, by its id."""

PATIENCE_SECONDS: Final = 3.0
"""How long brokers may keep a sink waiting before its status says so: several times what a slow commit takes."""

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""After the first failure in a row, the second, ...; the last is for all that follow."""


def create_sink(draft: Draft, bound: BoundCreateSink, id: int | None = None) -> Result:
    """Returns at once; brokers are asked by the sink's thread. `id` is what the log says it was; None: a new one."""
    skipped = exists(draft, "CREATE SINK", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    schemas_of(bound.description, bound.columns)
    item = Sink(
        draft.new_id(id), bound.name, bound.on, bound.description, bound.relation, bound.columns,
        bound.depends_on, bound.create_sql,
    )  # fmt: skip
    coordinator = draft.coordinator
    identity = f"{bound.description.transactional_prefix}-{secrets.token_hex(8)}-{item.id}"
    if id is not None and coordinator.log is not None:
        identity = coordinator.log.facts(KIND)[str(id)]
    facts = {(KIND, str(item.id)): identity} if id is None else {}
    draft.enter([item], lambda: coordinator.sinks.start(item.id, _Sink(coordinator, item, identity)), facts)
    return Result("CREATE SINK")


class _Sink:
    """One sink and its thread. What it holds of the heap is set under `_holding`, for a sweep comes when it will."""

    def __init__(self, coordinator: Coordinator, item: Sink, identity: str) -> None:
        self._coordinator: Final = coordinator
        self._item = item
        self._sink: Final = item.description
        self._identity: Final = identity
        self.status: Final = Status()
        self.thread: Final = Thread(target=self._main, name=f"sink {item.id}", daemon=True)
        log = coordinator.log
        self._told: Final[Told] = (
            Remembered(item.written) if log is None else Logged(log, item.id, item.written, coordinator.heap)
        )
        self._stopping: Final = Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: Final = asyncio.Event()
        self._ended: Final = asyncio.Event()
        self._holding: Final = Lock()
        self._pending = Batch.empty(len(item.written))  # what the topic is to be told next
        self._sending: Batch | None = None  # what was kept as the last transaction, until it is known how that ended
        self._subscription: Subscription | None = None
        self._started = False  # whether the snapshot is in what is pending
        self._turned = False  # whether the relation is another than the one that is subscribed to
        self._timestamp = 0
        self._keys: KeyCheck | None = None

    @property
    def idle(self) -> bool:
        with self._coordinator.ticks.lock, self._holding:
            subscription = self._subscription
            waits = subscription is None or subscription.pending_rows > 0 or not self._started or self._turned
            return not waits and not len(self._pending) and self._sending is None and self._told.number > 0

    @property
    def queued(self) -> int:
        subscription, sending = self._subscription, self._sending
        waiting = 0 if subscription is None else subscription.pending_rows
        return waiting + len(self._pending) + (0 if sending is None else len(sending))

    def redefine(self, item: Sink) -> None:
        """From another relation the sink begins as after a start: with the difference to what the topic was told. What
        is being written goes on to its end; nothing of the old relation is begun any more."""
        self._turned = self._turned or item.relation != self._item.relation
        self._item = item
        if self._turned and self._loop is not None:
            self._ready()

    def stop(self) -> None:
        """From any thread."""
        self._stopping.set()
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(self._ended.set)

    def mark(self, marks: Marks) -> None:
        with self._holding:
            held = [self._pending] if self._sending is None else [self._pending, self._sending]
            for batch in held:
                batch.mark(marks, [column.type for column in self._item.written])
            self._told.mark(marks)

    # The thread

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self.status.become(State.STALLED, SqlError(f"the sink has stopped: {error!r}"))
            raise
        finally:
            self._unsubscribe()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stopping.is_set():
            return
        ended = asyncio.ensure_future(self._ended.wait())
        failures, transaction_ms = 0, TRANSACTION_MS
        while not ended.done():
            done = self.status.transactions
            writer = KafkaWriter(self._sink, self._identity, self._coordinator.resolve, transaction_ms)
            work = asyncio.ensure_future(self._round(writer))
            await self._watch(writer, work, ended)
            work.cancel()
            try:
                await work
            except asyncio.CancelledError:
                return
            except SqlError as error:
                failures = 0 if self.status.transactions > done else failures
                self.status.become(State.STALLED, error)
                transaction_ms = writer.transaction_ms
            finally:
                await writer.close()
            await asyncio.wait({ended}, timeout=RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1

    async def _watch(self, writer: KafkaWriter, work: asyncio.Future[Any], ended: asyncio.Future[Any]) -> None:
        """Until one of them is done. Brokers that keep us waiting are a stall long before they are given up."""
        ends = {work, ended}
        while not (await asyncio.wait(ends, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED))[0]:
            waits = writer.waits_seconds
            if waits >= PATIENCE_SECONDS:
                brokers = ", ".join(self._sink.connection.brokers)
                said = writer.trouble or f"the brokers ({brokers}) have not answered"
                self.status.become(State.STALLED, SourceError(f"{said} (for {waits:.0f} s)"))

    async def _round(self, writer: KafkaWriter) -> None:
        """From opening the writer to the first failure. Whoever may cancel this closes the writer behind it."""
        encoder = await asyncio.to_thread(self._encoder)
        with self._coordinator.ticks.lock:
            self._check()
            begun, topics = self._told.number > 0, self._told.topics
        noted = await writer.open(begun, topics)
        self._reconcile(noted, writer.topics)
        while True:
            await self._fill()
            await self._send(writer, encoder)

    def _encoder(self) -> Writer:
        return Writer(self._sink, self._item.written, self._coordinator.heap, self._coordinator.resolve)

    def _reconcile(self, noted: Note, topics: str) -> None:
        """Settle how the last transaction ended, whether it was this process that began it or one before."""
        with self._coordinator.ticks.lock:
            self._check()
            if self._told.topics != topics:
                self._told.tells(topics)
            kept, committed = self._told.number, noted.transaction
            if committed == kept:
                if NO_DIGEST not in (noted.digest, self._told.digest) and noted.digest != self._told.digest:
                    raise SourceError(
                        f"another server wrote transaction {kept} as this sink, from a copy of the data directory",
                        hint="Leave the sink to one of them, and drop it in the other.",
                    )
                self._settle()
                return
            if committed != kept - 1:
                raise SourceError(
                    f'topic "{self._sink.progress_topic}" says that transaction {committed} was the last, '
                    f"the log that {kept} was",
                    hint="The topic was deleted or the data directory is an older copy: drop the sink, make it anew.",
                )
            change = self._told.take_back()
            with self._holding:
                self._sending = None
                if self._started:
                    self._pending = Batch.concat([change, self._pending]).consolidate()

    def _settle(self) -> None:
        """The last transaction is in the topic."""
        if self._sending is not None and self._keys is not None:
            self._keys.apply(self._sending)
        with self._holding:
            self._sending = None

    async def _fill(self) -> None:
        """Wait until there is something to send, and take all of it."""
        while True:
            self._news.clear()
            self._take()
            if self._started and (len(self._pending) or not self._told_something()):
                try:
                    if self._keys is not None:
                        self._keys.check(self._pending)
                    return
                except CardinalityViolation as error:
                    self.status.become(State.STALLED, error)
            elif self._started:
                self.status.become(State.RUNNING)
            await self._news.wait()

    def _told_something(self) -> bool:
        """Whether the sink has begun: its first transaction is sent even if nothing is in it."""
        with self._coordinator.ticks.lock:
            self._check()
            return self._told.number > 0

    def _take(self) -> None:
        """Add what the subscription has to what is pending. Raises the error that the relation has."""
        if self._turned:
            self._unsubscribe()
        subscription = self._subscription or self._subscribe()
        begun = subscription.start > 0  # then the snapshot is there to be polled
        batches: list[SubscriptionBatch] = []
        try:
            while (batch := subscription.poll()) is not None:
                batches.append(batch)
        except SqlError:
            self._unsubscribe()
            raise
        if (begun or batches) and not self._started:
            with self._coordinator.ticks.lock:
                self._check()
                told = self._told.contents()
                with self._holding:
                    self._pending = told.negate()
            if self._sink.key is not None:
                self._keys = KeyCheck(self._sink.key, self._item.written, self._coordinator.heap)
                self._keys.apply(told)
            self._started = True
            self._timestamp = subscription.start
        if batches:
            with self._holding:
                self._pending = Batch.concat([self._pending, *(batch.delta for batch in batches)]).consolidate()
            self._timestamp = batches[-1].timestamp

    def _subscribe(self) -> Subscription:
        coordinator = self._coordinator
        self._started = False
        with coordinator.ticks.lock:
            self._check()
            item, self._turned = self._item, False
            plan = dataflow(item.relation, coordinator.catalog, coordinator.options)
            subscription = self._subscription = coordinator.subscribe(plan, item.written, unbounded=True)
        subscription.on_ready(self._ready)
        return subscription

    def _unsubscribe(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.on_ready(None)
            subscription.close()

    def _ready(self) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            self._loop.call_soon_threadsafe(self._news.set)

    def _check(self) -> None:
        """Under the tick lock: end here if the sink was dropped."""
        if self._stopping.is_set():
            raise asyncio.CancelledError

    async def _send(self, writer: KafkaWriter, encoder: Writer) -> None:
        """One transaction of all that is pending, unless it is of a relation that is not the sink's any more."""
        with self._coordinator.ticks.lock:
            self._check()
            if self._turned:
                return
            number = self._told.number + 1
            change = self._pending
            with self._holding:
                self._sending, self._pending = change, Batch.empty(len(self._item.written))
            self._told.tell(change)
            note = Note(number, self._timestamp, self._told.digest)
        silent = number == 1 and not self._sink.snapshot
        records = size = 0
        chunks = encoder.messages(Batch.empty(change.columns) if silent else change)

        def counted() -> Iterator[Outgoing]:
            nonlocal records, size
            for chunk in chunks:
                records += len(chunk)
                size += chunk.size
                yield chunk

        await writer.write(note, counted(), encoder.marks)
        self._settle()
        status = self.status
        status.transactions, status.records, status.bytes = (
            status.transactions + 1, status.records + records, status.bytes + size
        )  # fmt: skip
        status.timestamp = self._timestamp
        status.become(State.RUNNING)
