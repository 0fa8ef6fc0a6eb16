"""Ingest: what sources have ready, behind bounded inboxes.

One thread a source polls its reader and puts each block into the source's inbox; it blocks while the inbox holds what
TICKS_AHEAD ticks take, or `inbox_rows_max` rows, and that is the back-pressure. Whoever runs ticks takes blocks from
all inboxes in turn, so that one source that is flat out does not starve the others. `on_ready` is called from the
readers' threads after each block: it should do no more than wake the ticker.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from threading import Condition, Event, Thread
from typing import Final

from engine.catalog.sources import KafkaSource
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.connectors.feed import ERRORS, ROWS_BEGIN, Decoded, Progress, Reader, Resolve, SourceSpec
from engine.connectors.files.roots import ANYWHERE, Roots
from engine.connectors.kafka.reader import KafkaReader
from engine.connectors.kinds import AMPLE, NOTHING, open_reader
from engine.connectors.postgres.held import Room
from engine.connectors.recent import Recent
from engine.connectors.together import Member, cut
from engine.errors import SourceError

STOP_SECONDS_MAX: Final = 2.0
"""How long whoever stops a source waits for its thread."""

HELD_SECONDS: Final = 5.0
"""How long a source may wait for the others of its group before its status says so."""

LET_GO: Final = "errors let go"
"""Among the offsets of a source: how many rows of its errors had to go."""

ERRORS_MAX: Final = 100_000, 256 << 20
"""Rows of the errors of one source, and the bytes of their data, where nobody says."""

TICKS_AHEAD: Final = 4
"""What a source may be ahead of the ticks, as they are by then: enough that none waits for its reader."""

KEEP_ALIVE_SECONDS: Final = 1.0
"""PostgreSQL hangs up after a minute without a word, or after what wal_sender_timeout says."""


class State(Enum):
    """What a source is doing, in Materialize's words."""

    STARTING = "starting"
    RUNNING = "running"
    STALLED = "stalled"  # it cannot be read at the moment; the error says why, and it is tried again
    FINISHED = "finished"  # nothing will come any more


@dataclass(slots=True)
class Status:
    """How far one source is; written by its thread, read by metrics and SHOW."""

    rows: int = 0  # put into the inbox so far
    waiting: int = 0  # of them, not yet taken into a tick
    state: State = State.STARTING
    since_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)  # when it became that
    error: SourceError | None = None  # why it cannot be read at the moment
    broken: Mapping[int, str] = field(default_factory=dict)  # by collection, what is read in its place
    offsets: Mapping[str, int] = field(default_factory=dict)  # by partition, taken into a tick
    progress: Mapping[str, Progress] = field(default_factory=dict)  # by partition, read

    @property
    def finished(self) -> bool:
        return self.state is State.FINISHED

    @property
    def errors_let_go(self) -> int:
        """Rows of its errors that had to go for later ones, of those in ticks."""
        return self.offsets.get(LET_GO, 0)

    @property
    def stalled_seconds(self) -> float:
        """How long it has been stalled; 0: it is not."""
        return max(0.0, time.time() - self.since_ms / 1000) if self.state is State.STALLED else 0.0

    def become(self, state: State, error: SourceError | None = None) -> None:
        """Take on a state, with the time of it if it is another."""
        if state is not self.state or (error is None) != (self.error is None):
            self.since_ms = time.time_ns() // 1_000_000
        self.state, self.error = state, error


@dataclass(slots=True)
class Taken:
    """What a tick takes of all sources: deltas by collection, the offsets reached by (source, partition), and what
    feed.Decoded says of collections beside."""

    deltas: dict[int, list[Batch]] = field(default_factory=dict)
    offsets: dict[tuple[int, str], int] = field(default_factory=dict)
    began: set[int] = field(default_factory=set)
    cleared: set[int] = field(default_factory=set)
    broken: dict[int, str | None] = field(default_factory=dict)
    rows: int = 0

    def add(self, source: int, decoded: Decoded) -> None:
        """Take the next block of a source."""
        for collection in decoded.cleared:
            self.deltas.pop(collection, None)
        for collection, batch in decoded.deltas.items():
            self.deltas.setdefault(collection, []).append(batch)
        self.rows += decoded.rows
        self.offsets.update({(source, name): at for name, at in decoded.offsets.items()})
        self.began.update(decoded.began)
        self.cleared.update(decoded.cleared)
        self.broken.update(decoded.broken)


