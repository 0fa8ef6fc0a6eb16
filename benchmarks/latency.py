"""One changed order until a subscriber of the view holds the change; and INSERT through a driver until acknowledged."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import psycopg

from benchmarks import data
from benchmarks.measure import each, report, seconds, slices
from engine.database import Database

QUERIES = {
    "(a) group-by sum": "SELECT customer_id, count(*) AS n, sum(amount) AS s FROM orders GROUP BY customer_id",
    "(b) join + aggregate": """SELECT region, count(*) AS n, sum(amount) AS s
        FROM orders o JOIN customers c ON o.customer_id = c.id GROUP BY region""",
    "(c) 3-way join + top 10": """SELECT region, category, sum(amount) AS s FROM orders o
        JOIN customers c ON o.customer_id = c.id JOIN products p ON o.product_id = p.id
        GROUP BY region, category ORDER BY s DESC, region, category LIMIT 10""",
}
BARS = {"(a) group-by sum": "0.2 ms", "(b) join + aggregate": "0.4 ms", "(c) 3-way join + top 10": "0.8 ms"}


def one_row(name: str, shop: data.Shop) -> None:
    with Database.in_memory() as db:
        db.execute("CREATE TABLE orders (id bigint, customer_id bigint, product_id bigint, amount bigint)")
        db.execute("CREATE TABLE customers (id bigint, region text)")
        db.execute("CREATE TABLE products (id bigint, category text)")
        db.execute(f"CREATE MATERIALIZED VIEW v AS {QUERIES[name]}")
        db.write("customers", shop.customers)
        db.write("products", shop.products)
        for part in slices(shop.orders, 500_000):
            db.write("orders", part)
        random = np.random.Generator(np.random.PCG64(4))
        chosen = random.choice(len(shop.orders), 2000, replace=False)
        old = list(zip(*(column.to_pylist() for column in shop.orders.take(chosen).columns), strict=True))
        # The new amounts are large, so that in (c) most changes reach the top 10.
        new = [(*row[:3], 1_000_000 + i) for i, row in enumerate(old)]
        diffs = np.array([-1, 1])
        subscription = db.subscribe("SELECT * FROM v")
        while subscription.poll() is not None:
            pass

        def visible(i: int) -> None:
            db.write("orders", [old[i], new[i]], diffs)
            while subscription.poll() is not None:
                pass

        taken = each(visible, len(old), warm=200)
        subscription.close()
    duck = duckdb.connect()
    for table in ("orders", "customers", "products"):
        duck.register("t_", getattr(shop, table))
        duck.execute(f"CREATE TABLE {table} AS FROM t_")

    def recompute() -> None:
        duck.execute("UPDATE orders SET amount = 5 WHERE id = 77")
        duck.execute(QUERIES[name]).fetchall()

    peer = sorted(seconds(recompute) for _ in range(5))[2] * 1e3
    report("latency", f"{name}, p50", float(np.quantile(taken, 0.5)) * 1e3, "ms", peer="DuckDB recompute", theirs=peer,
           bar=BARS[name])  # fmt: skip
    report("latency", f"{name}, p99", float(np.quantile(taken, 0.99)) * 1e3, "ms", bar="3 ms")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def over_the_wire() -> None:
    pg, http = free_port(), free_port()
    tailrace = Path(sys.executable).parent / "tailrace"
    command = [str(tailrace), "serve", "--pg-listen", f"127.0.0.1:{pg}", "--http-listen", f"127.0.0.1:{http}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        address = f"host=127.0.0.1 port={pg} user=materialize dbname=materialize"
        with psycopg.connect(address, autocommit=True) as client:
            client.execute("CREATE TABLE orders (id bigint, customer_id bigint, amount bigint)")
            client.execute(f"CREATE MATERIALIZED VIEW v AS {QUERIES['(a) group-by sum']}")

            def insert(i: int) -> None:
                client.execute(f"INSERT INTO orders VALUES ({i}, {i % 97}, {i * 7 % 1000})")

            taken = each(insert, 1200, warm=200)
            bare = each(lambda i: client.execute(f"SELECT {i}"), 600, warm=100)
        server.send_signal(signal.SIGTERM)
    report("latency", "INSERT over psycopg, p50", float(np.quantile(taken, 0.5)) * 1e3, "ms",
           peer="SELECT n, same socket", theirs=float(np.quantile(bare, 0.5)) * 1e3, bar="2 ms")  # fmt: skip


def run(scale: float) -> None:
    shop = data.shop(int(1_000_000 * scale), int(100_000 * scale), int(10_000 * scale))
    for name in QUERIES:
        one_row(name, shop)
    over_the_wire()
