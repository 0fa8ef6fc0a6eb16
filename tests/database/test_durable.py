"""A data directory: what was acknowledged is there after a clean end and after SIGKILL."""

import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from engine.database import Database
from engine.errors import SourceError


def test_catalog_and_rows_come_back(tmp_path: Path) -> None:
    with Database.open(tmp_path) as db:
        db.execute("CREATE SCHEMA s; CREATE DATABASE d")
        db.execute("CREATE TABLE t (k text NOT NULL, v numeric); CREATE TABLE s.u (a int)")
        db.execute("CREATE VIEW v AS SELECT k, v * 2 AS w FROM t ORDER BY k LIMIT 10")
        db.execute("CREATE MATERIALIZED VIEW m AS SELECT k, sum(w) AS s FROM v GROUP BY k; CREATE INDEX i ON m (k)")
        db.execute("INSERT INTO t VALUES ('a', 1.5), ('b', 2), ('c', NULL); INSERT INTO s.u VALUES (1)")
        db.execute("UPDATE t SET v = 7 WHERE k = 'b'; DELETE FROM t WHERE k = 'c'")
        db.execute("CREATE TABLE copied AS SELECT * FROM s.u; INSERT INTO s.u VALUES (2); TRUNCATE s.u")
        db.execute("CREATE TABLE gone (a int); INSERT INTO gone VALUES (1); DROP TABLE gone")
        rows = sorted(db.execute("SELECT * FROM m").rows())
        last = db.write("t", [("z", Decimal(1))])
    with Database.open(tmp_path) as db:
        assert sorted(db.execute("SELECT * FROM t").rows()) == [("a", Decimal("1.5")), ("b", 7), ("z", 1)]
        assert sorted(db.execute("SELECT * FROM m").rows()) == [*rows, ("z", 2)]
        assert db.ready
        assert db.execute("SELECT s FROM m WHERE k = 'b'").rows() == [(14,)]
        assert db.execute("SELECT * FROM s.u").rows() == []
        assert db.execute("SELECT * FROM copied").rows() == [(1,)]
        assert db.execute("SHOW TABLES").rows() == [("copied",), ("t",)]
        assert "d" in [row[0] for row in db.execute("SHOW DATABASES").rows()]
        assert db.write("t", [("y", Decimal(1))]) > last
        db.execute("CREATE TABLE fresh (a int); DROP VIEW v CASCADE")
    with Database.open(tmp_path) as db:
        assert db.execute("SHOW TABLES").rows() == [("copied",), ("fresh",), ("t",)]
        assert db.execute("SHOW MATERIALIZED VIEWS").rows() == []


NUMBERED = """SELECT 'database' AS kind, datname AS name, oid FROM pg_database
    UNION ALL SELECT 'schema', nspname, oid FROM pg_namespace UNION ALL SELECT 'role', rolname, oid FROM pg_roles"""


def numbers(db: Database) -> dict[tuple[object, object], object]:
    return {(kind, name): oid for kind, name, oid in db.execute(NUMBERED).rows()}


def test_numbers_of_names_come_back(tmp_path: Path) -> None:
    """Whatever was asked for first, and whoever asks."""
    with Database.open(tmp_path) as db:
        db.execute(
            "CREATE SCHEMA b; CREATE DATABASE d; CREATE ROLE r; CREATE SCHEMA gone; CREATE SCHEMA a; DROP SCHEMA gone"
        )
        before = numbers(db)
        with db.session("somebody") as session:
            assert session.execute("SELECT 'a'::regnamespace::oid").rows() == [(before["schema", "a"],)]
    with Database.open(tmp_path) as db:
        db.execute("CREATE SCHEMA c")
        after = numbers(db)
        assert {key: after[key] for key in before} == before
        assert after["schema", "c"] not in before.values()
        db.execute("ALTER SCHEMA a RENAME TO z; ALTER SCHEMA public RENAME TO private; CREATE SCHEMA public")
        renamed = numbers(db)
        assert (renamed["schema", "z"], renamed["schema", "private"]) == (before["schema", "a"], 2200)
    with Database.open(tmp_path) as db:
        assert numbers(db) == renamed
        assert len(set(renamed.values())) == len(renamed)


def test_every_type_comes_back(tmp_path: Path) -> None:
    with Database.open(tmp_path) as db:
        db.execute(
            "CREATE TABLE t (b boolean, l bigint, d double precision, n numeric, t text, y bytea,"
            " tz timestamptz, iv interval, j jsonb, u uuid)"
        )
        db.execute(
            "INSERT INTO t VALUES (true, -9223372036854775808, 'NaN', 'NaN', '', '\\x00ff', '9999-12-31 23:59:59+00',"
            " '178000000 years 1 day', '[1, null]', '00000000-0000-0000-0000-000000000001'),"
            " (NULL, 1, '-Infinity', 123456789012345678901234567890.123456789, 'é', NULL, NULL, NULL, '\"x\"', NULL)"
        )
        rows = repr(sorted(db.execute("SELECT * FROM t").rows(), key=repr))
    with Database.open(tmp_path) as db:
        assert repr(sorted(db.execute("SELECT * FROM t").rows(), key=repr)) == rows
        assert "Interval" in rows


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Database.open(tmp_path), pytest.raises(SourceError, match="in use"):
        Database.open(tmp_path)


WRITER = """
import sys
from engine.database import Database
db = Database.open(sys.argv[1])
db.execute("CREATE TABLE IF NOT EXISTS t (a bigint, b text); CREATE TABLE IF NOT EXISTS u (a bigint)")
(start,) = db.execute("SELECT count(*) FROM t").rows()[0]
session = db.session()
for i in range(start, start + 1_000_000):
    session.execute(f"BEGIN; INSERT INTO t VALUES ({i}, 'row {i}'); INSERT INTO u VALUES ({i}); COMMIT")
    print(i, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    acknowledged = -1
    for _ in range(2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        assert writer.stdout is not None
        for line in writer.stdout:
            acknowledged = int(line)
            if acknowledged % 20 == 19:
                break
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout:
            acknowledged = int(line)
        writer.stdout.close()
        writer.wait()
        with Database.open(tmp_path) as db:
            rows = sorted(db.execute("SELECT a, b FROM t").rows())
            assert [a for a, _ in rows] == list(range(len(rows)))
            assert all(b == f"row {a}" for a, b in rows)
            # A tick that committed and was not acknowledged any more may be there too; half of one may not.
            assert len(rows) - 1 in (acknowledged, acknowledged + 1)
            assert sorted(db.execute("SELECT a FROM u").rows()) == [(a,) for a, _ in rows]


def wait_for(db: Database, sql: str, rows: list[tuple]) -> None:
    with db.subscribe(f"SUBSCRIBE ({sql})") as changes:
        while db.execute(sql).rows() != rows:
            assert changes.wait(10)
            changes.poll()


def test_compaction_at_open_keeps_the_rows(tmp_path: Path) -> None:
    with Database.open(tmp_path) as db:
        db.execute("CREATE TABLE t (a int)")
        db._coordinator.log._db.execute("PRAGMA synchronous=OFF")
        for i in range(1000):
            db.write("t", [(i % 10,)])
        db.execute("DELETE FROM t WHERE a > 4")
    for _ in range(2):
        with Database.open(tmp_path) as db:
            assert db.execute("SELECT count(*), count(DISTINCT a) FROM t").rows() == [(500, 5)]
