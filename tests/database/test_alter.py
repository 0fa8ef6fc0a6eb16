"""Names and options that change under what uses them: it means what it meant, then and after a restart."""

import pytest

from engine.database import Database
from engine.errors import (
    DependentObjects,
    DuplicateObject,
    DuplicateRelation,
    SqlError,
    UndefinedColumn,
    UndefinedObject,
    UndefinedTable,
    WrongObjectType,
)

WORLD = """
    CREATE TYPE pair AS (x int, y text);
    CREATE TABLE t (a int, p pair);
    CREATE TABLE other (a int, b int, c int);
    CREATE VIEW v AS SELECT t.a, public.t.p, u.a AS c FROM t, t AS u WHERE t.a = u.a AND (t.p).y IS NOT NULL;
    CREATE MATERIALIZED VIEW m AS SELECT v.a, (SELECT count(*) FROM t WHERE t.a = v.a) AS n, v.p FROM v;
    CREATE INDEX i ON m (n);
    INSERT INTO t VALUES (1, (1, 'x')), (2, (2, 'y'));
"""


def rows(db, relation):
    return sorted(db.execute(f"SELECT * FROM {relation}").rows())


def test_a_renamed_table_is_read_by_what_read_it(directory):
    db = directory.open()
    db.execute(WORLD)
    before = rows(db, "m")
    db.execute("ALTER TABLE t RENAME TO t2; ALTER VIEW v RENAME TO w; ALTER MATERIALIZED VIEW m RENAME TO m2")
    db.execute("ALTER INDEX i RENAME TO j; ALTER TYPE pair RENAME TO duo; ALTER TABLE other RENAME TO t")
    for db in directory.then_and_later():
        assert rows(db, "m2") == before
        assert [column.name for column in db.execute("SELECT * FROM t").columns] == ["a", "b", "c"]
        with pytest.raises(UndefinedTable):
            db.execute("SELECT * FROM m")
        for kind, name in (
            ("view", "w"),
            ("table", "t2"),
            ("index", "j"),
            ("type", "duo"),
            ("materialized view", "m2"),
        ):
            ((_, sql),) = db.execute(f"SHOW CREATE {kind} {name}").rows()
            assert name.split()[-1] in sql
            assert "pair" not in sql
    db.execute("INSERT INTO t2 VALUES (1, (1, 'z'))")
    assert len(rows(db, "m2")) == 5
    db.execute("DELETE FROM t2 WHERE (p).y = 'z'")
    assert rows(db, "m2") == before
    with pytest.raises(DependentObjects):
        db.execute("DROP TYPE duo")


def test_names_that_swap(directory):
    db = directory.open()
    db.execute(f"{WORLD} CREATE VIEW o AS SELECT * FROM other; INSERT INTO other VALUES (1, 2, 3)")
    before = rows(db, "m"), rows(db, "o")
    db.execute("ALTER TABLE t SWAP WITH other")
    for db in directory.then_and_later():
        assert (rows(db, "m"), rows(db, "o")) == before
        assert rows(db, "t") == [(1, 2, 3)]


