"""RETAIN HISTORY on all that can be read: AS OF any tick since is what a subscriber had been told by then."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from engine.database import Database
from engine.errors import InvalidParameter, SqlError, WrongObjectType
from tests.database.conftest import Directory

COUNTER = "CREATE SOURCE c FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1ms', MAX CARDINALITY 20)"
RETAINED = "SELECT name, value FROM mz_internal.mz_history_retention_strategies JOIN mz_objects USING (id)"


def told(db: Database, relation: str, ticks: int) -> list[tuple[int, Counter]]:
    """(tick, rows) of so many ticks of a subscription, from its snapshot on."""
    seen: list[tuple[int, Counter]] = []
    rows: Counter = Counter()
    with db.subscribe(f"SUBSCRIBE {relation}") as changes:
        while len(seen) < ticks and changes.wait(20):
            batch = changes.poll()
            if batch is None:
                break
            for change in batch.changes():
                rows[change.row] += change.diff
            seen.append((batch.timestamp, +rows))
    return seen


def shown(db: Database, kind: str, name: str) -> str:
    return str(db.execute(f"SHOW CREATE {kind} {name}").rows()[0][1])


@pytest.mark.parametrize("relation", ["c", "k", "v"])
def test_sources_and_what_is_above_them_show_each_tick(db: Database, relation: str) -> None:
    keyed = "KEY VALUE (KEYS 4, SNAPSHOT ROUNDS 1, VALUE SIZE 4, SEED 1, TICK INTERVAL '1ms', BATCH SIZE 2)"
    db.execute(
        f"{COUNTER} WITH (RETAIN HISTORY FOR '1h');"
        f"CREATE SOURCE k FROM LOAD GENERATOR {keyed} ENVELOPE UPSERT WITH (RETAIN HISTORY FOR '1h');"
        "CREATE MATERIALIZED VIEW v WITH (RETAIN HISTORY FOR '1h')"
        " AS SELECT counter % 3 AS r, count(*) FROM c GROUP BY 1"
    )
    seen = told(db, relation, 12)
    assert len(seen) == 12
    for at, rows in seen:
        assert Counter(db.execute(f"SELECT * FROM {relation} AS OF {at}").rows()) == rows
    with pytest.raises(SqlError, match="the earliest that can be read"):
        db.execute(f"SELECT * FROM {relation} AS OF 1")


def test_what_is_retained_is_shown_and_changed(directory: Directory) -> None:
    db = directory.open()
    db.execute(
        f"{COUNTER} WITH (RETAIN HISTORY FOR '1h');"
        "CREATE SOURCE a FROM LOAD GENERATOR AUCTION FOR ALL TABLES WITH (RETAIN HISTORY = FOR '2s');"
        "CREATE SOURCE w FROM WEBHOOK BODY FORMAT JSON;"
        "CREATE TABLE t (a int PRIMARY KEY) WITH (RETAIN HISTORY FOR '3s');"
        "CREATE INDEX i ON t (a) WITH (RETAIN HISTORY FOR '4s');"
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM t;"
        "ALTER SOURCE w SET (RETAIN HISTORY FOR '5s')"
    )
    kept = {"c": 3_600_000, "bids": 2000, "a": 2000, "t": 3000, "t_pkey": 3000, "i": 4000, "m": 1000, "w": 5000}
    for db in directory.then_and_later():
        found = {name: int(str(value)) for name, value in db.execute(RETAINED).rows()}
        assert {name: found.get(name) for name in kept} == kept
        assert "RETAIN HISTORY FOR '1h'" in shown(db, "SOURCE", "c")
        assert "RETAIN HISTORY FOR '5000 ms'" in shown(db, "SOURCE", "w")
    db.execute("ALTER SOURCE c SET (RETAIN HISTORY FOR '7s'); ALTER SOURCE a RESET (RETAIN HISTORY)")
    for db in directory.then_and_later():
        found = {name: int(str(value)) for name, value in db.execute(RETAINED).rows()}
        assert (found["c"], found["a"], found["bids"]) == (7000, 1000, 1000)
        assert shown(db, "SOURCE", "c").count("RETAIN") == 1
        assert "RETAIN" not in shown(db, "SOURCE", "a")


def test_the_option_goes_from_wherever_it_was_written(db: Database) -> None:
    for i, options in enumerate(
        (
            "WITH (RETAIN HISTORY FOR '1h')",
            "WITH (UP TO = 9, RETAIN HISTORY FOR '1h')",
            "WITH (RETAIN HISTORY = FOR '1h', UP TO = 9)",
        )
    ):
        db.execute(f"CREATE SOURCE s{i} FROM LOAD GENERATOR COUNTER {options}")
        before = shown(db, "SOURCE", f"s{i}")
        db.execute(f"ALTER SOURCE s{i} SET (RETAIN HISTORY FOR '2h')")
        after = shown(db, "SOURCE", f"s{i}")
        assert after.endswith("WITH (RETAIN HISTORY FOR '7200000 ms')")
        assert after.count("RETAIN") == 1
        assert ("9" in before) == ("9" in after)
        db.execute(f"ALTER SOURCE s{i} RESET (RETAIN HISTORY)")
        assert "RETAIN" not in shown(db, "SOURCE", f"s{i}")


def test_history_that_cannot_be_set(db: Database) -> None:
    db.execute("CREATE SOURCE a FROM LOAD GENERATOR AUCTION FOR ALL TABLES; CREATE VIEW v AS SELECT 1")
    for sql, error in (
        ("ALTER SOURCE bids SET (RETAIN HISTORY FOR '1s')", WrongObjectType),
        ("ALTER VIEW v SET (RETAIN HISTORY FOR '1s')", WrongObjectType),
        ("ALTER SOURCE a SET (RETAIN HISTORY FOR '-1s')", InvalidParameter),
        ("CREATE SOURCE d FROM LOAD GENERATOR COUNTER WITH (RETAIN HISTORY FOR '1 month')", InvalidParameter),
        ("CREATE SOURCE d FROM LOAD GENERATOR COUNTER WITH (RETAIN PAST FOR '1 s')", InvalidParameter),
    ):
        with pytest.raises(error) as failure:
            db.execute(sql)
        assert isinstance(failure.value, SqlError)


def test_an_index_keeps_what_its_relation_does_not(db: Database) -> None:
    """The longest of what the names of one collection ask for counts, and ends with who asked."""
    db.execute("CREATE TABLE t (a int) WITH (RETAIN HISTORY FOR '1 ms'); INSERT INTO t VALUES (0)")
    db.execute("CREATE INDEX i ON t (a) WITH (RETAIN HISTORY FOR '1h')")
    at = [db.write("t", [(i,)]) for i in range(1, 4)]
    assert len(db.execute(f"SELECT * FROM t WHERE a >= 0 AS OF {at[0]}").rows()) == 2
    assert db.execute(f"SELECT * FROM t WHERE a = 3 AS OF {at[0]}").rows() == []
    db.execute("DROP INDEX i")
    db.write("t", [(9,)])
    db.write("t", [(10,)])
    with pytest.raises(SqlError):
        db.execute(f"SELECT * FROM t AS OF {at[0]}")


@pytest.mark.parametrize("made", ["ALTER TABLE t ADD COLUMN b int", "DROP TABLE t CASCADE; {again}; {view}"])
def test_what_was_made_anew_has_no_past_after_a_restart_either(directory: Directory, made: str) -> None:
    """As of a time at which another table had its name, it is not empty."""
    retained = "WITH (RETAIN HISTORY FOR '1h')"
    view = f"""CREATE MATERIALIZED VIEW m {retained} AS SELECT sum(a) AS s FROM t; CREATE INDEX i ON m (s);
        CREATE VIEW v AS SELECT a FROM t WHERE a > 1; CREATE INDEX j ON v (a)"""
    again = f"CREATE TABLE t {retained} AS SELECT i AS a FROM generate_series(1, 4) i"
    db = directory.open()
    db.execute(f"{again}; {view}")
    before = db.execute("SELECT * FROM m").timestamp
    db.execute(made.format(again=again, view=view))
    since = db.execute("SELECT * FROM m").timestamp
    assert before is not None
    assert since is not None
    for each in directory.then_and_later():
        for at in (before, since - 1):
            for relation in ("t", "m", "v"):
                with pytest.raises(SqlError, match=f"the earliest that can be read is {since}"):
                    each.execute(f"SELECT * FROM {relation} AS OF {at}")
        assert each.execute(f"SELECT s FROM m AS OF {since}").rows() == [(10,)]


def test_a_younger_view_of_the_same_query_leaves_the_past_of_the_older(directory: Directory) -> None:
    """Nor does an index that came later; after a restart too."""
    retained, query = "WITH (RETAIN HISTORY FOR '1h')", "SELECT sum(a) AS s FROM t"
    db = directory.open()
    db.execute(f"CREATE TABLE t (a int) {retained}; CREATE MATERIALIZED VIEW old {retained} AS {query}")
    at = [db.write("t", [(i,)]) for i in (1, 2)]
    db.execute(f"CREATE MATERIALIZED VIEW young AS {query}; CREATE INDEX i ON old (s); INSERT INTO t VALUES (3)")
    for each in directory.then_and_later():
        assert [each.execute(f"SELECT s FROM old AS OF {moment}").rows() for moment in at] == [[(1,)], [(3,)]]


PAST = """CREATE TABLE early (k int, v bigint) WITH (RETAIN HISTORY FOR '1h');
    CREATE TABLE plain (k int, w int) WITH (RETAIN HISTORY FOR '1h');
    CREATE TABLE other (a int);
    CREATE SOURCE hook FROM WEBHOOK BODY FORMAT JSON WITH (RETAIN HISTORY FOR '1h');
    CREATE MATERIALIZED VIEW m WITH (RETAIN HISTORY FOR '1h') AS
        SELECT k, sum(v) AS s, count(*) FROM early JOIN plain USING (k) GROUP BY k;
    CREATE MATERIALIZED VIEW soon WITH (RETAIN HISTORY FOR '1h') AS SELECT v FROM early WHERE mz_now() <= v;
    CREATE MATERIALIZED VIEW unasked AS SELECT k, count(*) FROM early, other GROUP BY k;"""


def moment(db: Database, at: int) -> dict[str, Counter]:
    relations = ("early", "plain", "hook", "m", "soon", "audit")
    return {each: Counter(map(str, db.execute(f"SELECT * FROM {each} AS OF {at}").rows())) for each in relations}


def test_what_says_so_keeps_its_past_over_a_restart(directory: Directory) -> None:
    """At every tick, of writes and of what time did alone; subscribers are told the same changes at the same times."""
    db = directory.open()
    db.execute(PAST)
    draw = random.Random(7)
    begun = db.execute("SELECT * FROM early").timestamp
    assert begun is not None
    retained = "WITH (RETAIN HISTORY FOR '1h')"
    db.execute(f"CREATE MATERIALIZED VIEW audit {retained} AS SELECT * FROM CHANGES(plain AS OF {begun})")
    ticks = [begun]
    seen: dict[int, dict[str, Counter]] = {}
    for _ in range(3):
        for _ in range(6):
            now = time.time_ns() // 1_000_000
            ticks.append(db.write("early", [(draw.randrange(3), draw.choice([now + 3, 5]))]))
            ticks.append(db.write("plain", [(draw.randrange(3), 0)]))
            db.webhook(("hook",), [], b'{"a": 1}')
            db.write("other", [(1,)])
        time.sleep(0.01)
        ticks.append(db.write("plain", [(0, 1)]))
        told = {relation: replayed(db, relation, begun) for relation in ("m", "soon", "plain", "hook")}
        seen |= {at: moment(db, at) for at in ticks if at not in seen}
        db = directory.open()
        for relation, changes in told.items():
            assert replayed(db, relation, begun)[: len(changes)] == changes, relation
        assert {at: moment(db, at) for at in seen} == seen
        for sql in (f"unasked AS OF {ticks[-2]}", f"early AS OF {begun - 60_000}"):
            with pytest.raises(SqlError, match="the earliest that can be read"):
                db.execute(f"SELECT * FROM {sql}")
    assert db.execute("SELECT count(*) FROM unasked").row_count == 1


def replayed(db: Database, relation: str, since: int) -> list[tuple[int, Counter]]:
    """What a subscriber is told up to now."""
    until = db.execute(f"SELECT * FROM {relation}").timestamp
    assert until is not None
    found: list[tuple[int, Counter]] = []
    with db.subscribe(f"SUBSCRIBE {relation} AS OF {since} UP TO {until + 1}") as changes:
        while (batch := changes.poll()) is not None:
            found.append((batch.timestamp, Counter({str(c.row): c.diff for c in batch.changes()})))
    return found


FOLLOWED = """
import json, sys, threading, time
from engine.database import Database

