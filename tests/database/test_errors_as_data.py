"""A view with a failing row fails on read, says why, and heals when the row is gone; the rest of the system goes on."""

from collections import Counter
from itertools import takewhile

import pytest

from engine.database import Database
from engine.errors import SqlError
from tests.database.conftest import Directory


def sqlstate(db: Database, sql: str) -> str:
    with pytest.raises(SqlError) as failure:
        db.execute(sql)
    return failure.value.sqlstate


def test_division_by_zero_fails_the_view_and_heals(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2)")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT 10 / x AS y FROM t")
    db.execute("CREATE MATERIALIZED VIEW w AS SELECT count(*) FROM t")
    assert sorted(db.execute("SELECT y FROM v").rows()) == [(5,), (10,)]
    db.execute("INSERT INTO t VALUES (0)")
    assert sqlstate(db, "SELECT y FROM v") == "22012"
    assert sqlstate(db, "SELECT count(*) FROM v") == "22012"
    assert db.execute("SELECT * FROM w").rows() == [(3,)]
    db.execute("INSERT INTO t VALUES (5)")
    assert sqlstate(db, "SELECT y FROM v WHERE y = 5") == "22012"
    db.execute("DELETE FROM t WHERE x = 0")
    assert sorted(db.execute("SELECT y FROM v").rows()) == [(2,), (5,), (10,)]


@pytest.mark.parametrize(
    ("expression", "bad", "code"),
    [
        ("x + 2147483647", 1, "22003"),
        ("x::text::boolean", 7, "22P02"),
        ("(x * 100000)::smallint", 1, "22003"),
        ("sqrt(x)", -1, "2201F"),
    ],
)
def test_errors_of_many_kinds(db: Database, expression: str, bad: int, code: str) -> None:
    db.execute(f"CREATE TABLE t (x int); CREATE MATERIALIZED VIEW v AS SELECT {expression} AS y FROM t")
    db.execute("INSERT INTO t VALUES (0)")
    assert db.execute("SELECT * FROM v").row_count == 1
    db.execute(f"INSERT INTO t VALUES ({bad})")
    assert sqlstate(db, "SELECT * FROM v") == code
    db.execute(f"DELETE FROM t WHERE x = {bad}")
    assert db.execute("SELECT * FROM v").row_count == 1


def test_a_scalar_subquery_with_two_rows(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT (SELECT x FROM t) AS y")
    assert db.execute("SELECT * FROM v").rows() == [(1,)]
    db.execute("INSERT INTO t VALUES (2)")
    assert sqlstate(db, "SELECT * FROM v") == "21000"
    db.execute("DELETE FROM t WHERE x = 1")
    assert db.execute("SELECT * FROM v").rows() == [(2,)]


def test_errors_pass_through_joins_and_aggregates(db: Database) -> None:
    db.execute("CREATE TABLE t (k int, x int); CREATE TABLE u (k int)")
    db.execute(
        "CREATE MATERIALIZED VIEW v AS SELECT u.k, sum(q.y) FROM u JOIN (SELECT k, 1 / x AS y FROM t) q ON q.k = u.k"
        " GROUP BY u.k"
    )
    db.execute("INSERT INTO u VALUES (1); INSERT INTO t VALUES (1, 1), (2, 0)")
    assert sqlstate(db, "SELECT * FROM v") == "22012"
    db.execute("UPDATE t SET x = 1 WHERE x = 0")
    assert db.execute("SELECT * FROM v").rows() == [(1, 1)]


def test_case_guards_and_filters_guard(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); INSERT INTO t VALUES (0), (2)")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT CASE WHEN x = 0 THEN NULL ELSE 10 / x END AS y FROM t")
    assert sorted(db.execute("SELECT y FROM v").rows(), key=str) == [(5,), (None,)]


