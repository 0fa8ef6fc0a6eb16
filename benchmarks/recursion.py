"""One edge of a graph comes and goes under recursive views: transitive closure, least distances, connected components.

The graph is many small clusters of chained nodes with a few short cuts, so that what follows from an edge is little
beside the whole. The peer computes the query anew.
"""

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.measure import check, each, report
from engine.database import Database

CLUSTER = 16
"""Nodes of a cluster: each leads to the next, every fourth to one farther on."""
CLOSURE = """WITH {} reach (a bigint, b bigint) AS (
    SELECT a, b FROM edges UNION SELECT reach.a, edges.b FROM reach, edges WHERE reach.b = edges.a
) SELECT a, b FROM reach"""
LIMITED = """WITH MUTUALLY RECURSIVE
    far (b bigint, d bigint) AS (
        SELECT b, min(d) FROM (
            SELECT b, 0 AS d FROM starts UNION ALL SELECT edges.b, far.d + edges.w FROM far, edges WHERE far.b = edges.a
        ) AS t GROUP BY b)
SELECT b, d FROM far"""
DISTANCES = """WITH RECURSIVE far (b, d) AS (
    SELECT b, 0 FROM starts UNION SELECT edges.b, far.d + edges.w FROM far, edges WHERE far.b = edges.a
) SELECT b, min(d) FROM far GROUP BY b"""
COMPONENTS = """WITH MUTUALLY RECURSIVE
    part (a bigint, c bigint) AS (
        SELECT a, min(c) FROM (
            SELECT a, a AS c FROM edges UNION ALL SELECT b, b FROM edges
            UNION ALL SELECT edges.b, part.c FROM part, edges WHERE part.a = edges.a
            UNION ALL SELECT edges.a, part.c FROM part, edges WHERE part.a = edges.b
        ) AS t GROUP BY a)
SELECT a, c FROM part"""
LABELS = """WITH RECURSIVE both_ways AS (SELECT a, b FROM edges UNION SELECT b, a FROM edges),
    reach (a, c) AS (
        SELECT a, a FROM both_ways UNION SELECT both_ways.b, reach.c FROM reach, both_ways WHERE reach.a = both_ways.a)
SELECT a, min(c) FROM reach GROUP BY a"""
VIEWS = {
    "transitive closure": (CLOSURE.format("MUTUALLY RECURSIVE"), CLOSURE.format("RECURSIVE").replace(" bigint", "")),
    "least distances": (LIMITED, DISTANCES),
    "connected components": (COMPONENTS, LABELS),
}


def graph(n: int) -> pa.Table:
    """Some n edges."""
    nodes = np.arange(n * 4 // 5, dtype=np.int64)
    inner = nodes % CLUSTER != CLUSTER - 1
    cuts = nodes[nodes % CLUSTER % 4 == 1]
    a = np.concatenate([nodes[inner], cuts])
    b = np.concatenate([nodes[inner] + 1, cuts + 3])
    kept = b // CLUSTER == a // CLUSTER
    a, b = a[kept], b[kept]
    return pa.table({"a": a, "b": b, "w": (a * 7 + b * 3) % 10 + 1})


def run(scale: float) -> None:
    edges = graph(max(1000, int(100_000 * scale)))
    starts = pa.table({"b": np.unique(edges["a"].to_numpy() // CLUSTER * CLUSTER)})
    for name, (ours, theirs) in VIEWS.items():
        measure(f"{name} over {len(edges):,} edges", ours, theirs, edges, starts)


def measure(name: str, query: str, peers: str, edges: pa.Table, starts: pa.Table) -> None:
    """An edge in the middle of a cluster goes and comes back: the time of one change."""
    at = 5 * CLUSTER + CLUSTER // 2
    row = [next(row for row in zip(*edges.to_pydict().values(), strict=True) if row[0] == at)]
    with Database.in_memory() as ours, duckdb.connect() as theirs:
        ours.execute("CREATE TABLE edges (a bigint, b bigint, w bigint)")
        ours.execute("CREATE TABLE starts (b bigint)")
        ours.write("edges", edges)
        ours.write("starts", starts)
        ours.execute(f"CREATE MATERIALIZED VIEW v AS {query}")
        ours.execute("SELECT count(*) FROM v")
        taken = each(lambda i: ours.write("edges", row, [-1 if i % 2 == 0 else 1]), 60, warm=20)
        ours.write("edges", row, [-1])
        theirs.execute("CREATE TABLE edges AS FROM edges")
        theirs.execute("CREATE TABLE starts AS FROM starts")
        theirs.execute("DELETE FROM edges WHERE a = ? AND b = ?", row[0][:2])
        again = each(lambda _: theirs.sql(peers).to_arrow_table(), 3, warm=1)
        check(name, ours.execute("SELECT * FROM v").rows(), theirs.execute(peers).fetchall())
        report("recursion", name, 1e3 * float(np.median(taken)), "ms", peer="DuckDB, anew",
               theirs=1e3 * float(np.median(again)))  # fmt: skip
