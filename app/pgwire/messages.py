"""The codec of PostgreSQL's protocol 3: frontend messages are decoded, backend messages encoded.

Every message after the startup packet is a type byte, then int32 length (itself included), then the body; integers are
big-endian, strings end in a zero byte. A body that does not parse is a ProtocolViolation, never an IndexError.

From  PostgreSQL documentation, "Message Formats".
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from engine.types import Column

PROTOCOL_3_0: Final = 3 << 16
PROTOCOL_3_2: Final = 3 << 16 | 2
"""The newest that we speak: its cancel keys are longer. There never was a 3.1."""
CANCEL: Final = 1234 << 16 | 5678
SSL: Final = 1234 << 16 | 5679
GSSENC: Final = 1234 << 16 | 5680


class ProtocolViolation(Exception):
    """Bytes that are no message of the protocol, or a message out of turn. The connection ends with 08P01."""

    sqlstate = "08P01"


@dataclass(frozen=True, slots=True)
class SslRequest:
    pass


@dataclass(frozen=True, slots=True)
class GssEncRequest:
    pass


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """`secret` is 4 bytes to protocol 3.0, up to 256 to 3.2."""

    process: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class Startup:
    """`version` is major << 16 | minor."""

    version: int
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    sql: str


@dataclass(frozen=True, slots=True)
class Parse:
    name: str
    sql: str
    types: tuple[int, ...]
    """OIDs of the parameters; 0, or none given: to be inferred."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Formats: one a parameter (a column), or one for all, or none: text. 0 is text, 1 binary."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    parameters: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Describe:
    kind: str
    """'S' a statement, 'P' a portal."""
    name: str


@dataclass(frozen=True, slots=True)
class Execute:
    portal: str
    rows_max: int
    """0: all."""


@dataclass(frozen=True, slots=True)
class Close:
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Flush:
    pass


@dataclass(frozen=True, slots=True)
class Sync:
    pass


@dataclass(frozen=True, slots=True)
class Terminate:
    pass


@dataclass(frozen=True, slots=True)
class Password:
    body: bytes


@dataclass(frozen=True, slots=True)
class CopyData:
    body: bytes


@dataclass(frozen=True, slots=True)
class CopyDone:
    pass


@dataclass(frozen=True, slots=True)
class CopyFail:
    message: str


Message: TypeAlias = (
    SslRequest | GssEncRequest | CancelRequest | Startup | Query | Parse | Bind | Describe | Execute | Close | Flush
    | Sync | Terminate | Password | CopyData | CopyDone | CopyFail
)  # fmt: skip


class Body:
    """A cursor over one message's body; running off the end is a ProtocolViolation."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        start, end = self.at, self.at + count
        if count < 0 or end > len(self.data):
            raise ProtocolViolation("insufficient data left in message")
        self.at = end
        return self.data[start:end]

    def int16(self) -> int:
        return int.from_bytes(self.take(2), "big", signed=True)

    def int32(self) -> int:
        return int.from_bytes(self.take(4), "big", signed=True)

    def text(self) -> str:
        end = self.data.find(0, self.at)
        if end < 0:
            raise ProtocolViolation("invalid string in message")
        raw, self.at = self.data[self.at : end], end + 1
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise ProtocolViolation("invalid byte sequence for encoding UTF8") from None

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def end(self) -> None:
        if self.at != len(self.data):
            raise ProtocolViolation("invalid message format")

    def each(self, read: Callable[[], int]) -> tuple[int, ...]:
        """An int16 count, then so many of what `read` reads."""
        count = self.int16()
        return tuple([read() for _ in range(count)]) if count else ()

    def kind(self) -> str:
        kind = self.take(1)
        if kind not in (b"S", b"P"):
            raise ProtocolViolation(f"invalid statement or portal kind {kind!r}")
        return kind.decode()


def decode_startup(data: bytes) -> Message:
    """The packet of an unencrypted connection's beginning, without its length."""
    body = Body(data)
    version = body.int32()
    if version == CANCEL:
        message: Message = CancelRequest(body.int32(), body.rest())
    elif version == SSL:
        message = SslRequest()
    elif version == GSSENC:
        message = GssEncRequest()
    elif version >> 16 == 3:
        parameters: dict[str, str] = {}
        while name := body.text():
            parameters[name] = body.text()
        message = Startup(version, parameters)
    else:
        asked = f"{version >> 16}.{version & 0xFFFF}"
        raise ProtocolViolation(f"unsupported frontend protocol {asked}: server supports 3.0 to 3.2")
    body.end()
    return message


def parse_bind(body: Body) -> Bind:
    portal, statement = body.text(), body.text()
    formats = body.each(body.int16)
    parameters: list[bytes | None] = []
    for _ in range(body.int16()):
        length = body.int32()
        parameters.append(None if length == -1 else body.take(length))
    return Bind(portal, statement, formats, tuple(parameters), body.each(body.int16))


