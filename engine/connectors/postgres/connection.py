"""One connection to a PostgreSQL server, by libpq: it knows TLS, SCRAM and whatever else servers ask for.

Nothing waits without end: every wait is for the socket or for whoever interrupts, and a server that does not answer a
connection attempt is a SourceError.
"""

import os
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from psycopg import pq
from psycopg.errors import OperationalError
from psycopg.pq.abc import PGconn

from engine.catalog.connections import PostgresConnection
from engine.connectors.feed import Resolve
from engine.connectors.postgres import refusals
from engine.errors import SourceError

CONNECT_SECONDS_MAX: Final = 10.0

SETTINGS: Final = {
    "client_encoding": "UTF8", "DateStyle": "ISO", "IntervalStyle": "postgres", "TimeZone": "UTC",
    "extra_float_digits": "3", "bytea_output": "hex", "statement_timeout": "0", "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}  # fmt: skip
"""What the text form of values depends on, and timeouts that a server's operator may have set for its own clients."""


class Busy(SourceError):
    """A lock is somebody else's, and was not to be waited for."""

    sqlstate = "55P03"


class Interrupted(Exception):
    """Nobody waits for this any more."""


class Bell:
    """Wakes whoever waits for a server."""

    def __init__(self) -> None:
        self._hear, self._ring = socket.socketpair()
        self._ring.setblocking(False)
        self._hear.setblocking(False)
        self.stopped = False

    def ring(self, stop: bool = False) -> None:
        """End the wait; with `stop` every later one too. From any thread."""
        self.stopped = self.stopped or stop
        with suppress(OSError):  # it rings already, or nobody listens any more
            self._ring.send(b"!")

    def wait(self, descriptor: int, seconds: float | None, write: bool = False) -> bool:
        """Wait for a socket; whether it is ready. Interrupted once it was told to stop."""
        if self.stopped:
            raise Interrupted
        poll = select.poll()
        poll.register(self._hear, select.POLLIN)
        poll.register(descriptor, select.POLLOUT if write else select.POLLIN)
        ready = {found for found, _ in poll.poll(None if seconds is None else max(0, seconds * 1000))}
        if self._hear.fileno() in ready:
            self._hear.recv(4096)
        if self.stopped:
            raise Interrupted
        return descriptor in ready

    def close(self) -> None:
        self._hear.close()
        self._ring.close()


class Connection:
    """An open connection. Errors of the server are SourceErrors in its own words."""

    def __init__(self, to: PostgresConnection, resolve: Resolve, bell: Bell, replication: bool = False) -> None:
        self._bell: Final = bell
        self._to: Final = to
        self._user: Final = resolve(to.user)
        self._where: Final = f"PostgreSQL at {to.host}:{to.port}"
        with tempfile.TemporaryDirectory(prefix="tailrace-") as folder:
            self._pg: Final = pq.PGconn.connect_start(_conninfo(to, resolve, replication, Path(folder)))
            try:
                self._connect()
            except BaseException:
                self._pg.finish()
                raise
        self._pg.nonblocking = 1

    def _connect(self) -> None:
        deadline = time.monotonic() + CONNECT_SECONDS_MAX
        state = pq.PollingStatus.WRITING
        while state != pq.PollingStatus.OK:
            if state == pq.PollingStatus.FAILED or self._pg.status == pq.ConnStatus.BAD:
                said = _told(self._pg)
                raise SourceError(f"{self._where}: {said}", hint=refusals.at_the_door(said, self._to, self._user))
            left = deadline - time.monotonic()
            if left <= 0:
                raise SourceError(f"{self._where} does not answer")
            if self._bell.wait(self._pg.socket, left, state == pq.PollingStatus.WRITING):
                state = self._pg.connect_poll()

    @property
    def version(self) -> int:
        """The server's, as PostgreSQL counts: 150004 is 15.4."""
        return self._pg.server_version

    def query(self, sql: str) -> list[tuple[str | None, ...]]:
        """The rows of the last statement, values as text."""
        return _rows(self._run(sql))

    def begin_copy(self, sql: str, both: bool = False) -> None:
        """Run a COPY ... TO STDOUT, or with `both` START_REPLICATION; then `receive` gives what comes."""
        wanted = pq.ExecStatus.COPY_BOTH if both else pq.ExecStatus.COPY_OUT
        result = self._run(sql)
        assert result.status == wanted, result.status

    def receive(self) -> memoryview | None:
        """The next datum of a COPY if it is here; None: nothing for now. EOFError at the end of it."""
        try:
            size, data = self._pg.get_copy_data(1)
            if size == 0:
                self._pg.consume_input()
                size, data = self._pg.get_copy_data(1)
        except OperationalError as error:
            raise SourceError(f"{self._where}: {_first_line(str(error))}") from None
        if size == -1:
            raise EOFError
        return data if size > 0 else None

    def copied(self) -> Iterator[memoryview]:
        """The data of a COPY to its end, waiting for them."""
        while True:
            try:
                data = self.receive()
            except EOFError:
                break
            if data is None:
                self._bell.wait(self._pg.socket, None)
            else:
                yield data
        self.end_copy()

    def end_copy(self) -> None:
        """After the end of a COPY: SourceError if that was because of one."""
        while (result := self._pg.get_result()) is not None:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise self._refused(result)
            if result.status in (pq.ExecStatus.COPY_BOTH, pq.ExecStatus.COPY_IN):
                raise SourceError(f"{self._where} ended the replication")

    def send(self, data: bytes) -> None:
        """Send a datum of a COPY in both directions."""
        try:
            while self._pg.put_copy_data(data) == 0:
                self._bell.wait(self._pg.socket, None, write=True)
            self._flush()
        except OperationalError as error:
            raise SourceError(f"{self._where}: {_first_line(str(error))}") from None

    def wait(self, seconds: float) -> None:
        """Until something comes, somebody rings, or so long."""
        self._bell.wait(self._pg.socket, seconds)

    def close(self) -> None:
        self._pg.finish()

    def _flush(self) -> None:
        while self._pg.flush() == 1:
            self._bell.wait(self._pg.socket, None, write=True)

    def _run(self, sql: str) -> pq.abc.PGresult:
        """The last result, which is none of an error."""
        try:
            self._pg.send_query(sql.encode())
            self._flush()
            last: pq.abc.PGresult | None = None
            while True:
                while self._pg.is_busy():
                    self._bell.wait(self._pg.socket, None)
                    self._pg.consume_input()
                result = self._pg.get_result()
                if result is None:
                    break
                if result.status == pq.ExecStatus.FATAL_ERROR:
                    error = self._refused(result)
                    while self._pg.get_result() is not None:
                        pass
                    raise error
                last = result
                if result.status in (pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH):
                    break
        except OperationalError as error:
            raise SourceError(f"{self._where}: {_first_line(str(error))}") from None
        assert last is not None
        return last

    def _refused(self, result: pq.abc.PGresult) -> SourceError:
        fields = (
            pq.DiagnosticField.MESSAGE_PRIMARY,
            pq.DiagnosticField.MESSAGE_DETAIL,
            pq.DiagnosticField.MESSAGE_HINT,
            pq.DiagnosticField.SQLSTATE,
        )
        message, detail, hint, state = (result.error_field(field) for field in fields)
        said = message or result.error_message or self._pg.error_message
        advice = refusals.inside("" if state is None else state.decode(), self._user)
        kind = Busy if state == Busy.sqlstate.encode() else SourceError
        return kind(
            f"{self._where}: {_first_line(said.decode(errors='replace'))}",
            detail=None if detail is None else detail.decode(errors="replace"),
            hint=advice if hint is None else hint.decode(errors="replace"),
        )


def _rows(result: pq.abc.PGresult) -> list[tuple[str | None, ...]]:
    values = [
        [result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)
    ]  # fmt: skip
    return [tuple(None if value is None else bytes(value).decode() for value in row) for row in values]


def _told(connection: PGconn) -> str:
    return _first_line(connection.error_message.decode(errors="replace"))


def _first_line(said: str) -> str:
    """What went wrong, without libpq's words about where and its last blank."""
    line = next((line.strip() for line in said.splitlines() if line.strip()), "the connection was closed")
    _, marker, rest = line.partition("failed: ")
    return (rest if marker else line).removeprefix("FATAL:").removeprefix("ERROR:").strip()


def _conninfo(to: PostgresConnection, resolve: Resolve, replication: bool, folder: Path) -> bytes:
    """The parameters as libpq wants them. Certificates go into files: it reads them from nowhere else."""
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    given = {
        "host": to.host, "port": str(to.port), "dbname": to.database, "user": resolve(to.user),
        "password": None if to.password is None else resolve(to.password), "sslmode": to.ssl_mode,
        "application_name": "tailrace", "options": options, "replication": "database" if replication else None,
        "sslpassword": None if to.tls.key_password is None else resolve(to.tls.key_password),
        "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
    }  # fmt: skip
    certificates = {"sslrootcert": to.tls.authority, "sslcert": to.tls.certificate, "sslkey": to.tls.key}
    for name, setting in certificates.items():
        if setting is not None:
            path = folder / name
            path.touch(0o600)
            path.write_text(resolve(setting))
            given[name] = str(path)
        elif name == "sslrootcert" and to.ssl_mode == "verify-full":
            given[name] = "system"
    parts = [f"{name}='{_escaped(value)}'" for name, value in given.items() if value is not None]
    return os.fsencode(" ".join(parts))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def check_server(to: PostgresConnection, resolve: Resolve) -> None:
    """SourceError when the server cannot be reached and asked."""
    bell = Bell()
    try:
        Connection(to, resolve, bell).close()
    finally:
        bell.close()
