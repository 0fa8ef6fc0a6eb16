"""UPSERT and DEBEZIUM: what a topic's records come to is the last word on each key, whatever blocks they come in."""

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from app.main import in_background
from engine.connectors.kafka import reader
from engine.database import Database
from engine.errors import SqlError
from tests.connectors.test_cdc import SCHEMA, message, statement, update
from tests.kafka.test_formats import avro, register
from tests.kafka.waiting import caught_up, until
from tests.serving import SETTINGS


def test_upsert_by_text_keys(db, topic, broker):
    events = topic()
    db.execute(f"""CREATE SOURCE u (n bigint) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        KEY FORMAT TEXT VALUE FORMAT JSON INCLUDE KEY AS k, OFFSET AS o ENVELOPE UPSERT""")
    db.execute("CREATE MATERIALIZED VIEW total AS SELECT count(*) AS c, sum(n) AS s FROM u")
    events.send(b'{"n": 1}', b'{"n": 2}', b'{"n": 3}', None, keys=[b"a", b"b", b"a", b"none"])
    until(db, "SELECT * FROM u", [("a", 3, 2), ("b", 2, 1)])
    until(db, "SELECT * FROM total", [(2, Decimal(5))])
    events.send(None, b'{"n": 7}', b"{", b'{"n": 8}', keys=[b"a", b"b", b"c", None])
    until(db, "SELECT * FROM u", [("b", 7, 5)])
    until(db, 'SELECT "offset", key, data FROM u_errors', [(6, b"c", b"{"), (7, None, b'{"n": 8}')])
    events.send(b'{"n": 9}', keys=[b"c"])
    until(db, "SELECT * FROM u", [("b", 7, 5), ("c", 9, 8)])
    until(db, 'SELECT "offset", reason FROM u_errors', [(7, "the record has no key")])  # the value of c is mended
    events.send(b"[", b"{", None, keys=[b"b", b"b", b"c"])
    until(db, "SELECT * FROM u", [])
    until(db, 'SELECT "offset", data FROM u_errors', [(7, b'{"n": 8}'), (10, b"{")])
    until(db, "SELECT * FROM total", [(0, None)])


def test_upsert_with_inline_errors(db, topic, broker):
    events = topic()
    db.execute(f"""CREATE SOURCE u (n bigint) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        KEY FORMAT TEXT VALUE FORMAT JSON ENVELOPE UPSERT (VALUE DECODING ERRORS = (INLINE AS wrong))""")
    events.send(b'{"n": 1}', b"{", keys=[b"a", b"b"])
    until(db, "SELECT key0, n, (wrong).code FROM u", [("a", 1, None), ("b", None, "22P02")])
    events.send(b"{", b'{"n": 2}', keys=[b"a", b"b"])
    until(db, "SELECT key0, n, (wrong).code FROM u", [("a", None, "22P02"), ("b", 2, None)])


def test_keys_in_json(db, topic, broker):
    """A key is any value of JSON, whatever its column is called; two ways to write it are one key."""
    events = topic()
    at = f"FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}' FORMAT JSON"
    db.execute(f"CREATE SOURCE u (n bigint) {at} ENVELOPE UPSERT")
    db.execute(f"CREATE SOURCE w {at} INCLUDE KEY AS k ENVELOPE UPSERT")
    db.execute(f"CREATE SOURCE added (n bigint) {at} INCLUDE KEY AS k")
    db.execute(f"CREATE SOURCE keyed (n bigint) {at} INCLUDE KEY")
    db.execute(f"CREATE SOURCE d (n bigint) {at} ENVELOPE DEBEZIUM UPSERT")
    values = [b'{"n": %d, "after": {"n": %d}}' % (n, n) for n in range(5)]
    events.send(*values, None, keys=[b'{"id": 1}', b'{"id": 2}', b"7", b'{"id":1}', b'"a"', b'"a"'])
    until(db, "SELECT key0::text, n FROM u", [("7", 2), ('{"id":1}', 3), ('{"id":2}', 1)])
    until(db, "SELECT k::text, data->>'n' FROM w", [("7", "2"), ('{"id":1}', "3"), ('{"id":2}', "1")])
    until(db, "SELECT n FROM d", [(1,), (2,), (3,)])
    for name, key in (("added", "k"), ("keyed", "key")):
        until(db, f"SELECT {key}::text, n FROM {name} WHERE n <> 1 AND n <> 3",
              [('"a"', 4), ("7", 2), ('{"id":1}', 0)])  # fmt: skip
    events.send(b'{"n": 6}', keys=[b"{"])
    until(db, "SELECT data FROM u_errors WHERE reason LIKE 'key: malformed JSON%'", [(b'{"n": 6}',)])


KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "int"}, {"name": "part", "type": "string"}]}
VALUE = {"type": "record", "name": "Value", "fields": [{"name": "id", "type": "int"}, {"name": "v", "type": "double"}]}


def test_upsert_by_avro_keys(db, topic, broker, registry):
    """A key's column that the value has too is there once; CREATE CONNECTION says where both registries are."""
    events = topic()
    key, value = (register(registry, f"{events.name}-{part}", json.dumps(schema))
                  for part, schema in (("key", KEY), ("value", VALUE)))  # fmt: skip
    db.execute(f"CREATE CONNECTION k TO KAFKA (BROKER '{broker.address}')")
    db.execute(f"CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL '{registry.url}')")
    db.execute("VALIDATE CONNECTION k")
    db.execute("VALIDATE CONNECTION r")
    db.execute(f"""CREATE SOURCE u FROM KAFKA CONNECTION k (TOPIC '{events.name}')
        FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION r ENVELOPE UPSERT""")
    keys = [avro(KEY, {"id": i, "part": p}, key) for i, p in ((1, "a"), (1, "b"), (2, "a"))]
    values = [avro(VALUE, {"id": i, "v": i / 2}, value) for i in (1, 1, 2)]
    events.send(*values, None, values[2], keys=[*keys, keys[0], keys[1]])
    until(db, "SELECT id, part, v FROM u", [(1, "b", 1.0), (2, "a", 1.0)])
    until(db, "SELECT * FROM u_errors", [])


def change(op: str, before: dict | None, after: dict | None, lsn: int | None = None) -> bytes:
    return json.dumps({"op": op, "before": before, "after": after, "source": {"lsn": lsn}}).encode()


def test_debezium_in_json(db, topic, broker):
    events = topic()
    db.execute(f"""CREATE SOURCE d (id int, v text) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        FORMAT JSON ENVELOPE DEBEZIUM""")
    one, two, three = {"id": 1, "v": "a"}, {"id": 1, "v": "b"}, {"id": 2, "v": "é"}
    changes = [change("r", None, one), change("u", one, two, 10), change("c", None, three, 11)]
    events.send(*changes)
    until(db, "SELECT * FROM d", [(1, "b"), (2, "é")])
    db.execute(f"""CREATE SOURCE every (id int, v text) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        WITH (deduplication = 'none') FORMAT JSON ENVELOPE DEBEZIUM""")
    events.send(*changes[1:], None, change("d", three, None, 12))  # Debezium has begun again where it had been
    until(db, "SELECT * FROM d", [(1, "b")])
    caught_up(db, "every", 7)
    with pytest.raises(SqlError, match="retracted"):  # the update was applied twice
        db.execute("SELECT * FROM every")
    wrapped = json.dumps({"schema": {}, "payload": json.loads(change("c", None, {"id": 3, "v": None}, 13))}).encode()
    events.send(wrapped, change("u", None, one, 14), b"{", change("c", None, {"id": "x"}, 15))
    until(db, "SELECT * FROM d", [(1, "b"), (3, None)])
    until(db, 'SELECT "offset" FROM d_errors ORDER BY 1', [(8,), (9,), (10,)])


ROW = {"type": "record", "name": "Row", "fields": [
    {"name": "id", "type": "int"}, {"name": "v", "type": ["null", "string"]},
    {"name": "tags", "type": {"type": "array", "items": "int"}}]}  # fmt: skip
ENVELOPE = {"type": "record", "name": "Envelope", "fields": [
    {"name": "before", "type": ["null", ROW]}, {"name": "after", "type": ["null", "Row"]},
    {"name": "source", "type": {"type": "record", "name": "Source", "fields": [
        {"name": "file", "type": "string"}, {"name": "pos", "type": "long"}, {"name": "row", "type": "int"},
        {"name": "snapshot", "type": ["null", "string"]}]}},
    {"name": "op", "type": "string"}, {"name": "ts_ms", "type": ["null", "long"]}]}  # fmt: skip


