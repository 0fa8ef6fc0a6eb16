"""From a relation to a broker on this machine, exactly once, beside a bare transactional producer of the same records.

Rows of 150 bytes of JSON by key, and the same in Avro, in one transaction (the snapshot) and in many (small ticks, each
updating some of a small table). The peer is confluent-kafka: it is given the very bytes, and its topic has as many
partitions and the same compression. Each figure is the best of three.
"""

import tempfile
import time
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.kafka import PARTITIONS
from benchmarks.measure import report
from engine.database import Database
from tests.kafka.broker import Broker, Registry

ROWS = 500_000
TICKS = 50
CHANGED = 200


def waited(db: Database, records: int) -> None:
    """Until the sink has committed so many."""
    sql = "SELECT messages_committed FROM mz_internal.mz_sink_statistics"
    while db.execute(sql).rows() != [(records,)]:
        time.sleep(0.002)


def ours(broker: Broker, topic: str, rows: int, format: str) -> tuple[float, float]:
    """Seconds of the snapshot, and from the first of some ticks until the last is committed."""
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (id bigint PRIMARY KEY, key text, price double, name text, note text)")
        db.execute(f"""INSERT INTO t SELECT i, 'key' || i % 1000, i % 1000 / 4.0, 'customer number ' || i % 5000,
            repeat('x', 60) FROM generate_series(1, {rows}) AS g (i)""")
        begun = time.perf_counter()
        db.execute(f"""CREATE SINK s FROM t INTO KAFKA BROKER '{broker.address}' TOPIC '{topic}' KEY (id)
            WITH (partition_count = {PARTITIONS}) FORMAT {format} ENVELOPE UPSERT""")
        waited(db, rows)
        snapshot = time.perf_counter() - begun
        begun = time.perf_counter()
        for tick in range(TICKS):
            first = tick * CHANGED
            db.execute(f"UPDATE t SET price = price + 1 WHERE id > {first} AND id <= {first + CHANGED}")
        waited(db, rows + TICKS * CHANGED)
        return snapshot, time.perf_counter() - begun


def records_of(broker: Broker, topic: str, count: int) -> list[tuple[bytes | None, bytes | None]]:
    """The first so many records of a topic."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "bench", "enable.auto.commit": False,
                         "isolation.level": "read_committed"})  # fmt: skip
    consumer.assign([Place(topic, partition, 0) for partition in range(PARTITIONS)])
    found: list[tuple[bytes | None, bytes | None]] = []
    while len(found) < count:
        found += [(message.key(), message.value()) for message in consumer.consume(10_000, 1.0)]
    consumer.close()
    return found[:count]


def of_confluent(broker: Broker, topic: str, records: list, per_transaction: int) -> float:
    """Seconds to produce the records in transactions, each committed before the next."""
    producer = Producer({"bootstrap.servers": broker.address, "transactional.id": topic, "compression.type": "lz4",
                         "queue.buffering.max.messages": 1_000_000})  # fmt: skip
    producer.init_transactions(30)
    begun = time.perf_counter()
    for begin in range(0, len(records), per_transaction):
        producer.begin_transaction()
        for key, value in records[begin : begin + per_transaction]:
            producer.produce(topic, value, key)
        producer.commit_transaction(60)
    return time.perf_counter() - begun


def compare(broker: Broker, name: str, format: str, rows: int) -> None:
    """Ours and theirs, of one format."""
    admin = AdminClient({"bootstrap.servers": broker.address})
    snapshot = min(ours(broker, f"{name}-{i}", rows, format)[0] for i in range(3))
    ticks = min(ours(broker, f"{name}-ticks-{i}", TICKS * CHANGED, format)[1] for i in range(3))
    records = records_of(broker, f"{name}-0", rows)
    assert all(key and value for key, value in records)
    topics = [f"{name}-theirs-{i}" for i in range(3)]
    for made in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics]).values():
        made.result(30)
    theirs = [(of_confluent(broker, topic, records, rows),
               of_confluent(broker, topic, records[: TICKS * CHANGED], CHANGED)) for topic in topics]  # fmt: skip
    bare, bare_ticks = (min(each[i] for each in theirs) for i in range(2))
    report("sinks", f"{name} snapshot", rows / snapshot, "records/s", peer="confluent-kafka, bare", theirs=rows / bare)
    report("sinks", f"{name} ticks of {CHANGED}", TICKS * CHANGED / ticks, "records/s", peer="confluent-kafka, bare",
           theirs=TICKS * CHANGED / bare_ticks)  # fmt: skip


def run(scale: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        broker, registry = Broker(Path(folder, "broker"), 512), Registry(Path(folder, "registry"))
        try:
            broker.start()
            registry.start()
            compare(broker, "json", "JSON", int(ROWS * scale))
            avro = f"AVRO USING CONFLUENT SCHEMA REGISTRY '{registry.url}'"
            compare(broker, "avro", avro, int(ROWS * scale))
        finally:
            broker.stop()
            registry.stop()
