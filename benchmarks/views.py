"""1 to 1,000 views of one shape with different constants over one source, one 1,000-row batch; and identical ones."""

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.growth import batches
from benchmarks.measure import each, report, seconds
from engine.database import Database

VIEW = "SELECT key, count(*) AS n, sum(val) AS s, max(val) AS m FROM ev WHERE val % 1000 >= {} GROUP BY key"


def with_views(rows: int, views: int, same: bool) -> tuple[float, float]:
    """Milliseconds of a batch with so many views: (ours, a median; DuckDB's recomputation of all of them)."""
    diffs = np.tile(np.array([-1, 1]), 1000)
    random = np.random.Generator(np.random.PCG64(5))
    keys, values = random.integers(0, 2000, rows), random.integers(0, 1_000_000, rows)
    base = pa.table({"id": np.arange(rows), "key": keys, "val": values.copy()})
    made = batches(rows, keys, values, 12)
    with Database.in_memory() as db:
        db.execute("CREATE TABLE ev (id bigint, key bigint, val bigint)")
        db.write("ev", base)
        for i in range(views):
            db.execute(f"CREATE MATERIALIZED VIEW v{i} AS {VIEW.format(0 if same else i)}")
        db.execute(f"SELECT count(*) FROM v{views - 1}")
        ours = each(lambda i: db.write("ev", made[i], diffs), len(made), warm=2)
    duck = duckdb.connect()
    duck.register("t_", base)
    duck.execute("CREATE TABLE ev AS FROM t_")

    def recompute() -> None:
        for i in range(views):
            duck.execute(VIEW.format(0 if same else i)).fetchnumpy()

    return float(np.median(ours)) * 1e3, seconds(recompute) * 1e3


def run(scale: float) -> None:
    for views, same, bar in ((1, False, ""), (10, False, ""), (100, False, ""), (1000, False, "400 ms"),
                             (1000, True, "as 1 view")):  # fmt: skip
        ours, theirs = with_views(int(100_000 * scale), views, same)
        report("views", f"1,000-row batch, {views:,} {'identical ' if same else ''}views", ours, "ms",
               peer="DuckDB recompute", theirs=theirs, bar=bar)  # fmt: skip
