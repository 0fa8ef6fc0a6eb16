"""One client's socket: what it sent, as messages; what it gets, as bytes; whether it is still there.

Law   What cannot block is answered where its bytes arrive (`at_once`), without a task or a thread waking up; so is what
      has to wait for a moment, when that is over; everything else wakes the task that serves the client. A client that
      does not read is not read from either.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import Enum
from typing import Final, cast

from app.pgwire.messages import Message, ProtocolViolation
from app.pgwire.protocol import Connection, State

READ_AHEAD_BYTES: Final = 1 << 20
"""What is read of messages while one is answered: data of COPY come in a thousand."""


class Reply(Enum):
    """What became of a message on the event loop."""

    GIVEN = "given"
    SOON = "soon"  # it has to wait for a moment, after which `again` is called
    ELSEWHERE = "elsewhere"  # it may block, or is not for the loop


class Peer(asyncio.Protocol):
    """`serve` is the client's task, made when it has connected."""

    def __init__(
        self, connection: Connection, serve: "Callable[[Peer], Coroutine[None, None, None]]", buffered_max: int
    ) -> None:
        self.connection = connection
        self.woken = asyncio.Event()
        """Set when bytes came, the client left, or `wake` was called; whoever waits clears it before it looks."""
        self.gone = False
        self.encrypted = False
        self.bytes_sent = 0
        self.on_gone: Callable[[], None] = lambda: None
        self.at_once: Callable[[Message], Reply] = lambda _: Reply.ELSEWHERE
        """Answers a message on the event loop if it can."""
        self.task: asyncio.Task[None] | None = None
        self._serve = serve
        self._buffered_max = buffered_max
        self._transport: asyncio.Transport | None = None
        self._unread: deque[Message] = deque()
        self._violation: ProtocolViolation | None = None
        self._idle = False
        self._reading = True
        self._writable = asyncio.Event()
        self._writable.set()
        self._loop = asyncio.get_running_loop()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.task = self._loop.create_task(self._serve(self))

    def data_received(self, data: bytes) -> None:
        self.connection.receive(data)
        if self._idle and self._writable.is_set() and not self._unread:
            self._answer()
        else:
            self.woken.set()
        if self._reading and self._ahead():
            self._reading = False
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.woken.set()
        self._writable.set()
        self.on_gone()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the client's task calls

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None, "it is there from connection_made on"
        return self._transport

    async def message(self) -> Message | None:
        """The next message that was not answered at once; None when the client said good-bye or left."""
        while True:
            self.woken.clear()
            message = self.poll()
            if message is not None or self.gone or self.connection.state is State.CLOSED:
                return message
            self._idle = True
            try:
                await self.woken.wait()
            finally:
                self._idle = False

    def poll(self) -> Message | None:
        """The next message if it is there. ProtocolViolation for bytes that are none."""
        if self._unread:
            return self._unread.popleft()
        if self._violation is not None:
            raise self._violation
        try:
            message = self.connection.next()
        except ProtocolViolation as violation:
            self._violation = violation  # nothing that comes behind it is taken for a message
            raise
        if replies := self.connection.replies():
            self.write(replies)
        if not self._reading and not self.gone and not self._ahead():
            self._reading = True
            self.transport.resume_reading()
        return message

    def unread(self, message: Message) -> None:
        """Give back a message that was polled last."""
        self._unread.appendleft(message)

    def wake(self) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            self._loop.call_soon_threadsafe(self.woken.set)

    def again(self) -> None:
        """From any thread: what had to wait need not any more."""
        with suppress(RuntimeError):  # as in `wake`
            self._loop.call_soon_threadsafe(self._resume)

    def write(self, data: bytes) -> None:
        """Without waiting for the client to read."""
        if not self.gone:
            self.bytes_sent += len(data)
            self.transport.write(data)

    async def send(self, data: bytes) -> None:
        """Waits while the client reads slower than we write; raises ConnectionError when it left."""
        self.write(data)
        await self._writable.wait()
        if self.gone:
            raise ConnectionError("the client left")

    async def encrypt(self, context: ssl.SSLContext) -> None:
        """Begin TLS. ConnectionError if the client and we do not agree on it."""
        try:
            transport = await self._loop.start_tls(self.transport, self, context, server_side=True)
        except OSError as error:
            raise ConnectionError(f"TLS: {error}") from None
        if transport is None:
            raise ConnectionError("the client left")
        self._transport = transport
        self.encrypted = True

    def close(self) -> None:
        self.transport.close()

    def _ahead(self) -> bool:
        """Whether more has come than is worth holding: of whole messages a little, of a long one all of it."""
        buffered = self.connection.buffered
        if buffered <= READ_AHEAD_BYTES:
            return False
        return buffered > self._buffered_max or self.connection.holds_whole

    def _resume(self) -> None:
        if self._idle and self._writable.is_set() and not self.gone:
            self._answer()
        else:
            self.woken.set()

    def _answer(self) -> None:
        """All that can be answered at once of what has come. What is not is the first that is polled next."""
        try:
            while (message := self._unread.popleft() if self._unread else self.connection.next()) is not None:
                reply = self.at_once(message)
                if reply is Reply.GIVEN:
                    continue
                self._unread.appendleft(message)
                if reply is Reply.ELSEWHERE:
                    self.woken.set()
                break
        except ProtocolViolation as violation:
            self._violation = violation
            self.woken.set()
        if replies := self.connection.replies():
            self.write(replies)
        if self.connection.state is State.CLOSED:
            self.woken.set()
