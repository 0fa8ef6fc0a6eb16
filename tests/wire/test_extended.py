"""The extended protocol: parameters are typed by where they stand, both formats say the same, names are SQL's too."""

import math
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg.types.numeric import Int8

from app.main import Running
from app.pgwire import messages as m
from engine import types
from tests.wire.test_corners import Raw, tags


@pytest.fixture
def connection(server: Running):
    with psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as opened:
        yield opened


def parse(sql, name="", oids=()):
    return m.frame(b"P", m.cstring(name) + m.cstring(sql) + struct.pack(f">h{len(oids)}i", len(oids), *oids))


def bind(values=(), portal="", statement="", formats=(), results=()):
    body = m.cstring(portal) + m.cstring(statement) + struct.pack(f">h{len(formats)}h", len(formats), *formats)
    body += struct.pack(">h", len(values))
    for value in values:
        body += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value
    return m.frame(b"B", body + struct.pack(f">h{len(results)}h", len(results), *results))


def describe(kind, name=""):
    return m.frame(b"D", kind.encode() + m.cstring(name))


def execute(portal="", rows=0):
    return m.frame(b"E", m.cstring(portal) + struct.pack(">i", rows))


SYNC = m.frame(b"S")


@pytest.fixture
def raw(server: Running):
    with Raw(server) as client:
        client.start()
        yield client


def parameters(raw, sql, oids=()):
    """The parameter types and the column types of a statement that is described and never bound; or the SQLSTATE."""
    raw.send(parse(sql, oids=oids), describe("S"), SYNC)
    found = dict(raw.until(b"Z"))
    if b"E" in found:
        return next(part[1:].decode() for part in found[b"E"].split(b"\0") if part[:1] == b"C")
    count = int.from_bytes(found[b"t"][:2], "big")
    given = [types.BY_OID[oid].name for oid in struct.unpack(f">{count}i", found[b"t"][2:])]
    columns, at = [], 2
    for _ in range(int.from_bytes(found.get(b"T", b"\0\0")[:2], "big")):
        end = found[b"T"].index(0, at)
        columns.append(types.BY_OID[int.from_bytes(found[b"T"][end + 7 : end + 11], "big")].name)
        at = end + 19
    return given, columns


@pytest.mark.parametrize(
    ("sql", "given", "columns"),
    [
        ("SELECT $1", ["text"], ["text"]),
        ("SELECT $1 + 1", ["integer"], ["integer"]),
        ("SELECT a FROM described WHERE a = $1 AND b = $2", ["bigint", "numeric"], ["bigint"]),
        ("SELECT a FROM described WHERE d BETWEEN $1 AND $2", ["timestamp", "timestamp"], ["bigint"]),
        ("SELECT a FROM described WHERE a IN ($1, $2)", ["bigint", "bigint"], ["bigint"]),
        ("SELECT a FROM described WHERE a = ANY ($1)", ["bigint[]"], ["bigint"]),
        ("SELECT $1::date, $2::bigint[]", ["date", "bigint[]"], ["date", "bigint[]"]),
        ("SELECT CAST($1 AS varchar(3))", ["character varying"], ["character varying"]),
        ("SELECT c FROM described LIMIT $1 OFFSET $2", ["bigint", "bigint"], ["text"]),
        ("INSERT INTO described VALUES ($1, $2, $3, $4)", ["bigint", "numeric", "text", "timestamp"], []),
        ("INSERT INTO described (c, a) VALUES ($2, $1) RETURNING b", ["bigint", "text"], ["numeric"]),
        ("UPDATE described SET b = $1 WHERE a = $2", ["numeric", "bigint"], []),
        ("DELETE FROM described WHERE c LIKE $1", ["text"], []),
        ("SELECT coalesce($1, a), length($2) FROM described", ["bigint", "text"], ["bigint", "integer"]),
        ("SELECT CASE WHEN $1 THEN 1 ELSE $2 END", ["boolean", "integer"], ["integer"]),
        ("VALUES (1, $1), ($2, 'x')", ["text", "integer"], ["integer", "text"]),
        ("SELECT (SELECT count(*) FROM described WHERE b > $1)", ["numeric"], ["bigint"]),
        ("SHOW search_path", [], ["text"]),
        ("SUBSCRIBE (SELECT a FROM described WHERE a = $1)", ["bigint"], ["numeric", "bigint", "bigint"]),
        ("CREATE TABLE never (a int)", [], []),
        ("", [], []),
    ],
)
def test_a_statement_is_described_before_it_is_bound(server, raw, sql, given, columns):
    server.database.execute(
        "CREATE TABLE IF NOT EXISTS described (a bigint, b numeric(10, 2), c text, d timestamp NOT NULL)"
    )
    assert parameters(raw, sql) == (given, columns)


