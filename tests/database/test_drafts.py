"""Changes of the catalog in a transaction: its own from the first statement on, everybody's at COMMIT, nobody's after
ROLLBACK."""

import pytest

from engine.database import Database
from engine.errors import (
    DuplicateRelation,
    SerializationFailure,
    SqlError,
    UndefinedTable,
    UniqueViolation,
    Unsupported,
)


@pytest.fixture
def db():
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
        db.execute("CREATE VIEW v AS SELECT b FROM t; CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t")
        yield db


EVERY = """
    CREATE SCHEMA s; CREATE TABLE s.u (a int PRIMARY KEY, b text DEFAULT 'd'); INSERT INTO s.u (a) VALUES (1), (3);
    CREATE VIEW w AS SELECT u.a FROM s.u, t WHERE u.a = t.a; CREATE MATERIALIZED VIEW mw AS SELECT sum(a) AS n FROM w;
    CREATE INDEX i ON mw (n); CREATE INDEX j ON v (b); CREATE TYPE p AS (x int); CREATE ROLE r;
    ALTER VIEW v RENAME TO renamed; COMMENT ON TABLE t IS 'here'; DROP MATERIALIZED VIEW m;
    CREATE TEMPORARY TABLE tmp (a int); CREATE OR REPLACE VIEW renamed AS SELECT b || '!' AS b FROM t;
    CREATE TABLE c AS SELECT a FROM t; CREATE SOURCE g FROM LOAD GENERATOR COUNTER; INSERT INTO t VALUES (3, 'z')
"""


def contents(session):
    """All that the user's objects are and hold."""
    objects = session.execute("SELECT name, type FROM mz_objects WHERE id LIKE 'u%' ORDER BY name").rows()
    rest = session.execute("SELECT name FROM mz_roles ORDER BY 1").rows() + session.execute("SHOW SCHEMAS").rows()
    comments = session.execute("SELECT comment FROM mz_internal.mz_comments").rows()
    rows = [
        (name, kind, sorted(session.execute(f'SELECT * FROM "{name}"').rows()))
        for name, kind in objects
        if kind in ("table", "view", "materialized view") and name != "u"
    ]
    return objects, rest, comments, rows


def test_rollback_leaves_nothing_and_others_see_nothing(db):
    before = contents(db)
    with db.session() as session:
        session.execute("BEGIN")
        session.execute(EVERY)
        assert contents(db) == before
        assert session.execute("SELECT * FROM s.u ORDER BY a").rows() == [(1, "d"), (3, "d")]
        assert session.execute("SELECT n FROM mw").rows() == [(4,)]
        assert session.execute("SELECT b FROM renamed ORDER BY b").rows() == [("x!",), ("y!",), ("z!",)]
        with pytest.raises(UndefinedTable):
            session.execute("SELECT * FROM m")
        session.execute("ROLLBACK")
        assert contents(session) == before
    assert contents(db) == before
    db.execute("CREATE TABLE s_u (a int); CREATE VIEW w AS SELECT 1")  # the names are free


def test_commit_makes_all_of_it(db):
    with db.session() as session:
        session.execute("BEGIN")
        session.execute(EVERY)
        inside = contents(session)
        session.execute("COMMIT")
        after = contents(session)
        assert after == inside
        assert session.execute("SELECT n FROM mw").rows() == [(4,)]
        assert session.execute("SHOW INDEXES ON mw").rows() == [("i", "mw", "n", True)]
        session.execute("INSERT INTO s.u VALUES (2, 'e')")
        assert db.execute("SELECT n FROM mw WHERE n = 6").rows() == [(6,)]


def test_a_failed_statement_fails_all_of_it(db):
    before = contents(db)
    with db.session() as session:
        session.execute("BEGIN; CREATE TABLE u (a int); CREATE VIEW w AS SELECT * FROM u")
        with pytest.raises(DuplicateRelation):
            session.execute("CREATE TABLE u (b int)")
        assert session.execute("COMMIT").tag == "ROLLBACK"
    assert contents(db) == before


def test_a_text_is_one_transaction(db):
    before = contents(db)
    with pytest.raises(SqlError):
        db.execute("CREATE TABLE u (a int); INSERT INTO u VALUES (1); SELECT 1 / 0")
    assert contents(db) == before


def test_savepoints(db):
    with db.session() as session:
        session.execute("BEGIN; CREATE TABLE u (a int); INSERT INTO u VALUES (1); SAVEPOINT one")
        session.execute("CREATE TABLE w (a int); DROP TABLE u")
        with pytest.raises(SqlError):
            session.execute("SELECT * FROM u")
        session.execute("ROLLBACK TO one; INSERT INTO u VALUES (2)")
        assert session.execute("SELECT * FROM u ORDER BY a").rows() == [(1,), (2,)]
        session.execute("COMMIT")
    assert db.execute("SELECT count(*) FROM u").rows() == [(2,)]
    assert ("w",) not in db.execute("SHOW TABLES").rows()


