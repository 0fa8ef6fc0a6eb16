"""Which message may come when: a state machine without I/O. Bytes in, messages and replies out.

    connection = Connection(message_bytes_max=...)
    connection.receive(data)                 # any cut of the stream
    while message := connection.next(): ...  # each message once, in order

NEXT is the specification: a message that stands in no row of the state is a ProtocolViolation. How a stream is cut into
`receive` calls never matters: what has not come whole waits in the buffer, which is as long as one message at most.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from app.pgwire.messages import (
    ENCRYPTION,
    NO_ENCRYPTION,
    PROTOCOL_3_2,
    Bind,
    CancelRequest,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    GssEncRequest,
    Message,
    Parse,
    Password,
    ProtocolViolation,
    Query,
    SslRequest,
    Startup,
    Sync,
    Terminate,
    decode,
    decode_startup,
    negotiate_protocol_version,
)


class State(Enum):
    STARTING = "before the startup packet"
    AUTHENTICATING = "before the client has proven who it is"
    READY = "between queries"
    EXTENDED = "inside a series of extended query messages, until Sync"
    COPYING = "inside the data of a COPY FROM STDIN"
    SKIPPING = "after an error in such a series: all but Sync is dropped"
    CLOSED = "the client said good-bye, or only came to cancel"


EXTENDED: Final = dict.fromkeys((Parse, Bind, Describe, Execute, Close, Flush), State.EXTENDED)
LATE_COPY: Final = (CopyData, CopyDone, CopyFail)
"""What a client may still have under way when its COPY has failed: PostgreSQL drops it in every state."""

NEXT: Final[Mapping[State, Mapping[type[Message], State]]] = {
    State.STARTING: {
        SslRequest: State.STARTING,
        GssEncRequest: State.STARTING,
        CancelRequest: State.CLOSED,
        Startup: State.AUTHENTICATING,
    },
    State.AUTHENTICATING: {
        Password: State.AUTHENTICATING,
        Terminate: State.CLOSED,
    },
    State.READY: {
        Query: State.READY,
        **EXTENDED,
        Sync: State.READY,
        Terminate: State.CLOSED,
        **dict.fromkeys(LATE_COPY, State.READY),
    },
    State.EXTENDED: {
        **EXTENDED,
        Query: State.READY,
        Sync: State.READY,
        Terminate: State.CLOSED,
        **dict.fromkeys(LATE_COPY, State.EXTENDED),
    },
    State.COPYING: {
        CopyData: State.COPYING,
        Flush: State.COPYING,
        Sync: State.COPYING,
        CopyDone: State.READY,
        CopyFail: State.READY,
        Terminate: State.CLOSED,
    },
    State.SKIPPING: {
        **dict.fromkeys((*EXTENDED, Query, *LATE_COPY), State.SKIPPING),
        Sync: State.READY,
        Terminate: State.CLOSED,
    },
    State.CLOSED: {},
}

SYNC: Final = b"S\0\0\0\4"
RUN: Final = b"E\0\0\0\x09\0\0\0\0\0" + SYNC
"""Execute the unnamed portal to its end, and Sync: what drivers send behind the Bind of a query that is prepared."""
DESCRIBED_RUN: Final = b"D\0\0\0\6P\0" + RUN
"""The same, for a driver that asks for the columns each time."""

PASSWORD_BYTES_MAX: Final = 65_535
"""PostgreSQL's PG_MAX_AUTH_TOKEN_LENGTH, for the same reason as the next."""

STARTUP_BYTES_MAX: Final = 10_000
"""PostgreSQL's MAX_STARTUP_PACKET_LENGTH: a stranger cannot make us buffer more before we know who it is."""


