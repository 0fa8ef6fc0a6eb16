"""ENVELOPE MATERIALIZE: updates wait until it is known that their time has them all.

Law    what was given out is all updates of the times below the frontier, each once, and nothing else; whatever order
       messages come in and however often. The frontier passes a time when statements from the frontier on cover it and
       it has as many different updates as they say. So records that are read again change nothing.
State  updates and statements that wait; what waits for a statement that never comes waits for ever. Offsets are held
       back to the first record that waits, and the frontier is kept beside them: a new process reads those again.
Cost   O(updates), amortised: duplicates are thrown out when a time may be complete, or when there is twice as much.
From   McSherry, "Change Data Capture (part 1)", 2020; the protocol is Materialize's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.connectors.cdc import Heard, Statement, rows_of, times_of
from engine.errors import SourceError
from engine.types import Column

FRONTIER: Final = "frontier"
"""What the frontier is called among the offsets that the log keeps."""

SPARE: Final = 1024
"""Updates that may wait before it is worth a look whether some are there twice."""


@dataclass(slots=True)
class _Waiting:
    """A statement, and the first record that has it: (partition, offset)."""

    statement: Statement
    place: tuple[int, int]


class Settling:
    """See the file's head. `columns` are those of the relation."""

    def __init__(self, columns: tuple[Column, ...], frontier: int) -> None:
        self._columns = columns
        self.frontier = frontier
        self.forget()

    def forget(self) -> None:
        """What waits will not be completed: the topic is another one."""
        self._parts: list[Batch] = []
        self._different = 0  # of the updates in the parts, when it was last looked
        self._counts: dict[int, int] = {}  # of the updates in the parts by time, those that are there twice included
        self._first: dict[int, dict[int, int]] = {}  # by time and partition, the first offset that has updates of it
        self._statements: list[_Waiting] = []

    def hear(self, heard: Heard, partitions: np.ndarray, offsets: np.ndarray) -> Batch:
        """The changes that some messages complete; by message its partition and offset. SourceError when they
        contradict what was heard before."""
        updates = heard.updates
        fresh = np.flatnonzero(times_of(updates) >= self.frontier)
        if len(fresh):
            self._add(updates.take(fresh), partitions[heard.messages[fresh]], offsets[heard.messages[fresh]])
        known = {each.statement for each in self._statements}
        for message, statement in heard.statements.items():
            if statement.upper > self.frontier and statement not in known:
                known.add(statement)
                place = int(partitions[message]), int(offsets[message])
                self._statements.append(_Waiting(statement, place))
        return self._settle()

    def held(self) -> Mapping[int, int]:
        """By partition the first offset of a record that waits."""
        held: dict[int, int] = {}
        places = [place for at in self._first.values() for place in at.items()]
        for partition, offset in (*places, *(each.place for each in self._statements)):
            held[partition] = min(offset, held.get(partition, offset))
        return held

    def mark(self, marks: Marks) -> None:
        """Keep the codes of what waits."""
        for part in self._parts:
            part.mark(marks, [column.type for column in self._columns])

    def _add(self, updates: Batch, partitions: np.ndarray, offsets: np.ndarray) -> None:
        self._parts.append(updates)
        times = times_of(updates)
        places, firsts = np.unique(np.stack([times, partitions]), axis=1, return_index=True)
        for time, partition, at in zip(*places.tolist(), firsts.tolist(), strict=True):
            by_partition = self._first.setdefault(time, {})
            by_partition[partition] = min(int(offsets[at]), by_partition.get(partition, int(offsets[at])))
        for time, count in zip(*(each.tolist() for each in np.unique(times, return_counts=True)), strict=True):
            self._counts[time] = self._counts.get(time, 0) + count
        if sum(map(len, self._parts)) > 2 * self._different + SPARE:
            self._differ()

    def _differ(self) -> Batch:
        """The updates that wait, each once. Equal ones count as one, so sums of copies are ones again."""
        whole = Batch.concat(self._parts).consolidate()
        whole = Batch(whole.words, np.ones(len(whole), np.int64), whole.columns, consolidated=True)
        self._parts, self._different = [whole], len(whole)
        times, counts = np.unique(times_of(whole), return_counts=True)
        self._counts = dict(zip(times.tolist(), counts.tolist(), strict=True))
        return whole

    def _settle(self) -> Batch:
        """Move the frontier as far as it goes; the changes that it passes."""
        until, wanted = self._covered()
        none = Batch.empty(len(self._columns))
        if until == self.frontier:
            return none
        complete = self._until(until, wanted)
        times: np.ndarray = np.zeros(0, np.int64)
        passed = none
        if complete > self.frontier and any(time < complete for time in self._counts):
            whole = self._differ()
            complete = self._until(complete, wanted, exactly=True)
            times = times_of(whole)
            passed = rows_of(whole.take(times < complete))
            self._parts = [whole.take(times >= complete)]
            self._different = len(self._parts[0])
            self._counts = {time: count for time, count in self._counts.items() if time >= complete}
            self._first = {time: places for time, places in self._first.items() if time >= complete}
        self.frontier = complete
        self._statements = [each for each in self._statements if each.statement.upper > complete]
        return passed

    def _covered(self) -> tuple[int, dict[int, int]]:
        """(up to where statements follow one another from the frontier on, how many updates they say by time)."""
        until = self.frontier
        wanted: dict[int, int] = {}
        for each in sorted(self._statements, key=lambda each: each.statement.lower):
            statement = each.statement
            if statement.lower > until:
                break
            said = {time: count for time, count in statement.counts if count and time >= self.frontier}
            known = {time: count for time, count in wanted.items() if statement.lower <= time < statement.upper}
            if known != {time: count for time, count in said.items() if time < until}:
                raise SourceError(
                    f"two statements about the times from {statement.lower} to {min(until, statement.upper)} differ in "
                    "how many updates there are",
                    hint="Who writes the topic must say the same of a time whenever it is said.",
                )
            wanted |= said
            until = max(until, statement.upper)
        return until, wanted

    def _until(self, until: int, wanted: Mapping[int, int], exactly: bool = False) -> int:
        """The first time below `until` that lacks updates; or `until`. SourceError when, each counted once, there are
        `exactly` more than there should be."""
        lacking = min((time for time, count in wanted.items() if self._counts.get(time, 0) < count), default=until)
        until = min(until, lacking)
        if exactly:
            for time, count in sorted(self._counts.items()):
                if time < until and count != wanted.get(time, 0):
                    raise SourceError(
                        f"there are {count} different updates at time {time}, but statements say {wanted.get(time, 0)}",
                        hint="Who writes the topic must write one update of a row and time, and count it.",
                    )
        return until
