"""The relations that are copies of tables: how they are read at first, and when they cannot be followed any more.

Law: a copy has no rows before the block in which it begins, and in that one it has all that its table had at one point
of the stream; what the stream says of the table up to there is passed over. A copy that is broken is an error until its
table, as it was again, has been read anew.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.catalog.sources import PostgresSource
from engine.catalog.upstream import UpstreamTable
from engine.collection.heap import Heap
from engine.connectors.feed import Progress, SourceSpec
from engine.connectors.postgres import snapshot, upstream
from engine.connectors.postgres.connection import Connection
from engine.connectors.postgres.pending import Pending
from engine.errors import InvalidText, LostInput

PUBLICATION: Final = "publication"
"""The OID of the publication that the slot is of, among the offsets."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A table was read at a point that the stream has yet to come to, or why that was not possible. `published` is how
    the publication had it there."""

    point: int
    published: int
    broken: str | None = None
    mends: bool = True


@dataclass(slots=True, eq=False)
class Copy:
    """A relation that is a copy of a table. `waiting` until the stream is where its rows were read."""

    id: int
    table: UpstreamTable
    broken: str | None  # '<sqlstate> <message>'
    published: int  # how the publication has had it since its rows were read
    mends: bool = True  # whether it is read anew once the server has the table as it was: not if some value has no room
    waiting: Waiting | None = None
    places: NDArray[np.int64] | None = None  # of the values in the stream's rows, since it told the relation's columns
    given: tuple[str | None, int] = field(init=False)  # `broken` and `published` as of the last block

    def __post_init__(self) -> None:
        self.given = self.broken, self.published


class Copies:
    """All of one source. What they are to have goes into `pending`."""

    def __init__(
        self, spec: SourceSpec, description: PostgresSource, heap: Heap, progress: Progress, pending: Pending,
        offsets: Mapping[str, int], broken: Mapping[int, str],
    ) -> None:  # fmt: skip
        self._copies: Final = tuple(
            Copy(id, table, broken.get(id), offsets.get(_published(table), table.published))
            for id, table in ((id, feed.upstream) for id, feed in spec.feeds)
            if table is not None
        )
        self._description: Final = description
        self._heap: Final = heap
        self._progress: Final = progress
        self._pending: Final = pending

    def of(self, oid: int) -> list[Copy]:
        """Those of a table that are followed, or will be."""
        return [
            copy for copy in self._copies if copy.table.oid == oid and (copy.broken is None or copy.waiting is not None)
        ]

    @property
    def broken(self) -> list[str]:
        """What is wrong with those that are broken."""
        return [copy.broken.partition(" ")[2] for copy in self._copies if copy.broken is not None]

    def reset(self) -> None:
        """At the beginning of a stream: it will tell the columns again, what has not begun is read again, and what
        broke a copy that nobody was told of comes again."""
        for copy in self._copies:
            copy.places = copy.waiting = None
            copy.broken, copy.published = copy.given

    def told(self) -> None:
        """What is pending was given."""
        for copy in self._copies:
            copy.given = copy.broken, copy.published

    def read_all(self, connection: Connection, publication: int, known: Container[str]) -> int:
        """Make the slot, and read every table as it was where the slot begins: there. `known` are the tokens of those
        that have rows already."""
        snapshot.drop_slot(connection, self._description.slot)
        copies = [copy for copy in self._copies if copy.broken is None or copy.mends]
        tables = [copy.table for copy in copies]
        point = snapshot.begin(connection, self._description, self._description.slot, False, tables)
        for copy in copies:
            if copy.broken is None or copy.table.token not in point.found.lost:
                self._begin(copy, self._read(connection, copy, point), copy.table.token in known)
        snapshot.end(connection)
        self._pending.block.offsets[PUBLICATION] = publication
        return point.lsn

    def read_new(self, connect: Callable[[], Connection], copies: Sequence[Copy]) -> None:
        """Read tables beside the stream. Their rows wait until it is where they were read."""
        if not copies:
            return
        connection = connect()
        try:
            slot = f"{self._description.slot}_{copies[0].table.token}"
            tables = [copy.table for copy in copies]
            point = snapshot.begin(connection, self._description, slot, True, tables)
            for copy in copies:
                copy.waiting = self._read(connection, copy, point)
            snapshot.end(connection)
        finally:
            connection.close()

    def _read(self, connection: Connection, copy: Copy, point: snapshot.Point) -> Waiting:
        """Read a table, unless it is lost."""
        token = copy.table.token
        published = point.found.published.get(token, 0)
        if token in point.found.lost:
            return Waiting(point.lsn, published, point.found.lost[token])
        try:
            for batch in snapshot.copy(connection, point, copy.table, self._heap):
                self._pending.add_later(copy.id, batch)
                self._progress.records += len(batch)
        except InvalidText as error:
            self._pending.drop(copy.id)
            return Waiting(point.lsn, published, error.message, mends=False)
        return Waiting(point.lsn, published)

    def due(self, position: int) -> bool:
        """Whether some copy begins before the transaction that commits at a position."""
        return any(copy.waiting is not None and copy.waiting.point <= position for copy in self._copies)

    def begin(self, position: int, known: Container[str]) -> None:
        """The copies whose rows were read at a point that the stream has come to."""
        for copy in self._copies:
            if copy.waiting is not None and copy.waiting.point <= position:
                self._begin(copy, copy.waiting, copy.table.token in known)

    def _begin(self, copy: Copy, waiting: Waiting, anew: bool) -> None:
        """The copy is complete from the next block on."""
        self._pending.begin(copy.id, anew)
        if copy.broken is not None:
            copy.broken = self._pending.block.broken[copy.id] = None
        copy.waiting, copy.published = None, waiting.published
        self._pending.block.offsets[copy.table.token] = waiting.point
        self._pending.block.offsets[_published(copy.table)] = waiting.published
        if waiting.broken is not None:
            self.break_off(copy, waiting.broken, waiting.mends)

    def break_off(self, copy: Copy, reason: str, mends: bool = True) -> None:
        """What the copy holds is not what the table has any more."""
        copy.broken = f"{LostInput.sqlstate} table {copy.table} cannot be followed: {reason}"
        copy.mends = mends
        self._pending.block.broken[copy.id] = copy.broken
        self._pending.drop(copy.id)

    def look(self, connection: Connection, copies: Iterable[Copy]) -> None:
        """Break off those that the server has otherwise than when their rows were read."""
        sound = [copy for copy in copies if copy.broken is None and copy.waiting is None]
        found = upstream.compared(connection, self._description.publication, [copy.table for copy in sound])
        for copy in sound:
            token = copy.table.token
            if token in found.lost:
                self.break_off(copy, found.lost[token])
            elif found.published[token] != copy.published:
                name = self._description.publication
                self.break_off(copy, f'publication "{name}" was changed, and may not have had it for a while')

    def unread(self, connection: Connection, known: Container[str]) -> list[Copy]:
        """Those whose tables are to be read: new ones, and broken ones whose tables are again as they were. Looks at
        them all."""
        self.look(connection, (copy for copy in self._copies if copy.table.token in known))
        broken = [copy for copy in self._copies if copy.broken is not None and copy.mends and copy.waiting is None]
        found = upstream.compared(connection, self._description.publication, [copy.table for copy in broken])
        mended = [copy for copy in broken if copy.table.token not in found.lost and copy.table.token in known]
        return [*(copy for copy in self._copies if copy.table.token not in known and copy.waiting is None), *mended]


def _published(table: UpstreamTable) -> str:
    """Under which its copy's `published` is among the offsets."""
    return f"{table.token} published"
