"""Keys of types in which equal values have several forms, 0 and -0, '1 month' and '30 days': PostgreSQL's answers."""

from pathlib import Path
from random import Random

import psycopg
import pytest

from engine.database import Database
from engine.errors import SqlError
from tests.postgres.conftest import Upstream

VALUES = {
    "double precision": ("0", "-0", "1", "NaN", "-Infinity"),
    "interval": ("1 mon", "30 days", "720:00:00", "-1 mon", "-30 days", "31 days"),
    "real[]": ("{0}", "{-0}", "{0,1}", "{-0,1}", "{NULL}"),
}
SHOWN = "SELECT a::text, b, n FROM t ORDER BY n, b, 1"


def statement(draw: Random, values: tuple[str, ...]) -> str:
    def row() -> str:
        return f"('{draw.choice(values)}', {draw.choice((1, 2, 'NULL'))}, {draw.randrange(9)})"

    match draw.randrange(8):
        case 0:
            return f"DELETE FROM t WHERE a = '{draw.choice(values)}'"
        case 1:
            return f"UPDATE t SET a = '{draw.choice(values)}', n = n + 1 WHERE b = {draw.randrange(3)}"
        case 2:
            return f"UPDATE t SET b = b + 1 WHERE b = 2 AND a <> '{draw.choice(values)}'"
        case kind:
            rows = ", ".join(row() for _ in range(draw.randint(1, 3)))
            target = "(a, b)" if kind < 5 else "(b, a)"
            then = draw.choice(("", "DO NOTHING", "DO UPDATE SET n = excluded.n + 10", "DO UPDATE SET a = excluded.a"))
            returning = " RETURNING a::text, b, n" if draw.random() < 0.3 else ""
            return f"INSERT INTO t VALUES {rows}{f' ON CONFLICT {target} {then}' if then else ''}{returning}"


def outcome(run: object, sql: str) -> object:
    try:
        return sorted(map(str, run(sql)))  # pyright: ignore[reportCallIssue]
    except (SqlError, psycopg.Error) as error:
        return error.sqlstate


@pytest.mark.parametrize("kind", VALUES)
def test_random_writes(upstream: Upstream, tmp_path: Path, kind: str) -> None:
    draw, refused = Random(kind), 0
    table = f"CREATE TABLE t (a {kind}, b int, n int, UNIQUE (b, a))"
    upstream.run(table)
    for life in range(3):  # over restarts
        with Database.open(tmp_path) as db, db.session() as session:
            if life == 0:
                session.execute(table)
            for _ in range(40):
                many = draw.random() < 0.2
                block = ["BEGIN", *(statement(draw, VALUES[kind]) for _ in range(2)), "COMMIT"]
                for sql in block if many else block[1:2]:
                    wanted = outcome(upstream.run, sql)
                    assert outcome(lambda sql: session.execute(sql).rows(), sql) == wanted, sql
                    refused += wanted == "23505"
                assert session.execute(SHOWN).rows() == upstream.run(SHOWN)
                found = f"SELECT count(*), sum(n) FROM t WHERE b = 1 AND a = '{draw.choice(VALUES[kind])}'"
                assert session.execute(found).rows() == upstream.run(found)
    assert refused > 10
