"""What is read together is of one timeline, through whatever is between a query and its sources."""

import json

import pytest

from engine.database import Database
from engine.errors import SqlError
from tests.database.test_sources import wait_for

GENERATED = "FROM LOAD GENERATOR COUNTER (TICK INTERVAL '0s', UP TO 3)"

TOGETHER = (
    "SELECT * FROM {a}, {b}",
    "SELECT 1 FROM {a} UNION ALL SELECT 2 FROM {b}",
    "SELECT * FROM {a} WHERE counter IN (SELECT counter FROM {b})",
    "SELECT (SELECT count(*) FROM {b}) FROM {a}",
    "WITH common AS (SELECT * FROM {b}) SELECT * FROM {a} LEFT JOIN common USING (counter)",
)
"""Ways to read two relations in one query."""


@pytest.fixture
def lines(db: Database) -> Database:
    """A source of each kind of timeline, two of those that may be shared, and what lies above them."""
    db.execute(f"CREATE SOURCE clock {GENERATED}")
    db.execute(f"CREATE SOURCE clock2 {GENERATED} WITH (epoch_ms_timeline = true)")
    for name in ("x", "x2"):
        db.execute(f"CREATE SOURCE {name} {GENERATED} WITH (timeline = 'x')")
    db.execute(f"CREATE SOURCE y {GENERATED} WITH (timeline = 'y')")
    for name in ("own", "own2"):
        db.execute(f"CREATE SOURCE {name} {GENERATED} WITH (epoch_ms_timeline = false)")
    db.execute("CREATE VIEW vx AS SELECT * FROM x")
    db.execute("CREATE MATERIALIZED VIEW mx AS SELECT counter FROM vx")
    db.execute("CREATE TABLE t (counter bigint)")
    db.execute("CREATE VIEW nothing AS SELECT 1 AS counter")
    return db


ONE = [("clock", "clock2"), ("clock", "t"), ("x", "x2"), ("vx", "x2"), ("mx", "x_progress"), ("own", "own_progress"),
       ("nothing", "x"), ("nothing", "t"), ("own", "own")]  # fmt: skip
TWO = [("clock", "x"), ("x", "y"), ("mx", "t"), ("vx", "clock2"), ("own", "own2"), ("own", "clock"), ("own", "x"),
       ("x", "y_progress")]  # fmt: skip


@pytest.mark.parametrize("sql", TOGETHER)
def test_what_is_read_together_is_of_one_timeline(lines, sql):
    def named(a: str, b: str) -> str:
        of = [f'(SELECT "offset" AS counter FROM {name})' if "progress" in name else name for name in (a, b)]
        return sql.format(a=f"{of[0]} AS a", b=f"{of[1]} AS b")

    for pair in ONE:
        lines.execute(f"CREATE VIEW v AS SELECT 1 FROM ({named(*pair)}) AS whole")
        lines.execute(named(*pair))
        lines.execute("DROP VIEW v")
    for a, b in TWO:
        for statement in (named(a, b), f"CREATE MATERIALIZED VIEW v AS SELECT 1 FROM ({named(a, b)}) AS whole"):
            with pytest.raises(SqlError, match="of two timelines") as refused:
                lines.execute(statement)
            assert refused.value.sqlstate == "0A000"
            assert f'"{a}"' in refused.value.message, (a, b)
            assert f'"{b}"' in refused.value.message, (a, b)
            assert refused.value.hint


def test_the_catalog_is_on_the_clock(lines):
    assert lines.execute("SELECT 1 FROM clock, mz_views LIMIT 0").rows() == []
    with pytest.raises(SqlError, match="of two timelines"):
        lines.execute("SELECT 1 FROM x, mz_views")


def test_rows_may_be_taken_over(lines):
    """INSERT reads one timeline, and writes at a time of the clock's."""
    wait_for(lines, "SELECT count(*) FROM x", [(3,)])
    lines.execute("INSERT INTO t SELECT counter FROM x")
    assert lines.execute("SELECT count(*) FROM t, clock WHERE t.counter = clock.counter").rows() == [(3,)]
    with pytest.raises(SqlError, match="of two timelines"):
        lines.execute("UPDATE t SET counter = x.counter FROM x")


def test_it_is_shown(lines):
    def of(name: str) -> str:
        (row,) = lines.execute(f"EXPLAIN TIMESTAMP AS JSON FOR SELECT * FROM {name}").rows()
        return json.loads(row[0])["timeline"]

    assert [of(name) for name in ("clock", "t", "mx", "y_progress", "nothing")] == [
        "EpochMilliseconds", "EpochMilliseconds", "User.x", "User.y", "EpochMilliseconds",
    ]  # fmt: skip
    assert of("own") == "External.materialize.public.own"
    assert "timeline = 'x'" in lines.execute("SHOW CREATE SOURCE x").rows()[0][1]


def test_it_outlives_a_restart(tmp_path):
    with Database.open(tmp_path) as db:
        db.execute(f"CREATE SOURCE x {GENERATED} WITH (timeline = 'x', RETAIN HISTORY FOR '1h')")
        db.execute(f"CREATE SOURCE y {GENERATED} WITH (epoch_ms_timeline = false)")
        db.execute("ALTER SOURCE y SET (RETAIN HISTORY FOR '2h')")
        db.execute("CREATE MATERIALIZED VIEW m AS SELECT * FROM x")
    with Database.open(tmp_path) as db:
        db.execute("SELECT * FROM m, x")
        for other in ("x", "m"):
            with pytest.raises(SqlError, match="of two timelines"):
                db.execute(f"SELECT * FROM y, {other}")


def test_a_replacement_that_takes_what_reads_it_out_of_its_timeline_is_refused(lines):
    lines.execute("CREATE MATERIALIZED VIEW above AS SELECT mx.counter FROM mx, x2")
    lines.execute("CREATE REPLACEMENT MATERIALIZED VIEW other FOR mx AS SELECT counter FROM y")
    with pytest.raises(SqlError, match="cannot go on"):
        lines.execute("ALTER MATERIALIZED VIEW mx APPLY REPLACEMENT other")
    lines.execute("DROP MATERIALIZED VIEW above")
    lines.execute("ALTER MATERIALIZED VIEW mx APPLY REPLACEMENT other")
    lines.execute("SELECT * FROM mx, y")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("timeline = 5", "in quotes"),
        ("timeline = ''", "in quotes"),
        ("timeline = 'x', epoch_ms_timeline = true", "both say"),
        ("epoch_ms_timeline = 'yes'", "true or false"),
    ],
)
def test_what_no_timeline_is(db, options, said):
    with pytest.raises(SqlError, match=said) as refused:
        db.execute(f"CREATE SOURCE x {GENERATED} WITH ({options})")
    assert refused.value.sqlstate == "22023"