def test_a_subscription_ends_with_the_error(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT 10 / x AS y FROM t")
    with db.subscribe("SUBSCRIBE v") as changes:
        snapshot = changes.poll()
        assert snapshot is not None
        assert [change.row for change in snapshot.changes()] == [(10,)]
        db.execute("INSERT INTO t VALUES (0)")
        with pytest.raises(SqlError) as failure:
            changes.poll()
        assert failure.value.sqlstate == "22012"
        assert changes.ended
    with db.subscribe("SUBSCRIBE v") as changes, pytest.raises(SqlError):
        list(changes)


def test_a_failing_insert_select_fails_alone(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); CREATE TABLE u (y int); INSERT INTO t VALUES (1), (0)")
    assert sqlstate(db, "INSERT INTO u SELECT 1 / x FROM t") == "22012"
    assert db.execute("SELECT * FROM u").rows() == []
    assert sqlstate(db, "UPDATE t SET x = 1 / x") == "22012"
    assert sorted(db.execute("SELECT * FROM t").rows()) == [(0,), (1,)]
    db.execute("INSERT INTO u SELECT 1 / x FROM t WHERE x <> 0")
    assert db.execute("SELECT * FROM u").rows() == [(1,)]


def test_a_view_that_asserts_fails_with_a_null_and_heals(tmp_path):
    with Database.open(tmp_path) as db:
        db.execute("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x')")
        db.execute("CREATE MATERIALIZED VIEW m WITH (ASSERT NOT NULL b, ASSERT NOT NULL = a) AS SELECT * FROM t")
        with pytest.raises(SqlError, match='"nope"'):
            db.execute("CREATE MATERIALIZED VIEW n WITH (ASSERT NOT NULL nope) AS SELECT * FROM t")
        with pytest.raises(SqlError, match="plain view"):
            db.execute("CREATE VIEW n WITH (ASSERT NOT NULL a) AS SELECT * FROM t")
        assert [column.nullable for column in db.execute("SELECT * FROM m").columns] == [False, False]
        db.execute("INSERT INTO t VALUES (2, NULL)")
        for query in ("SELECT a FROM m", "SELECT count(*) FROM m WHERE a = 1"):
            with pytest.raises(SqlError, match='column "b" must not be null') as raised:
                db.execute(query)
            assert raised.value.sqlstate == "23502"
        db.execute("DELETE FROM t WHERE b IS NULL; ALTER MATERIALIZED VIEW m RENAME COLUMN b TO bee")
        assert db.execute("SELECT * FROM m").rows() == [(1, "x")]
    with Database.open(tmp_path) as db:
        db.execute("ALTER MATERIALIZED VIEW m SET (RETAIN HISTORY FOR '1h')")
        shown = db.execute("SHOW CREATE MATERIALIZED VIEW m").rows()[0][1]
        assert "WITH (ASSERT NOT NULL bee, ASSERT NOT NULL a, RETAIN HISTORY FOR '3600000 ms') AS" in shown
        db.execute("INSERT INTO t VALUES (NULL, 'y')")
        with pytest.raises(SqlError, match='column "a" must not be null'):
            db.execute("SELECT * FROM m")


def test_errors_are_history_as_rows_are(directory: Directory) -> None:
    """A read as of a time fails exactly if the relation had an error then, whatever it has at this moment; who follows
    it from a time on gets the changes up to the first error. Also in a loop, and over a restart."""
    db = directory.open()
    db.execute(
        "CREATE TABLE t (a int) WITH (RETAIN HISTORY FOR '1h');"
        "CREATE MATERIALIZED VIEW v WITH (RETAIN HISTORY FOR '1h') AS SELECT 10 / a AS x FROM t;"
        "CREATE MATERIALIZED VIEW above WITH (RETAIN HISTORY FOR '1h') AS SELECT count(*) AS n FROM v;"
        "CREATE MATERIALIZED VIEW loop WITH (RETAIN HISTORY FOR '1h') AS WITH MUTUALLY RECURSIVE"
        " r (a int) AS (SELECT 10 / a FROM t UNION SELECT a FROM r) SELECT * FROM r;"
        "CREATE INDEX i ON v (x)"
    )
    held: Counter = Counter()
    seen: dict[int, Counter] = {}
    for a, diff in [(1, 1), (0, 1), (2, 1), (0, 1), (0, -1), (0, -1), (5, 1), (0, 1), (0, -1), (0, 1)]:
        at = db.write("t", [(a,)], [diff])
        held[a] += diff
        seen[at] = +held
    for db in directory.then_and_later():
        for at, rows in seen.items():
            for sql in ("v", "v WHERE x = 10", "above", "loop", "(SELECT 10 / a AS x FROM t) AS q"):
                assert failed(db, f"SELECT * FROM {sql} AS OF {at}") == bool(rows[0])
            if not rows[0]:
                assert db.execute(f"SELECT n FROM above AS OF {at}").rows() == [(sum(rows.values()),)]
            good = takewhile(lambda tick: not seen[tick][0], [tick for tick in seen if tick >= at])
            assert followed(db, at) == [*good]


def failed(db: Database, sql: str) -> bool:
    try:
        db.execute(sql)
    except SqlError as error:
        return "division by zero" in error.message
    return False


def followed(db: Database, since: int) -> list[int]:
    """The times that a subscriber is told of before the error."""
    told: list[int] = []
    with db.subscribe(f"SUBSCRIBE v AS OF {since}") as changes, pytest.raises(SqlError, match="division by zero"):
        told += (batch.timestamp for batch in iter(changes.poll, None))
    return told
