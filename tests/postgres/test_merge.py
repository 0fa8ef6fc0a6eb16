"""Random MERGEs on random rows: what PostgreSQL makes of them, errors too."""

import random
from collections import Counter

import psycopg
import pytest

from engine.database import Database
from engine.errors import SqlError
from tests.postgres.conftest import Upstream

CONDITIONS = ("t.v > s.v", "s.v = 1", "t.v IS NULL", "s.v / t.v > 0")
ALONE = ("s.v > 1", "s.k = 1", "s.v / s.k > 0")
ACTIONS = (
    "DELETE",
    "DO NOTHING",
    "UPDATE SET v = s.v",
    "UPDATE SET k = t.k + 10, v = DEFAULT",
    "UPDATE SET v = 1 / s.v",
)
INSERTS = ("INSERT VALUES (s.k, s.v)", "INSERT (v) VALUES (s.k)", "INSERT DEFAULT VALUES", "DO NOTHING")


def statement(draw: random.Random) -> str:
    clauses: list[str] = []
    for kind, conditions, actions in (("MATCHED", CONDITIONS, ACTIONS), ("NOT MATCHED", ALONE, INSERTS)):
        for condition in draw.sample(conditions, draw.randint(0, 2)):
            clauses.append(f"WHEN {kind} AND {condition} THEN {draw.choice(actions)}")
        if draw.random() < 0.6:
            clauses.append(f"WHEN {kind} THEN {draw.choice(actions)}")
    source = draw.choice(["s", "(SELECT DISTINCT k, v FROM s) AS s", "(SELECT k, min(v) AS v FROM s GROUP BY k) AS s"])
    on = draw.choice(["t.k = s.k", "t.k = s.k AND t.v < 3", "t.k < s.k"])
    return f"MERGE INTO t USING {source} ON {on} {' '.join(clauses or ['WHEN MATCHED THEN DO NOTHING'])}"


def outcome(run: object, sql: str) -> object:
    try:
        return run(sql)  # pyright: ignore[reportCallIssue]
    except SqlError as error:
        return error.sqlstate
    except psycopg.Error as error:
        return error.sqlstate


@pytest.mark.parametrize("seed", range(3))
def test_random_merges(upstream: Upstream, seed: int) -> None:
    draw = random.Random(seed)
    done = 0
    with Database.in_memory() as db:
        for _ in range(40):
            tables = (
                "DROP TABLE IF EXISTS t, s; CREATE TABLE t (k int, v int DEFAULT 5); CREATE TABLE s (k int, v int);"
            )
            for table in "ts":
                values = [
                    f"({draw.randint(0, 3)}, {draw.choice(['NULL', 0, 1, 2, 3])})" for _ in range(draw.randint(1, 4))
                ]
                tables += f"INSERT INTO {table} VALUES {', '.join(values)};"
            upstream.run(*tables.split(";")[:-1])
            for each in tables.split(";")[:-1]:
                db.execute(each)
            sql = statement(draw)
            theirs = outcome(lambda sql: upstream.connection.execute(sql).statusmessage, sql)
            ours = outcome(lambda sql: db.execute(sql).tag, sql)
            assert ours == theirs, sql
            found = db.execute("SELECT k, v FROM t").rows()
            assert Counter(found) == Counter(upstream.run("SELECT k, v FROM t")), sql
            done += str(ours).startswith("MERGE")
    assert done > 20
