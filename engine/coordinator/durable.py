"""Durable subscriptions: one reader, which may come back, and is told again what it has not acknowledged.

    CREATE        the subscription is a collection (it shares the operator of what it tells), as of a time `start`
    SUBSCRIBE     a snapshot as of `start` as long as that is not acknowledged, else the changes from what is
    ACKNOWLEDGE   everything before a time is with the reader for good: the history before it may go

Law    what is told of a time is told again as the same rows, after a lost connection, a restart or a kill: it is one
       tick's change out of the history, which reaches back to what is acknowledged, and ticks are never merged. Over a
       restart the log has each of these ticks at its own time (replay.py), for which it is told the same bound.
State  beside the history a few numbers each, in memory and as a fact of the log.
Cost   memory as the changes since the acknowledgement, for at most as long as ACKNOWLEDGE WITHIN says: then the
       subscription expires, and its reader has to begin anew. Where the history was lost for another reason (what it
       reads is not in the log, or could not be read) it has expired too.

All of it under the tick lock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from engine.catalog.items import DurableSubscription
from engine.catalog.system.definition import DurableState
from engine.collection.history import Hold
from engine.coordinator.envelope import Telling
from engine.coordinator.replay import NEEDED
from engine.coordinator.subscription import Subscription
from engine.dataflow.graph import Source
from engine.errors import InvalidParameter, ObjectInUse, ObjectNotInState, UndefinedTable
from engine.types import Column

if TYPE_CHECKING:
    from engine.coordinator.coordinator import Coordinator
    from engine.durable.log import Log

DURABLE: Final = "durable subscription"
"""The kind of the log's facts: start, acknowledged, when that was said, and why it is over, by the item's id."""

FOR_EVER: Final = 1 << 62


class Expired(Enum):
    """Why a subscription cannot be gone on with."""

    NO = "no"
    UNACKNOWLEDGED = "unacknowledged"
    LOST = "lost"


@dataclass(slots=True, eq=False)
class Kept:
    """Where the reader of a subscription is. Times are ticks in ms, but for `said_ms` and `alive_ms`, which are by the
    machine's clock: when something was acknowledged last, and since when its absence counts."""

    start: int  # the time of the snapshot; 0: it is hydrating
    acknowledged: int  # all changes before are with the reader
    said_ms: int
    alive_ms: int
    expired: Expired = Expired.NO
    floor: int | None = None  # since when CHANGES in the query need the past
    hold: Hold | None = None
    reader: Subscription | None = None

    @property
    def needed(self) -> int:
        """As of when the history has to be readable."""
        return max(self.start, self.acknowledged - 1)

    @property
    def is_reading(self) -> bool:
        return self.reader is not None and not self.reader.over


