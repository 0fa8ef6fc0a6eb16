"""Subscriptions that outlive their connection: exactly the changes since, none twice, none lost.

A subscriber is told its position with whatever it is sent: the query (a fingerprint of its bound form in this
database), the last tick that it has whole, who it is, and which life of the database (log.py) said so. Coming back with
a position it gets the changes of the ticks after that one, if the histories of what the query reads still reach back to
it; if not, it is told so and begins anew. To make them reach, it holds the histories from what it has acknowledged:
while it is there, and `resume_ms_max` after it left.

The state of a subscriber that came back is that of one that never left: both are the contents at a tick plus the deltas
of the ticks after it, and a delta is in a history exactly as long as `since` says. Histories end with the process; what
became of the answer since a tick of an earlier life, the log may know (past.py). That holds of a position only if the
log is the one that it was given out of, which a directory put back from a copy is not: the life that the position is of
committed the last tick which the position knows of, and the next life began after the position's own.
"""

import hashlib
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final, Self

from engine.cluster.worker import sources
from engine.collection.history import Hold
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.describe import key_of
from engine.coordinator.past import Since, change_since
from engine.coordinator.pipeline import dataflow
from engine.coordinator.reads import readable_time
from engine.coordinator.subscription import Subscription, SubscriptionBatch
from engine.dataflow.graph import Plan
from engine.errors import InvalidParameter, SqlError, Unsupported
from engine.sql.bound import BoundSubscribe
from engine.types import Column


@dataclass(frozen=True, slots=True)
class Position:
    """What a subscriber hands in to go on: opaque to it."""

    fingerprint: str
    timestamp: int
    who: str
    life: str
    recorded: int  # the last tick that the log had

    def __str__(self) -> str:
        return f"{self.fingerprint}.{self.timestamp}.{self.recorded}.{self.life}.{self.who}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidParameter for what was never a position."""
        parts = text.split(".")
        numbers = parts[1:3]
        if len(parts) != 5 or not all(n.isascii() and n.isdigit() for n in numbers) or len(text) > 128:
            raise InvalidParameter("the position to resume from is not one that was given out", hint="Subscribe anew.")
        return cls(parts[0], int(parts[1]), parts[4], parts[3], int(parts[2]))


class Following:
    """A subscription and the hold that lets its subscriber come back.

    `resumed` is True when it goes on where its position said, False when that was not possible and it begins with a
    snapshot, None when there was no position. `snapshot`: whether its first batch is one. One reader at a time;
    `acknowledge` and `leave` may come from any thread.
    """

    def __init__(
        self, coordinator: Coordinator, subscription: Subscription, position: Position, resumed: bool | None,
        snapshot: bool, reads: frozenset[int], hold: Hold | None, key: tuple[int, ...] | None,
    ) -> None:  # fmt: skip
        self._coordinator: Final = coordinator
        self._position: Final = position
        self._reads: Final = reads
        self._hold = hold
        self._sent = position.timestamp
        self.subscription: Final = subscription
        self.resumed: Final = resumed
        self.snapshot: Final = snapshot
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
        log = self._coordinator.log
        recorded = 0 if log is None else log.recorded
        return str(replace(self._position, timestamp=timestamp, recorded=recorded))

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
    """Begin a subscription, or go on with one. InvalidParameter for a `resume` that was never given out.

    SNAPSHOT, AS OF and UP TO of the statement say how it begins and ends; whoever goes on has begun already, and who
    has to begin anew gets a snapshot of the moment. Changes by key are what `keyed` makes, so ENVELOPE is refused.
    """
    if bound.envelope is not None or bound.within:
        clause = "WITHIN TIMESTAMP ORDER BY" if bound.within else "ENVELOPE"
        raise Unsupported(
            f"{clause} of a subscription that can be resumed is not supported",
            hint="Whoever follows it chooses the mode and the key of the changes.",
        )
    before = None if resume is None else Position.parse(resume)
    fingerprint = fingerprint_of(coordinator, bound)
    plan = dataflow(bound.relation, coordinator.catalog, coordinator.options)
    reads = frozenset(sources(plan))
    check()
    with ExitStack() as kept:
        since = None
        if before is not None and before.fingerprint == fingerprint and of_earlier_life(coordinator, before):
            coordinator.wait_live(reads, check)
            kept.enter_context(coordinator.heap.pinned())
            with coordinator.ticks.lock:
                held_at = coordinator.oracle.hold(coordinator.cluster.worker.upper)
            kept.callback(coordinator.oracle.release, held_at)
            since = change_since(coordinator, plan, fingerprint, before.timestamp, check)
        at = None
        if bound.as_of is not None and before is None:
            at = readable_time(coordinator, bound.as_of, plan, check)
        return _begin(coordinator, bound, plan, fingerprint, before, since, at)


def _begin(
    coordinator: Coordinator, bound: BoundSubscribe, plan: Plan, fingerprint: str, before: Position | None,
    behind: Since | None, at: int | None,
) -> Following:  # fmt: skip
    reads, life = frozenset(sources(plan)), life_of(coordinator)
    with coordinator.ticks.lock:  # no tick comes between the look at the histories and the hold on them
        worker = coordinator.cluster.worker
        live = all(coordinator.is_live(id) for id in reads)
        since = max((worker.circuit.since(id) for id in reads), default=0) if live else 0
        reached = None if before is None else (before.timestamp if behind is None else behind.until)
        resumed = None
        if before is not None and reached is not None:
            known = before.fingerprint == fingerprint and (behind is not None or before.life == life)
            resumed = live and known and since <= reached <= worker.upper
        timestamp = worker.upper if at is None else at
        timestamp = before.timestamp if before is not None and resumed else timestamp
        who = before.who if before is not None and resumed else secrets.token_urlsafe(9)
        position = Position(fingerprint, timestamp, who, life, 0)
        hold = held(coordinator, reads, who, timestamp) if live else None
        snapshot = not resumed and (bound.snapshot or before is not None)
        try:
            subscription = coordinator.subscribe(
                plan,
                bound.columns,
                as_of=reached if resumed else at,
                snapshot=snapshot,
                up_to=bound.up_to,
                behind=(timestamp, behind.change) if behind is not None and resumed else None,
            )
        except SqlError:
            if hold is not None:
                worker.circuit.release(reads, who, hold)
            raise
        key = key_of(coordinator, bound.relation)
        return Following(coordinator, subscription, position, resumed, snapshot, reads, hold, key)


def life_of(coordinator: Coordinator) -> str:
    """The name of this process's life of the database."""
    return "" if coordinator.log is None else coordinator.log.life


def of_earlier_life(coordinator: Coordinator, position: Position) -> bool:
    """Whether the log continues the one that the position was given out of, from its tick on."""
    if coordinator.log is None or position.life == coordinator.log.life:
        return False
    with coordinator.ticks.lock:
        ended = coordinator.log.ended(position.life)
    return ended is not None and position.recorded <= ended.clock and position.timestamp < ended.next


def held(coordinator: Coordinator, reads: frozenset[int], who: str, at: int) -> Hold:
    """A new hold on the histories of what is read; it takes the place of an earlier one by the same subscriber."""
    hold = Hold(at, coordinator.options.resume_ms_max, coordinator.options.resume_rows_max)
    coordinator.cluster.worker.circuit.hold(reads & coordinator.catalog.items.keys(), who, hold)
    return hold


def fingerprint_of(coordinator: Coordinator, bound: BoundSubscribe) -> str:
    """Equal for equal queries over the same relations of the same database, and for no others: no id comes again."""
    said = f"{coordinator.identity} {bound.columns} {bound.relation}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]
