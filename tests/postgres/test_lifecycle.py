"""What happens upstream beside writes: tables change, publications and slots go, servers are away. It is said in the
source's status; no answer is wrong, and what can be mended mends itself."""

import time

import psycopg
import pytest

from engine.database import Database
from engine.errors import DataError, DependentObjects, InvalidParameter, SqlError, WrongObjectType
from tests.kafka.waiting import until
from tests.postgres.server import PASSWORD

STATUS = "SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = 's'"


def failure(db: Database, sql: str) -> DataError:
    """The error that a query comes to have."""
    deadline = time.monotonic() + 20
    while True:
        try:
            db.execute(sql)
        except DataError as error:
            return error
        assert time.monotonic() < deadline
        time.sleep(0.02)


def broken(db: Database, table: str, why: str) -> None:
    """Reading the table fails, and the status says why."""
    error = failure(db, f"SELECT * FROM {table}")
    said = f"table public.{table} cannot be followed: {why}"
    assert (error.sqlstate, error.message) == ("58030", said)
    until(db, STATUS, [("stalled", said)])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("ALTER TABLE t DROP COLUMN b", 'its column "b" was dropped or renamed'),
        ("ALTER TABLE t RENAME COLUMN b TO c", 'its column "b" was dropped or renamed'),
        ("ALTER TABLE t ALTER COLUMN b TYPE bigint", 'the type of its column "b" was changed'),
        ("ALTER TABLE t DROP COLUMN b, ADD COLUMN b int", 'its column "b" was dropped or renamed'),
        ("ALTER TABLE t REPLICA IDENTITY DEFAULT", "its REPLICA IDENTITY is not FULL any more"),
        ("ALTER TABLE t DROP CONSTRAINT t_pkey", "its primary key was dropped"),
        ("ALTER TABLE t ALTER COLUMN n TYPE numeric(50, 10)", 'the type of its column "n" was changed'),
    ],
)  # fmt: skip
def test_changes_that_cannot_be_followed(upstream, tmp_path, change, why):
    """An error in place of that table's rows, across restarts; others go on. A new copy is whole."""
    upstream.table("t", "id int PRIMARY KEY, b int, n numeric")
    upstream.table("other", "id int")
    upstream.run("INSERT INTO t VALUES (1, 2, 3)")
    with Database.open(tmp_path) as db:
        upstream.follow(db)
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM t")
        until(db, "SELECT * FROM t", [(1, 2, 3)])
        upstream.run(change, "INSERT INTO t (id) VALUES (2)", "INSERT INTO other VALUES (1)")
        broken(db, "t", why)
        until(db, "SELECT * FROM other", [(1,)])
        with pytest.raises(DataError, match="cannot be followed"):
            db.execute("SELECT * FROM v")
    with Database.open(tmp_path) as db:
        broken(db, "t", why)
        upstream.run("INSERT INTO other VALUES (2)")
        until(db, "SELECT * FROM other", [(1,), (2,)])
        db.execute("DROP SOURCE t CASCADE")
        upstream.run("ALTER TABLE t REPLICA IDENTITY FULL")
        db.execute("ALTER SOURCE s ADD SUBSOURCE t")
        until(db, "SELECT count(*) FROM t", [(2,)])
        until(db, STATUS, [("running", None)])


