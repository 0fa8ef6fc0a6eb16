"""Every answer is that of some moment of the upstream: each of its transactions is there whole, or not at all."""

import random
import subprocess
import sys
import threading
import time

from engine.connectors.postgres import reader, snapshot
from engine.database import Database, Options
from tests.kafka.waiting import until

STATE = """SELECT v.n, a.c AS ac, a.s AS as_, b.c AS bc, b.s AS bs FROM version v,
    (SELECT count(*) AS c, coalesce(sum(x), 0)::bigint AS s FROM a) a,
    (SELECT count(*) AS c, coalesce(sum(x), 0)::bigint AS s FROM b) b"""


class Writer:
    """Random transactions over two tables, one after the other. `states` has what the upstream was after each."""

    def __init__(self, upstream, seed: int) -> None:
        self._random = random.Random(seed)
        self._connection = upstream.connect()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.n = 0
        self.states: dict[int, tuple] = {}
        for name in ("a", "b"):
            upstream.table(name, "id int PRIMARY KEY, x int, pad text")
        upstream.table("version", "n int")
        upstream.run("INSERT INTO version VALUES (0)")
        upstream.run("INSERT INTO a SELECT i, 10, repeat('p', i) FROM generate_series(1, 500) i")
        self._note()

    def start(self) -> "Writer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._connection.transaction(force_rollback=self._random.random() < 0.1):
                self._transaction()
                self._connection.execute("UPDATE version SET n = %s", (self.n + 1,))
                row = self._connection.execute(STATE).fetchone()
                assert row is not None
                self.states[self.n + 1] = row  # before it commits: one that does not is never seen with this number
            (self.n,) = self._connection.execute("SELECT n FROM version").fetchone() or (0,)

    def _note(self) -> None:
        row = self._connection.execute(STATE).fetchone()
        assert row is not None
        self.states[self.n] = row

    def _transaction(self) -> None:
        """The sum over both tables stays what it is, whatever moves between them."""
        run, pick = self._connection.execute, self._random
        one, other = pick.sample(("a", "b"), 2)
        for _ in range(pick.randint(1, 4)):
            match pick.randrange(5):
                case 0:  # a row moves
                    run(f"""WITH gone AS (DELETE FROM {one} WHERE id IN (SELECT id FROM {one} ORDER BY random() LIMIT 5)
                        RETURNING *) INSERT INTO {other} SELECT * FROM gone""")
                case 1:  # an amount moves
                    run(f"UPDATE {one} SET x = x + 1 WHERE id = (SELECT min(id) FROM {one})")
                    run(f"""UPDATE {other} SET x = x - 1 WHERE id = (SELECT min(id) FROM {other})
                        AND EXISTS (SELECT 1 FROM {one})""")
                    run(f"""UPDATE {one} SET x = x - 1 WHERE id = (SELECT min(id) FROM {one})
                        AND NOT EXISTS (SELECT 1 FROM {other})""")
                case 2:  # keys change
                    run(f"UPDATE {one} SET id = id + 100000, pad = pad || 'x' WHERE id % 7 = 3 AND id < 100000")
                case 3:  # all of one table moves to the other, and it is truncated
                    if pick.random() < 0.3:
                        run(f"INSERT INTO {other} SELECT * FROM {one}")
                        run(f"TRUNCATE {one}")
                case _:  # what a savepoint takes back was never there
                    run("SAVEPOINT s")
                    run(f"DELETE FROM {one}")
                    run("ROLLBACK TO s")


def check(changes, writer: Writer, seconds: float) -> int:
    """Each answer that is told is one that the upstream had, later ones later; how many there were."""
    seen, deadline, before = 0, time.monotonic() + seconds, -1
    contents: dict[tuple, int] = {}
    timestamp = None
    for change in changes:
        if timestamp is not None and change.timestamp != timestamp:
            (row,) = [row for row, count in contents.items() if count]
            assert row == writer.states[row[0]]
            assert row[0] > before
            assert row[2] + row[4] == 5000
            before = row[0]
            seen += 1
            if time.monotonic() > deadline:
                return seen
        timestamp = change.timestamp
        contents[change.row] = contents.get(change.row, 0) + change.diff
    raise AssertionError("the subscription ended")


def same_as(db: Database, upstream) -> None:
    for table in ("a", "b"):
        sql = f"SELECT id, x, pad FROM {table} ORDER BY id"
        until(db, sql, upstream.run(sql))


