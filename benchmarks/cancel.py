"""How long a query runs on after it was cancelled, for each kind of step that may take long."""

import threading
import time
from typing import Final

import psycopg

from benchmarks.measure import report
from benchmarks.servers import Server, binary, postgres, tailrace

DELAYS: Final = (0.02, 0.06, 0.1, 0.15, 0.2, 0.3)
"""Seconds after which a query is cancelled: each meets another moment of it."""

QUERIES: Final = {
    "sort": "SELECT * FROM cancelled ORDER BY s, v",
    "reduce": "SELECT k, count(*), sum(v), max(s) FROM cancelled GROUP BY k",
    "reduce, whole groups": "SELECT k, string_agg(s, ',' ORDER BY v) FROM cancelled GROUP BY k",
    "distinct": "SELECT DISTINCT s, v FROM cancelled",
    "join": "SELECT count(*) FROM cancelled AS a JOIN cancelled AS b ON a.v = b.v",
    "cross join": "SELECT count(*) FROM cancelled AS a, cancelled AS b WHERE a.v + b.v = -1",
    "topk": "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY s) n FROM cancelled) AS t WHERE n < 4",
    "window": "SELECT k, sum(v) OVER (PARTITION BY k ORDER BY s, v) FROM cancelled",
    "recursion": """WITH RECURSIVE c (n) AS (SELECT v FROM cancelled WHERE v < 9000 UNION SELECT n + 1 FROM c
        WHERE n < 12000) SELECT count(*) FROM c""",
    "evaluate": "SELECT max(regexp_replace(s || v, '[0-9]+', upper(s))) FROM cancelled",
    "table function": "SELECT max(g) FROM generate_series(1, 20000000) AS g",
    "send": "SELECT * FROM cancelled",
    "INSERT ... SELECT": "INSERT INTO cancelled SELECT a.* FROM cancelled AS a JOIN cancelled AS b ON a.v = b.v + 1",
}


def late(address: str, sql: str, delay: float) -> float | None:
    """Seconds from a cancel to the end of the query; None: it had ended before."""
    asked = 0.0
    with psycopg.connect(address, autocommit=True) as client:

        def cancel() -> None:
            nonlocal asked
            asked = time.perf_counter()
            client.cancel_safe()

        timer = threading.Timer(delay, cancel)
        timer.start()
        try:
            client.execute(sql)
        except psycopg.errors.QueryCanceled:
            return time.perf_counter() - asked
        finally:
            timer.cancel()
            timer.join()
    return None


def measured(server: Server, rows: int) -> dict[str, float]:
    """The longest time to the end of each kind of query, in ms."""
    address = server.address
    with psycopg.connect(address, autocommit=True) as client:
        client.execute("CREATE TABLE cancelled (k int, v bigint, s text)")
        some = f"SELECT g % 1000, g, 'value ' || (g::bigint * 7919 % {rows}) FROM generate_series(1, {rows}) AS g"
        client.execute(f"INSERT INTO cancelled {some}")
    found = {name: [late(address, sql, delay) for delay in DELAYS] for name, sql in QUERIES.items()}
    return {name: 1000 * max(known) for name, times in found.items() if (known := [t for t in times if t is not None])}


def run(scale: float) -> None:
    rows = max(50_000, int(1_000_000 * scale))
    with tailrace() as server:
        ours = measured(server, rows)
    theirs: dict[str, float] = {}
    if binary("postgres") is not None:
        with postgres() as server:
            theirs = measured(server, rows)
    for name, value in ours.items():
        report("cancel", name, value, "ms", peer="PostgreSQL", theirs=theirs.get(name), bar="100 ms")
