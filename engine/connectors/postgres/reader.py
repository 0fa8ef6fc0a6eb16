"""A publication being read: a consistent snapshot of its tables, then each transaction as it committed.

Law: a block that `poll` gives has whole transactions of the server, all that committed up to the position that comes
with it, over all tables. Whoever commits block and position together can be killed at any time and goes on without a
change missing or applied twice. The server is told a position only when it was committed here: it keeps what comes
after that.

A slot that is gone, or of which the server has deleted what was to come, is made anew, and the difference between what
is here and what is there is one block. What a copy of a table cannot follow breaks that copy, and no other.
"""

import struct
import time
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from engine.catalog.sources import PostgresSource
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.vector import Vector
from engine.connectors.feed import PROGRESS, Decoded, Progress, Resolve, SourceSpec
from engine.connectors.postgres import changes, snapshot, upstream
from engine.connectors.postgres.changes import Gathered, Relation
from engine.connectors.postgres.connection import Bell, Connection, Interrupted
from engine.connectors.postgres.copies import PUBLICATION, Copies
from engine.connectors.postgres.held import Room
from engine.connectors.postgres.pending import Pending
from engine.connectors.postgres.quoting import literal, quoted
from engine.errors import DiskFull, InvalidText, SourceError

LSN: Final = "lsn"
"""What the position is called among the offsets; those by a table's token say where its copy began."""

POLL_SECONDS: Final = 0.5
"""How long a poll waits for something to come."""
CHUNK_BYTES: Final = 8 << 20
"""Of a transaction that is under way: decoded, and held as columns until it has committed."""
REPORT_SECONDS: Final = 1.0
"""Between two words to the server when nothing happens, and between two blocks that only move the position."""
CONFIRM_SECONDS: Final = 0.1
"""The same when there is a position to confirm."""
VERIFY_SECONDS: Final = 10.0
"""Between two looks at what the server does not tell: tables that were dropped or left the publication."""
RETRY_SECONDS: Final = 1.0
"""Between two attempts at a server that cannot be reached, or that says no."""
RETRY_FULL_SECONDS: Final = 60.0
"""Between two attempts at what the disk had no room for: each reads it from its beginning."""
FORGET_SECONDS_MAX: Final = 10.0
"""How long the slot of a dropped source may be in use: by our own connection, which the server has yet to miss."""

EPOCH_SECONDS: Final = 946_684_800
"""PostgreSQL counts from the year 2000."""
REPORT: Final = struct.Struct(">cQQQqB")
"""Standby status update: written, flushed, applied, the time, whether an answer is wanted."""
DATA, KEEP_ALIVE = b"wk"
HEAD: Final = 25
"""Of XLogData: what comes before the message."""


