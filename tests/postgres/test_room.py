"""Rows that there is no room for in memory wait on disk: transactions and snapshots of any size are one tick."""

import itertools
import resource
from threading import Lock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors.postgres import held, reader, snapshot
from engine.connectors.postgres.held import Held, Room
from engine.database import Database, Options
from engine.types import Column
from tests.kafka.waiting import until

COLUMNS = (Column("n", types.BIGINT), Column("x", types.TEXT))
BYTES_MAX = 100_000

ROWS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc"), st.sampled_from([-2, -1, 1, 3])), max_size=40)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(ROWS, st.booleans()), max_size=12), st.integers(1, 7))
def test_what_waits_is_what_was_added(heap_of_letters, parts, slice_rows):
    """However it is cut, written, and added up; and a sweep keeps its texts, wherever they are."""
    heap, letters = heap_of_letters
    rows, all = Held(COLUMNS, Room(200), Lock()), [Batch.empty(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held, "SLICE_ROWS", slice_rows)
        for part, spill in parts:
            words = np.array([[0, n, letters[x]] for n, x, _ in part], np.uint64).reshape(-1, 3).T.copy()
            all.append(Batch(words, np.array([diff for *_, diff in part], np.int64), 2))
            rows.add(all[-1])
            if spill:
                rows.settle()
                rows.spill(lambda: None)
                assert rows.bytes == 0
        marks = heap.begin_sweep()
        rows.mark(marks)
        whole = rows.whole(lambda: None)
    assert contents(whole) == contents(Batch.concat(all))
    assert marks.marked[whole.words[2].astype(np.int64)].all()
    assert not whole.consolidated or len(whole) == len(contents(whole))


@pytest.fixture(scope="module")
def heap_of_letters():
    heap = Heap()
    return heap, {letter: heap.intern(letter.encode()) for letter in "abc"}


def contents(batch: Batch) -> dict[tuple, int]:
    net = batch.consolidate()
    return {tuple(row): diff for row, diff in zip(net.words.T.tolist(), net.diffs.tolist(), strict=True)}


@pytest.fixture
def in_pieces(monkeypatch):
    """What comes is decoded some kilobytes at a time."""
    monkeypatch.setattr(reader, "CHUNK_BYTES", 20_000)
    monkeypatch.setattr(snapshot, "CHUNK_BYTES", 20_000)


@pytest.fixture
def most(monkeypatch):
    """The most bytes of rows that were in memory, once there was a look at whether there was room."""
    seen = [0]
    relieve = reader.Pending.relieve

    def looked(self: reader.Pending) -> None:
        relieve(self)
        seen[0] = max(seen[0], self._bytes)

    monkeypatch.setattr(reader.Pending, "relieve", looked)
    return seen


def test_a_transaction_of_many_times_the_room_is_one_tick(upstream, tmp_path, in_pieces, most):
    """Of two tables, with one truncated in the middle: nothing of it is there, then all; after a restart as before."""
    for table in ("t", "u"):
        upstream.table(table, "n int, pad text")
        upstream.run(f"INSERT INTO {table} SELECT i, md5(i::text) FROM generate_series(1, 5000) i")
    options = Options(transaction_bytes_max=BYTES_MAX, heap_sweep_bytes_min=1 << 14)
    digest = "SELECT count(*), sum(n)::bigint, md5(string_agg(pad, ',' ORDER BY n, pad)) FROM {} ORDER BY 1"
    with Database.open(tmp_path, options) as db:
        upstream.follow(db)
        for table in ("t", "u"):
            until(db, digest.format(table), upstream.run(digest.format(table)))  # the snapshot has 400 kB
        sums = "SELECT (SELECT count(*) FROM t) AS t, (SELECT sum(n)::bigint FROM u) AS u"
        with db.subscribe(f"SUBSCRIBE ({sums})") as changes:
            with upstream.connection.transaction():
                upstream.run("UPDATE t SET n = -n",
                             "INSERT INTO u SELECT i, md5(i::text) FROM generate_series(1, 9000) i",
                             "DELETE FROM t", "TRUNCATE u", "UPDATE t SET n = 1",
                             "INSERT INTO u SELECT 3, md5('u' || i) FROM generate_series(1, 20000) i",
                             "UPDATE u SET n = 2",
                             "INSERT INTO t SELECT i, md5('t' || i) FROM generate_series(1, 10000) i")  # fmt: skip
            told = list(itertools.islice(changes, 3))
        assert sorted((change.diff, change.row) for change in told) == [
            (-1, (5000, 12_502_500)), (1, (5000, 12_502_500)), (1, (10_000, 40_000)),
        ]  # fmt: skip
        assert 0 < most[0] <= BYTES_MAX
        wanted = [upstream.run(digest.format(table)) for table in ("t", "u")]
        assert [db.execute(digest.format(table)).rows() for table in ("t", "u")] == wanted
    with Database.open(tmp_path, options) as db:
        assert [db.execute(digest.format(table)).rows() for table in ("t", "u")] == wanted
        assert all(file.name == "lock" or file.name.startswith("tailrace.db") for file in tmp_path.iterdir())


def test_no_room_on_disk_is_said_and_mends_itself(upstream, in_pieces, monkeypatch):
    """Files of this process may have so many bytes and no more; other transactions wait, and come in their order."""
    monkeypatch.setattr(reader, "RETRY_FULL_SECONDS", 0.3)
    upstream.table("t", "n int, pad text")
    upstream.run("INSERT INTO t VALUES (0, 'first')")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Database.in_memory(Options(transaction_bytes_max=BYTES_MAX)) as db:
        upstream.follow(db)
        until(db, "SELECT count(*) FROM t", [(1,)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            upstream.run(
                "INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 20000) i", "DELETE FROM t WHERE n < 5"
            )
            said = f"error LIKE '%transaction_bytes_max ({BYTES_MAX})%File too large%'"
            until(db, f"SELECT status, {said} FROM mz_internal.mz_source_statuses", [("stalled", True)])
            assert db.execute("SELECT * FROM t").rows() == [(0, "first")]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        until(db, "SELECT count(*), sum(n)::bigint FROM t", [(19_996, 200_009_990)])
        until(db, "SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = 's'", [("running", None)])
