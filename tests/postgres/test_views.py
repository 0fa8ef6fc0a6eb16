"""The older form of a source, with its connection in the statement, and the views over what it copies."""

import pytest

from engine.database import Database
from engine.errors import DuplicateRelation, InvalidParameter, SourceError, SyntaxError_, UndefinedTable
from engine.sql.redaction import masked
from tests.kafka.waiting import until
from tests.postgres.server import PASSWORD, Server


def source(server: Server, database: str, password: str = PASSWORD) -> str:
    to = f"host=127.0.0.1 port={server.port} user=postgres password={password} dbname=''{database}''"
    return f"CREATE MATERIALIZED SOURCE s FROM POSTGRES CONNECTION '{to}' PUBLICATION 'p'"


def test_views_of_all_tables_and_of_some(upstream, server, tmp_path):
    """They follow the tables, over restarts; the password is nowhere to be read, and gone with the source."""
    for schema, table in (("public", "t"), ("up", "u")):
        upstream.run(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        upstream.table(f"{schema}.{table}", "id int PRIMARY KEY, b text")
        upstream.run(f"INSERT INTO {schema}.{table} VALUES (1, 'x')")
    upstream.run("CREATE PUBLICATION p FOR ALL TABLES")
    with Database.open(tmp_path) as db:
        db.execute(source(server, upstream.name))
        until(db, "SELECT a.id, b.id FROM s_t a, s_u b", [(1, 1)])
        db.execute("CREATE VIEWS FROM SOURCE s")
        db.execute("CREATE SCHEMA other")
        db.execute("CREATE MATERIALIZED VIEWS FROM SOURCE s (t AS v, up.u AS other.w)")
        with pytest.raises(DuplicateRelation):
            db.execute("CREATE VIEWS FROM SOURCE s (t AS fresh, u)")
        db.execute("CREATE VIEWS IF NOT EXISTS FROM SOURCE s (t, u)")
    upstream.run("INSERT INTO t VALUES (2, 'y')", "DELETE FROM up.u")
    with Database.open(tmp_path) as db:
        for rows in ("s_t", "t", "v"):
            until(db, f"SELECT * FROM {rows}", [(1, "x"), (2, "y")])
        for rows in ("s_u", "u", "other.w"):
            until(db, f"SELECT * FROM {rows}", [])
        assert [name for name, *_ in db.execute("SHOW VIEWS").rows()] == ["t", "u"]
        assert [name for name, *_ in db.execute("SHOW MATERIALIZED VIEWS").rows()] == ["v"]
        ((_, sql),) = db.execute("SHOW CREATE SOURCE s").rows()
        assert f"FROM POSTGRES CONNECTION 'host=''127.0.0.1'' port=''{server.port}''" in sql
        shown = str(db.execute("SELECT create_sql FROM mz_catalog.mz_sources").rows())
        assert PASSWORD not in sql + shown
        db.execute("ALTER SOURCE s RENAME TO r")
        db.execute("ALTER SOURCE s_t RENAME TO rows_of_t")
        upstream.run("UPDATE t SET b = 'z' WHERE id = 1")
        until(db, "SELECT * FROM t", [(1, "z"), (2, "y")])
    with Database.open(tmp_path) as db:
        until(db, "SELECT * FROM t", [(1, "z"), (2, "y")])
        db.execute("DROP VIEW u")
        db.execute("DROP SOURCE r CASCADE")
        assert db.execute("SHOW VIEWS").rows() == []
        assert upstream.slots() == []
        assert db._coordinator.log is not None
        assert db._coordinator.log.facts("secret") == {}


def test_views_beside_the_tables_of_a_source(db, upstream):
    """A name that a table's copy has is taken; of a table that was copied twice it must be said which one."""
    upstream.table("t", "id int")
    upstream.run("INSERT INTO t VALUES (1)")
    upstream.follow(db)
    with pytest.raises(DuplicateRelation):
        db.execute("CREATE VIEWS FROM SOURCE s")
    db.execute("CREATE VIEWS FROM SOURCE s (public.t AS v)")
    until(db, "SELECT * FROM v", [(1,)])
    with pytest.raises(UndefinedTable, match=r'no table "other\.t"'):
        db.execute("CREATE VIEWS FROM SOURCE s (other.t)")
    db.execute("CREATE TABLE again FROM SOURCE s (REFERENCE public.t)")
    with pytest.raises(InvalidParameter, match="ambiguous: t, again"):
        db.execute("CREATE VIEWS FROM SOURCE s (t AS w)")
    upstream.connection_of(db)
    db.execute("CREATE SOURCE bare FROM POSTGRES CONNECTION pg (PUBLICATION 'p')")
    with pytest.raises(UndefinedTable, match='source "bare" has no tables'):
        db.execute("CREATE VIEWS FROM SOURCE bare")


def test_names_and_passwords_with_blanks_and_quotes(upstream, server, tmp_path):
    upstream.table("t", "id int")
    upstream.run(
        "CREATE PUBLICATION p FOR ALL TABLES", "INSERT INTO t VALUES (1)", 'DROP ROLE IF EXISTS "q r"',
        r"""CREATE ROLE "q r" LOGIN SUPERUSER PASSWORD 'it''s \ mine'""",
    )  # fmt: skip
    to = rf"host=127.0.0.1 port={server.port} user=''q r'' password = ''it\''s \\ mine'' dbname={upstream.name}"
    sql = f"CREATE SOURCE s FROM POSTGRES CONNECTION '{to}' PUBLICATION 'p'"
    assert "mine" not in masked(sql)
    with Database.open(tmp_path) as db:
        db.execute(sql)
        until(db, "SELECT * FROM s_t", [(1,)])
    upstream.run("INSERT INTO t VALUES (2)")
    with Database.open(tmp_path) as db:
        until(db, "SELECT * FROM s_t", [(1,), (2,)])
    assert PASSWORD not in masked(source(server, upstream.name))
    assert r"it\'s" not in masked(r"CREATE SOURCE s FROM POSTGRES CONNECTION $$password='it\'s'$$ PUBLICATION 'p'")


def test_a_connection_that_is_none(db, upstream, server):
    """What was wrong is said, and never the password."""
    upstream.run("CREATE PUBLICATION p FOR ALL TABLES")
    with pytest.raises(SourceError, match="password authentication failed") as raised:
        db.execute(source(server, upstream.name, "not-the-1"))
    assert "not-the-1" not in str(raised.value)
    for to, error, why in (
        ("postgres://u:secret@h/d", SyntaxError_, "not a list of key=value"),
        ("host=h user=u", SyntaxError_, "needs DATABASE"),
        ("host=h user=u dbname=d colour=red", InvalidParameter, 'option "colour"'),
        ("host=h user=u dbname=d port=x", InvalidParameter, "port"),
    ):
        with pytest.raises(error, match=why):
            db.execute(f"CREATE SOURCE s FROM POSTGRES CONNECTION '{to}' PUBLICATION 'p'")
    assert db._coordinator.secrets == {}
