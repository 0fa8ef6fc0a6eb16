"""AS OF, transactions, and hydration beside running ticks."""

import threading

import pytest

from engine.database import Database, Options
from engine.errors import SqlError


def sqlstate(db: Database, sql: str) -> str:
    with pytest.raises(SqlError) as failure:
        db.execute(sql)
    return failure.value.sqlstate


@pytest.fixture
def history(db: Database) -> tuple[Database, list[tuple[int, list]]]:
    """A view and what it held at each of a few ticks."""
    db.execute("CREATE TABLE t (k text, v int)")
    db.execute("CREATE MATERIALIZED VIEW w AS SELECT k, sum(v) AS s FROM t GROUP BY k")
    seen = []
    for k, v in [("a", 1), ("b", 2), ("a", 10), ("c", 5), ("b", -2)]:
        at = db.write("t", [(k, v)])
        seen.append((at, sorted(db.execute("SELECT * FROM w").rows())))
    return db, seen


def test_as_of_reads_the_past(history: tuple[Database, list[tuple[int, list]]]) -> None:
    db, seen = history
    for at, rows in seen:
        assert sorted(db.execute(f"SELECT * FROM w AS OF {at}").rows()) == rows
        assert sorted(db.execute(f"SELECT k, sum(v) FROM t GROUP BY k AS OF {at}").rows()) == rows
        assert sorted(db.execute(f"SELECT k FROM w WHERE s > 1 AS OF {at}").rows()) == [(k,) for k, s in rows if s > 1]


def test_as_of_outside_of_the_history(history: tuple[Database, list[tuple[int, list]]]) -> None:
    db, seen = history
    assert sqlstate(db, "SELECT * FROM w AS OF 1") == "22023"
    assert sqlstate(db, f"SELECT * FROM w AS OF {seen[-1][0] + 10_000_000}") == "22023"
    assert db.execute("SELECT count(*) FROM w AS OF AT LEAST 1").row_count == 1


def test_a_subscription_as_of_the_past_replays_it(history: tuple[Database, list[tuple[int, list]]]) -> None:
    db, seen = history
    with db.subscribe(f"SUBSCRIBE w AS OF {seen[1][0]}") as changes:
        state: dict[tuple, int] = {}
        for expected_at, rows in seen[1:]:
            batch = changes.poll()
            assert batch is not None
            assert batch.timestamp == expected_at
            for change in batch.changes():
                state[change.row] = state.get(change.row, 0) + change.diff
            assert sorted(row for row, count in state.items() if count) == rows
    with db.subscribe(f"SUBSCRIBE w WITH (SNAPSHOT = false) AS OF {seen[1][0]}") as changes:
        batch = changes.poll()
        assert batch is not None
        assert batch.timestamp == seen[2][0]
    with db.subscribe(f"SUBSCRIBE (SELECT sum(s) FROM w) AS OF {seen[0][0]}") as changes:
        assert [(change.diff, change.row[0]) for change in drained(changes)] == [(1, 1), (-1, 1), (1, 16)]
    with pytest.raises(SqlError):
        list(db.subscribe("SUBSCRIBE w AS OF 1"))


def drained(changes) -> list:
    found = []
    while (batch := changes.poll()) is not None:
        found += sorted(batch.changes(), key=lambda change: (change.timestamp, change.diff))
    return found


def test_history_ends_where_the_option_says() -> None:
    with Database.in_memory(Options(history_ms=0)) as db:
        db.execute("CREATE TABLE t (x int)")
        first, before, last = (db.write("t", [(n,)]) for n in range(3))
        assert sqlstate(db, f"SELECT * FROM t AS OF {first}") == "22023"
        # Whoever begins to read while a tick computes reads the one before it.
        assert db.execute(f"SELECT count(*) FROM t AS OF {before}").rows() == [(2,)]
        assert db.execute(f"SELECT count(*) FROM t AS OF {last}").rows() == [(3,)]


