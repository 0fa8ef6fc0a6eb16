"""Going on where one was: what was folded before a cut and after it is the view, whatever was cut and when."""

import shutil
from collections import Counter
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.database import Database, Following, Options
from engine.durable.log import COMPACT_WRITES_MIN
from engine.errors import InvalidParameter

VIEW = "SELECT k, sum(v) AS s, count(*) AS n FROM t GROUP BY k"
ROWS = st.tuples(st.integers(0, 3), st.integers(-5, 5))


def drained(following: Following, state: Counter, batches: int | None = None) -> str | None:
    """Fold up to so many batches into `state`; the position behind the last."""
    position = None
    while batches is None or batches > 0:
        batch = following.poll()
        if batch is None:
            break
        if batch.row_count:
            batches = None if batches is None else batches - 1
        for change in batch.changes():
            state[change.row] += change.diff
        position = following.position(batch.timestamp)
    complete = following.complete()
    if complete is not None:
        position = following.position(complete)
    assert min(state.values(), default=0) >= 0
    for row in [row for row, count in state.items() if not count]:
        del state[row]
    return position


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(ROWS, max_size=3), min_size=1, max_size=15), st.integers(0, 999), st.sampled_from(["w", "q"]))
def test_the_changes_since_and_nothing_else(ticks: list[list[tuple[int, int]]], seed: int, what: str) -> None:
    pick = np.random.default_rng(seed)
    with Database.in_memory(Options(history_ms=0, subscription_ticks_max=3)) as db:
        db.execute(f"CREATE TABLE t (k int, v int); CREATE MATERIALIZED VIEW w AS {VIEW}; CREATE VIEW q AS {VIEW}")
        db.write("t", [(0, 1), (1, 2)])
        present = [(0, 1), (1, 2)]
        with db.session() as session:
            state: Counter = Counter()
            following = session.follow(f"SUBSCRIBE {what}")
            assert following.resumed is None
            position = drained(following, state)
            for rows in ticks:
                gone = [row for row in present if pick.random() < 0.3]
                for row in gone:
                    present.remove(row)
                present += rows
                db.write("t", [*rows, *gone], [1] * len(rows) + [-1] * len(gone))
                if pick.random() < 0.5:
                    position = drained(following, state, int(pick.integers(0, 3))) or position
                if pick.random() < 0.5:
                    following.acknowledge(0 if position is None else int(position.split(".")[1]))
                if pick.random() < 0.5:
                    following.leave()
                    following = session.follow(f"SUBSCRIBE {what}", position)
                    assert following.resumed is True
            drained(following, state)
            assert state == Counter(db.execute(f"SELECT * FROM {what}").rows())


@pytest.mark.parametrize("beside", [False, True])
def test_what_the_history_does_not_reach_begins_anew(beside: bool) -> None:
    """Beside one who may hold as much as it likes, and holds less."""
    with Database.in_memory(Options(history_ms=0, resume_rows_max=10)) as db, db.session() as session:
        db.execute("CREATE TABLE t (x int); CREATE MATERIALIZED VIEW v AS SELECT x FROM t")
        following = session.follow("SUBSCRIBE v")
        position = drained(following, Counter())
        following.leave()
        if beside:
            db.execute("CREATE DURABLE SUBSCRIPTION d ON v")
        for x in range(11):
            at = db.write("t", [(x,)])
            if beside:
                db.execute(f"ACKNOWLEDGE DURABLE SUBSCRIPTION d UP TO {at + 1}")
        again = session.follow("SUBSCRIBE v", position)
        assert again.resumed is False
        state: Counter = Counter()
        drained(again, state)
        assert state == Counter((x,) for x in range(11))


def test_a_hold_ends_some_time_after_its_subscriber_left() -> None:
    with Database.in_memory(Options(history_ms=0, resume_ms_max=20)) as db, db.session() as session:
        db.execute("CREATE TABLE t (x int)")
        following = session.follow("SUBSCRIBE t")
        position = drained(following, Counter())
        following.leave()
        left = db.write("t", [(0,)])
        while db.write("t", [(1,)]) <= left + 50:
            pass
        assert session.follow("SUBSCRIBE t", position).resumed is False


def test_closing_lets_the_history_go() -> None:
    with Database.in_memory(Options(history_ms=0)) as db, db.session() as session:
        db.execute("CREATE TABLE t (x int)")
        following = session.follow("SUBSCRIBE t")
        position = drained(following, Counter())
        following.close()
        db.write("t", [(0,)])
        db.write("t", [(1,)])
        assert session.follow("SUBSCRIBE t", position).resumed is False


