"""Look-ups by an index's key over a prepared statement, and rows in bulk, with PostgreSQL as the peer where its
binaries are there. The same client asks both: pgbench for look-ups, psql for COPY, libpq for SELECT."""

import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.latency import free_port
from benchmarks.measure import report, seconds

LOOK = "\\set k random(1, {rows})\nSELECT v FROM looked_up WHERE k = :k;\n"


def binary(name: str) -> str | None:
    """PostgreSQL's program of that name, the newest there is."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else None


@contextmanager
def tailrace() -> Iterator[int]:
    pg, http = free_port(), free_port()
    program = str(Path(sys.executable).parent / "tailrace")
    command = [program, "serve", "--pg-listen", f"127.0.0.1:{pg}", "--http-listen", f"127.0.0.1:{http}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            yield pg
        finally:
            server.send_signal(signal.SIGTERM)


@contextmanager
def postgres() -> Iterator[int]:
    """A cluster of its own; PostgreSQL refuses to be root, so root runs it as the user that its package made."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        user = "postgres" if os.getuid() == 0 else None
        data = f"{folder}/data"
        initdb, server = binary("initdb"), binary("postgres")
        assert initdb is not None
        assert server is not None
        command = [initdb, "-D", data, "-U", "materialize", "-A", "trust"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, user=user)
        command = [server, "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder, user=user) as running:
            while subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode:
                pass
            with psycopg.connect(f"host=127.0.0.1 port={port} user=materialize dbname=postgres", autocommit=True) as c:
                c.execute("CREATE DATABASE materialize")
            try:
                yield port
            finally:
                running.send_signal(signal.SIGINT)


def looked_up(port: int, clients: int, rows: int, length: float) -> tuple[float, float]:
    """(look-ups a second, their mean latency in ms), by pgbench."""
    program = binary("pgbench")
    assert program is not None
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(LOOK.format(rows=rows))
        script.flush()
        command = [
            program,
            "-n",
            "-M",
            "prepared",
            "-f",
            script.name,
            "-T",
            str(max(1, int(length))),
            "-c",
            str(clients),
        ]
        command += ["-h", "127.0.0.1", "-p", str(port), "-U", "materialize", "materialize"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate, latency = re.search(r"tps = ([\d.]+)", said), re.search(r"latency average = ([\d.]+)", said)
    assert rate is not None
    assert latency is not None
    return float(rate[1]), float(latency[1])


def measured(port: int, rows: int, length: float) -> dict[str, float]:
    address = f"host=127.0.0.1 port={port} user=materialize dbname=materialize"
    with psycopg.connect(address, autocommit=True) as client:
        client.execute("CREATE TABLE looked_up (k bigint, v text, at timestamp)")
        some = f"SELECT g, 'value ' || g, to_timestamp(g)::timestamp FROM generate_series(1, {rows}) AS g"
        client.execute(f"INSERT INTO looked_up {some}")
        client.execute("CREATE INDEX looked_up_k ON looked_up (k)")
        found: dict[str, float] = {}
        looked_up(port, 1, rows, length)  # until the index is there
        for clients in (1, 16):
            found[f"look-ups, {clients}"], found[f"latency, {clients}"] = looked_up(port, clients, rows, length)

        def copy(options: str) -> None:
            sql = f"COPY (SELECT * FROM looked_up) TO STDOUT {options}"
            command = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "materialize", "-o", "/dev/null", "-c", sql]
            subprocess.run([*command, "materialize"], check=True)

        def select(binary: bool) -> None:
            result = client.pgconn.exec_params(b"SELECT * FROM looked_up", None, result_format=int(binary))
            assert result.ntuples == rows

        for name, work in (
            ("COPY, text", lambda: copy("")),
            ("COPY, binary", lambda: copy("(FORMAT binary)")),
            ("SELECT, text", lambda: select(False)),
            ("SELECT, binary", lambda: select(True)),
        ):
            found[name] = rows / min(seconds(work) for _ in range(3))
    return found


def run(scale: float) -> None:
    rows, length = max(1000, int(1_000_000 * scale)), max(2.0, 10 * scale)
    if binary("pgbench") is None:
        sys.exit("lookups needs pgbench: install PostgreSQL's contrib package")
    with tailrace() as port:
        ours = measured(port, rows, length)
    theirs: dict[str, float] = {}
    if binary("postgres") is not None:
        with postgres() as port:
            theirs = measured(port, rows, length)
    bars = {"look-ups, 1": "5000/s", "look-ups, 16": "8000/s", "latency, 1": "0.4 ms"}
    for name, value in ours.items():
        unit = "ms" if name.startswith("latency") else "lookups/s" if name.startswith("look-ups") else "rows/s"
        bar = bars.get(name, "" if unit != "rows/s" else "0.3 of the peer's")
        report("lookups", name, value, unit, peer="PostgreSQL", theirs=theirs.get(name), bar=bar)
