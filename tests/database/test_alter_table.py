"""ALTER TABLE: the rows are the old ones in the new shape, and what reads them goes on to read the same."""

import threading

import pytest

from engine.database import Database
from engine.errors import (
    DependentObjects,
    DuplicateColumn,
    InvalidTableDefinition,
    NotNullViolation,
    SqlError,
    UndefinedColumn,
    UndefinedObject,
    UniqueViolation,
    Unsupported,
)
from tests.database.conftest import Directory

TABLE = "CREATE TABLE t (a int PRIMARY KEY, b text, c int); INSERT INTO t VALUES (1, 'x', 10), (2, 'y', NULL)"

READERS = """
    CREATE VIEW v AS SELECT * FROM t;
    CREATE VIEW nested AS SELECT b, x.n FROM v, LATERAL (SELECT count(*) AS n FROM t AS u WHERE u.a <= v.a) AS x;
    CREATE VIEW joined AS SELECT * FROM t NATURAL JOIN (SELECT a, 'z' AS extra FROM t) AS w;
    CREATE VIEW qualified AS SELECT materialize.public.t.a + 1 AS a1, t FROM t;
    CREATE MATERIALIZED VIEW m AS SELECT b, count(*) AS n, max(c) AS c FROM v GROUP BY b;
    CREATE INDEX i ON m (n);
    CREATE INDEX j ON t (b)
"""
VIEWS = "v", "nested", "joined", "qualified", "m"


def every(db):
    return {name: sorted(map(repr, db.execute(f"SELECT * FROM {name}").rows())) for name in VIEWS}


def columns(db):
    return {name: [column.name for column in db.execute(f"SELECT * FROM {name}").columns] for name in VIEWS}


@pytest.mark.parametrize(
    "change",
    [
        "ADD COLUMN extra text DEFAULT 'e'",  # which the natural join must not take for its own
        "ADD d int, ADD COLUMN e text NOT NULL DEFAULT 'q' UNIQUE, DROP COLUMN e",
        "RENAME COLUMN b TO bee",
        "RENAME a TO id",
        "ALTER COLUMN b SET NOT NULL",
        "ALTER b SET DEFAULT 'd'",
        "ADD CONSTRAINT k UNIQUE (b)",
        "DROP CONSTRAINT t_pkey",
    ],
)
def test_readers_go_on_to_read_the_same(tmp_path, change):
    with Database.open(tmp_path) as db:
        db.execute(TABLE + ";" + READERS)
        before, named = every(db), columns(db)
        if "extra" in change:
            db.execute("COMMENT ON COLUMN t.b IS 'bee'; COMMENT ON VIEW v IS 'all'")
            told = db.execute("SELECT object_type, object_sub_id, comment FROM mz_internal.mz_comments").rows()
        db.execute(f"ALTER TABLE t {change}")
        assert (every(db), columns(db)) == (before, named)
        if "extra" in change:
            found = db.execute("SELECT object_type, object_sub_id, comment FROM mz_internal.mz_comments").rows()
            assert sorted(found) == sorted(told)
        names = [column.name for column in db.execute("SELECT * FROM t").columns]
        db.execute(f"INSERT INTO t ({names[0]}, {names[1]}, c) VALUES (3, 'z', 5)")
        after = every(db)
        assert len(after["v"]) == 3
        table = sorted(db.execute("SELECT * FROM t").rows())
        shown = db.execute("SHOW CREATE TABLE t").rows()
    with Database.open(tmp_path) as db:
        assert every(db) == after
        assert sorted(db.execute("SELECT * FROM t").rows()) == table
        assert db.execute("SHOW CREATE TABLE t").rows() == shown


