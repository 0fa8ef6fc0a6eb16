"""Every format of values, in ENVELOPE NONE: what decodes is a row, what does not is one of the errors."""

import io
import json
import struct
import urllib.request
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import fastavro
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from engine.connectors.protobuf import compiled
from engine.database import Database, Options
from engine.errors import ForbiddenFile, MalformedSource, MissingFile, SourceError
from tests.kafka.waiting import caught_up, until


def register(registry, subject: str, schema: str, kind: str = "AVRO") -> int:
    """The id of a schema."""
    body = json.dumps({"schema": schema, "schemaType": kind}).encode()
    request = urllib.request.Request(
        f"{registry.url}/subjects/{subject}/versions", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["id"]


def avro(schema: dict, value: object, id: int | None = None) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return (b"" if id is None else struct.pack(">bI", 0, id)) + out.getvalue()


def test_json_text_bytes_csv_regex(db, topic, broker):
    plain, doc = topic(), topic()
    plain.send(b"1,a", b'2,"b,c"', b"3", b"\xff,x", b"")
    doc.send(b'{"a": 1, "b": "x", "t": "2024-01-02 03:04:05"}', b'{\n"a": 2}', b"[1]", b"{", b"", b'{"a": "z"}', None)
    at = f"FROM KAFKA BROKER '{broker.address}' TOPIC"
    db.execute(f"CREATE SOURCE texts {at} '{plain.name}' FORMAT TEXT")
    db.execute(f"CREATE SOURCE raw {at} '{plain.name}' FORMAT BYTES")
    db.execute(f"CREATE SOURCE csv (n int, s text) {at} '{plain.name}' FORMAT CSV WITH 2 COLUMNS")
    db.execute(f"CREATE SOURCE matched {at} '{plain.name}' FORMAT REGEX '(?P<n>[0-9]+)(?:,(.*))?'")
    db.execute(f"CREATE SOURCE docs {at} '{doc.name}' FORMAT JSON")
    db.execute(f"CREATE SOURCE typed (a bigint, b text, t timestamp) {at} '{doc.name}' FORMAT JSON")
    until(db, "SELECT * FROM texts", [("1,a",), ('2,"b,c"',), ("3",), ("",)])
    until(db, 'SELECT "offset", data, reason FROM texts_errors', [(3, b"\xff,x", "invalid UTF-8")])
    until(db, "SELECT * FROM raw", [(b"1,a",), (b'2,"b,c"',), (b"3",), (b"\xff,x",), (b"",)])
    until(db, "SELECT * FROM csv", [(1, "a"), (2, "b,c")])
    until(db, "SELECT count(*) FROM csv_errors", [(3,)])
    until(db, "SELECT n, column2 FROM matched ORDER BY n", [("1", "a"), ("2", '"b,c"'), ("3", None)])
    until(db, "SELECT count(*) FROM docs", [(4,)])
    until(db, "SELECT * FROM typed ORDER BY a", [(1, "x", datetime(2024, 1, 2, 3, 4, 5)), (2, None, None)])
    until(db, 'SELECT "offset" FROM typed_errors ORDER BY 1', [(2,), (3,), (4,), (5,), (6,)])


def test_columns_are_inferred_and_printed(db, topic, broker):
    events = topic(2)
    events.send(
        b'{"id": 1, "price": 2, "at": "2024-01-02T03:04:05Z", "who": {"a": 1}, "odd Name": null, "big": 1}',
        b'{"id": 2, "price": 2.5, "at": "2024-01-02T03:04:05.5Z", "flag": true, "odd Name": "x", "big": %d}' % 2**64,
        b"{", b"[]",
    )  # fmt: skip
    events.send(b'{"day": "2024-01-02", "id": "no", "uid": "12345678-1234-5678-1234-567812345678"}', partition=1)
    sql = f"CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}' FORMAT JSON INFER INCLUDE OFFSET"
    [(made,)] = db.execute(sql).rows()
    listed = made[made.index("(") + 1 : made.index(") FROM")].replace('"', "").split(", ")
    assert sorted(listed) == sorted([
        "id jsonb", "price double precision", "at timestamp with time zone", "who jsonb", "odd Name text",
        "big numeric", "flag boolean", "day date", "uid uuid",
    ])  # fmt: skip
    assert made.endswith("FORMAT JSON INCLUDE OFFSET")
    db.execute(made)
    until(db, 'SELECT count(*), count("odd Name") FROM s', [(3, 1)])


EVENT = {
    "type": "record", "name": "Event", "namespace": "shop", "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["NEW", "OLD"]}},
        {"name": "ratio", "type": "double"},
        {"name": "small", "type": ["null", "float"]},
        {"name": "flag", "type": "boolean"},
        {"name": "uid", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "extra", "type": {"type": "map", "values": ["null", "int"]}},
        {"name": "place", "type": {"type": "record", "name": "Place", "fields": [
            {"name": "x", "type": "int"}, {"name": "y", "type": ["null", "string"]}]}},
        {"name": "either", "type": ["int", "string", "null"]},
        {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 3}},
    ],
}  # fmt: skip
UID = UUID("12345678-1234-5678-1234-567812345678")


