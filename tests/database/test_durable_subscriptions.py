"""Durable subscriptions: a time that is told again, whatever came between, is told as the same rows; none is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine import types
from engine.database import Database, Options, Subscription
from engine.errors import (
    DependentObjects,
    DivisionByZero,
    InvalidParameter,
    ObjectInUse,
    ObjectNotInState,
    ReadOnlyTransaction,
    SqlError,
    UndefinedTable,
    Unsupported,
    WrongObjectType,
)
from tests.database.conftest import Directory

Told = dict[int, Counter]

WORLD = """CREATE TABLE t (k int, v bigint); CREATE TABLE u (k int, w text);
    CREATE SOURCE hook FROM WEBHOOK BODY FORMAT JSON;
    CREATE MATERIALIZED VIEW m AS SELECT k, sum(v) AS s, count(*) AS n FROM t JOIN u USING (k) GROUP BY k;
    CREATE VIEW plain AS SELECT k, max(v) AS top FROM t GROUP BY k;"""

MADE = {
    "on_table": "ON t",
    "on_source": "ON hook",
    "on_materialized": "ON m",
    "on_view": "ON plain",
    "of_query": "AS SELECT w, count(*) AS n, array_agg(v ORDER BY v) AS vs FROM t JOIN u USING (k) GROUP BY w",
    "of_time": "AS SELECT v FROM t WHERE mz_now() <= v",
    "by_key": "AS SELECT k, sum(v) AS s FROM t GROUP BY k ENVELOPE DEBEZIUM (KEY (k))",
}


def read(db: Database, name: str, options: str = "") -> Told:
    """What a reader is told up to now: the rows of each time, each time in one piece and in order."""
    db.write("clock", [])
    until = db.execute("SELECT * FROM clock").timestamp
    assert until is not None
    return drained(db.subscribe(f"SUBSCRIBE USING DURABLE SUBSCRIPTION {name} {options} UP TO {until + 1}"))


def drained(subscription: Subscription) -> Told:
    told: Told = {}
    with subscription as changes:
        while not changes.ended:
            assert changes.wait(20)
            batch = changes.poll()
            if batch is None:
                continue
            assert batch.timestamp > max(told, default=0)
            told[batch.timestamp] = Counter({str(change.row): change.diff for change in batch.changes()})
    return told


def state(db: Database, name: str) -> tuple:
    sql = f"SELECT state, acknowledged_up_to::bigint FROM mz_internal.mz_durable_subscriptions WHERE name = '{name}'"
    (row,) = db.execute(sql).rows()
    return row


def acknowledge(db: Database, name: str, up_to: int) -> None:
    db.execute(f"ACKNOWLEDGE DURABLE SUBSCRIPTION {name} UP TO {up_to}")


@pytest.fixture
def world(db: Database) -> Database:
    db.execute(f"{WORLD} CREATE TABLE clock (a int)")
    return db


@dataclass
class Readers:
    """What the readers of all subscriptions have been told, and have acknowledged."""

    told: dict[str, Told] = field(default_factory=lambda: {name: {} for name in MADE})
    acknowledged: dict[str, int] = field(default_factory=dict)

    def go_on(self, db: Database, name: str) -> None:
        again = read(db, name)
        known, since = self.told[name], self.acknowledged.get(name, 0)
        assert all(at >= since for at in again)
        assert {at: rows for at, rows in known.items() if at >= since} == {at: again[at] for at in known if at >= since}
        assert all(at > max(known, default=0) for at in again.keys() - known.keys())
        known.update(again)


def change(db: Database, draw: random.Random) -> None:
    now = time.time_ns() // 1_000_000
    match draw.randrange(4):
        case 0:
            db.write("t", [(draw.randrange(4), draw.choice([draw.randrange(9), now + 3]))])
        case 1:
            db.write("u", [(draw.randrange(4), draw.choice("abc"))])
        case 2:
            db.webhook(("hook",), [], json.dumps({"a": draw.randrange(3)}).encode())
        case _:
            db.execute(f"DELETE FROM t WHERE k = {draw.randrange(4)}")


def test_a_time_is_told_again_as_it_was(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over lost connections and restarts, at which the log puts writes together; whatever was acknowledged when."""
    monkeypatch.setattr("engine.durable.log.COMPACT_WRITES_MIN", 4)
    draw = random.Random(11)
    db = directory.open()
    db.execute(
        f"{WORLD} CREATE TABLE clock (a int); INSERT INTO t VALUES (1, 5), (2, 6); INSERT INTO u VALUES (1, 'a')"
    )
    for name, what in MADE.items():
        db.execute(f"CREATE DURABLE SUBSCRIPTION {name} {what}")
        change(db, draw)
    readers = Readers()
    for _ in range(4):
        for _ in range(5):
            for _ in range(4):
                change(db, draw)
            for name in MADE:
                if draw.random() < 0.5:
                    readers.go_on(db, name)
                known = readers.told[name]
                if known and draw.random() < 0.4:
                    up_to = draw.choice(sorted(known)) + draw.randrange(2)
                    acknowledge(db, name, up_to)
                    readers.acknowledged[name] = max(up_to, readers.acknowledged.get(name, 0))
                    assert state(db, name) == ("idle", readers.acknowledged[name])
        db = directory.open()
    for name in ("on_table", "on_source", "on_materialized", "on_view"):
        readers.go_on(db, name)
        held: Counter = Counter()
        for rows in readers.told[name].values():
            held.update(rows)
        relation = MADE[name].removeprefix("ON ")
        assert +held == Counter(map(str, db.execute(f"SELECT * FROM {relation}").rows()))
        assert min(held.values(), default=0) >= 0