def test_a_schema_and_a_database_are_renamed_with_all_in_them(directory):
    db = directory.open()
    db.execute("CREATE DATABASE d; CREATE SCHEMA d.s; CREATE TABLE d.s.t (a int); INSERT INTO d.s.t VALUES (7)")
    db.execute("CREATE MATERIALIZED VIEW m AS SELECT t.a, s.t.a AS b FROM d.s.t")
    db.execute("ALTER SCHEMA d.s RENAME TO z; ALTER DATABASE d RENAME TO e")
    for db in directory.then_and_later():
        assert rows(db, "e.z.t") == [(7,)]
        assert rows(db, "m") == [(7, 7)]
        with pytest.raises(SqlError):
            db.execute("SELECT * FROM d.s.t")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("ALTER TABLE other RENAME TO v", DuplicateRelation),
        ("ALTER TABLE other RENAME TO u", DependentObjects),  # v has a t called u
        ("ALTER VIEW t RENAME TO x", WrongObjectType),
        ("ALTER TABLE nope RENAME TO x", UndefinedTable),
        ("ALTER TABLE mz_tables RENAME TO x", WrongObjectType),
        ("ALTER SCHEMA public RENAME TO public", DuplicateObject),
        ("ALTER SCHEMA mz_catalog RENAME TO x", WrongObjectType),
        ("ALTER TABLE t SWAP WITH v", WrongObjectType),
        ("ALTER VIEW v SET (RETAIN HISTORY FOR '1s')", WrongObjectType),
        ("COMMENT ON COLUMN t.nope IS 'x'", UndefinedColumn),
        ("COMMENT ON VIEW t IS 'x'", WrongObjectType),
        ("COMMENT ON ROLE nobody IS 'x'", UndefinedObject),
    ],
)
def test_what_is_refused_changes_nothing(sql, error):
    with Database.in_memory() as db:
        db.execute(f"{WORLD} CREATE VIEW two AS SELECT u.b FROM other, t AS u2, (SELECT b FROM other) AS u")
        before = db.execute("SHOW CREATE VIEW v").rows(), rows(db, "m")
        with pytest.raises(error):
            db.execute(sql)
        assert (db.execute("SHOW CREATE VIEW v").rows(), rows(db, "m")) == before


def test_a_rename_that_is_not_asked_for_is_passed_over():
    with Database.in_memory() as db:
        assert db.execute("ALTER TABLE IF EXISTS nope RENAME TO x").notices


def test_history_is_kept_as_long_as_said(directory):
    db = directory.open()
    db.execute(WORLD)
    for sql in ("TABLE t", "MATERIALIZED VIEW m", "INDEX i"):
        db.execute(f"ALTER {sql} SET (RETAIN HISTORY = FOR '1h')")
    begin = db.execute("SELECT * FROM t").timestamp
    for i in range(3):
        db.execute(f"INSERT INTO t VALUES ({i + 3}, (1, 'x'))")
    assert len(db.execute(f"SELECT * FROM t AS OF {begin}").rows()) == 2
    for kind, name in (("TABLE", "t"), ("MATERIALIZED VIEW", "m"), ("INDEX", "i")):
        db = directory.open()
        assert "3600000 ms" in db.execute(f"SHOW CREATE {kind} {name}").rows()[0][1]
        db.execute(f"ALTER {kind} {name} RESET (RETAIN HISTORY)")
        assert "RETAIN" not in db.execute(f"SHOW CREATE {kind} {name}").rows()[0][1]
    assert len(db.execute("CREATE TABLE k (a int) WITH (RETAIN HISTORY FOR '2s'); SHOW CREATE TABLE k").rows()) == 1


def test_comments_stay_with_what_they_are_on(directory):
    db = directory.open()
    db.execute(WORLD)
    db.execute("COMMENT ON TABLE t IS 'rows'; COMMENT ON COLUMN t.p IS 'both'; COMMENT ON SCHEMA public IS 'all'")
    db.execute("ALTER TABLE t RENAME TO t2; COMMENT ON VIEW v IS 'gone'; COMMENT ON VIEW v IS NULL")
    for db in directory.then_and_later():
        texts = db._coordinator.catalog.comments
        assert sorted(texts.values()) == ["all", "both", "rows"]
    db.execute("DROP TABLE t2 CASCADE")
    assert sorted(db._coordinator.catalog.comments.values()) == ["all"]
    assert sorted(directory.open()._coordinator.catalog.comments.values()) == ["all"]


def test_clusters_are_names(directory):
    db = directory.open()
    assert db.execute("CREATE CLUSTER big (SIZE = '100cc')").notices
    for db in directory.then_and_later():
        session = db.session()
        session.execute("SET cluster = big; SET cluster = quickstart")
        with pytest.raises(UndefinedObject):
            session.execute("SET cluster = small")
    db.execute("DROP CLUSTER big; DROP CLUSTER IF EXISTS big")
    with pytest.raises(WrongObjectType):
        db.execute("DROP CLUSTER quickstart")
