"""Temporary tables and views: a session's own, gone with it."""

from pathlib import Path

import pytest

from engine.database import Database, Session
from engine.errors import SqlError


def sqlstate(session: Session, sql: str) -> str:
    with pytest.raises(SqlError) as failure:
        session.execute(sql)
    return failure.value.sqlstate


def test_each_session_has_its_own(db: Database) -> None:
    db.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    one, two = db.session(), db.session()
    for session, value in [(one, 10), (two, 20)]:
        session.execute("CREATE TEMP TABLE t (a int PRIMARY KEY); CREATE TEMPORARY VIEW v AS SELECT a + 1 AS b FROM t")
        session.execute(f"INSERT INTO t VALUES ({value})")
    assert one.execute("SELECT a, b FROM t, v").rows() == [(10, 11)]
    assert two.execute("SELECT a, b FROM mz_temp.t, pg_temp.v").rows() == [(20, 21)]
    assert sqlstate(one, "INSERT INTO t VALUES (10)") == "23505"
    assert one.execute("SELECT a FROM public.t").rows() == [(1,)]
    assert db.execute("SELECT count(*) FROM mz_tables WHERE name = 't'").rows() == [(3,)]
    one.close()
    assert db.execute("SELECT count(*) FROM mz_tables WHERE name = 't'").rows() == [(2,)]
    two.execute("DISCARD TEMP")
    assert two.execute("SELECT a FROM t").rows() == [(1,)]


def test_what_lives_on_cannot_read_it(db: Database) -> None:
    session = db.session()
    session.execute("CREATE TEMP TABLE t (a int)")
    assert sqlstate(session, "CREATE MATERIALIZED VIEW m AS SELECT * FROM t") == "42P16"
    assert sqlstate(session, "CREATE VIEW m AS SELECT * FROM t") == "42P16"
    assert sqlstate(session, "CREATE TEMP TABLE public.u (a int)") == "42P16"
    assert sqlstate(session, "CREATE TEMP TABLE t (a int)") == "42P07"


def test_discard_all(db: Database) -> None:
    session = db.session()
    session.execute("CREATE TEMP TABLE t (a int); PREPARE p AS SELECT 1; SET application_name = 'x'")
    assert session.execute("DISCARD ALL").tag == "DISCARD ALL"
    assert sqlstate(session, "SELECT * FROM t") == "42P01"
    assert sqlstate(session, "EXECUTE p") == "26000"
    assert session.execute("SHOW application_name").rows() == [("",)]


def test_nothing_of_it_is_durable(tmp_path: Path) -> None:
    with Database.open(tmp_path) as db:
        session = db.session()
        session.execute("CREATE TEMP TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE INDEX i ON t (a)")
        db.execute("CREATE TABLE u (a int)")
    with Database.open(tmp_path) as db:
        assert db.execute("SHOW TABLES").rows() == [("u",)]