def test_debezium_in_avro(db, topic, broker, registry):
    events = topic()
    id = register(registry, f"{events.name}-value", json.dumps(ENVELOPE))

    def told(op: str, before: dict | None, after: dict | None, pos: int) -> bytes:
        source = {"file": "bin.000007", "pos": pos, "row": 0, "snapshot": None}
        value = {"before": before, "after": after, "source": source, "op": op, "ts_ms": 1}
        return avro(ENVELOPE, value, id)

    one, two = {"id": 1, "v": "a", "tags": [1, 2]}, {"id": 1, "v": None, "tags": []}
    db.execute(f"""CREATE SOURCE d FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '{registry.url}' ENVELOPE DEBEZIUM""")
    events.send(told("c", None, one, 1), told("u", one, two, 2))
    until(db, "SELECT * FROM d", [(1, None, [])])
    events.send(told("c", None, one, 1), told("u", one, two, 2), told("d", two, None, 3), told("c", None, one, 4))
    until(db, "SELECT * FROM d", [(1, "a", [1, 2])])
    until(db, "SELECT * FROM d_errors", [])


def test_a_value_that_does_not_convert_is_no_change(db, topic, broker):
    """Of either side: it is one of the errors, and no other value is taken for it."""
    row = {"type": "record", "name": "Row", "fields": [
        {"name": "id", "type": "int"}, {"name": "u", "type": {"type": "string", "logicalType": "uuid"}}]}  # fmt: skip
    schema = {"type": "record", "name": "Envelope", "fields": [
        {"name": "before", "type": ["null", row]}, {"name": "after", "type": ["null", "Row"]},
        {"name": "op", "type": "string"}]}  # fmt: skip
    events = topic()
    db.execute(f"""CREATE SOURCE d FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}' FORMAT AVRO
        USING SCHEMA '{json.dumps(schema)}' WITH (confluent_wire_format = false) ENVELOPE DEBEZIUM""")
    uid = "12345678-1234-5678-1234-567812345678"
    plain = json.loads(json.dumps(schema).replace(', "logicalType": "uuid"', ""))
    for before, after in ((None, uid), (None, "no uuid"), ("no uuid", None)):
        value = {side: None if each is None else {"id": 1, "u": each} for side, each in
                 (("before", before), ("after", after))}  # fmt: skip
        events.send(avro(plain, value | {"op": "c" if after else "d"}))
    until(db, "SELECT id, u::text FROM d", [(1, uid)])
    until(db, 'SELECT "offset", reason LIKE \'%"u"%\' FROM d_errors', [(1, True), (2, True)])


def test_everything_seen_is_remembered(topic, broker, tmp_path):
    """Changes that come out of order are taken, each once, also in another process; by places alone they are lost."""
    events = topic()
    one, two, three = ({"id": i, "v": "a"} for i in (1, 2, 3))
    snapshot, first, late, last = (change("r", None, one), change("c", None, two, 10), change("c", None, three, 9),
                                   change("d", two, None, 12))  # fmt: skip
    with Database.open(tmp_path) as db:
        ranged = "deduplication_start = '2020-01-01', deduplication_end = '2100-01-01 00:00:00.5'"
        for name, options in (("whole", "'full'"), ("places", "'ordered'"), ("ranged", f"'full_in_range', {ranged}")):
            db.execute(f"""CREATE SOURCE {name} (id int, v text) FROM KAFKA BROKER '{broker.address}'
                TOPIC '{events.name}' WITH (deduplication = {options}) FORMAT JSON ENVELOPE DEBEZIUM""")
        events.send(snapshot, first, keys=[b"1", b"2"])
        for name in ("whole", "places", "ranged"):
            until(db, f"SELECT id FROM {name}", [(1,), (2,)])
        until(db, "SELECT count(DISTINCT change) FROM whole_seen", [(2,)])
    with Database.open(tmp_path) as db:
        events.send(snapshot, first, late, late, last, first, keys=[b"1", b"2", b"3", b"3", b"2", b"2"])
        for name, ids in (("whole", [(1,), (3,)]), ("ranged", [(1,), (3,)])):
            until(db, f"SELECT id FROM {name}", ids)
        caught_up(db, "places", 8)
        until(db, "SELECT id FROM places", [(1,), (1,)])  # a snapshot has no place; the late one is lost
        until(db, "SELECT count(*) FROM ranged_seen", [(4,)])


