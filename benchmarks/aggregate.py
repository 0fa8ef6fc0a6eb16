"""JSON lines from a file source to `key, count, sum, max`; then the same view under updates in 1,000-diff ticks."""

import duckdb
import pyarrow as pa
import pyarrow.json as paj

from benchmarks import data
from benchmarks.measure import check, each, report, seconds, slices
from engine.database import Database

VIEW = "SELECT key, count(*) AS n, sum(val) AS s, max(val) AS m FROM {} GROUP BY key"


def from_file(name: str, rows: pa.Table, key_type: str) -> None:
    path = data.json_lines(name, rows)
    read = paj.ReadOptions(block_size=8 << 20)
    bare = min(seconds(lambda: paj.read_json(path, read_options=read)) for _ in range(2))
    expected = data.query(rows, VIEW.format("t")).fetchall()
    with Database.in_memory() as db:
        columns = f"id bigint, key {key_type}, val bigint"

        def complete() -> None:
            db.execute(f"CREATE SOURCE ev ({columns}) FROM FILE '{path}' FORMAT JSON")
            db.execute(f"CREATE MATERIALIZED VIEW agg AS {VIEW.format('ev')}")
            done = db.subscribe("SELECT sum(n) FROM agg")
            for change in done:
                if change.diff > 0 and change.row[0] == len(rows):
                    break
            done.close()

        taken = seconds(complete)
        check(name, db.execute("SELECT * FROM agg").rows(), expected)
    report("aggregate", f"file to view, {key_type} key", len(rows) / taken, "rows/s", peer="pyarrow's bare read",
           theirs=len(rows) / bare, bar="2 M/s")  # fmt: skip


def under_updates(made: data.Aggregate) -> None:
    with Database.in_memory() as db:
        db.execute("CREATE TABLE ev (id bigint, key bigint, val bigint)")
        db.execute(f"CREATE MATERIALIZED VIEW agg AS {VIEW.format('ev')}")
        for part in slices(made.rows, 1_000_000):
            db.write("ev", part)
        ticks = slices(made.updates, 1000)
        taken = each(lambda i: db.write("ev", ticks[i], made.diffs[: len(ticks[i])]), len(ticks))
        ours = db.execute("SELECT * FROM agg").rows()
    duck = duckdb.connect()
    duck.register("base", made.rows)
    duck.execute("CREATE TABLE ev AS FROM base")
    duck.register("tail", made.updates.append_column("diff", pa.array(made.diffs)))
    peer = []
    for start in range(0, 5000, 1000):
        duck.register("part", made.updates.slice(start, 1000).append_column("diff", pa.array(made.diffs[:1000])))

        def recompute() -> None:
            duck.execute("DELETE FROM ev WHERE id IN (SELECT id FROM part)")
            duck.execute("INSERT INTO ev SELECT id, key, val FROM part WHERE diff = 1")
            duck.execute(VIEW.format("ev")).fetchnumpy()

        peer.append(seconds(recompute))
    duck.execute("DELETE FROM ev WHERE id IN (SELECT id FROM tail)")
    duck.execute("INSERT INTO ev SELECT id, key, val FROM tail WHERE diff = 1")
    check("aggregate under updates", ours, duck.execute(VIEW.format("ev")).fetchall())
    report("aggregate", "1,000-diff tick, mean", taken.mean() * 1e3, "ms", peer="DuckDB recompute",
           theirs=sorted(peer)[len(peer) // 2] * 1e3, bar="1 ms")  # fmt: skip


def run(scale: float) -> None:
    made = data.aggregate(int(5_000_000 * scale), int(100_000 * scale), int(500_000 * scale))
    suffix = f"{scale:g}"
    from_file(f"events-{suffix}", made.rows, "bigint")
    from_file(f"events-text-{suffix}", data.as_text_key(made.rows), "text")
    under_updates(made)