def test_every_moment_is_one_of_the_upstream(db, upstream):
    """Snapshot and stream while somebody writes."""
    writer = Writer(upstream, 1).start()
    try:
        upstream.follow(db)
        with db.subscribe(f"SUBSCRIBE ({STATE})") as changes:
            assert check(changes, writer, 4) > 20
    finally:
        writer.stop()
    same_as(db, upstream)


def test_a_table_that_comes_later_joins_at_one_moment(db, upstream):
    """Copied beside the stream; from its first tick on it is of the same moment as the others."""
    writer = Writer(upstream, 2).start()
    try:
        upstream.follow(db, "FOR TABLES (a, version)")
        assert db.execute("SELECT count(*) FROM a").rows()[0][0] >= 0
        db.execute("ALTER SOURCE s ADD SUBSOURCE public.b")
        with db.subscribe(f"SUBSCRIBE ({STATE})") as changes:
            assert check(changes, writer, 2) > 10
        db.execute("DROP SOURCE b")
        assert db.execute("SELECT count(*) FROM a").rows()[0][0] >= 0
        db.execute("CREATE TABLE b FROM SOURCE s (REFERENCE public.b)")
        with db.subscribe(f"SUBSCRIBE ({STATE})") as changes:
            assert check(changes, writer, 2) > 10
    finally:
        writer.stop()
    same_as(db, upstream)


CHILD = """
import sys, time
from engine.database import Database
with Database.open(sys.argv[1]) as db:
    print("ready", flush=True)
    time.sleep(600)
"""


def test_both_sides_are_killed(upstream, server, tmp_path):
    """SIGKILL of our server and of PostgreSQL, at any time: nothing is lost, nothing applied twice, nothing torn."""
    folder = tmp_path / "data"
    writer = Writer(upstream, 3)
    with Database.open(folder) as db:
        upstream.follow(db)
        db.execute(f"CREATE MATERIALIZED VIEW state AS {STATE}")
        until(db, "SELECT count(*) FROM state", [(1,)])
    writer.start()
    for delay in (0.5, 0.1):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(delay)
        child.kill()
        child.wait()
        child.stdout.close()
    writer.stop()
    with Database.open(folder) as db:
        (row,) = db.execute("SELECT * FROM state").rows()
        assert row == writer.states[row[0]]  # whatever it had when it was killed
        same_as(db, upstream)
        server.kill()
        until(db, "SELECT status FROM mz_internal.mz_source_statuses", [("stalled",)])
        server.start()
        upstream.again()
        upstream.run("UPDATE a SET x = x + 1", "INSERT INTO b VALUES (-1, 0, 'after')")
        same_as(db, upstream)
        until(db, "SELECT status, error FROM mz_internal.mz_source_statuses", [("running", None)])
        upstream.run("DELETE FROM b WHERE id = -1")
    server.kill()
    server.start()
    upstream.again()
    with Database.open(folder) as db:
        same_as(db, upstream)
        assert db.execute("SELECT count(*) FROM state").rows() == [(1,)]


def test_what_is_held_outlives_sweeps(upstream, monkeypatch):
    """Texts of a snapshot, and of a transaction that has yet to commit, stay while the heap is swept all the time."""
    monkeypatch.setattr(reader, "CHUNK_BYTES", 20_000)
    monkeypatch.setattr(snapshot, "CHUNK_BYTES", 20_000)
    upstream.table("t", "id int PRIMARY KEY, x text")
    upstream.run("INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 30000) i")
    done = threading.Event()
    with Database.in_memory(Options(heap_sweep_bytes_min=1 << 14)) as db:
        db.execute("CREATE TABLE noise (x text)")

        def noise() -> None:
            n = 0
            while not done.is_set():
                db.write("noise", [(f"noise {n + i} {'x' * 50}",) for i in range(200)])
                db.execute("DELETE FROM noise")
                n += 200

        thread = threading.Thread(target=noise)
        thread.start()
        try:
            upstream.follow(db)
            digest = "SELECT count(*), md5(string_agg(x, ',' ORDER BY id)) FROM t"
            until(db, digest, upstream.run(digest))
            upstream.run("UPDATE t SET x = md5(x)")
            until(db, digest, upstream.run(digest))
        finally:
            done.set()
            thread.join()
