"""What readers of committed records see is the relation, at one tick after another: nothing missing, nothing twice."""

import asyncio
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import fastavro
import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Message as Received
from confluent_kafka.admin import ConfigResource

from app.main import in_background
from engine.catalog.connections import KafkaConnection, RegistryConnection
from engine.catalog.sinks import KafkaSink, OutputEnvelope
from engine.catalog.sources import JsonFormat
from engine.connectors.kafka.outgoing import Outgoing, absent
from engine.connectors.kafka.writer import KafkaWriter
from engine.connectors.records import Spans
from engine.connectors.registry import Registry as Schemas
from engine.coordinator.record import packed
from engine.database import Database, Options
from engine.errors import (
    DependentObjects,
    InvalidParameter,
    SourceError,
    SqlError,
    TypeMismatch,
    UndefinedColumn,
    WrongObjectType,
)
from tests.kafka.waiting import SECONDS_MAX, until
from tests.serving import SETTINGS


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


@pytest.fixture
def sink_db(db, broker) -> Database:
    db.execute(f"CREATE CONNECTION c TO KAFKA (BROKER '{broker.address}')")
    db.execute("CREATE TABLE t (k int, v text, n numeric(10,2))")
    db.execute("INSERT INTO t VALUES (1, 'a', 1.5), (2, NULL, NULL)")
    db.execute("CREATE MATERIALIZED VIEW m AS SELECT k, max(v) AS v, sum(n)::numeric(20,2) AS n FROM t GROUP BY k")
    return db


NUMBERS = iter(range(10**6))


@pytest.fixture
def out() -> str:
    return f"out-{next(NUMBERS)}"


def test_json_upsert(sink_db, broker, out):
    db = sink_db
    db.execute(f"CREATE SINK s FROM m INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k) FORMAT JSON ENVELOPE UPSERT")
    written(db)
    db.execute("INSERT INTO t VALUES (2, 'b', 7), (3, 'c', -0.25)")
    written(db)
    db.execute("DELETE FROM t WHERE k = 1")
    written(db)
    got = [(json.loads(m.key()), m.value() and json.loads(m.value())) for m in committed(broker, out)]
    assert sorted(got[:2], key=str) == [
        ({"k": 1}, {"k": 1, "v": "a", "n": 1.5}), ({"k": 2}, {"k": 2, "v": None, "n": None}),
    ]  # fmt: skip
    assert sorted(got[2:4], key=str) == [
        ({"k": 2}, {"k": 2, "v": "b", "n": 7}), ({"k": 3}, {"k": 3, "v": "c", "n": -0.25}),
    ]  # fmt: skip
    assert got[4:] == [({"k": 1}, None)]
    counts = db.execute("SELECT messages_committed, transactions_committed FROM mz_internal.mz_sink_statistics")
    assert counts.rows() == [(5, 3)]


@pytest.mark.parametrize("key", ["", "KEY (k)"])
def test_json_debezium(sink_db, broker, out, key):
    """With a key a row's old and new are one record; without, each goes and comes by itself. Duplicates count."""
    db = sink_db
    what = "m" if key else "t"
    db.execute(f"CREATE SINK s FROM {what} INTO KAFKA CONNECTION c (TOPIC '{out}') {key} FORMAT JSON ENVELOPE DEBEZIUM")
    written(db)
    db.execute("INSERT INTO t VALUES (2, 'b', 7), (2, 'b', 7), (3, 'c', 1)")
    written(db)
    db.execute("DELETE FROM t WHERE k <> 2")
    written(db)
    messages = committed(broker, out)
    if key:
        (update,) = [json.loads(m.value()) for m in messages if b'"b"' in m.value()]
        assert update == {"before": {"k": 2, "v": None, "n": None}, "after": {"k": 2, "v": "b", "n": 14}}
        assert json.loads(messages[-1].key())["k"] in (1, 3)
        assert bag_of(messages) == Counter({(2, "b", 14): 1})
    else:
        assert all(m.key() is None for m in messages)
        assert bag_of(messages) == Counter({(2, "b", 7): 2, (2, None, None): 1})


