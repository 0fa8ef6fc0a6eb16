"""A subscription adds up to the view at every tick: from its snapshot, from any AS OF, through merging, to its end."""

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.database import Database, Options, Subscription
from engine.errors import SqlError
from engine.expr.scalar import Value

ROWS = st.tuples(st.integers(0, 3), st.integers(-5, 5))
VIEW = "SELECT k, sum(v) AS s, count(*) AS n FROM t GROUP BY k"


def contents(db: Database, sql: str) -> Counter:
    return Counter(db.execute(sql).rows())


def drain(changes: Subscription, state: Counter) -> list[int]:
    """Apply all that waits; the times it came at."""
    times = []
    while (batch := changes.poll()) is not None:
        for change in batch.changes():
            if not change.progressed:
                state[change.row] += change.diff
                times.append(change.timestamp)
    assert min(state.values(), default=0) >= 0
    for row in [row for row, count in state.items() if count == 0]:
        del state[row]
    return times


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(ROWS, max_size=4), max_size=12), st.integers(0, 99))
def test_it_equals_the_view_at_every_tick(ticks: list[list[tuple[int, int]]], seed: int) -> None:
    pick = np.random.default_rng(seed)
    with Database.in_memory() as db:
        db.execute(f"CREATE TABLE t (k int, v int); CREATE MATERIALIZED VIEW w AS {VIEW}")
        db.write("t", [(0, 1), (1, 2)])
        present = [(0, 1), (1, 2)]
        of_view, of_query = db.subscribe("SUBSCRIBE w"), db.subscribe(f"SUBSCRIBE ({VIEW})")
        state, other = Counter(), Counter()
        for rows in ticks:
            gone = [row for row in present if pick.random() < 0.3]
            for row in gone:
                present.remove(row)
            present += rows
            at = db.write("t", [*rows, *gone], [1] * len(rows) + [-1] * len(gone))
            times = [*drain(of_view, state), *drain(of_query, other)]
            assert all(time <= at for time in times)
            assert state == other == contents(db, "SELECT * FROM w") == contents(db, VIEW)


