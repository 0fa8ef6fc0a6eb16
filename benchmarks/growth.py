"""A 1,000-row update batch (retract and add) into count, sum, max by key, while the state grows a thousandfold."""

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.measure import each, report, seconds
from engine.database import Database

VIEW = "SELECT key, count(*) AS n, sum(val) AS s, max(val) AS m FROM ev GROUP BY key"


def batches(rows: int, keys: np.ndarray, values: np.ndarray, count: int) -> list[pa.Table]:
    """Each replaces the value of 1,000 random rows: old row, new row, ...; `values` is brought up to date."""
    random = np.random.Generator(np.random.PCG64(6))
    made = []
    for _ in range(count):
        chosen = random.choice(rows, 1000, replace=False)
        fresh = random.integers(0, 1_000_000, 1000)
        both = np.column_stack([values[chosen], fresh]).ravel()
        values[chosen] = fresh
        made.append(pa.table({"id": np.repeat(chosen, 2), "key": np.repeat(keys[chosen], 2), "val": both}))
    return made


def run(scale: float) -> None:
    diffs = np.tile(np.array([-1, 1]), 1000)
    smallest = None
    for rows in (10_000, 100_000, 1_000_000, int(10_000_000 * scale)):
        random = np.random.Generator(np.random.PCG64(5))
        keys, values = random.integers(0, max(100, rows // 50), rows), random.integers(0, 1_000_000, rows)
        with Database.in_memory() as db:
            db.execute("CREATE TABLE ev (id bigint, key bigint, val bigint)")
            db.execute(f"CREATE MATERIALIZED VIEW agg AS {VIEW}")
            for start in range(0, rows, 1_000_000):
                part = slice(start, min(rows, start + 1_000_000))
                db.write("ev", pa.table({"id": np.arange(rows)[part], "key": keys[part], "val": values[part]}))
            duck = duckdb.connect()
            duck.register("t_", pa.table({"id": np.arange(rows), "key": keys, "val": values}))
            duck.execute("CREATE TABLE ev AS FROM t_")
            made = batches(rows, keys, values, 60)
            taken = each(lambda i: db.write("ev", made[i], diffs), len(made), warm=10)

        def recompute(i: int) -> None:
            duck.register("b", made[i].take(np.arange(1, 2000, 2)))
            duck.execute("UPDATE ev SET val = b.val FROM b WHERE b.id = ev.id")
            duck.execute(VIEW).fetchnumpy()

        theirs = float(np.median([seconds(lambda i=i: recompute(i)) for i in range(3)])) * 1e3
        ours = float(np.median(taken)) * 1e3
        smallest = smallest or ours
        report("growth", f"1,000-row batch at {rows:,} rows", ours, "ms", peer="DuckDB recompute", theirs=theirs,
               bar="1.5 ms" if rows == 10_000_000 else "")  # fmt: skip
        if rows >= 10_000_000 * scale:
            report("growth", "cost at the largest over the smallest", ours / smallest, "times", bar="2.5")
