"""Nexmark: each query as a view over two million events read from JSON lines, from CREATE SOURCE to the whole answer.

Each query has a database of its own and reads the files of the tables that it names. DuckDB loads the same files and
asks once. Pathway and Flink are constants: what they did on a machine like this one, which is what the bar refers to.
"""

import re
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks import data
from benchmarks.measure import report, seconds
from benchmarks.queries.read import queries
from engine.connectors import nexmark
from engine.database import Database

EVENTS: Final = 2_000_000
AHEAD: Final = 2.5

PEERS: Final = {
    "q0": (276, 328), "q1": (199, 305), "q2": (319, 383), "q3": (237, 51), "q4": (164, 163), "q5": (31, 236),
    "q7": (185, 147), "q8": (162, 102), "q9": (135, 127), "q12": (205, 370), "q15": (103, 130), "q16": (55, 0),
    "q17": (115, 208), "q18": (139, 179), "q20": (403, 188),
}  # fmt: skip
"""Thousands of rows a second from JSON lines: Pathway 0.33 (two threads, one epoch) and Flink 2.3 (parallelism 2,
mini-batch, warm JVM), over two million events of the same proportions; 2 vCPU (Xeon, AVX-512), 24 GiB, medians of
November 2026 on a busy machine. Flink did not finish q16."""

DIALECT: Final = """
    CREATE MACRO date_bin(stride, t) AS time_bucket(CAST(stride AS INTERVAL), t);
    CREATE MACRO date_bin_hopping(hop, width, t) AS
        unnest([time_bucket(CAST(hop AS INTERVAL), t) - i * CAST(hop AS INTERVAL) FOR i IN range(5)]);
    CREATE MACRO to_char(t, form) AS strftime(t, CASE form WHEN 'YYYY-MM-DD' THEN '%Y-%m-%d' ELSE '%H:%M' END);
"""
"""What DuckDB calls otherwise."""


def side() -> pa.Table:
    """The small table of q13."""
    key = np.arange(10_000)
    return pa.table({"key": key, "value": np.char.add("value ", key.astype(np.str_))})


def run(scale: float) -> None:
    events = int(EVENTS * scale)
    tables = {name: getattr(nexmark, name)(np.arange(nexmark.count(name, events))) for name in nexmark.TABLES}
    paths = {name: data.json_lines(f"nexmark-{name}-{events}", table) for name, table in tables.items()}
    for name, query in queries("nexmark").items():
        read = [table for table in tables if re.search(rf"\b(FROM|JOIN) {table}\b", query)]
        rows = sum(len(tables[table]) for table in read)
        taken, found = ours(name, query, {table: (paths[table], len(tables[table])) for table in read})
        peer, wanted = duckdb_once(query, {table: paths[table] for table in read})
        if found != wanted:
            raise SystemExit(f"nexmark {name}: {found} rows, DuckDB has {wanted}")
        report("nexmark", f"{name}, JSON lines to view", rows / taken / 1e3, "k rows/s", peer="DuckDB load + query",
               theirs=rows / peer / 1e3, bar=bar(name))  # fmt: skip


def bar(name: str) -> str:
    """2.5 times the faster of Pathway and Flink."""
    return f"{AHEAD * max(PEERS[name]):,.0f} k/s" if name in PEERS else ""


def ours(name: str, query: str, files: dict[str, tuple[object, int]]) -> tuple[float, int]:
    """Seconds from nothing to the whole answer, and its rows."""
    with Database.in_memory() as db:
        db.execute("CREATE TABLE side (key bigint NOT NULL, value text NOT NULL)")
        db.write("side", side())

        def complete() -> None:
            for table, (path, _) in files.items():
                listed = ", ".join(f"{column.name} {column.type}" for column in nexmark.TABLES[table])
                db.execute(f"CREATE SOURCE {table} ({listed}) FROM FILE '{path}' FORMAT JSON")
            db.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")
            counts = " + ".join(f"(SELECT count(*) FROM {table})" for table in files)
            everything = sum(rows for _, rows in files.values())
            done = db.subscribe(f"SELECT {counts} AS n")
            for change in done:
                if change.diff > 0 and change.row[0] == everything:
                    break
            done.close()
            db.execute(f"SELECT count(*) FROM {name}").rows()

        taken = seconds(complete)
        return taken, db.execute(f"SELECT count(*) FROM {name}").rows()[0][0]


def duckdb_once(query: str, files: dict[str, object]) -> tuple[float, int]:
    duck = duckdb.connect()
    duck.execute(DIALECT)
    duck.register("side", side())

    def complete() -> None:
        for table, path in files.items():
            kinds = ", ".join(f"{column.name}: '{column.type}'" for column in nexmark.TABLES[table])
            read = f"read_json('{path}', format='newline_delimited', columns={{{kinds}}})"
            duck.execute(f"CREATE TABLE {table} AS FROM {read}")
        duck.execute(f"CREATE TABLE answer AS {query}")

    taken = seconds(complete)
    return taken, duck.execute("SELECT count(*) FROM answer").fetchall()[0][0]
