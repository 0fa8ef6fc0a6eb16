"""The recent past of a collection: its deltas of the last ticks.

Rule   contents as of t = present contents - the deltas of the ticks after t; the error as of t is that which stood
       before the first tick after t at which it changed.
State  a ring of (tick, delta), another of (tick, error before it); `since` is the earliest tick that can be shown. It
       reaches back as far as `retain` says, and further where somebody holds it.
Cost   O(holds) a tick; reading the past costs the contents and the deltas after it.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from engine.collection.batch import Batch

FAILURES_MAX: Final = 10_000
"""Ticks at which the error of a collection changed that its history holds: beyond them the oldest go, with the rows."""


@dataclass(slots=True, eq=False)
class Hold:
    """Somebody's wish to read on from tick `at`. Granted for `ms_max` behind the newest delta and for `rows_max`
    changes, whichever ends first; gone after tick `until`, if that is set."""

    at: int
    ms_max: int
    rows_max: int
    until: int | None = None


class History:
    """Deltas after `since`, oldest first. `changed` is the tick of the newest, or of the history's beginning."""

    __slots__ = ("_bytes", "_deltas", "_failures", "_rows", "changed", "error", "holds", "retain", "since")

    def __init__(self, since: int, retain: int, error: int | None = None) -> None:
        self.error = error  # the heap code of what stands in place of the rows, if anything does
        self._failures: deque[tuple[int, int | None]] = deque()
        self.since = since
        self.changed = since
        self.retain = retain  # ticks (milliseconds) behind the newest delta that stay readable
        self.holds: dict[str, Hold] = {}  # by who holds it
        self._deltas: deque[tuple[int, Batch]] = deque()
        self._rows = 0
        self._bytes = 0

    def copy(self) -> "History":
        """The same past, whatever becomes of this one. O(deltas)."""
        other = History(self.since, self.retain, self.error)
        other._failures = self._failures.copy()
        other.changed, other.holds = self.changed, dict(self.holds)
        other._deltas, other._rows, other._bytes = self._deltas.copy(), self._rows, self._bytes
        return other

    def append(self, tick: int, delta: Batch, held: int | None = None) -> None:
        """What the collection went through at `tick`. Forgets what lies further back than `retain`, than `held` and
        than what the holds are granted."""
        self._deltas.append((tick, delta))
        self._rows += len(delta)
        self._bytes += size_of(delta)
        self.changed = tick
        kept = tick - self.retain if held is None else min(tick - self.retain, held)
        if not self.holds:
            self.advance(kept)
            return
        self.forget_expired(tick)
        self.advance(min([kept, *(max(hold.at, tick - hold.ms_max) for hold in self.holds.values())]))
        while (oldest := self._deltas[0][0]) <= kept and self._rows > self._granted(oldest):
            self.advance(oldest)

    def _granted(self, oldest: int) -> int:
        """The rows that those who hold the oldest delta may hold."""
        return max((hold.rows_max for hold in self.holds.values() if hold.at < oldest), default=0)

    def fail(self, tick: int, error: int | None) -> None:
        """From `tick` on this error stands in place of the rows, or none."""
        if error != self.error:
            self._failures.append((tick, self.error))
            self.error = error
            if len(self._failures) > FAILURES_MAX:
                self.advance(self._failures[0][0])
            while self._failures and self._failures[0][0] <= self.since:
                self._failures.popleft()

    def error_at(self, tick: int) -> int | None:
        """The error as of a tick not before `since`."""
        return next((before for at, before in self._failures if at > tick), self.error)

    def failures(self, after: int) -> list[int]:
        """The ticks behind `after` at which the error changed."""
        return [at for at, _ in self._failures if at > after]

    def errors(self) -> list[int]:
        """The codes of all errors held, for a sweep."""
        return [code for code in (self.error, *(before for _, before in self._failures)) if code is not None]

    def hold(self, who: str, hold: Hold) -> None:
        """Keep the history from `hold.at` on, within its bounds."""
        self.forget_expired(self.changed)
        self.holds[who] = hold

    def forget_expired(self, tick: int) -> None:
        """Drop the holds that end before a tick. O(holds)."""
        for who in [who for who, hold in self.holds.items() if hold.until is not None and hold.until < tick]:
            del self.holds[who]

    def advance(self, since: int) -> None:
        """Give up the ticks before `since`."""
        if since > self.since:
            self.since = since
            while self._deltas and self._deltas[0][0] <= since:
                _, gone = self._deltas.popleft()
                self._rows -= len(gone)
                self._bytes -= size_of(gone)

    def after(self, tick: int) -> list[tuple[int, Batch]]:
        """(tick, delta) of the ticks after `tick`, oldest first: the present contents less these are those of then."""
        assert tick >= self.since, f"tick {tick} is before {self.since}"
        return [(at, delta) for at, delta in self._deltas if at > tick]

    def batches(self) -> list[Batch]:
        """All deltas held, for a sweep."""
        return [delta for _, delta in self._deltas]

    def bytes_held(self) -> int:
        """Memory of the deltas. Counted as they come and go, for a reader may ask while a tick is published."""
        return self._bytes


def size_of(delta: Batch) -> int:
    """Bytes of its arrays."""
    return delta.words.nbytes + delta.diffs.nbytes