WRITER = """
import json, sys, threading, time
from engine.database import Database

db = Database.open(sys.argv[1])

def say(*what):
    sys.stdout.write(json.dumps(what) + "\\n")
    sys.stdout.flush()

def follow(name):
    with db.subscribe(f"SUBSCRIBE USING DURABLE SUBSCRIPTION {name}") as changes:
        for number in range(1_000_000):
            changes.wait(1)
            while (batch := changes.poll()) is not None:
                say(name, batch.timestamp, [[str(change.row), change.diff] for change in batch.changes()])
                if (batch.timestamp + number) % 3 == 0:
                    db.execute(f"ACKNOWLEDGE DURABLE SUBSCRIPTION {name} UP TO {batch.timestamp}")
                    say(name, batch.timestamp, None)

for name in sys.argv[2:]:
    threading.Thread(target=follow, args=(name,), daemon=True).start()
i = 0
while True:
    i += 1
    soon = time.time_ns() // 1_000_000 + 3
    db.write("t", [(i % 3, soon if i % 2 else 5)])
    db.write("u", [(i * 7 % 5, "ab"[i % 2])])
    db.webhook(("hook",), [], b'{"a": 1}')
    db.execute(f"DELETE FROM t WHERE k = {i % 4}")
"""
"""What writes, and tells what its readers are told and have acknowledged, until it is killed."""


def test_no_kill_changes_what_is_told(directory: Directory) -> None:
    """At whichever moment: what was acknowledged stays so, what was not is told again as it was."""
    db = directory.open()
    db.execute(
        f"{WORLD} CREATE TABLE clock (a int); INSERT INTO t VALUES (1, 5), (2, 6); INSERT INTO u VALUES (1, 'a')"
    )
    for name, what in MADE.items():
        db.execute(f"CREATE DURABLE SUBSCRIPTION {name} {what}")
    chance = random.Random(3)
    readers = Readers()
    for _ in range(2):
        directory.close()
        killed(directory.path, readers, 0.3 + chance.random() / 3)
        db = directory.open()
        for name in MADE:
            _, acknowledged = state(db, name)
            assert acknowledged >= readers.acknowledged.get(name, 0)
            readers.acknowledged[name] = acknowledged  # one may have been made whole whose answer was not told
            readers.go_on(db, name)