def avro(registry, data: bytes) -> tuple[str, dict]:
    magic, number = struct.unpack(">bI", data[:5])
    assert magic == 0
    schema = Schemas(RegistryConnection(registry.url), str).by_id(number).text
    parsed = fastavro.parse_schema(json.loads(schema))
    return schema, fastavro.schemaless_reader(io.BytesIO(data[5:]), parsed, None)


def test_avro(db, broker, registry, out):
    """Every type comes back as itself from another library, and through a source of our own."""
    db.execute(f"CREATE CONNECTION c TO KAFKA (BROKER '{broker.address}')")
    db.execute(f"CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL '{registry.url}')")
    db.execute("""CREATE MATERIALIZED VIEW m AS
        SELECT k, bo, sm, bi, re, dp, nu::numeric(20, 2) AS nu, te, bb, da, ti, ts, tz, js, uu, iv, li, ma, un
        FROM (VALUES
        (1, true, 2::smallint, -9223372036854775807::bigint, 1.5::real, 2.5::double precision, 12345.67::numeric(20, 2),
         'é', '\\x00ff'::bytea, '2024-02-29'::date, '12:34:56.789'::time, '2024-01-01 00:00:00.000001'::timestamp,
         '2024-01-01 00:00:00+00'::timestamptz, '{"a": [1]}'::jsonb, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid,
         interval '1 day', LIST[1, NULL, 3], '{a=>1}'::map[text=>int], 0.1::numeric),
        (2, NULL, NULL, NULL, NULL, NULL, -0.01, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
    ) AS v (k, bo, sm, bi, re, dp, nu, te, bb, da, ti, ts, tz, js, uu, iv, li, ma, un)""")
    db.execute(f"""CREATE SINK s FROM m INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k) NOT ENFORCED
        FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION r ENVELOPE UPSERT""")
    written(db)
    rows = {}
    for message in committed(broker, out):
        assert avro(registry, message.key())[1] == {"k": avro(registry, message.value())[1]["k"]}
        rows[avro(registry, message.value())[1]["k"]] = avro(registry, message.value())[1]
    assert rows[1] == {
        "k": 1, "bo": True, "sm": 2, "bi": -9223372036854775807, "re": 1.5, "dp": 2.5, "nu": Decimal("12345.67"),
        "te": "é", "bb": b"\x00\xff", "da": date(2024, 2, 29), "ti": (datetime(1970, 1, 1, 12, 34, 56, 789000)).time(),
        "ts": datetime(2024, 1, 1, 0, 0, 0, 1), "tz": datetime.fromisoformat("2024-01-01T00:00:00+00:00"),
        "js": '{"a":[1]}', "uu": rows[1]["uu"], "iv": "1 day", "li": [1, None, 3], "ma": {"a": 1}, "un": "0.1",
    }  # fmt: skip
    assert str(rows[1]["uu"]) == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    assert rows[2] == dict.fromkeys(rows[1]) | {"k": 2, "nu": Decimal("-0.01")}
    db.execute(f"""CREATE SOURCE back FROM KAFKA CONNECTION c (TOPIC '{out}')
        FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION r ENVELOPE UPSERT""")
    same = "k, bo, sm, bi, re, dp, nu, te, bb, da, ti, ts, js, uu, li, ma"
    until(db, f"SELECT {same} FROM back ORDER BY k", db.execute(f"SELECT {same} FROM m ORDER BY k").rows())


def test_avro_debezium(sink_db, broker, registry, out):
    """Our own source reads it back as the same relation."""
    db = sink_db
    db.execute(f"CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL '{registry.url}')")
    db.execute(f"""CREATE SINK s FROM m INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k)
        KEY FORMAT TEXT VALUE FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION r""")
    db.execute(f"""CREATE SOURCE back FROM KAFKA CONNECTION c (TOPIC '{out}')
        FORMAT AVRO USING SCHEMA '{json.dumps(ENVELOPE)}' WITH (confluent_wire_format = true) ENVELOPE DEBEZIUM""")
    for sql in ("SELECT 1", "INSERT INTO t VALUES (2, 'b', 7), (3, 'c', 1)", "DELETE FROM t WHERE k = 1"):
        db.execute(sql)
        until(db, "SELECT * FROM back", db.execute("SELECT * FROM m").rows())
    assert sorted({m.key() for m in committed(broker, out)}) == [b"1", b"2", b"3"]