def test_declared_types_win_and_contradictions_are_told(raw):
    assert parameters(raw, "SELECT $1 + $2", (types.BIGINT.oid, types.SMALLINT.oid)) == (
        ["bigint", "smallint"],
        ["bigint"],
    )
    assert parameters(raw, "SELECT $1 + 1", (types.UNKNOWN.oid,)) == (["integer"], ["integer"])
    assert parameters(raw, "SELECT $1", (999_999,)) == "42704"
    assert parameters(raw, "SELECT $1 + $2", (types.BOOLEAN.oid, types.DATE.oid)) == "42883"
    assert parameters(raw, "SELECT $0") == "42P02"
    assert parameters(raw, "SELECT 1; SELECT 2") == "42601"
    raw.send(parse("CREATE VIEW v AS SELECT $1"), bind(), execute(), SYNC)
    assert b"42P02" in dict(raw.until(b"Z"))[b"E"]


NUMBERS = "0 1 -1 10000 9999 0.0001 0.00001 -1234567.8901 123456789012345678901234567890 0.5 100000000 -0.9"
VALUES = [
    ("boolean", [True, False]),
    ("smallint", [0, -32768, 32767]),
    ("integer", [-5, 2147483647]),
    ("bigint", [-(1 << 63), (1 << 63) - 1, 0]),
    ("oid", [4294967295]),
    ("real", [1.5, -0.25, math.inf]),
    ("double precision", [1e300, -2.5, math.inf, -math.inf]),
    ("numeric", [Decimal(text) for text in NUMBERS.split()]),
    ("text", ["", "a", "é✓", "x" * 300]),
    ("varchar(5)", ["abc"]),
    ("char(4)", ["ab  "]),
    ("bytea", [b"", b"\0\xff"]),
    ("date", [date(1999, 12, 31), date(2000, 1, 1), date(2026, 2, 3)]),
    ("time", [time(0, 0), time(23, 59, 59, 999999)]),
    ("timestamp", [datetime(1970, 1, 1), datetime(2026, 2, 3, 4, 5, 6, 789)]),
    ("timestamptz", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, 3, 4, tzinfo=UTC)]),
    ("interval", [timedelta(0), timedelta(days=-3, seconds=4, microseconds=5), timedelta(hours=1)]),
    ("uuid", [UUID(int=5)]),
    ("jsonb", [{"a": [1, None, "x"]}, [], "s", None]),
    ("bigint[]", [[], [1, None, 3], [[1, 2], [3, 4]]]),
    ("text[]", [["", "a,b", 'q"\\', None, "NULL"]]),
    ("numeric[]", [[Decimal("1.5"), None]]),
]  # fmt: skip


