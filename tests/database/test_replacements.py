"""CREATE REPLACEMENT MATERIALIZED VIEW and APPLY REPLACEMENT: another query under the same readers, at one tick."""

import random
import re
from collections import Counter

import pytest

from engine.database import Database
from engine.errors import SqlError
from tests.database.conftest import Directory

TABLES = """CREATE TABLE t (k int NOT NULL, v int NOT NULL); CREATE TABLE u (k int NOT NULL, w int NOT NULL);
    INSERT INTO t VALUES (1, 10), (1, 20), (2, 5), (3, 1); INSERT INTO u VALUES (1, 7), (3, 8);"""
SUMS = "SELECT k, sum(v) AS s FROM t GROUP BY k"
JOINED = "SELECT t.k, sum(v * w) AS s FROM t JOIN u ON t.k = u.k GROUP BY t.k"
ABOVE = """CREATE VIEW plain AS SELECT k, s FROM m WHERE s > 6; CREATE INDEX plain_index ON plain (k);
    CREATE MATERIALIZED VIEW least AS SELECT min(s) AS least, max(s) AS most FROM m;
    CREATE MATERIALIZED VIEW pairs AS SELECT m.k, u.w FROM m LEFT JOIN u ON m.k = u.k;
    CREATE INDEX m_index ON m (s); CREATE MATERIALIZED VIEW same AS SELECT * FROM m;"""
TWIN = f"CREATE MATERIALIZED VIEW twin AS {SUMS};"
REPLACEMENT = f"CREATE REPLACEMENT MATERIALIZED VIEW r FOR m AS {JOINED}"
APPLY = "ALTER MATERIALIZED VIEW m APPLY REPLACEMENT r"
VIEWS = {
    "plain": "SELECT k, s FROM ({m}) AS m WHERE s > 6", "least": "SELECT min(s), max(s) FROM ({m}) AS m",
    "pairs": "SELECT m.k, u.w FROM ({m}) AS m LEFT JOIN u ON m.k = u.k", "same": "{m}", "m": "{m}",
}  # fmt: skip


def check(db: Database, query: str) -> None:
    """All that reads m is what it would be if m had always been that query."""
    for name, meant in VIEWS.items():
        rows = Counter(db.execute(f"SELECT * FROM {name}").rows())
        assert rows == Counter(db.execute(meant.format(m=query)).rows()), name


def told(subscription) -> list[dict[tuple, int]]:
    """The changes of each tick that has some."""
    found: list[dict[tuple, int]] = []
    while (batch := subscription.poll()) is not None:
        changes = Counter[tuple]()
        for row in batch.result().rows():
            changes[row[2:]] += row[1]
        found.append({row: n for row, n in changes.items() if n})
    return [changes for changes in found if changes]


def test_readers_are_told_the_difference_at_one_tick(db: Database) -> None:
    db.execute(TABLES + f"CREATE MATERIALIZED VIEW m WITH (RETAIN HISTORY FOR '1 h') AS {SUMS};" + ABOVE + TWIN)
    db.execute(REPLACEMENT)
    following = [db.subscribe(f"SUBSCRIBE {name}") for name in ("m", "pairs")]
    assert [len(told(each)) for each in following] == [1, 1]
    asking = db.subscribe("SUBSCRIBE (SELECT max(s) FROM m)")
    pending = db.subscribe("SUBSCRIBE r")
    before = db.execute("INSERT INTO t VALUES (4, 4)").timestamp
    assert db.execute("SELECT * FROM r WHERE k = 1").rows() == [(1, 210)]
    check(db, SUMS)
    told(asking), told(pending), [told(each) for each in following]
    assert db.execute(APPLY).tag == "ALTER MATERIALIZED VIEW"
    check(db, JOINED)
    assert told(following[0]) == [{(1, 30): -1, (1, 210): 1, (2, 5): -1, (3, 1): -1, (3, 8): 1, (4, 4): -1}]
    assert told(following[1]) == [{(2, None): -1, (4, None): -1}]
    assert told(asking) == [{(30,): -1, (210,): 1}]
    with pytest.raises(SqlError, match="dropped"):
        pending.poll()
    assert Counter(db.execute("SELECT * FROM twin").rows()) == Counter(db.execute(SUMS).rows())
    assert sorted(db.execute(f"SELECT * FROM m AS OF {before}").rows()) == [(1, 30), (2, 5), (3, 1), (4, 4)]
    assert db.execute("SHOW MATERIALIZED VIEWS LIKE 'r'").rows() == []
    sql = db.execute("SHOW CREATE MATERIALIZED VIEW m").rows()[0][1]
    assert sql.startswith("CREATE MATERIALIZED VIEW materialize.public.m")
    assert "JOIN materialize.public.u" in sql
    db.execute("INSERT INTO u VALUES (2, 1); DELETE FROM t WHERE v = 20; CREATE INDEX later ON m (k)")
    check(db, JOINED)
    db.execute(f"CREATE REPLACEMENT MATERIALIZED VIEW r FOR m AS {SUMS}")
    db.execute(APPLY)
    check(db, SUMS)
    assert len(told(following[0])) == 2
    for each in (*following, asking):
        each.close()
    db.execute("ALTER TABLE t RENAME TO renamed; DROP TABLE renamed, u CASCADE")


