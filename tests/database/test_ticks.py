"""Group commit, atomic statements, complete ticks for readers, and one view for one subplan."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from engine.collection.batch import Batch
from engine.collection.words import vector_of
from engine.coordinator.ticks import Write
from engine.database import Database
from engine.errors import ConstraintViolation, SerializationFailure, SqlError
from engine.types import INTEGER


def in_threads(*bodies: Callable[[], None]) -> None:
    """Run them at once; raise what any of them raised."""
    failures: list[BaseException] = []

    def guarded(body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def metric(db: Database, wanted: str) -> float:
    return next(value for name, _, value in db.metrics() if name == wanted)


def test_many_writers_share_ticks_and_see_their_writes(db: Database) -> None:
    db.execute("CREATE TABLE t (w int, i int); CREATE MATERIALIZED VIEW v AS SELECT w, count(*) AS n FROM t GROUP BY w")

    def writer(w: int) -> Callable[[], None]:
        def body() -> None:
            last = 0
            for i in range(100):
                at = db.write("t", [(w, i)])
                assert at > last
                last = at
                assert db.execute(f"SELECT n FROM v WHERE w = {w}").rows() == [(i + 1,)]

        return body

    in_threads(*(writer(w) for w in range(4)))
    assert sorted(db.execute("SELECT * FROM v").rows()) == [(w, 100) for w in range(4)]
    assert metric(db, "tailrace_ticks_total") <= 401


def test_increments_by_statements_are_atomic(db: Database) -> None:
    db.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (0)")

    def increment() -> None:
        for _ in range(25):
            assert db.execute("UPDATE t SET n = n + 1").row_count == 1

    in_threads(increment, increment, increment)
    assert db.execute("SELECT n FROM t").rows() == [(75,)]


def test_a_bad_write_in_a_group_fails_alone(db: Database) -> None:
    db.execute("CREATE TABLE t (n int NOT NULL); INSERT INTO t VALUES (0)")
    failed = []

    def good() -> None:
        for i in range(50):
            db.write("t", [(i,)])

    def bad() -> None:
        for _ in range(50):
            try:
                db.write("t", [(-1,)], [-1])
            except SqlError as error:
                failed.append(error.sqlstate)

    in_threads(good, bad, good)
    assert failed == ["23000"] * 50
    assert db.execute("SELECT count(*) FROM t").rows() == [(101,)]


def test_a_computed_write_goes_before_what_was_queued_meanwhile(db: Database) -> None:
    """A statement deletes a row; another thread takes the same row away between the statement's read and its tick."""
    db.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    ticks, [table] = db._coordinator.ticks, db._coordinator.tables
    row = Batch.from_vectors([vector_of([1], INTEGER, db._coordinator.heap)], np.array([-1]))
    other: list[Write] = []

    def delete() -> dict[int, Batch]:
        other.append(ticks.put(Write({table: row}, check=True)))
        return {table: row}

    ticks.commit_computed(delete)
    with pytest.raises(ConstraintViolation):
        ticks.commit(other[0])
    assert db.execute("SELECT count(*) FROM t").rows() == [(0,)]
    db.execute("INSERT INTO t VALUES (1)")
    assert db.execute("SELECT * FROM t").rows() == [(1,)]


def test_a_write_to_a_table_that_went_fails_alone(db: Database) -> None:
    db.execute("CREATE TABLE t (n int); CREATE TABLE u (n int)")
    block = db.session()
    block.execute("BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)")
    db.execute("DROP TABLE t")
    with pytest.raises(SerializationFailure):
        block.execute("COMMIT")
    assert block.transaction_status == "I"
    assert db.execute("SELECT * FROM u").rows() == []
    db.execute("INSERT INTO u VALUES (2)")
    assert db.execute("SELECT * FROM u").rows() == [(2,)]


