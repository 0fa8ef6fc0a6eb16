"""Window functions over every kind of frame, exclusion and FILTER, and aggregates by group, as views over random
histories: PostgreSQL's answers at every step."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random

import psycopg
import pytest

from engine.database import Database
from tests.postgres.conftest import Upstream

RANKINGS = ("row_number()", "rank()", "dense_rank()", "percent_rank()", "cume_dist()", "ntile({k})")
OFFSETS = ("lag(x)", "lead(x)", "lag(x, {k}, -1)", "lead(x, {k})", "lag(t, 2)")
VALUES = ("first_value(x)", "last_value(x)", "nth_value(x, {k})", "first_value(t)", "nth_value(t, 2)")
AGGREGATES = (
    "count(*)", "count(x)", "sum(x)", "avg(x)", "min(x)", "max(x)", "min(t)", "max(t)", "bool_or(x > 2)", "sum(f)",
    "string_agg(t, ',')", "array_agg(x)", "stddev_pop(x)", "max(f)", "bit_xor(x)", "corr(f, x)", "regr_slope(x, f)",
    "covar_samp(x, f)", "regr_count(f, x)", "bit_and(x)",
)  # fmt: skip
GROUPED = (
    "covar_pop(f, x)", "covar_samp(f, x)", "corr(f, x)", "corr(DISTINCT f, x)", "regr_count(f, x)", "regr_avgx(f, x)",
    "regr_avgy(f, x)", "regr_sxx(f, x)", "regr_syy(f, x)", "regr_sxy(f, x)", "regr_slope(f, x)", "regr_r2(f, x)",
    "regr_intercept(f, x)", "bit_and(x)", "bit_or(x)", "bit_xor(x)", "mode() WITHIN GROUP (ORDER BY x)",
    "mode() WITHIN GROUP (ORDER BY t DESC)", "mode() WITHIN GROUP (ORDER BY f DESC NULLS LAST)",
    "jsonb_object_agg(coalesce(t, 'none'), x ORDER BY id)", "jsonb_object_agg(id, t ORDER BY x DESC)",
    "jsonb_agg(DISTINCT x)",
    "string_agg(DISTINCT t, ',')", "array_agg(x ORDER BY f, id DESC)",
)  # fmt: skip
STARTS = ("UNBOUNDED PRECEDING", "{k} PRECEDING", "CURRENT ROW", "{k} FOLLOWING")
ENDS = ("{k} PRECEDING", "CURRENT ROW", "{m} FOLLOWING", "UNBOUNDED FOLLOWING")
EXCLUSIONS = ("", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES")
FILTERS = ("", "", " FILTER (WHERE x > 1)", " FILTER (WHERE t IS NOT NULL)")
NUMBERS = ("NULL", "0", "1", "2", "3", "5")
TEXTS = ("NULL", "''", "'a'", "'b'")


def random_call(random: Random) -> str:
    """A call over a window in which no two rows stand alike, or in which it does not matter which stands first."""

    def pick(texts: tuple[str, ...]) -> str:
        return random.choice(texts).format(k=random.randrange(1, 4), m=random.randrange(4))

    partition = random.choice(("", "PARTITION BY g ", "PARTITION BY g, t "))
    way = random.choice(("", " DESC", " NULLS FIRST", " DESC NULLS LAST"))
    kind = random.randrange(6)
    if kind == 0:
        call, total = pick(RANKINGS), random.choice((f"x{way}, id", f"id{way}"))
        peers = call.startswith(("rank", "dense", "percent", "cume"))
        return f"{call} OVER ({partition}ORDER BY {f'x{way}' if peers and random.random() < 0.7 else total})"
    if kind == 1:
        return f"{pick(OFFSETS)} OVER ({partition}ORDER BY x{way}, id)"
    single = random.random() < 0.4
    order = random.choice((f"id{way}",)) if single else f"x{way}, id"
    unit = random.choice(("ROWS", "ROWS", "GROUPS", "RANGE"))
    while True:
        start, end = random.choice(STARTS), random.choice(ENDS)
        if STARTS.index(start) <= ENDS.index(end) + (start != "CURRENT ROW"):
            break
    if start == "CURRENT ROW" and end.endswith("PRECEDING"):
        end = "CURRENT ROW"
    if start.endswith("FOLLOWING"):
        end = random.choice(("{m} FOLLOWING", "UNBOUNDED FOLLOWING"))
    if unit == "RANGE" and not single:
        start, end = "UNBOUNDED PRECEDING", random.choice(("CURRENT ROW", "UNBOUNDED FOLLOWING"))
    frame = f"{unit} BETWEEN {pick((start,))} AND {pick((end,))}{random.choice(EXCLUSIONS)}"
    if kind == 2:
        return f"{pick(VALUES)} OVER ({partition}ORDER BY {order} {frame})"
    if kind == 3 and random.random() < 0.5:
        call = random.choice(AGGREGATES[:10])  # any order of peers
        return f"{call}{random.choice(FILTERS)} OVER ({partition.strip()})"
    return f"{random.choice(AGGREGATES)}{random.choice(FILTERS)} OVER ({partition}ORDER BY {order} {frame})"


def changes(random: Random) -> list[str]:
    """A few statements."""
    made: list[str] = []
    if random.random() < 0.8:
        made.append(f"DELETE FROM w WHERE id % {random.randrange(3, 9)} = 1")
    if random.random() < 0.5:
        made.append(f"UPDATE w SET x = {random.choice(NUMBERS)} WHERE id % 5 = {random.randrange(5)}")
    rows = [
        f"({random.randrange(200)}, {random.randrange(3)}, {random.choice(NUMBERS)}, {random.choice(TEXTS)}, "
        f"{random.choice(('NULL', '0.5', '-1.25', '3'))})"
        for _ in range(random.choice((1, 4, 12)))
    ]
    made.append(f"INSERT INTO w VALUES {', '.join(rows)} ON CONFLICT (id) DO NOTHING")
    return made


def text(value: object) -> str:
    """A value as both print it, fractions to nine places: PostgreSQL rounds each step of a sum."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        value = json.loads(value)
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, default=text)
    return f"{round(float(value), 9) + 0.0:.9g}" if isinstance(value, Decimal | float) else str(value)


