"""A conversation with a server over pgwire: simple queries, as much of the client's side as `tailrace sql` needs."""

import select
import socket
import struct
from collections.abc import Iterator
from typing import Final, Self

from app.cli.display import NUMERIC_OIDS, Done, Failure, Header, Lines, Notice, Pause, Piece, Rows
from app.settings import Address

PROTOCOL_3_0: Final = 3 << 16
CANCEL: Final = 1234 << 16 | 5678
PAUSE_SECONDS: Final = 0.2


class Client:
    """One connection. Raises ConnectionError when the server leaves."""

    def __init__(self, address: Address, connected: socket.socket, user: str) -> None:
        self._address = address
        self._socket = connected
        self._buffer = bytearray()
        self._key = b""
        body = struct.pack(">i", PROTOCOL_3_0) + b"".join(
            text.encode() + b"\0" for text in ("user", user, "application_name", "tailrace sql", "")
        )
        self._socket.sendall(struct.pack(">i", len(body) + 4) + body)
        for tag, body in self._messages():
            if tag == b"K":
                self._key = body
            elif tag == b"E":
                raise ConnectionError(failure_of(body).message)

    @classmethod
    def connect(cls, address: Address, user: str = "materialize") -> Self:
        """Raises OSError if nobody listens."""
        return cls(address, socket.create_connection((address.host, address.port), timeout=10), user)

    def run(self, sql: str) -> Iterator[Piece]:
        body = sql.replace("\0", "").encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack(">i", len(body) + 4) + body)
        rows: list[list[str | None]] = []
        for tag, body in self._messages():
            if tag != b"D" and rows:
                yield Rows(rows)
                rows = []
            match tag:
                case b"D":
                    rows.append(row_of(body))
                case b"":
                    yield Pause()
                case b"T":
                    yield header_of(body)
                case b"C":
                    yield Done(body[:-1].decode())
                case b"d":
                    yield Lines(body)
                case b"N":
                    notice = failure_of(body)
                    yield Notice(notice.severity, notice.message, notice.hint)
                case b"E":
                    yield failure_of(body)

    def cancel(self) -> None:
        with socket.create_connection((self._address.host, self._address.port), timeout=10) as other:
            other.sendall(struct.pack(">ii", 16, CANCEL) + self._key)
            other.recv(1)  # the server closes when it has cancelled

    def close(self) -> None:
        try:
            self._socket.sendall(b"X" + struct.pack(">i", 4))
        except ConnectionError:
            pass  # it is gone already
        finally:
            self._socket.close()

    def _messages(self) -> Iterator[tuple[bytes, bytes]]:
        """(type, body) up to ReadyForQuery; type b"" when nothing has come for a moment."""
        while True:
            while len(self._buffer) >= 5:
                end = 1 + int.from_bytes(self._buffer[1:5], "big")
                if len(self._buffer) < end:
                    break
                tag, body = bytes(self._buffer[:1]), bytes(self._buffer[5:end])
                del self._buffer[:end]
                if tag == b"Z":
                    return
                yield tag, body
            if not select.select([self._socket], [], [], PAUSE_SECONDS)[0]:
                yield b"", b""
                continue
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._buffer += data


def header_of(body: bytes) -> Header:
    names: list[str] = []
    right: list[bool] = []
    at = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        end = body.index(0, at)
        names.append(body[at:end].decode())
        right.append(int.from_bytes(body[end + 7 : end + 11], "big") in NUMERIC_OIDS)
        at = end + 19
    return Header(names, right)


def row_of(body: bytes) -> list[str | None]:
    row: list[str | None] = []
    at = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        length = int.from_bytes(body[at : at + 4], "big", signed=True)
        at += 4
        if length < 0:
            row.append(None)
        else:
            row.append(body[at : at + length].decode())
            at += length
    return row


def failure_of(body: bytes) -> Failure:
    """An ErrorResponse or a NoticeResponse."""
    fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
    return Failure(
        message=fields.get(b"M", ""),
        sqlstate=fields.get(b"C", ""),
        severity=fields.get(b"S", "ERROR"),
        detail=fields.get(b"D"),
        hint=fields.get(b"H"),
        position=int(fields[b"P"]) if b"P" in fields else None,
    )