def test_readers_see_complete_ticks_only(db: Database) -> None:
    """Each tick moves an amount between two rows that a join and two sums see: no read may see half of it."""
    db.execute("CREATE TABLE account (id int, amount bigint); CREATE TABLE bank (id int)")
    db.execute("INSERT INTO account VALUES (1, 1000), (2, 0); INSERT INTO bank VALUES (1), (2)")
    db.execute(
        "CREATE MATERIALIZED VIEW total AS SELECT sum(a.amount) AS s, count(*) AS n FROM account a JOIN bank b"
        " ON a.id = b.id"
    )
    done = threading.Event()

    def move() -> None:
        for step in range(200):
            db.write(
                "account",
                [(1, 1000 - step), (1, 999 - step), (2, step), (2, step + 1)],
                [-1, 1, -1, 1],
            )
        done.set()

    def read() -> None:
        while not done.is_set():
            assert db.execute("SELECT s, n FROM total").rows() == [(1000, 2)]
            assert db.execute("SELECT sum(amount) FROM account").rows() == [(1000,)]

    in_threads(move, read, read)
    assert sorted(db.execute("SELECT * FROM account").rows()) == [(1, 800), (2, 200)]


def test_a_reader_during_compute_sees_the_tick_before(db: Database) -> None:
    """Stops a tick between its two phases and reads meanwhile."""
    db.execute("CREATE TABLE t (x int); CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t")
    db.write("t", [(1,)])
    circuit = db._coordinator.cluster.worker.circuit
    computed, proceed = threading.Event(), threading.Event()
    step = circuit.step

    def stopping_step(*arguments: object) -> None:
        step(*arguments)  # pyright: ignore[reportArgumentType]: passed through
        computed.set()
        assert proceed.wait(10)

    circuit.step = stopping_step  # pyright: ignore[reportAttributeAccessIssue]: the seam between the phases
    writer = threading.Thread(target=db.write, args=("t", [(2,)]))
    writer.start()
    assert computed.wait(10)
    assert db.execute("SELECT n FROM v").rows() == [(1,)]
    assert db.execute("SELECT x FROM t").rows() == [(1,)]
    circuit.step = step
    proceed.set()
    writer.join()
    assert db.execute("SELECT n FROM v").rows() == [(2,)]


def test_equal_views_are_one_operator_and_dropping_frees(db: Database) -> None:
    db.execute("CREATE TABLE t (k int, v int); CREATE TABLE u (k int)")
    db.execute("INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g; INSERT INTO u SELECT k FROM t")
    query = "SELECT t.k, sum(t.v) FROM t JOIN u ON t.k = u.k GROUP BY t.k"
    before = metric(db, "tailrace_operators")
    db.execute(f"CREATE MATERIALIZED VIEW a AS {query}")
    operators, size = metric(db, "tailrace_operators"), metric(db, "tailrace_state_bytes")
    db.execute(f"CREATE MATERIALIZED VIEW b AS {query}; CREATE MATERIALIZED VIEW c AS {query}")
    assert metric(db, "tailrace_operators") == operators
    assert metric(db, "tailrace_state_bytes") == size
    db.execute("DROP MATERIALIZED VIEW a; DROP MATERIALIZED VIEW b")
    assert metric(db, "tailrace_operators") == operators
    assert db.execute("SELECT count(*) FROM c").rows() == [(1000,)]
    db.execute("DROP MATERIALIZED VIEW c")
    assert metric(db, "tailrace_operators") == before


def test_an_ended_subscription_frees_its_operators(db: Database) -> None:
    db.execute("CREATE TABLE t (k int, v int)")
    before = metric(db, "tailrace_operators")
    with db.subscribe("SUBSCRIBE (SELECT k, sum(v) FROM t GROUP BY k)"):
        assert metric(db, "tailrace_operators") > before
    assert metric(db, "tailrace_operators") == before


def test_a_closed_database_says_so(db: Database) -> None:
    db.close()
    db.close()
    with pytest.raises(SqlError, match="closed"):
        db.execute("SELECT 1")