def test_changes_that_can_be_followed(db, upstream):
    """Columns that come, a table's new name, a constraint: what is copied stays what it is."""
    upstream.table("t", "id int PRIMARY KEY, b text NOT NULL")
    upstream.run("INSERT INTO t VALUES (1, 'x')")
    upstream.follow(db)
    until(db, "SELECT * FROM t", [(1, "x")])
    upstream.run("ALTER TABLE t ADD COLUMN c int DEFAULT 5", "INSERT INTO t VALUES (2, 'y', 6)",
                 "ALTER TABLE t RENAME TO renamed", "UPDATE renamed SET b = 'z' WHERE id = 1",
                 "ALTER TABLE renamed DROP COLUMN c", "CREATE INDEX ON renamed (b)",
                 "INSERT INTO renamed VALUES (3, 'w')",
                 "ALTER TABLE renamed ALTER b DROP NOT NULL", "CREATE TABLE another (id int)")  # fmt: skip
    until(db, "SELECT * FROM t", [(1, "z"), (2, "y"), (3, "w")])
    assert db.execute(STATUS).rows() == [("running", None)]
    upstream.run("INSERT INTO renamed VALUES (4, NULL)")
    broken(db, "t", 'column "b" has a NULL, which it could not have')


def test_values_that_there_is_no_room_for(db, upstream):
    """An error in place of the rows; as text they can be copied."""
    upstream.table("t", "id int, n numeric")
    upstream.run("INSERT INTO t VALUES (1, 1e50)")
    upstream.follow(db)
    assert 'column "n"' in failure(db, "SELECT * FROM t").message
    db.execute("DROP SOURCE t")
    db.execute("ALTER SOURCE s ADD SUBSOURCE t WITH (TEXT COLUMNS (t.n))")
    until(db, "SELECT * FROM t", [(1, "1" + 50 * "0")])


def test_a_second_copy_takes_on_a_new_column(db, upstream):
    """CREATE TABLE ... FROM SOURCE: the old copy stays what it is while the new one has the column."""
    upstream.table("t", "id int PRIMARY KEY")
    upstream.run("INSERT INTO t VALUES (1)")
    upstream.follow(db, "")
    db.execute("CREATE TABLE one FROM SOURCE s (REFERENCE public.t)")
    until(db, "SELECT * FROM one", [(1,)])
    upstream.run("ALTER TABLE t ADD COLUMN more text DEFAULT 'd'", "INSERT INTO t VALUES (2, 'm')")
    db.execute("CREATE TABLE two FROM SOURCE s (REFERENCE public.t)")
    upstream.run("DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (3, 'n')")
    until(db, "SELECT * FROM two", [(2, "m"), (3, "n")])
    until(db, "SELECT * FROM one", [(2,), (3,)])
    assert db.execute("SHOW TABLES").rows() == [("one",), ("two",)]
    assert [name for name, _ in db.execute("SHOW SOURCES").rows()] == ["s", "s_progress"]
    ((_, sql),) = db.execute("SHOW CREATE TABLE two").rows()
    assert sql.startswith("CREATE TABLE materialize.public.two FROM SOURCE materialize.public.s (REFERENCE public.t,")
    with pytest.raises(DependentObjects):
        db.execute("DROP SOURCE s")
    with pytest.raises(SqlError, match="two"):
        db.execute("INSERT INTO two VALUES (1, 'x')")
    with pytest.raises(WrongObjectType, match="not a source FROM POSTGRES"):
        db.execute("CREATE TABLE three FROM SOURCE one (REFERENCE t)")
    db.execute("ALTER TABLE two RENAME TO zwei")
    db.execute("ALTER SOURCE s RENAME TO quelle")
    db.execute("ALTER SOURCE quelle RENAME TO s")
    db.execute("DROP TABLE one")
    upstream.run("INSERT INTO t VALUES (4, 'o')")
    until(db, "SELECT * FROM zwei", [(2, "m"), (3, "n"), (4, "o")])
    db.execute("DROP SOURCE s CASCADE")
    assert db.execute("SHOW TABLES").rows() == []
    assert upstream.slots() == []


