"""Orders join customers, sum by region: loaded from JSON lines; then customers change regions in 1,000-row ticks."""

import duckdb

from benchmarks import data
from benchmarks.measure import check, each, report, seconds, slices
from engine.database import Database

QUERY = """SELECT c.region, sum(o.amount) AS s FROM {orders} o JOIN {customers} c ON o.customer_id = c.id
    GROUP BY c.region"""


def run(scale: float) -> None:
    shop = data.shop(int(2_000_000 * scale), int(200_000 * scale), 1000)
    orders = shop.orders.select(["id", "customer_id", "amount"])
    duck = duckdb.connect()
    duck.register("o_", orders)
    duck.register("c_", shop.customers)
    duck.execute("CREATE TABLE orders AS FROM o_; CREATE TABLE customers AS FROM c_")
    query = QUERY.format(orders="orders", customers="customers")
    expected = duck.execute(query).fetchall()
    orders_file = data.json_lines(f"orders-{scale:g}", orders)
    customers_file = data.json_lines(f"customers-{scale:g}", shop.customers)
    rows = len(orders) + len(shop.customers)

    def duck_load() -> None:
        for name, path in (("o2", orders_file), ("c2", customers_file)):
            duck.execute(f"CREATE TABLE {name} AS FROM read_json('{path}', format='newline_delimited')")
        duck.execute(QUERY.format(orders="o2", customers="c2")).fetchall()

    with Database.in_memory() as db:

        def load() -> None:
            db.execute(f"CREATE SOURCE customers (id bigint, region text) FROM FILE '{customers_file}' FORMAT JSON")
            columns = "id bigint, customer_id bigint, amount bigint"
            db.execute(f"CREATE SOURCE orders ({columns}) FROM FILE '{orders_file}' FORMAT JSON")
            db.execute(f"CREATE MATERIALIZED VIEW regions AS {query}")
            total = sum(row[1] for row in expected)
            done = db.subscribe("SELECT sum(s) FROM regions")
            for change in done:
                if change.diff > 0 and change.row[0] == total:
                    break
            done.close()

        taken = seconds(load)
        check("join", db.execute("SELECT * FROM regions").rows(), expected)
    report("join", "two files to view", rows / taken, "rows/s", peer="DuckDB load + recompute",
           theirs=rows / seconds(duck_load), bar="1 M/s")  # fmt: skip

    with Database.in_memory() as db:
        db.execute("CREATE TABLE customers (id bigint, region text)")
        db.execute("CREATE TABLE orders (id bigint, customer_id bigint, amount bigint)")
        db.execute(f"CREATE MATERIALIZED VIEW regions AS {query}")
        db.write("customers", shop.customers)
        for part in slices(orders, 500_000):
            db.write("orders", part)
        changes, diffs = data.moved_customers(shop.customers, int(100_000 * scale))
        ticks = slices(changes, 2000)
        taken = each(lambda i: db.write("customers", ticks[i], diffs[: len(ticks[i])]), len(ticks))
        ours = db.execute("SELECT * FROM regions").rows()
    duck.register("changes", changes.append_column("diff", [diffs]))
    peer = []
    for part in slices(changes.append_column("diff", [diffs]), 2000)[:5]:
        duck.register("part", part)

        def recompute() -> None:
            duck.execute("UPDATE customers SET region = p.region FROM part p WHERE p.id = customers.id AND p.diff = 1")
            duck.execute(query).fetchall()

        peer.append(seconds(recompute))
    duck.execute("UPDATE customers SET region = p.region FROM changes p WHERE p.id = customers.id AND p.diff = 1")
    check("join under updates", ours, duck.execute(query).fetchall())
    report("join", "customers moved, 1,000 a tick", len(diffs) / 2 / taken.sum(), "updates/s", peer="DuckDB recompute",
           theirs=1000 / sorted(peer)[len(peer) // 2], bar="250 k/s")  # fmt: skip
