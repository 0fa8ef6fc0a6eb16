"""Temporal filters by the clock: what is due happens although nobody writes."""

import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest

from engine.database import Database


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.in_memory() as database:
        yield database


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_row_comes_and_goes_by_itself(db: Database) -> None:
    db.execute("CREATE TABLE t (id int, lower bigint, upper bigint)")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT id FROM t WHERE mz_now() >= lower AND mz_now() < upper")
    with db.subscribe("SELECT id FROM v") as changes:
        begin = now_ms()
        db.write("t", [(1, begin + 200, begin + 500), (2, 0, begin + 300)])
        seen = []
        for change in changes:
            seen.append((change.row[0], change.diff, change.timestamp))
            if len(seen) == 4:
                break
    assert [(id, diff) for id, diff, _ in seen] == [(2, 1), (1, 1), (2, -1), (1, -1)]
    for (_, _, at), due in zip(seen[1:], (200, 300, 500), strict=True):
        assert begin + due <= at <= begin + due + 1000


def test_now_is_the_time_of_the_tick(db: Database) -> None:
    db.execute("CREATE TABLE t (id int, at timestamptz)")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT id FROM t WHERE at > now() - interval '300 ms'")
    db.execute("CREATE VIEW w AS SELECT id FROM t WHERE at < now()")
    db.execute("CREATE INDEX i ON w (id)")
    for kept in ("INDEX i", "MATERIALIZED VIEW v"):
        assert "mz_now()" in db.execute(f"EXPLAIN OPTIMIZED PLAN FOR {kept}").rows()[0][0]
        assert "Temporal" in db.execute(f"EXPLAIN PHYSICAL PLAN FOR {kept}").rows()[0][0]
    with db.subscribe("SELECT 'v' AS what FROM v UNION ALL SELECT 'w' FROM w") as changes:
        db.execute("INSERT INTO t VALUES (1, now() + interval '200 ms')")
        seen = []
        for change in changes:
            seen.append((change.row[0], change.diff, change.timestamp))
            if len(seen) == 3:
                break
    assert [(what, diff) for what, diff, _ in seen] == [("v", 1), ("w", 1), ("v", -1)]
    assert 150 <= seen[1][2] - seen[0][2] <= 1200
    assert 280 <= seen[2][2] - seen[1][2] <= 1300


def test_as_of_says_what_time_it_is(db: Database) -> None:
    db.execute("CREATE TABLE t (id int, at bigint)")
    db.execute("INSERT INTO t VALUES (1, 100), (2, 200)")
    db.execute("CREATE VIEW v AS SELECT id FROM t WHERE mz_now() >= at")
    assert db.execute("SELECT mz_now() AS OF 5").rows() == [(5,)]
    begin = db.execute("SELECT mz_now()").rows()[0][0]
    late = db.execute("SELECT mz_now() AS OF AT LEAST 5").rows()[0][0]
    assert late >= begin
    with db.subscribe("SELECT id FROM t") as changes:
        written = next(iter(changes)).timestamp
    db.execute(f"INSERT INTO t VALUES (3, {written + 1})")
    assert sorted(db.execute(f"SELECT id FROM v AS OF {written}").rows()) == [(1,), (2,)]
    assert sorted(db.execute("SELECT id FROM v").rows()) == [(1,), (2,), (3,)]


def test_a_read_sees_what_was_due_before_it(db: Database) -> None:
    db.execute("CREATE TABLE t (id int, upper bigint)")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT id FROM t WHERE mz_now() < upper")
    upper = now_ms() + 150
    db.write("t", [(1, upper)])
    while db.execute("SELECT id FROM v").rows():
        assert now_ms() <= upper + 1000
    assert now_ms() >= upper


def test_a_view_made_later_begins_at_its_time(db: Database) -> None:
    db.execute("CREATE TABLE t (id int, upper bigint)")
    db.write("t", [(1, now_ms() - 1), (2, now_ms() + 1_000_000), (3, None)])
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT id FROM t WHERE mz_now() < upper")
    assert db.execute("SELECT id FROM v").rows() == [(2,)]
    db.execute("DELETE FROM t WHERE id = 2")
    assert db.execute("SELECT id FROM v").rows() == []


def test_a_subscription_from_the_past_begins_as_of_then(db: Database) -> None:
    db.execute("CREATE TABLE t (id int, lower bigint, upper bigint)")
    begin = db.write("t", [(0, 0, 1)])
    begin = db.write("t", [(1, 0, begin + 150), (2, begin + 150, begin + 10**7), (3, 0, begin + 10**7)])
    while db.reach(begin + 200):
        pass
    sql = f"SUBSCRIBE (SELECT id FROM t WHERE mz_now() >= lower AND mz_now() < upper) AS OF {begin}"
    with db.subscribe(sql) as changes:
        seen = list(islice(changes, 4))
    assert sorted((change.row[0], change.diff) for change in seen[:2]) == [(1, 1), (3, 1)]
    assert {change.timestamp for change in seen[:2]} == {begin}
    assert sorted((change.row[0], change.diff) for change in seen[2:]) == [(1, -1), (2, 1)]