def test_a_transaction_reads_at_one_time(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
    session = db.session()
    session.execute("BEGIN")
    assert session.transaction_status == "T"
    assert session.execute("SELECT count(*) FROM t").rows() == [(1,)]
    db.execute("INSERT INTO t VALUES (2)")
    assert session.execute("SELECT count(*) FROM t").rows() == [(1,)]
    with pytest.raises(SqlError):
        session.execute("INSERT INTO t VALUES (3 / 0)")
    assert session.transaction_status == "E"
    with pytest.raises(SqlError) as failure:
        session.execute("SELECT 1")
    assert failure.value.sqlstate == "25P02"
    assert session.execute("COMMIT").tag == "ROLLBACK"
    assert session.transaction_status == "I"
    assert session.execute("SELECT count(*) FROM t").rows() == [(2,)]


def test_a_transaction_reads_at_one_time_while_others_write(db: Database) -> None:
    """A tick that is published between a read's choice of its time and the read is not seen."""
    db.execute("CREATE TABLE t (k int, v int); CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM t")
    db.execute("CREATE INDEX by_k ON t (k)")
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            db.write("t", [(1, 0)])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        session = db.session()
        for _ in range(150):
            session.execute("BEGIN")
            queries = "SELECT n FROM n", "SELECT count(*) FROM t", "SELECT count(*) FROM t WHERE k = 1"
            first, *others = [session.execute(query).rows() for query in queries]
            session.execute("COMMIT")
            assert others == [first, first]
    finally:
        done.set()
        writer.join()


def test_a_transaction_writes_in_one_tick(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); CREATE TABLE u (x int)")
    session = db.session()
    with db.subscribe("SUBSCRIBE (SELECT x FROM t UNION ALL SELECT x FROM u)") as changes:
        changes.poll()
        session.execute("BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (2); INSERT INTO t VALUES (3)")
        assert db.execute("SELECT count(*) FROM t").rows() == [(0,)]
        result = session.execute("COMMIT")
        batch = changes.poll()
        assert batch is not None
        assert batch.timestamp == result.timestamp
        assert sorted(change.row for change in batch.changes()) == [(1,), (2,), (3,)]
    session.execute("BEGIN; INSERT INTO t VALUES (9)")
    assert session.execute("ROLLBACK").tag == "ROLLBACK"
    session.execute("BEGIN; INSERT INTO t VALUES (10)")
    session.close()
    assert sorted(db.execute("SELECT x FROM t").rows()) == [(1,), (3,)]


def test_ends_without_a_beginning_are_warnings(db: Database) -> None:
    session = db.session()
    assert [notice.sqlstate for notice in session.execute("COMMIT").notices] == ["25P01"]
    session.execute("BEGIN")
    assert [notice.sqlstate for notice in session.execute("BEGIN").notices] == ["25001"]


def test_a_view_hydrates_beside_running_ticks(db: Database) -> None:
    """While 300 000 rows hydrate, writes commit and other views are read; then nothing of them is missing."""
    db.execute("CREATE TABLE t (k int, v int); CREATE MATERIALIZED VIEW small AS SELECT count(*) AS n FROM t")
    db.execute("INSERT INTO t SELECT g % 1000, g FROM generate_series(1, 300000) g")
    db.execute("CREATE MATERIALIZED VIEW big AS SELECT k, sum(v) AS s, max(v) AS m FROM t GROUP BY k")
    db.execute("CREATE MATERIALIZED VIEW bigger AS SELECT count(*) AS n, sum(s) AS s FROM big")
    ticks = 0
    while not db.execute("SELECT bool_and(hydrated) FROM mz_hydration_statuses").rows()[0][0] or ticks < 20:
        db.write("t", [(ticks % 1000, 1_000_000 + ticks), (1, 4)])
        ticks += 1
        assert db.execute("SELECT n FROM small").rows() == [(300_000 + 2 * ticks,)]
    expected = db.execute("SELECT k, sum(v), max(v) FROM t GROUP BY k").rows()
    assert sorted(db.execute("SELECT * FROM big").rows()) == sorted(expected)
    assert db.execute("SELECT n, s FROM bigger").rows() == db.execute("SELECT 1000, sum(v) FROM t").rows()


def test_a_read_waits_for_hydration_and_drop_ends_it(db: Database) -> None:
    db.execute("CREATE TABLE t (k int, v int)")
    db.execute("INSERT INTO t SELECT g % 1000, g FROM generate_series(1, 200000) g")
    db.execute("CREATE MATERIALIZED VIEW a AS SELECT k, sum(v) AS s FROM t GROUP BY k")
    assert db.execute("SELECT count(*) FROM a").rows() == [(1000,)]
    db.execute("CREATE MATERIALIZED VIEW b AS SELECT k, max(v) AS s FROM t GROUP BY k")
    db.execute("DROP MATERIALIZED VIEW b")
    db.execute("CREATE MATERIALIZED VIEW b AS SELECT k, min(v) AS s FROM t GROUP BY k")
    assert db.execute("SELECT sum(s) FROM b").rows() == [(sum(1000 if k == 0 else k for k in range(1000)),)]


def test_a_write_that_waits_for_hydration_stops_no_tick(db: Database) -> None:
    """What hydrates joins at a tick boundary, so whoever waits for it may not hold the tick."""
    db.execute("CREATE TABLE t (k int, v int); CREATE TABLE copied (k int, n bigint)")
    db.execute("INSERT INTO t SELECT g % 1000, g FROM generate_series(1, 200000) g")
    db.execute("CREATE MATERIALIZED VIEW a AS SELECT k, count(*) AS n FROM t GROUP BY k")
    assert db.execute("INSERT INTO copied SELECT k, n FROM a").row_count == 1000
    db.execute("CREATE MATERIALIZED VIEW b AS SELECT k, max(v) AS m FROM t GROUP BY k")
    assert db.execute("DELETE FROM copied WHERE k IN (SELECT k FROM b)").row_count == 1000
    db.execute("CREATE MATERIALIZED VIEW c AS SELECT k, min(v) AS m FROM t GROUP BY k")
    db.execute("CREATE VIEW of_c AS SELECT k, m FROM c")  # its query stands for it
    assert db.execute("INSERT INTO copied SELECT k, m FROM of_c").row_count == 1000
    db.execute("CREATE MATERIALIZED VIEW d AS SELECT k, sum(v) AS m FROM t GROUP BY k")
    db.execute("CREATE VIEW of_d AS SELECT k, m FROM d")
    assert db.execute("CREATE TABLE made AS SELECT k, m FROM of_d").row_count == 1000


def test_a_waiting_read_can_be_cancelled(db: Database) -> None:
    db.execute("CREATE TABLE t (k int)")
    db.execute("INSERT INTO t SELECT g FROM generate_series(1, 100000) g")
    cluster = db._coordinator.cluster
    session, begun, failures = db.session(), threading.Event(), list[str]()

    def read() -> None:
        begun.set()
        try:
            session.execute("SELECT count(*) FROM v")
        except SqlError as error:
            failures.append(error.sqlstate)

    reader = threading.Thread(target=read)
    with cluster.lock:  # nothing joins the graph meanwhile
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT k, count(*) FROM t GROUP BY k")
        reader.start()
        assert begun.wait(10)
        while reader.is_alive():
            session.cancel()
            reader.join(0.01)
    assert failures == ["57014"]
    assert db.execute("SELECT count(*) FROM v").rows() == [(100_000,)]


def test_a_transaction_holds_its_time_beyond_the_history() -> None:
    with Database.in_memory(Options(history_ms=0)) as db:
        db.execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
        session = db.session()
        session.execute("BEGIN")
        assert session.execute("SELECT count(*) FROM t").rows() == [(1,)]
        for x in range(5):
            db.write("t", [(x,)])
            assert session.execute("SELECT count(*) FROM t").rows() == [(1,)]
        session.execute("COMMIT")
        assert session.execute("SELECT count(*) FROM t").rows() == [(6,)]
