"""From the thread that ticks to the event loop: however many subscriptions a tick has something for, one wake-up."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Waker:
    """Sets events of one event loop from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wanted: deque[asyncio.Event] = deque()
        self._scheduled = False

    def waking(self, event: asyncio.Event) -> Callable[[], None]:
        """A callback that sets the event. O(1), never waits."""

        def wake() -> None:
            self._wanted.append(event)
            if not self._scheduled:
                self._scheduled = True
                with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                    self._loop.call_soon_threadsafe(self._wake)

        return wake

    def _wake(self) -> None:
        self._scheduled = False
        while self._wanted:
            self._wanted.popleft().set()