DECODERS: Final[Mapping[int, Callable[[Body], Message]]] = {
    ord("Q"): lambda body: Query(body.text()),
    ord("P"): lambda body: Parse(body.text(), body.text(), body.each(body.int32)),
    ord("B"): parse_bind,
    ord("D"): lambda body: Describe(body.kind(), body.text()),
    ord("E"): lambda body: Execute(body.text(), body.int32()),
    ord("C"): lambda body: Close(body.kind(), body.text()),
    ord("H"): lambda _: Flush(),
    ord("S"): lambda _: Sync(),
    ord("X"): lambda _: Terminate(),
    ord("p"): lambda body: Password(body.rest()),
    ord("d"): lambda body: CopyData(body.rest()),
    ord("c"): lambda _: CopyDone(),
    ord("f"): lambda body: CopyFail(body.text()),
}


def decode(tag: int, data: bytes) -> Message:
    """The message of type byte `tag` and body `data`."""
    decoder = DECODERS.get(tag)
    if decoder is None:
        raise ProtocolViolation(f"invalid frontend message type {tag}")
    body = Body(data)
    message = decoder(body)
    body.end()
    return message


def frame(tag: bytes, body: bytes = b"") -> bytes:
    return tag + struct.pack(">i", len(body) + 4) + body


def cstring(text: str) -> bytes:
    """A zero byte inside cannot be sent: it is left out."""
    return text.replace("\0", "").encode() + b"\0"


AUTHENTICATION_OK: Final = frame(b"R", struct.pack(">i", 0))
AUTHENTICATION_PASSWORD: Final = frame(b"R", struct.pack(">i", 3))
PARSE_COMPLETE: Final = frame(b"1")
BIND_COMPLETE: Final = frame(b"2")
CLOSE_COMPLETE: Final = frame(b"3")
NO_DATA: Final = frame(b"n")
EMPTY_QUERY: Final = frame(b"I")
PORTAL_SUSPENDED: Final = frame(b"s")
COPY_DONE: Final = frame(b"c")
NO_ENCRYPTION: Final = b"N"
"""The whole answer to SSLRequest and GSSENCRequest: go on in the clear."""
ENCRYPTION: Final = b"S"
"""The whole answer to SSLRequest: begin TLS."""


def parameter_status(name: str, value: str) -> bytes:
    return frame(b"S", cstring(name) + cstring(value))


def backend_key_data(process: int, secret: bytes) -> bytes:
    return frame(b"K", struct.pack(">i", process) + secret)


def negotiate_protocol_version(version: int, options: Sequence[str]) -> bytes:
    """`version` is what we go on in; `options` are the _pq_. options that we do not know."""
    return frame(b"v", struct.pack(">ii", version, len(options)) + b"".join(map(cstring, options)))


def authentication_sasl(mechanisms: Sequence[str]) -> bytes:
    return frame(b"R", struct.pack(">i", 10) + b"".join(map(cstring, mechanisms)) + b"\0")


def authentication_sasl_continue(data: bytes) -> bytes:
    return frame(b"R", struct.pack(">i", 11) + data)


def authentication_sasl_final(data: bytes) -> bytes:
    return frame(b"R", struct.pack(">i", 12) + data)


def ready_for_query(status: str) -> bytes:
    return frame(b"Z", status.encode())


def command_complete(tag: str) -> bytes:
    return frame(b"C", cstring(tag))


def row_description(columns: Sequence[Column], formats: Sequence[int] = ()) -> bytes:
    """`formats` has one a column; none given: text. No column knows its table: its OID and number are 0."""
    parts = [struct.pack(">h", len(columns))]
    for column, form in zip(columns, formats or (0,) * len(columns), strict=True):
        parts.append(cstring(column.name))
        parts.append(struct.pack(">ihihih", 0, 0, column.type.oid, column.type.length, column.type.typmod, form))
    return frame(b"T", b"".join(parts))


def parameter_description(types: Sequence[int]) -> bytes:
    return frame(b"t", struct.pack(f">h{len(types)}i", len(types), *types))


def copy_out_response(columns: int, binary: bool) -> bytes:
    """The format, overall and for each column."""
    return frame(b"H", struct.pack(f">bh{columns}h", binary, columns, *([binary] * columns)))


def copy_in_response(columns: int, binary: bool) -> bytes:
    """The format, overall and for each column."""
    return frame(b"G", struct.pack(f">bh{columns}h", binary, columns, *([binary] * columns)))


def fields_of_report(fields: Iterable[tuple[str, str | None]]) -> bytes:
    return b"".join(code.encode() + cstring(value) for code, value in fields if value is not None) + b"\0"


def report(
    tag: bytes,
    severity: str,
    sqlstate: str,
    message: str,
    detail: str | None = None,
    hint: str | None = None,
    position: int | None = None,
    where: str | None = None,
) -> bytes:
    """ErrorResponse (tag b"E") or NoticeResponse (b"N")."""
    place = None if position is None else str(position)
    severities: list[tuple[str, str | None]] = [("S", severity), ("V", severity)]
    said = [("C", sqlstate), ("M", message), ("D", detail), ("H", hint), ("P", place), ("W", where)]
    return frame(tag, fields_of_report(severities + said))
