"""Subscriptions that outlive their connection: exactly the changes since, none twice, none lost.

A subscriber is told its position with whatever it is sent: the query (a fingerprint of its bound form in this
process), the last tick that it has whole, and who it is. Coming back with a position it gets the changes of the ticks
after that one, if the histories of what the query reads still reach back to it; if not, it is told so and begins anew.
To make them reach, it holds the histories from what it has acknowledged: while it is there, and `resume_ms_max` after
it left.

The state of a subscriber that came back is that of one that never left: both are the contents at a tick plus the deltas
of the ticks after it, and a delta is in a history exactly as long as `since` says.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from engine.cluster.worker import sources
from engine.collection.history import Hold
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.describe import key_of
from engine.coordinator.pipeline import dataflow
from engine.coordinator.subscription import Subscription, SubscriptionBatch
from engine.errors import InvalidParameter, SqlError
from engine.sql.bound import BoundSubscribe
from engine.types import Column


@dataclass(frozen=True, slots=True)
class Position:
    """What a subscriber hands in to go on: opaque to it."""

    fingerprint: str
    timestamp: int
    who: str

    def __str__(self) -> str:
        return f"{self.fingerprint}.{self.timestamp}.{self.who}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidParameter for what was never a position."""
        parts = text.split(".")
        if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdigit() or len(text) > 128:
            raise InvalidParameter("the position to resume from is not one that was given out", hint="Subscribe anew.")
        return cls(parts[0], int(parts[1]), parts[2])


class Following:
    """A subscription and the hold that lets its subscriber come back.

    `resumed` is True when it goes on where its position said, False when that was not possible and it begins with a
    snapshot, None when there was no position. One reader at a time; `acknowledge` and `leave` may come from any thread.
    """

    def __init__(
        self, coordinator: Coordinator, subscription: Subscription, position: Position, resumed: bool | None,
        reads: frozenset[int], hold: Hold | None, key: tuple[int, ...] | None,
    ) -> None:  # fmt: skip
        self._coordinator: Final = coordinator
        self._position: Final = position
        self._reads: Final = reads
        self._hold = hold
        self._sent = position.timestamp
        self.subscription: Final = subscription
        self.resumed: Final = resumed
        self.key: Final = key  # columns in which no two rows agree, if some are known

    @property
    def columns(self) -> tuple[Column, ...]:
        """Those of the query."""
        return self.subscription.columns[2:]

    def poll(self) -> SubscriptionBatch | None:
        """As Subscription.poll."""
        batch = self.subscription.poll()
        if batch is not None:
            self._sent = batch.timestamp
            if self._hold is None:
                # What it reads was hydrating when it began.
                self._hold = held(self._coordinator, self._reads, self._position.who, batch.timestamp)
        return batch

    def complete(self) -> int | None:
        """The tick up to which everything has been polled; None while something waits."""
        upper = self.subscription.complete
        if upper is not None:
            self._sent = max(self._sent, upper)
        return upper

    def position(self, timestamp: int) -> str:
        """What to hand in later to go on behind `timestamp`, that of a batch or one that `complete` gave."""
        return f"{self._position.fingerprint}.{timestamp}.{self._position.who}"

    def acknowledge(self, timestamp: int) -> None:
        """The subscriber has everything up to there: the history before may go."""
        if self._hold is not None:
            self._hold.at = max(self._hold.at, min(timestamp, self._sent))

    def leave(self) -> None:
        """The connection is lost: the subscription ends, what it holds is kept for `resume_ms_max`."""
        if self._hold is not None:
            self._hold.until = self._coordinator.cluster.worker.upper + self._hold.ms_max
        self.subscription.close()

    def close(self) -> None:
        """The subscriber will not come back."""
        self.subscription.close()
        if self._hold is not None:
            self._coordinator.cluster.worker.circuit.release(self._reads, self._position.who, self._hold)


def follow(coordinator: Coordinator, bound: BoundSubscribe, resume: str | None, check: Callable[[], None]) -> Following:
    """Begin a subscription, or go on with one. InvalidParameter for a `resume` that was never given out."""
    before = None if resume is None else Position.parse(resume)
    fingerprint = fingerprint_of(coordinator, bound)
    plan = dataflow(bound.relation, coordinator.catalog, coordinator.options)
    reads = frozenset(sources(plan))
    check()
    with coordinator.ticks.lock:  # no tick comes between the look at the histories and the hold on them
        worker = coordinator.cluster.worker
        live = all(coordinator.is_live(id) for id in reads)
        since = max((worker.circuit.since(id) for id in reads), default=0) if live else 0
        resumed = None
        if before is not None:
            resumed = live and before.fingerprint == fingerprint and since <= before.timestamp <= worker.upper
        if before is not None and resumed:
            position = before
        else:
            position = Position(fingerprint, worker.upper, secrets.token_urlsafe(9))
        hold = held(coordinator, reads, position.who, position.timestamp) if live else None
        try:
            subscription = coordinator.subscribe(
                plan,
                bound.columns,
                as_of=position.timestamp if resumed else None,
                snapshot=not resumed,
                up_to=bound.up_to,
            )
        except SqlError:
            if hold is not None:
                worker.circuit.release(reads, position.who, hold)
            raise
        key = key_of(coordinator, bound.relation)
        return Following(coordinator, subscription, position, resumed, reads, hold, key)


def held(coordinator: Coordinator, reads: frozenset[int], who: str, at: int) -> Hold:
    """A new hold on the histories of what is read; it takes the place of an earlier one by the same subscriber."""
    hold = Hold(at, coordinator.options.resume_ms_max, coordinator.options.resume_rows_max)
    coordinator.cluster.worker.circuit.hold(reads & coordinator.catalog.items.keys(), who, hold)
    return hold


def fingerprint_of(coordinator: Coordinator, bound: BoundSubscribe) -> str:
    """Equal for equal queries over the same relations of the same process, and for no others."""
    said = f"{coordinator.incarnation} {bound.columns} {bound.relation}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]
