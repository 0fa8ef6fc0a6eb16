"""A real PostgreSQL on this machine, from Debian's packages: in a folder of its own, on a port of the system's choice
that it keeps when it is killed and started again, as a user who is not root (it refuses to be)."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg

from tests.kafka.broker import free_ports

PASSWORD: Final = "opensesame-7"
MISSING: Final = "PostgreSQL is not installed: apt-get install -y postgresql"
START_SECONDS_MAX: Final = 60
SETTINGS: Final = """
listen_addresses = '127.0.0.1'
wal_level = logical
fsync = off
max_wal_senders = 20
max_replication_slots = 20
max_connections = 60
shared_buffers = 32MB
logical_decoding_work_mem = 1MB
autovacuum = off
wal_sender_timeout = 5s
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
"""
HBA: Final = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


def binaries() -> Path | None:
    """Where the newest server is."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def unprivileged() -> str | None:
    """As whom to run: nobody else than we are, unless we are root."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"


class Server:
    """One server. `port` is of 127.0.0.1; the superuser is postgres, with PASSWORD."""

    def __init__(self) -> None:
        found = binaries()
        assert found is not None, MISSING
        self._bin = found
        self._user = unprivileged()
        self.folder = Path(tempfile.mkdtemp(prefix="tailrace-postgres-"))
        (self.port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._own(self.folder)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self._own(secret)
        self.data = self.folder / "data"
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C",
                  "-A", "scram-sha-256", "--pwfile", str(secret))  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"{SETTINGS}port = {self.port}\nunix_socket_directories = '{self.folder}'\n")
        (self.data / "pg_hba.conf").write_text(HBA)
        self.certificate = self.data / "server.crt"
        key = self.data / "server.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key),
             "-out", str(self.certificate)],
            check=True, capture_output=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        key.chmod(0o600)
        self._own(key)
        self._own(self.certificate)

    def start(self) -> None:
        """Returns when it takes connections."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [str(self._bin / "postgres"), "-D", str(self.data)], stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, cwd="/", user=self._user,
                )  # fmt: skip
            while self._process.poll() is None:  # it ends at once while processes of a killed one still do
                try:
                    self.connect().close()
                    return
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline, (self.folder / "log").read_text()[-4000:]
                    time.sleep(0.02)
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-4000:]
            time.sleep(0.1)

    def binary(self, program: str) -> Path:
        """One of the programs that come with the server."""
        return self._bin / program

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", password=PASSWORD, dbname=database, autocommit=True
        )

    def trust_clients(self, role: str, password: str) -> dict[str, str]:
        """Let nobody be that role but who has a certificate of its name: it, and its key, locked by the password."""
        folder, new, years = self.folder, "-newkey rsa:2048", "-days 3650"
        ca, client = (f"-keyout {folder}/{name}.key" for name in ("ca", "client"))
        for command in (
            f"req -x509 {new} {years} -nodes -subj /CN=clients {ca} -out {folder}/ca.crt",
            f"req {new} -subj /CN={role} -passout stdin {client} -out {folder}/client.csr",
            f"x509 -req {years} -in {folder}/client.csr -CA {folder}/ca.crt -CAkey {folder}/ca.key -CAcreateserial "
            f"-out {folder}/client.crt",
        ):
            subprocess.run(["openssl", *command.split()], input=password.encode(), check=True, capture_output=True)
        self._own(folder / "ca.crt")
        (self.data / "pg_hba.conf").write_text(f"hostssl all {role} 127.0.0.1/32 cert\n{HBA}")
        with self.connect() as postgres:
            postgres.execute(f"ALTER SYSTEM SET ssl_ca_file = '{folder}/ca.crt'")
            postgres.execute("SELECT pg_reload_conf()")
        return {"certificate": (folder / "client.crt").read_text(), "key": (folder / "client.key").read_text()}

    def kill(self) -> None:
        """SIGKILL, of all its processes: nothing is flushed, nobody is told."""
        assert self._process is not None
        parent = self._process.pid
        for each in [parent, *self._children(parent)]:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
        shutil.rmtree(self.folder)

    @staticmethod
    def _children(parent: int) -> list[int]:
        found: list[int] = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(stat.parent.name))
        return found

    def _own(self, path: Path) -> None:
        if self._user is not None:
            shutil.chown(path, self._user)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([str(self._bin / program), *arguments], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL, cwd="/", user=self._user)  # fmt: skip
