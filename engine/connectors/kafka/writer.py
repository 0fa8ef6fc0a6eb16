"""The broker's side of a sink: transactions, each of which carries its own number.

Law: the records of transaction n and the note "n" in the progress topic are committed together or not at all, and
whoever has opened a writer knows the last number that was committed: opening it fences every earlier writer of the same
identity and ends what that one left open before the note is read.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code
from aiokafka.producer.message_accumulator import BatchBuilder

from engine.catalog.sinks import KafkaSink
from engine.connectors.feed import Resolve
from engine.connectors.kafka.batches import records_of
from engine.connectors.kafka.client import EARLIEST, LATEST, REQUEST_MS, Client, reason_of, security_of
from engine.connectors.records import Spans
from engine.errors import SourceError
from engine.kernels.murmur import murmur2_of

TRANSACTION_MS: Final = 300_000
"""How long a broker lets a transaction be: long enough for the snapshot of a large view, and how long readers of the
topic may have to wait when this server is lost for good. Brokers allow 15 minutes."""

COMMIT_SECONDS_MAX: Final = 60.0
OPEN_SECONDS_MAX: Final = 60.0
CLOSE_SECONDS_MAX: Final = 5.0
BATCH_BYTES: Final = 128 << 10
"""Of records that are sent together: an eighth of what brokers take in one batch, unless they are told otherwise."""

REPLICAS: Final = 3
"""Of a topic that we make, where there are so many brokers: one may be away and another lost."""

EXISTS: Final = 36
PROGRESS_PARTITION: Final = 0

T = TypeVar("T")


class Message(NamedTuple):
    """One record to be. `place` chooses its partition (modulo their number); None: the hash of its key does."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    place: int | None = None


