"""Many files as one source: each is read from where the log says, a block at a time.

Law    the blocks that were given have every record of each file up to the offsets given with them, and none twice:
       whoever commits both together can be killed at any time. A file is what it is, not what it is called: it keeps
       its place when it is renamed, and a file that takes its name begins at its beginning. A source that does not go
       on (no `tail`) has the files of one listing, each as it was when it was read, and is complete for good then.
State  of each file some 200 bytes; of those that may grow, and of the one being read, an open file.
Cost   a look at a file that may have grown is a stat; listing takes a twentieth of the time at most.

What is wrong with one file does not stop the others: it is told (`complaint`), the file is tried again every second,
and `poll` raises it when there is nothing else to do. A file that vanished is read to its end if it is open.
"""

import time
from collections import deque
from collections.abc import Mapping
from typing import Final

from engine.catalog.sources import DISCOVER_MS, FileSource, ParquetFormat
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.vector import Vector
from engine.collection.words import vector_of
from engine.connectors.feed import ERRORS, Decoded, Progress, Resolve, SourceSpec, Unattended
from engine.connectors.files.columns import ERROR_COLUMNS, about, parts_of, store_of
from engine.connectors.files.kept import Kept, files_in, name_of, offsets_of
from engine.connectors.files.parts import BEGINNING, Part, Reached
from engine.connectors.files.roots import Roots
from engine.connectors.files.stores import Found, is_remote
from engine.connectors.files.streams import Growing, Sign
from engine.connectors.lines import BadLine, Rows, insert_batch
from engine.errors import MalformedSource, MissingFile, SourceError

IDLE_SECONDS: Final = 0.01
"""Between two looks at a file that has nothing new: a look costs 2 us, so this is what bounds freshness."""

LISTING_SHARE: Final = 20
"""A listing is repeated after so many times what it took."""

BLOCK_BYTES_MIN: Final = 64 << 10
"""Read at once, however slow ticks are, and before one has said how many rows it takes."""

RETRY_SECONDS: Final = 1.0
"""Between two attempts at a file, or a store, that failed."""

OPEN_MAX: Final = 100
"""Files that are kept open to be followed under whatever name; others are by their names alone."""

DELETED_SECONDS: Final = 5.0
"""A deleted file is followed so long, for who has it open may write on for a while; then its space is let go."""

COMPLETE: Final = "complete"
"""Among the offsets of a source that does not go on: nothing will come any more."""

ANEW: Final = "Bring it back, or drop the source and create it again."

RACY_NS: Final = 100_000_000
"""A file's time moves in steps of some milliseconds: one that changed so short before a look may have changed again."""


class _File:
    """A file of the source. `at` is what was given of it."""

    __slots__ = (
        "at", "deleted_at", "done", "ending", "error", "found", "growing", "kept", "looked", "looked_ns", "number",
        "part", "progress", "retry_at",
    )  # fmt: skip

    def __init__(self, found: Found, kept: list[Kept]) -> None:
        self.found = found
        self.kept = kept  # what the log has of files of this id
        self.number = 0  # in the source; 0: not looked at yet
        self.at: Reached = BEGINNING
        self.part: Part | None = None
        self.growing: Growing | None = None  # what the part reads, if it is one that may be appended to
        self.done = False  # it is read to its end, and never grows
        self.deleted_at = float("inf")  # when it was seen to have no name any more
        self.ending = False  # nothing that is written to it any more is waited for
        self.looked: tuple[int, int] | None = None  # what `found.changed` was when it had nothing more
        self.looked_ns = 0
        self.error: SourceError | None = None
        self.retry_at = 0.0
        self.progress = Progress(found.path, known=found.size)