class Ingest:
    """All sources of one worker."""

    def __init__(
        self,
        heap: Heap,
        inbox_rows_max: int,
        on_ready: Callable[[], None],
        resolve: Resolve,
        roots: Roots = ANYWHERE,
        room: Room = AMPLE,
        errors_max: tuple[int, int] = ERRORS_MAX,
    ) -> None:
        self._heap = heap
        self._errors_max = errors_max
        self._room = room
        self._resolve = resolve
        self._roots = roots
        self._rows_max = inbox_rows_max
        self._assembling = False
        self._share = ROWS_BEGIN  # of one source in a tick
        self._on_ready = on_ready
        self._changed = Condition()
        self._sources: dict[int, _Source] = {}
        self._written: dict[int, Status] = {}

    def start(
        self,
        spec: SourceSpec,
        offsets: Mapping[str, int],
        kept: Mapping[int, Batch],
        broken: Mapping[int, str] = NOTHING,
    ) -> None:
        """Begin to read a source."""
        reader = open_reader(spec, self._heap, offsets, kept, self._resolve, self._roots, broken, self._room)
        source = _Source(spec, reader, self._errors(spec, offsets, kept))
        source.status.offsets, source.status.broken = dict(offsets), dict(broken)
        with self._changed:
            self._sources[spec.id] = source
        source.thread = Thread(target=self._read, args=(source,), name=f"source {spec.id}", daemon=True)
        source.thread.start()

    def _errors(
        self, spec: SourceSpec, offsets: Mapping[str, int], kept: Mapping[int, Batch]
    ) -> tuple[int, Recent] | None:
        """The relation of a source's errors, and those that are kept, if it has one."""
        found = next(((id, feed.columns) for id, feed in spec.feeds if feed.name == ERRORS), None)
        if found is None:
            return None
        id, columns = found
        recent = Recent(columns, self._heap, *self._errors_max, let_go=offsets.get(LET_GO, 0))
        if id in kept:
            recent.restore(kept[id])
        return id, recent

    def restart(self, spec: SourceSpec) -> None:
        """Read a source on with other feeds. Between two ticks: what waits in its inbox is read again."""
        with self._changed:
            status = self._sources[spec.id].status
        self.stop(spec.id)
        self.start(spec, status.offsets, {}, status.broken)

    def stand(self, id: int) -> None:
        """A source that clients write to: it has no reader, but it is running."""
        with self._changed:
            self._written[id] = Status(state=State.RUNNING)

    def received(self, id: int, rows: int) -> None:
        """Rows of such a source were committed."""
        with self._changed:
            if id in self._written:
                self._written[id].rows += rows

    def stop(self, id: int, forget: bool = False) -> None:
        """Stop reading a source and drop what it has in its inbox; with `forget` it is no more. Its thread may end a
        little later: it may be waiting for an answer that does not come."""
        with self._changed:
            if self._written.pop(id, None) is not None:
                return
            source = self._sources.pop(id)
            source.forgotten = forget
            source.stopping.set()
            self._changed.notify_all()
        assert source.thread is not None
        source.reader.interrupt()
        source.thread.join(STOP_SECONDS_MAX)
        self._on_ready()  # the others of its group do not wait for it any more

    def close(self, forget: bool = False) -> None:
        """Stop all sources; with `forget` nobody will go on with them. None goes on without the others meanwhile."""
        self._assembling = True
        for id in list(self._sources):
            self.stop(id, forget)

    @contextmanager
    def assembling(self) -> Iterator[None]:
        """More sources are started within: none whose transactions come together goes on without the others."""
        self._assembling = True
        try:
            yield
        finally:
            self._assembling = False
        self._on_ready()

    @property
    def ready(self) -> bool:
        """Whether some inbox has a block."""
        with self._changed:
            cuts = self._cuts(1)
            self._look_at_held(cuts)
            return any(_may_be_taken(source, cuts) for source in self._sources.values())

    def _cuts(self, rows_max: int) -> dict[object, int | None]:
        """By group of sources whose transactions come together, up to where they may be taken."""
        groups: dict[object, list[_Source]] = {}
        for source in self._sources.values():
            if source.spec.group is not None and not self._assembling:
                groups.setdefault(source.spec.group, []).append(source)
        return {group: cut([source.member() for source in members], rows_max) for group, members in groups.items()}

    def take(self, rows_max: int) -> Taken:
        """Blocks of about `rows_max` rows in all, each source's first whatever its size; of sources whose transactions
        come together those up to the same one."""
        all = Taken()
        with self._changed:
            cuts = self._cuts(rows_max)
            self._look_at_held(cuts)
            waiting = [source for source in self._sources.values() if _may_be_taken(source, cuts)]
            self._share = share = max(1, rows_max // max(1, len(waiting)))
            for source in waiting:
                source.reader.pace(share)
                taken, offsets = 0, dict(source.status.offsets)
                broken: dict[int, str | None] = dict(source.status.broken)
                together = source.spec.group is not None
                while _may_be_taken(source, cuts) and (together or taken == 0 or taken + source.inbox[0].rows <= share):
                    decoded = source.inbox.popleft()
                    source.upto = source.upto if decoded.upto is None else decoded.upto
                    taken += decoded.rows
                    source.status.waiting -= decoded.rows
                    offsets.update(decoded.offsets)
                    broken.update(decoded.broken)
                    all.add(source.spec.id, decoded)
                source.status.offsets = offsets
                source.status.broken = {id: error for id, error in broken.items() if error is not None}
            self._changed.notify_all()
        return all

    def _look_at_held(self, cuts: Mapping[object, int | None]) -> None:
        """Since when sources have what they may not give, as others of their groups do not have it."""
        for source in self._sources.values():
            if not source.inbox or _may_be_taken(source, cuts):
                source.held = None
            elif source.held is None:
                source.held = time.time()

    def _status_of(self, source: "_Source") -> Status:
        """Its status, with what keeps it from ticks though it is read."""
        status = source.status
        if source.held is None or time.time() < source.held + HELD_SECONDS or status.error is not None:
            return status
        upto = source.inbox[0].upto if source.inbox else None
        behind = [
            f'"{other.spec.description.topic}"'
            for other in self._sources.values()
            if other.spec.group == source.spec.group and isinstance(other.spec.description, KafkaSource)
            and upto is not None and max([other.upto, *(each.upto or 0 for each in other.inbox)]) < upto
        ]  # fmt: skip
        error = SourceError(
            f"its transactions wait for those of topic {', '.join(behind) or 'the others of its group'}",
            detail="What a transaction did is one tick, over all sources that name its topic of transactions.",
            hint="The status of the source that reads it says what it waits for.",
        )
        return replace(status, state=State.STALLED, error=error, since_ms=int(source.held * 1000))

    def committed(self, offsets: Mapping[tuple[int, str], int]) -> None:
        """These are in the log, if there is one: readers may say so."""
        by_source: dict[int, dict[str, int]] = {}
        for (id, name), at in offsets.items():
            by_source.setdefault(id, {})[name] = at
        with self._changed:
            readers = [(self._sources[id].reader, given) for id, given in by_source.items() if id in self._sources]
        for reader, given in readers:
            reader.committed(given)

    def are_finished(self, ids: Set[int]) -> bool:
        """Whether nothing more will come from any of these sources, and all that came has been taken into ticks."""
        with self._changed:
            found = [self._sources.get(id) for id in ids]
            return all(source is not None and source.status.finished and not source.inbox for source in found)

    def status(self) -> dict[int, Status]:
        """Each source's progress."""
        with self._changed:
            for source in self._sources.values():
                source.status.progress = source.reader.progress()
            return {**self._written, **{id: self._status_of(source) for id, source in self._sources.items()}}

    def mark(self, marks: Marks) -> None:
        """Keep the heap codes of blocks that wait: they are older than a sweep allows while ticks are slow."""
        with self._changed:
            for source in self._sources.values():
                source.reader.mark(marks)
                columns = {id: feed.columns for id, feed in source.spec.feeds}
                for decoded in source.inbox:
                    for collection, batch in decoded.deltas.items():
                        batch.mark(marks, [column.type for column in columns[collection]])

    def _read(self, source: "_Source") -> None:
        """A source's thread. What no reader should raise ends it, and its status says so."""
        try:
            self._read_on(source)
        except BaseException as error:
            source.status.become(State.STALLED, SourceError(f"the reader has stopped: {error!r}"))
            raise
        finally:
            if source.forgotten:
                source.reader.forget()
            source.reader.close()

    def _read_on(self, source: "_Source") -> None:
        reader, status = source.reader, source.status
        while not source.stopping.is_set():
            try:
                decoded = reader.poll()
                complaint = reader.complaint
                status.become(State.RUNNING if complaint is None else State.STALLED, complaint)
            except SourceError as error:
                status.become(State.STALLED, error)
                source.stopping.wait(reader.retry_seconds)
                continue
            if decoded is not None:
                self._put(source, source.bounded(decoded))
            elif reader.finished:
                break
            else:
                source.stopping.wait(reader.idle_seconds)
        if reader.finished:
            status.become(State.FINISHED)

    def _put(self, source: "_Source", decoded: Decoded) -> None:
        """Queue a block, then wait for room for the next: a block that waits is always where `mark` sees it."""
        with self._changed:
            source.inbox.append(decoded)
            source.status.rows += decoded.rows
            source.status.waiting += decoded.rows
        self._on_ready()
        while True:
            with self._changed:
                if source.status.waiting < min(self._rows_max, TICKS_AHEAD * self._share) or source.stopping.is_set():
                    return
                self._changed.wait(KEEP_ALIVE_SECONDS)
            source.reader.keep_alive()


def _may_be_taken(source: "_Source", cuts: Mapping[object, int | None]) -> bool:
    """Whether the first block of the inbox may: there is one, and it has no transactions, or those up to the cut."""
    if not source.inbox:
        return False
    upto, until = source.inbox[0].upto, cuts.get(source.spec.group)
    return upto is None or (until is not None and upto <= until)


class _Source:
    __slots__ = ("errors", "forgotten", "held", "inbox", "reader", "spec", "status", "stopping", "thread", "upto")

    def __init__(self, spec: SourceSpec, reader: Reader, errors: tuple[int, Recent] | None) -> None:
        self.spec: Final = spec
        self.reader: Final = reader
        self.inbox: Final[deque[Decoded]] = deque()
        self.status: Final = Status()
        self.stopping: Final = Event()
        self.thread: Thread | None = None
        self.errors: Final = errors
        self.forgotten = False
        self.held: float | None = None  # since when others of its group do not have what it has
        self.upto = reader.upto if isinstance(reader, KafkaReader) else 0  # transactions before that are taken

    def bounded(self, decoded: Decoded) -> Decoded:
        """The block with no more errors than are kept."""
        if self.errors is None or self.errors[0] not in decoded.deltas:
            return decoded
        id, recent = self.errors
        let_go = recent.let_go
        bounded = recent.bounded(decoded.deltas[id])
        deltas = {at: batch for at, batch in {**decoded.deltas, id: bounded}.items() if len(batch)}
        offsets = decoded.offsets if recent.let_go == let_go else {**decoded.offsets, LET_GO: recent.let_go}
        return replace(decoded, deltas=deltas, rows=sum(map(len, deltas.values())), offsets=offsets)

    def member(self) -> Member:
        """Its part of a group."""
        rows = 0
        steps: list[tuple[int, int]] = []
        for decoded in self.inbox:
            rows += decoded.rows
            if decoded.upto is not None:
                steps.append((decoded.upto, rows))
        return Member(self.upto, steps)