def test_what_avro_says_of_its_fields(tmp_path, broker, registry, out):
    """Docs, names, defaults and levels are the registry's as written, the key's apart from the value's; a sink whose
    relation was renamed has them after a restart too."""
    with Database.open(tmp_path) as db:
        db.execute(f"CREATE CONNECTION c TO KAFKA (BROKER '{broker.address}')")
        db.execute(f"CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL '{registry.url}')")
        db.execute("CREATE TABLE t (k int NOT NULL, v text)")
        db.execute(f"""CREATE SINK s FROM t INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k) NOT ENFORCED
            FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION r (AVRO KEY FULLNAME 'shop.Key',
            AVRO VALUE FULLNAME = 'shop.Row', NULL DEFAULTS = false, DOC ON TYPE t = 'a row',
            KEY DOC ON TYPE t 'its key', DOC ON COLUMN t.k = 'which', VALUE DOC ON COLUMN public.t."v" = 'what',
            KEY COMPATIBILITY LEVEL 'NONE', VALUE COMPATIBILITY LEVEL = 'full_transitive') ENVELOPE UPSERT""")
        db.execute("INSERT INTO t VALUES (1, 'a')")
        written(db)
        db.execute("ALTER TABLE t RENAME TO u")
        db.execute(f"""CREATE SINK d FROM u INTO KAFKA CONNECTION c (TOPIC 'd-{out}') FORMAT AVRO USING CONFLUENT
            SCHEMA REGISTRY CONNECTION r (NULL DEFAULTS, DOC ON TYPE u = 'a row') ENVELOPE DEBEZIUM""")
        written(db)
    with Database.open(tmp_path) as db:
        db.execute("INSERT INTO u VALUES (2, NULL)")
        written(db)
        assert "DOC ON COLUMN materialize.public.u.k = 'which'" in db.execute("SHOW CREATE SINK s").rows()[0][1]
    messages = committed(broker, out)
    keys, values = [avro(registry, m.key()) for m in messages], [avro(registry, m.value()) for m in messages]
    assert [value for _, value in values] == [{"k": 1, "v": "a"}, {"k": 2, "v": None}]
    assert [json.loads(schema) for schema, _ in keys] == 2 * [{
        "type": "record", "name": "shop.Key", "doc": "its key",
        "fields": [{"name": "k", "type": "int", "doc": "which"}],
    }]  # fmt: skip
    assert [json.loads(schema) for schema, _ in values] == 2 * [{
        "type": "record", "name": "shop.Row", "doc": "a row", "fields": [
            {"name": "k", "type": "int", "doc": "which"}, {"name": "v", "type": ["null", "string"], "doc": "what"}],
    }]  # fmt: skip
    row = {"type": "record", "name": "row", "doc": "a row", "fields": [
        {"name": "k", "type": "int"}, {"name": "v", "type": ["null", "string"], "default": None}]}  # fmt: skip
    assert json.loads(avro(registry, committed(broker, f"d-{out}")[0].value())[0])["fields"] == [
        {"name": "before", "type": ["null", row], "default": None},
        {"name": "after", "type": ["null", "row"], "default": None},
    ]
    for part, level in (("key", "NONE"), ("value", "FULL_TRANSITIVE")):
        with urllib.request.urlopen(f"{registry.url}/config/{out}-{part}") as reply:
            assert json.load(reply)["compatibilityLevel"] == level