def test_rows_have_the_default_and_keep_what_they_had(db):
    db.execute(TABLE)
    db.execute("ALTER TABLE t ADD COLUMN d int DEFAULT 7, DROP COLUMN c, ADD COLUMN e date DEFAULT '2024-01-01'")
    assert db.execute("SELECT a, b, d, e::text FROM t ORDER BY a").rows() == [
        (1, "x", 7, "2024-01-01"), (2, "y", 7, "2024-01-01"),
    ]  # fmt: skip
    db.execute("ALTER TABLE t ALTER d DROP DEFAULT, ALTER COLUMN b SET DEFAULT upper('q')")
    db.execute("INSERT INTO t (a) VALUES (3)")
    assert db.execute("SELECT b, d FROM t WHERE a = 3").rows() == [("Q", None)]
    with pytest.raises(UniqueViolation):
        db.execute("INSERT INTO t (a) VALUES (3)")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("DROP COLUMN b", DependentObjects, 'view "v"'),
        ("ADD COLUMN b int", DuplicateColumn, "already exists"),
        ("RENAME b TO a", DuplicateColumn, "already exists"),
        ("DROP COLUMN nope", UndefinedColumn, '"nope"'),
        ("RENAME nope TO x", UndefinedColumn, '"nope"'),
        ("ADD COLUMN d int NOT NULL", NotNullViolation, '"d"'),
        ("ALTER c SET NOT NULL", NotNullViolation, '"c"'),
        ("ALTER a DROP NOT NULL", InvalidTableDefinition, "primary key"),
        ("ADD PRIMARY KEY (c)", InvalidTableDefinition, "multiple primary keys"),
        ("ADD COLUMN d int DEFAULT 1 UNIQUE", UniqueViolation, "t_d_key"),
        ("DROP CONSTRAINT nope", UndefinedObject, '"nope"'),
        ("ADD CHECK (a > 0)", Unsupported, "CHECK"),
    ],
)
def test_what_cannot_be_says_why_and_changes_nothing(db, change, error, words):
    db.execute(TABLE + ";" + READERS)
    before, shown = every(db), db.execute("SHOW CREATE TABLE t").rows()
    with pytest.raises(error, match=words):
        db.execute(f"ALTER TABLE t {change}")
    assert every(db) == before
    assert db.execute("SHOW CREATE TABLE t").rows() == shown


def test_cascade_takes_what_reads_the_column_and_nothing_else(db):
    db.execute(TABLE)
    db.execute("CREATE VIEW uses AS SELECT b FROM t; CREATE VIEW above AS SELECT * FROM uses; CREATE INDEX ON t (b)")
    db.execute("CREATE VIEW star AS SELECT * FROM t; CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM t")
    db.execute("ALTER TABLE t DROP COLUMN b CASCADE")
    names = [name for (name,) in db.execute("SELECT name FROM mz_objects WHERE id LIKE 'u%'").rows()]
    assert sorted(names) == ["counts", "t", "t_pkey"]
    assert db.execute("SELECT * FROM counts").rows() == [(2,)]


def test_a_column_that_joins_by_itself_is_used(db):
    """A NATURAL JOIN over the columns that are left binds, and would mean something else."""
    db.execute(TABLE + "; CREATE TABLE u (a int, c int); INSERT INTO u VALUES (1, 10), (2, 3)")
    db.execute("CREATE VIEW joined AS SELECT t.b FROM t NATURAL JOIN u")
    with pytest.raises(DependentObjects, match="joined"):
        db.execute("ALTER TABLE t DROP COLUMN c")
    db.execute("ALTER TABLE u RENAME c TO other")
    assert db.execute("SELECT * FROM joined").rows() == [("x",)]


def test_in_a_block_it_is_the_blocks_own(tmp_path):
    with Database.open(tmp_path) as db:
        db.execute(TABLE + ";" + READERS)
        before = every(db)
        with db.session() as session:
            session.execute(
                "BEGIN; UPDATE t SET c = 1; ALTER TABLE t ADD d int; SAVEPOINT s; ALTER TABLE t DROP c CASCADE"
            )
            session.execute("ROLLBACK TO s; UPDATE t SET d = a * 2; INSERT INTO t VALUES (3, 'z', 0, 1)")
            assert sorted(session.execute("SELECT a, c, d FROM t").rows()) == [(1, 1, 2), (2, 1, 4), (3, 0, 1)]
            assert session.execute("SELECT count(*) FROM v").rows() == [(3,)]
            assert every(db) == before
            session.execute("ROLLBACK")
            assert every(db) == before
            session.execute("BEGIN; ALTER TABLE t ADD d int; UPDATE t SET d = a; COMMIT")
        assert sorted(db.execute("SELECT a, d FROM t").rows()) == [(1, 1), (2, 2)]
    with Database.open(tmp_path) as db:
        assert sorted(db.execute("SELECT a, d FROM t").rows()) == [(1, 1), (2, 2)]
        assert every(db) == before


