"""Ingest: what sources have ready, behind bounded inboxes.

One thread a source polls its reader and puts each block into the source's inbox; it blocks while the inbox holds
`inbox_rows_max` rows, and that is the back-pressure. Whoever runs ticks takes blocks from all inboxes in turn, so that
one source that is flat out does not starve the others. `on_ready` is called from the readers' threads after each block:
it should do no more than wake the ticker.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Condition, Event, Thread
from typing import Final, assert_never

from engine.catalog.sources import Description, FileSource, GeneratorSource
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.connectors import files, generator
from engine.connectors.feed import Decoded, Feed, Reader, SourceSpec
from engine.errors import SourceError
from engine.types import Column

RETRY_SECONDS: Final = 1.0
"""Between two attempts to read a source that failed."""


def describe(description: Description, columns: tuple[Column, ...] | None) -> tuple[Feed, ...]:
    """The relations of a source that is to be created; MissingFile and MalformedSource if it cannot be read.

    `columns` is the declared list, or None where only the input knows them.
    """
    match description:
        case FileSource():
            return files.describe(description, columns)
        case GeneratorSource():
            return generator.describe(description)
        case _:
            assert_never(description)


def open_reader(spec: SourceSpec, heap: Heap, offsets: Mapping[str, int]) -> Reader:
    """A reader at the source's beginning. `offsets` are what the log has: a generator begins when that one did."""
    match spec.description:
        case FileSource():
            return files.FileReader(spec, spec.description, heap)
        case GeneratorSource():
            return generator.GeneratorReader(spec, spec.description, heap, offsets)
        case _:
            assert_never(spec.description)


@dataclass(slots=True)
class Status:
    """How far one source is; written by its thread, read by metrics and SHOW."""

    rows: int = 0  # put into the inbox so far
    waiting: int = 0  # of them, not yet taken into a tick
    finished: bool = False
    error: SourceError | None = None  # why it cannot be read at the moment
    offsets: Mapping[str, int] | None = None  # of the last block taken into a tick


class Ingest:
    """All sources of one worker."""

    def __init__(self, heap: Heap, inbox_rows_max: int, on_ready: Callable[[], None]) -> None:
        self._heap = heap
        self._rows_max = inbox_rows_max
        self._on_ready = on_ready
        self._changed = Condition()
        self._sources: dict[int, _Source] = {}

    def start(self, spec: SourceSpec, offsets: Mapping[str, int]) -> None:
        """Begin to read a source."""
        source = _Source(spec, open_reader(spec, self._heap, offsets))
        with self._changed:
            self._sources[spec.id] = source
        source.thread = Thread(target=self._read, args=(source,), name=f"source {spec.id}", daemon=True)
        source.thread.start()

    def stop(self, id: int) -> None:
        """Stop reading a source and drop what it has in its inbox. Returns when its thread has ended."""
        with self._changed:
            source = self._sources.pop(id)
            source.stopping.set()
            self._changed.notify_all()
        assert source.thread is not None
        source.thread.join()

    def close(self) -> None:
        """Stop all sources."""
        for id in list(self._sources):
            self.stop(id)

    @property
    def ready(self) -> bool:
        """Whether some inbox has a block."""
        with self._changed:
            return any(source.inbox for source in self._sources.values())

    def take(self, rows_max: int) -> tuple[dict[int, list[Batch]], dict[tuple[int, str], int]]:
        """Blocks of about `rows_max` rows in all (each source's first, whatever its size) as deltas by collection, and
        the offsets reached by (source, partition)."""
        deltas: dict[int, list[Batch]] = {}
        offsets: dict[tuple[int, str], int] = {}
        with self._changed:
            waiting = [source for source in self._sources.values() if source.inbox]
            share = rows_max // max(1, len(waiting))
            for source in waiting:
                taken = 0
                while source.inbox and (taken == 0 or taken + source.inbox[0].rows <= share):
                    decoded = source.inbox.popleft()
                    taken += decoded.rows
                    source.status.waiting -= decoded.rows
                    source.status.offsets = decoded.offsets
                    for collection, batch in decoded.deltas.items():
                        deltas.setdefault(collection, []).append(batch)
                    offsets.update({(source.spec.id, name): at for name, at in decoded.offsets.items()})
            self._changed.notify_all()
        return deltas, offsets

    def status(self) -> dict[int, Status]:
        """Each source's progress."""
        with self._changed:
            return {id: source.status for id, source in self._sources.items()}

    def mark(self, marks: Marks) -> None:
        """Keep the heap codes of blocks that wait: they are older than a sweep allows while ticks are slow."""
        with self._changed:
            for source in self._sources.values():
                columns = {id: feed.columns for id, feed in source.spec.feeds}
                for decoded in source.inbox:
                    for collection, batch in decoded.deltas.items():
                        for i, column in enumerate(columns[collection]):
                            marks.words(column.type.physical, batch.vector(i).words)

    def _read(self, source: "_Source") -> None:
        """A source's thread."""
        reader, status = source.reader, source.status
        while not source.stopping.is_set():
            try:
                decoded = reader.poll()
                status.error = None
            except SourceError as error:
                status.error = error
                source.stopping.wait(RETRY_SECONDS)
                continue
            if decoded is not None:
                self._put(source, decoded)
            elif reader.finished:
                break
            else:
                source.stopping.wait(reader.idle_seconds)
        status.finished = reader.finished
        reader.close()

    def _put(self, source: "_Source", decoded: Decoded) -> None:
        """Queue a block, then wait for room for the next: a block that waits is always where `mark` sees it."""
        with self._changed:
            source.inbox.append(decoded)
            source.status.rows += decoded.rows
            source.status.waiting += decoded.rows
        self._on_ready()
        with self._changed:
            while source.status.waiting >= self._rows_max and not source.stopping.is_set():
                self._changed.wait()


class _Source:
    __slots__ = ("inbox", "reader", "spec", "status", "stopping", "thread")

    def __init__(self, spec: SourceSpec, reader: Reader) -> None:
        self.spec: Final = spec
        self.reader: Final = reader
        self.inbox: Final[deque[Decoded]] = deque()
        self.status: Final = Status()
        self.stopping: Final = Event()
        self.thread: Thread | None = None
