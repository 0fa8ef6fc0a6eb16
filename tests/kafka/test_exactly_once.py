"""What readers of committed records see is the relation at one tick after another: nothing missing, nothing twice."""

import asyncio
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from engine.catalog.connections import KafkaConnection
from engine.catalog.sinks import KafkaSink, OutputEnvelope
from engine.catalog.sources import JsonFormat
from engine.connectors.kafka.outgoing import Outgoing, absent
from engine.connectors.kafka.writer import KafkaWriter, Note
from engine.connectors.records import Spans
from engine.coordinator.record import packed
from engine.database import Database, Options
from engine.errors import (
    DependentObjects,
    SourceError,
    TypeMismatch,
    WrongObjectType,
)
from tests.kafka.child import killed
from tests.kafka.topics import avro, bag_of, committed, table_of, transactions, written
from tests.kafka.waiting import SECONDS_MAX, until

SUMS = "CREATE MATERIALIZED VIEW {} AS SELECT k, sum(n)::numeric(20,2) AS n FROM t WHERE k <> {} GROUP BY k"


@pytest.mark.parametrize("kept", [True, False])
def test_from_another_relation(broker, tmp_path, out, kept):
    """The topic becomes the other relation by the difference alone, and follows it, over a restart too; and a younger
    relation than the sink is restored before it."""
    with Database.open(tmp_path) if kept else Database.in_memory() as db:
        db.execute("CREATE TABLE t (k int, n numeric(10,2))")
        db.execute("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
        db.execute(SUMS.format("old", 1))
        db.execute(f"""CREATE SINK s FROM old INTO KAFKA BROKER '{broker.address}' TOPIC '{out}'
            KEY (k) FORMAT JSON ENVELOPE UPSERT""")
        written(db)
        db.execute(SUMS.format("new", 2))
        db.execute("CREATE VIEW other AS SELECT k, n, 1 AS more FROM new")
        with pytest.raises(TypeMismatch, match=r'sink "s" writes \(k integer, n numeric\(20,2\)\)'):
            db.execute("ALTER SINK s SET FROM other")
        with pytest.raises(WrongObjectType, match=r'\.s" is a sink'):
            db.execute("ALTER SINK s SET FROM s")
        db.execute("ALTER SINK IF EXISTS nobody SET FROM new")
        db.execute("ALTER SINK s SET FROM new")
        db.execute("DROP MATERIALIZED VIEW old")
        with pytest.raises(DependentObjects):
            db.execute("DROP MATERIALIZED VIEW new")
        with pytest.raises(DependentObjects):
            db.execute("ALTER TABLE t ADD COLUMN later int")
        assert " FROM materialize.public.new INTO" in db.execute("SHOW CREATE SINK s").rows()[0][1]
        written(db)
        got = [(json.loads(m.key())["k"], m.value() is not None) for m in committed(broker, out)]
        assert sorted(got[:2]) == [(2, True), (3, True)]
        assert sorted(got[2:]) == [(1, True), (2, False)]
        db.execute("INSERT INTO t VALUES (2, 5), (3, 5)")
        written(db)
        assert table_of(committed(broker, out)) == {(1,): {"k": 1, "n": 1}, (3,): {"k": 3, "n": 8}}
        assert len(committed(broker, out)) == 5
    if kept:
        with Database.open(tmp_path) as db:
            written(db)
            db.execute("INSERT INTO t VALUES (1, 1), (2, 1)")
            written(db)
            assert len(committed(broker, out)) == 6
            assert table_of(committed(broker, out))[1,] == {"k": 1, "n": 2}


def test_from_one_and_another_under_writes(broker, out):
    """Whenever it is switched, what was told and not, each transaction leaves a relation's contents."""
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (k int, n numeric(10,2))")
        db.execute(SUMS.format("a", 0))
        db.execute(SUMS.format("b", 1))
        db.execute(f"CREATE SINK s FROM a INTO KAFKA BROKER '{broker.address}' TOPIC '{out}' FORMAT JSON")
        for i in range(60):
            db.execute(f"INSERT INTO t VALUES ({i % 3}, {i})")
            db.execute(f"ALTER SINK s SET FROM {'ab'[i % 2]}")
        written(db)
        assert bag_of(committed(broker, out)) == Counter(
            (row[0], float(row[1])) for row in db.execute("SELECT k, n FROM b").rows()
        )


SWITCHED = """CREATE MATERIALIZED VIEW {} AS SELECT k, sum(n)::bigint AS n, ('{{v=>' || k || '}}')::map[text=>text] AS h
    FROM t WHERE k <> {} GROUP BY k"""
SWITCHING = """
import sys
from engine.database import Database
with Database.open(sys.argv[1]) as db:
    print("ready", flush=True)
    for i in range(10**9):
        db.execute(f"INSERT INTO t VALUES ({i % 7}, {i})")
        db.execute(f"ALTER SINK s SET FROM {'ab'[i % 2]}")
"""


@pytest.mark.parametrize("format", ["JSON", "AVRO"])
def test_the_server_is_killed_while_it_switches(broker, registry, tmp_path, out, format):
    """Whatever of a switch was kept and whatever was told: the topic becomes the one that the catalog says."""
    folder = tmp_path / "data"
    using = "" if format == "JSON" else f"USING CONFLUENT SCHEMA REGISTRY '{registry.url}'"
    with Database.open(folder) as db:
        db.execute("CREATE TABLE t (k int, n int)")
        db.execute("INSERT INTO t VALUES (0, 1), (1, 1), (2, 1)")
        db.execute(SWITCHED.format("a", 0))
        db.execute(SWITCHED.format("b", 1))
        db.execute(f"""CREATE CONNECTION c TO KAFKA (BROKER '{broker.address}')""")
        db.execute(f"""CREATE SINK s FROM a INTO KAFKA CONNECTION c (TOPIC '{out}', PARTITION BY = k, TOPIC PARTITION
            COUNT 3) KEY (k) NOT ENFORCED HEADERS h KEY FORMAT JSON VALUE FORMAT {format} {using} ENVELOPE UPSERT""")
        written(db)
        with db.session() as session:
            session.execute("BEGIN")
            session.execute("ALTER SINK s SET FROM b")
            session.execute("ROLLBACK")
        assert " FROM materialize.public.a INTO" in db.execute("SHOW CREATE SINK s").rows()[0][1]
        written(db)
        assert len(committed(broker, out, 3)) == 2
    for delay in (0.4, 0.1) if format == "JSON" else (0.2,):
        killed(delay, SWITCHING, folder)
    with Database.open(folder) as db:
        written(db)
        [name] = re.findall(r" FROM materialize\.public\.(\w) INTO", db.execute("SHOW CREATE SINK s").rows()[0][1])
        held: dict = {}
        for message in committed(broker, out, 3):
            (k,) = json.loads(message.key()).values()
            if message.value() is None:
                del held[k]
                continue
            row = json.loads(message.value()) if format == "JSON" else avro(registry, message.value())[1]
            assert (message.partition(), message.headers()) == (k % 3, [("v", str(k).encode())])
            held[k] = row["n"]
        assert held == dict(db.execute(f"SELECT k, n FROM {name}").rows())


def one(key: bytes, value: bytes) -> Outgoing:
    return Outgoing(Spans.of([key]), Spans.of([value]), absent(1), None)


def test_who_was_fenced_writes_nothing_more(broker, out):
    """Another opens a writer of the same identity in the middle of a transaction: of that nothing is ever seen, and
    what the other finds is the number of the one before."""
    at, progress = KafkaConnection((broker.address,)), f"{out}-progress"
    sink = KafkaSink(at, out, progress, OutputEnvelope.UPSERT, (0,), JsonFormat(), JsonFormat())

    numbers: list[int] = []

    async def opened() -> tuple[KafkaWriter, int]:
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            writer = KafkaWriter(sink, f"who-{out}", lambda setting: str(setting))
            try:
                return writer, (await writer.open(bool(numbers))).transaction
            except SourceError:  # a topic that was made just now has no leader for a moment
                await writer.close()
                assert time.monotonic() < deadline

    async def take_over() -> None:
        other, number = await opened()
        numbers.append(number)
        await other.write(Note(number + 1, 3, 0), [one(b"k", b"other")])
        await other.close()

    async def write() -> None:
        zombie, number = await opened()
        numbers.append(number)
        await zombie.write(Note(1, 1, 0), [one(b"k", b"first")])

        deadline = time.monotonic() + SECONDS_MAX

        def halves() -> Iterator[Outgoing]:
            yield one(b"k", b"half")
            yield one(b"k", b"more")
            while b"half" not in [m.value() for m in committed(broker, out, 1, "read_uncommitted")]:
                assert time.monotonic() < deadline
            thread = threading.Thread(target=lambda: asyncio.run(take_over()))
            thread.start()
            thread.join()
            yield one(b"k", b"rest")

        try:
            with pytest.raises(SourceError):
                await zombie.write(Note(2, 2, 0), halves())
        finally:
            await zombie.close()

    asyncio.run(write())
    assert numbers == [0, 1]
    assert [m.value() for m in committed(broker, out)] == [b"first", b"other"]
    assert b"half" in [m.value() for m in committed(broker, out, 1, "read_uncommitted")]
    notes = [json.loads(m.value())["transaction"] for m in committed(broker, f"{out}-progress")]
    assert notes == [1, 2]


CHILD = """
import random, sys, time
from engine.database import Database
with Database.open(sys.argv[1]) as db:
    print("ready", flush=True)
    for i in range(10**9):
        a, b = random.sample(range(40), 2)
        change = f"CASE id WHEN {a} THEN 7 ELSE -7 END"
        db.execute(f"UPDATE accounts SET balance = balance + {change} WHERE id IN ({a}, {b})")
        if i % 7 == 0:
            db.execute(f"DELETE FROM log WHERE n < {i // 2}")
            db.execute(f"INSERT INTO log VALUES ({i}), ({i}), ({i % 5})")
"""
TOTAL = 40 * 1000


def test_the_server_is_killed_while_sinking(broker, tmp_path, out):
    """Transfers between accounts: their sum is the same at every transaction of the topic. Rows of a bag come and go:
    none goes that is not there, none is left over."""
    folder = tmp_path / "data"
    with Database.open(folder) as db:
        db.execute(f"CREATE CONNECTION c TO KAFKA (BROKER '{broker.address}')")
        db.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
        db.execute("CREATE TABLE log (n int)")
        db.execute("INSERT INTO accounts SELECT i, 1000 FROM generate_series(0, 39) AS g (i)")
        db.execute(f"""CREATE SINK s FROM accounts INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (id)
            FORMAT JSON ENVELOPE UPSERT""")
        db.execute(f"CREATE SINK b FROM log INTO KAFKA CONNECTION c (TOPIC '{out}-bag') FORMAT JSON ENVELOPE DEBEZIUM")
    for delay in (1.0, 0.3, 0.6, 0.8):
        killed(delay, CHILD, folder)
    with Database.open(folder) as db:
        written(db)
        accounts = {
            (id,): {"id": id, "balance": balance} for id, balance in db.execute("SELECT * FROM accounts").rows()
        }
        bag = Counter(db.execute("SELECT * FROM log").rows())
        messages = committed(broker, out)
        assert table_of(messages) == accounts
        assert bag_of(committed(broker, f"{out}-bag")) == bag
    held: dict = {}
    count = 0
    for group in transactions(messages):
        held |= {message.key(): json.loads(message.value())["balance"] for message in group}
        assert sum(held.values()) == TOTAL
        count += 1
    assert count >= 4


def test_what_was_kept_and_not_committed_is_written_again(broker, tmp_path, out):
    """A crash between the log and the broker, as exact as it can be: the log has a transaction that never was."""
    folder = tmp_path / "data"
    with Database.open(folder) as db:
        db.execute(f"CREATE CONNECTION c TO KAFKA (BROKER '{broker.address}')")
        db.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
        db.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
        db.execute(f"CREATE SINK s FROM t INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k) FORMAT JSON ENVELOPE UPSERT")
        written(db)
        db._coordinator.sinks.close()
        db.execute("INSERT INTO t VALUES (3, 'c')")
        item = db._coordinator.named("s")
        change = db.execute("SELECT * FROM t WHERE k = 3").batch
        assert change is not None
        log = db._coordinator.log
        assert log is not None
        log.tell(item.id, 2, packed(change, item.written, db._coordinator.heap))
    with Database.open(folder) as db:
        written(db)
        assert [m.key() for m in committed(broker, out)] == [b'{"k":1}', b'{"k":2}', b'{"k":3}']
        assert db._coordinator.log.told(item.id)[0] == 2
    with Database.open(folder) as db:  # and one that was committed is not written again
        db.execute("DELETE FROM t WHERE k = 1")
        written(db)
        assert [m.key() for m in committed(broker, out)] == [b'{"k":1}', b'{"k":2}', b'{"k":3}', b'{"k":1}']


def test_the_broker_is_killed_in_a_transaction(broker, out):
    """It comes back with half a transaction; readers of committed records never see one."""
    with Database.in_memory(Options(subscription_ticks_max=2)) as db:
        db.execute(f"CREATE CONNECTION c TO KAFKA (BROKER '{broker.address}')")
        db.execute("CREATE TABLE t (k int, v text)")
        db.execute("CREATE MATERIALIZED VIEW m AS SELECT k, max(v) AS v FROM t GROUP BY k")
        db.execute(f"CREATE SINK s FROM m INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k) FORMAT JSON ENVELOPE UPSERT")
        written(db)
        db.execute("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 60000) AS g (i)")
        consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "watch"})
        deadline = time.monotonic() + SECONDS_MAX
        while consumer.get_watermark_offsets(TopicPartition(out, 0), 5)[1] < 1000:
            assert time.monotonic() < deadline
        consumer.close()
        broker.kill()
        db.execute("DELETE FROM t WHERE k % 2 = 0")
        for i in range(10):  # ticks go on, and merge
            db.execute(f"UPDATE t SET v = 'y{i}' WHERE k <= 3")
        until(db, "SELECT status FROM mz_internal.mz_sink_statuses", [("stalled",)])
        assert broker.address in db.execute("SELECT error FROM mz_internal.mz_sink_statuses").rows()[0][0]
        broker.start()
        written(db)
        messages = committed(broker, out)
        assert table_of(messages) == {(k,): {"k": k, "v": v} for k, v in db.execute("SELECT * FROM m").rows()}
        sizes = [len(group) for group in transactions(messages)]
        assert sizes[0] == 60_000  # all of it or nothing
        assert len(sizes) <= 11
