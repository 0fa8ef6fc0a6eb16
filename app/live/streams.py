"""What the streams of one server share: encoded frames, the waker, and who is still to be told goodbye."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

from fastapi import Depends
from fastapi.requests import HTTPConnection

from app.front import Front
from app.live.frames import Frames
from app.live.waker import Waker


class Streams:
    """Made in the event loop that serves."""

    def __init__(self, front: Front, loop: asyncio.AbstractEventLoop) -> None:
        self.front: Final = front
        self.frames: Final = Frames(front)
        self.waker: Final = Waker(loop)
        self._running: Final[set[asyncio.Task[object]]] = set()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """The running task is a stream: a shutdown waits for its goodbye."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            yield
        finally:
            self._running.discard(task)

    async def close(self, seconds: float) -> None:
        """Have every stream say goodbye, and wait for them so long."""
        self.front.closing.set()
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)


def streams_of(connection: HTTPConnection) -> Streams:
    return connection.app.state.streams


TheStreams = Annotated[Streams, Depends(streams_of)]
