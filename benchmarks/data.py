"""Inputs with fixed seeds, made once into a cache folder: the same seed gives the same bytes."""

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CACHE = Path(os.environ.get("TAILRACE_BENCH_DATA", Path.home() / ".cache" / "tailrace-bench"))


def query(table: pa.Table, sql: str) -> duckdb.DuckDBPyConnection:
    """DuckDB's answer to `sql` over the table, which it calls t."""
    duck = duckdb.connect()
    duck.register("t", table)
    return duck.execute(sql)


def json_lines(name: str, table: pa.Table) -> Path:
    """The table as newline-delimited JSON in the cache; written on first use."""
    path = CACHE / f"{name}.ndjson"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        query(table, f"COPY t TO '{partial}' (FORMAT json)")
        partial.rename(path)
    return path


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`rows` of (id, key, val), and `updates` that move rows to another key and value: old row, new row, old row ..."""

    rows: pa.Table
    updates: pa.Table
    diffs: np.ndarray


def aggregate(rows: int, keys: int, updates: int) -> Aggregate:
    random = np.random.Generator(np.random.PCG64(1001))
    key, val = random.integers(0, keys, rows), random.integers(-1000, 1_000_000, rows)
    moved = random.choice(rows, updates, replace=False)
    changes = {
        "id": np.repeat(moved, 2),
        "key": np.column_stack([key[moved], random.integers(0, keys, updates)]).ravel(),
        "val": np.column_stack([val[moved], random.integers(-1000, 1_000_000, updates)]).ravel(),
    }
    base = pa.table({"id": np.arange(rows), "key": key, "val": val})
    return Aggregate(base, pa.table(changes), np.tile(np.array([-1, 1]), updates))


def as_text_key(table: pa.Table) -> pa.Table:
    """The same rows with `key` as text: 'user-000123'."""
    key = pc.binary_join_element_wise("user", pc.utf8_lpad(pc.cast(table["key"], pa.string()), 6, "0"), "-")
    return table.set_column(1, "key", key)


@dataclass(frozen=True, slots=True)
class Shop:
    """orders(id, customer_id, product_id, amount), customers(id, region), products(id, category)."""

    orders: pa.Table
    customers: pa.Table
    products: pa.Table


def shop(orders: int, customers: int, products: int) -> Shop:
    random = np.random.Generator(np.random.PCG64(1002))
    regions = np.array([f"region-{i:02d}" for i in range(50)])
    categories = np.array([f"category-{i:02d}" for i in range(20)])
    return Shop(
        pa.table(
            {
                "id": np.arange(orders),
                "customer_id": random.integers(0, customers, orders),
                "product_id": random.integers(0, products, orders),
                "amount": random.integers(1, 10_000, orders),
            }
        ),
        pa.table({"id": np.arange(customers), "region": regions[random.integers(0, 50, customers)]}),
        pa.table({"id": np.arange(products), "category": categories[random.integers(0, 20, products)]}),
    )


def moved_customers(customers: pa.Table, count: int) -> tuple[pa.Table, np.ndarray]:
    """`count` customers, each to another region: old row, new row, old row, ...; and the diffs."""
    random = np.random.Generator(np.random.PCG64(1003))
    chosen = random.permutation(len(customers))[:count]
    old = customers["region"].to_numpy(zero_copy_only=False)[chosen]
    number = np.array([int(region[-2:]) for region in old])
    regions = np.array([f"region-{i:02d}" for i in range(50)])
    new = regions[(number + 1 + random.integers(0, 49, count)) % 50]
    both = np.column_stack([old.astype(str), new]).ravel()
    return pa.table({"id": np.repeat(chosen, 2), "region": both}), np.tile(np.array([-1, 1]), count)
