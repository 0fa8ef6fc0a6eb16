"""Going on where one was: what was folded before a cut and after it is the view, whatever was cut and when."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.database import Database, Following, Options
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


def test_what_the_history_does_not_reach_begins_anew() -> None:
    with Database.in_memory(Options(history_ms=0, resume_rows_max=10)) as db, db.session() as session:
        db.execute("CREATE TABLE t (x int); CREATE MATERIALIZED VIEW v AS SELECT x FROM t")
        following = session.follow("SUBSCRIBE v")
        position = drained(following, Counter())
        following.leave()
        for x in range(11):
            db.write("t", [(x,)])
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


def test_another_process_has_another_history(tmp_path) -> None:
    with Database.open(tmp_path) as db, db.session() as session:
        db.execute("CREATE TABLE t (x int)")
        position = drained(session.follow("SUBSCRIBE t"), Counter())
    with Database.open(tmp_path) as db, db.session() as session:
        assert session.follow("SUBSCRIBE t", position).resumed is False


@pytest.mark.parametrize("position", ["", "a.b.c", "a.1", "a.-1.b", "x" * 200, "a.²."])
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
