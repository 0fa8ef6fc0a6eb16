"""REFRESH: a view is the query's answer at its last refresh, whoever reads it, and again after a restart."""

import time

import pytest

from engine.database import Database
from engine.errors import SqlError

TABLE = "CREATE TABLE t (k int, v int) WITH (RETAIN HISTORY FOR '1 h'); INSERT INTO t VALUES (1, 1), (2, 2);"
SUMS = "SELECT k, sum(v) AS s FROM t GROUP BY k"
LAST = """SELECT r.last_completed_refresh::bigint, r.next_refresh::bigint
    FROM mz_internal.mz_materialized_view_refreshes r JOIN mz_materialized_views v ON v.id = r.materialized_view_id
    WHERE v.name = """


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rows(db: Database, sql: str) -> list[tuple]:
    return sorted(db.execute(sql).rows())


def wait_until(ms: int) -> None:
    time.sleep(max(0, ms - now_ms() + 5) / 1000)


def test_it_is_the_answer_as_of_the_last_time_of_its_grid(db: Database) -> None:
    """Read amid writes, each time with what it reads, and what is kept up to date or indexed behind it."""
    db.execute(TABLE)
    begin = now_ms() + 300
    db.execute(f"""CREATE MATERIALIZED VIEW v WITH (REFRESH EVERY '150 ms' ALIGNED TO '{begin}') AS {SUMS};
        CREATE INDEX i ON v (k); CREATE MATERIALIZED VIEW total AS SELECT sum(s) AS s FROM v""")
    wait_until(begin + 150)
    seen = set[int]()
    for i in range(120):
        db.execute(f"INSERT INTO t VALUES ({i % 3}, {i})")
        read = db.execute("SELECT k, s, (SELECT s FROM total) FROM v")
        last = begin + (read.timestamp - begin) // 150 * 150
        expected = rows(db, f"{SUMS} AS OF {last}")
        assert sorted(read.rows()) == [(k, s, sum(s for _, s in expected)) for k, s in expected]
        assert db.execute("SELECT s FROM v WHERE k = 1").rows()
        seen.add(last)
        time.sleep(0.004)
    assert len(seen) > 2


def test_what_was_never_refreshed_cannot_be_read(db: Database) -> None:
    db.execute(TABLE)
    at = now_ms() + 1000
    db.execute(f"""CREATE MATERIALIZED VIEW v WITH (REFRESH AT '{at}', REFRESH AT '2999-01-01') AS {SUMS};
        CREATE MATERIALIZED VIEW behind AS SELECT count(*) AS n FROM v""")
    for name in ("v", "behind"):
        with pytest.raises(SqlError, match="has not been refreshed yet") as failure:
            db.execute(f"SELECT * FROM {name}")
        assert failure.value.sqlstate == "55000"
    before = db.execute("SELECT * FROM t").timestamp
    assert db.execute(f"{LAST} 'v'").rows() == [(None, at)]
    db.execute("INSERT INTO t VALUES (2, 5)")
    wait_until(at)
    db.execute("INSERT INTO t VALUES (2, 6)")
    assert rows(db, "SELECT * FROM v") == [(1, 1), (2, 7)]
    assert rows(db, "SELECT n FROM behind") == [(2,)]
    for name in ("v", "behind"):
        with pytest.raises(SqlError):
            db.execute(f"SELECT * FROM {name} AS OF {before}")
    assert db.execute(f"{LAST} 'v'").rows() == [(at, 32_472_144_000_000)]


def test_errors_are_as_of_the_refresh_too(db: Database) -> None:
    db.execute(f"{TABLE} CREATE MATERIALIZED VIEW v WITH (REFRESH AT CREATION) AS SELECT 1 / v AS x FROM t")
    db.execute("INSERT INTO t VALUES (3, 0)")
    assert rows(db, "SELECT x FROM v") == [(0,), (1,)]
    db.execute("CREATE MATERIALIZED VIEW w WITH (REFRESH AT CREATION) AS SELECT 1 / v AS x FROM t")
    db.execute("DELETE FROM t WHERE v = 0")
    with pytest.raises(SqlError, match="division by zero"):
        db.execute("SELECT x FROM w")


def test_a_block_reads_what_was_refreshed_not_what_it_writes(db: Database) -> None:
    db.execute(f"{TABLE} CREATE MATERIALIZED VIEW v WITH (REFRESH AT CREATION) AS {SUMS}")
    session = db.session()
    session.execute("BEGIN; INSERT INTO t VALUES (1, 9)")
    assert sorted(session.execute("SELECT * FROM v").rows()) == [(1, 1), (2, 2)]
    session.execute("COMMIT")
    assert rows(db, "SELECT * FROM v") == [(1, 1), (2, 2)]


