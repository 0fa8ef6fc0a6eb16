"""One websocket of /api/experimental/sql: Materialize's dialogue, so that its web clients work.

The first frame says who asks and sets session variables; then each frame is a request as of POST /api/sql, and is
answered by frames {"type", "payload"} of which exactly one, the last, is ReadyForQuery. Requests may come before the
one before them is answered. A SUBSCRIBE streams until its end or that of the connection.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from fastapi import WebSocket, status
from pydantic import TypeAdapter, ValidationError

from app.data.datums import description, encoded, rows
from app.data.results import Answer, answers, notice
from app.live.streams import Streams
from app.live.texts import texts
from app.schemas.errors import ErrorBody
from app.schemas.sql import Credentials, ExtendedRequest, SimpleRequest
from engine.database import CopyOut, Result, Session, Subscription
from engine.errors import InvalidParameter, SqlError, Unsupported

REQUEST: Final[TypeAdapter[SimpleRequest | ExtendedRequest]] = TypeAdapter(SimpleRequest | ExtendedRequest)
ROWS_MAX: Final = 1_000
"""Rows that are encoded at once; each is a frame."""
WAITING_MAX: Final = 64
"""Requests that may wait for the one before them; the client's next is not read before there is room."""


class Dialogue:
    """`user` is the role of the handshake's header, None where there was none and one is needed."""

    def __init__(self, socket: WebSocket, streams: Streams, user: str | None) -> None:
        self._socket: Final = socket
        self._front: Final = streams.front
        self._streams: Final = streams
        self._user: Final = user
        self._requests: Final[asyncio.Queue[str | None]] = asyncio.Queue(WAITING_MAX)
        self._session: Session | None = None

    async def run(self) -> None:
        """Until the client leaves, says something that makes no sense before it is known, or the server shuts down."""
        doing = [asyncio.ensure_future(work) for work in (self._read(), self._answer(), self._front.closing.wait())]
        try:
            await asyncio.wait(doing, return_when=asyncio.FIRST_COMPLETED)
            if self._front.closing.is_set():
                with suppress(TimeoutError, RuntimeError):
                    async with asyncio.timeout(self._front.settings.shutdown_seconds_max):
                        await self._socket.close(status.WS_1012_SERVICE_RESTART)
        finally:
            if self._session is not None:
                self._session.cancel()
            for task in doing:
                task.cancel()
            await asyncio.gather(*doing, return_exceptions=True)
            if self._session is not None:
                await self._front.in_thread(self._session.close)

    async def _read(self) -> None:
        async for text in texts(self._socket):
            await self._requests.put(text)

    async def _answer(self) -> None:
        session = await self._begin(await self._requests.get() or "")
        if session is None:
            await self._socket.close(status.WS_1008_POLICY_VIOLATION)
            return
        for name, value in session.variables.items():
            await self._send("ParameterStatus", {"name": name, "value": value})
        await self._send("BackendKeyData", {"conn_id": secrets.randbits(31), "secret_key": secrets.randbits(31)})
        await self._send("ReadyForQuery", "I")
        while (text := await self._requests.get()) is not None:
            try:
                request = request_of(text)
            except SqlError as error:
                await self._fail(error)
            else:
                await self._run(session, request)
            await self._send("ReadyForQuery", session.transaction_status)

    async def _begin(self, text: str) -> Session | None:
        """The session that the first frame asks for; None: it may not have one."""
        front = self._front
        try:
            said = Credentials.model_validate_json(text)
            user = await front.in_thread(lambda: self._role(said))
            session = await front.in_thread(lambda: front.database.session(user, said.options))
        except (ValidationError, SqlError):
            return None
        self._session = session
        return session

    def _role(self, said: Credentials) -> str:
        identity = self._front.identity
        if said.token is not None:
            return identity.of_token(said.token)
        if said.user is not None:
            return identity.of_password(said.user, said.password or "")
        if self._user is not None:
            return self._user
        raise InvalidParameter("neither a user nor a token")

    async def _run(self, session: Session, request: SimpleRequest | ExtendedRequest) -> None:
        found = answers(session, request)
        try:
            while (answer := await self._front.in_thread(lambda: next(found, None))) is not None:
                await self._give(answer)
        except SqlError as error:
            await self._fail(error)

    async def _give(self, answer: Answer) -> None:
        if isinstance(answer, Subscription):
            await self._stream(answer)
            return
        if isinstance(answer, CopyOut):
            if isinstance(answer.source, Subscription):
                await self._front.in_thread(answer.source.close)
            raise Unsupported("COPY is not supported over websockets", hint="Use SELECT or SUBSCRIBE.")
        for each in answer.notices:
            await self._send("Notice", notice(each))
        has_rows = answer.batch is not None
        await self._send("CommandStarting", {"has_rows": has_rows, "is_streaming": False})
        if has_rows:
            await self._send("Rows", {"columns": description(answer.columns)})
            await self._rows(answer)
        await self._send("CommandComplete", answer.tag)

    async def _rows(self, answer: Result) -> None:
        """A frame a row; so many are encoded at once."""
        for at in range(0, answer.row_count, ROWS_MAX):
            part = answer.part(at, at + ROWS_MAX, len(answer.columns))
            for frame in await self._front.in_thread(lambda part=part: list(frames(part))):
                await self._socket.send_text(frame)

    async def _stream(self, subscription: Subscription) -> None:
        woken = asyncio.Event()
        await self._send("CommandStarting", {"has_rows": True, "is_streaming": True})
        await self._send("Rows", {"columns": description(subscription.columns)})
        subscription.on_ready(self._streams.waker.waking(woken))
        try:
            while True:
                woken.clear()
                batch = await self._front.in_thread(subscription.poll)
                if batch is not None:
                    await self._rows(await self._front.in_thread(batch.result))
                elif subscription.ended:
                    break
                else:
                    await woken.wait()
        finally:
            subscription.on_ready(None)
            await asyncio.shield(self._front.in_thread(subscription.close))
        await self._send("CommandComplete", "SUBSCRIBE")

    async def _fail(self, error: SqlError) -> None:
        await self._send("Error", ErrorBody.of(error).json_object())

    async def _send(self, type: str, payload: object) -> None:
        await self._socket.send_text(encoded({"type": type, "payload": payload}).decode())


def frames(part: Result) -> Iterator[str]:
    """In a thread: a frame a row."""
    for row in rows(part.columns, part.text(), part.row_count):
        yield encoded({"type": "Row", "payload": row}).decode()


def request_of(text: str) -> SimpleRequest | ExtendedRequest:
    """The request of a frame. InvalidParameter for what is none."""
    try:
        return REQUEST.validate_json(text)
    except ValidationError as error:
        raise InvalidParameter(
            f"the message is no request: {error.errors(include_url=False)[0]['msg']}",
            hint='It is {"query": "..."} or {"queries": [{"query": "...", "params": []}]}.',
        ) from None
