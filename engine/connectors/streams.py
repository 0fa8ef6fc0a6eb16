"""The bytes of files: once to their end, or followed through appends, rotation and truncation.

    read() -> bytes     what comes next
              b""       nothing for now
              None      this file ends here; what comes next begins another one (or nothing does: `ended`)

A followed file is known by device and inode, so a renamed one is read on under its new name. Once another file stands
at the path and has bytes, its writer has moved on: the old one is read to its end, then the new one from its beginning.
A file that is shorter than what was read of it, or whose first bytes or last ones read have changed, was truncated:
it is another file from its beginning. What is written and truncated between two looks is gone for every reader.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final, Protocol

BLOCK_BYTES: Final = 16 << 20
"""Read at once: some 200,000 lines, a tenth of a second of decoding. A tick costs a view that groups its rows at least
what showing the touched groups costs: five million rows into 100,000 groups took 4.2 s of CPU by 4 MiB, 3.2 by 16."""

KNOWN_BYTES: Final = 1024
"""Kept of a file's beginning and of what was read last, to tell whether they are still there. Lines of logs differ in
their first hundred bytes; comparing costs 2 us."""


class Stream(Protocol):
    """See above. Errors are the system's."""

    @property
    def ended(self) -> bool: ...

    def read(self) -> bytes | None: ...

    def close(self) -> None: ...


class Whole:
    """Files one after the other, each to the end that it has when that is reached. One is open at a time."""

    def __init__(self, files: Sequence[Callable[[], BinaryIO]]) -> None:
        self._left = deque(files)
        self._file: BinaryIO | None = None
        self.ended = False

    def read(self) -> bytes | None:
        if self._file is None:
            self._file = self._left[0]()
            self._left.popleft()
        block = self._file.read(BLOCK_BYTES)
        if block:
            return block
        self.close()
        self.ended = not self._left
        return None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Followed:
    """Whatever is, or comes to be, the file at a path; `reopen` opens that."""

    def __init__(self, path: str, reopen: Callable[[], BinaryIO]) -> None:
        self.ended: Final = False
        self._path = path
        self._reopen = reopen
        self._file = reopen()
        self._begin()

    def _begin(self) -> None:
        self._at = 0  # read so far
        self._first = b""  # up to KNOWN_BYTES of it, from the beginning
        self._last = b""  # and before `_at`

    def read(self) -> bytes | None:
        if not self._is_known():
            self._begin()
            return None
        block = self._more()
        if block:
            return self._take(block)
        following = self._following()
        if following is None:
            return b""
        block = self._more()  # written before the other file was
        if block:
            following.close()
            return self._take(block)
        self._file.close()
        self._file = following
        self._begin()
        return None

    def close(self) -> None:
        self._file.close()

    def _more(self) -> bytes:
        return os.pread(self._file.fileno(), BLOCK_BYTES, self._at)

    def _take(self, block: bytes) -> bytes | None:
        """The block, unless it is of other contents than those read before. One that was read just before the file
        shrank is not: the shrinking shows in the next look."""
        if not self._is_known() and os.fstat(self._file.fileno()).st_size >= self._at:
            self._begin()
            return None
        if len(self._first) < KNOWN_BYTES:
            self._first += block[: KNOWN_BYTES - len(self._first)]
        self._last = (self._last + block[-KNOWN_BYTES:])[-KNOWN_BYTES:]
        self._at += len(block)
        return block

    def _is_known(self) -> bool:
        """Whether what was read is still what the file begins with, as far as that is remembered."""
        file = self._file.fileno()
        return (
            os.fstat(file).st_size >= self._at
            and os.pread(file, len(self._first), 0) == self._first
            and os.pread(file, len(self._last), self._at - len(self._last)) == self._last
        )

    def _following(self) -> BinaryIO | None:
        """Another file at the path that somebody has written to."""
        own = os.fstat(self._file.fileno())
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return None  # renamed, and the new one is not there yet
        if (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino) or not there.st_size:
            return None
        return self._reopen()