def test_names_and_copies_come_back(upstream, tmp_path):
    """What was added, dropped and renamed is so after a restart."""
    for name in ("a", "b", "c"):
        upstream.table(name, "id int PRIMARY KEY")
        upstream.run(f"INSERT INTO {name} VALUES (1)")
    with Database.open(tmp_path) as db:
        upstream.follow(db, "FOR TABLES (a, b)")
        until(db, "SELECT a.id, b.id FROM a, b", [(1, 1)])
        db.execute("ALTER SOURCE s ADD SUBSOURCE c AS d")
        db.execute("ALTER SOURCE s DROP SUBSOURCE a")
        db.execute("ALTER SOURCE b RENAME TO e")
        until(db, "SELECT * FROM d", [(1,)])
        ((lsn,),) = db.execute("SELECT lsn FROM s_progress").rows()
    upstream.run("INSERT INTO b VALUES (2)", "INSERT INTO c VALUES (2)")
    with Database.open(tmp_path) as db:
        until(db, "SELECT * FROM d", [(1,), (2,)])
        until(db, "SELECT * FROM e", [(1,), (2,)])
        assert [name for name, _ in db.execute("SHOW SOURCES").rows()] == ["d", "e", "s", "s_progress"]
        assert db.execute(f"SELECT count(*), min(lsn) > {lsn} FROM s_progress").rows() == [(1, True)]
        db.execute("DROP SOURCE s")
        assert upstream.slots() == []
    with Database.open(tmp_path) as db:
        assert db.execute("SHOW SOURCES").rows() == []


def test_a_slot_that_is_gone_is_made_anew(upstream, tmp_path):
    """What happened meanwhile is the difference between what is here and what is there: one change."""
    upstream.table("t", "id int PRIMARY KEY, x int")
    upstream.run("INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) i")
    with Database.open(tmp_path) as db:
        upstream.follow(db)
        until(db, "SELECT count(*) FROM t", [(1000,)])
    (slot,) = upstream.slots()
    for _ in range(100):
        try:
            upstream.run(f"SELECT pg_drop_replication_slot('{slot}')")
            break
        except psycopg.errors.ObjectInUse:
            time.sleep(0.05)
    upstream.run("DELETE FROM t WHERE id > 990", "UPDATE t SET x = 1 WHERE id = 1", "INSERT INTO t VALUES (0, 0)")
    with Database.open(tmp_path) as db, db.subscribe("SUBSCRIBE t") as changes:
        until(db, "SELECT count(*), sum(x) FROM t", [(991, 1)])
        batches = []
        for change in changes:
            batches.append((change.diff, change.row))
            if len(batches) == 1000 + 13:
                break
        assert sorted(batches[1000:])[-2:] == [(1, (0, 0)), (1, (1, 1))]
        assert upstream.slots() == [slot]


def test_a_slot_whose_log_the_server_deleted_is_made_anew(upstream, server, tmp_path):
    """While nobody reads it, more is written than max_slot_wal_keep_size: the status says so, and the difference is one
    change."""
    upstream.table("t", "id int PRIMARY KEY, x int")
    upstream.table("u", "pad text")
    upstream.run("INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i")
    with Database.open(tmp_path) as db:
        upstream.follow(db, "FOR TABLES (t)")
        until(db, "SELECT count(*) FROM t", [(100,)])
    (slot,) = upstream.slots()
    upstream.run("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()")
    lost = f"SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = '{slot}'"
    try:
        upstream.run("DELETE FROM t WHERE id > 90", "INSERT INTO t VALUES (0, 7)")
        for _ in range(20):
            upstream.run("INSERT INTO u SELECT repeat('x', 1000) FROM generate_series(1, 3000)")
            upstream.run("SELECT pg_switch_wal()", "CHECKPOINT")
            if upstream.run(lost) == [(True,)]:
                break
        assert upstream.run(lost) == [(True,)]
        with Database.open(tmp_path) as db:
            until(db, "SELECT count(*), sum(x) FROM t", [(91, 7)])
            assert upstream.slots() == [slot]
            assert upstream.run(lost) == [(False,)]
            upstream.run("INSERT INTO t VALUES (-1, 1)")
            until(db, "SELECT count(*), sum(x) FROM t", [(92, 8)])
            until(db, STATUS, [("running", None)])
    finally:
        upstream.run("ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")