@pytest.mark.parametrize("count", [1, 40], ids=["few", "column"])
@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[kind for kind, _ in VALUES])
def test_both_formats_say_the_same(connection, kind, values, count):
    """A column of each type, short (value by value) and long (as a column), comes back equal in text and in binary."""
    literals = []
    with connection.cursor() as cursor:
        for value in [*values, None]:
            given = psycopg.types.json.Jsonb(value) if kind == "jsonb" and value is not None else value
            form = f"%s::{kind}" if value is not None else f"NULL::{kind}"
            literals.append((form, [] if value is None else [given]))
        rows = literals * count
        sql = " UNION ALL ".join(f"SELECT {i}, {form}" for i, (form, _) in enumerate(rows))
        sql += " ORDER BY 1"
        arguments = [argument for _, given in rows for argument in given]
        expected = [*values, None] * count
        text = [row[1] for row in cursor.execute(sql, arguments, binary=False).fetchall()]
        assert text == expected
        binary = [row[1] for row in cursor.execute(sql, arguments, binary=True).fetchall()]
        assert binary == expected


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[kind for kind, _ in VALUES])
def test_parameters_in_binary(connection, kind, values):
    for value in values:
        if kind == "jsonb":
            value = psycopg.types.json.Jsonb(value)
            assert connection.execute("SELECT %b", (value,)).fetchone() == (value.obj,)
        elif value == []:
            assert connection.execute(f"SELECT %b::{kind}", (value,)).fetchone() == (value,)
        else:
            assert connection.execute(f"SELECT (%b)::{kind}", (value,)).fetchone() == (value,)


def test_nan_and_maps_and_records_in_binary(connection):
    row = connection.execute(
        "SELECT 'NaN'::numeric, 'NaN'::double precision, ROW(1, 'a', NULL::int)", binary=True
    ).fetchone()
    assert row[0].is_nan()
    assert math.isnan(row[1])
    assert row[2] == (1, "a", None)


def test_rubbish_in_binary_is_refused(raw):
    short = struct.pack(">iiIii", 1, 0, 20, 9, 1)
    rubbish = [
        (20, b"123"),
        (1700, b"\0\1"),
        (1016, b"\xff" * 12),
        (1016, short),
        (3802, b"\2{}"),
        (2950, b"x"),
        (25, b"\xff"),
    ]
    for oid, data in rubbish:
        raw.send(parse("SELECT $1", oids=(oid,)), bind([data], formats=(1,)), SYNC)
        found = raw.until(b"Z")
        assert tags(found) == b"1EZ"
        assert b"22P03" in found[1][1]


def test_parameters_and_results_of_mixed_formats(raw):
    raw.send(
        parse("SELECT $1::int8, $2::text, $3::int4"),
        bind([struct.pack(">q", 7), b"x", None], formats=(1, 0, 1), results=(0, 1, 1)),
        describe("P"), execute(), SYNC,
    )  # fmt: skip
    found = dict(raw.until(b"Z"))
    assert found[b"D"] == struct.pack(">h", 3) + b"\0\0\0\1" + b"7" + b"\0\0\0\1" + b"x" + b"\xff" * 4
    raw.send(parse("SELECT 1, 2"), bind(results=(1, 0, 1)), SYNC)
    assert tags(raw.until(b"Z")) == b"1EZ"


def test_a_pipeline_is_one_transaction_until_sync(server, raw):
    server.database.execute("CREATE TABLE piped (a int)")
    insert = parse("INSERT INTO piped VALUES ($1)")
    raw.send(insert, bind([b"1"]), execute(), bind([b"2"]), execute(), parse("SELECT 1/0"), bind(), execute(), SYNC)
    assert tags(raw.until(b"Z")) == b"12C2C12EZ"
    assert server.database.execute("SELECT count(*) FROM piped").rows() == [(0,)]
    raw.send(insert, bind([b"1"]), execute(), bind([b"2"]), execute(), parse("SELECT count(*) FROM piped"), bind(),
             execute(), SYNC)  # fmt: skip
    found = raw.until(b"Z")
    assert tags(found) == b"12C2C12DCZ"
    assert found[-1][1] == b"I"
    assert server.database.execute("SELECT count(*) FROM piped").rows() == [(2,)]