def test_a_block_applies_it_with_its_writes(db: Database) -> None:
    db.execute(TABLES + f"CREATE MATERIALIZED VIEW m AS {SUMS};" + ABOVE + REPLACEMENT)
    follower = db.subscribe("SUBSCRIBE m")
    told(follower)
    with db.session() as session:
        session.execute(f"BEGIN; INSERT INTO u VALUES (2, 100); {APPLY}")
        assert db.execute("SELECT s FROM m WHERE k = 2").rows() == [(5,)]
        session.execute("ROLLBACK")
        assert told(follower) == []
        session.execute(f"BEGIN; {APPLY}; INSERT INTO u VALUES (2, 100); COMMIT")
        assert told(follower) == [{(1, 30): -1, (1, 210): 1, (2, 5): -1, (2, 500): 1, (3, 1): -1, (3, 8): 1}]
        with pytest.raises(SqlError, match="made by this transaction"):
            session.execute(f"BEGIN; CREATE REPLACEMENT MATERIALIZED VIEW r FOR m AS {SUMS}; {APPLY}")
    check(db, JOINED)
    follower.close()


def test_it_survives_restarts_in_every_stage(directory: Directory) -> None:
    db = directory.open()
    db.execute(TABLES + f"CREATE MATERIALIZED VIEW m AS {SUMS};" + ABOVE)
    db.execute(
        f"CREATE VIEW younger AS {JOINED}; CREATE REPLACEMENT MATERIALIZED VIEW r FOR m AS SELECT * FROM younger"
    )
    db.execute("COMMENT ON MATERIALIZED VIEW m IS 'kept'")
    db = directory.open()
    named = """SELECT r.name, m.name FROM mz_internal.mz_replacements JOIN mz_objects r ON r.id = object_id
        JOIN mz_objects m ON m.id = target_id"""
    assert db.execute(named).rows() == [("r", "m")]
    check(db, SUMS)
    db.execute(APPLY)
    assert db.execute(named).rows() == []
    check(db, JOINED)
    for _ in range(2):
        db = directory.open()
        check(db, JOINED)
        assert db.execute("SELECT comment FROM mz_internal.mz_comments").rows() == [("kept",)]
        db.execute("INSERT INTO t VALUES (3, 3)")
    db.execute("ALTER VIEW younger RENAME TO renamed; ALTER TABLE t ADD COLUMN more int")
    db = directory.open()
    check(db, JOINED)
    below = db.execute("""SELECT o.name FROM mz_internal.mz_object_transitive_dependencies d
        JOIN mz_objects o ON o.id = d.referenced_object_id JOIN mz_objects m ON m.id = d.object_id
        WHERE m.name = 'least' ORDER BY 1""").rows()
    assert below == [("m",), ("renamed",), ("t",), ("u",)]
    db.execute("DROP VIEW renamed CASCADE")
    assert directory.open().execute("SHOW MATERIALIZED VIEWS").rows() == []


