"""One websocket of /api/subscribe: many subscriptions, each a feed of its own, and what the client says about them.

What is wrong with a message is answered and changes nothing; a binary frame ends the conversation. A lost connection
leaves the subscriptions resumable, unsubscribing does not.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

from fastapi import WebSocket, WebSocketDisconnect, status
from pydantic import ValidationError

from app.access.identity import Identity
from app.data.datums import encoded
from app.data.names import parts_of, quoted
from app.live.feed import Feed
from app.live.frames import Shape, key_numbers
from app.live.streams import Streams
from app.live.texts import texts
from app.schemas.errors import ErrorBody
from app.schemas.live import REQUEST, Acknowledge, Authenticate, Subscribe, Unsubscribe
from engine.database import Following, Session
from engine.errors import InvalidAuthorization, InvalidParameter, LimitExceeded, SqlError, UndefinedColumn


class Conversation:
    """`user` is the role of the client, None as long as it has to say who it is."""

    def __init__(self, socket: WebSocket, streams: Streams, user: str | None) -> None:
        self._socket: Final = socket
        self._streams: Final = streams
        self._front: Final = streams.front
        self._user = user
        self._session: Session | None = None
        self._feeds: dict[str, Feed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn: Final = asyncio.Lock()  # one frame after the other
        self._asking: Final = asyncio.Lock()  # a session takes one statement at a time

    async def run(self) -> None:
        """Until the client leaves or the server shuts down."""
        doing = [asyncio.ensure_future(work) for work in (self._listen(), self._beat(), self._front.closing.wait())]
        try:
            await asyncio.wait(doing, return_when=asyncio.FIRST_COMPLETED)
            if self._front.closing.is_set():
                with suppress(TimeoutError, WebSocketDisconnect):
                    async with asyncio.timeout(self._front.settings.shutdown_seconds_max):
                        await self._say({"type": "goodbye", "reconnect_ms": self._front.settings.reconnect_ms})
                        await self._socket.close(status.WS_1012_SERVICE_RESTART)
        finally:
            await self._end([*doing, *self._tasks.values()])

    async def _end(self, tasks: list[asyncio.Future[Any]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for feed in self._feeds.values():
            await self._front.in_thread(feed.following.leave)
        if self._session is not None:
            await self._front.in_thread(self._session.close)

    async def _listen(self) -> None:
        async for text in texts(self._socket):
            id = None
            try:
                request = REQUEST.validate_json(text)
                id = None if isinstance(request, Authenticate) else request.id
                await self._do(request)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                place = ".".join(map(str, first["loc"]))
                await self._fail(None, InvalidParameter(f"the message makes no sense: {place} {first['msg']}".strip()))
            except SqlError as error:
                await self._fail(id, error)
                if self._user is None:
                    await self._socket.close(status.WS_1008_POLICY_VIOLATION)
                    return

    async def _do(self, request: Subscribe | Unsubscribe | Acknowledge | Authenticate) -> None:
        if isinstance(request, Authenticate):
            self._user = await self._front.in_thread(lambda: login(self._front.identity, request))
            await self._say({"type": "authenticated", "user": self._user})
            return
        if self._user is None:
            raise InvalidParameter("the first message has to say who you are", hint='Send {"type": "auth", ...}.')
        match request:
            case Subscribe():
                await self._subscribe(request)
            case Unsubscribe():
                await self._unsubscribe(request)
            case Acknowledge():
                following = self._known(request.id).following
                await self._front.in_thread(lambda: following.acknowledge(request.timestamp))  # the log may keep it

    def _known(self, id: str) -> Feed:
        feed = self._feeds.get(id)
        if feed is None:
            raise InvalidParameter(f"there is no subscription {id!r}")
        return feed

    async def _subscribe(self, request: Subscribe) -> None:
        settings = self._front.settings
        if request.id in self._feeds:
            raise InvalidParameter(f"there is a subscription {request.id!r} already", hint="Choose another id.")
        if len(self._feeds) >= settings.subscriptions_per_socket_max:
            raise LimitExceeded(
                f"a socket has at most {settings.subscriptions_per_socket_max} subscriptions",
                hint="Unsubscribe, open another socket, or raise subscriptions_per_socket_max.",
            )
        sql = query_of(request)
        async with self._asking:
            session = await self._opened()
            following = await self._front.in_thread(lambda: session.follow(sql, request.resume))
        try:
            shape, keyed = shape_of(request, following)
        except SqlError:
            await self._front.in_thread(following.close)
            raise
        streams = self._streams
        feed = Feed(streams.front, streams.frames, streams.waker, following, request.id, shape, self._send)
        self._feeds[request.id] = feed
        self._tasks[request.id] = asyncio.ensure_future(self._follow(request.id, feed, keyed))

    async def _opened(self) -> Session:
        if self._session is None:
            user = self._user
            assert user is not None
            self._session = await self._front.in_thread(lambda: self._front.database.session(user))
        return self._session

    async def _follow(self, id: str, feed: Feed, keyed: bool) -> None:
        """A feed's task. The id is free again when the client learns of the end."""
        last: dict[str, object] = {"type": "end", "id": id}
        with suppress(WebSocketDisconnect):
            try:
                await feed.run(keyed, self._front.settings.heartbeat_ms)
            except SqlError as error:
                last = {"type": "error", "id": id, "error": ErrorBody.of(error).json_object()}
            await self._front.in_thread(feed.following.leave)
            del self._feeds[id], self._tasks[id]
            await self._say(last)

    async def _unsubscribe(self, request: Unsubscribe) -> None:
        feed = self._known(request.id)
        task = self._tasks.pop(request.id)
        del self._feeds[request.id]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._front.in_thread(feed.following.close)
        await self._say({"type": "end", "id": request.id})

    async def _beat(self) -> None:
        """Tell quiet subscriptions how far time has come, and a quiet client that the connection lives."""
        while True:
            await asyncio.sleep(self._front.settings.heartbeat_ms / 1000)
            told = [await feed.beat() for feed in list(self._feeds.values())]
            if not any(told):
                await self._say({"type": "heartbeat"})

    async def _fail(self, id: str | None, error: SqlError) -> None:
        about = {} if id is None else {"id": id}
        await self._say({"type": "error", **about, "error": ErrorBody.of(error).json_object()})

    async def _say(self, message: dict[str, object]) -> None:
        await self._send(encoded(message).decode(), None)

    async def _send(self, frame: str | bytes, token: str | None) -> None:
        async with self._turn:
            if isinstance(frame, str):
                await self._socket.send_text(frame)
            else:
                await self._socket.send_bytes(frame)


