"""Rows that wait to be given: in memory, and what there is no room for in a file.

Law: what `whole` gives has the net changes of all that was added. Equal rows lie in the same part of a file, so what
came and went again is taken out of it part by part, with one of them in memory. A file has no name: it is gone with its
holder, and a process that is killed leaves none.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Final
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, null_words
from engine.collection.heap import Marks
from engine.errors import DiskFull
from engine.kernels.hash import hash_rows
from engine.types import Column

PART_BITS: Final = 6
PARTS: Final = 1 << PART_BITS
"""Of a file: so many times what may be in memory is taken together within it."""

SLICE_ROWS: Final = 1 << 18
"""Written at once: pieces of some thousand rows, which is enough for a disk, and a copy that no memory notices."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many bytes of rows that wait may be in memory, and the folder that takes the others; None: the system's for
    temporary files."""

    bytes_max: int
    folder: Path | None = None


class Overflow:
    """Rows in a file: in each part pieces of uint64[width + 1, n], the diffs last. Raises DiskFull."""

    def __init__(self, room: Room, columns: int) -> None:
        self._room: Final = room
        self._columns: Final = columns
        self._rows: Final = null_words(columns) + columns + 1  # of a piece
        with self._writing(), TemporaryFile(dir=room.folder, buffering=0) as file:
            self._file: Final = os.dup(file.fileno())
        finalize(self, os.close, self._file)
        self._pieces: Final[list[list[tuple[int, int]]]] = [[] for _ in range(PARTS)]  # (where, rows)
        self.size = 0  # bytes
        self.settled = 0  # bytes that the net changes had when they were last taken together
        self.only_grows = True

    def add(self, batch: Batch) -> None:
        """More rows."""
        for begin in range(0, len(batch), SLICE_ROWS):
            words = np.ascontiguousarray(batch.words[:, begin : begin + SLICE_ROWS])
            diffs = batch.diffs[begin : begin + SLICE_ROWS]
            part = (hash_rows(words) >> np.uint64(64 - PART_BITS)).astype(np.int64)
            order = np.argsort(part, kind="stable")
            ends = np.searchsorted(part[order], np.arange(PARTS), side="right").tolist()
            block = np.vstack([words[:, order], diffs[order].view(np.uint64)])
            for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
                if start < end:
                    self._write(number, np.ascontiguousarray(block[:, start:end]))
            self.only_grows = self.only_grows and bool((diffs > 0).all())

    def net(self, between: Callable[[], None]) -> "Overflow":
        """The same with each row once, in a file of its own."""
        other = Overflow(self._room, self._columns)
        for number in range(PARTS):
            batch = self._part(number).consolidate()
            if len(batch):
                other._write(number, np.vstack([batch.words, batch.diffs.view(np.uint64)]))
            between()
        other.settled, other.only_grows = other.size, self.only_grows
        return other

    def mapped(self, between: Callable[[], None]) -> Batch:
        """All rows as they lie in another file, which the system may have in memory or not, as it likes."""
        n = sum(rows for pieces in self._pieces for _, rows in pieces)
        if n == 0:
            return Batch.empty(self._columns)
        with self._writing(), TemporaryFile(dir=self._room.folder, buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, 8 * self._rows * n)  # later it could not be said that there is no room
            words = np.frombuffer(mmap(file.fileno(), 8 * self._rows * n), np.uint64).reshape(self._rows, n)
        at = 0
        for number in range(PARTS):
            for where, rows in self._pieces[number]:
                words[:, at : at + rows] = self._read(where, self._rows * rows).reshape(self._rows, rows)
                at += rows
            between()
        return Batch(words[:-1], words[-1].view(np.int64), self._columns, self.size == self.settled)

    def mark(self, marks: Marks, columns: tuple[Column, ...]) -> None:
        """Keep the heap codes. Reads the columns that have some."""
        leading = null_words(self._columns)
        for i, column in enumerate(columns):
            if column.type.physical.on_heap:
                for pieces in self._pieces:
                    for where, rows in pieces:
                        marks.words(column.type.physical, self._read(where + 8 * rows * (leading + i), rows))

    def _part(self, number: int) -> Batch:
        """Its rows."""
        read = [self._read(where, self._rows * n).reshape(self._rows, n) for where, n in self._pieces[number]]
        batches = [Batch(block[:-1], block[-1].view(np.int64), self._columns) for block in read]
        return Batch.concat([Batch.empty(self._columns), *batches])

    def _write(self, part: int, block: NDArray[np.uint64]) -> None:
        left, at = block.data.cast("B"), self.size
        with self._writing():
            while left:
                written = os.pwrite(self._file, left, at)
                left, at = left[written:], at + written
        self._pieces[part].append((self.size, block.shape[1]))
        self.size = at

    def _read(self, at: int, words: int) -> NDArray[np.uint64]:
        read = np.empty(words, np.uint64)
        left = read.data.cast("B")
        while left:
            n = os.preadv(self._file, [left], at)
            assert n > 0, "the file has no name: nobody else cuts it"
            left, at = left[n:], at + n
        return read

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = "the folder for temporary files" if self._room.folder is None else str(self._room.folder)
            raise DiskFull(
                f"the rows of a transaction of the server, or of its tables, are more than transaction_bytes_max "
                f"({self._room.bytes_max}), and no file in {where} takes them: {error.strerror}",
                hint="Make room there: it is tried again by itself, from the beginning, and nothing is lost.",
            ) from None


class Held:
    """Rows of one relation that wait. One thread adds to them; another may `mark`, which `lock` is for."""

    def __init__(self, columns: tuple[Column, ...], room: Room, lock: Lock) -> None:
        self._columns: Final = columns
        self._room: Final = room
        self._lock: Final = lock
        self._batches: list[Batch] = []
        self._overflow: Overflow | None = None

    @property
    def bytes(self) -> int:
        """In memory."""
        return sum(batch.words.nbytes + batch.diffs.nbytes for batch in self._batches)

    def add(self, batch: Batch) -> None:
        """More rows."""
        with self._lock:
            self._batches.append(batch)

    def settle(self) -> None:
        """What came and went again goes, of that which is in memory. O(rows)."""
        if self._batches:
            net = Batch.concat(self._batches).consolidate()
            with self._lock:
                self._batches = [net]

    def spill(self, between: Callable[[], None]) -> None:
        """Into the file with that which is in memory. What came and went again goes when it has doubled."""
        before = self._overflow or Overflow(self._room, len(self._columns))
        with self._lock:
            self._overflow = before
        for batch in self._batches:
            before.add(batch)
            between()
        after = before
        if not before.only_grows and before.size > 2 * max(before.settled, self._room.bytes_max):
            after = before.net(between)
        with self._lock:
            self._batches, self._overflow = [], after

    def whole(self, between: Callable[[], None]) -> Batch:
        """All rows, of which nobody is to add more."""
        if self._overflow is None:
            return Batch.concat([Batch.empty(len(self._columns)), *self._batches])
        self.spill(between)
        if not self._overflow.only_grows and self._overflow.size > self._overflow.settled:
            net = self._overflow.net(between)
            with self._lock:
                self._overflow = net
        return self._overflow.mapped(between)

    def mark(self, marks: Marks) -> None:
        """Keep the heap codes that it holds. With the lock."""
        for batch in self._batches:
            batch.mark(marks, [column.type for column in self._columns])
        if self._overflow is not None:
            self._overflow.mark(marks, self._columns)
