"""Queries mean what DuckDB says they mean, where both follow PostgreSQL: each of answers.sql, as bags of rows."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engine.database import Database

QUERIES = [query.strip() for query in (Path(__file__).parent / "answers.sql").read_text().split(";") if query.strip()]
TABLES = """
    CREATE TABLE t (id bigint, v integer, k text, n numeric(10, 2), b boolean);
    CREATE TABLE u (id bigint, name text, v integer);
    CREATE TABLE e (a integer, b integer);
    INSERT INTO t VALUES (1, 10, 'a', 1.5, true), (2, 20, 'b', 2.25, false), (3, NULL, 'a', NULL, NULL),
        (4, 10, NULL, -3, true), (5, 30, 'c', 0, false), (5, 30, 'c', 0, false);
    INSERT INTO u VALUES (1, 'x', 10), (2, 'y', NULL), (6, 'z', 30), (NULL, 'w', 20), (1, 'xx', 99)
"""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Database, duckdb.DuckDBPyConnection]]:
    with Database.in_memory() as database, duckdb.connect() as peer:
        for statement in TABLES.split(";"):
            database.execute(statement)
            peer.execute(statement)
        yield database, peer


def bag(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows in one order; numbers of whatever type compare by value."""

    def plain(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return value
        return round(float(value), 6)

    return sorted((tuple(map(plain, row)) for row in rows), key=repr)


@pytest.mark.parametrize("query", QUERIES)
def test_the_answer_is_the_peers(pair: tuple[Database, duckdb.DuckDBPyConnection], query: str):
    database, peer = pair
    assert bag(database.execute(query).rows()) == bag(peer.execute(query).fetchall())