def login(identity: Identity, request: Authenticate) -> str:
    """The role that the message shows. Raises InvalidAuthorization."""
    if request.token is not None:
        return identity.of_token(request.token)
    if request.user is None:
        raise InvalidAuthorization("the message has neither a user nor a token")
    return identity.of_password(request.user, request.password or "")


def query_of(request: Subscribe) -> str:
    """The SQL of a subscription."""
    if (request.view is None) == (request.query is None):
        raise InvalidParameter("a subscription has a view or a query, one of them")
    if request.query is not None:
        return request.query
    assert request.view is not None
    return f"SUBSCRIBE {quoted(*parts_of(request.view))}"


def shape_of(request: Subscribe, following: Following) -> tuple[Shape, bool]:
    """How the client wants its changes, and whether it knows a key. UndefinedColumn, InvalidParameter."""
    names = [column.name for column in following.columns]
    if request.key is None:
        key = following.key
    else:
        try:
            key = key_numbers(names, request.key)
        except KeyError as error:
            raise UndefinedColumn(
                f"there is no column {error.args[0]!r}", hint=f"There are {', '.join(names)}."
            ) from None
    if key is None and request.mode != "diff":
        raise InvalidParameter(
            f"mode {request.mode} needs a key, and none is known of this query", hint='Say which: "key": ["column"].'
        )
    return Shape(request.mode, request.format, key or ()), key is not None
