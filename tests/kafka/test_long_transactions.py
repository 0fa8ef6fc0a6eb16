"""A broker aborts a transaction that takes longer than it was said to: what it was to tell is told, with more time."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from engine.catalog.connections import KafkaConnection
from engine.catalog.sinks import KafkaSink, OutputEnvelope
from engine.catalog.sources import JsonFormat
from engine.connectors.kafka.outgoing import Outgoing, absent
from engine.connectors.kafka.writer import KafkaWriter, Note
from engine.connectors.records import Spans
from engine.errors import SourceError
from tests.kafka.topics import committed
from tests.kafka.waiting import NEVER, SECONDS_MAX


def one(value: bytes) -> Outgoing:
    return Outgoing(Spans.of([b"k"]), Spans.of([value]), absent(1), None)


def writer(broker, out: str, transaction_ms: int) -> KafkaWriter:
    at = KafkaConnection((broker.address,))
    sink = KafkaSink(at, out, f"{out}-progress", OutputEnvelope.UPSERT, (0,), JsonFormat(), JsonFormat())
    return KafkaWriter(sink, f"who-{out}", str, transaction_ms)


def until_it_holds(broker, out: str, entries: int) -> None:
    """The topic comes to have so many records and ends of transactions."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "watch"})
    deadline = time.monotonic() + SECONDS_MAX
    while consumer.get_watermark_offsets(TopicPartition(out, 0), SECONDS_MAX)[1] < entries:
        assert time.monotonic() < deadline
        NEVER.wait(0.02)
    consumer.close()


def test_one_that_takes_too_long_may_take_longer_the_next_time(broker, out):
    def slow() -> Iterator[Outgoing]:
        yield one(b"half")
        yield one(b"more")  # with this the first is sent
        until_it_holds(broker, out, 2)  # with the end of the transaction, which is not ours
        yield one(b"rest")

    async def write() -> None:
        first = writer(broker, out, 1000)
        await first.open(False)
        assert first.transaction_ms == 1000
        with pytest.raises(SourceError, match="the transaction took longer than 1 s, and may take longer"):
            await first.write(Note(1, 1, 0), slow())
        await first.close()
        second = writer(broker, out, first.transaction_ms)
        assert (await second.open(True)).transaction == 0
        assert second.transaction_ms == 4000
        await second.write(Note(1, 1, 0), [one(b"all")])
        assert second.transaction_ms == 4000
        await second.close()

    asyncio.run(write())
    assert [m.value() for m in committed(broker, out)] == [b"all"]


def test_as_long_as_the_brokers_allow(broker, out):
    """They do not say how long that is; 15 minutes, where nothing is set."""

    async def write() -> None:
        greedy = writer(broker, out, 10**9)
        await greedy.open(False)
        assert 0 <= 900_000 - greedy.transaction_ms < 1000
        await greedy.write(Note(1, 1, 0), [one(b"all")])
        await greedy.close()

    asyncio.run(write())
    assert [m.value() for m in committed(broker, out)] == [b"all"]
