"""Rows in bulk over the wire, out and in, with PostgreSQL as the peer: a million of (bigint, text, timestamp).

The same client asks both: psql for COPY, libpq for SELECT. What the server's memory grows by is reported too: answers
and data are streamed, so it is the rows' words, and not their text.
"""

import subprocess
import tempfile
from pathlib import Path

import psycopg

from benchmarks.measure import report, seconds
from benchmarks.servers import Server, binary, postgres, tailrace

TIMES = 2


def measured(server: Server, rows: int, folder: str) -> dict[str, float]:
    """Rows a second of each way, the best of some."""
    found: dict[str, float] = {}
    with psycopg.connect(server.address, autocommit=True) as client:
        client.execute("CREATE TABLE sent (k bigint, v text, at timestamp)")
        client.execute("CREATE TABLE taken (k bigint, v text, at timestamp)")
        some = f"SELECT g, 'value ' || g, to_timestamp(g)::timestamp FROM generate_series(1, {rows}) AS g"
        client.execute(f"INSERT INTO sent {some}")
        before = server.resident_bytes_max()

        def psql(sql: str) -> None:
            subprocess.run(["psql", *server.arguments, "-q", "-c", sql], check=True)

        def select(form: int) -> None:
            """Row by row, so that the client's memory does not count."""
            client.pgconn.send_query_params(b"SELECT * FROM sent", None, result_format=form)
            client.pgconn.set_single_row_mode()
            count = 0
            while result := client.pgconn.get_result():
                count += result.ntuples
            assert count == rows, client.pgconn.error_message

        for form in ("text", "csv", "binary"):
            name = f"{folder}/{form}"
            out, into = f"\\copy sent TO '{name}' (FORMAT {form})", f"\\copy taken FROM '{name}' (FORMAT {form})"
            found[f"COPY TO, {form}"] = rows / min(seconds(lambda out=out: psql(out)) for _ in range(TIMES))
        for form, name in enumerate(("text", "binary")):
            found[f"SELECT, {name}"] = rows / min(seconds(lambda form=form: select(form)) for _ in range(TIMES))
        found["memory of sending"] = (server.resident_bytes_max() - before) / rows
        for form in ("text", "csv", "binary"):
            into = f"\\copy taken FROM '{folder}/{form}' (FORMAT {form})"
            found[f"COPY FROM, {form}"] = rows / seconds(lambda into=into: psql(into))
            Path(f"{folder}/{form}").unlink()
    return found


def run(scale: float) -> None:
    rows = max(1000, int(1_000_000 * scale))
    with tempfile.TemporaryDirectory() as folder:
        with tailrace() as server:
            ours = measured(server, rows, folder)
        theirs: dict[str, float] = {}
        if binary("postgres") is not None:
            with postgres() as server:
                theirs = measured(server, rows, folder)
    report("bulk", "memory of sending", ours.pop("memory of sending"), "bytes/row")
    for name, value in ours.items():
        bar = "0.3 of the peer's" if "FROM" not in name else ""
        report("bulk", name, value, "rows/s", peer="PostgreSQL", theirs=theirs.get(name), bar=bar)
