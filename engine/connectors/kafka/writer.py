"""The broker's side of a sink: transactions, each of which carries its own number.

Law: the records of transaction n and the note "n" in the progress topic are committed together or not at all, and
whoever has opened a writer knows the last number that was committed: opening it fences every earlier writer of the same
identity and ends what that one left open before the note is read.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from engine.catalog.sinks import KafkaSink
from engine.connectors.feed import Resolve
from engine.connectors.kafka.batches import records_of
from engine.connectors.kafka.client import EARLIEST, LATEST, REQUEST_MS, Client, named, reason_of, security_of
from engine.connectors.kafka.marks import Marks
from engine.connectors.kafka.outgoing import OutBatch, Outgoing, Packing, absent
from engine.connectors.kafka.transactions import Transactions
from engine.connectors.records import Spans
from engine.durable.log import NO_DIGEST
from engine.errors import SourceError

TRANSACTION_MS: Final = 300_000
"""How long a broker lets a transaction be, unless one has taken longer: long enough for the snapshot of most views, and
how long readers of the topic may have to wait when this server is lost for good."""

COMMIT_SECONDS_MAX: Final = 60.0
OPEN_SECONDS_MAX: Final = 60.0
CLOSE_SECONDS_MAX: Final = 5.0
LED_SECONDS_MAX: Final = 10.0
LED_PAUSE_SECONDS: Final = 0.01
"""How long a topic that was made just now may have no leader, and how often we look."""

REPLICAS: Final = 3
"""Of a topic that we make, where there are so many brokers: one may be away and another lost."""

ANEW: Final = "What readers of it hold is lost: drop the sink and make it anew."

EXISTS: Final = 36
PROGRESS_PARTITION: Final = 0

T = TypeVar("T")


class Note(NamedTuple):
    """What the progress topic has of a transaction: its number, its tick in ms, and what tells what it wrote from what
    another might have written under that number."""

    transaction: int
    timestamp: int
    digest: int


class KafkaWriter:
    """One open producer. Every method raises SourceError, after which the writer is good for nothing but `close`."""

    def __init__(
        self, sink: KafkaSink, identity: str, resolve: Resolve, transaction_ms: int = TRANSACTION_MS
    ) -> None:  # fmt: skip
        self._sink = sink
        self._identity = identity
        self._resolve = resolve
        self._client = Client(sink.connection, resolve, sink.client_id)
        self._transactions = Transactions(self._client, identity, transaction_ms)
        self._packing: Packing | None = None
        self._partitions = 1
        self.topics = ""  # which they are, once it is open
        self._opening: float | None = None  # since when the brokers owe an answer to `open`

    @property
    def waits_seconds(self) -> float:
        """How long the brokers have owed an answer; 0 when they owe none."""
        since = self._opening or self._transactions.since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def transaction_ms(self) -> int:
        """How long the transactions of the next writer should be allowed to be: longer, if one of this took longer."""
        return self._transactions.wanted_ms

    @property
    def trouble(self) -> str | None:
        """What they said instead of it."""
        return self._transactions.trouble

    async def open(self, begun: bool, known: str | None = None) -> Note:
        """Be the only writer of this identity. The note of the last transaction that was committed; 0: none was.

        `begun`: there may have been one, so that the topics are there or were deleted; otherwise they are made. `known`
        says which they are; None: any of their names.
        """
        self._opening = time.monotonic()
        opening = asyncio.ensure_future(self._open(begun, known if begun else None))
        try:
            return await _bounded(asyncio.shield(opening), OPEN_SECONDS_MAX, "the brokers do not answer")
        finally:
            self._opening = None
            # Connections that are being made are nobody's to close: they are waited for first.
            if not opening.done():
                await asyncio.wait({opening}, timeout=CLOSE_SECONDS_MAX)
            opening.cancel()
            await asyncio.wait({opening}, timeout=CLOSE_SECONDS_MAX)
            if opening.done() and not opening.cancelled():
                opening.exception()

    async def _open(self, begun: bool, known: str | None) -> Note:
        sink = self._sink
        try:
            made = await self._make_topics(begun)
        except KafkaError as error:
            brokers = ", ".join(sink.connection.brokers)
            raise SourceError(f"the topic cannot be made ({brokers}): {reason_of(error)}") from None
        except (TimeoutError, OSError) as error:
            raise SourceError(f"the topic cannot be made: {error}") from None
        names = sink.topic, sink.progress_topic
        topics = [await self._soon(made, partial(self._client.topic, name)) for name in names]
        ids = [topic.id for topic in topics]
        self.topics = " ".join(ids)
        for name, id, was in zip(names, ids, ids if known is None else known.split(), strict=True):
            if id != was:
                raise SourceError(f'topic "{name}" was deleted, and another of its name was made', hint=ANEW)
        self._packing = Packing(await self._transactions.open(), sink.compression)
        self._partitions = len(topics[0].leaders)
        note = await self._soon(made, self._noted)
        if note is None:
            return Note(0, 0, NO_DIGEST)
        return Note(note["transaction"], note["timestamp"], note.get("digest", NO_DIGEST))

    async def _make_topics(self, begun: bool) -> bool:
        """Whether some were not there."""
        sink = self._sink
        admin = AIOKafkaAdminClient(
            bootstrap_servers=",".join(sink.connection.brokers), client_id=sink.client_id,
            request_timeout_ms=REQUEST_MS, **security_of(sink.connection, self._resolve),
        )  # fmt: skip
        await admin.start()
        try:
            there = set(await admin.list_topics())
            names = [sink.topic, sink.progress_topic, *([] if sink.consistency is None else [sink.consistency.topic])]
            missing = [name for name in names if name not in there]
            if begun:
                for name in missing:  # a list has none that we may not know of: that is not to be deleted
                    if await self._client.find(name) is None:
                        raise SourceError(f'topic "{name}" was deleted', hint=ANEW)
            if missing:
                brokers = len((await admin.describe_cluster())["brokers"])
                replicas = sink.replication or min(REPLICAS, brokers)
                data = NewTopic(sink.topic, sink.partitions or 1, replicas, topic_configs=dict(sink.config))
                notes = NewTopic(sink.progress_topic, 1, replicas, topic_configs={"cleanup.policy": "compact"})
                marks = [NewTopic(name, 1, replicas) for name in names[2:]]
                reply = await admin.create_topics([topic for topic in (data, notes, *marks) if topic.name in missing])
                for name, code, *rest in reply.topic_errors:  # pyright: ignore[reportAttributeAccessIssue] - of the version
                    if code not in (0, EXISTS):
                        said = rest[0] if rest and rest[0] else str(for_code(code).message)
                        raise SourceError(f'topic "{name}" cannot be made: {said}')
            return bool(missing)
        finally:
            await admin.close()

    async def _soon(self, made: bool, look: Callable[[], Awaitable[T]]) -> T:
        """What is found at topics that, if they were made just now, have no leader yet or one that does not know it."""
        deadline = time.monotonic() + LED_SECONDS_MAX
        while True:
            try:
                return await look()
            except SourceError:
                if not made or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(LED_PAUSE_SECONDS)

    async def _noted(self) -> dict[str, Any] | None:
        """The last note under our identity in the progress topic: everything that is there by now is looked at.

        Others may write to the topic too, and what comes behind a transaction of theirs is not to be seen before that
        is over; so this may wait for them.
        """
        client, name, partition = self._client, self._sink.progress_topic, PROGRESS_PARTITION
        topic = await client.topic(name)
        at = (await client.offsets(name, topic, {partition: EARLIEST}))[partition]
        end = (await client.offsets(name, topic, {partition: LATEST}))[partition]
        found: dict[str, Any] | None = None
        while at < end:
            answer = await client.fetch(topic.leaders[partition], name, [(partition, at)], True, 1 << 20, 200)
            if answer.errors:
                raise SourceError(f'topic "{name}" cannot be read: {named(answer.errors[partition])}')
            records = records_of(answer.parts)
            for i in range(len(records)):
                if records.keys.begins[i] >= 0 and records.keys.get(i) == self._identity.encode():
                    found = json.loads(records.values.get(i))
            at = records.next.get(partition, at)
        return found

    async def write(self, note: Note, chunks: Iterable[Outgoing], marks: Marks | None = None) -> None:
        """The transaction of that note: all of these records, the note, perhaps marks. Returns when it is committed.

        While the records of a chunk are sent, those of the next are made in another thread.
        """
        assert self._packing is not None
        packing = self._packing
        parts = self._packed(packing, note, chunks, marks)
        batches, last = next(parts)
        while not last:
            following = asyncio.ensure_future(asyncio.to_thread(next, parts))
            try:
                await self._transactions.send(batches, packing)
            except BaseException:
                await asyncio.wait({following})
                following.exception()  # the error of sending is the one that is told
                raise
            batches, last = await following
        await self._transactions.send(batches, packing)
        await _bounded(self._transactions.commit(), COMMIT_SECONDS_MAX, "the brokers do not commit")

    def _packed(
        self, packing: Packing, note: Note, chunks: Iterable[Outgoing], marks: Marks | None
    ) -> Iterator[tuple[list[OutBatch], bool]]:
        """The batches of each chunk, and with those of the last the note; whether they are the last."""
        sink, timestamp, count = self._sink, note.timestamp, 0
        ready: list[OutBatch] = []
        if marks is not None:
            ready += packing.pack(marks.topic, 1, marks.begin(timestamp), timestamp)
        for chunk in chunks:
            if ready:
                yield ready, False
            ready = packing.pack(sink.topic, self._partitions, chunk, timestamp)
            count += len(chunk)
        if marks is not None:
            ready += packing.pack(marks.topic, 1, marks.end(timestamp, count), timestamp)
        text = json.dumps(note._asdict()).encode()
        progress = Outgoing(Spans.of([self._identity.encode()]), Spans.of([text]), absent(1), None)
        yield ready + packing.pack(sink.progress_topic, 1, progress, timestamp), True

    async def close(self) -> None:
        """Let go of the connections. What was not committed never will be: the next writer ends it."""
        await self._client.close()


async def _bounded(work: Awaitable[T], seconds: float, what: str) -> T:
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        raise SourceError(f"{what} within {seconds:.0f} s") from None
