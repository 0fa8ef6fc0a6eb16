"""The relations that are copies of tables: how they are read at first, and when they cannot be followed any more.

Law: a copy has no rows before the block in which it begins, and in that one it has all that its table had at one point
of the stream; what the stream says of the table up to there is passed over.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.catalog.sources import PostgresSource
from engine.catalog.upstream import UpstreamTable
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors.feed import Progress
from engine.connectors.postgres import snapshot, upstream
from engine.connectors.postgres.connection import Connection
from engine.connectors.postgres.pending import Pending
from engine.errors import InvalidText, LostInput


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows of a table as they were at a point that the stream has yet to come to; or why there are none."""

    point: int
    rows: list[Batch]
    broken: str | None


@dataclass(slots=True, eq=False)
class Copy:
    """A relation that is a copy of a table. `waiting` until the stream is where its rows were read."""

    id: int
    table: UpstreamTable
    waiting: Waiting | None = None
    broken: str | None = None  # '<sqlstate> <message>'
    places: NDArray[np.int64] | None = None  # of the values in the stream's rows, since it told the relation's columns


class Copies:
    """All of one source. What they are to have goes into `pending`."""

    def __init__(
        self, copies: Iterable[Copy], description: PostgresSource, heap: Heap, progress: Progress, pending: Pending
    ) -> None:
        self._copies: Final = tuple(copies)
        self._description: Final = description
        self._heap: Final = heap
        self._progress: Final = progress
        self._pending: Final = pending

    def of(self, oid: int) -> list[Copy]:
        """Those of a table that can be followed."""
        return [copy for copy in self.sound if copy.table.oid == oid]

    @property
    def sound(self) -> Iterator[Copy]:
        """Those that can be followed."""
        return (copy for copy in self._copies if copy.broken is None)

    @property
    def broken(self) -> list[str]:
        """What is wrong with the others."""
        return [copy.broken.partition(" ")[2] for copy in self._copies if copy.broken is not None]

    @property
    def waiting(self) -> Mapping[int, list[Batch]]:
        """Rows of those that have yet to begin. With the lock of what is pending."""
        return {copy.id: copy.waiting.rows for copy in self._copies if copy.waiting is not None}

    def reset(self) -> None:
        """At the beginning of a stream: it will tell the columns again, and what has not begun is read again."""
        for copy in self._copies:
            copy.places = copy.waiting = None

    def read_all(self, connection: Connection, known: Container[str]) -> int:
        """Make the slot, and read every table as it was where the slot begins: there. `known` are the tokens of those
        that have rows already."""
        snapshot.drop_slot(connection, self._description.slot)
        copies = list(self.sound)
        tables = [copy.table for copy in copies]
        point = snapshot.begin(connection, self._description.slot, False, tables)
        lost = upstream.lost(connection, self._description.publication, tables)
        for copy in copies:
            rows: list[Batch] = []
            copy.waiting = Waiting(point.lsn, rows, None)  # so that a sweep sees them
            reason = self._read(connection, copy, lost.get(copy.table.token), rows)
            if copy.table.token in known:
                self._pending.clear(copy.id)
            self._begin(copy, Waiting(point.lsn, rows, reason))
        snapshot.end(connection)
        return point.lsn

    def read_new(self, connect: Callable[[], Connection], known: Container[str]) -> None:
        """Read the tables that have no copy yet. Their rows wait until the stream is where they were read."""
        new = [copy for copy in self._copies if copy.table.token not in known]
        if not new:
            return
        connection = connect()
        try:
            slot = f"{self._description.slot}_{new[0].table.token}"
            tables = [copy.table for copy in new]
            point = snapshot.begin(connection, slot, True, tables)
            lost = upstream.lost(connection, self._description.publication, tables)
            for copy in new:
                rows: list[Batch] = []
                copy.waiting = Waiting(point.lsn, rows, None)
                reason = self._read(connection, copy, lost.get(copy.table.token), rows)
                copy.waiting = Waiting(point.lsn, rows, reason)
            snapshot.end(connection)
        finally:
            connection.close()

    def _read(self, connection: Connection, copy: Copy, lost: str | None, into: list[Batch]) -> str | None:
        """Read a table; why that is not possible."""
        if lost is not None:
            return lost
        try:
            for batch in snapshot.copy(connection, self._description, copy.table, self._heap):
                with self._pending.lock:
                    into.append(batch)
                self._progress.records += len(batch)
        except InvalidText as error:
            with self._pending.lock:
                into.clear()
            return error.message
        return None

    def due(self, position: int) -> bool:
        """Whether some copy begins before the transaction that commits at a position."""
        return any(copy.waiting is not None and copy.waiting.point <= position for copy in self._copies)

    def begin(self, position: int) -> None:
        """The copies whose rows were read at a point that the stream has come to."""
        for copy in self._copies:
            if copy.waiting is not None and copy.waiting.point <= position:
                self._begin(copy, copy.waiting)

    def _begin(self, copy: Copy, waiting: Waiting) -> None:
        """The copy is complete from the next block on."""
        self._pending.add(copy.id, waiting.rows)
        copy.waiting = None
        self._pending.block.began.add(copy.id)
        self._pending.block.offsets[copy.table.token] = waiting.point
        if waiting.broken is not None:
            self.break_off(copy, waiting.broken)

    def break_off(self, copy: Copy, reason: str) -> None:
        """What the copy holds is not what the table has any more, and never will be."""
        copy.broken = f"{LostInput.sqlstate} table {copy.table} cannot be followed: {reason}"
        self._pending.block.broken[copy.id] = copy.broken
        self._pending.drop(copy.id)