def test_a_server_that_does_not_let_us_in(db, upstream, server):
    """It is said why, and goes on by itself."""
    upstream.table("t", "id int")
    upstream.follow(db)
    until(db, "SELECT * FROM t", [])
    away = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active"
    says = "SELECT status, error LIKE '%{}%' FROM mz_internal.mz_source_statuses"
    with server.connect() as postgres:
        postgres.execute("ALTER ROLE postgres PASSWORD 'other'")
        try:
            postgres.execute(away)
            until(db, says.format("password authentication failed"), [("stalled", True)])
        finally:
            postgres.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'")
        upstream.run("INSERT INTO t VALUES (1)")
        until(db, "SELECT * FROM t", [(1,)])
        until(db, STATUS, [("running", None)])
        postgres.execute(f"ALTER DATABASE {upstream.name} ALLOW_CONNECTIONS false")
        postgres.execute(away)
        until(db, says.format("not currently accepting connections"), [("stalled", True)])
        postgres.execute(f"ALTER DATABASE {upstream.name} ALLOW_CONNECTIONS true")
    upstream.run("INSERT INTO t VALUES (2)")
    until(db, "SELECT * FROM t", [(1,), (2,)])


def test_a_publication_that_is_gone(db, upstream):
    upstream.table("t", "id int")
    upstream.table("u", "id int")
    upstream.run("CREATE PUBLICATION p FOR TABLE t, u", "INSERT INTO t VALUES (1)")
    upstream.follow(db, "FOR ALL TABLES")
    until(db, "SELECT * FROM t", [(1,)])
    upstream.run("ALTER PUBLICATION p DROP TABLE u", "INSERT INTO t VALUES (2)")
    db._coordinator.ingest._sources[next(iter(db._coordinator.ingest._sources))].reader._verified = 0.0
    broken(db, "u", 'it is not in publication "p" any more')
    until(db, "SELECT * FROM t", [(1,), (2,)])
    upstream.run("DROP PUBLICATION p", "INSERT INTO t VALUES (3)")
    until(db, "SELECT error LIKE '%publication \"p\" does not exist%' FROM mz_internal.mz_source_statuses", [(True,)])
    assert sorted(db.execute("SELECT * FROM t").rows()) == [(1,), (2,)]


def test_the_server_is_told_what_was_committed_and_hears_from_us(upstream, tmp_path):
    """It may let go of its log up to there; and a source whose inbox is full does not fall silent."""
    upstream.table("t", "id int")
    with Database.open(tmp_path) as db:
        upstream.follow(db)
        upstream.run("INSERT INTO t VALUES (1)")
        until(db, "SELECT * FROM t", [(1,)])
        deadline = time.monotonic() + 20
        while True:
            confirmed = "SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_replication_slots WHERE active"
            ((told,),) = upstream.run(confirmed)
            ((lsn,),) = db.execute("SELECT lsn FROM s_progress").rows()
            if told == lsn:
                break
            assert told < lsn
            assert time.monotonic() < deadline
            time.sleep(0.05)
        lag = "SELECT max(lag), max(offset_known) > 0 FROM mz_internal.mz_source_partitions"
        until(db, lag, [(0, True)])
        ((began,),) = upstream.run("SELECT backend_start FROM pg_stat_replication")
        with db._coordinator.ticks.lock:  # longer than wal_sender_timeout
            upstream.run("INSERT INTO t SELECT generate_series(1, 200000)")
            time.sleep(7)
        until(db, "SELECT count(*) FROM t", [(200_001,)])
        assert upstream.run("SELECT backend_start FROM pg_stat_replication") == [(began,)]
        with pytest.raises(InvalidParameter, match="DETAILS"):
            db.execute("CREATE TABLE x FROM SOURCE s (REFERENCE t, DETAILS '{}')")