def killed(path: Path, readers: Readers, after: float) -> None:
    """A process writes and reads, and is killed so many seconds after all readers were told something."""
    heard: set[str] = set()
    end = give_up = time.monotonic() + 120
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), *MADE], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        try:
            for line in writer.stdout:
                if line.endswith("\n"):  # else it was killed in the middle of it
                    name, at, changes = json.loads(line)
                    if changes is None:
                        readers.acknowledged[name] = at
                    else:
                        rows = Counter(dict(changes))
                        assert readers.told[name].setdefault(at, rows) == rows
                        heard.add(name)
                if end == give_up and len(heard) == len(MADE):
                    end = time.monotonic() + after
                if time.monotonic() > end:
                    writer.send_signal(signal.SIGKILL)
        finally:
            writer.kill()
    assert writer.returncode == -signal.SIGKILL


def test_a_slow_reader_is_told_of_every_tick(world: Database) -> None:
    world.execute("CREATE DURABLE SUBSCRIPTION d ON t")
    ticks = Options().subscription_ticks_max * 3
    with world.subscribe("SUBSCRIBE USING DURABLE SUBSCRIPTION d WITH (PROGRESS)") as changes:
        times = [world.write("t", [(0, i)]) for i in range(ticks)]
        told = []
        while len(told) < ticks:
            assert changes.wait(20)
            batch = changes.poll()
            if batch is not None and not batch.progressed:
                told.append((batch.timestamp, [change.row for change in batch.changes()]))
        assert told == [(at, [(0, i)]) for i, at in enumerate(times)]


def test_a_new_reader_takes_over(world: Database) -> None:
    world.execute("CREATE DURABLE SUBSCRIPTION d ON t; INSERT INTO t VALUES (1, 1)")
    first = world.subscribe("SUBSCRIBE USING DURABLE SUBSCRIPTION d")
    assert state(world, "d")[0] == "reading"
    told = read(world, "d")
    with pytest.raises(ObjectInUse, match="another reader took over"):
        drained(first)
    assert len(told) == 1
    assert state(world, "d")[0] == "idle"
    assert read(world, "d") == told


def test_acknowledging_is_exclusive_monotone_and_idempotent(world: Database) -> None:
    world.execute("CREATE DURABLE SUBSCRIPTION d ON t; CREATE DURABLE SUBSCRIPTION e ON t")
    times = [world.write("t", [(0, i)]) for i in range(4)]
    for up_to, since in ((times[1], 1), (times[0], 1), (times[1], 1), (times[1] + 1, 2), (0, 2), (times[3] + 1, 4)):
        acknowledge(world, "d", up_to)
        assert list(read(world, "d")) == times[since:]
    with pytest.raises(InvalidParameter, match="lies ahead"):
        acknowledge(world, "d", times[3] + 3_600_000)
    with world.session() as session:
        for parameter, oids, since in (("$1", (), 2), ("$1", (types.BIGINT.oid,), 3), ("$1::bigint", (), 4)):
            sql = f"ACKNOWLEDGE DURABLE SUBSCRIPTION e UP TO {parameter}"
            portal = session.bind("", session.prepare("", sql, oids), [str(times[since - 1] + 1)])
            session.run_portal(portal, True)
            assert list(read(world, "e")) == times[since:]