@pytest.mark.parametrize(("key", "format", "match"), [
    ("KEY (k)", "AVRO {r} (COLOUR 'red')", "colour"),
    ("KEY (k)", "AVRO {r} WITH (ssl_ca_location = '/ca')", "a connection has options of its own"),
    ("KEY (k)", "AVRO {r} (VALUE COMPATIBILITY LEVEL 'SOME')", 'level "SOME" is not known'),
    ("KEY (k)", "AVRO {r} (AVRO VALUE FULLNAME 'a', AVRO VALUE FULLNAME 'b')", "twice"),
    ("KEY (k)", "AVRO {r} (DOC ON TYPE m 'a', DOC ON TYPE public.m 'b')", "twice"),
    ("KEY (k)", "AVRO {r} (DOC ON TYPE t 'a')", "not what the sink is from"),
    ("KEY (k)", "AVRO {r} (DOC ON COLUMN k 'a')", "names its relation"),
    ("KEY (k)", "AVRO {r} (DOC ON COLUMN m.x 'a')", '"x" of relation "m" does not exist'),
    ("KEY (k)", "AVRO {r} (KEY DOC ON COLUMN m.v 'a')", "not in the key"),
    ("KEY (k)", "AVRO {r} (DOC ON TYPE = 'a')", "syntax error"),
    ("KEY (k)", "AVRO {r} (doc = (1, 2))", 'Avro option "doc"'),
    ("", "AVRO {r} (KEY COMPATIBILITY LEVEL 'NONE')", "needs KEY"),
    ("KEY (k) KEY FORMAT TEXT VALUE", "AVRO {r} (KEY DOC ON TYPE m 'a')", "format of the value"),
])  # fmt: skip
def test_options_of_avro_refused(sink_db, key, format, match):
    sink_db.execute("CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL 'http://127.0.0.1:1')")
    format = format.format(r="USING CONFLUENT SCHEMA REGISTRY CONNECTION r")
    with pytest.raises(SqlError, match=match):
        sink_db.execute(f"CREATE SINK s FROM m INTO KAFKA CONNECTION c (TOPIC 't') {key} FORMAT {format}")


ROW = {"type": "record", "name": "row", "fields": [
    {"name": "k", "type": ["null", "int"]}, {"name": "v", "type": ["null", "string"]},
    {"name": "n", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}]},
]}  # fmt: skip
ENVELOPE = {"type": "record", "name": "envelope", "fields": [
    {"name": "before", "type": ["null", ROW]}, {"name": "after", "type": ["null", "row"]},
]}  # fmt: skip


def test_headers_partitions_and_topics(sink_db, broker, admin, out):
    db = sink_db
    db.execute("CREATE VIEW h AS SELECT k, coalesce(v, '') AS v, ('{v=>' || v || '}')::map[text=>text] AS h FROM m")
    db.execute(f"""CREATE SINK s FROM h INTO KAFKA CONNECTION c (TOPIC '{out}', PARTITION BY = k + 1,
        TOPIC PARTITION COUNT 4, TOPIC REPLICATION FACTOR 1, TOPIC CONFIG MAP['cleanup.policy' => 'compact'],
        COMPRESSION TYPE 'zstd', PROGRESS TOPIC '{out}-notes') KEY (k) NOT ENFORCED HEADERS h
        KEY FORMAT TEXT VALUE FORMAT JSON ENVELOPE UPSERT""")
    written(db)
    messages = committed(broker, out, 4)
    assert {(m.key(), m.partition()) for m in messages} == {(b"1", 2), (b"2", 3)}
    assert {(m.value(), str(m.headers())) for m in messages} == {
        (b'{"k":1,"v":"a"}', "[('v', b'a')]"), (b'{"k":2,"v":""}', "None"),
    }  # fmt: skip
    (note,) = committed(broker, f"{out}-notes")
    assert json.loads(note.value())["transaction"] == 1
    assert note.timestamp()[1] == messages[0].timestamp()[1] == json.loads(note.value())["timestamp"]
    shown = db.execute("SHOW CREATE SINK s").rows()[0][1]
    assert db.execute("SHOW SINKS").rows() == [("s", "kafka")]
    with pytest.raises(DependentObjects):
        db.execute("DROP MATERIALIZED VIEW m")
    db.execute("ALTER MATERIALIZED VIEW m RENAME TO m2")
    db.execute("ALTER VIEW h RENAME TO h2")
    renamed = db.execute("SHOW CREATE SINK s").rows()[0][1]
    assert renamed == shown.replace("public.h ", "public.h2 ")
    db.execute("DROP SINK s")
    assert db.execute("SELECT * FROM mz_internal.mz_sink_statuses").rows() == []
    db.execute("DROP MATERIALIZED VIEW m2 CASCADE")


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