def test_snapshot_false_sends_only_what_comes_after(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
    with db.subscribe("SUBSCRIBE t WITH (SNAPSHOT = false)") as changes:
        assert changes.poll() is None
        at = db.write("t", [(2,)])
        batch = changes.poll()
        assert batch is not None
        assert batch.changes() == [(at, 1, (2,), False)]


def test_progress_begins_with_the_snapshots_time_and_follows_every_tick(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); CREATE TABLE other (x int)")
    start = db.write("t", [(1,)])
    with db.subscribe("SUBSCRIBE t WITH (PROGRESS)") as changes:
        assert [column.name for column in changes.columns] == ["mz_timestamp", "mz_progressed", "mz_diff", "x"]
        first, second = changes.poll(), changes.poll()
        assert first is not None
        assert second is not None
        assert first.progressed
        assert first.timestamp == second.timestamp == start
        assert first.rows() == [(start, True, None, None)]
        assert [column.to_pylist() for column in first.text()] == [[str(start)], ["t"], [None], [None]]
        assert second.rows() == [(start, False, 1, 1)]
        at = db.write("other", [(1,)])
        marks = []
        while not marks or marks[-1] <= at:
            assert changes.wait(10)
            batch = changes.poll()
            assert batch is not None
            assert batch.progressed
            marks.append(batch.timestamp)
        assert marks == sorted(marks)


def test_an_idle_system_moves_progress() -> None:
    with Database.in_memory(Options(progress_ms=10)) as db:
        db.execute("CREATE TABLE t (x int)")
        with db.subscribe("SUBSCRIBE t WITH (PROGRESS)") as changes:
            marks = []
            while len(marks) < 3:
                assert changes.wait(10)
                batch = changes.poll()
                if batch is not None:
                    marks.append(batch.timestamp)
            assert marks == sorted(set(marks))


def test_a_slow_subscriber_gets_its_ticks_merged_and_loses_nothing() -> None:
    with Database.in_memory(Options(subscription_ticks_max=4)) as db:
        db.execute(f"CREATE TABLE t (k int, v int); CREATE MATERIALIZED VIEW w AS {VIEW}")
        changes = db.subscribe("SUBSCRIBE w")
        last = [db.write("t", [(i % 3, i)]) for i in range(50)][-1]
        state: Counter = Counter()
        times = drain(changes, state)
        assert state == contents(db, "SELECT * FROM w")
        assert times == sorted(times)
        assert len(set(times)) <= 5
        assert times[-1] == last


def test_a_subscriber_that_is_too_far_behind_ends_with_an_error() -> None:
    with Database.in_memory(Options(subscription_ticks_max=1, subscription_rows_max=100_000)) as db:
        db.execute("CREATE TABLE t (x int)")
        changes = db.subscribe("SUBSCRIBE t")
        for part in range(3):
            db.execute(f"INSERT INTO t SELECT * FROM generate_series({part * 70_000}, {part * 70_000 + 69_999})")
        with pytest.raises(SqlError, match="subscription_rows_max"):
            list(changes)
        assert db.execute("SELECT count(*) FROM t").rows() == [(210_000,)]


def test_on_ready_wakes_and_close_ends(db: Database) -> None:
    db.execute("CREATE TABLE t (x int)")
    changes = db.subscribe("SUBSCRIBE t")
    woken = threading.Event()
    changes.on_ready(woken.set)
    assert not woken.is_set()
    db.write("t", [(1,)])
    assert woken.is_set()
    batch = changes.poll()
    assert batch is not None
    assert [change.row for change in batch.changes()] == [(1,)]
    changes.close()
    changes.close()
    assert changes.ended
    assert changes.poll() is None
    assert list(changes) == []


def test_iterating_waits_for_the_next_tick(db: Database) -> None:
    db.execute("CREATE TABLE t (x int)")
    changes = db.subscribe("SUBSCRIBE t")
    seen: list[object] = []

    def consume() -> None:
        for change in changes:
            seen.append(change.row[0])
            if change.row[0] == 9:
                return

    reader = threading.Thread(target=consume)
    reader.start()
    for x in range(10):
        db.write("t", [(x,)])
    reader.join(10)
    assert seen == list(range(10))


def test_up_to_ends_it(db: Database) -> None:
    db.execute("CREATE TABLE t (x int)")
    at = db.write("t", [(1,)])
    changes = db.subscribe(f"SUBSCRIBE t UP TO {at + 1}")
    db.write("t", [(2,)])
    assert [change.row for change in changes] == [(1,)]
    assert changes.ended


def test_it_ends_when_nothing_can_come_any_more(tmp_path: Path) -> None:
    """A file that is not followed has an end, what is followed has none, and neither has what a table is part of."""
    (tmp_path / "rows.csv").write_text("1\n2\n2\n")
    with Database.open(tmp_path / "data") as db:
        file = f"FROM FILE '{tmp_path}/rows.csv'"
        db.execute(f"CREATE SOURCE ended (n int) {file} FORMAT CSV WITH 1 COLUMNS")
        db.execute(f"CREATE SOURCE on_and_on (n int) {file} WITH (tail = true) FORMAT CSV WITH 1 COLUMNS")
        db.execute("CREATE SOURCE made FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1ms', UP TO 3)")
        db.execute("CREATE MATERIALIZED VIEW counted AS SELECT n, count(*) AS many FROM ended GROUP BY n")
        db.execute("CREATE TABLE t (n int)")
        ending = {
            "counted": {(1, 1), (2, 2)}, "(SELECT max(counter) FROM made)": {(3,)}, "(SELECT 1)": {(1,)},
            "(SELECT count(*) FROM counted c, ended e WHERE c.n = e.n)": {(3,)},
        }  # fmt: skip
        for asked, rows in ending.items():
            with db.subscribe(f"SUBSCRIBE {asked}") as subscription:
                told: Counter[tuple[Value, ...]] = Counter()
                for change in subscription:
                    told[change.row] += change.diff
            assert {row for row, n in told.items() if n} == rows, asked
        staying = (
            "on_and_on", "(SELECT * FROM counted UNION ALL SELECT n, 1 FROM t)", "mz_databases",
            "(SELECT n FROM ended WHERE mz_now() < 9999999999999::numeric + n)",
        )  # fmt: skip
        for asked in staying:
            with db.subscribe(f"SUBSCRIBE {asked}") as subscription:
                assert subscription.wait(60)
                db.execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)")
                assert not subscription.over, asked


def test_dropping_the_relation_ends_it_with_an_error(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); CREATE MATERIALIZED VIEW v AS SELECT x FROM t")
    changes = db.subscribe("SUBSCRIBE v")
    db.execute("DROP TABLE t CASCADE")
    with pytest.raises(SqlError, match="dropped"):
        list(changes)


def test_closing_the_database_ends_all(db: Database) -> None:
    db.execute("CREATE TABLE t (x int)")
    changes = db.subscribe("SUBSCRIBE t")
    db.close()
    assert list(changes) == []


def test_the_snapshot_of_a_new_database_comes_before_any_write() -> None:
    """With no tick before it, the snapshot had no time: `wait` saw news that `poll` did not give."""
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (a int)")
        with db.subscribe("SUBSCRIBE (SELECT count(*) FROM t) WITH (PROGRESS)") as changes:
            mark, snapshot = changes.poll(), changes.poll()
            assert mark is not None
            assert mark.progressed
            assert snapshot is not None
            assert [change.row for change in snapshot.changes()] == [(0,)]
