"""From a broker on this machine to a maintained GROUP BY, beside what consuming alone costs the clients of Python.

One million records of 150 bytes of JSON in four partitions; the same records in Avro; all read from their beginning.
The peers only count records and sum up their bytes. Each figure is the best of three.
"""

import asyncio
import io
import json
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fastavro
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.measure import report
from engine.database import Database
from tests.kafka.broker import Broker

PARTITIONS = 4
RECORDS = 1_000_000
SCHEMA = {"type": "record", "name": "Sale", "fields": [
    {"name": "id", "type": "long"}, {"name": "key", "type": "string"}, {"name": "price", "type": "double"},
    {"name": "name", "type": ["null", "string"]}, {"name": "note", "type": "string"}]}  # fmt: skip


def sale(i: int) -> dict:
    return {"id": i, "key": f"key{i * 7919 % 1000:04}", "price": i % 1000 / 4, "name": f"customer number {i % 5000}",
            "note": "x" * 60}  # fmt: skip


def produced(broker: Broker, topic: str, records: int, datum: Callable[[int], bytes]) -> None:
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 20, "batch.size": 1 << 18})
    for i in range(records):
        producer.produce(topic, datum(i), None, i % PARTITIONS)
        if i % 10_000 == 0:
            producer.flush()
    producer.flush()


def ours(broker: Broker, topic: str, records: int, columns: str, format: str) -> float:
    """Seconds until the view has all of them."""
    with Database.in_memory() as db:
        begun = time.perf_counter()
        db.execute(f"CREATE SOURCE s {columns} FROM KAFKA BROKER '{broker.address}' TOPIC '{topic}' FORMAT {format}")
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT key, count(*) AS n, sum(price) AS p FROM s GROUP BY key")
        while db.execute("SELECT coalesce(sum(n), 0)::bigint FROM v").rows() != [(records,)]:
            time.sleep(0.01)
        return time.perf_counter() - begun


def of_aiokafka(broker: Broker, topic: str, records: int) -> float:
    async def consume() -> float:
        consumer = AIOKafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False, max_poll_records=None)
        await consumer.start()
        consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        begun, seen, size = time.perf_counter(), 0, 0
        while seen < records:
            for part in (await consumer.getmany(timeout_ms=1000)).values():
                seen += len(part)
                size += sum(len(record.value) for record in part)
        seconds = time.perf_counter() - begun
        await consumer.stop()
        return seconds

    return asyncio.run(consume())


def of_confluent(broker: Broker, topic: str, records: int) -> float:
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "bench", "enable.auto.commit": False})
    begun, seen, size = time.perf_counter(), 0, 0
    consumer.assign([Place(topic, partition, 0) for partition in range(PARTITIONS)])
    while seen < records:
        part = consumer.consume(10_000, 1.0)
        seen += len(part)
        size += sum(len(message.value()) for message in part)
    seconds = time.perf_counter() - begun
    consumer.close()
    return seconds


def best(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(3))


def run(scale: float) -> None:
    records = int(RECORDS * scale)
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder), 512)
        broker.start()
        try:
            produced(broker, "json", records, lambda i: json.dumps(sale(i)).encode())
            schema = fastavro.parse_schema(SCHEMA)

            def datum(i: int) -> bytes:
                out = io.BytesIO()
                fastavro.schemaless_writer(out, schema, sale(i))
                return struct.pack(">bI", 0, 1) + out.getvalue()

            produced(broker, "avro", records, datum)
            columns = "(id bigint, key text, price double, name text, note text)"
            rate = records / best(lambda: ours(broker, "json", records, columns, "JSON"))
            asyncio_rate = records / best(lambda: of_aiokafka(broker, "json", records))
            librdkafka_rate = records / best(lambda: of_confluent(broker, "json", records))
            report(
                "kafka", "JSON to view", rate, "records/s", bar=">= 250,000", peer="aiokafka, bare", theirs=asyncio_rate
            )
            report("kafka", "JSON to view", rate, "records/s", peer="confluent-kafka, bare", theirs=librdkafka_rate)
            avro = f"AVRO USING SCHEMA '{json.dumps(SCHEMA)}'"
            rate = records / best(lambda: ours(broker, "avro", records, "", avro))
            librdkafka_rate = records / best(lambda: of_confluent(broker, "avro", records))
            report("kafka", "Avro to view", rate, "records/s", peer="confluent-kafka, bare", theirs=librdkafka_rate)
        finally:
            broker.stop()