def test_acknowledging_is_of_its_transaction(world: Database) -> None:
    """Whoever writes here what a reader is told has it exactly once: both are there, or neither is."""
    world.execute("CREATE DURABLE SUBSCRIPTION d ON t; CREATE TABLE copy (k int, v bigint)")
    at = world.write("t", [(1, 1)])
    said = f"BEGIN; INSERT INTO copy SELECT * FROM t; ACKNOWLEDGE DURABLE SUBSCRIPTION d UP TO {at + 1}"
    with world.session() as session:
        session.execute(f"{said}; ROLLBACK")
        assert list(read(world, "d")) == [at]
        session.execute(f"{said}; SAVEPOINT s")
        assert list(read(world, "d")) == [at]
        session.execute("COMMIT")
        assert (read(world, "d"), world.execute("SELECT * FROM copy").rows()) == ({}, [(1, 1)])
        session.execute("BEGIN READ ONLY")
        with pytest.raises(ReadOnlyTransaction):
            session.execute(f"ACKNOWLEDGE DURABLE SUBSCRIPTION d UP TO {at}")
        session.execute("ROLLBACK; BEGIN READ ONLY")
        with pytest.raises(ReadOnlyTransaction):
            session.subscribe("SUBSCRIBE USING DURABLE SUBSCRIPTION d WITH (RESET)")
        session.execute("ROLLBACK; BEGIN; CREATE DURABLE SUBSCRIPTION e ON t")
        with pytest.raises(Unsupported, match="made cannot be subscribed to yet"):
            session.subscribe("SUBSCRIBE USING DURABLE SUBSCRIPTION e")
        session.execute("ROLLBACK")
        with pytest.raises(UndefinedTable):
            read(world, "e")
        session.execute("BEGIN; CREATE DURABLE SUBSCRIPTION e ON t; INSERT INTO t VALUES (2, 2); COMMIT")
        snapshot, change = read(world, "e").values()
        assert (snapshot, change) == (Counter(["(1, 1)"]), Counter(["(2, 2)"]))


@pytest.mark.parametrize("kept", [False, True])
def test_it_expires_and_begins_anew(directory: Directory, kept: bool) -> None:
    """Whether somebody reads or not; what is let go is gone, also after a restart, until somebody resets it."""
    db = directory.open()
    db.execute("CREATE TABLE t (a int); CREATE TABLE clock (a int); INSERT INTO t VALUES (1)")
    db.execute("CREATE DURABLE SUBSCRIPTION d ON t WITH (ACKNOWLEDGE WITHIN '200 ms')")
    begun = db.execute("SELECT * FROM t").timestamp
    with pytest.raises(ObjectNotInState, match="expired: nothing was acknowledged within 200 ms"):
        drained(db.subscribe("SUBSCRIBE USING DURABLE SUBSCRIPTION d"))
    if kept:
        db = directory.open()
    assert state(db, "d")[0] == "expired"
    for way in (lambda: read(db, "d"), lambda: acknowledge(db, "d", 1)):
        with pytest.raises(ObjectNotInState, match="expired") as failed:
            way()
        assert "WITH (RESET)" in str(failed.value.hint)
    db.execute("INSERT INTO t VALUES (2)")
    time.sleep(0.01)
    db.execute("ALTER TABLE t SET (RETAIN HISTORY FOR '1ms'); INSERT INTO t VALUES (3)")
    with pytest.raises(SqlError, match="the earliest that can be read"):
        db.execute(f"SELECT * FROM t AS OF {begun}")  # the history is let go
    (rows,) = read(db, "d", "WITH (RESET)").values()
    assert rows == Counter(["(1,)", "(2,)", "(3,)"])


def test_acknowledging_again_is_a_sign_of_life(db: Database) -> None:
    waited = "SELECT extract(epoch FROM time_since_ack)::double FROM mz_internal.mz_durable_subscriptions"
    db.execute("CREATE TABLE t (a int); CREATE DURABLE SUBSCRIPTION d ON t")
    time.sleep(0.1)
    ((before,),) = db.execute(waited).rows()
    began = time.time()
    acknowledge(db, "d", 1)
    ((after,),) = db.execute(waited).rows()
    assert before >= 0.1
    assert after <= time.time() - began + 0.002


def test_what_the_log_does_not_have_is_told_anew_only_if_asked(directory: Directory) -> None:
    """A generator makes its rows again at other times: to go on would tell others of times that were told."""
    db = directory.open()
    db.execute("CREATE TABLE clock (a int); CREATE SOURCE c FROM LOAD GENERATOR COUNTER (TICK INTERVAL '5ms')")
    db.execute("CREATE DURABLE SUBSCRIPTION d AS SELECT count(*) FROM c")
    told = read(db, "d")
    assert {at: rows for at, rows in read(db, "d").items() if at in told} == told
    db = directory.open()
    db.execute("SELECT count(*) FROM c")  # waits until the generator has begun
    assert state(db, "d")[0] == "expired"
    with pytest.raises(ObjectNotInState, match="not known any more"):
        read(db, "d")
    read(db, "d", "WITH (RESET)")
    assert next(iter(read(db, "d").values())).total() == 1
    assert state(db, "d")[0] == "idle"


