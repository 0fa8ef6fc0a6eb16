"""One history of small tables lived through by Tailrace and by PostgreSQL, the queries kept as views from the start."""

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from random import Random

import psycopg

from engine.database import Database, Options
from engine.errors import SqlError
from engine.types import SqlType
from tests.postgres.random_expressions import JSON, TABLES
from tests.postgres.random_queries import random_literal, random_query
from tests.queries.random_sql import Select

Rows = Counter[tuple[object, ...]]


def history(
    seed: int, postgres: psycopg.Connection, queries: int, batches: int, *, optimize: bool = True
) -> tuple[int, list[str]]:
    """How many answers were compared, and what was wrong with which query. The tables are those of the database."""
    random = Random(seed)
    wrong: list[str] = []
    compared = 0
    postgres.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; SET TimeZone = 'UTC'")
    with Database.in_memory(Options(optimize=optimize)) as db:

        def both(sql: str) -> None:
            db.execute(sql)
            postgres.execute(sql)

        for name, columns in TABLES.items():
            listed = ", ".join(f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in columns)
            both(f"CREATE TABLE {name} ({listed}{', PRIMARY KEY (k)' if name == 'v' else ''})")
        if random.random() < 0.5:
            both("CREATE INDEX ua ON u (a)")
        views: dict[str, Select] = {}
        for i in range(queries):
            query = random_query(seed * 1000 + i)
            try:
                db.execute(f"CREATE MATERIALIZED VIEW m{i} AS {query.sql}")
                views[f"m{i}"] = query
            except SqlError as error:
                if answer(postgres, query) is not None:
                    wrong.append(f"{query.sql}\n  refused: {error}")
        for _ in range(batches):
            for statement in changes(random):
                both(statement)
            for name, query in list(views.items()):
                compared += 1
                problem = differs(db, postgres, name, query)
                if problem:
                    wrong.append(f"{query.sql}\n  {problem}")
                    del views[name]
    return compared, wrong


def changes(random: Random) -> list[str]:
    """A few statements that both take alike."""
    made: list[str] = []
    for name, columns in TABLES.items():
        where = [column for column in columns if column.type != JSON]
        if random.random() < 0.25:
            continue
        if random.random() < 0.6:
            column = random.choice(where)
            made.append(f"DELETE FROM {name} WHERE {column.name} = {random_literal(random, column)}")
        if random.random() < 0.5:
            to, column = random.choice([c for c in columns if (name, c.name) != ("v", "k")]), random.choice(where)
            changed = f"UPDATE {name} SET {to.name} = {random_literal(random, to)}"
            made.append(f"{changed} WHERE {column.name} = {random_literal(random, column)}")
        rows = [f"({', '.join(random_literal(random, c) for c in columns)})" for _ in range(random.choice((1, 3, 6)))]
        conflict = " ON CONFLICT (k) DO NOTHING" if name == "v" else ""
        made.append(f"INSERT INTO {name} VALUES {', '.join(rows)}{conflict}")
    return made


def differs(db: Database, postgres: psycopg.Connection, name: str, query: Select) -> str:
    """What is wrong with a view, if anything."""
    try:
        kept = rows(db.execute(as_texts(name, query)).rows(), query.types)
        again = rows(db.execute(as_texts(f"({query.sql})", query)).rows(), query.types)
    except SqlError as error:
        return f"failed: {error}" if answer(postgres, query) is not None else ""
    if kept != again:
        return f"the view has {kept - again} more and {again - kept} less than the query"
    peer = answer(postgres, query)
    if peer is not None and kept != peer:
        return f"{kept - peer} more and {peer - kept} less than PostgreSQL"
    return ""


def answer(postgres: psycopg.Connection, query: Select) -> Rows | None:
    """PostgreSQL's rows; None where it cannot."""
    try:
        return rows(postgres.execute(as_texts(f"({query.sql})", query).encode()).fetchall(), query.types)
    except psycopg.Error:
        return None


def as_texts(relation: str, query: Select) -> str:
    """The rows of a relation with the query's columns, as texts."""
    shown = ", ".join(f"CAST(s.x{i} AS text)" for i in range(len(query.types)))
    return f"SELECT {shown} FROM {relation} AS s ({', '.join(f'x{i}' for i in range(len(query.types)))})"


def rows(found: Sequence[tuple[object, ...]], kinds: Sequence[SqlType]) -> Rows:
    return Counter(tuple(plain(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in found)


def plain(text: object, kind: SqlType) -> object:
    """A numeric without the zeros at its end, a document without blanks."""
    if text is None:
        return None
    if kind == JSON:
        return json.dumps(json.loads(str(text)))
    return Decimal(str(text)).normalize() + 0 if kind.name == "numeric" else text
