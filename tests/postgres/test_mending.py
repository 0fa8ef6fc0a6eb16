"""A copy that cannot be followed is an error until its table, once it is as it was, has been read anew: the difference
is one tick, and at no time is an answer that of a copy that missed something."""

import pytest

from engine.connectors.postgres import reader
from engine.database import Database
from engine.errors import DataError
from tests.kafka.waiting import until
from tests.postgres.test_consistency import Writer
from tests.postgres.test_lifecycle import STATUS, broken

RUNNING = [("running", None)]


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(reader, "VERIFY_SECONDS", 0.3)


def healed(db: Database, sql: str, wanted: list[tuple]) -> None:
    """`sql` stops to fail, and its first answer is the one that is wanted."""
    until(db, STATUS, RUNNING)
    assert sorted(db.execute(sql).rows()) == wanted


@pytest.mark.parametrize(
    ("change", "back", "why"),
    [
        ("ALTER TABLE t REPLICA IDENTITY DEFAULT", "ALTER TABLE t REPLICA IDENTITY FULL", "its REPLICA IDENTITY"),
        ("ALTER TABLE t ALTER n TYPE bigint", "ALTER TABLE t ALTER n TYPE int", 'the type of its column "n"'),
        ("ALTER TABLE t RENAME n TO m", "ALTER TABLE t RENAME m TO n", 'its column "n"'),
        ("ALTER PUBLICATION p DROP TABLE t", "ALTER PUBLICATION p ADD TABLE t", 'it is not in publication "p"'),
        ("ALTER PUBLICATION p SET TABLE u, t (id)", "ALTER PUBLICATION p SET TABLE u, t", 'its column "n"'),
    ],
)
def test_a_table_that_is_as_it_was(upstream, tmp_path, change, back, why):
    """While it is not, and after a restart, reading it is an error; views over it heal with it."""
    for name in ("t", "u"):
        upstream.table(name, "id int PRIMARY KEY, n int")
        upstream.run(f"INSERT INTO {name} SELECT i, 1 FROM generate_series(1, 100) i")
    upstream.run("CREATE PUBLICATION p FOR TABLE t, u")
    with Database.open(tmp_path) as db:
        upstream.follow(db)
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c, sum(n) AS s FROM t")
        until(db, "SELECT * FROM v", [(100, 100)])
        upstream.run(change, "INSERT INTO u VALUES (0, 0)", "TRUNCATE t",
                     "INSERT INTO t (id) SELECT generate_series(1, 90)")  # fmt: skip
        until(db, "SELECT count(*) FROM u", [(101,)])
        until(db, f"SELECT error LIKE '%table public.t cannot be followed: {why}%' FROM mz_internal.mz_source_statuses",
              [(True,)])  # fmt: skip
    with Database.open(tmp_path) as db:
        with pytest.raises(DataError, match="cannot be followed"):
            db.execute("SELECT * FROM v")
        upstream.run("INSERT INTO t VALUES (0)")
        upstream.run(back, "UPDATE t SET n = 5")
        healed(db, "SELECT * FROM v", [(91, 455)])
        upstream.run("DELETE FROM t WHERE id > 10")
        until(db, "SELECT * FROM v", [(11, 55)])
    with Database.open(tmp_path) as db:
        assert db.execute("SELECT * FROM v").rows() == [(11, 55)]
        until(db, STATUS, RUNNING)


def test_a_table_that_was_not_published_for_a_moment(db, upstream):
    """Too short to be looked at: what it went through then was never sent."""
    upstream.table("t", "n int")
    upstream.table("u", "n int")
    upstream.run("CREATE PUBLICATION p FOR TABLE t, u", "INSERT INTO t VALUES (1)")
    upstream.follow(db)
    until(db, "SELECT * FROM t", [(1,)])
    with upstream.connection.transaction():
        upstream.run("ALTER PUBLICATION p DROP TABLE t")
    upstream.run("INSERT INTO t VALUES (2)")
    with upstream.connection.transaction():
        upstream.run("ALTER PUBLICATION p ADD TABLE t")
    upstream.run("INSERT INTO t VALUES (3)")
    while True:
        try:
            rows = sorted(db.execute("SELECT * FROM t").rows())
        except DataError:
            continue
        if rows != [(1,)]:
            break
    assert rows == [(1,), (2,), (3,)]


def test_deletions_that_were_not_published_for_a_while(db, upstream):
    upstream.table("t", "n int")
    upstream.run("CREATE PUBLICATION p FOR TABLE t", "INSERT INTO t VALUES (1), (2)")
    upstream.follow(db)
    until(db, "SELECT * FROM t", [(1,), (2,)])
    publish = "ALTER PUBLICATION p SET (publish = '{}')".format
    upstream.run(publish("insert"), "DELETE FROM t WHERE n = 1", publish("insert, update, delete, truncate"),
                 "INSERT INTO t VALUES (3)")  # fmt: skip
    while True:
        try:
            rows = sorted(db.execute("SELECT * FROM t").rows())
        except DataError:
            continue
        if rows == [(2,), (3,)]:
            break
        assert rows == [(1,), (2,)]
    until(db, STATUS, RUNNING)


def test_a_publication_that_was_made_anew_while_somebody_writes(db, upstream):
    """Its slot goes with it: the server would look for the old one in its log. All tables go on from one moment."""
    writer = Writer(upstream, 4)
    upstream.run("CREATE PUBLICATION p FOR TABLE a, b, version")
    upstream.follow(db)
    until(db, "SELECT * FROM version", [(0,)])
    writer.start()
    try:
        upstream.run("DROP PUBLICATION p")
        until(db, "SELECT error LIKE '%does not exist%' FROM mz_internal.mz_source_statuses", [(True,)])
        upstream.run("CREATE PUBLICATION p FOR TABLE a, version")
        broken(db, "b", 'it is not in publication "p" any more')
        upstream.run("ALTER PUBLICATION p ADD TABLE b")
        until(db, STATUS, RUNNING)
        state = "SELECT n, (SELECT sum(x)::bigint FROM a) AS a, (SELECT sum(x)::bigint FROM b) AS b FROM version"
        for _ in range(20):
            ((n, a, b),) = db.execute(state).rows()
            assert (a or 0) + (b or 0) == 5000
            assert (n, a or 0, b or 0) == tuple(writer.states[n][at] for at in (0, 2, 4))
    finally:
        writer.stop()
    assert len(upstream.slots()) == 1
