"""The one clock of the engine. Nothing below it knows what time it is."""

import time
from collections.abc import Callable
from threading import Lock


def system_ms() -> int:
    """Milliseconds since 1970-01-01 UTC by the machine's clock."""
    return time.time_ns() // 1_000_000


class Oracle:
    """Timestamps of ticks: milliseconds since 1970, strictly increasing whatever the machine's clock does.

    `holds` are times that somebody still reads at: histories keep what is needed to answer as of the least of them.
    """

    def __init__(self, now: Callable[[], int] = system_ms, last: int = 0) -> None:
        self._now = now
        self._last = last
        self._holds: dict[int, int] = {}  # token -> timestamp
        self._tokens = 0
        self._lock = Lock()

    def next(self, due: int | None = None) -> int:
        """The next tick's timestamp: max(now, last + 1), or `due` if that is a time before it which had no tick yet."""
        with self._lock:
            following = self.following()
            self._last = due if due is not None and self._last < due < following else following
            return self._last

    def following(self) -> int:
        """What `next` would give."""
        return max(self._now(), self._last + 1)

    @property
    def last(self) -> int:
        """The last timestamp that it gave."""
        return self._last

    def wall_ms(self) -> int:
        """The machine's clock: what now() is in a statement."""
        return self._now()

    def hold(self, timestamp: int) -> int:
        """Keep `timestamp` readable until `release` of the token that this returns."""
        with self._lock:
            self._tokens += 1
            self._holds[self._tokens] = timestamp
            return self._tokens

    def release(self, token: int) -> None:
        with self._lock:
            self._holds.pop(token, None)

    def held(self) -> int | None:
        """The least time that is held, if any is."""
        if not self._holds:
            return None
        with self._lock:
            return min(self._holds.values(), default=None)
