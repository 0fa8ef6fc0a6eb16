"""One history of small tables lived through by Tailrace and by DuckDB, with queries kept as views from the start."""

from collections import Counter
from decimal import Decimal
from random import Random

import duckdb

from engine.database import Database, Options
from engine.errors import SqlError
from tests.queries.random_sql import KEYS, TABLES, random_query, random_row

Rows = list[tuple[object, ...]]


def history(seed: int, queries: int, batches: int, *, optimize: bool = True) -> tuple[int, list[str]]:
    """How many answers were compared, and what was wrong with which query."""
    random = Random(seed)
    duck = duckdb.connect()
    duck.execute("SET threads = 1")
    wrong: list[str] = []
    compared = 0
    with Database.in_memory(Options(optimize=optimize)) as db:
        for name, columns in TABLES.items():
            listed = ", ".join(f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in columns)
            key = f", PRIMARY KEY ({', '.join(KEYS[name])})" if name in KEYS else ""
            db.execute(f"CREATE TABLE {name} ({listed}{key})")
            duck.execute(f"CREATE TABLE {name} ({listed.replace('numeric', 'numeric(10, 2)')})")
        if random.random() < 0.5:
            db.execute("CREATE INDEX ua ON u (a)")
            db.execute("CREATE INDEX tb ON t (b)")
        asked: dict[str, str] = {}
        for i in range(queries):
            query = random_query(seed * 1000 + i)
            try:
                db.execute(f"CREATE MATERIALIZED VIEW m{i} AS {query}")
                asked[f"m{i}"] = query
            except SqlError as error:
                if answer(duck, query) is not None:
                    wrong.append(f"{query}\n  refused: {error}")
        held: dict[str, Rows] = {name: [] for name in TABLES}
        for _ in range(batches):
            change(random, db, duck, held)
            for name, query in list(asked.items()):
                compared += 1
                problem = differs(db, duck, name, query)
                if problem:
                    wrong.append(f"{query}\n  {problem}")
                    del asked[name]
    return compared, wrong


def differs(db: Database, duck: duckdb.DuckDBPyConnection, name: str, query: str) -> str:
    """What is wrong with a view, if anything."""
    try:
        kept, again = rows(db.execute(f"SELECT * FROM {name}").rows()), rows(db.execute(query).rows())
    except SqlError as error:
        return f"failed: {error}" if answer(duck, query) is not None else ""
    if kept != again:
        return f"the view has {kept - again} more and {again - kept} less than the query"
    peer = answer(duck, query)
    if peer is not None and kept != peer:
        return f"{kept - peer} more and {peer - kept} less than DuckDB"
    return ""


def change(random: Random, db: Database, duck: duckdb.DuckDBPyConnection, held: dict[str, Rows]) -> None:
    """A few rows come and go, in every table or in some."""
    for name, present in held.items():
        if random.random() < 0.25:
            continue
        gone = [present.pop(random.randrange(len(present))) for _ in range(random.randrange(len(present) + 1) // 2)]
        come = [random_row(random, name) for _ in range(random.choice((0, 1, 3, 6)))]
        if name in KEYS:
            taken = {row[0] for row in present}
            come = list({row[0]: row for row in come if row[0] not in taken}.values())
        if gone:
            db.write(name, gone, [-1] * len(gone))
        if come:
            db.write(name, come)
        present += come
        duck.execute(f"DELETE FROM {name}")
        if present:
            marks = ", ".join("?" for _ in TABLES[name])
            duck.executemany(f"INSERT INTO {name} VALUES ({marks})", present)


def answer(duck: duckdb.DuckDBPyConnection, query: str) -> "Counter[tuple[object, ...]] | None":
    """DuckDB's rows; None where it cannot."""
    try:
        return rows(duck.execute(query).fetchall())
    except duckdb.Error:
        return None


def rows(found: Rows) -> "Counter[tuple[object, ...]]":
    return Counter(tuple(map(plain, row)) for row in found)


def plain(value: object) -> object:
    """The value with a number as one of a form: DuckDB keeps trailing zeros."""
    return Decimal(value).normalize() + 0 if isinstance(value, int | Decimal) and type(value) is not bool else value
