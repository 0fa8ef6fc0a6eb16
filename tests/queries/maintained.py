"""Queries kept as views beside the same queries asked again: of this engine, and of DuckDB over the same rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.queries.read import create_tables
from engine.database import Database
from engine.types import Column


class Maintained:
    """The tables in Tailrace and in DuckDB, the queries as materialized views named as they are."""

    def __init__(self, db: Database, tables: Mapping[str, Sequence[Column]], queries: Mapping[str, str]) -> None:
        self.db = db
        self.queries = queries
        self.duck = duckdb.connect()
        self.duck.execute("SET TimeZone = 'UTC'; SET threads = 1")
        self.seen: set[str] = set()
        for statement in create_tables(tables):
            db.execute(statement)
        for name, query in queries.items():
            db.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")

    def insert(self, table: str, rows: pa.Table) -> None:
        self.db.write(table, rows)
        self.duck.register("rows", rows)
        made = self.duck.execute(f"SELECT count(*) FROM information_schema.tables WHERE table_name = '{table}'")
        known = made.fetchall()[0][0]
        self.duck.execute(f"INSERT INTO {table} FROM rows" if known else f"CREATE TABLE {table} AS FROM rows")

    def delete(self, table: str, rows: pa.Table, key: Iterable[str]) -> None:
        """Take away these rows, which the key tells from all others."""
        self.db.write(table, rows, np.full(len(rows), -1))
        self.duck.register("rows", rows)
        same = " AND ".join(f"{table}.{column} = rows.{column}" for column in key)
        self.duck.execute(f"DELETE FROM {table} USING rows WHERE {same}")

    def agree(self) -> None:
        """Every view is its query's answer, here and in DuckDB."""
        for name, query in self.queries.items():
            kept = self.db.execute(f"SELECT * FROM {name}").rows()
            again = self.db.execute(query).rows()
            assert Counter(kept) == Counter(again), name
            peer = self.duck.execute(query).fetchall()
            assert Counter(map(plain, kept)) == Counter(map(plain, peer)), name
            if any(value is not None for row in kept for value in row):
                self.seen.add(name)


def plain(row: Iterable[object]) -> tuple[object, ...]:
    """A row whose numbers are ten digits of a float: the two engines divide and widen differently."""
    return tuple(f"{float(value):.10g}" if isinstance(value, int | float | Decimal) else value for value in row)