@pytest.mark.parametrize(
    ("query", "match"),
    [
        ("SELECT k FROM t", 'must have its columns|of the replacement it is nothing'),
        ("SELECT k, sum(v) AS other FROM t GROUP BY k", 'is "other"'),
        ("SELECT k::bigint AS k, sum(v) AS s FROM t GROUP BY t.k", "must have its columns"),
        ("SELECT k, sum(v) AS s, 1 AS more FROM t GROUP BY k", "has 2 columns, the replacement 3"),
        ("SELECT k, v::bigint AS s FROM t", r"agree in \(k\)"),
        ("SELECT * FROM m", "cannot read itself"),
        ("SELECT k, max(s)::bigint AS s FROM plain GROUP BY k", 'view "plain", which is made from it'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(db: Database, query: str, match: str) -> None:
    db.execute(TABLES + f"CREATE MATERIALIZED VIEW m AS {SUMS}; CREATE VIEW plain AS SELECT * FROM m")
    with pytest.raises(SqlError) as refused:
        db.execute(f"CREATE REPLACEMENT MATERIALIZED VIEW r FOR m AS {query}")
    assert re.search(match, f"{refused.value.message} {refused.value.detail}")


def test_nothing_depends_on_one_that_is_not_applied(db: Database) -> None:
    db.execute(
        TABLES + f"CREATE MATERIALIZED VIEW m AS {SUMS}; CREATE MATERIALIZED VIEW other AS {SUMS};" + REPLACEMENT
    )
    for sql in ("CREATE VIEW v AS SELECT * FROM r", "CREATE INDEX i ON r (k)", "CREATE MATERIALIZED VIEW v AS TABLE r"):
        with pytest.raises(SqlError, match='a replacement for "m"'):
            db.execute(sql)
    with pytest.raises(SqlError, match="is a replacement itself"):
        db.execute(f"CREATE REPLACEMENT MATERIALIZED VIEW q FOR r AS {SUMS}")
    with pytest.raises(SqlError, match='"r" is not a replacement for "other"'):
        db.execute("ALTER MATERIALIZED VIEW other APPLY REPLACEMENT r")
    with pytest.raises(SqlError, match="does not exist"):
        db.execute("ALTER MATERIALIZED VIEW m APPLY REPLACEMENT nobody")
    assert "skipping" in db.execute("ALTER MATERIALIZED VIEW IF EXISTS nobody APPLY REPLACEMENT r").notices[0].message
    with pytest.raises(SqlError, match="other objects depend on it"):
        db.execute("DROP MATERIALIZED VIEW m")
    db.execute("ALTER MATERIALIZED VIEW m RENAME TO n; ALTER MATERIALIZED VIEW r RENAME TO s")
    assert "s FOR materialize.public.n AS" in db.execute("SHOW CREATE MATERIALIZED VIEW s").rows()[0][1]
    db.execute("DROP MATERIALIZED VIEW s; DROP MATERIALIZED VIEW n")


def test_circles_over_two_replacements_are_refused(directory: Directory) -> None:
    db = directory.open()
    db.execute(TABLES + f"CREATE MATERIALIZED VIEW m AS {SUMS}; CREATE MATERIALIZED VIEW n AS {SUMS}")
    grouped = "SELECT k, max(s) AS s FROM {} GROUP BY k"
    db.execute(f"CREATE REPLACEMENT MATERIALIZED VIEW r FOR m AS {grouped.format('n')}")
    db.execute(f"CREATE REPLACEMENT MATERIALIZED VIEW q FOR n AS {grouped.format('m')}")
    db.execute(APPLY)
    with pytest.raises(SqlError, match='cannot read materialized view "m", which is made from it'):
        db.execute("ALTER MATERIALIZED VIEW n APPLY REPLACEMENT q")
    assert directory.open().execute("SELECT s FROM m WHERE k = 1").rows() == [(30,)]


def test_errors_come_and_go_with_the_query(db: Database) -> None:
    db.execute(TABLES + f"CREATE MATERIALIZED VIEW m AS {SUMS}; CREATE MATERIALIZED VIEW most AS SELECT max(s) FROM m")
    failing = "SELECT k, (1 / min(v - 5)) + sum(v) AS s FROM t GROUP BY k"
    db.execute(f"CREATE REPLACEMENT MATERIALIZED VIEW r FOR m AS {failing}")
    db.execute(APPLY)
    for name in ("m", "most"):
        with pytest.raises(SqlError, match="division by zero"):
            db.execute(f"SELECT * FROM {name}")
    db.execute(f"CREATE REPLACEMENT MATERIALIZED VIEW r FOR m AS {SUMS}")
    db.execute(APPLY)
    assert db.execute("SELECT * FROM most").rows() == [(30,)]


def test_random_histories(db: Database) -> None:
    """Writes before, between and in blocks with it; another query each time."""
    draw = random.Random(11)
    queries = [SUMS, JOINED, "SELECT k, count(*) AS s FROM t GROUP BY k",
               "SELECT DISTINCT ON (k) k, v::bigint AS s FROM t ORDER BY k, v DESC"]  # fmt: skip
    db.execute(TABLES + f"CREATE MATERIALIZED VIEW m AS {SUMS};" + ABOVE + TWIN)
    follower, held = db.subscribe("SUBSCRIBE m"), Counter[tuple]()
    for _ in range(12):
        query = draw.choice(queries)
        writes = [
            draw.choice(["INSERT INTO t VALUES ({}, {})", "DELETE FROM t WHERE k = {} AND v > {}",
                         "INSERT INTO u VALUES ({}, {})", "DELETE FROM u WHERE k = {} AND w < {}"]
                        ).format(draw.randint(1, 4), draw.randint(1, 30))
            for _ in range(4)
        ]  # fmt: skip
        db.execute(
            f"{writes[0]}; CREATE REPLACEMENT MATERIALIZED VIEW r FOR m WITH (ASSERT NOT NULL s) AS {query};{writes[1]}"
        )
        with db.session() as session:
            session.execute(f"BEGIN; {writes[2]}; {APPLY}; {writes[3]}; COMMIT")
        check(db, query)
        assert Counter(db.execute("SELECT * FROM twin").rows()) == Counter(db.execute(SUMS).rows())
        for changes in told(follower):
            held.update(changes)
        assert +held == Counter(db.execute("SELECT * FROM m").rows())
    follower.close()
