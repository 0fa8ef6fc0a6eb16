"""What readers of a sink's topic hold is the relation: envelopes and options, what stops a sink and what heals it."""

import json
import re
from collections import Counter

import httpx
import pytest
from confluent_kafka.admin import ConfigResource

from app.main import in_background
from engine.errors import (
    DependentObjects,
    InvalidParameter,
    SqlError,
    TypeMismatch,
    UndefinedColumn,
    WrongObjectType,
)
from tests.kafka.topics import avro, bag_of, committed, table_of, written
from tests.kafka.waiting import until
from tests.serving import SETTINGS


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


def topic_config(admin, topic: str) -> dict[str, str]:
    [config] = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in config.result(30).items()}


def replicas(admin, topic: str) -> list[int]:
    """Of each partition."""
    return [len(each.replicas) for each in admin.list_topics(topic).topics[topic].partitions.values()]


def there(admin, topic: str) -> bool:
    return topic in admin.list_topics().topics


OPTIONS = [
    *(("compression type", "compression", f"'{codec}'", None) for codec in ("none", "gzip", "snappy", "lz4", "zstd")),
    ("topic partition count", "partition_count", "-1", lambda admin, out: len(replicas(admin, out)) == 1),
    ("topic partition count", "partition_count", "3", lambda admin, out: len(replicas(admin, out)) == 3),
    ("topic replication factor", "replication_factor", "1", lambda admin, out: replicas(admin, out) == [1]),
    ("topic config", None, "MAP['segment.bytes' => '1048576']", lambda admin, out:
     topic_config(admin, out)["segment.bytes"] == "1048576"),
    (None, "retention_ms", "7200000", lambda admin, out: topic_config(admin, out)["retention.ms"] == "7200000"),
    (None, "retention_bytes", "-1", lambda admin, out: topic_config(admin, out)["retention.bytes"] == "-1"),
    ("progress topic", "progress_topic", "'{out}-p'", lambda admin, out: there(admin, f"{out}-p")),
    ("progress group id prefix", "progress_group_id_prefix", "'g'", None),
    ("transactional id prefix", "transactional_id_prefix", "'mine'", None),
    ("client id", "client_id", "'us'", None),
    ("consistency topic", "consistency_topic", "'{out}-c'", lambda admin, out: there(admin, f"{out}-c")),
    (None, "acks", "-1", None),
    (None, "reuse_topic", "true", None),
]  # fmt: skip
"""Each option as it is called in both syntaxes, a value, and what shows that it was meant."""


@pytest.mark.parametrize(("connected", "name", "value", "shown"), [
    (connected, name, value, shown) for *names, value, shown in OPTIONS
    for connected, name in zip((True, False), names, strict=True) if name is not None
])  # fmt: skip
def test_every_option(sink_db, broker, admin, out, connected, name, value, shown):
    value = value.format(out=out)
    if connected:
        into = f"KAFKA CONNECTION c (TOPIC '{out}', {name.upper()} {value}) KEY (k)"
    else:
        into = f"KAFKA BROKER '{broker.address}' TOPIC '{out}' KEY (k) WITH ({name} = {value})"
    sink_db.execute(f"CREATE SINK s FROM m INTO {into} FORMAT JSON ENVELOPE UPSERT")
    written(sink_db)
    assert table_of(committed(broker, out, len(replicas(admin, out)))).keys() == {(1,), (2,)}
    assert shown is None or shown(admin, out)


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
    settings = topic_config(admin, out)
    assert (settings["retention.ms"], settings["retention.bytes"]) == ("3600000", "1048576")


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
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't') KEY (k) CONSISTENCY (TOPIC 't' FORMAT JSON) FORMAT JSON",
     InvalidParameter, "topic of its own"),
    ("FROM m INTO KAFKA CONNECTION c (TOPIC 't') KEY (k) CONSISTENCY (TOPIC 'c' FORMAT TEXT) FORMAT JSON",
     InvalidParameter, "FORMAT JSON, or AVRO"),
    ("FROM c INTO KAFKA CONNECTION c (TOPIC 't') FORMAT JSON", WrongObjectType, "connection"),
    ("FROM m INTO FILE 'x' FORMAT JSON", SqlError, "FILE"),
])  # fmt: skip
def test_refused(sink_db, sql, error, match):
    with pytest.raises(error, match=match):
        sink_db.execute(f"CREATE SINK s {sql}")


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