@pytest.mark.parametrize("other", ["SUBSCRIBE u", "SUBSCRIBE (SELECT x + 1 FROM t)"])
def test_the_position_of_another_query_begins_anew(db: Database, other: str) -> None:
    db.execute("CREATE TABLE t (x int); CREATE TABLE u (x int)")
    with db.session() as session:
        position = drained(session.follow("SUBSCRIBE t"), Counter())
        assert session.follow(other, position).resumed is False
        assert session.follow("SUBSCRIBE t", position).resumed is True


def test_a_view_made_anew_under_its_name_is_another(db: Database) -> None:
    db.execute("CREATE TABLE t (x int); CREATE MATERIALIZED VIEW v AS SELECT x FROM t")
    with db.session() as session:
        position = drained(session.follow("SUBSCRIBE v"), Counter())
        db.execute("DROP MATERIALIZED VIEW v; CREATE MATERIALIZED VIEW v AS SELECT x FROM t")
        assert session.follow("SUBSCRIBE v", position).resumed is False


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(ROWS, max_size=3), min_size=1, max_size=12), st.integers(0, 999))
def test_the_changes_since_whatever_process_told_the_position(ticks: list[list[tuple[int, int]]], seed: int) -> None:
    """Between any two ticks the database may be opened anew; some followers come back at once, some later."""
    pick = np.random.default_rng(seed)
    what = ["w", "q", "(SELECT k, max(s) FROM w WHERE n > 1 GROUP BY k)", "(SELECT t.k, s FROM t JOIN w ON t.k = w.k)"]
    what = [f"SUBSCRIBE {each}" for each in what]
    with TemporaryDirectory() as directory, ExitStack() as opened:
        db = opened.enter_context(Database.open(directory))
        db.execute(f"CREATE TABLE t (k int, v int); CREATE MATERIALIZED VIEW w AS {VIEW}; CREATE VIEW q AS {VIEW}")
        present: list[tuple[int, int]] = []
        states = [Counter() for _ in what]
        positions: list[str | None] = [None for _ in what]
        followings: list[Following | None] = [db.session().follow(each) for each in what]
        for rows in ticks:
            gone = [row for row in present if pick.random() < 0.3]
            for row in gone:
                present.remove(row)
            present += rows
            db.write("t", [*rows, *gone], [1] * len(rows) + [-1] * len(gone))
            for i, following in enumerate(followings):
                if following is not None and pick.random() < 0.5:
                    positions[i] = drained(following, states[i]) or positions[i]
            if pick.random() < 0.4:
                opened.close()
                db = opened.enter_context(Database.open(directory))
                followings = [None for _ in what]
            for i, query in enumerate(what):
                if followings[i] is None and pick.random() < 0.5:
                    following = followings[i] = db.session().follow(query, positions[i])
                    assert following.resumed is (None if positions[i] is None else True)
                    states[i] = Counter() if following.resumed is None else states[i]
        for i, query in enumerate(what):
            following = followings[i]
            if following is None:
                following = db.session().follow(query, positions[i])
                assert following.resumed is not False
                states[i] = Counter() if following.resumed is None else states[i]
            drained(following, states[i])
            read = query.removeprefix("SUBSCRIBE ")
            assert states[i] == Counter(db.execute(f"SELECT * FROM {read}").rows())


def reopened(directory: Path, position: str, what: str = "SUBSCRIBE v", **options: int) -> tuple[bool | None, Counter]:
    """What a follower of an earlier process is told: whether it goes on, and with which changes."""
    with Database.open(directory, Options(**options)) as db, db.session() as session:
        following = session.follow(what, position)
        changes: Counter = Counter()
        while (batch := following.poll()) is not None:
            for change in batch.changes():
                changes[change.row] += change.diff
        return following.resumed, changes


def told(directory: Path, *statements: str, what: str = "SUBSCRIBE v") -> str:
    """A position after these statements."""
    with Database.open(directory) as db, db.session() as session:
        for statement in statements:
            db.execute(statement)
        following = session.follow(what)
        while (position := drained(following, Counter())) is None:  # it hydrates
            following.subscription.wait(0.01)
        return position


TABLE = "CREATE TABLE t (x int); INSERT INTO t VALUES (1); CREATE MATERIALIZED VIEW v AS SELECT x FROM t"


def test_nothing_is_told_twice_after_a_restart(tmp_path: Path) -> None:
    position = told(tmp_path, TABLE)
    assert reopened(tmp_path, position) == (True, Counter())
    told(tmp_path, "INSERT INTO t VALUES (2)")
    assert reopened(tmp_path, position) == (True, Counter([(2,)]))
    assert reopened(tmp_path, position) == (True, Counter([(2,)]))


