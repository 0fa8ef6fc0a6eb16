"""A reply that is made while it is sent, a piece at a time and each in a thread, as fast as the client takes it.

A client that leaves cancels what is being made for it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from fastapi import Response
from starlette.types import Receive, Scope, Send

from app.front import Front

PIECE_BYTES_MIN: Final = 1 << 16
"""Smaller pieces are sent together: a piece costs a change of threads and a system call."""


class Streamed(Response):
    """`cancel` makes the piece under way end early; `close` is called, in a thread, when all is over."""

    def __init__(
        self,
        front: Front,
        pieces: Iterator[bytes],
        media_type: str,
        headers: Mapping[str, str] | None = None,
        cancel: Callable[[], None] = lambda: None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._front: Final = front
        self._pieces: Final = gathered(pieces)
        self._cancel: Final = cancel
        self._close: Final = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        departure = asyncio.ensure_future(departed(receive))
        try:
            piece = await self._next(departure)
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            while piece is not None and not departure.done():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await self._next(departure)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            departure.cancel()
            with suppress(asyncio.CancelledError):
                await departure
            await self._front.in_thread(self._close)

    async def _next(self, departure: asyncio.Future[None]) -> bytes | None:
        work = asyncio.ensure_future(self._front.in_thread(lambda: next(self._pieces, None)))
        await asyncio.wait((work, departure), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            self._cancel()
        return await work


async def departed(receive: Receive) -> None:
    """Returns when the client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass


def gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth sending."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES_MIN:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    if waiting:
        yield b"".join(waiting)
