"""Servers that clients are run against: Tailrace, and PostgreSQL as the peer where its binaries are there."""

import glob
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.latency import free_port


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and its process."""

    port: int
    process: int

    @property
    def address(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=materialize dbname=materialize"

    @property
    def arguments(self) -> list[str]:
        """What psql and pgbench take."""
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "materialize", "materialize"]

    def resident_bytes_max(self) -> int:
        """The most physical memory that the process had."""
        (line,) = [line for line in Path(f"/proc/{self.process}/status").read_text().splitlines() if "VmHWM" in line]
        return int(line.split()[1]) * 1024


def binary(name: str) -> str | None:
    """PostgreSQL's program of that name, the newest there is."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else None


@contextmanager
def tailrace(*options: str) -> Iterator[Server]:
    pg, http = free_port(), free_port()
    program = str(Path(sys.executable).parent / "tailrace")
    command = [program, "serve", "--pg-listen", f"127.0.0.1:{pg}", "--http-listen", f"127.0.0.1:{http}", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            yield Server(pg, server.pid)
        finally:
            server.send_signal(signal.SIGTERM)


@contextmanager
def postgres() -> Iterator[Server]:
    """A cluster of its own; PostgreSQL refuses to be root, so root runs it as the user that its package made."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        user = "postgres" if os.getuid() == 0 else None
        data = f"{folder}/data"
        initdb, program = binary("initdb"), binary("postgres")
        assert initdb is not None
        assert program is not None
        command = [initdb, "-D", data, "-U", "materialize", "-A", "trust"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, user=user)
        command = [program, "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder, user=user) as running:
            while subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode:
                pass
            with psycopg.connect(f"host=127.0.0.1 port={port} user=materialize dbname=postgres", autocommit=True) as c:
                c.execute("CREATE DATABASE materialize")
            try:
                yield Server(port, running.pid)
            finally:
                running.send_signal(signal.SIGINT)