@pytest.mark.parametrize("without", ["WITH (SNAPSHOT = false)", "WITHOUT SNAPSHOT"])
def test_without_snapshot(sink_db, broker, admin, out, without):
    """In the syntax without a connection, with the options of a topic that is not there yet."""
    db = sink_db
    db.execute(f"""CREATE SINK s FROM m INTO KAFKA BROKER '{broker.address}' TOPIC '{out}' KEY (k)
        WITH (partition_count = 1, replication_factor = 1, retention_ms = 3600000, retention_bytes = 1048576,
              acks = 'all', reuse_topic = true, client_id = 'us') FORMAT JSON ENVELOPE UPSERT {without}""")
    written(db)
    db.execute("INSERT INTO t VALUES (3, 'c', 1)")
    db.execute("DELETE FROM t WHERE k = 1")
    written(db)
    assert [(m.key(), m.value() is None) for m in committed(broker, out)] == [(b'{"k":3}', False), (b'{"k":1}', True)]
    [config] = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, out)]).values()
    settings = config.result(30)
    assert (settings["retention.ms"].value, settings["retention.bytes"].value) == ("3600000", "1048576")


def test_a_key_with_two_rows_stops_the_sink_until_it_has_one(sink_db, broker, out):
    db = sink_db
    with pytest.raises(InvalidParameter, match="does not show it"):
        db.execute(f"CREATE SINK s FROM t INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k) FORMAT JSON ENVELOPE UPSERT")
    db.execute(f"""CREATE SINK s FROM t INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k) NOT ENFORCED
        FORMAT JSON ENVELOPE UPSERT""")
    written(db)
    db.execute("INSERT INTO t VALUES (1, 'again', 1)")  # alone in its tick: only who knows the keys can tell
    status = "SELECT status, error FROM mz_internal.mz_sink_statuses"
    until(db, status, [("stalled", "key (k) = (1) has 2 rows")])
    db.execute("INSERT INTO t VALUES (5, 'e', 1)")
    db.execute("DELETE FROM t WHERE v = 'a'")
    written(db)
    assert table_of(committed(broker, out)) == {
        (1,): {"k": 1, "v": "again", "n": 1}, (2,): {"k": 2, "v": None, "n": None}, (5,): {"k": 5, "v": "e", "n": 1},
    }  # fmt: skip


def test_an_error_of_the_view_stops_the_sink_until_it_heals(sink_db, broker, out):
    db = sink_db
    db.execute("CREATE MATERIALIZED VIEW d AS SELECT k, 10 / k AS q FROM m")
    db.execute(
        f"CREATE SINK s FROM d INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k) NOT ENFORCED FORMAT JSON ENVELOPE UPSERT"
    )
    written(db)
    db.execute("INSERT INTO t VALUES (0, 'zero', 1)")
    status = "SELECT status, error FROM mz_internal.mz_sink_statuses"
    until(db, status, [("stalled", "division by zero")])
    db.execute("INSERT INTO t VALUES (5, 'five', 1)")
    db.execute("DELETE FROM t WHERE k < 2")
    written(db)
    assert table_of(committed(broker, out)) == {(2,): {"k": 2, "q": 5}, (5,): {"k": 5, "q": 2}}


def test_what_has_no_form_waits(sink_db, broker, registry, out):
    """A value that Avro cannot say: nothing of its tick is written until it is gone."""
    db = sink_db
    db.execute(f"CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL '{registry.url}')")
    db.execute(f"""CREATE SINK s FROM m INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k)
        FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION r ENVELOPE UPSERT""")
    written(db)
    db.execute("INSERT INTO t VALUES (7, 'x', 'NaN')")
    until(db, "SELECT status, error FROM mz_internal.mz_sink_statuses",
          [("stalled", "numeric NaN has no form in Avro")])  # fmt: skip
    db.execute("INSERT INTO t VALUES (8, 'y', 1)")
    db.execute("DELETE FROM t WHERE k = 7")
    written(db)
    assert sorted(avro(registry, m.key())[1]["k"] for m in committed(broker, out)) == [1, 2, 8]