def test_what_no_log_keeps_begins_anew(tmp_path: Path) -> None:
    """Generators make their rows again, at other times."""
    source = "CREATE SOURCE g FROM LOAD GENERATOR COUNTER (UP TO 3, AS OF 3)"
    view = "CREATE MATERIALIZED VIEW v AS SELECT counter FROM g"
    position = told(tmp_path, source, view)
    assert reopened(tmp_path, position)[0] is False


def test_an_id_that_was_dropped_is_no_others(tmp_path: Path) -> None:
    position = told(tmp_path, "CREATE TABLE v (x int)", "INSERT INTO v VALUES (1)")
    told(tmp_path, "DROP TABLE v", "CREATE TABLE other (x int)", what="SUBSCRIBE other")
    told(tmp_path, "DROP TABLE other", "CREATE TABLE v (x int)")
    assert reopened(tmp_path, position) == (False, Counter())


def test_a_directory_put_back_from_a_copy_begins_anew(tmp_path: Path) -> None:
    """What followers were told meanwhile never was, there."""
    told(tmp_path / "data", TABLE)
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    there = told(tmp_path / "data", "INSERT INTO t VALUES (2)")
    kept = told(tmp_path / "copy")
    assert reopened(tmp_path / "copy", there)[0] is False
    assert reopened(tmp_path / "copy", kept) == (True, Counter())


def test_what_was_put_together_begins_anew(tmp_path: Path) -> None:
    position = told(tmp_path, TABLE)
    with Database.open(tmp_path) as db:
        db._coordinator.log._db.execute("PRAGMA synchronous=OFF")
        for x in range(COMPACT_WRITES_MIN):
            db.write("t", [(x,)])
    assert reopened(tmp_path, position)[0] is True  # they are of the last minute
    assert reopened(tmp_path, position, resume_ms_max=1, history_ms=0)[0] is False
    with Database.open(tmp_path) as db:
        assert db.execute("SELECT count(*) FROM v").rows() == [(1 + COMPACT_WRITES_MIN,)]


def test_more_than_resume_rows_max_begins_anew(tmp_path: Path) -> None:
    position = told(tmp_path, TABLE)
    told(tmp_path, "INSERT INTO t SELECT generate_series(1, 11)")
    assert reopened(tmp_path, position, resume_rows_max=10)[0] is False
    assert reopened(tmp_path, position, resume_rows_max=11)[0] is True


def test_a_view_that_was_replaced_begins_anew(tmp_path: Path) -> None:
    """The log knows what its query was, but not what it had been before."""
    position = told(tmp_path, TABLE)
    told(tmp_path, "CREATE REPLACEMENT MATERIALIZED VIEW r FOR v AS SELECT x + 1 AS x FROM t")
    assert reopened(tmp_path, position) == (True, Counter())
    applied = told(tmp_path, "ALTER MATERIALIZED VIEW v APPLY REPLACEMENT r")
    assert reopened(tmp_path, position)[0] is False
    assert reopened(tmp_path, applied)[0] is True


def test_what_time_alone_took_away_over_a_restart(tmp_path: Path) -> None:
    view = "CREATE MATERIALIZED VIEW v AS SELECT x FROM t WHERE mz_now() < e"
    with Database.open(tmp_path) as db, db.session() as session:
        db.execute("CREATE TABLE t (x int, e numeric)")
        db.execute(view)
        now = db.write("t", [(0, Decimal(0))])
        db.write("t", [(1, Decimal(now + 1000)), (2, Decimal(now + 10**7))])
        state: Counter = Counter()
        position = drained(session.follow("SUBSCRIBE v"), state)
        assert position is not None
        assert state == Counter([(1,), (2,)])
    with Database.open(tmp_path) as db, db.session() as session:
        while db.reach(now + 1001):
            pass
        resumed = session.follow("SUBSCRIBE v", position)
        drained(resumed, state)
        assert (resumed.resumed, state) == (True, Counter([(2,)]))


@pytest.mark.parametrize("position", ["", "a.b.c", "a.1", "a.1.2.b", "a.-1.1.b.c", "x" * 200, "a.².1.b.c"])
def test_what_was_never_a_position_is_refused(db: Database, position: str) -> None:
    db.execute("CREATE TABLE t (x int)")
    with db.session() as session, pytest.raises(InvalidParameter):
        session.follow("SUBSCRIBE t", position)


def test_subscribers_of_one_collection_share_a_ticks_batch(db: Database) -> None:
    db.execute("CREATE TABLE t (x int)")
    with db.session() as session:
        first, second = session.follow("SUBSCRIBE t"), session.follow("SUBSCRIBE t")
        db.write("t", [(1,)])
        one, other = first.poll(), second.poll()
        assert one is not None
        assert other is not None
        assert one.delta is other.delta
