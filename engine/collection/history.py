"""The recent past of a collection: its deltas of the last ticks.

Rule   contents as of t = present contents - the deltas of the ticks after t.
State  a ring of (tick, delta); `since` is the earliest tick that can be shown.
Cost   O(1) a tick; reading the past costs the contents and the deltas after it.
"""

from collections import deque

from engine.collection.batch import Batch


class History:
    """Deltas after `since`, oldest first."""

    __slots__ = ("_deltas", "retain", "since")

    def __init__(self, since: int, retain: int) -> None:
        self.since = since
        self.retain = retain  # ticks (milliseconds) behind the newest delta that stay readable
        self._deltas: deque[tuple[int, Batch]] = deque()

    def append(self, tick: int, delta: Batch, held: int | None = None) -> None:
        """What the collection went through at `tick`. Forgets what lies further back than `retain` and than `held`."""
        self._deltas.append((tick, delta))
        self.advance(tick - self.retain if held is None else min(tick - self.retain, held))

    def advance(self, since: int) -> None:
        """Give up the ticks before `since`."""
        if since > self.since:
            self.since = since
            while self._deltas and self._deltas[0][0] <= since:
                self._deltas.popleft()

    def after(self, tick: int) -> list[tuple[int, Batch]]:
        """(tick, delta) of the ticks after `tick`, oldest first: the present contents less these are those of then."""
        assert tick >= self.since, f"tick {tick} is before {self.since}"
        return [(at, delta) for at, delta in self._deltas if at > tick]

    def batches(self) -> list[Batch]:
        """All deltas held, for a sweep."""
        return [delta for _, delta in self._deltas]

    def bytes_held(self) -> int:
        """Memory of the deltas."""
        return sum(delta.words.nbytes + delta.diffs.nbytes for _, delta in self._deltas)
