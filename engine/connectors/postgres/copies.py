"""The relations that are copies of tables: how they are read at first, and when they cannot be followed any more.

Law: a copy has no rows before the block in which it begins, and in that one it has all that its table had at one point
of the stream; what the stream says of the table up to there is passed over.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.catalog.sources import PostgresSource
from engine.catalog.upstream import UpstreamTable
from engine.collection.heap import Heap
from engine.connectors.feed import Progress
from engine.connectors.postgres import snapshot, upstream
from engine.connectors.postgres.connection import Connection
from engine.connectors.postgres.pending import Pending
from engine.errors import InvalidText, LostInput


@dataclass(frozen=True, slots=True)
class Waiting:
    """A table was read at a point that the stream has yet to come to, or why that was not possible."""

    point: int
    broken: str | None = None


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

    def reset(self) -> None:
        """At the beginning of a stream, before what is pending is reset: it will tell the columns again, what has not
        begun is read again, and what broke a copy that nobody was told of comes again."""
        for copy in self._copies:
            copy.places = copy.waiting = None
            if copy.id in self._pending.block.broken:
                copy.broken = None

    def read_all(self, connection: Connection, known: Container[str]) -> int:
        """Make the slot, and read every table as it was where the slot begins: there. `known` are the tokens of those
        that have rows already."""
        snapshot.drop_slot(connection, self._description.slot)
        copies = list(self.sound)
        tables = [copy.table for copy in copies]
        point = snapshot.begin(connection, self._description.slot, False, tables)
        lost = upstream.lost(connection, self._description.publication, tables)
        for copy in copies:
            if copy.table.token in known:
                self._pending.clear(copy.id)
            self._begin(copy, self._read(connection, copy, point.lsn, lost.get(copy.table.token)))
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
                copy.waiting = self._read(connection, copy, point.lsn, lost.get(copy.table.token))
            snapshot.end(connection)
        finally:
            connection.close()

    def _read(self, connection: Connection, copy: Copy, point: int, lost: str | None) -> Waiting:
        """Read a table, unless it is lost."""
        if lost is not None:
            return Waiting(point, lost)
        try:
            for batch in snapshot.copy(connection, self._description, copy.table, self._heap):
                self._pending.add_later(copy.id, batch)
                self._progress.records += len(batch)
        except InvalidText as error:
            self._pending.drop(copy.id)
            return Waiting(point, error.message)
        return Waiting(point)

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
        self._pending.begin(copy.id)
        copy.waiting = None
        self._pending.block.offsets[copy.table.token] = waiting.point
        if waiting.broken is not None:
            self.break_off(copy, waiting.broken)

    def break_off(self, copy: Copy, reason: str) -> None:
        """What the copy holds is not what the table has any more, and never will be."""
        copy.broken = f"{LostInput.sqlstate} table {copy.table} cannot be followed: {reason}"
        self._pending.block.broken[copy.id] = copy.broken
        self._pending.drop(copy.id)
