"""One client's conversation: each message answered from its session, in the protocol's words.

Rule  A message that cannot block is answered where it came (`at_once`): Bind, Describe, Sync, and an Execute that is a
      look-up by key, so such a series costs no thread and one write. Where the whole series is there with its Bind and
      the answer is one row, it is answered as if it were one message. A simple query, or what has come of a series,
      runs in one thread hop: its small answers are encoded where they were made and leave in one write. A large
      answer leaves in pieces of `rows_max` rows; a subscription as each tick's changes come.
Law   Whatever happens, the client gets exactly one ReadyForQuery for each Query and each Sync.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from app.pgwire import messages
from app.pgwire.forms import ROWS, Answer, Form, described_rows, error_of, form_of, notices_of
from app.pgwire.messages import (
    Bind,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    Message,
    Parse,
    Query,
    Sync,
)
from app.pgwire.peer import Reply
from app.pgwire.portals import Long, Portals
from app.pgwire.protocol import DESCRIBED_RUN, Connection
from engine.database import Busy, Result, Session, Subscription
from engine.errors import QueryCanceled, SqlError

T = TypeVar("T")
LOG: Final = logging.getLogger("tailrace.pgwire")

REPORTED: Final = (
    "mz_version",
    "server_version", "server_encoding", "client_encoding", "application_name", "is_superuser",
    "session_authorization", "DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes",
    "standard_conforming_strings", "default_transaction_read_only", "in_hot_standby",
)  # fmt: skip
"""What PostgreSQL tells at startup and at every change, spelled as it spells them: drivers match exactly."""

IN_SERIES: Final = (Parse, Bind, Describe, Execute, Close, Flush, Sync)
AT_ONCE_BYTES: Final = 4096
"""Larger parameters are read in a thread."""

COPY_BYTES: Final = 1 << 16
"""Of the data of COPY FROM STDIN, taken at once: if they are single rows, that is some milliseconds of the loop."""

WRITE_BYTES: Final = 1 << 20
"""Encoded answers that one thread hop collects before it hands them to the socket."""


class Socket(Protocol):
    """What a conversation needs of its client's socket (server.Peer)."""

    connection: Connection
    woken: asyncio.Event
    gone: bool

    async def send(self, data: bytes) -> None: ...
    def write(self, data: bytes) -> None: ...
    def poll(self) -> Message | None: ...
    def unread(self, message: Message) -> None: ...
    def wake(self) -> None: ...
    def again(self) -> None: ...


