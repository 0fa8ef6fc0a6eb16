"""A 1,000-row update batch (retract and add) into count, sum, max by key, while the state grows a thousandfold."""

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.measure import each, report, slices
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


def at_size(rows: int) -> tuple[float, float]:
    """Milliseconds of a batch when the state has so many rows: (ours, DuckDB's), each a median."""
    random = np.random.Generator(np.random.PCG64(5))
    keys, values = random.integers(0, max(100, rows // 50), rows), random.integers(0, 1_000_000, rows)
    base = pa.table({"id": np.arange(rows), "key": keys, "val": values.copy()})
    made = batches(rows, keys, values, 60)
    diffs = np.tile(np.array([-1, 1]), 1000)
    with Database.in_memory() as db:
        db.execute("CREATE TABLE ev (id bigint, key bigint, val bigint)")
        db.execute(f"CREATE MATERIALIZED VIEW agg AS {VIEW}")
        for part in slices(base, 1_000_000):
            db.write("ev", part)
        ours = each(lambda i: db.write("ev", made[i], diffs), len(made), warm=10)
    duck = duckdb.connect()
    duck.register("t_", base)
    duck.execute("CREATE TABLE ev AS FROM t_")

    def recompute(i: int) -> None:
        duck.register("b", made[i].take(np.arange(1, 2000, 2)))
        duck.execute("UPDATE ev SET val = b.val FROM b WHERE b.id = ev.id")
        duck.execute(VIEW).fetchnumpy()

    return float(np.median(ours)) * 1e3, float(np.median(each(recompute, 3))) * 1e3


def run(scale: float) -> None:
    sizes = [int(rows * scale) for rows in (10_000, 100_000, 1_000_000, 10_000_000)]
    taken = []
    for rows in sizes:
        ours, theirs = at_size(rows)
        taken.append(ours)
        report("growth", f"1,000-row batch at {rows:,} rows", ours, "ms", peer="DuckDB recompute", theirs=theirs,
               bar="1.5 ms" if rows == 10_000_000 else "")  # fmt: skip
    report("growth", "cost at the largest over the smallest", taken[-1] / taken[0], "times", bar="2.5")
