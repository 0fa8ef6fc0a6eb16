"""From text to dataflow: parse, bind, decorrelate, optimise and lower, without a database behind it. Best of many."""

import gc
import time
from collections.abc import Callable

from benchmarks.measure import report
from benchmarks.queries.read import create_tables, queries
from engine.connectors import tpch
from engine.coordinator.pipeline import dataflow
from engine.database import Options
from engine.sql.binder import Context, bind
from engine.sql.bound import BoundSelect
from engine.sql.dialect import parse
from tests.sql.world import World

JOIN = """SELECT c_mktsegment, n_name, count(*), sum(l_quantity), max(o_orderdate)
    FROM lineitem, orders, customer, nation, region
    WHERE l_orderkey = o_orderkey AND o_custkey = c_custkey AND c_nationkey = n_nationkey AND n_regionkey = r_regionkey
        AND r_name = 'ASIA' AND l_quantity > 10
    GROUP BY c_mktsegment, n_name HAVING count(*) > 5"""

TIMES = 7


def run(scale: float) -> None:
    world = World()
    for statement in create_tables(tpch.TABLES):
        world.run(statement)
    wide = {
        "500 UNION branches": " UNION ".join(f"SELECT r_regionkey + {i} FROM region" for i in range(500)),
        "1,000-item IN list": f"SELECT * FROM orders WHERE o_custkey IN ({', '.join(map(str, range(1000)))})",
        "90 parentheses": f"SELECT {'(' * 90}1{')' * 90}",
        "1,500 chained WITH queries": "WITH c0 AS (SELECT r_regionkey AS a FROM region)"
        + "".join(f", c{i} AS (SELECT a + 1 AS a FROM c{i - 1})" for i in range(1, 1500))
        + " SELECT * FROM c1499",
        "900 nested CASEs": "SELECT "
        + "".join(f"CASE WHEN r_regionkey = {i} THEN {i} ELSE " for i in range(900))
        + f"0{' END' * 900} FROM region",
        "40 nested subqueries": "SELECT * FROM (" * 40 + "SELECT 1" + ") AS s" * 40,
    }
    gc.collect()
    gc.freeze()  # as a server does when it has started
    report("planning", "5-way join with aggregates", best(planning(world, JOIN)), "ms", bar="5 ms")
    taken = {name: best(planning(world, query)) for name, query in queries("tpch").items()}
    slowest = max(taken, key=lambda name: taken[name])
    report("planning", f"TPC-H's slowest, {slowest}", taken[slowest], "ms", bar="50 ms")
    report("planning", "TPC-H, all 22", sum(taken.values()), "ms")
    for name, query in wide.items():
        report("planning", name, best(planning(world, query), 2), "ms")


def planning(world: World, query: str) -> Callable[[int], object]:
    def plan(_: int) -> object:
        bound = bind(parse(query)[0], Context(world.catalog, world.path))
        assert isinstance(bound, BoundSelect)
        return dataflow(bound.query.relation, world.catalog, Options())

    return plan


def best(work: Callable[[int], object], times: int = TIMES) -> float:
    """Milliseconds of processor time: nothing in it waits, and the machine may be busy."""
    taken: list[float] = []
    for i in range(times):
        start = time.process_time()
        work(i)
        taken.append(time.process_time() - start)
    return min(taken) * 1e3
