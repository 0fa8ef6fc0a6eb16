"""TPC-H Q1, 3, 5, 6, 9, 15 and 18 kept while orders arrive, a hundredth of them a batch; DuckDB asks all seven again.

The other tables are there before. The time of a batch is from its two writes to all seven views, as of its last tick.
"""

import duckdb
import numpy as np

from benchmarks.measure import check, each, report, seconds
from benchmarks.queries.read import create_tables, queries
from engine.connectors import tpch
from engine.database import Database

KEPT = ("q1", "q3", "q5", "q6", "q9", "q15", "q18")
SCALE = 0.1
BATCHES = 100


def run(scale: float) -> None:
    sizes = tpch.Scale(SCALE * scale)
    asked = {name: sql for name, sql in queries("tpch").items() if name in KEPT}
    keys = tpch.order_key(np.arange(sizes.orders))
    batches = [(tpch.orders(part, sizes), tpch.lineitem(part, sizes)) for part in np.array_split(keys, BATCHES)]
    duck = duckdb.connect()
    with Database.in_memory() as db:
        for statement in create_tables(tpch.TABLES):
            db.execute(statement)
            duck.execute(statement)
        for name in tpch.STATIC:
            rows = tpch.static(name, sizes)
            db.write(name, rows)
            duck.register("rows", rows)
            duck.execute(f"INSERT INTO {name} FROM rows")
        for name, query in asked.items():
            db.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")

        def keep(i: int, diff: int = 1) -> None:
            for name, rows in zip(("orders", "lineitem"), batches[i], strict=True):
                db.write(name, rows, np.full(len(rows), diff))

        def again(i: int) -> None:
            for name, rows in zip(("orders", "lineitem"), batches[i], strict=True):
                duck.register("rows", rows)
                duck.execute(f"INSERT INTO {name} FROM rows")
            for query in asked.values():
                duck.execute(query).fetchall()

        ours, peer = each(keep, BATCHES), each(again, BATCHES)
        for name, query in asked.items():
            check(f"tpch {name}", db.execute(f"SELECT * FROM {name}").rows(), duck.execute(query).fetchall())
        held = db.execute("SELECT sum(bytes) FROM mz_internal.mz_dataflow_operators").rows()[0][0]
        gone = seconds(lambda: keep(0, -1))
    report("tpch", "7 views, a 1 % batch, mean", ours.mean() * 1e3, "ms", peer="DuckDB recompute",
           theirs=peer.mean() * 1e3, bar="30 ms")  # fmt: skip
    report("tpch", "7 views and their tables, held", float(str(held)) / 1e6, "MB")
    report("tpch", "7 views, 1 % deleted", gone * 1e3, "ms", bar="30 ms")