def test_it_may_start_in_the_past(directory: Directory) -> None:
    db = directory.open()
    db.execute("CREATE TABLE clock (a int); CREATE TABLE t (a int) WITH (RETAIN HISTORY FOR '1h')")
    db.execute("CREATE VIEW v AS SELECT a % 2 AS odd, count(*) FROM t GROUP BY 1")
    times = [db.write("t", [(i,)]) for i in range(4)]
    db.execute(f"CREATE DURABLE SUBSCRIPTION d ON t WITH (START AT {times[1]})")
    db.execute("ALTER TABLE t SET (RETAIN HISTORY FOR '1ms')")
    for db in directory.then_and_later():
        times.append(db.write("t", [(len(times),)]))
        told = read(db, "d")
        assert told == {
            times[1]: Counter(["(0,)", "(1,)"]),
            **{times[i]: Counter([f"({i},)"]) for i in range(2, len(times))},
        }
        for sql, error in (
            (
                f"CREATE DURABLE SUBSCRIPTION e ON t WITH (START AT {times[0] - 60_000})",
                "the earliest that can be read",
            ),
            (f"CREATE DURABLE SUBSCRIPTION e ON t WITH (START AT {times[-1] + 3_600_000})", "lies in the future"),
            (f"CREATE DURABLE SUBSCRIPTION e ON v WITH (START AT {times[-1]})", "the past of view"),
            ("CREATE DURABLE SUBSCRIPTION e AS SELECT 1 WITH (START AT 1)", "START AT of a query"),
            ("CREATE DURABLE SUBSCRIPTION e ON t WITH (ACKNOWLEDGE WITHIN '-1s')", "must be positive"),
        ):
            with pytest.raises(SqlError, match=error):
                db.execute(sql)


def test_it_goes_with_what_it_tells(db: Database) -> None:
    db.execute("CREATE TABLE t (k int, v int); CREATE DURABLE SUBSCRIPTION d ON t")
    for sql in ("DROP TABLE t", "ALTER TABLE t ADD COLUMN c int", "ALTER TABLE t RENAME COLUMN v TO w", "DROP VIEW d"):
        with pytest.raises((DependentObjects, WrongObjectType)) as failed:
            db.execute(sql)
        said = f"{failed.value.message} {failed.value.detail} {failed.value.hint}"
        assert 'durable subscription "d" depends on' in said or "use DURABLE SUBSCRIPTION" in said
    with db.subscribe("SUBSCRIBE USING DURABLE SUBSCRIPTION d") as changes:
        db.execute("DROP TABLE t CASCADE")
        with pytest.raises(UndefinedTable, match="the durable subscription was dropped"):
            drained(changes)
    assert db.execute("SHOW DURABLE SUBSCRIPTIONS").rows() == []
    db.execute("DROP DURABLE SUBSCRIPTION IF EXISTS d")
    with pytest.raises(UndefinedTable):
        db.execute("DROP DURABLE SUBSCRIPTION d")


def test_a_dropped_one_holds_no_history() -> None:
    with Database.in_memory(Options(history_ms=0)) as db:
        db.execute("CREATE TABLE t (a int); CREATE DURABLE SUBSCRIPTION d ON t")
        at = [db.write("t", [(i,)]) for i in range(3)]
        assert len(db.execute(f"SELECT * FROM t AS OF {at[0]}").rows()) == 1
        db.execute("DROP DURABLE SUBSCRIPTION d")
        db.write("t", [(3,)])
        with pytest.raises(SqlError, match="the earliest that can be read"):
            db.execute(f"SELECT * FROM t AS OF {at[0]}")


