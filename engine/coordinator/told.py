"""What a sink has told its topic: the changes that it wrote, by transaction.

Law: `contents` is the sum of what readers of the topic see, as soon as it is known how the last transaction ended. A
transaction is kept before it is begun, so whoever comes after a crash knows both ways it may have gone: with it, or
(`take_back`) without. With a data directory the log keeps it, or else this process, which its topic outlives.
"""

import sys
from typing import Final, Protocol

from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.coordinator.record import packed, unpacked
from engine.durable.log import NO_DIGEST, TOPICS, Log
from engine.types import Column


class Told(Protocol):
    """Under the tick lock, all of it."""

    @property
    def number(self) -> int:
        """That of the last transaction that was kept; 0: none."""
        ...

    @property
    def digest(self) -> int:
        """What tells what it was to write from what a copy of the data directory has another server write."""
        ...

    @property
    def topics(self) -> str | None:
        """Which topics are told, by the ids that they have; None: that is not known yet."""
        ...

    def tells(self, topics: str) -> None:
        """Keep which they are."""
        ...

    def tell(self, change: Batch) -> None:
        """Keep what the next transaction is to write."""
        ...

    def take_back(self) -> Batch:
        """The last transaction was not committed: what it was to write."""
        ...

    def contents(self) -> Batch:
        """The sum of all transactions."""
        ...

    def mark(self, marks: Marks) -> None:
        """Keep the heap codes that are held here."""
        ...


class Logged:
    """In the log. O(change) a transaction; many are put together when a process reads them first."""

    def __init__(self, log: Log, id: int, columns: tuple[Column, ...], heap: Heap) -> None:
        self._log: Final = log
        self._id: Final = id
        self._columns: Final = columns
        self._heap: Final = heap

    @property
    def number(self) -> int:
        return self._log.told(self._id)[0]

    @property
    def digest(self) -> int:
        return self._log.told(self._id)[1]

    @property
    def topics(self) -> str | None:
        return self._log.facts(TOPICS).get(str(self._id))

    def tells(self, topics: str) -> None:
        self._log.change(facts={(TOPICS, str(self._id)): topics})

    def tell(self, change: Batch) -> None:
        self._log.tell(self._id, self.number + 1, packed(change, self._columns, self._heap))

    def take_back(self) -> Batch:
        *_, last = self._log.writes(self._id)
        self._log.untell(self._id, self.number - 1)
        return unpacked(last, self._columns, self._heap)

    def contents(self) -> Batch:
        parts = [unpacked(rows, self._columns, self._heap) for rows in self._log.writes(self._id)]
        whole = Batch.concat([Batch.empty(len(self._columns)), *parts]).consolidate()
        last = self._log.to_compact(self._id, sys.maxsize, sys.maxsize)
        if last is not None:
            self._log.compact(self._id, last, packed(whole, self._columns, self._heap))
        return whole

    def mark(self, marks: Marks) -> None:
        """Nothing here is on the heap."""


class Remembered:
    """In memory: the last transaction, and the sum of those before, added up when they have doubled."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._columns: Final = columns
        self._parts = [Batch.empty(len(columns))]
        self._last = Batch.empty(len(columns))
        self._settled = 0
        self.number = 0
        self.digest = NO_DIGEST  # nobody else has this sink's identity
        self.topics: str | None = None

    def tells(self, topics: str) -> None:
        self.topics = topics

    def tell(self, change: Batch) -> None:
        self._parts.append(self._last)
        self._last = change
        self.number += 1
        if sum(map(len, self._parts)) > 2 * self._settled + 1024:
            self._parts = [Batch.concat(self._parts).consolidate()]
            self._settled = len(self._parts[0])

    def take_back(self) -> Batch:
        taken, self._last = self._last, Batch.empty(len(self._columns))
        self.number -= 1
        return taken

    def contents(self) -> Batch:
        return Batch.concat([*self._parts, self._last]).consolidate()

    def mark(self, marks: Marks) -> None:
        for batch in (*self._parts, self._last):
            batch.mark(marks, [column.type for column in self._columns])
