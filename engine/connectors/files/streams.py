"""The bytes of a file: once to their end, or followed through appends and truncation.

    start(at)   go to a byte; gives what is needed to tell whether the bytes before it are those read once
    read(size)  bytes: what comes next, no more than that
                WAIT: nothing for now   END: nothing will come   ANEW: the file was truncated: another begins

A followed file is open, so it is read on whatever it is called. One that is shorter than what was read of it, or whose
first bytes or last ones read have changed, was truncated. What is written and truncated between two looks is gone for
every reader. Errors are the system's.
"""

import os
from collections.abc import Callable
from enum import Enum
from typing import BinaryIO, Final, Protocol

BLOCK_BYTES: Final = 16 << 20
"""Read at once: some 200,000 lines, a tenth of a second of decoding. A tick costs a view that groups its rows at least
what showing the touched groups costs: five million rows into 100,000 groups took 4.2 s of CPU by 4 MiB, 3.2 by 16."""

KNOWN_BYTES: Final = 1024
"""Kept of a file's beginning and of what was read last, to tell whether they are still there. Lines of logs differ in
their first hundred bytes; comparing costs 2 us."""


class Sign(Enum):
    """What is no bytes."""

    WAIT = "wait"
    END = "end"
    ANEW = "anew"


class Stream(Protocol):
    """See above."""

    def start(self, at: int) -> tuple[bytes, bytes] | None:
        """Go to byte `at`. The bytes that the file begins with and those before `at`, KNOWN_BYTES of each at most, or
        None when it has no such byte."""
        ...

    def head(self, size: int) -> bytes:
        """The first bytes of the file, fewer if it has fewer. `read` goes on where it was."""
        ...

    def read(self, size: int) -> bytes | Sign: ...

    def close(self) -> None: ...


class Once:
    """A file to its end; `reopen` opens it. Where it cannot seek it is read from its beginning."""

    def __init__(self, reopen: Callable[[], BinaryIO], seeks: bool) -> None:
        self._reopen = reopen
        self._seeks = seeks
        self._file: BinaryIO | None = None

    def start(self, at: int) -> tuple[bytes, bytes] | None:
        self.close()
        self._file = self._reopen()
        first = self._exactly(min(at, KNOWN_BYTES))
        last, left = first, at - len(first)
        if self._seeks and left > KNOWN_BYTES:
            self._file.seek(at - KNOWN_BYTES)
            last, left = b"", KNOWN_BYTES
        while left > 0:
            block = self._file.read(min(left, BLOCK_BYTES))
            if not block:
                return None
            last = (last + block[-KNOWN_BYTES:])[-KNOWN_BYTES:]
            left -= len(block)
        return (first, last[-KNOWN_BYTES:]) if len(first) == min(at, KNOWN_BYTES) else None

    def head(self, size: int) -> bytes:
        held, self._file = self._file, self._reopen()
        try:
            return self._exactly(size)
        finally:
            self.close()
            self._file = held

    def _exactly(self, size: int) -> bytes:
        assert self._file is not None
        found = b""
        while len(found) < size and (block := self._file.read(size - len(found))):
            found += block
        return found

    def read(self, size: int) -> bytes | Sign:
        if self._file is None:
            self._file = self._reopen()
        return self._file.read(min(size, BLOCK_BYTES)) or Sign.END

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Growing:
    """A file of the host that is open, and what is appended to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begin()

    def _begin(self) -> None:
        self._at = 0  # read so far
        self._first = b""  # up to KNOWN_BYTES of it, from the beginning
        self._last = b""  # and before `_at`

    def start(self, at: int) -> tuple[bytes, bytes] | None:
        known = min(at, KNOWN_BYTES)
        self._at, self._first, self._last = at, self.head(known), self._pread(known, at - known)
        return (self._first, self._last) if len(self._first) == len(self._last) == known else None

    def head(self, size: int) -> bytes:
        return self._pread(size, 0)

    def read(self, size: int) -> bytes | Sign:
        if not self._is_known():
            self._begin()
            return Sign.ANEW
        block = self._pread(min(size, BLOCK_BYTES), self._at)
        if not block:
            return Sign.WAIT
        # Other contents than those read before? A block that was read just before the file shrank is not: the shrinking
        # shows in the next look.
        if not self._is_known() and os.fstat(self._file.fileno()).st_size >= self._at:
            self._begin()
            return Sign.ANEW
        if len(self._first) < KNOWN_BYTES:
            self._first += block[: KNOWN_BYTES - len(self._first)]
        self._last = (self._last + block[-KNOWN_BYTES:])[-KNOWN_BYTES:]
        self._at += len(block)
        return block

    def close(self) -> None:
        self._file.close()

    @property
    def has_name(self) -> bool:
        """Whether it was not deleted."""
        return os.fstat(self._file.fileno()).st_nlink > 0

    def _pread(self, size: int, at: int) -> bytes:
        return os.pread(self._file.fileno(), size, at)

    def _is_known(self) -> bool:
        """Whether what was read is still what the file begins with, as far as that is remembered."""
        return (
            os.fstat(self._file.fileno()).st_size >= self._at
            and self._pread(len(self._first), 0) == self._first
            and self._pread(len(self._last), self._at - len(self._last)) == self._last
        )