def test_a_range_ends(db, topic, broker):
    """What was remembered goes with the first record behind the range."""
    events = topic()
    db.execute(f"""CREATE SOURCE d (id int, v text) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        WITH (deduplication = 'full_in_range', deduplication_start = '2010-01-01', deduplication_end = '2011-01-01',
              deduplication_pad_start = '2009-12-31') FORMAT JSON ENVELOPE DEBEZIUM""")
    moments = [datetime(2010, month, 1, tzinfo=UTC) for month in (1, 2, 2)] + [datetime(2012, 1, 1, tzinfo=UTC)] * 2
    for i, (place, moment) in enumerate(zip((10, 9, 9, 12, 11), moments, strict=True)):
        value = change("c", None, {"id": 0 if place == 9 else i, "v": None}, place)
        events.producer.produce(events.name, value, partition=0, timestamp=int(moment.timestamp() * 1000))
    events.producer.flush(30)
    until(db, "SELECT id FROM d", [(0,), (0,), (3,)])
    until(db, "SELECT count(*) FROM d_seen", [(0,)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("deduplication = 'some'", "is not known"),
        ("deduplication = 'full_in_range'", "needs DEDUPLICATION START"),
        ("deduplication_start = '2020-01-01'", "is of deduplication 'full_in_range'"),
        ("deduplication = 'full_in_range', deduplication_start = 'x', deduplication_end = '2020-01-01'", "time of UTC"),
        ("deduplication = 'full_in_range', deduplication_start = '2021-01-01', deduplication_end = '2020-01-01'",
         "is before its END"),
    ],
)  # fmt: skip
def test_refused_of_deduplication(db, options, said):
    with pytest.raises(SqlError, match=said):
        db.execute(f"""CREATE SOURCE s (n int) FROM KAFKA BROKER '127.0.0.1:1' TOPIC 't' WITH ({options})
            FORMAT JSON ENVELOPE DEBEZIUM""")


@pytest.mark.parametrize(
    ("formats", "name", "columns"),
    [
        ("KEY FORMAT TEXT VALUE FORMAT JSON", "key0", ["key0", "id", "v"]),
        ("FORMAT JSON", "key0::text", ["key0", "id", "v"]),
        ("KEY FORMAT BYTES VALUE FORMAT JSON INCLUDE KEY AS k", "convert_from(k, 'utf8')", ["id", "v", "k"]),
    ],
)
def test_debezium_upsert(topic, broker, tmp_path, formats, name, columns):
    """By the key alone: a topic that was compacted has no record of what a row was before. Another process goes on."""
    events = topic()
    one, two = {"id": 1, "v": "a"}, {"id": 2, "v": "b"}
    with Database.open(tmp_path) as db:
        db.execute(f"""CREATE SOURCE d (id int, v text) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
            {formats} ENVELOPE DEBEZIUM UPSERT""")
        assert [column[0] for column in db.execute("SHOW COLUMNS FROM d").rows()] == columns
        events.send(change("u", one, one | {"v": "z"}), change("c", None, two), keys=[b"1", b"2"])
        until(db, f"SELECT {name}, id, v FROM d", [("1", 1, "z"), ("2", 2, "b")])
    with Database.open(tmp_path) as db:
        events.send(change("d", two, None), None, change("c", None, two), None, keys=[b"2", b"2", b"3", b"1"])
        until(db, f"SELECT {name}, id, v FROM d", [("3", 2, "b")])


def test_blocks_do_not_matter(db, topic, broker, monkeypatch):
    """Many small answers come to what one large one does."""
    monkeypatch.setattr(reader, "WAIT_MS", 50)
    events = topic(3)
    model: dict[str, int] = {}
    for i in range(600):
        key, gone = f"k{i * 7919 % 41}", i % 11 == 3
        events.producer.produce(events.name, None if gone else b'{"n": %d}' % i, key.encode(), i * 7919 % 41 % 3)
        model.pop(key, None)
        if not gone:
            model[key] = i
        if i % 20 == 0:
            events.producer.flush()
    events.producer.flush()
    for name, size in (("small", 600), ("large", 1 << 20)):
        db.execute(f"""CREATE SOURCE {name} (n bigint) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
            WITH (fetch_message_max_bytes = {size}) KEY FORMAT TEXT VALUE FORMAT JSON ENVELOPE UPSERT""")
        caught_up(db, name, 600)
        assert sorted(db.execute(f"SELECT * FROM {name}").rows()) == sorted(model.items())