class PostgresReader:
    """Reader of one publication; see feed.Reader for the protocol."""

    idle_seconds: float = 0.0
    retry_seconds: float = RETRY_SECONDS
    finished: bool = False

    def __init__(
        self,
        spec: SourceSpec,
        description: PostgresSource,
        heap: Heap,
        offsets: Mapping[str, int],
        broken: Mapping[int, str],
        resolve: Resolve,
        room: Room,
    ) -> None:
        self._description: Final = description
        self._heap: Final = heap
        self._resolve: Final = resolve
        self._progress_id: Final = spec.collection(PROGRESS)
        self._pending: Final = Pending({id: feed.columns for id, feed in spec.feeds}, room, self._keep_up)
        self._bell = Bell()
        self._offsets: Final = dict(offsets)  # as of the last block that was given
        self._told = offsets.get(LSN)  # what the progress relation says
        self._durable = offsets.get(LSN, 0)
        self._progress: Final = Progress(description.slot, position=self._durable, known=self._durable)
        self._copies: Final = Copies(spec, description, heap, self._progress, self._pending, offsets, broken)
        self._measured = time.monotonic(), 0
        self._stream: Connection | None = None
        self._catalog: Connection | None = None
        self._reset()

    def _reset(self) -> None:
        """At the beginning of a stream."""
        self._copies.reset()
        self._pending.reset()
        self._gathered = Gathered()
        self._boundary: tuple[int, int] | None = None  # messages gathered up to the last commit, and its position
        self._open = False  # whether a transaction is under way
        self._idle = 0  # up to there is nothing for us
        self._stashed: memoryview | None = None
        self._reported = (0.0, 0)  # when, and what was confirmed
        self._advanced = 0.0
        self._verified = time.monotonic()

    # The protocol

    @property
    def complaint(self) -> SourceError | None:
        """What is wrong with some table, while the others are followed."""
        broken = self._copies.broken
        if not broken:
            return None
        return SourceError(
            "; ".join(broken),
            hint="Once the server has the table as it was, it is copied anew by itself. As it is there now: drop its "
            "relation here, and copy the table again, ALTER SOURCE ... ADD SUBSOURCE.",
        )

    def poll(self) -> Decoded | None:
        self._pending.passed_on()
        try:
            if self._stream is None:
                return self._begin()
            return self._receive(self._stream)
        except Interrupted:
            return None
        except SourceError as error:
            self.retry_seconds = RETRY_FULL_SECONDS if isinstance(error, DiskFull) else RETRY_SECONDS
            self._let_go()
            raise

    def progress(self) -> Mapping[str, Progress]:
        return {LSN: self._progress}

    def interrupt(self) -> None:
        self._bell.ring(stop=True)

    def committed(self, offsets: Mapping[str, int]) -> None:
        if LSN in offsets:
            self._durable = offsets[LSN]
            self._bell.ring()

    def pace(self, rows: int) -> None:
        """A transaction is a block."""

    def keep_alive(self) -> None:
        if self._stream is not None and time.monotonic() >= self._reported[0] + REPORT_SECONDS:
            try:
                self._report(self._stream)
            except (SourceError, Interrupted):
                self._let_go()

    def mark(self, marks: Marks) -> None:
        self._pending.mark(marks)

    def forget(self) -> None:
        self._let_go()
        self._bell.close()
        self._bell = Bell()
        deadline = time.monotonic() + FORGET_SECONDS_MAX
        while True:
            try:
                connection = Connection(self._description.connection, self._resolve, self._bell)
                try:
                    snapshot.drop_slot(connection, self._description.slot)
                    return
                finally:
                    connection.close()
            except SourceError:
                if time.monotonic() >= deadline:
                    return  # docs/sources.md says how to find slots that nobody reads
                time.sleep(0.1)

    def close(self) -> None:
        self._let_go()
        self._bell.close()

    def _let_go(self) -> None:
        for connection in (self._stream, self._catalog):
            if connection is not None:
                connection.close()
        self._stream = self._catalog = None
        self._reset()

    # Where the stream begins

    def _begin(self) -> Decoded | None:
        """Begin to receive where the last block ended, or with a snapshot of everything."""
        connection = self._connect()
        try:
            self._check_system(connection)
            publication = upstream.check_server(connection, self._description)
            at, slot = self._offsets.get(LSN), snapshot.slot_of(connection, self._description.slot)
            if (
                at is None or slot is None or slot.lost
                or self._offsets.get(PUBLICATION, publication) != publication  # the slot's log is of another
                or slot.confirmed > at  # somebody else went on with it
                or snapshot.written(connection) < at  # the server was put back to an earlier state
            ):  # fmt: skip
                at = self._copies.read_all(connection, publication, self._offsets)
            else:
                self._copies.read_new(self._connect, self._copies.unread(connection, self._offsets))
            self._start(connection, at)
        except BaseException:
            connection.close()
            raise
        self._stream = connection
        return self._decoded(at) if self._pending.block.began else None

    def _connect(self) -> Connection:
        return Connection(self._description.connection, self._resolve, self._bell, replication=True)

    def _check_system(self, connection: Connection) -> None:
        identifier = connection.query("IDENTIFY_SYSTEM")[0][0]
        if identifier != self._description.system:
            raise SourceError(
                f"the server is another one: its identifier is {identifier}, not {self._description.system}",
                hint="Drop the source and create it again.",
            )

    def _start(self, connection: Connection, at: int) -> None:
        names = literal(quoted(self._description.publication))
        connection.begin_copy(
            f"START_REPLICATION SLOT {quoted(self._description.slot)} LOGICAL {snapshot.lsn_text(at)} "
            f"(proto_version '1', publication_names {names})",
            both=True,
        )
        self._reported = (0.0, 0)

    # The stream

    def _receive(self, stream: Connection) -> Decoded | None:
        """What comes until there is nothing for the moment, or enough for a block."""
        deadline = time.monotonic() + POLL_SECONDS
        while True:
            data, self._stashed = self._stashed, None
            if data is None:
                data = self._next(stream)
            if data is not None:
                if not self._take(stream, data):
                    self._stashed = data
                    break
                if self._gathered.size < CHUNK_BYTES:
                    continue
                if self._boundary is not None:
                    break
                self._flush(len(self._gathered))
                self._pending.relieve()
            elif self._boundary is not None or time.monotonic() >= deadline:
                break
            else:
                stream.wait(min(POLL_SECONDS, CONFIRM_SECONDS) if self._durable > self._reported[1] else POLL_SECONDS)
            self._report_if_due(stream)
        self._report_if_due(stream)
        if self._is_behind():
            self._let_go()
            return None
        return self._next_block()

    def _next(self, stream: Connection) -> memoryview | None:
        try:
            return stream.receive()
        except EOFError:
            stream.end_copy()
            raise SourceError("the server ended the replication") from None

    def _next_block(self) -> Decoded | None:
        """What there is to give."""
        if self._boundary is not None:
            count, position = self._boundary
            self._boundary = None
            self._flush(count)
            return self._decoded(position)
        if self._open:
            return None
        position = max(self._idle, self._offsets[LSN])
        self._copies.begin(position, self._offsets)
        now = time.monotonic()
        moved = position > self._offsets[LSN] and now >= self._advanced + REPORT_SECONDS
        if moved or self._pending.block.began or self._pending.block.broken:
            self._advanced = now
            return self._decoded(position)
        return None

    def _take(self, stream: Connection, data: memoryview) -> bool:
        """One message of the server. False: what was gathered has to be given first."""
        kind = data[0]
        if kind == KEEP_ALIVE:
            (position,) = struct.unpack_from(">Q", data, 1)
            self._progress.known = max(self._progress.known, position)
            if not self._open:
                if self._boundary is None:
                    self._idle = max(self._idle, position)
                else:
                    self._boundary = self._boundary[0], max(self._boundary[1], position)
            if data[17]:
                self._report(stream)
            return True
        if kind != DATA:
            raise SourceError(f"the server sent a message of an unknown kind: {kind}")
        message = data[HEAD:]
        kind = message[0]
        if kind in changes.ROWS:
            self._gathered.add(message)
            return True
        if kind == changes.COMMIT:
            self._open = False
            self._boundary = len(self._gathered), changes.commit_of(message)
            self._progress.bytes += len(data)
            return True
        if kind == changes.BEGIN:
            position = changes.begin_of(message)
            if self._copies.due(position):
                if self._boundary is not None:
                    return False
                self._copies.begin(position, self._offsets)
            self._open = True
            return True
        if kind in (changes.RELATION, changes.TRUNCATE):
            if self._boundary is not None:
                return False
            self._flush(len(self._gathered))
            if kind == changes.RELATION:
                self._relate(changes.relation_of(message))
            else:
                self._truncate(changes.truncated_of(message))
        return True  # the types and origins of other messages mean nothing here

    def _flush(self, count: int) -> None:
        """Decode the first so many messages that were gathered."""
        if not count:
            return
        self._progress.bytes += self._gathered.size
        messages = self._gathered.take(count)
        for oid in messages.relations:
            for copy in self._copies.of(oid):
                if copy.waiting is not None:
                    continue  # its rows will be read, or were, behind these changes
                if copy.places is None:
                    raise SourceError(f"the server sent changes of {copy.table} without its columns")
                try:
                    batch = messages.batch(oid, copy.places, copy.table, self._heap)
                except InvalidText as error:
                    self._copies.break_off(copy, error.message, mends=False)
                    continue
                self._progress.records += len(batch)
                self._pending.add(copy.id, batch)

    def _relate(self, relation: Relation) -> None:
        """The columns of the rows that follow. The server tells them by name alone: that they are the same columns is
        asked."""
        copies = self._copies.of(relation.oid)
        if copies:
            self._copies.look(self._asked(), copies)
        for copy in copies:
            try:
                copy.places = changes.places_of(relation, copy.table)
            except InvalidText as error:
                if copy.waiting is None and copy.broken is None:
                    self._copies.break_off(copy, error.message)

    def _truncate(self, oids: Iterable[int]) -> None:
        for oid in oids:
            for copy in self._copies.of(oid):
                if copy.waiting is None:
                    self._pending.clear(copy.id)

    def _is_behind(self) -> bool:
        """Whether there are tables to be read: what the server does not tell is looked for now and then."""
        if time.monotonic() < self._verified + VERIFY_SECONDS:
            return False
        self._verified = time.monotonic()
        return bool(self._copies.unread(self._asked(), self._offsets))

    def _asked(self) -> Connection:
        """The connection that is asked about tables beside the stream."""
        if self._catalog is None:
            self._catalog = Connection(self._description.connection, self._resolve, self._bell)
        return self._catalog

    def _keep_up(self) -> None:
        """Something takes long: the server hears from us."""
        if self._stream is not None:
            self._report_if_due(self._stream)

    def _report_if_due(self, stream: Connection) -> None:
        at, confirmed = self._reported
        now = time.monotonic()
        self._measure(now)
        if now >= at + (CONFIRM_SECONDS if self._durable > confirmed else REPORT_SECONDS):
            self._report(stream)

    def _report(self, stream: Connection) -> None:
        """Tell the server that we are there, what need not be sent again, and ask how far it is."""
        durable, received = self._durable, max(self._progress.position, self._durable)
        microseconds = int((time.time() - EPOCH_SECONDS) * 1_000_000)
        stream.send(REPORT.pack(b"r", received, durable, durable, microseconds, 1))
        self._reported = time.monotonic(), durable

    def _measure(self, now: float) -> None:
        """The rate of the last second, once a second."""
        then, records = self._measured
        if now >= then + 1:
            self._progress.records_per_second = (self._progress.records - records) / (now - then)
            self._measured = now, self._progress.records

    def _decoded(self, position: int) -> Decoded:
        """The block up to a position."""
        block, deltas = self._pending.taken()
        block.offsets[LSN] = position
        if self._told != position:
            deltas[self._progress_id] = self._moved(position)
        self._copies.told()
        self._offsets.update(block.offsets)
        self._progress.position = position
        self._progress.known = max(self._progress.known, position)
        return Decoded(
            deltas, sum(map(len, deltas.values())), block.offsets, frozenset(block.began), frozenset(block.cleared),
            block.broken,
        )  # fmt: skip

    def _moved(self, position: int) -> Batch:
        """The row of the progress relation moves on."""
        told, self._told = self._told, position
        rows = [position] if told is None else [position, told]
        return Batch.from_vectors([Vector(np.array(rows, np.uint64))], np.array([1, -1][: len(rows)], np.int64))