class Connection:
    """The protocol's side of one connection. Used by one task."""

    __slots__ = ("_back", "_buffer", "_replies", "message_bytes_max", "state", "tls", "version")

    def __init__(self, message_bytes_max: int, tls: bool = False) -> None:
        self.state = State.STARTING
        self.message_bytes_max: Final = message_bytes_max
        self.tls = tls
        """Whether an SSLRequest is granted: it is then given to the shell, which begins TLS."""
        self.version = PROTOCOL_3_2
        """What the client and we speak, once it has started."""
        self._back = State.READY
        self._buffer = bytearray()
        self._replies: list[bytes] = []

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Message | None:
        """The next message that the session has to answer; None: more bytes are needed (or the state is CLOSED).

        Raises ProtocolViolation for what the state does not allow, for what does not parse and for a message that says
        it is longer than allowed, before it is buffered.
        """
        while self.state is not State.CLOSED:
            message = self._decode_startup() if self.state is State.STARTING else self._decode()
            if message is None:
                return None
            follows = NEXT[self.state].get(type(message))
            if follows is None:
                raise ProtocolViolation(f"unexpected {type(message).__name__} message {self.state.value}")
            copied = self.state is State.COPYING
            skipped = self.state is State.SKIPPING and follows is State.SKIPPING
            self.state = self._back if copied and follows is State.READY else follows
            if not skipped and (copied or not self._answered(message)):
                return message
        return None

    def admitted(self) -> None:
        """The client is who it says: it may send queries."""
        assert self.state is State.AUTHENTICATING
        self.state = State.READY

    @property
    def sync_follows(self) -> bool:
        """Whether the next message is a Sync, and is there."""
        return self._buffer.startswith(SYNC)

    @property
    def run_follows(self) -> bytes:
        """RUN or DESCRIBED_RUN if it is what comes next, and is there; else nothing."""
        if self._buffer.startswith(DESCRIBED_RUN):
            return DESCRIBED_RUN
        return RUN if self._buffer.startswith(RUN) else b""

    def skip(self, run: bytes) -> None:
        """Take what `run_follows` gave, which was answered with what came before it."""
        del self._buffer[: len(run)]
        self.state = State.READY

    def copying(self, in_series: bool) -> None:
        """The session wants the data of a COPY FROM STDIN. Behind them it goes on where it was."""
        self._back = State.EXTENDED if in_series else State.READY
        self.state = State.COPYING

    def end_copying(self) -> None:
        """The session wants no more data, if it did: what still comes of them is dropped."""
        if self.state is State.COPYING:
            self.state = self._back

    def failed(self) -> None:
        """The session answered a message with an error: inside an extended series the rest of it is dropped."""
        if self.state is State.EXTENDED:
            self.state = State.SKIPPING

    def replies(self) -> bytes:
        """What the protocol answers by itself, to be sent before any reply to the last message; empties it."""
        data = b"".join(self._replies)
        self._replies.clear()
        return data

    @property
    def buffered(self) -> int:
        """Bytes that wait for the rest of their message, or to be asked for."""
        return len(self._buffer)

    @property
    def holds_whole(self) -> bool:
        """Whether a message is there whole (or its length cannot be one)."""
        at = 0 if self.state is State.STARTING else 1
        have = len(self._buffer)
        return have >= at + 4 and have >= at + int.from_bytes(self._buffer[at : at + 4], "big")

    def _answered(self, message: Message) -> bool:
        match message:
            case SslRequest() if self.tls:
                if self._buffer:
                    raise ProtocolViolation("received unencrypted data after SSL request")
                self.tls = False
                self._replies.append(ENCRYPTION)
                return False
            case SslRequest() | GssEncRequest():
                self._replies.append(NO_ENCRYPTION)
                return True
            case Startup(version, parameters):
                self.version = min(version, PROTOCOL_3_2)
                unknown = [name for name in parameters if name.startswith("_pq_.")]
                if version != self.version or unknown:
                    self._replies.append(negotiate_protocol_version(self.version, unknown))
                return False
            case CopyData() | CopyDone() | CopyFail():
                return True
            case _:
                return False

    def _decode_startup(self) -> Message | None:
        body = self._take(at=0, bytes_max=STARTUP_BYTES_MAX, what="startup packet")
        return None if body is None else decode_startup(body)

    def _decode(self) -> Message | None:
        if not self._buffer:
            return None
        tag = self._buffer[0]
        bytes_max = PASSWORD_BYTES_MAX if self.state is State.AUTHENTICATING else self.message_bytes_max
        body = self._take(at=1, bytes_max=bytes_max, what="message")
        return None if body is None else decode(tag, body)

    def _take(self, at: int, bytes_max: int, what: str) -> bytes | None:
        """The body behind the length at `at`, if it is there whole; takes the message out of the buffer."""
        if len(self._buffer) < at + 4:
            return None
        length = int.from_bytes(self._buffer[at : at + 4], "big", signed=True)
        if length < 4:
            raise ProtocolViolation(f"invalid length {length} of {what}")
        if length > bytes_max:
            raise ProtocolViolation(f"{what} of {length} bytes is longer than message_bytes_max, {bytes_max}")
        if len(self._buffer) < at + length:
            return None
        body = bytes(self._buffer[at + 4 : at + length])
        del self._buffer[: at + length]
        return body
