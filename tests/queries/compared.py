"""DuckDB as the peer of a history."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from random import Random

import duckdb

from engine.database import Database
from tests.queries.history import Rows
from tests.queries.random_sql import KEYS, TABLES, random_query, random_row


class DuckDB:
    """One in memory. `held` are the rows of its tables."""

    name = "DuckDB"

    def __init__(self) -> None:
        self._duck = duckdb.connect()
        self._duck.execute("SET threads = 1")
        bin_ = "time_bucket(hop, moment, TIMESTAMP '1970-01-01')"
        self._duck.execute(
            "CREATE MACRO date_bin_hopping(hop, width, moment) AS TABLE "
            f"SELECT unnest(generate_series({bin_} - width + hop, {bin_}, hop)) AS w"
        )
        self._held: dict[str, list[tuple[object, ...]]] = {name: [] for name in TABLES}

    def create(self, db: Database, random: Random) -> None:
        for name, columns in TABLES.items():
            listed = ", ".join(f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in columns)
            key = f", PRIMARY KEY ({', '.join(KEYS[name])})" if name in KEYS else ""
            db.execute(f"CREATE TABLE {name} ({listed}{key})")
            self._duck.execute(f"CREATE TABLE {name} ({listed.replace('numeric', 'numeric(10, 2)')})")
        if random.random() < 0.5:
            db.execute("CREATE INDEX ua ON u (a)")
            db.execute("CREATE INDEX tb ON t (b)")

    def query(self, seed: int) -> str:
        return random_query(seed)

    def sql(self, query: str) -> str:
        return query

    def change(self, db: Database, random: Random) -> None:
        """In every table or in some."""
        for name, present in self._held.items():
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
            self._duck.execute(f"DELETE FROM {name}")
            if present:
                marks = ", ".join("?" for _ in TABLES[name])
                self._duck.executemany(f"INSERT INTO {name} VALUES ({marks})", present)

    def ours(self, db: Database, view: str | None, query: str) -> Rows:
        return rows(db.execute(query if view is None else f"SELECT * FROM {view}").rows())

    def answer(self, query: str) -> Rows | None:
        try:
            return rows(self._duck.execute(query).fetchall())
        except duckdb.Error:
            return None


def rows(found: Sequence[tuple[object, ...]]) -> Rows:
    return Counter(tuple(map(plain, row)) for row in found)


def plain(value: object) -> object:
    """The value with a number as one of a form: DuckDB keeps trailing zeros."""
    return Decimal(value).normalize() + 0 if isinstance(value, int | Decimal) and type(value) is not bool else value
