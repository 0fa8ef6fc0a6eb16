"""PRIMARY KEY, UNIQUE, NOT NULL and DEFAULT: what a table takes and refuses, whichever way the rows come."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from engine.database import Database
from engine.errors import SqlError, UniqueViolation


def failure(db: Database, sql: str) -> SqlError:
    with pytest.raises(SqlError) as caught:
        db.execute(sql)
    return caught.value


def test_a_primary_key_refuses_a_second_row(db: Database) -> None:
    db.execute("CREATE TABLE t (a int PRIMARY KEY, b text)")
    db.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    error = failure(db, "INSERT INTO t VALUES (3, 'z'), (1, 'again')")
    assert error.sqlstate == "23505"
    assert error.message == 'duplicate key value violates unique constraint "t_pkey"'
    assert error.detail == "Key (a)=(1) already exists."
    assert failure(db, "INSERT INTO t VALUES (5, 'x'), (5, 'y')").sqlstate == "23505"
    assert failure(db, "INSERT INTO t VALUES (5, 'x'), (5, 'x')").sqlstate == "23505"
    assert failure(db, "INSERT INTO t VALUES (NULL, 'x')").sqlstate == "23502"
    assert failure(db, "UPDATE t SET a = 7").sqlstate == "23505"
    with pytest.raises(UniqueViolation):
        db.write("t", [(2, "other")])
    assert sorted(db.execute("SELECT * FROM t").rows()) == [(1, "x"), (2, "y")]


def test_what_an_update_leaves_is_what_counts(db: Database) -> None:
    db.execute("CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    assert db.execute("UPDATE t SET a = 3 - a").tag == "UPDATE 2"
    assert sorted(db.execute("SELECT * FROM t").rows()) == [(1, "y"), (2, "x")]
    db.execute("DELETE FROM t WHERE a = 1")
    db.execute("INSERT INTO t VALUES (1, 'back')")
    assert db.execute("SELECT b FROM t WHERE a = 1").rows() == [("back",)]


def test_unique_lets_nulls_pass(db: Database) -> None:
    db.execute("CREATE TABLE t (a int UNIQUE, b int, c int, UNIQUE (c, b), CONSTRAINT whole UNIQUE (a, b, c))")
    db.execute("INSERT INTO t VALUES (NULL, 1, NULL), (NULL, 1, NULL), (1, 2, 3)")
    assert failure(db, "INSERT INTO t VALUES (1, 9, 9)").detail == "Key (a)=(1) already exists."
    error = failure(db, "INSERT INTO t VALUES (2, 2, 3)")
    assert error.message.endswith('"t_c_b_key"')
    assert error.detail == "Key (c, b)=(3, 2) already exists."


def test_text_keys_and_keys_of_whole_rows(db: Database) -> None:
    db.execute("CREATE TABLE t (a text, b numeric, PRIMARY KEY (b, a))")
    db.execute("INSERT INTO t VALUES ('x', 1.50), ('x', 2)")
    error = failure(db, "INSERT INTO t VALUES ('x', 1.5)")
    assert error.detail == "Key (b, a)=(1.5, x) already exists."


def test_the_planner_knows_the_key_and_looks_it_up(db: Database) -> None:
    db.execute("CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    assert db.execute("SELECT b FROM t WHERE a = 2").rows() == [("y",)]
    plan = str(db.execute("EXPLAIN OPTIMIZED PLAN FOR SELECT DISTINCT a, b FROM t").rows())
    assert "Distinct" not in plan


def test_keys_go_with_their_table(db: Database) -> None:
    db.execute("CREATE TABLE t (a int PRIMARY KEY)")
    error = failure(db, "DROP INDEX t_pkey")
    assert error.sqlstate == "2BP01"
    assert failure(db, "CREATE TABLE t_pkey (a int)").sqlstate == "42P07"
    db.execute("DROP TABLE t; CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)")
    assert db.execute("SELECT count(*) FROM t").rows() == [(2,)]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("CREATE TABLE t (a int PRIMARY KEY, b int PRIMARY KEY)", "42P16"),
        ("CREATE TABLE t (a int PRIMARY KEY, PRIMARY KEY (a))", "42P16"),
        ("CREATE TABLE t (a int, PRIMARY KEY (b))", "42703"),
        ("CREATE TABLE t (a int, UNIQUE (a, a))", "42701"),
        ("CREATE TABLE t (a int, CONSTRAINT k UNIQUE (a), CONSTRAINT k UNIQUE (a))", "42P07"),
        ("CREATE TABLE t (a int CHECK (a > 0))", "0A000"),
        ("CREATE TABLE t (a int, CHECK (a > 0))", "0A000"),
        ("CREATE TABLE t (a int REFERENCES u (b))", "0A000"),
        ("CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (b))", "0A000"),
        ("CREATE TABLE t (a int UNIQUE NULLS NOT DISTINCT)", "0A000"),
        ("CREATE TABLE t (a int DEFAULT 'x')", "22P02"),
        ("CREATE TABLE t (a int DEFAULT true)", "42804"),
        ("CREATE TABLE t (a int DEFAULT b, b int)", "42703"),
        ("CREATE TABLE t (a int CONSTRAINT)", "42601"),
        ("CREATE TABLE t (a int,)", "42601"),
    ],
)
def test_what_is_refused(db: Database, sql: str, code: str) -> None:
    assert failure(db, sql).sqlstate == code


def test_defaults(db: Database) -> None:
    db.execute("CREATE TABLE t (a int DEFAULT 40 + 2, b text DEFAULT 'it''s', c timestamptz DEFAULT now(), d int)")
    db.execute("INSERT INTO t DEFAULT VALUES")
    db.execute("INSERT INTO t (d) VALUES (1), (2)")
    db.execute("INSERT INTO t VALUES (DEFAULT, DEFAULT, NULL, DEFAULT)")
    db.execute("INSERT INTO t VALUES (1, 'x')")
    db.execute("INSERT INTO t (d) SELECT 3")
    found = db.execute("SELECT a, b, c, d FROM t").rows()
    assert sorted((row[0], row[1], row[3] or 0) for row in found) == [
        (1, "x", 0), (42, "it's", 0), (42, "it's", 0), (42, "it's", 1), (42, "it's", 2), (42, "it's", 3),
    ]  # fmt: skip
    assert sum(isinstance(row[2], datetime) for row in found) == 5
    assert db.execute("UPDATE t SET a = DEFAULT, d = DEFAULT WHERE a = 1").tag == "UPDATE 1"
    assert db.execute("SELECT DISTINCT a FROM t").rows() == [(42,)]


def test_writers_in_many_threads_keep_the_key(db: Database) -> None:
    db.execute("CREATE TABLE t (a int PRIMARY KEY, b int)")

    def insert(writer: int) -> int:
        kept = 0
        for a in range(50):
            try:
                db.write("t", [(a, writer)])
                kept += 1
            except UniqueViolation:
                pass
        return kept

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(insert, range(4))) == 50
    assert db.execute("SELECT count(*), count(DISTINCT a) FROM t").rows() == [(50, 50)]


def test_keys_and_defaults_are_durable(tmp_path: Path) -> None:
    with Database.open(tmp_path) as db:
        db.execute("""CREATE TABLE t ("A b" int DEFAULT 7, c text NOT NULL DEFAULT 'q' UNIQUE, PRIMARY KEY ("A b"))""")
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t")
        db.execute("INSERT INTO t DEFAULT VALUES")
    with Database.open(tmp_path) as db:
        assert failure(db, "INSERT INTO t DEFAULT VALUES").sqlstate == "23505"
        db.execute("INSERT INTO t VALUES (8, 'r')")
        assert db.execute("SELECT n FROM v").rows() == [(2,)]
        assert failure(db, "INSERT INTO t VALUES (9, 'r')").message.endswith('"t_c_key"')


def test_a_key_that_is_computed_holds_from_the_first_row_on(db: Database) -> None:
    """Of a table that comes with more rows than are indexed at once."""
    with db.session() as session:
        session.execute("BEGIN")
        session.execute("CREATE TABLE t (a interval PRIMARY KEY, b double precision UNIQUE)")
        session.execute("INSERT INTO t SELECT g * interval '1 day', -g FROM generate_series(0, 40000) AS g")
        session.execute("COMMIT")
    assert failure(db, "INSERT INTO t VALUES ('1000 months', 1)").detail == "Key (a)=(83 years 4 mons) already exists."
    assert failure(db, "INSERT INTO t VALUES ('-1 day', '-0')").detail == "Key (b)=(-0) already exists."
    db.execute("DELETE FROM t WHERE b < -1; ALTER TABLE t DROP CONSTRAINT t_b_key")
    assert failure(db, "INSERT INTO t VALUES ('24:00', 0)").sqlstate == "23505"
    with db.session() as session:
        plan = session.execute("EXPLAIN PHYSICAL PLAN FOR SELECT b FROM t WHERE a = '24:00'").rows()[0][0]
        assert "Lookup t_pkey" in plan
    assert db.execute("SELECT b FROM t WHERE a = '24:00'").rows() == [(-1.0,)]


@pytest.mark.parametrize("asked", ["b = 1.5", "b IN (1.5, 2.5)", "b = 0", "b = '-0'"])
def test_a_double_is_found_by_its_key(db: Database, asked: str) -> None:
    db.execute("CREATE TABLE t (b double precision PRIMARY KEY); INSERT INTO t VALUES (1.5), ('-0'), (3)")
    assert "Lookup t_pkey" in db.execute(f"EXPLAIN PHYSICAL PLAN FOR SELECT b FROM t WHERE {asked}").rows()[0][0]
    assert db.execute(f"SELECT b FROM t WHERE {asked}").rows() == [(1.5 if "1.5" in asked else -0.0,)]