def random_window(random: Random) -> str:
    """Some calls over windows."""
    calls = [random_call(random) for _ in range(random.choice((1, 1, 2)))]
    return f"SELECT id, {', '.join(f'{call} AS c{k}' for k, call in enumerate(calls))} FROM w"


def random_groups(random: Random) -> str:
    """Some aggregates by group."""
    calls = [f"{call}{random.choice(FILTERS)}" for call in random.sample(GROUPED, random.choice((1, 2, 4)))]
    key = random.choice(("g", "g, t"))
    return f"SELECT {key}, {', '.join(f'{call} AS c{k}' for k, call in enumerate(calls))} FROM w GROUP BY {key}"


def history(
    seed: int, postgres: psycopg.Connection, query: Callable[[Random], str], views: int, batches: int
) -> list[str]:
    """The queries that were answered otherwise."""
    random = Random(seed)
    wrong: list[str] = []
    postgres.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with Database.in_memory() as db:
        for sql in ("CREATE TABLE w (id int PRIMARY KEY, g int, x int, t text, f double precision)",):
            db.execute(sql)
            postgres.execute(sql)
        queries: dict[str, str] = {}
        for i in range(views):
            queries[f"v{i}"] = query(random)
            db.execute(f"CREATE MATERIALIZED VIEW v{i} AS {queries[f'v{i}']}")
        for _ in range(batches):
            for statement in changes(random):
                db.execute(statement)
                postgres.execute(statement)
            for name, sql in list(queries.items()):
                ours = Counter(tuple(map(text, row)) for row in db.execute(f"SELECT * FROM {name}").rows())
                theirs = Counter(tuple(map(text, row)) for row in postgres.execute(sql).fetchall())
                if ours != theirs:
                    wrong.append(
                        f"{sql}\n  {sorted((ours - theirs).items())[:3]}, {sorted((theirs - ours).items())[:3]}"
                    )
                    del queries[name]
    return wrong


@pytest.mark.parametrize("seed", range(2))
def test_windows(upstream: Upstream, seed: int) -> None:
    wrong = history(seed, upstream.connection, random_window, views=24, batches=4)
    assert not wrong, "\n".join(wrong)


def test_groups(upstream: Upstream) -> None:
    wrong = history(0, upstream.connection, random_groups, views=24, batches=4)
    assert not wrong, "\n".join(wrong)