def test_writers_and_readers_beside_it_lose_nothing_and_see_no_empty_table(db):
    db.execute("CREATE TABLE t (a int, b int); INSERT INTO t SELECT g, g FROM generate_series(1, 5000) AS g")
    db.execute("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t")
    done, wrong = threading.Event(), []

    def write():
        with db.session() as session:
            number = 0
            while not done.wait(0.001):
                number += 1
                session.execute(f"INSERT INTO t (a, b) VALUES ({number}, 0)")
            wrong.append(("written", number))

    def read():
        with db.session() as session:
            last = 5000
            while not done.wait(0.001):
                for query in ("SELECT count(*) FROM t", "SELECT n FROM m"):
                    ((n,),) = session.execute(query).rows()
                    if n < last:
                        wrong.append((query, last, n))
                    last = n

    threads = [threading.Thread(target=write), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        db.execute("ALTER TABLE t ADD c int DEFAULT 1")
        db.execute("ALTER TABLE t DROP c")
    done.set()
    for thread in threads:
        thread.join()
    ((word, number),) = wrong
    assert word == "written"
    assert db.execute("SELECT count(*) FROM t WHERE b = 0").rows() == [(number,)]


def test_columns_of_views_are_renamed_too(db):
    db.execute(TABLE + "; CREATE VIEW v AS SELECT * FROM t; CREATE MATERIALIZED VIEW m AS SELECT b, a FROM v")
    db.execute("ALTER VIEW v RENAME COLUMN b TO q; ALTER MATERIALIZED VIEW m RENAME b TO r")
    assert db.execute("SELECT q FROM v ORDER BY q").rows() == [("x",), ("y",)]
    assert db.execute("SELECT r FROM m WHERE a = 2").rows() == [("y",)]
    with pytest.raises(SqlError):
        db.execute("ALTER INDEX t_pkey RENAME COLUMN a TO b")


def test_a_column_becomes_another_type(directory: Directory) -> None:
    """At one tick; what reads other columns goes on, defaults and keys stay."""
    db = directory.open()
    db.execute("CREATE TABLE t (a int PRIMARY KEY, b text DEFAULT '7', c int); INSERT INTO t VALUES (1, '10', 5)")
    db.execute("CREATE VIEW v AS SELECT c FROM t; CREATE MATERIALIZED VIEW m AS SELECT sum(c) AS s FROM v")
    db.execute("ALTER TABLE t ALTER b TYPE int USING b::int + c, ALTER COLUMN a SET DATA TYPE text")
    assert db.execute("SELECT * FROM t").rows() == [("1", 15, 5)]
    with pytest.raises(UniqueViolation):
        db.execute("INSERT INTO t (a) VALUES ('1')")
    db.execute("INSERT INTO t (a) VALUES ('2')")
    for now in directory.then_and_later():
        assert sorted(now.execute("SELECT * FROM t").rows()) == [("1", 15, 5), ("2", 7, None)]
        assert now.execute("SELECT * FROM m").rows() == [(5,)]
        types = (
            "SELECT type FROM mz_columns JOIN mz_tables t ON t.id = mz_columns.id WHERE t.name = 't' ORDER BY position"
        )
        assert now.execute(types).rows() == [("text",), ("integer",), ("integer",)]


@pytest.mark.parametrize(
    ("action", "sqlstate", "match"),
    [
        ("ALTER b TYPE int", "42804", 'USING b::integer'),
        ("ALTER b TYPE int USING b", "42804", "result of USING clause"),
        ("ALTER b TYPE int USING b::int", "22P02", '"x"'),
        ("ALTER c TYPE bigint", "2BP01", 'view "v" depends on what is changed'),
        ("ALTER b TYPE int USING (SELECT 1)", "0A000", "subquery"),
        ("ALTER a TYPE bigint, ALTER a TYPE int", "0A000", "twice"),
        ("ALTER nobody TYPE int", "42703", "nobody"),
        ("ALTER a TYPE nothing", "42704", "nothing"),
        ("RENAME CONSTRAINT nobody TO x", "42704", 'constraint "nobody" for table "t"'),
        ("RENAME CONSTRAINT t_pkey TO v", "42P07", '"v" already exists'),
    ],
)  # fmt: skip
def test_what_cannot_be_altered_changes_nothing(db: Database, action: str, sqlstate: str, match: str) -> None:
    db.execute("CREATE TABLE t (a int PRIMARY KEY, b text, c int); INSERT INTO t VALUES (1, 'x', 5)")
    db.execute("CREATE VIEW v AS SELECT a, c FROM t WHERE c > 1")
    with pytest.raises(SqlError) as refused:
        db.execute(f"ALTER TABLE t {action}")
    assert refused.value.sqlstate == sqlstate
    assert match in f"{refused.value.message} {refused.value.detail} {refused.value.hint}"
    assert db.execute("SELECT * FROM t, v").rows() == [(1, "x", 5, 1, 5)]


def test_a_constraint_gets_another_name(directory: Directory) -> None:
    db = directory.open()
    db.execute("CREATE TABLE t (a int PRIMARY KEY, b text UNIQUE); INSERT INTO t VALUES (1, 'x')")
    db.execute("ALTER TABLE t RENAME CONSTRAINT t_b_key TO called")
    for now in directory.then_and_later():
        with pytest.raises(UniqueViolation, match='"called"'):
            now.execute("INSERT INTO t VALUES (2, 'x')")
        now.execute("INSERT INTO t VALUES (3, 'x') ON CONFLICT ON CONSTRAINT called DO NOTHING")
        names = "SELECT conname FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1"
        assert now.execute(names).rows() == [("called",), ("t_pkey",)]
        assert "CONSTRAINT called UNIQUE" in now.execute("SHOW CREATE TABLE t").rows()[0][1]


def test_the_column_of_a_key_gets_another_name(directory: Directory) -> None:
    """Also where the key goes by what is computed of it."""
    db = directory.open()
    db.execute("CREATE TABLE t (i interval PRIMARY KEY, d double precision UNIQUE, a int)")
    db.execute("ALTER TABLE t RENAME COLUMN a TO b; ALTER TABLE t RENAME i TO j; ALTER TABLE t RENAME d TO e")
    db.execute("INSERT INTO t VALUES ('1 month', '-0', 1)")
    for now in directory.then_and_later():
        now.execute("INSERT INTO t VALUES ('30 days', 7) ON CONFLICT (j) DO UPDATE SET b = t.b + 1")
        with pytest.raises(UniqueViolation, match="t_d_key"):
            now.execute("INSERT INTO t VALUES ('31 days', 0)")
        assert "PRIMARY KEY (j)" in now.execute("SHOW CREATE TABLE t").rows()[0][1]
        assert now.execute("SELECT name, key FROM (SHOW INDEXES ON t) ORDER BY name").rows() == [
            ("t_d_key", "e"), ("t_pkey", "j"),
        ]  # fmt: skip
    assert now.execute("SELECT e::text, b FROM t").rows() == [("-0", 3)]


def test_objects_move_to_another_schema(directory: Directory) -> None:
    """With their indexes; what reads them goes on, also after a restart."""
    db = directory.open()
    db.execute("CREATE SCHEMA s; CREATE TABLE t (a int PRIMARY KEY, b text); CREATE INDEX i ON t (b)")
    db.execute("CREATE SOURCE n FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1h'); CREATE TYPE y AS (a int)")
    db.execute("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t; CREATE VIEW v AS SELECT n FROM m")
    for what in ("TABLE t", "SOURCE n", "TYPE y", "MATERIALIZED VIEW m"):
        db.execute(f"ALTER {what} SET SCHEMA s")
    assert "skipping" in db.execute("ALTER VIEW IF EXISTS nobody SET SCHEMA s").notices[0].message
    db.execute("INSERT INTO s.t VALUES (1, 'x')")
    for now in directory.then_and_later():
        assert now.execute("SELECT v.n, t.a FROM v, s.t").rows() == [(1, 1)]
        assert now.execute("SHOW INDEXES ON s.t").rows()[0][0] == "i"
        here = (
            "SELECT o.name FROM mz_objects o JOIN mz_schemas s ON s.id = schema_id WHERE o.id LIKE 'u%' AND s.name = "
        )
        assert now.execute(f"{here} 'public' ORDER BY 1").rows() == [("v",)]
        there = [name for (name,) in now.execute(f"{here} 's' ORDER BY 1").rows()]
        assert there == ["i", "m", "n", "n_progress", "t", "t_pkey", "y"]
    db = directory.open()
    db.execute("CREATE TABLE t (a int)")
    for sql, match in [
        ("TABLE t SET SCHEMA s", "already exists"),
        ("INDEX s.i SET SCHEMA public", "in the schema of"),
        ("TABLE t SET SCHEMA nowhere", "nowhere"),
        ("TABLE t SET SCHEMA mz_catalog", "system schema"),
    ]:
        with pytest.raises(SqlError, match=match):
            db.execute(f"ALTER {sql}")


def test_recursive_views(directory: Directory) -> None:
    db = directory.open()
    db.execute("CREATE TABLE edges (a int, b int); INSERT INTO edges VALUES (1, 2), (2, 3)")
    db.execute("""CREATE RECURSIVE VIEW reached (a, b) AS
        SELECT a, b FROM edges UNION SELECT reached.a, edges.b FROM reached JOIN edges ON reached.b = edges.a""")
    db.execute("CREATE DEFAULT INDEX ON reached")
    db.execute("CREATE OR REPLACE RECURSIVE VIEW ones (n) AS VALUES (1)")
    for now in directory.then_and_later():
        assert sorted(now.execute("SELECT * FROM reached").rows()) == [(1, 2), (1, 3), (2, 3)]
        assert now.execute("SELECT * FROM ones").rows() == [(1,)]
    db = directory.open()
    db.execute("ALTER TABLE edges RENAME TO links; DELETE FROM links WHERE a = 2")
    assert db.execute("SELECT * FROM reached").rows() == [(1, 2)]
    with pytest.raises(SqlError):
        db.execute("CREATE RECURSIVE VIEW reached AS SELECT 1")