def event(id: int, **changes: object) -> dict:
    return {
        "id": id, "name": "é", "price": Decimal("12.34"), "day": date(2024, 2, 29), "kind": "OLD", "ratio": -0.5,
        "at": datetime.fromisoformat("2024-01-02T03:04:05.678+00:00"), "small": 1.5, "flag": True, "uid": UID,
        "tags": ["a", ""], "extra": {"k": 1, "a": None}, "place": {"x": 7, "y": None}, "either": "s", "code": b"\0\1\2",
    } | changes  # fmt: skip


ROW = (
    "é", Decimal("12.34"), date(2024, 2, 29), datetime(2024, 1, 2, 3, 4, 5, 678000), "OLD", -0.5, 1.5, True, UID,
    ["a", ""], {"a": None, "k": 1}, (7, None), None, "s", b"\0\1\2",
)  # fmt: skip


def test_which_schema_the_data_are_read_as(db, topic, broker, registry):
    """The latest of the subject unless a strategy says otherwise; what is chosen stays with the source."""
    events = topic()
    narrow = {**EVENT, "fields": EVENT["fields"][:2]}
    first = register(registry, f"{events.name}-value", json.dumps(narrow))
    wide = {**narrow, "fields": [*narrow["fields"], {"name": "more", "type": "int", "default": 7}]}
    register(registry, f"{events.name}-value", json.dumps(wide))
    events.send(avro(narrow, event(1), first))
    named = json.dumps({**narrow, "fields": narrow["fields"][1:]})
    for name, strategy, row in (
        ("a", "", (1, "é", 7)), ("b", "VALUE STRATEGY LATEST", (1, "é", 7)),
        ("c", f"VALUE STRATEGY ID {first}", (1, "é")), ("d", f"VALUE STRATEGY INLINE '{named}'", ("é",)),
    ):  # fmt: skip
        db.execute(f"""CREATE SOURCE {name} FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
            FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '{registry.url}' {strategy} ENVELOPE NONE""")
        until(db, f"SELECT * FROM {name}", [row])
        shown = db.execute(f"SHOW CREATE SOURCE {name}").rows()[0][1]
        db.execute(shown.replace(f"public.{name}", f"public.{name}2"))
        until(db, f"SELECT * FROM {name}2", [row])


def test_avro_of_a_registry_and_of_an_inline_schema(db, topic, broker, registry):
    events, inline = topic(), topic()
    id = register(registry, f"{events.name}-value", json.dumps(EVENT))
    big = Decimal("-1234567890.12")
    whole = avro(EVENT, event(1), id)
    events.send(
        whole, avro(EVENT, event(2, name=None, small=None, either=5, tags=[], extra={}, price=big), id), whole[:-1],
        whole + b"x", b"\1" + whole[1:], b"", struct.pack(">bI", 0, 99_999) + whole[5:],
    )  # fmt: skip
    inline.send(avro(EVENT, event(1)))
    db.execute(f"""CREATE SOURCE e FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '{registry.url}'""")
    schema = json.dumps(EVENT)
    db.execute(f"""CREATE SOURCE i FROM KAFKA BROKER '{broker.address}' TOPIC '{inline.name}'
        FORMAT AVRO USING SCHEMA '{schema}' WITH (confluent_wire_format = false)""")
    until(db, "SELECT * FROM i", [(1, *ROW)])
    second = (2, None, big, *ROW[2:6], None, *ROW[7:9], [], {}, ROW[11], 5, None, ROW[14])
    until(db, "SELECT * FROM e ORDER BY id", [(1, *ROW), second])
    until(db, 'SELECT "offset" FROM e_errors ORDER BY 1', [(2,), (3,), (4,), (5,), (6,)])
    assert "SEED VALUE SCHEMA" in db.execute("SHOW CREATE SOURCE e").rows()[0][1]


