"""What nobody wants any more ends: steps, plans and texts ask; ticks do not."""

import threading
import time

import pytest

from engine.collection.heap import Heap
from engine.collection.wanted import ask, asking
from engine.coordinator.watched import STEPS_MAX, Watched
from engine.database import Database
from engine.errors import QueryCanceled


class Gone(Exception):
    """Whoever asked has changed his mind."""


def gone() -> None:
    raise Gone


def steps() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "step"]


def test_a_step_that_is_left_behind_ends_where_it_asks_next():
    began = threading.Event()

    def check() -> None:
        if began.is_set():
            raise Gone

    def endless() -> None:
        began.set()
        while True:
            ask()

    free = threading.Semaphore(STEPS_MAX)
    with pytest.raises(Gone):
        Watched(check, Heap(), free).run(endless, None)
    for step in steps():
        step.join()
    assert all(free.acquire(blocking=False) for _ in range(STEPS_MAX))


def test_asking_is_of_one_thread_and_ends_with_its_block():
    answers = []
    with asking(gone):
        with pytest.raises(Gone):
            ask()
        other = threading.Thread(target=lambda: answers.append(ask()))
        other.start()
        other.join()
        with asking(None):
            ask()
        with pytest.raises(Gone):
            ask()
    ask()
    assert answers == [None]


def test_a_tick_is_whole_whoever_does_not_want_it_any_more():
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (k int, v text)")
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT k, count(*), max(v), string_agg(v, ',') FROM t GROUP BY k")
        with asking(gone):
            db.write("t", [(1, "a"), (1, "b"), (2, "c")])
            db.write("t", [(1, "a")], [-1])
        assert sorted(db.execute("SELECT * FROM v").rows()) == [(1, 1, "b", "b"), (2, 1, "c", "c")]


def chained(names: int) -> str:
    made = ", ".join(f"c{i} AS (SELECT a + {i} AS a, b FROM c{i - 1} WHERE a > {i})" for i in range(1, names))
    return f"WITH c0 AS (SELECT a, b FROM t), {made} SELECT count(*) FROM c{names - 1}"


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(chained(400), id="names of WITH"),
        pytest.param(
            "SELECT 1 FROM t WHERE " + " OR ".join(f"a = {i} AND b > {i}" for i in range(900)), id="conditions"
        ),
        pytest.param("INSERT INTO t VALUES " + ", ".join(f"({i}, {i} + 1)" for i in range(20_000)), id="a long text"),
        pytest.param("SELECT count(*) FROM generate_series(1, 90000000)", id="a table function"),
        pytest.param("SELECT 1 FROM t WHERE a IN (" + ", ".join(map(str, range(50_000))) + ")", id="a long list"),
    ],
)
def test_what_takes_long_before_any_row_is_read_ends_when_it_is_cancelled(sql):
    with Database.in_memory() as db:
        session = db.session()
        session.execute("CREATE TABLE t (a int, b int)")
        asked = []

        def checked() -> None:
            asked.append(time.monotonic())
            if len(asked) == 3:
                session.cancel()
            check()

        check, session.check = session.check, checked  # the third time that it asks is early in the text or the plan
        with pytest.raises(QueryCanceled, match="user request"):
            session.execute(sql)
        assert session.transaction_status == "I"
        session.check = check
        assert session.execute("SELECT count(*) FROM t").rows() == [(0,)]
