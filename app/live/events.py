"""One stream of server-sent events: a feed whose frames are events.

The token of a message is its event's id, so that a browser's EventSource resumes by itself.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, Self

from app.data.datums import encoded
from app.live.feed import Feed
from app.live.socket import query_of, shape_of
from app.live.streams import Streams
from app.schemas.errors import ErrorBody
from app.schemas.live import Subscribe
from engine.database import Following, Session
from engine.errors import SqlError


class Events:
    """Begun means that the view is there; what goes wrong later is an event."""

    def __init__(self, streams: Streams, session: Session, following: Following, request: Subscribe) -> None:
        self._streams: Final = streams
        self._session: Final = session
        self._following: Final = following
        self._request: Final = request
        self._next: Final[asyncio.Queue[bytes | None]] = asyncio.Queue(1)  # the feed waits for the client

    @classmethod
    async def begin(cls, streams: Streams, role: str, request: Subscribe) -> Self:
        """Raises the SqlError that keeps it from beginning."""
        front = streams.front
        session = await front.in_thread(lambda: front.database.session(role))
        try:
            following = await front.in_thread(lambda: session.follow(query_of(request), request.resume))
            shape_of(request, following)
        except SqlError:
            await front.in_thread(session.close)
            raise
        return cls(streams, session, following, request)

    async def stream(self) -> AsyncIterator[bytes]:
        """The events until the client leaves, the subscription ends, or the server shuts down."""
        front = self._streams.front
        doing = [asyncio.ensure_future(work) for work in (self._feed(), self._goodbye())]
        try:
            with self._streams.counted():
                yield f"retry: {front.settings.reconnect_ms}\n\n".encode()
                while (event := await self._next.get()) is not None:
                    yield event
        finally:
            for task in doing:
                task.cancel()
            await asyncio.gather(*doing, return_exceptions=True)
            await front.in_thread(self._following.leave)
            await front.in_thread(self._session.close)

    async def _feed(self) -> None:
        shape, keyed = shape_of(self._request, self._following)
        streams = self._streams
        feed = Feed(
            streams.front, streams.frames, streams.waker, self._following, self._request.id, shape, self._send
        )  # fmt: skip
        beating = asyncio.ensure_future(self._beat(feed))
        try:
            await feed.run(keyed, streams.front.settings.heartbeat_ms)
            await self._say({"type": "end", "id": self._request.id})
        except SqlError as error:
            await self._say({"type": "error", "id": self._request.id, "error": ErrorBody.of(error).json_object()})
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
        await self._next.put(None)

    async def _beat(self, feed: Feed) -> None:
        while True:
            await asyncio.sleep(self._streams.front.settings.heartbeat_ms / 1000)
            if not await feed.beat():
                await self._next.put(b": alive\n\n")

    async def _goodbye(self) -> None:
        await self._streams.front.closing.wait()
        await self._say({"type": "goodbye", "reconnect_ms": self._streams.front.settings.reconnect_ms})
        await self._next.put(None)

    async def _say(self, message: dict[str, object]) -> None:
        await self._send(encoded(message).decode(), None)

    async def _send(self, frame: str | bytes, token: str | None) -> None:
        assert isinstance(frame, str), "events are JSON"
        id = "" if token is None else f"id: {token}\n"
        await self._next.put(f"{id}data: {frame}\n\n".encode())
