"""CHANGES: the sum of what is told up to a time is the relation as of then, whoever asks and whenever they began."""

import random
from collections import Counter

import pytest

from engine.database import Database
from engine.errors import DataError, DependentObjects, InvalidParameter, SqlError, Unsupported, WrongObjectType

WORLD = """CREATE TABLE t (k int, v text) WITH (RETAIN HISTORY FOR '1h');
    CREATE MATERIALIZED VIEW w WITH (RETAIN HISTORY FOR '1h') AS SELECT k, count(*) AS n FROM t GROUP BY k;
    CREATE SOURCE c FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1ms', MAX CARDINALITY 5)
        WITH (RETAIN HISTORY FOR '1h');"""


KEPT = "WITH (RETAIN HISTORY FOR '1h')"


def summed(rows: list[tuple], until: int) -> Counter:
    """What rows of CHANGES told up to a time come to."""
    found: Counter = Counter()
    for *row, at, diff in rows:
        if at <= until:
            found[tuple(row)] += diff
    assert all(count >= 0 for count in found.values())
    return +found


def written(db: Database, seed: int, ticks: int) -> list[int]:
    """Random writes; their times."""
    draw = random.Random(seed)
    times = []
    for _ in range(ticks):
        held = [row for row in db.execute("SELECT * FROM t").rows() if draw.random() < 0.3]
        come = [(draw.randrange(3), draw.choice(["a", "b", None])) for _ in range(draw.randrange(3))]
        times.append(db.write("t", come + held, [1] * len(come) + [-1] * len(held)))
    return times


@pytest.fixture
def world(db: Database) -> tuple[Database, list[int]]:
    db.execute(f"{WORLD} SELECT count(*) FROM c")  # waits until the source has begun: its history does then
    return db, written(db, 1, 12)


@pytest.mark.parametrize("relation", ["t", "w", "c"])
def test_what_is_told_comes_to_the_relation_as_of_then(world: tuple[Database, list[int]], relation: str) -> None:
    """Of one-shot reads, of views over it, of views that hydrate later from the running one, and of subscriptions."""
    db, times = world
    since = times[2]
    changes = f"SELECT * FROM CHANGES({relation} AS OF {since})"
    db.execute(f"CREATE MATERIALIZED VIEW early {KEPT} AS {changes}")
    with db.subscribe(f"SUBSCRIBE ({changes})") as told:
        times += written(db, 2, 12)
        db.execute(f"CREATE MATERIALIZED VIEW late {KEPT} AS {changes}")
        db.execute(f"CREATE MATERIALIZED VIEW filtered {KEPT} AS SELECT * FROM ({changes}) AS x WHERE mz_diff > 0")
        times += written(db, 3, 6)
        end = db.execute("SELECT * FROM t").timestamp
        assert end is not None
        ways = {"once": db.execute(f"{changes} AS OF {end}").rows(), "subscribed": []}
        for view in ("early", "late", "filtered"):
            ways[view] = db.execute(f"SELECT * FROM {view} AS OF {end}").rows()
        while (told.complete or 0) < end and told.wait(5):
            batch = told.poll()
            if batch is not None:
                assert all(change.diff == 1 for change in batch.changes())
                ways["subscribed"] += [change.row for change in batch.changes() if change.row[-2] <= end]
    came = Counter(row for row in ways["once"] if row[-1] > 0)
    assert Counter(ways.pop("filtered")) == came
    assert all(Counter(rows) == Counter(ways["once"]) for rows in ways.values())
    for at in [time for time in times if since <= time]:
        then = Counter(db.execute(f"SELECT * FROM {relation} AS OF {at}").rows())
        for way, rows in ways.items():
            assert summed(rows, at) == then, way
        assert summed(db.execute(f"{changes} AS OF {at}").rows(), at) == then
        assert max((row[-2] for row in db.execute(f"{changes} AS OF {at}").rows()), default=at) <= at


def test_it_is_a_relation_like_any(world: tuple[Database, list[int]]) -> None:
    """Beside the relation itself, aggregated, renamed, in a block, with parameters; a view of it keeps what it told."""
    db, times = world
    db.execute(
        "CREATE VIEW v AS SELECT k, sum(mz_diff) AS n"
        f" FROM CHANGES(t AS OF {times[0]}) GROUP BY k HAVING sum(mz_diff) > 0;"
        "CREATE MATERIALIZED VIEW m AS SELECT a.k, b.mz_timestamp AS at"
        f" FROM t AS a JOIN CHANGES(t AS OF {times[0]}) AS b (x, y) ON a.k = b.x;"
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM CHANGES(t AS OF AT LEAST 0)"
    )
    same = "SELECT k, count(*) AS n FROM t GROUP BY k"
    count = "SELECT count(*) FROM CHANGES(t AS OF AT LEAST 0)"
    with db.session() as session:
        session.execute("PREPARE p AS SELECT a.k, b.mz_timestamp FROM t AS a, CHANGES(t AS OF $1) AS b WHERE a.k = b.k")
        for seed in (4, 5):
            assert sorted(db.execute("SELECT * FROM v").rows()) == sorted(db.execute(same).rows())
            once = session.execute(f"EXECUTE p ({times[0]})").rows()
            assert Counter(db.execute("SELECT * FROM m").rows()) == Counter(once)
            written(db, seed, 4)
        before = session.execute(f"BEGIN; {count}").rows()
        assert session.execute(f"INSERT INTO t VALUES (9, 'z'); {count}").rows() == before
        session.execute("COMMIT")
    text = str(db.execute("SHOW CREATE MATERIALIZED VIEW kept").rows()[0][1])
    assert "AT LEAST" not in text
    db.execute("ALTER TABLE t SET (RETAIN HISTORY FOR '1 ms'); ALTER TABLE t RENAME TO u")
    db.execute("INSERT INTO u VALUES (1, 'q')")
    db.execute("INSERT INTO u VALUES (1, 'q')")
    assert summed(db.execute("SELECT * FROM kept").rows(), 1 << 60) == Counter(db.execute("SELECT * FROM u").rows())
    assert sorted(db.execute("SELECT * FROM v").rows()) == sorted(db.execute(same.replace(" t ", " u ")).rows())
    with pytest.raises(SqlError, match="the earliest that can be read"):  # nobody keeps what was told since then
        db.execute(f"SELECT * FROM CHANGES(u AS OF {times[1]})")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT * FROM CHANGES(t AS OF 1)", DataError),
        ("CREATE MATERIALIZED VIEW x AS SELECT * FROM CHANGES(t AS OF 1)", InvalidParameter),
        ("CREATE MATERIALIZED VIEW x AS SELECT * FROM CHANGES(t AS OF 99999999999999)", InvalidParameter),
        ("SELECT * FROM CHANGES(plain AS OF 1)", Unsupported),
        ("SELECT * FROM CHANGES(mz_tables AS OF 1)", Unsupported),
        ("WITH q AS (SELECT 1) SELECT * FROM CHANGES(q AS OF 1)", WrongObjectType),
        ("ALTER TABLE t DROP COLUMN v", DependentObjects),
        ("DROP TABLE t", DependentObjects),
    ],
)
def test_what_has_no_such_history_is_refused(
    world: tuple[Database, list[int]], sql: str, error: type[SqlError]
) -> None:
    db, times = world
    db.execute("CREATE VIEW plain AS SELECT * FROM t;"
               f"CREATE MATERIALIZED VIEW m AS SELECT * FROM CHANGES(t AS OF {times[0]})")  # fmt: skip
    with pytest.raises(error):
        db.execute(sql)
    assert db.execute("SELECT count(*) FROM m").row_count == 1