def test_a_subscription_to_a_query_follows_the_clock(db: Database) -> None:
    db.execute("CREATE TABLE t (id int, upper bigint)")
    begin = db.write("t", [(1, 0), (2, 10**15)])
    db.write("t", [(3, begin + 300)])
    with db.subscribe("SUBSCRIBE (SELECT id FROM t WHERE mz_now() < upper)") as changes:
        seen = list(islice(changes, 3))
    assert sorted((change.row[0], change.diff) for change in seen) == [(2, 1), (3, -1), (3, 1)]
    assert seen[-1].timestamp >= begin + 300


def test_a_read_that_asks_for_the_time_is_of_that_time(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it finds by mz_now() is what a view has beside it: alone, in a block, AS OF, and where the machine's clock
    steps back and forth, against which the time that is told never does."""
    oracle = db._coordinator.oracle
    clock = [now_ms()]
    monkeypatch.setattr(oracle, "_now", lambda: clock[0])
    db.execute("CREATE TABLE t (id int, upper bigint) WITH (RETAIN HISTORY FOR '1h')")
    alive = "SELECT id FROM t WHERE mz_now() < upper"
    db.execute(f"CREATE MATERIALIZED VIEW v WITH (RETAIN HISTORY FOR '1h') AS {alive}")
    differs = f"SELECT id FROM v EXCEPT ALL ({alive}) UNION ALL (({alive}) EXCEPT ALL SELECT id FROM v)"
    draw, told, seen = Random(4), 0, dict[int, Counter]()
    with db.session() as block:
        for id in range(60):
            clock[0] += draw.choice((0, 0, 1, 7, 40, 500, -30, -400))
            db.write("t", [(id, clock[0] + draw.choice((1, 5, 60, 300)))])
            if draw.random() < 0.2:
                block.execute("COMMIT; BEGIN")
            assert db.execute(differs).rows() == []
            assert Counter(block.execute(alive).rows()) == Counter(block.execute("SELECT id FROM v").rows())
            at = db.execute("SELECT mz_now()").rows()[0][0]
            assert at >= told
            told = at
            found = db.execute(alive)
            assert found.timestamp is not None
            seen[found.timestamp] = Counter(found.rows())
            for earlier in draw.sample(sorted(seen), 2) if id > 2 else ():
                assert Counter(db.execute(f"SELECT id FROM v AS OF {earlier}").rows()) == seen[earlier]
                assert Counter(db.execute(f"{alive} AS OF {earlier}").rows()) == seen[earlier]
                assert Counter(db.execute(f"{alive} AS OF AT LEAST {earlier}").rows()) == seen[earlier]


ALIVE = "(SELECT id, k FROM t WHERE mz_now() >= lower AND mz_now() < upper)"


def test_any_time_of_the_past_is_what_it_was(db: Database) -> None:
    """Windows, joins and recursion over a temporal filter AS OF any time: of the rows whose time it was then."""
    random = Random(11)
    queries = {
        "windowed": f"""SELECT id, row_number() OVER (PARTITION BY k ORDER BY id), count(*) OVER (PARTITION BY k)
            FROM {ALIVE} s""",
        "met": f"SELECT a.id, b.id AS other FROM {ALIVE} a JOIN {ALIVE} b USING (k)",
        "reached": f"""WITH RECURSIVE r AS (SELECT id FROM {ALIVE} s WHERE k = 0 UNION
            SELECT s.id FROM r JOIN {ALIVE} s ON s.k = r.id % 3) SELECT id FROM r""",
    }  # fmt: skip
    db.execute("CREATE TABLE t (id int, k int, lower bigint, upper bigint) WITH (RETAIN HISTORY FOR '1h')")
    for name, query in queries.items():
        db.execute(f"CREATE MATERIALIZED VIEW {name} WITH (RETAIN HISTORY FOR '1h') AS {query}")
    written: list[tuple[int, tuple[int, int, int, int], int]] = []
    begin = now_ms()
    for id in range(24):
        lower = begin + random.randrange(-20, 400)
        row = (id, random.randrange(3), lower, lower + random.randrange(1, 300))
        written.append((db.write("t", [row]), row, 1))
        if random.random() < 0.3:
            taken = {other for _, other, n in written if n < 0}
            gone = random.choice([other for _, other, _ in written if other not in taken])
            written.append((db.write("t", [gone], [-1]), gone, -1))
    while db.reach(begin + 800):
        pass
    first = written[0][0]
    for at in sorted(random.randrange(first, begin + 800) for _ in range(40)):
        held: Counter[tuple[int, int, int, int]] = Counter()
        for when, row, n in written:
            held[row] += n if when <= at else 0
        alive = sorted((id, k) for (id, k, lower, upper), n in held.items() if n and lower <= at < upper)
        groups = {k: [id for id, other in alive if other == k] for k in range(3)}
        reached, before = set(groups[0]), set[int]()
        while reached != before:
            before = reached
            reached = before | {id for k in before for id in groups[k % 3]}
        expected = {
            "windowed": {(id, groups[k].index(id) + 1, len(groups[k])) for id, k in alive},
            "met": {(one, other) for one, k in alive for other in groups[k]},
            "reached": {(id,) for id in reached},
        }
        for name, query in queries.items():
            assert set(db.execute(f"SELECT * FROM {name} AS OF {at}").rows()) == expected[name], (name, at)
            assert set(db.execute(f"{query} AS OF {at}").rows()) == expected[name], (query, at)
