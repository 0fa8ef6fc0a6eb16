"""TPC-H's 22 queries as views: equal to the query asked again, and to DuckDB's answer, after every change."""

import numpy as np

from benchmarks.queries.read import queries
from engine.connectors import tpch
from engine.connectors.tpch import Scale
from engine.database import Database
from tests.queries.maintained import Maintained

SCALE = Scale(0.005)

WIDER = {
    "q2": [("p_size = 15 AND", "p_size < 25 AND")],
    "q8": [("p_type = 'ECONOMY ANODIZED STEEL'", "p_type LIKE 'ECONOMY%'")],
    "q17": [("AND p_container = 'MED BOX'", ""), ("0.2 *", "0.5 *")],
    "q18": [("> 300", "> 200")],
    "q19": [
        ("p_brand = 'Brand#12' AND", ""),
        ("p_brand = 'Brand#23' AND", ""),
        ("'SM CASE', ", "'SM CASE', 'LG CAN', "),
    ],
    "q20": [("'forest%'", "'f%'")],
    "q21": [("AND n_name = 'SAUDI ARABIA'", "")],
}
"""Predicates of which a thousandth of the data would pass nothing."""


def test_tpch() -> None:
    asked = queries("tpch")
    for name, changes in WIDER.items():
        for old, new in changes:
            assert old in asked[name]
            asked[name] = asked[name].replace(old, new)
    with Database.in_memory() as db:
        views = Maintained(db, tpch.TABLES, asked)
        for table in tpch.STATIC:
            views.insert(table, tpch.static(table, SCALE))
        keys = tpch.order_key(np.arange(SCALE.orders))
        random = np.random.Generator(np.random.PCG64(22))
        random.shuffle(keys)
        for batch in np.array_split(keys, 2):
            views.insert("orders", tpch.orders(batch, SCALE))
            views.insert("lineitem", tpch.lineitem(batch, SCALE))
            views.agree()
        placed = keys[: len(keys) // 3]
        views.delete("lineitem", tpch.lineitem(placed, SCALE), ("l_orderkey", "l_linenumber"))
        views.delete("orders", tpch.orders(placed, SCALE), ("o_orderkey",))
        views.agree()
        views.insert("lineitem", tpch.lineitem(placed, SCALE, generation=1))
        views.agree()  # lines whose orders are not there
        views.insert("orders", tpch.orders(placed, SCALE, generation=1))
        views.agree()
        for table in ("customer", "supplier", "part", "partsupp"):
            rows = tpch.static(table, SCALE)
            some = rows.take(random.permutation(len(rows))[: len(rows) // 4])
            views.delete(table, some, some.schema.names[:2])
            views.agree()
            views.insert(table, some.slice(0, len(some) // 2))
        views.agree()
        assert views.seen == set(asked)