def test_an_error_ends_its_reader_and_healed_it_goes_on(db: Database) -> None:
    """With all changes at their times."""
    db.execute("CREATE TABLE clock (a int); CREATE TABLE t (a int)")
    db.execute("CREATE DURABLE SUBSCRIPTION d AS SELECT a, 12 / a AS b FROM t")
    first = db.write("t", [(3,)])
    db.write("t", [(0,), (6,)])
    with pytest.raises(DivisionByZero):
        read(db, "d")
    db.write("t", [(0,)], [-1])
    told = read(db, "d")
    assert list(told.values())[-2:] == [Counter(["(3, 4)"]), Counter(["(6, 2)"])]
    acknowledge(db, "d", first + 1)
    assert list(read(db, "d").values()) == [Counter(["(6, 2)"])]


def test_it_is_an_object_like_any(directory: Directory) -> None:
    db = directory.open()
    db.execute(f"{WORLD} CREATE TABLE clock (a int)")
    made = "CREATE DURABLE SUBSCRIPTION d AS SELECT k FROM t WITHIN TIMESTAMP ORDER BY k DESC"
    made += " WITH (ACKNOWLEDGE WITHIN '1d')"
    db.execute(f"{made}; COMMENT ON DURABLE SUBSCRIPTION d IS 'what ann reads'")
    assert db.execute("CREATE DURABLE SUBSCRIPTION IF NOT EXISTS d ON t").notices
    at = db.write("t", [(1, 1), (3, 1), (2, 1)])
    db.execute("ALTER TABLE t RENAME TO facts; CREATE SCHEMA s; ALTER DURABLE SUBSCRIPTION d RENAME TO news")
    db.execute("ALTER DURABLE SUBSCRIPTION news SET SCHEMA s; CREATE DURABLE SUBSCRIPTION other ON facts")
    for db in directory.then_and_later():
        (shown,) = db.execute("SHOW DURABLE SUBSCRIPTIONS FROM s").rows()
        assert (shown[:2], shown[3]) == (("news", None), "idle")
        assert db.execute("SHOW FULL DURABLE SUBSCRIPTIONS FROM s").rows()[0][-1] == "what ann reads"
        shown = str(db.execute("SHOW CREATE DURABLE SUBSCRIPTION s.news").rows()[0][1])
        assert shown == made.replace(" d AS", " materialize.s.news AS").replace(
            "FROM t", "FROM materialize.public.facts"
        )
        told = db.subscribe("SUBSCRIBE USING DURABLE SUBSCRIPTION s.news")
        assert told.wait(20)
        batch = told.poll()
        while batch is not None and batch.timestamp < at:
            batch = told.poll()
        assert batch is not None
        assert [change.row for change in batch.changes()] == [(3,), (2,), (1,)]
        rows = db.execute("SELECT name, target FROM mz_internal.mz_durable_subscriptions ORDER BY 1").rows()
        assert rows == [("news", None), ("other", "materialize.public.facts")]


def test_a_replaced_view_goes_on(world: Database) -> None:
    """The difference is a change like any."""
    world.execute("CREATE DURABLE SUBSCRIPTION d ON m; CREATE DURABLE SUBSCRIPTION q AS SELECT sum(s) FROM m")
    world.execute("INSERT INTO u VALUES (1, 'a'); INSERT INTO t VALUES (1, 5)")
    before = {name: read(world, name) for name in "dq"}
    world.execute("""CREATE REPLACEMENT MATERIALIZED VIEW r FOR m AS
        SELECT k, sum(v + 1) AS s, count(*) AS n FROM t JOIN u USING (k) GROUP BY k""")
    world.execute("ALTER MATERIALIZED VIEW m APPLY REPLACEMENT r")
    world.execute("INSERT INTO t VALUES (1, 7)")
    for name in "dq":
        told = read(world, name)
        assert {at: told[at] for at in before[name]} == before[name]
        assert len(told) == len(before[name]) + 2
    with pytest.raises(DependentObjects):
        world.execute("DROP MATERIALIZED VIEW m")