def test_avro_schemas_evolve(db, topic, broker, registry):
    """A source keeps the schema that it was made with; data of older and of newer writers are read as that."""
    events = topic()
    subject = f"{events.name}-value"
    old = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "gone", "type": "string"}]}
    now = {"type": "record", "name": "R", "fields": [
        {"name": "b", "type": ["null", "string"], "default": None}, {"name": "a", "type": "long"},
        {"name": "c", "type": "double", "default": 1.5}]}  # fmt: skip
    new = {"type": "record", "name": "R", "fields": [
        {"name": "more", "type": {"type": "array", "items": "long"}, "default": []}, {"name": "a", "type": "long"},
        {"name": "b", "type": "string"}, {"name": "c", "type": "float", "default": 0}]}  # fmt: skip
    ids = [register(registry, f"{subject}-{i}", json.dumps(schema)) for i, schema in enumerate((old, new))]
    current = register(registry, subject, json.dumps(now))
    db.execute(f"""CREATE SOURCE e FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '{registry.url}'""")
    events.send(
        avro(old, {"a": 1, "gone": "x"}, ids[0]),
        avro(now, {"a": 2, "b": None, "c": 2.5}, current),
        avro(new, {"more": [1, 2, 3], "a": 3, "b": "new", "c": 0.25}, ids[1]),
    )
    until(db, "SELECT a, b, c FROM e ORDER BY a", [(1, None, 1.5), (2, None, 2.5), (3, "new", 0.25)])
    assert db.execute("SELECT * FROM e_errors").rows() == []


PROTO = """syntax = "proto3"; package shop;
message Order { int64 id = 1; string who = 2; optional double price = 3; repeated int32 lines = 4;
  map<string, string> notes = 5; Kind kind = 6; Place place = 7; uint64 big = 8; bytes raw = 9; }
message Place { int32 x = 1; }
enum Kind { NONE = 0; SOME = 1; }
"""


def test_protobuf_of_descriptors_and_of_a_registry(db, topic, broker, registry):
    descriptors = compiled("order.proto", PROTO, {})
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    order = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Order"))
    full = order(id=1, who="é", price=2.5, lines=[1, 2], notes={"b": "2", "a": "1"}, kind=1, big=2**64 - 1, raw=b"\xff")
    full.place.x = 7
    plain, framed = topic(), topic()
    plain.send(full.SerializeToString(), order(id=2).SerializeToString(), b"\xff\xff")
    id = register(registry, f"{framed.name}-value", PROTO, "PROTOBUF")
    framed.send(struct.pack(">bIb", 0, id, 0) + full.SerializeToString(), b"\1")
    at = f"FROM KAFKA BROKER '{broker.address}' TOPIC"
    db.execute(f"""CREATE SOURCE p {at} '{plain.name}'
        FORMAT PROTOBUF MESSAGE 'shop.Order' USING SCHEMA '\\x{descriptors.hex()}'""")
    db.execute(f"CREATE SOURCE f {at} '{framed.name}' FORMAT PROTOBUF USING CONFLUENT SCHEMA REGISTRY '{registry.url}'")
    one = (1, "é", 2.5, [1, 2], {"a": "1", "b": "2"}, "SOME", (7,), Decimal(2**64 - 1), b"\xff")
    until(db, "SELECT * FROM p ORDER BY id", [one, (2, "", None, [], {}, "NONE", None, Decimal(0), b"")])
    until(db, 'SELECT "offset" FROM p_errors', [(2,)])
    until(db, "SELECT * FROM f", [one])
    until(db, 'SELECT "offset" FROM f_errors', [(1,)])


