"""What a copy holds: every type, values that were not sent again, truncation, what is chosen and what is refused."""

import itertools
import json
from datetime import date
from decimal import Decimal

import pytest

from engine.connectors.postgres import reader
from engine.database import Database, Options
from engine.errors import (
    DependentObjects,
    DuplicateRelation,
    InvalidParameter,
    SourceError,
    SqlError,
    UndefinedTable,
    WrongObjectType,
)
from tests.kafka.waiting import until

VALUES = {
    "boolean": ["true", "false"],
    "smallint": ["-32768", "32767"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "real": ["'NaN'", "'-Infinity'", "1e-45", "3.4028235e38", "0.1", "-2.5"],
    "double precision": ["'NaN'", "'Infinity'", "5e-324", "1.7976931348623157e308", "0.1", "-123456789.125"],
    "numeric": ["'NaN'", "'-Infinity'", "0", "-1234567890123456789.123456789", "1e30", "0.00000001"],
    "numeric(10,2)": ["12345678.9", "-0.005"],
    "text": ["''", "'ünï ☃ 𝄞'", r"E'tab\tnewline\nback\\slash\rcr\b\f\v'", r"E'\\N'", "'NULL'", "repeat('x', 5000)"],
    "varchar(5)": ["'abc'", "'12345'", "' '"],
    "char(5)": ["'abc'", "''", "'12345'"],
    '"char"': ["'a'"],
    "name": ["'a name'"],
    "bytea": [r"'\x'", r"'\x00ff5c0a'"],
    "date": ["'2024-02-29'", "'0001-01-01'", "'9999-12-31'"],
    "time": ["'00:00:00'", "'23:59:59.999999'", "'12:34:56.5'"],
    "timestamp": ["'2024-02-29 12:34:56.123456'", "'1969-12-31 23:59:59'", "'0001-01-01 00:00:00'"],
    "timestamp(3)": ["'2024-02-29 12:34:56.123456'"],
    "timestamptz": ["'2024-02-29 12:34:56.123456+05:30'", "'1900-01-01 00:00:00-08'"],
    "interval": ["'1 year 2 months -3 days 04:05:06.789'", "'-00:00:00.000001'", "'0'"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
    "jsonb": ["""'{"b": [1, 2.50, null], "a": "ü"}'""", "'null'", "'3'"],
    "json": ["""'{"b":   1}'"""],
    "integer[]": ["'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'"],
    "text[]": ["""'{"a b","",NULL,"NULL","q\\"uote"}'"""],
    "timestamptz[]": ["""'{"2024-02-29 12:34:56+00"}'"""],
    "numeric[]": ["'{1.5,-2}'"],
    "uuid[]": ["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"],
    "positive": ["7"],
}


def test_every_type_by_snapshot_and_by_stream(db, upstream):
    """The text of every value is what PostgreSQL says it is, NULL included; rows go that came in either way."""
    upstream.run("CREATE DOMAIN positive AS integer CHECK (value > 0)")
    upstream.table("t", ", ".join(["n bigint", *(f'"c{i}" {type}' for i, type in enumerate(VALUES))]))
    width = max(map(len, VALUES.values()))
    rows = [
        [str(row), *(values[row] if row < len(values) else "NULL" for values in VALUES.values())]
        for row in range(width + 1)
    ]
    insert = "INSERT INTO t VALUES " + ", ".join(f"({', '.join(row)})" for row in rows)
    upstream.run(insert)
    upstream.follow(db)
    texts = ", ".join(["n", *(f'"c{i}"::text AS c{i}' for i in range(len(VALUES)))])
    # json is jsonb here
    there = texts.replace(f'"c{[*VALUES].index("json")}"::text', f'"c{[*VALUES].index("json")}"::jsonb::text')
    wanted = upstream.run(f"SELECT {there} FROM t ORDER BY n")
    found = db.execute(f"SELECT {texts} FROM t ORDER BY n").rows()
    for i, type in enumerate(VALUES, 1):
        assert [same(row[i], type) for row in found] == [same(row[i], type) for row in wanted], type
    upstream.run("UPDATE t SET n = n + 100", insert)
    until(db, "SELECT count(*), min(n), max(n) FROM t", [(2 * len(rows), 0, 100 + width)])
    again = db.execute(f"SELECT {texts} FROM t ORDER BY n").rows()
    assert [row[1:] for row in again] == [row[1:] for row in found] * 2
    upstream.run("DELETE FROM t")
    until(db, "SELECT count(*) FROM t", [(0,)])


def same(text: str | None, type: str) -> object:
    """What a text says, where the two write the same in different words: 1.50, {"a": 1}."""
    if text is not None and type.startswith("json"):
        return json.loads(text)
    return Decimal(text) if text is not None and type == "numeric(10,2)" else text


def test_values_that_were_not_sent_again(db, upstream):
    """TOAST: an update sends large values only where it changed them."""
    upstream.table("t", "id int PRIMARY KEY, n int, a text, b text")
    upstream.run("ALTER TABLE t ALTER a SET STORAGE EXTERNAL", "ALTER TABLE t ALTER b SET STORAGE EXTERNAL")
    upstream.run(
        "INSERT INTO t SELECT i, 0, repeat('a' || i, 50000), repeat('b' || i, 50000) FROM generate_series(1, 3) i"
    )
    upstream.follow(db)
    upstream.run("UPDATE t SET n = 1", "UPDATE t SET b = 'small' WHERE id = 2", "UPDATE t SET id = 30 WHERE id = 3")
    upstream.run("UPDATE t SET n = 2, a = NULL WHERE id = 1")
    sql = "SELECT id, n, md5(a), length(b) FROM t ORDER BY id"
    until(db, sql, upstream.run(sql))
    assert db.execute("SELECT count(*), count(DISTINCT id) FROM t").rows() == [(3, 3)]


def test_truncate(db, upstream):
    """All rows go, whatever the transaction did to them before; and of each table that is named."""
    upstream.table("a", "n int")
    upstream.table("b", "n int")
    upstream.run("INSERT INTO a SELECT generate_series(1, 1000)", "INSERT INTO b VALUES (1)")
    upstream.follow(db)
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c, coalesce(sum(n), 0) AS s FROM a")
    assert db.execute("SELECT * FROM v").rows() == [(1000, 500500)]
    with upstream.connection.transaction():
        upstream.run("INSERT INTO a VALUES (2000)", "UPDATE a SET n = n + 1 WHERE n < 10", "TRUNCATE a, b",
                     "INSERT INTO a VALUES (7), (7), (8)", "DELETE FROM a WHERE n = 8")  # fmt: skip
    until(db, "SELECT * FROM v", [(2, 14)])
    assert db.execute("SELECT count(*) FROM b").rows() == [(0,)]
    upstream.run("TRUNCATE a", "TRUNCATE a", "INSERT INTO a VALUES (1)")
    until(db, "SELECT * FROM v", [(1, 1)])


def test_a_large_transaction_is_one_tick(upstream):
    """Far more rows than a chunk or an inbox holds: until it commits nothing of it is there, then all of it."""
    upstream.table("t", "n int, pad text")
    upstream.table("other", "n int")
    with Database.in_memory(Options(inbox_rows_max=1000, tick_rows_max=500)) as db:
        upstream.follow(db)
        until(db, "SELECT count(*) FROM t", [(0,)])  # a slot that is made waits for transactions that are under way
        with db.subscribe("SUBSCRIBE (SELECT count(*) FROM t)") as changes, upstream.connect() as second:
            with second.transaction():
                second.execute("INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 150000) i")
                upstream.run("INSERT INTO other VALUES (1)")
                until(db, "SELECT count(*) FROM other", [(1,)])
                second.execute("UPDATE t SET n = -n WHERE n % 3 = 0")
            told = list(itertools.islice(changes, 3))
        assert sorted((change.diff, change.row) for change in told) == [(-1, (0,)), (1, (0,)), (1, (150_000,))]
        assert db.execute("SELECT sum(n)::bigint FROM t").rows() == upstream.run("SELECT sum(n)::bigint FROM t")


def test_a_transaction_is_as_large_as_its_net_changes(upstream, monkeypatch):
    """What it does to a row many times, or to rows that it takes away again, is not held."""
    monkeypatch.setattr(reader, "CHUNK_BYTES", 10_000)
    upstream.table("t", "n int, pad text")
    with Database.in_memory(Options(transaction_bytes_max=150_000)) as db:
        upstream.follow(db)
        upstream.run("INSERT INTO t SELECT i, repeat('x', 80) FROM generate_series(1, 300) i")
        until(db, "SELECT count(*) FROM t", [(300,)])
        with db.subscribe("SUBSCRIBE (SELECT n FROM t WHERE n < 3)") as changes:
            with upstream.connection.transaction():
                for _ in range(20):  # some 60,000 bytes each
                    upstream.run("UPDATE t SET n = -n", "INSERT INTO t SELECT i, 'y' FROM generate_series(1, 500) i",
                                 "DELETE FROM t WHERE pad = 'y'")  # fmt: skip
                upstream.run("UPDATE t SET n = 0 WHERE n = 2")
            told = list(itertools.islice(changes, 4))
        assert sorted((change.diff, change.row) for change in told[2:]) == [(-1, (2,)), (1, (0,))]
        assert db.execute("SELECT count(*), sum(n)::bigint FROM t").rows() == [(300, 45_148)]


def test_which_tables(db, upstream):
    upstream.run("CREATE SCHEMA one", "CREATE SCHEMA two")
    for name in ("public.a", "one.a", "one.b", "two.c", '"two"."Odd name"'):
        upstream.table(name, "n int")
        upstream.run(f"INSERT INTO {name} VALUES (1)")
    upstream.run("CREATE PUBLICATION p FOR ALL TABLES")
    upstream.connection_of(db)
    source = "CREATE SOURCE {} FROM POSTGRES CONNECTION pg (PUBLICATION 'p') {}"
    with pytest.raises(DuplicateRelation, match='two of the tables would be called "a"'):
        db.execute(source.format("s", "FOR ALL TABLES"))
    with pytest.raises(InvalidParameter, match="ambiguous"):
        db.execute(source.format("s", "FOR TABLES (a)"))
    with pytest.raises(UndefinedTable, match='publication "p" has no table "nowhere"'):
        db.execute(source.format("s", "FOR TABLES (nowhere)"))
    with pytest.raises(UndefinedTable, match='no table of schema "three"'):
        db.execute(source.format("s", "FOR SCHEMAS (three)"))
    db.execute(source.format("s", "FOR TABLES (public.a AS pa, one.a, b)"))
    assert db.execute("SELECT pa.n, a.n, b.n FROM pa, a, b").rows() == [(1, 1, 1)]
    db.execute(source.format("t", "FOR SCHEMAS (two)"))
    assert db.execute('SELECT c.n, o.n FROM c, "Odd name" o').rows() == [(1, 1)]
    assert ("b", "subsource") in db.execute("SHOW SOURCES").rows()
    ((name, sql),) = db.execute("SHOW CREATE SOURCE b").rows()
    assert name == "materialize.public.b"
    assert sql.startswith("CREATE SUBSOURCE materialize.public.b OF SOURCE materialize.public.s (REFERENCE one.b,")
    with pytest.raises(WrongObjectType, match="no rows of its own"):
        db.execute("SELECT * FROM s")
    with pytest.raises(SqlError, match="cannot insert into source"):
        db.execute("INSERT INTO b VALUES (1)")
    db.execute("CREATE VIEW v AS SELECT * FROM c")
    with pytest.raises(DependentObjects):
        db.execute("DROP SOURCE t")
    assert len(upstream.slots()) == 2
    db.execute("DROP SOURCE t CASCADE")
    assert len(upstream.slots()) == 1
    db.close()
    assert upstream.slots() == []


def test_keys_and_nulls_are_known(db, upstream):
    """A primary key is one for the planner too: no row is counted to tell whether it is the last of its key."""
    upstream.table("t", "a int, b text NOT NULL, c int, PRIMARY KEY (c, a)")
    upstream.follow(db)
    columns = db.execute("SHOW COLUMNS FROM t").rows()
    assert columns == [("a", False, "integer"), ("b", False, "text"), ("c", False, "integer")]
    plan = str(db.execute("EXPLAIN SELECT DISTINCT a, b, c FROM t").rows())
    assert "Distinct" not in plan


def test_before_it_was_copied(upstream):
    """There is no answer of a time before, be it as of a tick or in the block that makes the source."""
    upstream.table("t", "id int")
    upstream.run("INSERT INTO t VALUES (1)")
    with Database.in_memory(Options(history_ms=600_000)) as db, db.session() as session:
        db.execute("CREATE TABLE mine (x int)")
        before = db.write("mine", [(1,)])
        upstream.connection_of(db)
        upstream.run("CREATE PUBLICATION p FOR ALL TABLES")
        session.execute("BEGIN")
        session.execute("CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION 'p')")
        session.execute("CREATE TABLE t FROM SOURCE s (REFERENCE public.t)")
        with pytest.raises(SqlError, match="cannot be read in the block"):
            session.execute("SELECT * FROM t")
        session.execute("ROLLBACK")
        assert upstream.slots() == []
        for sql in ("BEGIN", "CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION 'p')",
                    "CREATE TABLE t FROM SOURCE s (REFERENCE public.t)", "COMMIT"):  # fmt: skip
            session.execute(sql)
        answer = db.execute("SELECT * FROM t")
        assert answer.rows() == [(1,)]
        assert db.execute(f"SELECT * FROM t AS OF {answer.timestamp}").rows() == [(1,)]
        assert db.execute(f"SELECT * FROM mine AS OF {before}").rows() == [(1,)]
        with pytest.raises(SqlError, match="not valid for all inputs"):
            db.execute(f"SELECT * FROM t AS OF {before}")


def test_text_and_excluded_columns(db, upstream):
    upstream.run("CREATE TYPE mood AS ENUM ('sad', 'happy')")
    upstream.table("t", "id int, m mood, p point, secret text")
    upstream.run("INSERT INTO t VALUES (1, 'happy', '(1,2)', 'x')")
    with pytest.raises(InvalidParameter, match=r"column public.t.m has type mood") as refused:
        upstream.follow(db)
    assert "TEXT COLUMNS (public.t.m)" in (refused.value.hint or "")
    upstream.follow(db, options=", TEXT COLUMNS (t.m, public.t.p), EXCLUDE COLUMNS (t.secret)")
    upstream.run("UPDATE t SET m = 'sad'", "INSERT INTO t VALUES (2, NULL, NULL, 'y')")
    until(db, "SELECT * FROM t", [(1, "sad", "(1,2)"), (2, None, None)])


def test_generated_columns_row_filters_and_column_lists(db, upstream):
    upstream.table("t", "id int, twice int GENERATED ALWAYS AS (id * 2) STORED, left_out text")
    upstream.run("INSERT INTO t (id, left_out) SELECT i, 'x' FROM generate_series(1, 10) i",
                 "CREATE PUBLICATION p FOR TABLE t WHERE (id > 5)")  # fmt: skip
    upstream.follow(db, options=", EXCLUDE COLUMNS (t.left_out)")
    assert sorted(db.execute("SELECT * FROM t").rows()) == [(i,) for i in range(6, 11)]
    upstream.run("UPDATE t SET id = id - 2", "INSERT INTO t (id, left_out) VALUES (1, 'no'), (50, 'yes')")
    until(db, "SELECT * FROM t", [(6,), (7,), (8,), (50,)])


def test_partitioned_tables(db, upstream):
    """Published by their root they are one table."""
    upstream.run("CREATE TABLE t (id int, at date) PARTITION BY RANGE (at)")
    for year in (2023, 2024):
        upstream.run(f"CREATE TABLE t{year} PARTITION OF t FOR VALUES FROM ('{year}-01-01') TO ('{year + 1}-01-01')")
    upstream.run("INSERT INTO t VALUES (1, '2023-05-05'), (2, '2024-05-05')",
                 "CREATE PUBLICATION p FOR TABLE t WITH (publish_via_partition_root = true)")  # fmt: skip
    with pytest.raises(InvalidParameter, match="REPLICA IDENTITY"):
        upstream.follow(db)
    upstream.run(*(f"ALTER TABLE {name} REPLICA IDENTITY FULL" for name in ("t", "t2023", "t2024")))
    upstream.follow(db)
    upstream.run("UPDATE t SET at = '2024-01-01' WHERE id = 1", "INSERT INTO t VALUES (3, '2023-01-01')",
                 "DELETE FROM t WHERE id = 2")  # fmt: skip
    until(db, "SELECT * FROM t", [(1, date(2024, 1, 1)), (3, date(2023, 1, 1))])


def test_what_is_refused(db, upstream, server):
    upstream.run("CREATE TABLE t (id int PRIMARY KEY)",
                 "CREATE PUBLICATION part FOR ALL TABLES WITH (publish = 'insert')",
                 "CREATE PUBLICATION p FOR ALL TABLES")  # fmt: skip
    upstream.connection_of(db)
    source = "CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION '{}') FOR ALL TABLES"
    with pytest.raises(SourceError, match="does not publish update and delete and truncate"):
        db.execute(source.format("part"))
    with pytest.raises(SourceError, match='publication "other" does not exist'):
        db.execute(source.format("other"))
    with pytest.raises(InvalidParameter, match=r"REPLICA IDENTITY of public.t is not FULL") as refused:
        db.execute(source.format("p"))
    assert "ALTER TABLE" in (refused.value.hint or "")
    assert upstream.slots() == []
    assert db.execute("SHOW SOURCES").rows() == []
    to = f"TO POSTGRES (HOST '127.0.0.1', PORT {server.port}, DATABASE"
    db.execute("CREATE SECRET wrong AS 'wrong'")
    db.execute(f"CREATE CONNECTION a {to} 'postgres', USER 'postgres', PASSWORD SECRET wrong)")
    db.execute(f"CREATE CONNECTION b {to} 'nowhere', USER 'postgres', PASSWORD SECRET pgpass)")
    db.execute("CREATE CONNECTION c TO POSTGRES (HOST '127.0.0.1', PORT 1, DATABASE 'd', USER 'u')")
    for name, said in (("a", "password authentication failed"), ("b", '"nowhere" does not exist'), ("c", "refused")):
        with pytest.raises(SourceError, match=said):
            db.execute(f"VALIDATE CONNECTION {name}")
    db.execute("VALIDATE CONNECTION pg")
    assert "PASSWORD SECRET materialize.public.pgpass" in str(db.execute("SHOW CREATE CONNECTION pg").rows())
    for options, said in (
        ("HOST 'h', USER 'u'", "needs DATABASE"),
        ("HOST 'h', DATABASE 'd', USER 'u', SSL MODE 'maybe'", "SSL MODE"),
        ("HOST 'h', DATABASE 'd', USER 'u', TUNNEL 'x'", 'option "tunnel"'),
    ):
        with pytest.raises(SqlError, match=said):
            db.execute(f"CREATE CONNECTION d TO POSTGRES ({options})")


def test_tls(db, upstream, server):
    """Who is not to be trusted is not told anything."""
    upstream.table("t", "id int")
    upstream.run("CREATE PUBLICATION p FOR ALL TABLES", "INSERT INTO t VALUES (1)")
    upstream.connection_of(db)
    db.execute(f"CREATE SECRET authority AS '{server.certificate.read_text()}'")
    to = f"""TO POSTGRES (HOST 'localhost', PORT {server.port}, DATABASE '{upstream.name}', USER 'postgres',
        PASSWORD SECRET pgpass"""
    db.execute(f"CREATE CONNECTION safe {to}, SSL MODE 'verify-full', SSL CERTIFICATE AUTHORITY SECRET authority)")
    db.execute("CREATE SOURCE s FROM POSTGRES CONNECTION safe (PUBLICATION 'p') FOR ALL TABLES")
    until(db, "SELECT * FROM t", [(1,)])
    assert upstream.run("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)") == [(True,)]
    db.execute(f"CREATE CONNECTION unsafe {to}, SSL MODE 'verify-full')")
    with pytest.raises(SourceError, match="certificate"):
        db.execute("VALIDATE CONNECTION unsafe")


def test_a_server_that_wants_our_certificate(db, upstream, server):
    """Its role `certified` is whoever has a certificate of that name by an authority that it trusts, and nobody else;
    the key is locked."""
    certificates = server.trust_clients("certified", "its own secret")
    upstream.table("t", "id int")
    upstream.run(
        "CREATE PUBLICATION p FOR ALL TABLES", "INSERT INTO t VALUES (1)",
        "DROP ROLE IF EXISTS certified", "CREATE ROLE certified LOGIN SUPERUSER REPLICATION",
    )  # fmt: skip
    for name, text in {**certificates, "authority": server.certificate.read_text(), "pass": "its own secret"}.items():
        db.execute(f"CREATE SECRET {name} AS '{text}'")
    to = f"TO POSTGRES (HOST 'localhost', PORT {server.port}, DATABASE '{upstream.name}', USER 'certified'"
    ours = ", SSL CERTIFICATE SECRET certificate, SSL KEY SECRET key, SSL KEY PASSWORD SECRET pass"
    trust = ", SSL CERTIFICATE AUTHORITY SECRET authority"
    db.execute(f"CREATE CONNECTION known {to}{ours}{trust})")
    db.execute("VALIDATE CONNECTION known")
    db.execute("CREATE SOURCE s FROM POSTGRES CONNECTION known (PUBLICATION 'p') FOR ALL TABLES")
    until(db, "SELECT * FROM t", [(1,)])
    told = "SELECT DISTINCT client_dn FROM pg_stat_ssl JOIN pg_stat_replication USING (pid) WHERE usename = 'certified'"
    assert upstream.run(told) == [("/CN=certified",)]
    for options, why in (
        (f"{trust}, SSL MODE 'verify-full'", "certificate"),  # it wants one
        (f"{ours.replace('SECRET pass', 'SECRET authority')}{trust}", "key|password|decrypt"),
        (ours, "certificate verify failed"),  # we do not know it
    ):
        db.execute(f"CREATE CONNECTION stranger {to}{options})")
        with pytest.raises(SourceError, match=why):
            db.execute("VALIDATE CONNECTION stranger")
        db.execute("DROP CONNECTION stranger")