class DurableSubscriptions:
    """All of a database."""

    def __init__(self, coordinator: "Coordinator") -> None:
        self._coordinator: Final = coordinator
        self._kept: Final[dict[int, Kept]] = {}

    # What there is

    def restore(self, log: "Log") -> None:
        """What the log has of them, before their items are made again."""
        now = self._coordinator.oracle.wall_ms()
        for id, said in log.facts(DURABLE).items():
            start, acknowledged, said_ms, expired = said.split()
            self._kept[int(id)] = Kept(int(start), int(acknowledged), int(said_ms), now, Expired(expired))

    def restored(self) -> None:
        """Everything has hydrated that the past was run through again for."""
        for id in self._kept:
            if self._coordinator.is_live(id):
                self.hydrated(id)
        self.expire()

    def enter(self, item: DurableSubscription, start: int | None, floor: int | None) -> None:
        """The item is published and about to hydrate; one that the log had already goes on."""
        now = self._coordinator.oracle.wall_ms()
        kept = self._kept.setdefault(item.id, Kept(start or 0, start or 0, now, now))
        kept.floor = floor
        if start is not None and item.on is not None:  # it will share the history of what it tells
            self._hold(item.id, kept, item.on)
            self._remember(item.id, kept)

    def hydrated(self, id: int) -> None:
        """The collection of a subscription, if it is one, is there."""
        kept, coordinator = self._kept.get(id), self._coordinator
        if kept is None or kept.expired is not Expired.NO:
            return
        kept.alive_ms = coordinator.oracle.wall_ms()  # nobody could read it before
        if not kept.start:
            if coordinator.replay is not None:
                return  # it begins behind what was
            kept.start = kept.acknowledged = coordinator.cluster.worker.upper
            self._remember(id, kept)
        self._hold(id, kept, id)
        if self._is_lost(id, kept):
            self._expire(id, kept, Expired.LOST)

    def forget(self, id: int) -> None:
        """It is dropped."""
        kept = self._kept.pop(id, None)
        if kept is not None:
            self._let_go(id, kept)
            self._end(kept, UndefinedTable("the durable subscription was dropped"))

    # Reading

    def read(
        self, id: int, columns: tuple[Column, ...], *, resets: bool, progress: bool, up_to: int | None,
        telling: Telling | None,
    ) -> Subscription:  # fmt: skip
        """Its reader from here on; one that there was ends. The collection is live."""
        coordinator = self._coordinator
        kept = self._kept[id]
        self.expire()
        if resets:
            now = coordinator.oracle.wall_ms()
            kept.start = kept.acknowledged = coordinator.cluster.worker.upper
            kept.said_ms, kept.alive_ms, kept.expired = now, now, Expired.NO
            self._hold(id, kept, id)
            self._remember(id, kept)
        elif kept.expired is not Expired.NO:
            raise self._over(id, kept)
        self._end(kept, ObjectInUse("another reader took over the durable subscription"))
        whole = self.is_whole(id)
        kept.reader = coordinator.subscribe(
            Source(id, tuple(column.type for column in columns)), columns, as_of=kept.needed, snapshot=whole,
            progress=progress, up_to=up_to, telling=telling, merges=False,
        )  # fmt: skip
        kept.reader.advance(coordinator.cluster.worker.upper + 1)  # whoever is told of progress knows where it is
        return kept.reader

    def is_whole(self, id: int) -> bool:
        """Whether its next reader is told the snapshot."""
        kept = self._kept[id]
        return kept.acknowledged <= kept.start

    # Acknowledging

    def check(self, id: int, up_to: int) -> None:
        """Raises where that cannot be acknowledged."""
        self.expire()
        kept, upper = self._kept.get(id), self._coordinator.cluster.worker.upper
        if kept is None or not kept.start:
            raise ObjectNotInState(
                "the durable subscription has told nothing yet", hint="mz_durable_subscriptions shows when it has."
            )
        if kept.expired is not Expired.NO:
            raise self._over(id, kept)
        if up_to > upper + 1:
            raise InvalidParameter(
                f"UP TO {up_to} lies ahead of what was told: the last complete time is {upper}",
                hint="UP TO is exclusive: the last time that the reader has, and 1.",
            )

    def acknowledge(self, id: int, up_to: int) -> None:
        """What was checked, once the statement's transaction commits. Less than before is no more than a sign of life,
        and what has expired meanwhile stays so."""
        kept = self._kept.get(id)
        if kept is None or kept.expired is not Expired.NO:
            return
        kept.said_ms = kept.alive_ms = self._coordinator.oracle.wall_ms()
        if up_to > kept.acknowledged:
            kept.acknowledged = up_to
            if kept.hold is not None:
                kept.hold.at = kept.needed
            self._remember(id, kept)

    # Expiring

    def expire(self) -> None:
        """Let go of those that have waited too long, or whose history is not there. O(subscriptions)."""
        for id, kept in self._kept.items():
            if kept.expired is Expired.NO and self._is_overdue(id, kept):
                self._expire(id, kept, Expired.UNACKNOWLEDGED)
            elif kept.expired is Expired.NO and self._is_lost(id, kept):
                self._expire(id, kept, Expired.LOST)

    def states(self) -> Iterator[tuple[int, DurableState]]:
        """What is shown of each."""
        now, upper = self._coordinator.oracle.wall_ms(), self._coordinator.cluster.worker.upper
        for id, kept in sorted(self._kept.items()):
            if kept.expired is not Expired.NO or self._is_overdue(id, kept) or self._is_lost(id, kept):
                state = "expired"
            elif not self._coordinator.is_live(id):
                state = "hydrating"
            else:
                state = "reading" if kept.is_reading else "idle"
            known = kept.acknowledged if kept.start else None
            lag = None if known is None else max(0, upper + 1 - known)
            yield id, DurableState(state, known, max(0, now - kept.said_ms), lag)

    def _is_overdue(self, id: int, kept: Kept) -> bool:
        if not kept.start or not self._coordinator.is_live(id):
            return False
        return self._coordinator.oracle.wall_ms() > kept.alive_ms + self._within(id)

    def _is_lost(self, id: int, kept: Kept) -> bool:
        """Whether the history does not reach back to what is acknowledged. It may yet, while it is run through."""
        coordinator = self._coordinator
        if not kept.start or coordinator.replay is not None or not coordinator.is_live(id):
            return False
        return coordinator.cluster.worker.circuit.since(id) > kept.needed

    def _within(self, id: int) -> int:
        item = self._coordinator.catalog.items.get(id)
        said = item.acknowledge_ms if isinstance(item, DurableSubscription) else None
        return self._coordinator.options.acknowledge_ms_max if said is None else said

    def _expire(self, id: int, kept: Kept, why: Expired) -> None:
        kept.expired = why
        self._let_go(id, kept)
        self._remember(id, kept)
        self._end(kept, self._over(id, kept))

    def _over(self, id: int, kept: Kept) -> ObjectNotInState:
        name = self._coordinator.catalog.items[id].name.item
        if kept.expired is Expired.UNACKNOWLEDGED:
            why = f"nothing was acknowledged within {self._within(id)} ms"
        else:
            why = "what came after what is acknowledged is not known any more"
        return ObjectNotInState(
            f'durable subscription "{name}" has expired: {why}',
            hint=f"SUBSCRIBE USING DURABLE SUBSCRIPTION {name} WITH (RESET) begins anew, with a snapshot.",
        )

    def _end(self, kept: Kept, error: ObjectNotInState | ObjectInUse | UndefinedTable) -> None:
        """Its reader, if there is one, is told why, and nothing else any more."""
        reader, kept.reader = kept.reader, None
        if reader is not None:
            reader.finish(error)
            reader.close()

    # What is kept

    def _hold(self, id: int, kept: Kept, on: int) -> None:
        """The history of collection `on` from what is needed on, however much that is."""
        kept.hold = Hold(kept.needed, FOR_EVER, FOR_EVER)
        self._coordinator.cluster.worker.circuit.hold({on}, self._who(id), kept.hold)

    def _let_go(self, id: int, kept: Kept) -> None:
        """Of the history, which others may share."""
        if kept.hold is not None:
            self._coordinator.cluster.worker.circuit.release({id}, self._who(id), kept.hold)
            kept.hold = None

    @staticmethod
    def _who(id: int) -> str:
        return f"{DURABLE} {id}"

    def _remember(self, id: int, kept: Kept) -> None:
        """In the log. No time that is acknowledged may come again, so its clock is not behind that either."""
        log = self._coordinator.log
        if log is None:
            return
        needed = kept.floor if kept.expired is not Expired.NO else min(kept.needed, kept.floor or kept.needed)
        said = f"{kept.start} {kept.acknowledged} {kept.said_ms} {kept.expired.value}"
        with log.together():
            log.change(facts={(DURABLE, str(id)): said, (NEEDED, str(id)): None if needed is None else str(needed)})
            log.reach(kept.needed)