def test_materialize_cdc(topic, broker, tmp_path):
    """Updates in any order and more than once, in three partitions; a restart while some wait for their time."""
    events = topic(3)
    of = [message([update(i, time, 1 if time < 8 else -1)]) for time in range(3, 9) for i in range(10 * (time % 5))]
    counts = {time: 10 * (time % 5) for time in range(3, 9) if time % 5}
    rest = message(statement(3, 9, counts))
    with Database.open(tmp_path) as db:
        avro = f"FORMAT AVRO USING SCHEMA '{json.dumps(SCHEMA)}' WITH (confluent_wire_format = false)"
        db.execute(f"""CREATE SOURCE m FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}' {avro}
            ENVELOPE MATERIALIZE""")
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(id)::bigint AS ids FROM m")
        for partition in range(3):
            events.send(*of[partition::3], b"poison", *of[:40], partition=partition)
        events.send(rest, partition=1)
        until(db, "SELECT partition, data, reason LIKE '%malformed%' FROM m_errors",
              [(partition, b"poison", True) for partition in range(3)])  # fmt: skip
        assert db.execute("SELECT * FROM m").rows() == []  # nobody said yet what there is before time 3
        [(behind, known)] = db.execute("""SELECT sum(offset_committed)::int, sum(offset_known)::int
            FROM mz_internal.mz_source_partitions""").rows()
        assert behind < known  # what waits is read again
    with Database.open(tmp_path) as db:
        assert db.execute("SELECT count(*) FROM m_errors").rows() == [(3,)]
        events.send(rest, message(statement(0, 3, {})), rest, *of[::-1], partition=2)
        sums = Counter(i for time in range(3, 8) for i in range(10 * (time % 5)))
        sums.subtract(i for i in range(10 * (8 % 5)))
        until(db, "SELECT * FROM v", [(sum(sums.values()), sum(i * n for i, n in sums.items()))])
        caught_up(db, "m", 3 * 41 + 1 + 3 + 2 * len(of))
        assert db.execute("SELECT id, count(*) FROM m GROUP BY id ORDER BY id").rows() == sorted(
            (i, n) for i, n in sums.items() if n
        )
        assert db.execute("SELECT count(*) FROM m_errors").rows() == [(3,)]  # though they were read again


def test_refused_of_envelopes(db, broker):
    """What would be wrong answers, or mean nothing."""
    at = f"FROM KAFKA BROKER '{broker.address}' TOPIC 't'"
    avro = f"FORMAT AVRO USING SCHEMA '{json.dumps(SCHEMA)}'"
    for sql, match in (
        (f"{at} FORMAT JSON ENVELOPE MATERIALIZE", "is for FORMAT AVRO"),
        (f"{at} {avro} INCLUDE OFFSET ENVELOPE MATERIALIZE", "no INCLUDE"),
        (f"{at} FORMAT JSON INCLUDE KEY, OFFSET ENVELOPE DEBEZIUM", "no INCLUDE but that of KEY"),
        (f"{at} KEY FORMAT TEXT VALUE {avro} ENVELOPE MATERIALIZE", "no KEY FORMAT"),
        (f"{at} WITH (start_offset = 1) {avro} ENVELOPE MATERIALIZE", "begins in the middle"),
        (f"{at} WITH (kafka_time_offset = -5) {avro} ENVELOPE DEBEZIUM", "begins in the middle"),
    ):
        with pytest.raises(SqlError, match=match):
            db.execute(f"CREATE SOURCE s {sql}")


def test_sources_made_over_http(topic, broker):
    """The column of values that do not decode, and Materialize's CDC, as resources."""
    keyed, told = topic(), topic()
    keyed.send(b'{"n": 1}', b"{", keys=[b"a", b"b"])
    told.send(message(statement(0, 2, {1: 1})), message([update(7, 1, 1)]))
    with in_background(SETTINGS) as server, httpx.Client(base_url=f"http://{server.http}", timeout=30) as http:
        at = {"type": "kafka", "brokers": [broker.address]}
        upsert = at | {"topic": keyed.name, "key_format": {"type": "text"}, "format": {"type": "json"},
                       "envelope": "upsert", "inline_errors": "wrong"}  # fmt: skip
        avro = {"type": "avro", "schema": json.dumps(SCHEMA), "framed": False}
        cdc = at | {"topic": told.name, "format": avro, "envelope": "materialize"}
        columns = [{"name": "n", "type": "bigint"}]
        for body in ({"name": "ru", "columns": columns, "connector": upsert}, {"name": "rm", "connector": cdc}):
            made = http.post("/api/sources", json=body)
            assert made.status_code == 201, made.text
        until(server.database, "SELECT key0, n, (wrong).code FROM ru", [("a", 1, None), ("b", None, "22P02")])
        until(server.database, "SELECT id FROM rm", [(7,)])
        rows = http.get("/api/views/ru/rows").json()["rows"]
        assert [(row[0], row[1], row[2] is None) for row in sorted(rows, key=str)] == [
            ("a", "1", True),
            ("b", None, False),
        ]
