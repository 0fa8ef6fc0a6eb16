"""A file being read: its records, block by block, and how far it is.

Law: after each piece `reached` says what the pieces so far came from. A part that is made anew and resumed there gives
the rest, every record once; where the file's bytes before are others, it says so and begins at its beginning.
"""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from engine.connectors.files.splitters import RECORD_BYTES_MAX, Splitter
from engine.connectors.files.streams import KNOWN_BYTES, Sign, Stream
from engine.connectors.lines import Rows
from engine.errors import SourceError


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a file was read: bytes (of a table rows), records, and what tells its bytes from others: digests of those
    that it begins with and of those before `position`."""

    position: int = 0
    records: int = 0
    first: int = 0
    last: int = 0


BEGINNING: Final = Reached()


class Part(Protocol):
    """See above. Raises SourceError; it can be asked again then, and goes on where it was."""

    @property
    def reached(self) -> Reached: ...

    def resume(self, at: Reached) -> bool:
        """Go to where a file was read to; whether its bytes are still those. If not, it is at its beginning."""
        ...

    def poll(self, bytes_max: int) -> Rows | Sign:
        """The next rows, of about so many bytes at most. WAIT: there is nothing for now; END: there will be nothing."""
        ...

    def finish(self) -> Rows | None:
        """Nothing will follow: what is left, although it has no end."""
        ...

    def close(self) -> None: ...


def digest(data: bytes) -> int:
    """63 bits of the bytes; 0 of none."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little") >> 1 if data else 0


class StreamPart:
    """A file of bytes. Memory: two blocks and the longest record."""

    def __init__(self, stream: Stream, splitter: Callable[[], Splitter], name: str) -> None:
        self._stream = stream
        self._new_splitter = splitter
        self._name = name
        self._ended = False
        self._lost = False  # whether an error took the stream away from where `_position` and `_rest` say
        self._begin()

    def _begin(self) -> None:
        self._splitter = self._new_splitter()
        self._position = self._records = 0
        self._first = self._last = b""  # of the bytes taken
        self._rest = b""  # read, but no whole record yet

    @property
    def reached(self) -> Reached:
        return Reached(self._position, self._records, digest(self._first), digest(self._last))

    def resume(self, at: Reached) -> bool:
        try:
            found = self._stream.start(at.position)
            if found is not None and (digest(found[0]), digest(found[1])) == (at.first, at.last):
                if at.position:
                    self._splitter.learn(self._stream.head)
                self._position, self._records = at.position, at.records
                self._first, self._last = found
                return True
            self._begin()
            self._stream.start(0)
        except (OSError, EOFError, zlib.error) as error:
            raise self._unreadable(error) from None
        return False

    def poll(self, bytes_max: int) -> Rows | Sign:
        while not self._ended:
            if self._lost:
                self._rest = b""
                self.resume(self.reached)
            self._lost = True
            try:
                block = self._stream.read(bytes_max)
            except (OSError, EOFError, zlib.error) as error:
                raise self._unreadable(error) from None
            rows = None
            if block is Sign.END or block is Sign.ANEW:
                rows = self.finish()
                self._ended = block is Sign.END
                if not self._ended:
                    self._begin()
            elif isinstance(block, bytes):
                rows = self._take(self._rest + block if self._rest else block, last=False)
            self._lost = False
            if rows is not None:
                return rows
            if block is Sign.WAIT:
                return block
        return Sign.END

    def finish(self) -> Rows | None:
        return self._take(self._rest, last=True) if self._rest else None

    def _take(self, text: bytes, last: bool) -> Rows | None:
        rows, end = self._splitter.take(text, self._records, last)
        self._rest = text[end:]
        if len(self._rest) > RECORD_BYTES_MAX:
            raise SourceError(f'record {self._records + 1} of "{self._name}" exceeds {RECORD_BYTES_MAX} bytes')
        if not end:
            return None
        self._position += end
        self._records += rows.lines
        if len(self._first) < KNOWN_BYTES:
            self._first += text[: min(end, KNOWN_BYTES - len(self._first))]
        taken = text[max(0, end - KNOWN_BYTES) : end]
        self._last = (self._last + taken)[-KNOWN_BYTES:]
        return rows

    def _unreadable(self, error: Exception) -> SourceError:
        return SourceError(f'file "{self._name}" cannot be read: {error}')

    def close(self) -> None:
        self._stream.close()
