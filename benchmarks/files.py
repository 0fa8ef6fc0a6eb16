"""Parquet and Avro containers to a maintained GROUP BY, with bare readers of the same files as the peers."""

import tempfile
import time
from pathlib import Path

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import report, seconds
from engine.database import Database

KEYS = 1000
FIELDS = {"key": "string", "val": "long", "price": "double"}
SCHEMA = {"type": "record", "name": "r", "fields": [{"name": name, "type": type} for name, type in FIELDS.items()]}
TIMES = 3


def to_view(path: Path, format: str, rows: int) -> float:
    """Seconds from CREATE SOURCE until the view has all rows."""
    with Database.in_memory() as db:
        start = time.perf_counter()
        db.execute(f"CREATE SOURCE s FROM FILE '{path}' FORMAT {format}")
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT key, count(*) AS n, sum(val) AS s FROM s GROUP BY key")
        with db.subscribe("SUBSCRIBE (SELECT sum(n) FROM v)") as changes:
            while db.execute("SELECT sum(n) FROM v").rows() != [(rows,)]:
                changes.wait(10)
                while changes.poll() is not None:
                    pass
        return time.perf_counter() - start


def bare_avro(path: Path) -> None:
    with path.open("rb") as file:
        for _ in fastavro.reader(file):
            pass


def run(scale: float) -> None:
    rows = max(1000, int(2_000_000 * scale))
    random = np.random.default_rng(1)
    keys = [f"key {i}" for i in random.integers(0, KEYS, rows)]
    table = pa.table({"key": keys, "val": random.integers(0, 1 << 40, rows), "price": random.random(rows)})
    with tempfile.TemporaryDirectory() as folder:
        parquet, avro = Path(folder) / "rows.parquet", Path(folder) / "rows.avro"
        pq.write_table(table, parquet, row_group_size=1 << 18)
        few = max(1000, rows // 4)
        with avro.open("wb") as file:
            fastavro.writer(file, SCHEMA, table.slice(0, few).to_pylist(), codec="deflate")
        for name, path, form, count, peer, bare in (
            (
                "Parquet",
                parquet,
                "PARQUET",
                rows,
                "pyarrow's bare read",
                lambda: pq.read_table(parquet, use_threads=False),
            ),
            ("Avro", avro, "AVRO OCF", few, "fastavro's bare read", lambda: bare_avro(avro)),
        ):
            theirs = count / min(seconds(bare) for _ in range(TIMES))
            ours = count / min(to_view(path, form, count) for _ in range(TIMES))
            report("files", f"{name} to a view", ours, "rows/s", peer=peer, theirs=theirs)
