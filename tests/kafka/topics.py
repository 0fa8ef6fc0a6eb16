"""What readers of a topic of a sink hold."""

import io
import json
import struct
import time
from collections import Counter
from collections.abc import Iterator

import fastavro
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Message as Received

from engine.catalog.connections import RegistryConnection
from engine.connectors.registry import Registry as Schemas
from engine.database import Database
from tests.kafka.waiting import SECONDS_MAX, until


def committed(broker, name: str, partitions: int = 1, isolation: str = "read_committed") -> list[Received]:
    """All of a topic, in the order of partitions and offsets. A commit returns before its end is in the partitions, so
    the end of what is committed has to come to the end of all that there is."""
    settings = {"bootstrap.servers": broker.address, "group.id": "reader", "enable.auto.commit": False}
    places = [TopicPartition(name, partition, 0) for partition in range(partitions)]
    watching = Consumer(settings)
    ends = [watching.get_watermark_offsets(place, SECONDS_MAX)[1] for place in places]
    watching.close()
    consumer = Consumer(settings | {
        "isolation.level": isolation, "auto.offset.reset": "earliest", "enable.partition.eof": True,
    })  # fmt: skip
    consumer.assign(places)
    found: list[Received] = []
    ended: set[int] = set()
    deadline = time.monotonic() + SECONDS_MAX
    while len(ended) < partitions and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error() is None:
            found.append(message)
        elif message.offset() >= ends[message.partition()]:
            ended.add(message.partition())
    consumer.close()
    assert len(ended) == partitions, f"{name} ended in partitions {ended} only"
    return found


def written(db: Database) -> None:
    """The sinks have nothing left to write."""
    until(db, "SELECT DISTINCT status, error FROM mz_internal.mz_sink_statuses", [("running", None)])
    deadline = time.monotonic() + SECONDS_MAX
    while not all(running.idle for running in db._coordinator.sinks.running()):
        assert time.monotonic() < deadline, db._coordinator.sinks.status()
        time.sleep(0.01)


def table_of(messages: list[Received]) -> dict:
    """What a reader of UPSERT holds."""
    held: dict = {}
    for message in messages:
        key = json.loads(message.key())
        if message.value() is None:
            del held[tuple(key.values())]  # a tombstone is only of what was there
        else:
            held[tuple(key.values())] = json.loads(message.value())
    return held


def bag_of(messages: list[Received]) -> Counter:
    """What a reader of DEBEZIUM holds. No row goes that was not there."""
    held: Counter = Counter()
    for message in messages:
        change = json.loads(message.value())
        for side, diff in (("before", -1), ("after", 1)):
            if change[side] is not None:
                row = tuple(change[side].values())
                held[row] += diff
                assert held[row] >= 0, f"{row} goes twice"
    return +held


def avro(registry, data: bytes) -> tuple[str, dict]:
    magic, number = struct.unpack(">bI", data[:5])
    assert magic == 0
    schema = Schemas(RegistryConnection(registry.url), str).by_id(number).text
    parsed = fastavro.parse_schema(json.loads(schema))
    return schema, fastavro.schemaless_reader(io.BytesIO(data[5:]), parsed, None)


def transactions(messages: list[Received]) -> Iterator[list[Received]]:
    """The messages of one partition by their time, which is that of their transaction."""
    group: list[Received] = []
    for message in messages:
        if group and message.timestamp() != group[0].timestamp():
            yield group
            group = []
        group.append(message)
    if group:
        yield group
