"""What a sink writes in Avro other libraries read, and our own sources; the registry knows what it means."""

import json
import urllib.request
from datetime import date, datetime
from decimal import Decimal

import pytest

from engine.database import Database
from engine.errors import (
    SqlError,
)
from tests.kafka.topics import avro, committed, written
from tests.kafka.waiting import until


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
            AVRO VALUE FULLNAME = 'shop.Row', DOC ON TYPE t = 'a row',
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
