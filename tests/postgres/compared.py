"""PostgreSQL as the peer of a history."""

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from random import Random

import psycopg

from engine.database import Database
from engine.types import SqlType
from tests.postgres.random_expressions import JSON, TABLES
from tests.postgres.random_queries import random_literal, random_query
from tests.queries.history import Rows
from tests.queries.random_sql import Select


class PostgreSQL:
    """A database of a real server. Its tables are made anew."""

    name = "PostgreSQL"

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._run("DROP SCHEMA public CASCADE; CREATE SCHEMA public; SET TimeZone = 'UTC'")

    def create(self, db: Database, random: Random) -> None:
        bin_ = "date_bin(hop, moment, TIMESTAMP '1970-01-01')"
        self._run(
            "CREATE OR REPLACE FUNCTION date_bin_hopping(hop interval, width interval, moment timestamp) "
            "RETURNS SETOF timestamp LANGUAGE sql AS "
            f"$$ SELECT * FROM generate_series({bin_} - width + hop, {bin_}, hop) $$"
        )
        for name, columns in TABLES.items():
            listed = ", ".join(f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in columns)
            sql = f"CREATE TABLE {name} ({listed}{', PRIMARY KEY (k)' if name == 'v' else ''})"
            db.execute(sql)
            self._run(sql)
        if random.random() < 0.5:
            db.execute("CREATE INDEX ua ON u (a)")
            self._run("CREATE INDEX ua ON u (a)")

    def query(self, seed: int) -> Select:
        return random_query(seed)

    def sql(self, query: Select) -> str:
        return query.sql

    def change(self, db: Database, random: Random) -> None:
        for statement in changes(random):
            db.execute(statement)
            self._run(statement)

    def ours(self, db: Database, view: str | None, query: Select) -> Rows:
        return rows(db.execute(as_texts(view or f"({query.sql})", query)).rows(), query.types)

    def answer(self, query: Select) -> Rows | None:
        try:
            return rows(self._run(as_texts(f"({query.sql})", query)).fetchall(), query.types)
        except psycopg.Error:
            return None

    def _run(self, sql: str) -> psycopg.Cursor:
        return self._connection.execute(sql.encode())


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