class KafkaWriter:
    """One open producer. Every method raises SourceError, after which the writer is good for nothing but `close`."""

    def __init__(self, sink: KafkaSink, identity: str, resolve: Resolve) -> None:
        self._sink = sink
        self._identity = identity
        self._resolve = resolve
        self._producer: AIOKafkaProducer | None = None
        self._partitions = 1
        self._ours: set[asyncio.Task[Any]] = set()  # tasks that are not the producer's
        self._asked: float | None = None  # since when the brokers owe an answer

    @property
    def waits_seconds(self) -> float:
        """How long the brokers have owed an answer; 0 when they owe none."""
        return 0.0 if self._asked is None else time.monotonic() - self._asked

    async def open(self) -> int:
        """Be the only writer of this identity. The number of the last transaction that was committed; 0: none was."""
        self._ours = asyncio.all_tasks()
        opening = asyncio.ensure_future(self._open())
        try:
            return await _bounded(asyncio.shield(opening), OPEN_SECONDS_MAX, "the brokers do not answer")
        finally:
            # Connections that are being made are nobody's to close: they are waited for first.
            if not opening.done():
                await asyncio.wait({opening}, timeout=CLOSE_SECONDS_MAX)
            opening.cancel()
            await asyncio.wait({opening}, timeout=CLOSE_SECONDS_MAX)
            if opening.done() and not opening.cancelled():
                opening.exception()

    async def _open(self) -> int:
        sink = self._sink
        async with self._errors("the topic cannot be made"):
            await self._make_topics()
        async with self._errors("the brokers do not let us write"):
            producer = AIOKafkaProducer(
                bootstrap_servers=",".join(sink.connection.brokers), client_id=sink.client_id,
                transactional_id=self._identity, transaction_timeout_ms=TRANSACTION_MS, request_timeout_ms=REQUEST_MS,
                compression_type=None if sink.compression == "none" else sink.compression, max_batch_size=BATCH_BYTES,
                **security_of(sink.connection, self._resolve),
            )  # fmt: skip
            self._producer = producer
            await producer.start()
            # The broker gives us an epoch of our own; an earlier writer's transaction is over when it has.
            await producer.begin_transaction()
            await producer.abort_transaction()
            self._partitions = len(await producer.partitions_for(sink.topic))
        return await self._committed()

    async def _make_topics(self) -> None:
        sink = self._sink
        admin = AIOKafkaAdminClient(
            bootstrap_servers=",".join(sink.connection.brokers), client_id=sink.client_id,
            request_timeout_ms=REQUEST_MS, **security_of(sink.connection, self._resolve),
        )  # fmt: skip
        await admin.start()
        try:
            brokers = len((await admin.describe_cluster())["brokers"])
            replicas = sink.replication or min(REPLICAS, brokers)
            wanted = [
                NewTopic(
                    sink.topic, sink.partitions or 1, replicas, topic_configs=dict(sink.config)
                ),
                NewTopic(
                    sink.progress_topic, 1, replicas, topic_configs={"cleanup.policy": "compact"}
                ),
            ]  # fmt: skip
            there = set(await admin.list_topics())
            missing = [topic for topic in wanted if topic.name not in there]
            if missing:
                reply = await admin.create_topics(missing)
                for name, code, *rest in reply.topic_errors:  # pyright: ignore[reportAttributeAccessIssue] - of the version
                    if code not in (0, EXISTS):
                        said = rest[0] if rest and rest[0] else str(for_code(code).message)
                        raise SourceError(f'topic "{name}" cannot be made: {said}')
        finally:
            await admin.close()

    async def _committed(self) -> int:
        """The last number under our identity in the progress topic: everything that is there by now is looked at.

        Others may write to the topic too, and what comes behind a transaction of theirs is not to be seen before that
        is over; so this may wait for them.
        """
        client = Client(self._sink.connection, self._resolve, self._sink.client_id)
        name, partition = self._sink.progress_topic, PROGRESS_PARTITION
        try:
            topic = await client.topic(name)
            at = (await client.offsets(name, topic, {partition: EARLIEST}))[partition]
            end = (await client.offsets(name, topic, {partition: LATEST}))[partition]
            found = 0
            while at < end:
                answer = await client.fetch(topic.leaders[partition], name, [(partition, at)], True, 1 << 20, 200)
                if answer.errors:
                    raise SourceError(f'topic "{name}" cannot be read: error {answer.errors[partition]}')
                records = records_of(answer.parts)
                for i in range(len(records)):
                    if records.keys.begins[i] >= 0 and records.keys.get(i) == self._identity.encode():
                        found = int(json.loads(records.values.get(i))["transaction"])
                at = records.next.get(partition, at)
            return found
        finally:
            await client.close()

    async def write(self, number: int, timestamp: int, chunks: Iterable[Sequence[Message]]) -> None:
        """Transaction `number`: all of these records, and the note. Returns when it is committed."""
        assert self._producer is not None
        producer, topic = self._producer, self._sink.topic
        note = json.dumps({"transaction": number, "timestamp": timestamp}).encode()
        async with self._errors("writing failed"):
            await producer.begin_transaction()
            for chunk in chunks:
                await self._send(topic, chunk, self._places(chunk), timestamp)
            progress = Message(self._identity.encode(), note, (), 0)
            await self._send(self._sink.progress_topic, [progress], [PROGRESS_PARTITION], timestamp)
            await _bounded(producer.commit_transaction(), COMMIT_SECONDS_MAX, "the brokers do not commit")

    def _places(self, messages: Sequence[Message]) -> Sequence[int]:
        """The partition of each message: of those without a place that which every client of Kafka gives their key."""
        partitions = self._partitions
        if partitions == 1:
            return [0] * len(messages)
        keys = Spans.of([message.key or b"" for message in messages])
        hashed = (murmur2_of(keys.data, keys.begins, keys.ends) % partitions).tolist()
        return [
            place if message.place is None else message.place % partitions
            for message, place in zip(messages, hashed, strict=True)
        ]

    async def _send(self, topic: str, messages: Sequence[Message], places: Sequence[int], timestamp: int) -> None:
        """Returns when the brokers have them. They are put into batches here: a call of the library for each record
        would cost ten times what a record does."""
        producer = self._producer
        assert producer is not None
        sent: list[asyncio.Future[Any]] = []
        open_: dict[int, BatchBuilder] = {}
        try:
            for message, place in zip(messages, places, strict=True):
                batch = open_.get(place)
                if batch is None or not _put(batch, message, timestamp):
                    if batch is not None:
                        sent.append(await producer.send_batch(batch, topic, partition=place))
                    batch = open_[place] = producer.create_batch()
                    _put(batch, message, timestamp)  # the first record of a batch may have any size
            for place, batch in open_.items():
                sent.append(await producer.send_batch(batch, topic, partition=place))
        finally:
            # Each is waited for, also behind one that failed: none may end unseen.
            ends = await asyncio.gather(*sent, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        self._asked = time.monotonic()

    async def close(self) -> None:
        """Let go of the connections. What was not committed never will be: the next writer ends it."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        with suppress(TimeoutError, KafkaError, OSError):
            await asyncio.wait_for(producer.stop(), CLOSE_SECONDS_MAX)
        # A connection that was being made meanwhile is there when its task has ended, and is closed then.
        others = asyncio.all_tasks() - self._ours - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=CLOSE_SECONDS_MAX)
        with suppress(TimeoutError, KafkaError, OSError):
            await asyncio.wait_for(producer.client.close(), CLOSE_SECONDS_MAX)

    @asynccontextmanager
    async def _errors(self, what: str) -> AsyncIterator[None]:
        self._asked = time.monotonic()
        try:
            yield
            self._asked = None
        except KafkaError as error:
            brokers = ", ".join(self._sink.connection.brokers)
            raise SourceError(f"{what} ({brokers}): {reason_of(error)}") from None
        except (TimeoutError, OSError) as error:
            raise SourceError(f"{what}: {error}") from None


def _put(batch: BatchBuilder, message: Message, timestamp: int) -> bool:
    """Whether there was room for the message."""
    headers = [*message.headers]
    return batch.append(timestamp=timestamp, key=message.key, value=message.value, headers=headers) is not None


async def _bounded(work: Awaitable[T], seconds: float, what: str) -> T:
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        raise SourceError(f"{what} within {seconds:.0f} s") from None