@pytest.mark.parametrize("results", [(), (0,), (1,), (0, 1, 0, 1, 0)])
@pytest.mark.parametrize("described", [True, False])
def test_a_look_up_answers_the_same_whole_and_message_by_message(server, raw, results, described):
    server.database.execute(
        """DROP TABLE IF EXISTS keyed;
        CREATE TABLE keyed (k bigint, v text, at timestamp, n numeric, b bool);
        CREATE INDEX keyed_k ON keyed (k);
        INSERT INTO keyed VALUES (1, 'one', '2024-01-02 03:04:05', 1.50, true), (-2, NULL, NULL, NULL, NULL),
          (3, 'two', NULL, 3, false), (3, 'two', NULL, 3, false), (4, 'a', NULL, 4, true), (4, 'b', NULL, 4, true)"""
    )
    raw.send(parse("SELECT * FROM keyed WHERE k = $1", "s"), bind([b"1"], statement="s"), execute(), SYNC)
    raw.until(b"Z")
    rest = [*([describe("P")] if described else []), execute(), SYNC]
    counts = set()
    for value in (b"1", b"-2", b"3", b"4", b"5", b" 1 ", None, b"x", b"99999999999999999999"):
        raw.send(bind([value], statement="s", results=results), *rest)
        whole = raw.until(b"Z")
        raw.send(bind([value], statement="s", results=results), m.frame(b"H"))
        pieces = raw.until(b"2" if value not in (b"x", b"99999999999999999999") else b"E")
        raw.send(*rest)
        assert pieces + raw.until(b"Z") == whole
        counts.add(tags(whole).count(b"D"))
    assert counts == {0, 1, 2}


def test_portals_and_cursors_are_one_namespace(raw):
    query = lambda sql: m.frame(b"Q", m.cstring(sql))  # noqa: E731
    raw.send(query("BEGIN; DECLARE c CURSOR FOR SELECT * FROM generate_series(1, 5) ORDER BY 1"))
    raw.until(b"Z")
    raw.send(describe("P", "c"), execute("c", 2), execute("c", 2), SYNC)
    assert tags(raw.until(b"Z")) == b"TDDsDDsZ"
    raw.send(query("FETCH ALL c"))
    assert [body[-1:] for tag, body in raw.until(b"Z") if tag == b"D"] == [b"5"]
    raw.send(parse("SELECT 1", "s"), bind(portal="p", statement="s"), execute("p"), SYNC)
    raw.until(b"Z")
    raw.send(query("FETCH 1 FROM p; CLOSE p; EXECUTE s; COMMIT"))
    assert tags(raw.until(b"Z")) == b"TCCTDCCZ"
    raw.send(query("PREPARE t AS SELECT $1 + 1"), bind([b"4"], statement="t"), execute(), SYNC)
    raw.until(b"Z")
    assert [body[-1:] for tag, body in raw.until(b"Z") if tag == b"D"] == [b"5"]
    raw.send(execute("c"), SYNC)
    assert b"34000" in dict(raw.until(b"Z"))[b"E"]


def test_a_prepared_statement_outlives_changes_of_the_catalog(server, connection):
    connection.execute("CREATE TABLE changing (k bigint, v text)")
    connection.execute("INSERT INTO changing VALUES (1, 'a'), (2, 'b')")
    look = lambda k: connection.execute("SELECT v FROM changing WHERE k = %s", (Int8(k),), prepare=True).fetchall()  # noqa: E731
    assert look(1) == [("a",)]
    connection.execute("CREATE INDEX changing_k ON changing (k)")
    assert look(2) == [("b",)]
    assert look(2) == [("b",)]
    connection.execute("INSERT INTO changing VALUES (2, 'c'), (2, 'c')")
    assert sorted(look(2)) == [("b",), ("c",), ("c",)]
    assert look(9) == []
    connection.prepare_threshold = None  # psycopg deallocates all when it sees a DROP succeed
    connection.execute("PREPARE looks AS SELECT v FROM changing WHERE k = $1")
    server.database.execute("DROP TABLE changing")
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("EXECUTE looks(1)")
    connection.execute("CREATE TABLE changing (k bigint, v int)")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan must not change result type"):
        connection.execute("EXECUTE looks(1)")
    server.database.execute("DROP TABLE changing")
    connection.execute("CREATE TABLE changing (k int, v text)")
    connection.execute("INSERT INTO changing VALUES (1, 'd')")
    assert connection.execute("EXECUTE looks(1)").fetchall() == [("d",)]
