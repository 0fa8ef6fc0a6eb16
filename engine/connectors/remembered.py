"""Deduplication 'full': every change of Debezium's that was seen is remembered, not only how far its log was.

Law    a change is seen again when one of the same content was seen at the same place of the upstream's log, however far
       back; of a snapshot, whose rows have no place, when a row of the same key was. So changes that come out of order
       are taken, each once.
Range  changes from `start` to `end` are told so, by the time of their records; others by the greatest place alone
       (debezium.Seen). From `pad_start` on they are remembered, for `start` to know what came before it. What a
       partition remembers ends with its first record after `end`, and from there on places decide again.
State  8 bytes a change here, and a row of the relation <source>_seen: it is kept with the source's rows, so that
       another process remembers the same.
Cost   O(log n) a change.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.catalog.sources import Between
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.connectors.debezium import Places
from engine.kernels.hash import hash_rows
from engine.types import Column

SEEN_COLUMNS: Final = (
    Column("topic", types.TEXT, nullable=False),
    Column("partition", types.INTEGER, nullable=False),
    Column("change", types.BIGINT, nullable=False),
)
"""The relation of what was seen: the topic's id, and a hash of place and content."""

PLACED, KEYED = 1, 2


class Known:
    """Numbers that were seen: sorted runs, each at most half as long as the one before. 8 bytes each."""

    def __init__(self, numbers: NDArray[np.int64] | None = None) -> None:
        self._runs: list[NDArray[np.int64]] = [] if numbers is None or not len(numbers) else [np.unique(numbers)]

    def add(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the numbers are here for the first time; all of them are known from then on."""
        different, first = np.unique(numbers, return_index=True)
        unknown = np.ones(len(different), np.bool_)
        for run in self._runs:
            at = np.minimum(np.searchsorted(run, different), len(run) - 1)
            unknown &= run[at] != different
        new = different[unknown]
        while self._runs and len(self._runs[-1]) < 2 * len(new):
            new = np.sort(np.concatenate([self._runs.pop(), new]))
        if len(new):
            self._runs.append(new)
        fresh = np.zeros(len(numbers), np.bool_)
        fresh[first[unknown]] = True
        return fresh

    def numbers(self) -> NDArray[np.int64]:
        """All that are known."""
        return np.concatenate([np.empty(0, np.int64), *self._runs])


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What is known of n changes: the partition and the time (ms) of their records, their place, a hash of what they
    say, and of the record's key where there is one."""

    partitions: NDArray[np.int64]
    times: NDArray[np.int64]
    places: Places
    contents: NDArray[np.int64]
    keys: NDArray[np.int64]
    keyed: NDArray[np.bool_]


class Remembered:
    """What every partition of a topic has seen. `between` None: of all times."""

    def __init__(self, between: Between | None, heap: Heap) -> None:
        self._between = between
        self._heap = heap
        self._kept: dict[str, dict[int, NDArray[np.int64]]] = {}
        self.restart("", ())

    def restore(self, rows: Batch) -> None:
        """What another process remembered."""
        topics, partitions, changes = (rows.vector(i).words for i in range(3))
        for code in np.unique(topics).tolist():
            mine = self._kept.setdefault(self._heap.get(code).decode(), {})
            for partition in np.unique(partitions[topics == code]).tolist():
                mine[partition] = changes[(topics == code) & (partitions == partition)].view(np.int64)

    def restart(self, topic: str, over: Iterable[int]) -> None:
        """Records that come are of this topic; its partitions `over` are past the end of the range."""
        self._topic = topic
        self.over: set[int] = set(over)
        self._known = {number: Known(kept) for number, kept in self._kept.pop(topic, {}).items()}
        self._change: list[Batch] = []

    def again(self, facts: Facts, behind: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which changes were seen before; `behind`: which would have been by their place alone."""
        found = behind.copy()
        for partition in np.unique(facts.partitions).tolist():
            if partition not in self.over:
                rows = np.flatnonzero(facts.partitions == partition)
                found[rows] = self._of_partition(partition, rows, facts, behind[rows])
        return found

    def change(self) -> Batch:
        """What became of the relation of what was seen, since it was asked last."""
        parts, self._change = self._change, []
        return Batch.concat(parts) if parts else Batch.empty(len(SEEN_COLUMNS))

    def _of_partition(
        self, partition: int, rows: NDArray[np.int64], facts: Facts, behind: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        times, placed = facts.times[rows], facts.places.known[rows]
        there = placed | facts.keyed[rows]
        trusted = there
        after: NDArray[np.int64] = np.empty(0, np.int64)
        if self._between is not None:
            after = np.flatnonzero(placed & (times > self._between.end_ms))
            until = np.arange(len(rows)) <= (after[0] if len(after) else len(rows))
            there = until & (np.where(placed, times >= self._between.pad_start_ms, there))
            trusted = there & np.where(placed, times >= self._between.start_ms, True)
        at = np.flatnonzero(there)
        numbers = _numbers(facts, rows[at])
        fresh = self._known.setdefault(partition, Known()).add(numbers)
        self._tell(partition, numbers[fresh], 1)
        found = behind.copy()
        found[at] = np.where(trusted[at], ~fresh, behind[at])
        if len(after):
            self._tell(partition, self._known.pop(partition).numbers(), -1)
            self.over.add(partition)
        return found

    def _tell(self, partition: int, numbers: NDArray[np.int64], diff: int) -> None:
        n = len(numbers)
        if n:
            topic = np.full(n, self._heap.intern(self._topic.encode()), np.uint64)
            columns = [Vector(topic), Vector(np.full(n, partition, np.uint64)), Vector(numbers.view(np.uint64))]
            self._change.append(Batch.from_vectors(columns, np.full(n, diff, np.int64)))


def _numbers(facts: Facts, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for what each change is known again by."""
    placed = facts.places.known[rows]
    parts = [np.where(placed, part, 0) for part in facts.places.parts[:, rows]]
    told = np.where(placed, facts.contents[rows], facts.keys[rows])
    words = [np.where(placed, PLACED, KEYED), told, *parts]
    return hash_rows(np.ascontiguousarray(np.array(words, np.int64)).view(np.uint64)).view(np.int64)
