"""Transactions of the upstream: records wait until theirs has ended and all of it is there.

Law    what is given out is whole transactions, each once, in the order in which their ENDs stand in the topic of
       transactions; within one by the order that it gave its events. Records without a transaction wait for nothing.
Steps  `upto` is an offset of that topic: what ended before it was given out. It goes from END to END, and over a whole
       STRIDE of offsets where all of it is there: so all sources of the topic stop at each multiple of it, and none has
       to take small steps to catch up.
State  records that wait, and the last ENDED_MAX transactions: what Debezium sends again of those is passed over. A
       process that comes later reads again from the first record that waits.
"""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.connectors.kafka.batches import Records
from engine.errors import SourceError

STRIDE: Final = 256
"""Offsets of the topic: some 128 transactions, each a BEGIN and an END."""

ENDED_MAX: Final = 1024
"""Debezium sends again what it had not noted as sent: seconds, or some thousand changes."""

AHEAD_BYTES: Final = 64 << 20
"""What waits before no more is read until an END is known."""

UPTO: Final = "transactions"
"""What `upto` is called among the offsets that the log keeps: "transactions@topic id"."""
ENDED: Final = "ended"
"""The same of the last transactions: "ended/i"; and of how many there were."""


class End(NamedTuple):
    """A transaction has ended: where that is said, its id, and how many events of ours it has."""

    offset: int
    id: str
    events: int


@dataclass(slots=True)
class _Waiting:
    """The records of a transaction, and which of its events each is."""

    parts: list[Records] = field(default_factory=list)
    orders: list[NDArray[np.int64]] = field(default_factory=list)
    first: dict[int, int] = field(default_factory=dict)  # by partition, the first offset

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    def events(self) -> NDArray[np.int64]:
        """Different events that are there."""
        return np.unique(np.concatenate(self.orders))

    def whole(self) -> Records:
        """Each event once, in its order: one that was sent again is as it was first."""
        _, rows = np.unique(np.concatenate(self.orders), return_index=True)
        return Records.together(self.parts).take(rows)


class Awaited(NamedTuple):
    """A transaction that others wait for: `there` are its events that are there, `events` how many it has; None: that
    it has ended is not said."""

    id: str
    there: int
    events: int | None


class Step(NamedTuple):
    """Transactions that are whole, and up to where they are all."""

    records: Records
    ends: Sequence[End]
    upto: int


class Transactions:
    """See the file's head."""

    def __init__(self, collection: str, kept: Mapping[str, int], bytes_max: int) -> None:
        self._collection = collection
        self._bytes_max = bytes_max
        self.upto = max((at for name, at in kept.items() if name.startswith(f"{UPTO}@")), default=0)
        self._count = kept.get(ENDED, 0)
        self._ended = {kept[name]: 0 for i in range(ENDED_MAX) if (name := f"{ENDED}/{i}") in kept}
        self._told: dict[str, int] = {}  # of `_ended`, what the log does not have
        self._ends: deque[End] = deque()
        self._known = self.upto  # ENDs before there are known
        self._waiting: dict[str, _Waiting] = {}
        self._bytes = 0

    def forget(self) -> None:
        """Records that come are of another topic."""
        self._waiting.clear()
        self._bytes = 0

    @property
    def ahead(self) -> bool:
        """Whether records should wait where they are: there is no END to find more of."""
        return not self._ends and self._bytes > AHEAD_BYTES

    def hear(self, ends: Sequence[End], known: int) -> None:
        """More of the topic, which is read before `known`."""
        self._ends.extend(ends)
        self._known = max(known, self._known)

    def hold(self, records: Records, ids: Sequence[str | None], orders: NDArray[np.int64]) -> None:
        """Keep records, each of the transaction with that id. SourceError when too much waits."""
        by_id: dict[str, list[int]] = {}
        for row, id in enumerate(ids):
            if id is not None:
                by_id.setdefault(id, []).append(row)
        for id, rows in by_id.items():
            if _hash(id) in self._ended:
                continue
            at = np.array(rows, np.int64)
            part = records.take(at).compact()
            waiting = self._waiting.setdefault(id, _Waiting())
            waiting.parts.append(part)
            waiting.orders.append(orders[at])
            for partition, offset in zip(part.partitions.tolist(), part.offsets.tolist(), strict=True):
                waiting.first[partition] = min(offset, waiting.first.get(partition, offset))
            self._bytes += part.bytes
        if self._bytes > self._bytes_max:
            raise SourceError(
                f"more than transaction_bytes_max ({self._bytes_max}) bytes wait for the end of their transactions",
                hint="Start the server with a larger one. Nothing is lost.",
            )

    def step(self) -> Step | None:
        """The next transactions, perhaps none; None while the next one lacks records. They wait until `give`."""
        stop = (self.upto // STRIDE + 1) * STRIDE
        if self._known >= stop:
            within = [end for end in self._ends if end.offset < stop]
            if all(self._complete(end) for end in within):
                return self._step(within, stop)
        if self._ends and self._complete(self._ends[0]):
            return self._step([self._ends[0]], self._ends[0].offset + 1)
        return None

    def give(self, step: Step) -> None:
        """It was given out: move `upto`."""
        for end in step.ends:
            self._ends.popleft()
            waiting = self._waiting.pop(end.id, None)
            self._bytes -= 0 if waiting is None else waiting.bytes
            self._end(_hash(end.id))
        self.upto = step.upto

    @property
    def awaited(self) -> Awaited | None:
        """What the next step waits for; where none does, the first transaction that has not ended."""
        end = next(iter(self._ends), None)
        id = next(iter(self._waiting), None) if end is None else end.id
        if id is None or (end is not None and self._complete(end)):
            return None
        waiting = self._waiting.get(id)
        return Awaited(id, 0 if waiting is None else len(waiting.events()), None if end is None else end.events)

    def held(self) -> Mapping[int, int]:
        """By partition the first offset of a record that waits."""
        held: dict[int, int] = {}
        for waiting in self._waiting.values():
            for partition, offset in waiting.first.items():
                held[partition] = min(offset, held.get(partition, offset))
        return held

    def kept(self, topic_id: str) -> dict[str, int]:
        """What is kept with the offsets."""
        told, self._told = self._told, {}
        return {f"{UPTO}@{topic_id}": self.upto, ENDED: self._count, **told}

    def _complete(self, end: End) -> bool:
        if not end.events or _hash(end.id) in self._ended:
            return True
        waiting = self._waiting.get(end.id)
        there = 0 if waiting is None else len(waiting.events())
        if there > end.events:
            raise SourceError(
                f"transaction {end.id} has {there} events in the topic, but its END says {end.events} of "
                f'"{self._collection}"',
                hint="COLLECTION is what Debezium calls the table: 'schema.table'.",
            )
        return there == end.events

    def _step(self, ends: Sequence[End], upto: int) -> Step:
        fresh = [end.id for end in ends if _hash(end.id) not in self._ended and end.id in self._waiting]
        return Step(Records.together([self._waiting[id].whole() for id in dict.fromkeys(fresh)]), ends, upto)

    def _end(self, id: int) -> None:
        """Remember it in the place of the oldest."""
        if id in self._ended:
            return
        self._ended[id] = 0
        self._told[f"{ENDED}/{self._count % ENDED_MAX}"] = id
        self._count += 1
        if len(self._ended) > ENDED_MAX:
            self._ended.pop(next(iter(self._ended)))


def _hash(id: str) -> int:
    return int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest(), "little", signed=True)