def test_schemas_of_files(topic, broker, tmp_path):
    """Read once, below the roots: the statement has what they said."""
    records, protos = topic(), topic()
    records.send(avro(EVENT, event(1)), keys=[b"\x02"])
    descriptors = compiled("order.proto", PROTO, {})
    protos.send(b"\x08\x07")
    root, data = tmp_path / "schemas", tmp_path / "data"
    root.mkdir()
    (root / "event's.avsc").write_text(json.dumps(EVENT, indent=2))
    (root / "key.avsc").write_text('"int"')
    (root / "order.pb").write_bytes(descriptors)
    (tmp_path / "outside.avsc").write_text("secret")
    at = f"FROM KAFKA BROKER '{broker.address}' TOPIC"
    plain = "WITH (confluent_wire_format = false)"
    with Database.open(data, Options(roots=(root,))) as db:
        db.execute(f"""CREATE SOURCE e {at} '{records.name}' KEY FORMAT AVRO USING SCHEMA FILE '{root}/key.avsc' {plain}
            VALUE FORMAT AVRO USING SCHEMA FILE '{root}/event''s.avsc' {plain} INCLUDE KEY AS k""")
        db.execute(f"""CREATE SOURCE p {at} '{protos.name}'
            FORMAT PROTOBUF MESSAGE 'shop.Order' USING SCHEMA FILE '{root}/order.pb'""")
        until(db, "SELECT * FROM e", [(1, *ROW, 1)])
        until(db, "SELECT id FROM p", [(7,)])
        for path, error, match in (
            ("../outside.avsc", ForbiddenFile, "file_roots"), ("none.avsc", MissingFile, "does not exist"),
            ("order.pb", MalformedSource, "not UTF-8"),
        ):  # fmt: skip
            with pytest.raises(error, match=match) as refused:
                db.execute(f"CREATE SOURCE s {at} 't' FORMAT AVRO USING SCHEMA FILE '{root}/{path}'")
            assert "secret" not in str(refused.value)
        shown = db.execute("SHOW CREATE SOURCE e").rows()[0][1] + db.execute("SHOW CREATE SOURCE p").rows()[0][1]
        assert "FILE" not in shown
        assert descriptors.hex() in shown
    for file in root.iterdir():
        file.unlink()
    with Database.open(data, Options(roots=(root,))) as db:
        records.send(avro(EVENT, event(2)), keys=[b"\x04"])
        until(db, "SELECT id, k FROM e", [(1, 1), (2, 2)])


def test_what_is_known_of_a_record(db, topic, broker):
    events = topic(3)
    events.send(b"a", b"b", keys=[b"k", None], partition=2, headers=[("h", b"v"), ("n", None)])
    events.send(b"c", keys=[b"\xff"], partition=1)
    db.execute(f"""CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        KEY FORMAT TEXT VALUE FORMAT TEXT INCLUDE KEY AS k, PARTITION AS p, OFFSET, TIMESTAMP AS at, HEADERS""")
    headers = [("h", b"v"), ("n", None)]
    until(db, 'SELECT text, k, p, "offset", headers FROM s', [("a", "k", 2, 0, headers), ("b", None, 2, 1, headers)])
    assert db.execute("SELECT at > '2024-01-01' FROM s").rows() == [(True,), (True,)]
    until(db, "SELECT * FROM s_errors", [(1, 0, b"\xff", b"c", "key: invalid UTF-8")])


def test_what_is_not_there(db, topic, broker, registry):
    with pytest.raises(MalformedSource, match="none-value"):
        db.execute(f"""CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC 'none'
            FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '{registry.url}'""")
    with pytest.raises(SourceError, match="cannot be asked"):
        db.execute(f"""CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC 'none'
            FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://127.0.0.1:1'""")
    events = topic()
    db.execute(f"CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}' FORMAT TEXT")
    caught_up(db, "s", 0)