class FileReader(Unattended):
    """Reader of the files of one source; see feed.Reader for the protocol."""

    idle_seconds: float = IDLE_SECONDS
    retry_seconds: float = IDLE_SECONDS

    def __init__(
        self, spec: SourceSpec, description: FileSource, heap: Heap, offsets: Mapping[str, int], roots: Roots,
        resolve: Resolve,
    ) -> None:  # fmt: skip
        columns = next(feed.columns for _, feed in spec.feeds if feed.name == "")
        self._has_file = description.file_column is not None
        if self._has_file:
            columns = columns[:-1]
        self._rows_id, self._errors_id = spec.collection(""), spec.collection(ERRORS)
        self._heap = heap
        self._tail = description.tail
        self._store = store_of(description, roots, resolve)
        self._part_of = parts_of(description.format, columns, heap, self._store)
        self._remote = is_remote(description.path)
        self._whole = self._remote or isinstance(description.format, ParquetFormat)  # files never grow
        every = description.discover_ms
        self._discover_seconds = (DISCOVER_MS if self._remote else 0) / 1000 if every is None else every / 1000
        self._kept = files_in(offsets)
        self._numbers = max((each.number for kept in self._kept.values() for each in kept), default=0)
        self._files: dict[int, _File] = {}  # by id
        self._queue: deque[_File] = deque()  # to be looked at
        self._open: dict[_File, None] = {}  # those that have a part, the one looked at last at the end
        self._list_at = 0.0
        self._listed = False
        self._complete = False  # whether the log was told that nothing will come any more
        self._absent: SourceError | None = None  # why there is no list of files
        self._measured: tuple[float, dict[int, int]] = time.monotonic(), {}
        self._block_bytes = BLOCK_BYTES_MIN
        self._row_bytes = 0.0  # of the last rows: bytes of the file
        self.finished = offsets.get(COMPLETE, 0) > 0

    @property
    def complaint(self) -> SourceError | None:
        """What is wrong, though reading goes on."""
        return self._absent or next((file.error for file in self._files.values() if file.error is not None), None)

    def pace(self, rows: int) -> None:
        self._block_bytes = max(BLOCK_BYTES_MIN, int(rows * self._row_bytes))

    def poll(self) -> Decoded | None:
        if self.finished:
            self._recall()
            return None
        now = time.monotonic()
        self._measure(now)
        if now >= self._list_at and (self._tail or not self._listed):
            self._discover(now)
        for file in self._files.values():
            if file.error is not None and now >= file.retry_at and file not in self._queue:
                self._queue.append(file)
        while self._queue:
            decoded = self._next(self._queue[0])
            if decoded is not None:
                return decoded
        complaint = self.complaint
        if complaint is not None:
            raise complaint
        if self._tail or not self._listed:
            return None
        if not self._complete:
            self._complete = True
            return Decoded({}, 0, {COMPLETE: 1})
        self.finished = True
        return None

    # Which files there are

    def _discover(self, now: float) -> None:
        """Look for files that are new, changed or gone."""
        try:
            found = self._store.list()
            self._absent = None
        except MissingFile as error:
            found, self._absent = (), error
        except SourceError as error:
            self._absent, self._list_at = error, now + RETRY_SECONDS
            return
        ids = {each.id for each in found}
        if found and not self._tail and any(not kept.done for id in self._kept.keys() - ids for kept in self._kept[id]):
            self._absent = SourceError("a file that was read in part before is not there any more", hint=ANEW)
            self._list_at = now + RETRY_SECONDS
            return
        self._listed = bool(found) or self._tail
        for each in found:
            self._see(each, found)
        if self._tail:
            self._leave(now, ids, found)
        took = time.monotonic() - now
        single = self._store.single
        self._list_at = now + (0.0 if single else max(self._discover_seconds, IDLE_SECONDS, LISTING_SHARE * took))

    def _see(self, found: Found, every: tuple[Found, ...]) -> None:
        file = self._files.get(found.id)
        if file is None:
            if self._store.single and not found.size and self._open:
                return  # its writer has not moved on to it
            file = self._files[found.id] = _File(found, self._kept.pop(found.id, []))
        elif file.ending and file.part is None:
            file.ending = False
        file.found = found
        file.progress.partition = found.path
        if not file.done:
            file.progress.known = found.size
        if not file.done and file.error is None and file not in self._queue and self._may_have(file):
            self._queue.append(file)

    def _may_have(self, file: _File) -> bool:
        changed = file.found.changed
        return self._store.single or file.looked != changed or changed[1] >= file.looked_ns - RACY_NS

    def _is_deleted(self, file: _File, now: float) -> bool:
        """Whether it lost its last name, and its writer had time to see that. Of a source of one file the next file
        tells that."""
        if self._store.single or file.growing is None or file.growing.has_name:
            return False
        file.deleted_at = min(file.deleted_at, now)
        return now > file.deleted_at + DELETED_SECONDS

    def _leave(self, now: float, ids: set[int], found: tuple[Found, ...]) -> None:
        """Files that are not at a path of the source any more."""
        moved_on = self._store.single and any(each.id in self._files for each in found)
        for id, file in [(id, file) for id, file in self._files.items() if id not in ids]:
            if file.part is None:
                del self._files[id]
                if file in self._queue:
                    self._queue.remove(file)
                if file.number:
                    file.kept.append(self._kept_of(file))
                if file.kept:
                    self._kept[id] = file.kept
                continue
            file.ending = moved_on or file.growing is None or self._is_deleted(file, now)
            if file not in self._queue:
                self._queue.appendleft(file) if moved_on else self._queue.append(file)

    def _recall(self) -> None:
        """After a restart: what the files of a source that is complete are called. It needs them no more, so one that
        is not there, has other bytes, or is not to be reached, is only not told of."""
        if self._listed:
            return
        self._listed = True
        try:
            found = self._store.list()
        except SourceError:
            return
        for each in found:
            kept = next((kept for kept in reversed(self._kept.get(each.id, ())) if self._is_same(each, kept)), None)
            if kept is not None:
                file = _File(each, [kept])
                self._take_up(file, kept)
                self._files[each.id] = file

    def _is_same(self, found: Found, kept: Kept) -> bool:
        """Whether a file is the one that was read: an inode comes again."""
        if self._whole:
            return True
        part = self._part_of(found, None)
        try:
            return part.resume(kept.reached)
        except SourceError:
            return False
        finally:
            part.close()

    # One file

    def _next(self, file: _File) -> Decoded | None:
        """The next block of the file at the head of the queue, which it leaves when it has none."""
        now_ns = time.time_ns()
        try:
            if file.part is None and not self._begin(file):
                self._queue.popleft()
                return None
            assert file.part is not None
            while isinstance(rows := file.part.poll(self._block_bytes), Rows):
                file.error = None
                decoded = self._decoded(file, file.part.reached, rows)
                if decoded is not None:
                    if file.growing is not None and not file.ending and file.at.position >= file.found.size:
                        self._queue.rotate(-1)  # what it has got since waits until others had their turn
                    return decoded
        except SourceError as error:
            file.error = about(error, file.found.path) if isinstance(error, MalformedSource) else error
            file.retry_at = time.monotonic() + RETRY_SECONDS
            self._queue.popleft()
            return None
        file.error = None
        file.looked, file.looked_ns = file.found.changed, now_ns
        self._queue.popleft()
        return self._at_end(file, rows)

    def _begin(self, file: _File) -> bool:
        """Open a file where it was read to; False when there is nothing to read."""
        if file.number == 0 and self._whole and file.kept and file.kept[-1].done:
            self._take_up(file, file.kept[-1])
            return False
        opened = self._store.growing(file.found) if self._tail else None
        if opened is not None:
            found, file.growing = opened
            if found.id != file.found.id:  # replaced since it was found
                self._let_go(file)
                self._list_at = 0.0
                return False
        part = file.part = self._part_of(file.found, file.growing)
        self._open[file] = None
        try:
            if file.number:
                if not part.resume(file.at):
                    file.at = BEGINNING
                return True
            for kept in reversed(file.kept):
                if part.resume(kept.reached):
                    self._take_up(file, kept)
                    if file.done:
                        self._let_go(file)
                    return not file.done
        except SourceError:
            self._let_go(file)
            raise
        if not self._tail and any(not kept.done for kept in file.kept):
            self._let_go(file)
            raise SourceError(f'file "{file.found.path}" is not the one that was read in part before', hint=ANEW)
        self._numbers += 1
        file.number = self._numbers
        return True

    def _take_up(self, file: _File, kept: Kept) -> None:
        file.kept.remove(kept)
        file.number, file.at, file.done = kept.number, kept.reached, kept.done
        file.progress.position = kept.reached.position
        if file.done:
            file.progress.known = file.progress.position

    def _at_end(self, file: _File, sign: Sign) -> Decoded | None:
        """What is left of a file that has nothing more for now."""
        assert file.part is not None
        reached = file.part.reached
        if sign is Sign.WAIT and not file.ending:
            del self._open[file]
            self._open[file] = None
            for other in list(self._open)[: max(0, len(self._open) - OPEN_MAX)]:
                self._let_go(other)
            return self._moved(file, reached)
        rows = file.part.finish() if sign is Sign.WAIT else None
        reached = file.part.reached
        self._let_go(file)
        if sign is Sign.END and (self._whole or not self._tail):
            file.done = True
            file.progress.position = file.progress.known = reached.position
            try:
                self._store.check(file.found)
            except SourceError as error:
                file.error, file.retry_at = error, float("inf")
        if rows is not None:
            return self._decoded(file, reached, rows)
        return self._moved(file, reached)

    def _moved(self, file: _File, reached: Reached) -> Decoded | None:
        """What the log is to know of a file though no row says it: it was truncated, or is done with."""
        if reached == file.at and not file.done:
            return None
        file.at = reached
        return Decoded({}, 0, offsets_of(self._kept_of(file), file.found.id))

    def _let_go(self, file: _File) -> None:
        if file.part is not None:
            file.part.close()
        elif file.growing is not None:
            file.growing.close()
        file.part = file.growing = None
        self._open.pop(file, None)

    def _kept_of(self, file: _File) -> Kept:
        return Kept(file.number, file.at, file.done)

    def _decoded(self, file: _File, reached: Reached, rows: Rows) -> Decoded | None:
        moved = reached.position - (file.at.position if reached.position >= file.at.position else 0)
        file.at = reached
        deltas: dict[int, Batch] = {}
        count = len(rows.columns[0]) if rows.columns else 0
        if count and moved:
            self._row_bytes = moved / count
        if count:
            columns = rows.columns
            if self._has_file:
                columns = [*columns, Vector.repeat(self._heap.intern(file.found.path.encode()), False, count)]
            deltas[self._rows_id] = insert_batch(columns)
        if rows.bad:
            deltas[self._errors_id] = error_batch(file.found.path, rows.bad, self._heap)
        progress = file.progress
        progress.position, progress.known = reached.position, max(progress.known, reached.position)
        progress.records += rows.lines
        progress.bytes += moved
        progress.errors += len(rows.bad)
        if not deltas:
            return None
        offsets = offsets_of(self._kept_of(file), file.found.id)
        return Decoded(deltas, sum(len(batch) for batch in deltas.values()), offsets)

    # Beside reading

    def progress(self) -> Mapping[str, Progress]:
        return {name_of(file.number): file.progress for file in tuple(self._files.values()) if file.number}

    def _measure(self, now: float) -> None:
        """The rates of the last second, once a second."""
        before, counts = self._measured
        if now < before + 1:
            return
        for file in self._files.values():
            file.progress.records_per_second = (file.progress.records - counts.get(file.number, 0)) / (now - before)
        self._measured = now, {file.number: file.progress.records for file in self._files.values()}

    def interrupt(self) -> None:
        """A poll waits for a store, which answers or not within seconds."""

    def mark(self, marks: Marks) -> None:
        """It holds no codes between two polls."""

    def close(self) -> None:
        for file in list(self._files.values()):
            self._let_go(file)


def error_batch(path: str, bad: list[BadLine], heap: Heap) -> Batch:
    """The rows of the error relation."""
    return insert_batch(
        [
            Vector.repeat(heap.intern(path.encode()), False, len(bad)),
            vector_of([each.line for each in bad], ERROR_COLUMNS[1].type, heap),
            Vector(heap.intern_many([each.data for each in bad])),
            Vector(heap.intern_many([each.reason.encode() for each in bad])),
        ]
    )
