"""A one-row change into windows over one partition of 100 k rows, and into aggregates of one group of 1 M rows.

What is the same after the change is not touched; what is another to the end of the partition (a row number, a running
sum), or a text put together of all rows, is the cost; ntile looks at all rows.
"""

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.measure import check, each, report
from engine.database import Database

OVER = "OVER (PARTITION BY k ORDER BY ts"
SPARSE = "nullif(v % 3, 0)"
WINDOWS = {
    "lag": (f"lag(v) {OVER})", "end"),
    "moving sum of 6 rows": (f"sum(v) {OVER} ROWS BETWEEN 5 PRECEDING AND CURRENT ROW)", "middle"),
    "running sum, the change last": (f"sum(v) {OVER} ROWS UNBOUNDED PRECEDING)", "end"),
    "running sum, the change in the middle": (f"sum(v) {OVER} ROWS UNBOUNDED PRECEDING)", "middle"),
    "sum to the end, the change first": (f"sum(v) {OVER} ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)", "begin"),
    "rank": (f"rank() {OVER})", "end"),
    "sum by value": (f"sum(v) {OVER} RANGE BETWEEN 50 PRECEDING AND 50 FOLLOWING)", "middle"),
    "lag of what is no NULL": (f"lag({SPARSE}) IGNORE NULLS {OVER})", "middle"),
    "the last that is no NULL": (f"last_value({SPARSE}) IGNORE NULLS {OVER} ROWS UNBOUNDED PRECEDING)", "middle"),
    "running max, the change in the middle": (f"max({SPARSE}) {OVER} ROWS UNBOUNDED PRECEDING)", "middle"),
    "max of the partition": ("max(v % 1009) OVER (PARTITION BY k)", "middle"),
    "the third": (f"nth_value(v, 3) {OVER})", "middle"),
    "last of the partition": (
        f"last_value(v) {OVER} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
        "middle",
    ),
    "min of all others": (
        f"min(v) {OVER} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW)",
        "middle",
    ),
    "ntile, of which few change": (f"ntile(4) {OVER})", "end"),
}
GROUPS = {
    "min and max": "min(ts), max(v)",
    "count(distinct)": "count(DISTINCT v)",
    "string_agg, a text of all rows": "string_agg(CAST(v AS text), ',' ORDER BY ts)",
    "array_agg of all rows": "array_agg(v ORDER BY ts)",
    "median": "percentile_cont(0.5) WITHIN GROUP (ORDER BY v + ts)",
    "mode": "mode() WITHIN GROUP (ORDER BY v + ts % 7)",
    "corr and regr_slope": "corr(v + ts, ts), regr_slope(v + ts, ts)",
    "bit_and, bit_or, bit_xor": "bit_and(v), bit_or(v), bit_xor(v)",
}
TOP = "SELECT k, ts, v FROM t ORDER BY v DESC, ts LIMIT 10"


def rows(n: int) -> pa.Table:
    """One partition, the order ten apart."""
    at = np.arange(n, dtype=np.int64)
    return pa.table({"k": np.ones(n, np.int64), "ts": at * 10, "v": at * 7919 % 1009})


def run(scale: float) -> None:
    for name, (call, where) in WINDOWS.items():
        n = max(1000, int(100_000 * scale))
        measure(
            name,
            f"SELECT k, ts, v, {call} AS w FROM t",
            n,
            {"begin": -1, "end": 10 * n, "middle": 5 * n + 1}[where],
            "",
        )
    n = max(1000, int(1_000_000 * scale))
    measure(f"top 10 of {n:,} rows", TOP, n, 5 * n + 1, "1")
    for name, call in GROUPS.items():
        measure(f"{name} of {n:,} rows", f"SELECT k, {call} AS w FROM t GROUP BY k", n, 5 * n + 1, "")


def measure(name: str, query: str, n: int, at: int, bar: str) -> None:
    """A row comes and goes: the time of one change; the peer computes the query anew."""
    with Database.in_memory() as ours, duckdb.connect() as theirs:
        loaded = rows(n)
        ours.execute("CREATE TABLE t (k bigint, ts bigint, v bigint)")
        ours.write("t", loaded)
        ours.execute(f"CREATE MATERIALIZED VIEW w AS {query}")
        ours.execute("SELECT count(*) FROM w")
        row = [(1, at, 2000)]
        taken = each(lambda i: ours.write("t", row, [1 if i % 2 == 0 else -1]), 60, warm=20)
        ours.write("t", row)
        theirs.execute("CREATE TABLE t AS FROM loaded")
        theirs.execute("INSERT INTO t VALUES (?, ?, ?)", row[0])
        query = query.replace(") IGNORE NULLS", " IGNORE NULLS)")
        again = each(lambda _: theirs.sql(query).to_arrow_table(), 5, warm=1)
        check(name, ours.execute("SELECT * FROM w").rows(), theirs.execute(query).fetchall())
        report("windows", name, 1e3 * float(np.median(taken)), "ms", peer="DuckDB, anew",
               theirs=1e3 * float(np.median(again)), bar=bar)  # fmt: skip
