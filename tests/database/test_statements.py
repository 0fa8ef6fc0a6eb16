"""Every statement of the slice, through the one door: tags, notices, errors with their SQLSTATE and hint."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest

from engine.database import CopyOut, Database, Options, Result, Subscription
from engine.errors import SqlError
from engine.expr.scalar import Interval


def sqlstate(db: Database, sql: str) -> str:
    with pytest.raises(SqlError) as failure:
        db.execute(sql)
    return failure.value.sqlstate


def test_tags(db: Database) -> None:
    def tag(sql: str) -> str:
        return db.execute(sql).tag

    assert tag("CREATE TABLE t (a int, b text)") == "CREATE TABLE"
    assert tag("INSERT INTO t VALUES (1, 'x'), (2, 'y')") == "INSERT 0 2"
    assert tag("INSERT INTO t SELECT a + 10, b FROM t") == "INSERT 0 2"
    assert tag("SELECT * FROM t") == "SELECT 4"
    assert tag("UPDATE t SET b = 'z' WHERE a > 10") == "UPDATE 2"
    assert tag("DELETE FROM t WHERE a = 1") == "DELETE 1"
    assert tag("CREATE VIEW v AS SELECT a FROM t") == "CREATE VIEW"
    assert tag("CREATE OR REPLACE VIEW v AS SELECT a, b FROM t") == "CREATE VIEW"
    assert tag("CREATE MATERIALIZED VIEW m AS SELECT * FROM v") == "CREATE MATERIALIZED VIEW"
    assert tag("CREATE INDEX i ON t (a)") == "CREATE INDEX"
    assert tag("CREATE DEFAULT INDEX ON m") == "CREATE INDEX"
    assert tag("SHOW search_path") == "SHOW"
    assert tag("SET application_name = 'test'") == "SET"
    assert tag("BEGIN") == "BEGIN"
    assert tag("CREATE SCHEMA s") == "CREATE SCHEMA"
    assert tag("CREATE DATABASE d") == "CREATE DATABASE"
    assert tag("DROP SCHEMA s") == "DROP SCHEMA"
    assert tag("DROP DATABASE d") == "DROP DATABASE"
    assert tag("DROP MATERIALIZED VIEW m") == "DROP MATERIALIZED VIEW"
    assert tag("DROP VIEW v") == "DROP VIEW"
    assert tag("DROP INDEX i") == "DROP INDEX"
    assert tag("DROP TABLE t") == "DROP TABLE"
    assert tag("") == ""


def test_values_of_every_type_come_back(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (b boolean, s smallint, i integer, l bigint, r real, d double precision, n numeric, t text,"
        " y bytea, da date, ti time, ts timestamp, tz timestamptz, iv interval, u uuid, j jsonb)"
    )
    row = (
        True, -3, 7, 1 << 40, 0.5, -2.25, Decimal("12345678901234567890.125"), "hö", b"\x00\xff", date(2026, 2, 28),
        time(1, 2, 3, 4), datetime(2026, 1, 2, 3, 4, 5, 6), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        Interval(14, 3, 5_000_000), UUID(int=7), '{"a":[1,2,{"b":null}]}',
    )  # fmt: skip
    nulls = (None,) * len(row)
    db.write("t", [row, nulls])
    found = db.execute("SELECT * FROM t").rows()
    assert sorted(found, key=lambda r: r[0] is None) == [row, nulls]
    arrow = db.execute("SELECT * FROM t WHERE b").arrow()
    db.write("t", arrow, [-1])
    db.write("t", arrow)
    assert db.execute("SELECT * FROM t WHERE b").rows() == [row]


def test_arrow_and_text_of_a_result(db: Database) -> None:
    result = db.execute("SELECT 1 AS a, 'x' AS b, NULL::int AS c, true AS d")
    assert result.arrow().to_pylist() == [{"a": 1, "b": "x", "c": None, "d": True}]
    assert [column.to_pylist() for column in result.text()] == [["1"], ["x"], [None], ["t"]]
    assert [column.name for column in result.columns] == ["a", "b", "c", "d"]


def test_write_takes_tuples_and_arrow(db: Database) -> None:
    db.execute("CREATE TABLE t (a bigint NOT NULL, b text)")
    first = db.write("t", [(1, "x"), (2, None)])
    second = db.write("t", pa.table({"a": [3], "b": ["z"]}))
    assert second > first
    assert sorted(db.execute("SELECT a FROM t").rows()) == [(1,), (2,), (3,)]
    db.write("t", [(1, "x"), (2, None)], [-1, 1])
    assert sorted(db.execute("SELECT a FROM t").rows()) == [(2,), (2,), (3,)]


@pytest.mark.parametrize(
    ("rows", "diffs", "code"),
    [
        ([(None, "x")], None, "23502"),
        ([(9, "x")], [-1], "23000"),
        ([(1, "x"), (1, "x")], [-1, -1], "23000"),
        ([(1,)], None, "22023"),
        ([("one", "x")], None, "22023"),
        ([(1 << 63, "x")], None, "22023"),
        ([(1, "x")], [1, 1], "22023"),
    ],
)
def test_a_bad_write_fails_whole(db: Database, rows: list[tuple], diffs: list[int] | None, code: str) -> None:
    db.execute("CREATE TABLE t (a bigint NOT NULL, b text)")
    db.write("t", [(1, "x")])
    with pytest.raises(SqlError) as failure:
        db.write("t", [*rows, (5, "good")] if diffs is None else rows, diffs)
    assert failure.value.sqlstate == code
    assert db.execute("SELECT * FROM t").rows() == [(1, "x")]


def test_a_null_in_a_not_null_column(db: Database) -> None:
    db.execute("CREATE TABLE t (a int NOT NULL)")
    assert sqlstate(db, "INSERT INTO t VALUES (1), (NULL)") == "23502"
    assert sqlstate(db, "INSERT INTO t SELECT NULL::int") == "23502"
    db.execute("INSERT INTO t VALUES (1)")
    assert sqlstate(db, "UPDATE t SET a = NULL") == "23502"
    assert db.execute("SELECT * FROM t").rows() == [(1,)]


def test_errors_name_what_is_near(db: Database) -> None:
    db.execute("CREATE TABLE customers (id int)")
    with pytest.raises(SqlError) as failure:
        db.execute("SELECT * FROM customer")
    assert failure.value.sqlstate == "42P01"
    assert "customers" in (failure.value.hint or "")
    with pytest.raises(SqlError) as failure:
        db.execute("SELECT 1; SELECT ids FROM customers")
    assert failure.value.sqlstate == "42703"
    assert failure.value.position == 18


def test_duplicates(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)")
    assert sqlstate(db, "CREATE TABLE t (a int)") == "42P07"
    assert sqlstate(db, "CREATE VIEW t AS SELECT 1") == "42P07"
    assert sqlstate(db, "CREATE TABLE u (a int, a int)") == "42701"
    result = db.execute("CREATE TABLE IF NOT EXISTS t (b text)")
    assert [notice.sqlstate for notice in result.notices] == ["42P07"]
    assert [column.name for column in db.execute("SELECT * FROM t").columns] == ["a"]


def test_drop_minds_what_depends(db: Database) -> None:
    db.execute("CREATE TABLE t (a int); CREATE VIEW v AS SELECT * FROM t")
    db.execute("CREATE MATERIALIZED VIEW m AS SELECT * FROM v")
    assert sqlstate(db, "DROP TABLE t") == "2BP01"
    assert sqlstate(db, "DROP VIEW v RESTRICT") == "2BP01"
    db.execute("DROP TABLE t CASCADE")
    assert sqlstate(db, "SELECT * FROM m") == "42P01"
    assert db.execute("DROP TABLE IF EXISTS t").notices
    assert sqlstate(db, "DROP TABLE t") == "42P01"


def test_create_or_replace(db: Database) -> None:
    db.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    db.execute("CREATE OR REPLACE VIEW v AS SELECT a FROM t")
    db.execute("CREATE OR REPLACE VIEW v AS SELECT a + 1 AS b FROM t")
    assert db.execute("SELECT * FROM v").rows() == [(2,)]
    db.execute("CREATE MATERIALIZED VIEW m AS SELECT * FROM v")
    assert sqlstate(db, "CREATE OR REPLACE VIEW v AS SELECT 1 AS b") == "2BP01"
    assert db.execute("SELECT * FROM m").rows() == [(2,)]


def test_plain_views_are_expanded_and_indexed_ones_are_kept(db: Database) -> None:
    db.execute("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a, a * 2 AS b FROM t")
    db.execute("INSERT INTO t VALUES (1), (2)")
    assert sorted(db.execute("SELECT b FROM v").rows()) == [(2,), (4,)]
    before = operators(db)
    db.execute("CREATE INDEX i ON v (a)")
    assert operators(db) > before
    db.execute("INSERT INTO t VALUES (3)")
    assert db.execute("SELECT b FROM v WHERE a = 3").rows() == [(6,)]
    db.execute("DROP INDEX i")
    assert operators(db) == before
    assert sorted(db.execute("SELECT b FROM v").rows()) == [(2,), (4,), (6,)]


def operators(db: Database) -> float:
    return next(value for name, _, value in db.metrics() if name == "tailrace_operators")


def test_a_script_is_one_transaction(db: Database) -> None:
    session = db.session()
    answers = session.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT 1/0; INSERT INTO t VALUES (2)")
    assert [type(next(answers)) for _ in range(2)] == [Result, Result]
    with pytest.raises(SqlError, match="division by zero"):
        next(answers)
    assert session.transaction_status == "I"
    assert db.execute("SHOW TABLES").rows() == []


def test_parameters_are_literals(db: Database) -> None:
    session = db.session()
    db.execute("CREATE TABLE t (a int, b text)")
    list(session.run("INSERT INTO t VALUES ($1, $2)", ["1", "it's $1"]))
    list(session.run("INSERT INTO t VALUES ($1, $2)", ["2", None]))
    assert sorted(db.execute("SELECT * FROM t").rows()) == [(1, "it's $1"), (2, None)]


def test_copy_out_wraps_what_it_copies(db: Database) -> None:
    session = db.session()
    (answer,) = session.run("COPY (SELECT 1) TO STDOUT")
    assert isinstance(answer, CopyOut)
    db.execute("CREATE TABLE t (a int)")
    (answer,) = session.run("COPY (SUBSCRIBE t) TO STDOUT")
    assert isinstance(answer, CopyOut)
    assert isinstance(answer.source, Subscription)
    session.close()
    assert answer.source.ended


def test_session_variables(db: Database) -> None:
    session = db.session(variables={"application_name": "tests"})
    assert session.execute("SHOW application_name").rows() == [("tests",)]
    session.execute("CREATE SCHEMA s; CREATE TABLE s.t (a int); INSERT INTO s.t VALUES (1)")
    session.execute("SET search_path = s, public")
    assert session.execute("SELECT a FROM t").rows() == [(1,)]
    session.execute("RESET search_path")
    with pytest.raises(SqlError, match="does not exist"):
        session.execute("SELECT a FROM t")
    with pytest.raises(SqlError) as failure:
        session.execute("SET nonsense = 1")
    assert failure.value.sqlstate == "42704"
    with pytest.raises(SqlError) as failure:
        session.execute("SET server_version = '9'")
    assert failure.value.sqlstate == "22023"


def test_show_and_system_relations(db: Database) -> None:
    db.execute("CREATE TABLE t (a int); CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE INDEX i ON t (a)")
    assert db.execute("SHOW TABLES").rows() == [("t",)]
    assert db.execute("SHOW MATERIALIZED VIEWS").rows() == [("m", True)]
    assert db.execute("SELECT hydrated FROM mz_hydration_statuses").rows() == [(True,), (True,)]
    assert db.execute("SELECT count(*) FROM pg_catalog.pg_class WHERE relname IN ('t', 'm', 'i')").rows() == [(3,)]
    assert "CREATE MATERIALIZED VIEW" in str(db.execute("SHOW CREATE MATERIALIZED VIEW m").rows())


def test_the_limit_on_sessions_is_named() -> None:
    with Database.in_memory(Options(sessions_max=1)) as small:
        session = small.session()
        with pytest.raises(SqlError, match="sessions_max"):
            small.session()
        session.close()
        small.session()


def test_the_limit_on_result_rows_is_named() -> None:
    with Database.in_memory(Options(result_rows_max=10)) as small:
        assert small.execute("SELECT * FROM generate_series(1, 10)").row_count == 10
        with pytest.raises(SqlError, match="result_rows_max"):
            small.execute("SELECT * FROM generate_series(1, 11)")
        assert small.execute("SELECT * FROM generate_series(1, 1000) LIMIT 3").row_count == 3


def test_write_obeys_the_columns_modifiers(db: Database) -> None:
    db.execute("CREATE TABLE t (n numeric(5, 2), s varchar(3))")
    db.write("t", [(Decimal("1.005"), "abc")])
    assert db.execute("SELECT * FROM t").rows() == [(Decimal("1.01"), "abc")]
    for row, code in [((Decimal(1000), "a"), "22003"), ((Decimal(1), "abcd"), "22001")]:
        with pytest.raises(SqlError) as failure:
            db.write("t", [row])
        assert failure.value.sqlstate == code
    assert db.execute("SELECT count(*) FROM t").rows() == [(1,)]


def test_nothing_is_written_after_the_end(db: Database) -> None:
    db.execute("CREATE TABLE t (x int)")
    db.close()
    with pytest.raises(SqlError, match="closed"):
        db.write("t", [(1,)])
