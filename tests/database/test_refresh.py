"""REFRESH: a view is the query's answer at its last refresh, whoever reads it, and again after a restart."""

import time

import pytest

from engine.database import Database
from engine.errors import SqlError
from tests.database.conftest import Directory

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


def test_a_view_may_be_refreshed_at_every_time(db: Database) -> None:
    """What is due at each time is behind the present one too: the ticks end with the present."""
    db.execute(TABLE)
    db.execute(f"CREATE MATERIALIZED VIEW v WITH (REFRESH EVERY '1 ms') AS {SUMS}")
    for i in range(20):
        written = db.execute(f"INSERT INTO t VALUES (1, {i})").timestamp
        assert written is None or written <= now_ms() + 1000
        wait_until(now_ms())
        assert rows(db, "SELECT * FROM v") == rows(db, SUMS)


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


def of_last_refresh(db: Database, written: list[int]) -> bool:
    """Whether the view counts what was written up to its last refresh, whichever that is."""
    while True:
        at = db.execute(f"{LAST} 'often'").rows()[0][0]
        ((count,),) = db.execute("SELECT * FROM often").rows()
        if at == db.execute(f"{LAST} 'often'").rows()[0][0]:
            return count == sum(time <= at for time in written)


def test_a_restart_changes_nothing_of_what_was_refreshed(directory: Directory) -> None:
    """Whether what it reads says RETAIN HISTORY or not; written before, between and after refreshes, while the server
    is down, and when the log has put writes together."""
    db = directory.open()
    db.execute(f"""{TABLE} CREATE TABLE u (k int); INSERT INTO u VALUES (1);
        CREATE MATERIALIZED VIEW once WITH (REFRESH AT CREATION) AS {SUMS};
        CREATE MATERIALIZED VIEW daily WITH (REFRESH EVERY '1 day') AS {SUMS};
        CREATE MATERIALIZED VIEW plain WITH (REFRESH EVERY '1 day') AS SELECT count(*) FROM u;
        CREATE MATERIALIZED VIEW above WITH (REFRESH AT CREATION) AS SELECT sum(s) FROM daily;
        CREATE MATERIALIZED VIEW failed WITH (REFRESH AT CREATION) AS SELECT 1 / (k - 1) FROM u;
        CREATE MATERIALIZED VIEW often WITH (REFRESH EVERY '300 ms') AS SELECT count(*) FROM u;
        CREATE MATERIALIZED VIEW late WITH (REFRESH AT '2999-01-01 00:00:00+00') AS {SUMS}""")
    last = "SELECT name, last_completed_refresh, next_refresh FROM mz_internal.mz_materialized_view_refreshes JOIN"
    last += " mz_materialized_views ON id = materialized_view_id WHERE name NOT IN ('above', 'often')"
    before = rows(db, last)
    written = [0]
    for _ in range(3):
        assert rows(db, "SELECT * FROM once") == rows(db, "SELECT * FROM daily") == [(1, 1), (2, 2)]
        assert rows(db, "SELECT * FROM plain") == [(1,)]
        assert rows(db, "SELECT * FROM above") == [(3,)]
        for sql, text in (("SELECT * FROM failed", "division by zero"), ("SELECT * FROM late", "2999")):
            with pytest.raises(SqlError, match=text):
                db.execute(sql)
        assert rows(db, last) == before
        assert of_last_refresh(db, written)
        db.execute("INSERT INTO t VALUES (1, 10)")
        written.append(db.write("u", [(7,)]))
        db = directory.open()
        assert of_last_refresh(db, written)
    db.execute("DROP MATERIALIZED VIEW above; DROP MATERIALIZED VIEW once")
    assert directory.open().execute("SELECT count(*) FROM u").rows() == [(4,)]


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


def test_its_lag_is_the_time_since_its_last_refresh(db: Database) -> None:
    db.execute(f"""{TABLE} CREATE MATERIALIZED VIEW v WITH (REFRESH AT CREATION) AS {SUMS};
        CREATE INDEX i ON v (k); CREATE MATERIALIZED VIEW plain AS {SUMS};
        CREATE MATERIALIZED VIEW late WITH (REFRESH AT '2999-01-01') AS {SUMS}""")
    refreshed = db.execute(f"{LAST} 'v'").rows()[0][0]
    at = db.execute("INSERT INTO t VALUES (7, 7); SELECT * FROM t").timestamp
    assert at is not None
    lags = dict(
        db.execute(
            """SELECT name, (extract(epoch FROM local_lag) * 1000)::bigint FROM mz_internal.mz_materialization_lag
                JOIN mz_objects ON id = object_id"""
        ).rows()
    )
    assert lags["v"] >= at - refreshed
    assert lags["i"] >= at - refreshed
    assert (lags["plain"], lags["late"]) == (0, None)


def test_its_lag_behind_tables_is_that_of_the_oldest_that_it_is_made_of(db: Database) -> None:
    db.execute(f"""{TABLE} CREATE MATERIALIZED VIEW v WITH (REFRESH AT CREATION) AS {SUMS};
        CREATE MATERIALIZED VIEW over AS SELECT k FROM v; CREATE VIEW plain AS SELECT k FROM v UNION SELECT k FROM t;
        CREATE MATERIALIZED VIEW again WITH (REFRESH AT CREATION) AS SELECT k FROM plain;
        CREATE MATERIALIZED VIEW of_table AS SELECT k FROM t""")
    refreshed = db.execute(f"{LAST} 'v'").rows()[0][0]
    at = db.execute("INSERT INTO t VALUES (7, 7); SELECT * FROM t").timestamp
    lags = {
        name: rest
        for name, *rest in db.execute(
            """SELECT name, (extract(epoch FROM local_lag) * 1000)::bigint,
                (extract(epoch FROM global_lag) * 1000)::bigint
                FROM mz_internal.mz_materialization_lag JOIN mz_objects ON id = object_id"""
        ).rows()
    }
    assert lags["v"][0] == lags["v"][1] >= at - refreshed
    assert lags["over"] == [0, lags["v"][1]]
    assert lags["again"][0] <= lags["again"][1] == lags["v"][1]
    assert lags["of_table"] == [0, 0]


def test_explain_says_when_it_is_refreshed(db: Database) -> None:
    """Of a view that is there and of one that would be, at every stage."""
    db.execute(f"{TABLE} CREATE MATERIALIZED VIEW v WITH (REFRESH EVERY '1 day' ALIGNED TO '2024-01-01') AS {SUMS}")
    would = f"CREATE MATERIALIZED VIEW w WITH (REFRESH EVERY '1 day' ALIGNED TO '2024-01-01') AS {SUMS}"
    for what in ("MATERIALIZED VIEW v", "REPLAN MATERIALIZED VIEW v", would):
        for stage in ("RAW", "DECORRELATED", "OPTIMIZED", "PHYSICAL"):
            text = str(db.execute(f"EXPLAIN {stage} PLAN FOR {what}").rows()[0][0])
            assert text.startswith("Refresh every 86400000 ms aligned to 2024-01-01 00:00:00+00\n  "), what
            assert text.count("Refresh") == 1
    assert "Refresh" not in str(db.execute(f"EXPLAIN CREATE MATERIALIZED VIEW w AS {SUMS}").rows())