@dataclass(slots=True)
class Run:
    """A simple query under way: what its statements give, and how many have given something."""

    answers: Iterator[Answer]
    answered: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What one hop brought: bytes to send, then perhaps an answer too large or too long for a hop; or the end."""

    data: bytes
    answer: Answer | None = None
    ended: bool = False


class Conversation:
    """Used by one task; `cancel` by any thread."""

    def __init__(self, session: Session, socket: Socket, threads: Executor, rows_max: int) -> None:
        self._session = session
        self._socket = socket
        self._threads = threads
        self._rows_max = rows_max
        self._portals = Portals(session)
        self._reported: dict[str, str] = {}
        self._told = -1
        self._in_series = False
        self._copied_in = False
        """Whether the statement that ran last took the data of a COPY FROM STDIN."""
        self._cancelled = False
        self._unsent: list[bytes] = []
        """Replies that wait for the end of a hop: a COPY FROM STDIN sends them first."""
        self._loop = asyncio.get_running_loop()
        session.receive = self._receive

    @property
    def rows_sent(self) -> int:
        """Of results and subscriptions, so far."""
        return self._portals.rows_sent

    def cancel(self) -> None:
        """End the statement that runs, with 57014."""
        self._cancelled = True
        self._session.cancel()
        self._socket.wake()

    def end(self) -> None:
        """End the statement that runs, and whatever else was sent fails; the caller ends the task."""
        self._session.on_terminate = lambda: None
        self._session.terminate()
        self.cancel()

    def greeting(self, key: bytes) -> bytes:
        """What follows the authentication; `key` is the BackendKeyData."""
        return self._statuses() + key + messages.ready_for_query(self._session.transaction_status)

    async def answer(self, message: Message) -> None:
        """Send all that `message` is answered with. ConnectionError when the client left."""
        self._cancelled = False
        match message:
            case Query(sql):
                await self._query(sql)
            case _:
                await self._extended(message)

    def at_once(self, message: Message) -> Reply:
        """On the event loop, while no thread has the session: answer a message that cannot block."""
        try:
            match message:
                case Bind(parameters=values) if sum(len(value) for value in values if value) <= AT_ONCE_BYTES:
                    if not message.portal and self._run(message):
                        return Reply.GIVEN
                    self._portals.answer(message, False)
                case Describe() | Flush() | Close("S"):
                    self._portals.answer(message, False)
                case Execute(name, 0) if self._socket.connection.sync_follows:
                    if not self._portals.look_up(name):
                        return Reply.ELSEWHERE
                case Sync() if not self._session.series_open:
                    self._synced()
                    return Reply.GIVEN
                case _:
                    return Reply.ELSEWHERE
        except Busy:
            self._session.when_free(self._socket.again)
            return Reply.SOON
        except SqlError as error:
            self._portals.reply(error_of(error), flush=True)  # some drivers send Sync only when they have seen it
            self._socket.connection.failed()
        if self._portals.flushed:
            self._socket.write(self._portals.replies())
        return Reply.GIVEN

    def _run(self, bind: Bind) -> bool:
        """Answer a Bind with the rest of its series, where that is there and the answer is one row."""
        run = self._socket.connection.run_follows
        if not run or self._session.series_open:
            return False
        data = self._portals.run_at_once(bind, run is DESCRIBED_RUN)
        if data is None:
            return False
        self._socket.connection.skip(run)
        self._portals.reply(data)
        self._synced()
        return True

    def _synced(self) -> None:
        self._session.sync()
        self._socket.write(self._portals.replies() + self._ready())

    async def close(self) -> None:
        await self._hop(self._session.close)

    async def _hop(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread. When cancelled, wait for it still: a session is used by one thread at a time."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    def _statuses(self) -> bytes:
        """ParameterStatus of all that has changed since the client was told."""
        if self._told == self._session.settings_made:
            return b""
        self._told = self._session.settings_made
        variables = self._session.variables
        data: list[bytes] = []
        for name in REPORTED:
            value = variables.get(name, variables.get(name.lower()))
            if value is not None and self._reported.get(name) != value:
                self._reported[name] = value
                data.append(messages.parameter_status(name, value))
        return b"".join(data)

    def _ready(self) -> bytes:
        return self._statuses() + messages.ready_for_query(self._session.transaction_status)

    async def _query(self, sql: str) -> None:
        self._portals.forget_unnamed()
        run = Run(self._session.run(sql))
        while True:
            step = await self._hop(lambda: self._collect(run))
            self._socket.connection.end_copying()
            if step.ended:
                break
            await self._socket.send(step.data)
            if step.answer is not None and not await self._send_at_length(step.answer):
                step = Step(b"", ended=True)
                break
        await self._socket.send(step.data + self._ready())

    def _collect(self, run: Run) -> Step:
        """In a thread: run statements until the end, an error, a long answer, or enough bytes for one write."""
        data = self._unsent = []
        size = 0
        try:
            for answer in run.answers:
                run.answered += 1
                source, form = form_of(answer)
                if isinstance(source, Subscription) or (source.batch is not None and source.row_count > self._rows_max):
                    return Step(b"".join(data), answer)
                data.append(notices_of(source.notices) + form.whole(source))
                self._portals.rows_sent += source.row_count
                size += len(data[-1])
                if size >= WRITE_BYTES:
                    return Step(b"".join(data))
            if run.answered == 0:
                data.append(messages.EMPTY_QUERY)
        except Exception as error:  # noqa: BLE001 - the session's loop is where the unknown becomes XX000
            data.append(error_of(known(error)))
        return Step(b"".join(data), ended=True)

    def _receive(self, columns: int, binary: bool) -> Iterator[bytes]:
        """In the statement's thread: the data of a COPY FROM STDIN, as they come. QueryCanceled when the client gives
        up, or somebody cancels."""
        self._copied_in = True
        self._on_loop(self._begin_copy(columns, binary))
        ended = False
        while not ended:
            data, ended = self._on_loop(self._copied())
            yield data

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _begin_copy(self, columns: int, binary: bool) -> None:
        self._socket.connection.copying(self._in_series)
        await self._socket.send(b"".join(self._unsent) + messages.copy_in_response(columns, binary))
        self._unsent.clear()

    async def _copied(self) -> tuple[bytes, bool]:
        """What has come of the data, but not nothing, and whether it was the last."""
        data = bytearray()
        while len(data) < COPY_BYTES:
            self._socket.woken.clear()
            try:
                message = self._socket.poll()
            except messages.ProtocolViolation as violation:  # whoever polls next ends the connection with it
                raise QueryCanceled(f"COPY from stdin failed: {violation}") from None
            match message:
                case CopyData(body):
                    data += body
                case CopyDone():
                    return bytes(data), True
                case CopyFail(reason):
                    raise QueryCanceled(f"COPY from stdin failed: {reason}")
                case Flush() | Sync():
                    pass
                case _:
                    if self._cancelled or self._socket.gone:
                        raise QueryCanceled("canceling statement due to user request")
                    if data:
                        break
                    await self._socket.woken.wait()
        return bytes(data), False

    async def _send_at_length(self, answer: Answer, rows: Form = ROWS, part: Long | None = None) -> bool:
        """A large result, or the part of it that was asked for, or a subscription, piece by piece. False if it failed
        (the client was told)."""
        source, form = form_of(answer, rows)
        try:
            if isinstance(source, Subscription):
                await self._send_changes(source, form)
            elif part is None or part.count is None:
                await self._send_pieces(source, form, 0, source.row_count)
                await self._socket.send(form.end(source.tag, source.row_count))
            else:
                await self._send_pieces(source, form, part.first, part.count)
                tag = f"SELECT {part.count}" if part.first else source.tag
                await self._socket.send(messages.PORTAL_SUSPENDED if part.suspends else form.end(tag, part.count))
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - a bug in what is encoded along the way is told, and the session goes on
            await self._socket.send(error_of(known(error)))
            return False
        return True

    async def _send_pieces(self, result: Result, form: Form, first: int, count: int) -> None:
        """`count` rows from number `first` on, and what stands before the first."""
        if not first:
            await self._socket.send(notices_of(result.notices) + form.begin(result.columns))
        for start in range(first, first + count, self._rows_max):
            self._session.check()
            piece = result.slice(start, min(start + self._rows_max, first + count))
            await self._socket.send(await self._hop(lambda piece=piece: form.rows(piece)))
            self._portals.rows_sent += piece.row_count

    async def _send_changes(self, subscription: Subscription, form: Form) -> None:
        """Each batch as it comes, until the subscription ends, the client leaves, or somebody cancels.

        A slow client makes `send` wait; meanwhile the subscription merges what it has not given yet.
        """
        sent = 0
        try:
            await self._socket.send(form.begin(subscription.columns))
            subscription.on_ready(self._socket.wake)
            while not self._socket.gone:
                self._socket.woken.clear()
                if self._cancelled:
                    raise QueryCanceled("canceling statement due to user request")
                batch = subscription.poll()
                if batch is not None:
                    sent += batch.row_count
                    self._portals.rows_sent += batch.row_count
                    await self._socket.send(await self._hop(lambda batch=batch: form.rows(batch.result())))
                elif subscription.ended:
                    await self._socket.send(form.end(f"SUBSCRIBE {sent}", sent))
                    return
                else:
                    await self._socket.woken.wait()
        finally:
            subscription.on_ready(None)
            await self._hop(subscription.close)  # it waits for the tick under way

    async def _extended(self, message: Message) -> None:
        """A series of the extended protocol, as far as it has come: in one hop, its replies in one write.

        Replies wait for Sync or Flush, so that a pipeline is one write; an error is sent at once, as PostgreSQL does:
        some drivers send Sync only when they have seen it.
        """
        series, broken = [message], False
        while not isinstance(series[-1], Sync) and (further := self._socket.poll()) is not None:
            if not isinstance(further, IN_SERIES):
                self._socket.unread(further)
                break
            series.append(further)
        while series:
            self._unsent, self._in_series = self._portals.waiting, True
            try:
                long, failed = await self._hop(lambda: self._some(series))
            finally:
                self._in_series = False
                self._socket.connection.end_copying()
            if long is not None:
                await self._socket.send(self._portals.replies())
                answer = long.portal.answer
                assert answer is not None, "it has run"
                failed = not await self._send_at_length(answer, described_rows(long.portal.formats), long)
                if failed:
                    self._skip(series)
            if failed and not series:
                self._socket.connection.failed()
            broken = broken or failed
        if self._portals.flushed or broken:
            await self._socket.send(self._portals.replies())

    def _some(self, series: list[Message]) -> tuple[Long | None, bool]:
        """In a thread: answer messages of a series, up to one whose answer is sent apart; whether one failed."""
        while series:
            message = series.pop(0)
            try:
                if isinstance(message, Sync):
                    self._session.sync()
                    self._portals.reply(self._ready(), flush=True)
                    continue
                alone = isinstance(series[0], Sync) if series else self._socket.connection.sync_follows
                self._copied_in = False
                long = self._portals.answer(message, alone)
                if self._copied_in:
                    series.clear()  # a Sync that came before the data says nothing
            except Exception as error:  # noqa: BLE001 - a bug in one message fails its series, as any error does
                self._portals.reply(error_of(known(error)))
                if isinstance(message, Sync):
                    self._portals.reply(self._ready(), flush=True)
                    continue
                self._skip(series)
                if self._copied_in or not series:
                    series.clear()
                    return None, True
                continue
            if long is not None:
                return long, False
        return None, False

    @staticmethod
    def _skip(series: list[Message]) -> None:
        """After an error: all but a Sync is dropped."""
        series[:] = [message for message in series if isinstance(message, Sync)]


def known(error: Exception) -> SqlError:
    """The error as the client sees it. What is no SqlError is our bug: it is logged whole and sent as XX000."""
    if isinstance(error, SqlError):
        return error
    LOG.error("internal error", exc_info=error)
    return SqlError(f"internal error: {type(error).__name__}: {error}", hint="This is a bug of Tailrace.")