def test_a_restart_is_a_refresh_of_what_was_refreshed_before(directory) -> None:
    """What it held is not known any more, so it is the answer at a later time, and says at which."""
    db = directory.open()
    db.execute(f"""{TABLE} CREATE MATERIALIZED VIEW once WITH (REFRESH AT CREATION) AS {SUMS};
        CREATE MATERIALIZED VIEW daily WITH (REFRESH EVERY '1 day') AS {SUMS};
        CREATE MATERIALIZED VIEW late WITH (REFRESH AT '2999-01-01 00:00:00+00') AS {SUMS}""")
    db.execute("INSERT INTO t VALUES (1, 10)")
    shown = [db.execute(f"SHOW CREATE MATERIALIZED VIEW {name}").rows() for name in ("once", "daily", "late")]
    assert rows(db, "SELECT * FROM once") == rows(db, "SELECT * FROM daily") == [(1, 1), (2, 2)]
    first = db.execute(f"{LAST} 'daily'").rows()
    again = directory.open()
    assert [again.execute(f"SHOW CREATE MATERIALIZED VIEW {n}").rows() for n in ("once", "daily", "late")] == shown
    again.execute("INSERT INTO t VALUES (1, 20)")
    for name in ("once", "daily"):
        assert rows(again, f"SELECT * FROM {name}") == [(1, 11), (2, 2)]
    with pytest.raises(SqlError, match="2999"):
        again.execute("SELECT * FROM late")
    then = again.execute(f"{LAST} 'daily'").rows()
    assert then[0][0] > first[0][0]
    assert then[0][1] == first[0][1]


def test_what_it_says_of_itself(db: Database) -> None:
    db.execute(f"""{TABLE} CREATE MATERIALIZED VIEW v WITH (REFRESH AT CREATION, RETAIN HISTORY FOR '1 h',
        REFRESH EVERY '1 day' ALIGNED TO '2024-01-01 03:00:00', REFRESH = AT '2999-01-01') AS {SUMS}""")
    sql = db.execute("SHOW CREATE MATERIALIZED VIEW v").rows()[0][1]
    every = "EVERY '86400000 ms' ALIGNED TO '2024-01-01 03:00:00+00'"
    for part in ("AT CREATION", "AT '2999-01-01 00:00:00+00'", every):
        assert f"REFRESH {part}" in sql
    strategies = """SELECT type, interval::text, aligned_to::text, at::text
        FROM mz_internal.mz_materialized_view_refresh_strategies"""
    assert rows(db, strategies) == [
        ("at", None, None, "2999-01-01 00:00:00+00"), ("at-creation", None, None, None),
        ("every", "24:00:00", "2024-01-01 03:00:00+00", None),
    ]  # fmt: skip
    assert "Refresh at once, at 2999" in str(db.execute("EXPLAIN PHYSICAL PLAN FOR MATERIALIZED VIEW v").rows())
    db.execute("ALTER MATERIALIZED VIEW v SET (RETAIN HISTORY FOR '2 h'); ALTER MATERIALIZED VIEW v RENAME TO w")
    assert "REFRESH EVERY '86400000 ms' ALIGNED TO" in db.execute("SHOW CREATE MATERIALIZED VIEW w").rows()[0][1]
    assert rows(db, strategies)[1][0] == "at-creation"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE MATERIALIZED VIEW v WITH (REFRESH EVERY '1 month') AS SELECT 1 AS a",
        "CREATE MATERIALIZED VIEW v WITH (REFRESH EVERY '0 s') AS SELECT 1 AS a",
        "CREATE MATERIALIZED VIEW v WITH (REFRESH AT '2001-01-01') AS SELECT 1 AS a",
        "CREATE MATERIALIZED VIEW v WITH (REFRESH AT 'noon') AS SELECT 1 AS a",
        "CREATE MATERIALIZED VIEW v WITH (REFRESH AT '20000-01-01') AS SELECT 1 AS a",
        "CREATE MATERIALIZED VIEW v WITH (REFRESH ON COMMIT, REFRESH AT CREATION) AS SELECT 1 AS a",
        "CREATE MATERIALIZED VIEW v WITH (REFRESH NEVER) AS SELECT 1 AS a",
        "CREATE VIEW v WITH (REFRESH AT CREATION) AS SELECT 1 AS a",
    ],
)
def test_what_makes_no_schedule_is_refused(db: Database, sql: str) -> None:
    with pytest.raises(SqlError):
        db.execute(sql)
    db.execute("CREATE MATERIALIZED VIEW v WITH (REFRESH ON COMMIT) AS SELECT 1 AS a")