@pytest.mark.parametrize(("sql", "error", "match"), [
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't') FORMAT JSON ENVELOPE UPSERT", InvalidParameter, "needs KEY"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't') KEY (x) FORMAT JSON", UndefinedColumn, '"x"'),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't') KEY (k) HEADERS v FORMAT JSON ENVELOPE UPSERT", TypeMismatch, "map"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't', PARTITION BY = n) KEY (k) FORMAT JSON", TypeMismatch, "integer"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't', PARTITION BY = length(v)) KEY (k) FORMAT JSON", InvalidParameter,
     "not in the key"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't', COLOUR 'red') FORMAT JSON", InvalidParameter, "colour"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't') FORMAT TEXT", InvalidParameter, "one column"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't', COMPRESSION TYPE 'x') FORMAT JSON", InvalidParameter, "not known"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't') WITH (acks = 1) FORMAT JSON", SqlError, "acks other than all"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't') WITH (reuse_topic = false) FORMAT JSON", SqlError, "reuse_topic"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't') KEY (k) CONSISTENCY (TOPIC 'c' FORMAT JSON) FORMAT JSON", SqlError,
     "CONSISTENCY"),
    ("FROM c INTO KAFKA CONNECTION c (TOPIC 't') FORMAT JSON", WrongObjectType, "connection"),
    ("FROM m INTO FILE 'x' FORMAT JSON", SqlError, "FILE"),
])  # fmt: skip
def test_refused(sink_db, sql, error, match):
    with pytest.raises(error, match=match):
        sink_db.execute(f"CREATE SINK s {sql}")


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
                return writer, await writer.open(bool(numbers))
            except SourceError:  # a topic that was made just now has no leader for a moment
                await writer.close()
                assert time.monotonic() < deadline

    async def take_over() -> None:
        other, number = await opened()
        numbers.append(number)
        await other.write(number + 1, 3, [one(b"k", b"other")])
        await other.close()

    async def write() -> None:
        zombie, number = await opened()
        numbers.append(number)
        await zombie.write(1, 1, [one(b"k", b"first")])

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
                await zombie.write(2, 2, halves())
        finally:
            await zombie.close()

    asyncio.run(write())
    assert numbers == [0, 1]
    assert [m.value() for m in committed(broker, out)] == [b"first", b"other"]
    assert b"half" in [m.value() for m in committed(broker, out, 1, "read_uncommitted")]
    notes = [json.loads(m.value())["transaction"] for m in committed(broker, f"{out}-progress")]
    assert notes == [1, 2]


def test_a_sink_made_over_http(broker, admin, out):
    """The same sink as a resource: what it writes, what it says of itself, its metrics, its end."""
    with in_background(SETTINGS) as server, httpx.Client(base_url=f"http://{server.http}", timeout=30) as http:
        server.database.execute("CREATE TABLE rt (k int PRIMARY KEY, v text, h map[text=>text])")
        server.database.execute("INSERT INTO rt VALUES (1, 'a', '{x=>y}'), (2, 'b', NULL)")
        at = {"type": "kafka", "brokers": [broker.address]}
        assert http.post("/api/connections", json={"name": "rc", "connection": at}).status_code == 201
        connector = {"type": "kafka", "connection": "rc", "topic": out, "partitions": 2, "replication": 1,
                     "compression": "gzip", "partition_by": "k"}  # fmt: skip
        body = {"name": "rs", "from": "rt", "connector": connector, "key": ["k"], "headers": "h", "envelope": "upsert",
                "format": {"type": "json"}}  # fmt: skip
        made = http.post("/api/sinks", json=body)
        assert made.status_code == 201, made.text
        written(server.database)
        server.database.execute("DELETE FROM rt WHERE k = 1")
        written(server.database)
        messages = committed(broker, out, 2)
        assert table_of(messages) == {(2,): {"k": 2, "v": "b"}}
        assert [(m.partition(), m.headers()) for m in messages if m.value() and m.key() == b'{"k":1}'] == [
            (1, [("x", b"y")])
        ]
        sink = http.get("/api/sinks/rs").json()
        assert (sink["status"], sink["error"]) == ("running", None)
        assert (sink["statistics"]["transactions"], sink["statistics"]["records"]) == (2, 3)
        metrics = http.get("/metrics").text
        [sent] = re.findall(r"^mz_kafka_messages_sent_total\{.*rs.*\} (.*)$", metrics, re.MULTILINE)
        [queued] = re.findall(r"^mz_kafka_sink_rows_queued\{.*rs.*\} (.*)$", metrics, re.MULTILINE)
        assert (float(sent), float(queued)) == (3, 0)
        assert http.delete("/api/sinks/rs").status_code == 204
        assert http.get("/api/sinks/rs").status_code == 404


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
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(delay)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
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
        assert db._coordinator.log.told(item.id) == 2
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
