"""One subscription of one client: from its batches to frames, as fast as the client takes them.

Law: at most one batch is encoded and unsent. While the client does not take it, the engine merges what comes, so a slow
client costs the memory of its view's changed rows, misses no change, and delays nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from app.data.datums import description, encoded
from app.front import Front
from app.live.frames import Frames, Part, Shape
from app.live.waker import Waker
from engine.database import Following

MERGED_ROWS: Final = 20_000
"""A batch of more pending changes than this is taken in a thread: merging it takes longer than the loop may wait."""


class Send(Protocol):
    """Gives one frame to the client and returns when it may get the next. `token` is what it then may resume from."""

    def __call__(self, frame: str | bytes, token: str | None) -> Awaitable[None]: ...


class Feed:
    """Between `begin` and `run`'s end. `id` is the client's name for it."""

    def __init__(
        self, front: Front, frames: Frames, waker: Waker, following: Following, id: str, shape: Shape, send: Send
    ) -> None:
        self._front: Final = front
        self._frames: Final = frames
        self._shape: Final = shape
        self._send: Final = send
        self._id: Final = encoded(id).decode()
        self._woken: Final = asyncio.Event()
        self._wake: Final[Callable[[], None]] = waker.waking(self._woken)
        self._told = -1  # the time up to which the client has been told everything
        self._in_hand = False  # whether a batch was taken that the client has not been told whole
        self.following: Final = following

    async def run(self, keyed: bool, heartbeat_ms: int) -> None:
        """Send until the subscription ends. Raises the SqlError that ended it."""
        await self._begin(keyed, heartbeat_ms)
        following = self.following
        subscription = following.subscription
        subscription.on_ready(self._wake)
        try:
            while True:
                self._woken.clear()
                self._in_hand = True
                if subscription.pending_rows > MERGED_ROWS:
                    batch = await self._front.in_thread(following.poll)
                else:
                    batch = following.poll()
                if batch is not None:
                    snapshot = following.snapshot and batch.timestamp == subscription.start
                    if not snapshot:
                        await self._begun()
                    async for part in self._frames.of(batch, self._shape, snapshot):
                        await self._tell(part, batch.timestamp)
                elif subscription.ended:
                    return
                else:
                    self._in_hand = False
                    await self._begun()
                    await self._woken.wait()
        finally:
            subscription.on_ready(None)

    async def _begin(self, keyed: bool, heartbeat_ms: int) -> None:
        columns = self.following.columns
        key = [columns[c].name for c in self._shape.key] if keyed else None
        about = {
            "type": "subscribed",
            "columns": description(columns),
            "key": key,
            "mode": self._shape.mode,
            "resumed": self.following.resumed,
            "heartbeat_ms": heartbeat_ms,
        }
        await self._send(self._message(about), None)
        if self.following.resumed is False:
            reason = "the history does not reach back to the token, or it is of another query or process"
            await self._send(self._message({"type": "reset", "reason": reason}), None)

    async def _begun(self) -> None:
        """Tell a client that has been told nothing yet where it stands: an empty snapshot, or that it wants none."""
        start = self.following.subscription.start
        if self._told >= 0 or not start:
            return
        if not self.following.snapshot:
            await self._progress(start)
        else:
            head = f'"timestamp":{start},"snapshot":true,"changes":[],"more":false,"progress":{start}'
            await self._tell(Part(head, None, False), start)

    async def beat(self) -> bool:
        """Tell a quiet client how far time has come. Whether there was something to tell: not while changes are on the
        way to it, for what is complete then has them in it."""
        complete = None if self._in_hand else self.following.complete()
        if complete is None or complete <= self._told or self._told < 0:
            return False
        await self._progress(complete)
        return True

    async def _progress(self, timestamp: int) -> None:
        self._told = timestamp
        token = self.following.position(timestamp)
        await self._send(self._message({"type": "progress", "timestamp": timestamp, "token": token}), token)

    async def _tell(self, part: Part, timestamp: int) -> None:
        token = self.following.position(timestamp)
        if not part.more:
            self._told = timestamp
        await self._send(part.frame(self._id, token), None if part.more else token)

    def _message(self, message: dict[str, object]) -> str:
        body = encoded(message).decode()
        return f'{{"id":{self._id},{body[1:]}'
