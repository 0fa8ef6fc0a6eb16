"""Nexmark's queries as views: equal to the query asked again, and to DuckDB's answer, after every change."""

import numpy as np
import pyarrow as pa

from benchmarks.queries.read import queries
from engine import types
from engine.connectors import nexmark
from engine.database import Database
from engine.types import Column
from tests.queries.maintained import Maintained

EVENTS = 4_000
SIDE = (Column("key", types.BIGINT, nullable=False), Column("value", types.TEXT, nullable=False))
KEYS = {"person": ("id",), "auction": ("id",), "bid": ("auction", "bidder", "price", "date_time", "extra")}

DIALECT = """
    CREATE MACRO date_bin(stride, t) AS time_bucket(CAST(stride AS INTERVAL), t);
    CREATE MACRO date_bin_hopping(hop, width, t) AS
        unnest([time_bucket(CAST(hop AS INTERVAL), t) - i * CAST(hop AS INTERVAL) FOR i IN range(5)]);
    CREATE MACRO to_char(t, form) AS strftime(t, CASE form WHEN 'YYYY-MM-DD' THEN '%Y-%m-%d' ELSE '%H:%M' END);
"""
"""What DuckDB calls otherwise."""


def test_nexmark() -> None:
    asked = queries("nexmark")
    assert list(asked) == [f"q{i}" for i in range(23)]
    with Database.in_memory() as db:
        views = Maintained(db, {**nexmark.TABLES, "side": SIDE}, asked)
        views.duck.execute(DIALECT)
        key = np.arange(10_000)
        views.insert("side", pa.table({"key": key, "value": np.char.add("value ", key.astype(np.str_))}))
        random = np.random.Generator(np.random.PCG64(23))
        rows = {name: getattr(nexmark, name)(np.arange(nexmark.count(name, EVENTS))) for name in nexmark.TABLES}
        shuffled = {name: table.take(random.permutation(len(table))) for name, table in rows.items()}
        for part in range(2):
            for name, table in shuffled.items():
                views.insert(name, table.slice(part * (len(table) // 2), len(table) // 2))
            views.agree()
        for name, table in shuffled.items():
            some = table.slice(len(table) // 8, len(table) // 4)
            views.delete(name, some, KEYS[name])
            views.agree()
            views.insert(name, some.slice(0, len(some) // 2))
        views.agree()
        assert views.seen == set(asked)