def test_a_savepoint_before_any_change_of_the_catalog(db):
    with db.session() as session:
        session.execute("BEGIN; SAVEPOINT one; CREATE TABLE u (a int); ROLLBACK TO one; CREATE TABLE w (a int); COMMIT")
    assert db.execute("SHOW TABLES").rows() == [("t",), ("w",)]


def test_constraints_hold_for_what_the_block_has_made(db):
    with db.session() as session:
        session.execute("BEGIN; CREATE TABLE u (a int PRIMARY KEY, b int); INSERT INTO u VALUES (1, 1)")
        session.execute("INSERT INTO u VALUES (1, 5) ON CONFLICT (a) DO UPDATE SET b = excluded.b")
        assert session.execute("SELECT * FROM u").rows() == [(1, 5)]
        session.execute("UPDATE u SET b = 6; DELETE FROM t WHERE a = 1")
        session.execute("SAVEPOINT s")
        with pytest.raises(UniqueViolation):
            session.execute("INSERT INTO u VALUES (1, 2)")
        session.execute("ROLLBACK TO s; COMMIT")
    assert db.execute("SELECT * FROM u").rows() == [(1, 6)]
    with pytest.raises(UniqueViolation):
        db.execute("INSERT INTO u VALUES (1, 2)")


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("CREATE TABLE u (a int)", "CREATE TABLE u (b int)"),
        ("CREATE VIEW w AS SELECT * FROM t", "DROP TABLE t CASCADE"),
        ("CREATE VIEW w AS SELECT * FROM t", "ALTER TABLE t RENAME TO gone"),
        ("DROP VIEW v", "CREATE VIEW w AS SELECT * FROM v; CREATE INDEX i ON v (b)"),
        ("DROP VIEW v", "DROP VIEW v"),
        ("ALTER VIEW v RENAME TO w", "ALTER VIEW v RENAME TO x"),
        ("CREATE TABLE s.u (a int)", "DROP SCHEMA s"),
    ],
)
def test_changes_of_the_same_are_refused(db, mine, theirs):
    db.execute("CREATE SCHEMA s")
    with db.session() as session:
        session.execute("BEGIN")
        session.execute(mine)
        db.execute(theirs)
        before = contents(db)
        with pytest.raises(SerializationFailure):
            session.execute("COMMIT")
        assert session.transaction_status == "I"
    assert contents(db) == before


def test_independent_changes_go_together(db):
    with db.session() as one, db.session() as other:
        one.execute("BEGIN; CREATE TABLE u (a int); INSERT INTO u VALUES (1)")
        other.execute("BEGIN; CREATE TABLE w (a int); INSERT INTO w VALUES (2); DROP VIEW v")
        db.execute("CREATE TABLE x (a int); INSERT INTO x VALUES (3)")
        other.execute("COMMIT")
        one.execute("COMMIT")
    assert db.execute("SELECT * FROM u, w, x").rows() == [(1, 2, 3)]
    assert db.execute("SHOW VIEWS").rows() == []


def test_what_others_write_meanwhile_is_noticed(db):
    with db.session() as session:
        session.execute("BEGIN; CREATE MATERIALIZED VIEW n AS SELECT max(a) AS a FROM t; CREATE TABLE u (a int)")
        session.execute("INSERT INTO u SELECT a FROM n")
        db.execute("INSERT INTO t VALUES (9, 'nine')")
        with pytest.raises(SerializationFailure):
            session.execute("COMMIT")
    assert db.execute("SHOW TABLES").rows() == [("t",)]


def test_catalogs_show_the_draft(db):
    with db.session() as session:
        session.execute("BEGIN; CREATE TABLE u (a int NOT NULL, b text)")
        columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'u'::regclass AND attnum > 0 ORDER BY attnum"
        assert session.execute(columns).rows() == [("a",), ("b",)]
        assert session.execute("SELECT count(*) FROM information_schema.tables WHERE table_name = 'u'").rows() == [(1,)]
        assert db.execute("SELECT count(*) FROM pg_class WHERE relname = 'u'").rows() == [(0,)]
        with pytest.raises(Unsupported, match="cannot be subscribed to yet"):
            session.subscribe("SUBSCRIBE u")


def test_a_transaction_survives_whole(tmp_path):
    with Database.open(tmp_path) as db, db.session() as session:
        session.execute(
            "BEGIN; CREATE TABLE u (a int); INSERT INTO u VALUES (1); CREATE VIEW w AS SELECT a FROM u; COMMIT"
        )
        session.execute("BEGIN; CREATE TABLE x (a int); INSERT INTO u VALUES (2); DROP VIEW w")
    with Database.open(tmp_path) as db:
        assert db.execute("SELECT * FROM w").rows() == [(1,)]
        assert db.execute("SHOW TABLES").rows() == [("u",)]
