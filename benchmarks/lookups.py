"""Look-ups by an index's key over a prepared statement, by pgbench, with PostgreSQL as the peer; and beside a source
that ingests at half of its top rate."""

import glob
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import psycopg

from benchmarks.measure import report
from benchmarks.servers import Server, binary, postgres, tailrace

LOOK: Final = "\\set k random(1, {rows})\nSELECT v FROM looked_up WHERE k = :k;\n"
TAKEN: Final = "SELECT coalesce(sum(count), 0) FROM sums"
FEED_SECONDS: Final = 0.02
"""How often the source's file grows."""
BARS: Final = {"look-ups, 1": "5000/s", "look-ups, 16": "8000/s", "p50, 1": "0.4 ms", "p99 beside a source, 1": "25 ms"}


def looked_up(server: Server, clients: int, rows: int, length: float) -> tuple[float, np.ndarray]:
    """(look-ups a second, the latency of each in ms), by pgbench."""
    program = binary("pgbench")
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.sql"
        script.write_text(LOOK.format(rows=rows))
        command = [program, "-n", "-M", "prepared", "-f", str(script), "-l", "--log-prefix", f"{folder}/log"]
        command += ["-T", str(max(1, int(length))), "-c", str(clients), *server.arguments]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        lines = [line for path in glob.glob(f"{folder}/log*") for line in Path(path).read_text().splitlines()]
    rate = re.search(r"tps = ([\d.]+)", said)
    assert rate is not None
    return float(rate[1]), np.array([int(line.split()[2]) for line in lines]) / 1000


def measured(server: Server, rows: int, length: float) -> dict[str, float]:
    with psycopg.connect(server.address, autocommit=True) as client:
        client.execute("CREATE TABLE looked_up (k bigint, v text)")
        client.execute(f"INSERT INTO looked_up SELECT g, 'value ' || g FROM generate_series(1, {rows}) AS g")
        client.execute("CREATE INDEX looked_up_k ON looked_up (k)")
    found: dict[str, float] = {}
    looked_up(server, 1, rows, 1)  # until the index is there
    for clients in (1, 16):
        rate, times = looked_up(server, clients, rows, length)
        found[f"look-ups, {clients}"] = rate
        found[f"p50, {clients}"], found[f"p99, {clients}"] = np.percentile(times, (50, 99))
    return found


def lines(count: int) -> bytes:
    made = ({"id": i, "key": f"key {i % 1000}", "note": "some words beside it", "val": i} for i in range(count))
    return "".join(json.dumps(each) + "\n" for each in made).encode()


@contextmanager
def feeding(server: Server, folder: str, rows: int) -> Iterator[None]:
    """A source with a view over it, which takes half as many rows a second as it took at its best."""
    path = f"{folder}/events.json"
    block = lines(rows)
    Path(path).write_bytes(block)
    with psycopg.connect(server.address, autocommit=True) as client:
        began = time.perf_counter()
        client.execute(
            f"""CREATE SOURCE events (id bigint, key text, note text, val bigint) FROM FILE '{path}' WITH (tail = true)
            FORMAT JSON"""
        )
        client.execute("CREATE MATERIALIZED VIEW sums AS SELECT key, count(*), sum(val) FROM events GROUP BY key")
        while client.execute(TAKEN).fetchone() != (rows,):
            pass
        top = rows / (time.perf_counter() - began)
    report("lookups", "top rate of the source", top, "rows/s")
    size = block.index(b"\n", int(len(block) * FEED_SECONDS * top / 2 / rows)) + 1
    stop = threading.Event()

    def feed() -> None:
        with open(path, "ab", buffering=0) as file:
            due = time.perf_counter()
            while not stop.is_set():
                file.write(block[:size])
                due += FEED_SECONDS
                stop.wait(max(0.0, due - time.perf_counter()))

    thread = threading.Thread(target=feed)
    thread.start()
    began = time.perf_counter()
    try:
        yield
    finally:
        with psycopg.connect(server.address, autocommit=True) as client:
            (taken,) = client.execute(TAKEN).fetchone() or (0,)
        taken = (int(taken) - rows) / (time.perf_counter() - began)
        stop.set()
        thread.join()
    report("lookups", "rate of the source beside look-ups", taken, "rows/s", bar="half of its top rate")


def run(scale: float) -> None:
    rows, length = max(1000, int(1_000_000 * scale)), max(1.0, 5 * scale)
    if binary("pgbench") is None:
        sys.exit("lookups needs pgbench: install PostgreSQL's contrib package")
    with tempfile.TemporaryDirectory() as folder, tailrace("--file-roots", folder) as server:
        ours = measured(server, rows, length)
        with feeding(server, folder, max(20_000, int(400_000 * scale))):
            for clients in (1, 16):
                rate, times = looked_up(server, clients, rows, length)
                ours[f"look-ups beside a source, {clients}"] = rate
                ours[f"p50 beside a source, {clients}"], ours[f"p99 beside a source, {clients}"] = np.percentile(
                    times, (50, 99)
                )
    theirs: dict[str, float] = {}
    if binary("postgres") is not None:
        with postgres() as server:
            theirs = measured(server, rows, length)
    for name, value in ours.items():
        unit = "lookups/s" if name.startswith("look-ups") else "ms"
        peer = "PostgreSQL" if name in theirs else ""
        report("lookups", name, float(value), unit, peer=peer, theirs=theirs.get(name), bar=BARS.get(name, ""))