db, begun = Database.open(sys.argv[1]), int(sys.argv[2])

def follow(relation):
    with db.subscribe(f"SUBSCRIBE {relation} AS OF {begun}") as changes:
        while True:
            changes.wait(1)
            while (batch := changes.poll()) is not None:
                told = [[str(change.row), change.diff] for change in batch.changes()]
                sys.stdout.write(json.dumps([relation, batch.timestamp, told]) + "\\n")
                sys.stdout.flush()

for relation in sys.argv[3:]:
    threading.Thread(target=follow, args=(relation,), daemon=True).start()
i = 0
while True:
    i += 1
    soon = time.time_ns() // 1_000_000 + 3
    db.write("early", [(i % 3, soon if i % 2 else 5)])
    db.write("plain", [(i * 7 % 5, i)])
    db.webhook(("hook",), [], b'{"a": 1}')
    db.write("other", [(1,)])
    time.sleep(0.03)
"""
"""What writes, and tells what its subscribers are told from a time on, until it is killed: so slowly that those who ask
for all of it later are told of each tick, not of several merged into one."""


def test_no_kill_changes_the_past(directory: Directory) -> None:
    """Whatever a subscriber was told before the kill, at whichever moment, is what is read and told as of then."""
    db = directory.open()
    db.execute(PAST)
    begun = db.execute("SELECT * FROM early").timestamp
    assert begun is not None
    retained = "WITH (RETAIN HISTORY FOR '1h')"
    db.execute(f"CREATE MATERIALIZED VIEW audit {retained} AS SELECT * FROM CHANGES(plain AS OF {begun})")
    relations = ("m", "soon", "plain", "hook")
    chance = random.Random(5)
    seen: dict[tuple[str, int], Counter] = {}
    before: dict[str, list[tuple[int, Counter]]] = {each: [] for each in relations}
    for _ in range(2):
        directory.close()
        told = killed(directory.path, begun, relations, 0.2 + chance.random() / 5)
        for relation in relations:
            state: Counter = Counter()
            for at, changes in told[relation]:
                state.update(changes)
                assert seen.setdefault((relation, at), +state) == +state
        db = directory.open()
        for (relation, at), rows in seen.items():
            assert Counter(map(str, db.execute(f"SELECT * FROM {relation} AS OF {at}").rows())) == rows, relation
        for relation, changes in before.items():
            again = replayed(db, relation, begun)
            assert again[: len(changes)] == changes, relation
            assert {at for at, _ in told[relation]} <= {at for at, _ in again}, relation
            before[relation] = again
        grown = db.execute(f"SELECT sum(mz_diff) FROM CHANGES(plain AS OF {begun})").rows()
        assert grown == db.execute("SELECT sum(mz_diff) FROM audit").rows()
        assert grown == db.execute("SELECT count(*)::numeric FROM plain").rows()


def killed(path: Path, begun: int, relations: tuple[str, ...], after: float) -> dict[str, list[tuple[int, Counter]]]:
    """What the subscribers of a process were told, that was killed so many seconds after all of them began."""
    told: dict[str, list[tuple[int, Counter]]] = {each: [] for each in relations}
    begin_by = time.monotonic() + 120
    end = begin_by
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOWED, str(path), str(begun), *relations], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        try:
            for line in writer.stdout:
                if line.endswith("\n"):  # else it was killed in the middle of it
                    relation, at, changes = json.loads(line)
                    told[relation].append((at, Counter(dict(changes))))
                if end == begin_by and all(told.values()):
                    end = time.monotonic() + after
                if time.monotonic() > end:
                    writer.send_signal(signal.SIGKILL)
        finally:
            writer.kill()
    assert writer.returncode == -signal.SIGKILL
    assert all(told.values())
    return told
