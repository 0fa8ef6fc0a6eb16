"""COPY ... FROM STDIN: the client's data, as they come, cut into rows of fields.

Law   How the data are cut into chunks never matters: what is no whole row waits for the rest of it. Memory is bounded
      by BLOCK_BYTES, or twice the longest row, and CELLS_MAX fields.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import MalformedCopy
from engine.kernels import copy as kernels
from engine.sql.resolved.rows import CopyForm

BLOCK_BYTES: Final = 1 << 18
"""Data that wait until they are worth being decoded: a column at a time costs some 50 us whatever its length."""
CELLS_MAX: Final = 1 << 18
"""Fields of one Block: 17 bytes each."""
SHOWN_BYTES_MAX: Final = 100
"""How much of a row an error shows, as PostgreSQL."""

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
HEAD: Final = struct.Struct(">II")
"""Behind the signature: flags, and how long the extension is that follows."""
CRITICAL: Final = 0xFFFF_0000
"""The flags that a reader must know; the only one that ever was (rows with an OID) is gone from PostgreSQL too."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows of fields: spans of `data`, [row, column]. `marks` are kernels.copy's; `lines` says which line each row ends
    on (of the binary format: which row it is). Good until the next one is asked for."""

    data: NDArray[np.uint8]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    marks: NDArray[np.uint8]
    lines: NDArray[np.int64]


class Cutter:
    """The data of one COPY into `table`, whose columns named `names` are given."""

    def __init__(
        self, form: CopyForm, table: str, names: tuple[str, ...], block_bytes: int = BLOCK_BYTES, cells: int = CELLS_MAX
    ) -> None:
        rows = max(1, cells // max(1, len(names)))
        self._block_bytes = block_bytes
        self.form: Final = form
        self.table: Final = table
        self.names: Final = names
        self.quote: Final = -1 if form.quote is None else ord(form.quote)
        self.escape: Final = -1 if form.quote is None else ord(form.escape)
        self._begins = np.empty((rows, len(names)), np.int64)
        self._ends = np.empty((rows, len(names)), np.int64)
        self._marks = np.empty((rows, len(names)), np.uint8)
        self._lines = np.empty(rows, np.int64)
        self._state = np.zeros(6, np.int64)
        self._headed = not form.header and not form.binary
        """Whether the header is behind us."""

    def blocks(self, chunks: Iterable[bytes]) -> Iterator[Block]:
        """The rows of all chunks. MalformedCopy at the first row that is none, when those before it were given."""
        waiting, wanted = bytearray(), self._block_bytes
        endless: Iterable[bytes | None] = chain(chunks, (None,))
        coming = iter(endless)
        for chunk in coming:
            waiting += chunk or b""
            if chunk is not None and len(waiting) < wanted:
                continue
            data = bytes(waiting)
            taken, ended = 0, False
            if not self._headed:
                taken = self._behind_header(data, chunk is None)
            while self._headed and not ended:
                count = yield from self._cut(data[taken:] if taken else data, chunk is None)
                taken += int(self._state[kernels.CONSUMED])
                ended = self._state[kernels.STOP] == kernels.ENDED
                if count < len(self._lines):
                    break
            if ended:
                self._end(len(data) - taken, coming)
                return
            waiting = bytearray(data[taken:])
            wanted = max(self._block_bytes, 2 * len(waiting))

    def where(self, line: int, column: str | None = None, value: str | None = None) -> str:
        """The CONTEXT of an error, as PostgreSQL words it."""
        place = f"COPY {self.table}, line {line}" + ("" if column is None else f", column {column}")
        return place if value is None else f"{place}: {value}"

    def _cut(self, data: bytes, final: bool) -> Iterator[Block]:
        """The next rows as a block; how many they are."""
        bytes_ = np.frombuffer(data, np.uint8)
        begins, ends, marks, lines = self._begins, self._ends, self._marks, self._lines
        before = int(self._state[kernels.LINE])
        if self.form.binary:
            kernels.split_binary(bytes_, final, begins, ends, marks, self._state)
        else:
            self._split(bytes_, final, begins, ends, marks, lines)
        count = int(self._state[kernels.ROWS])
        if self.form.binary:
            lines[:count] = np.arange(before + 1, before + count + 1)
            self._state[kernels.LINE] = before + count
        if count:
            yield Block(bytes_, begins[:count], ends[:count], marks[:count], lines[:count])
        if self._state[kernels.STOP] not in (kernels.FINE, kernels.ENDED):
            raise self._problem(data[int(self._state[kernels.CONSUMED]) :])
        return count

    def _split(
        self,
        data: NDArray[np.uint8],
        final: bool,
        begins: NDArray[np.int64],
        ends: NDArray[np.int64],
        marks: NDArray[np.uint8],
        lines: NDArray[np.int64],
    ) -> None:
        delimiter, null = ord(self.form.delimiter), np.frombuffer(self.form.null.encode(), np.uint8)
        kernels.split_lines(
            data, final, delimiter, self.quote, self.escape, null, begins, ends, marks, lines, self._state
        )

    def _behind_header(self, data: bytes, final: bool) -> int:
        """Where the rows begin: behind the line that names the columns, or behind the binary format's head."""
        if self.form.binary:
            return self._behind_signature(data, final)
        state = self._state
        for width in (len(self.names), None):
            columns = int(state[kernels.FOUND]) if width is None else width
            spans, marks = np.empty((1, columns), np.int64), np.empty((1, columns), np.uint8)
            state[kernels.LINE] = 0
            self._split(np.frombuffer(data, np.uint8), final, spans, spans.copy(), marks, self._lines[:1])
            if state[kernels.STOP] not in (kernels.MISSING, kernels.EXTRA):
                break
        if state[kernels.STOP] not in (kernels.FINE, kernels.ENDED):
            raise self._problem(data)
        self._headed = bool(state[kernels.ROWS]) or final
        return int(state[kernels.CONSUMED])

    def _behind_signature(self, data: bytes, final: bool) -> int:
        head = len(SIGNATURE) + HEAD.size
        if not SIGNATURE.startswith(data[: len(SIGNATURE)]) or (final and len(data) < len(SIGNATURE)):
            raise MalformedCopy("COPY file signature not recognized", hint="For text or CSV name that as the FORMAT.")
        if len(data) >= head:
            flags, extension = HEAD.unpack_from(data, len(SIGNATURE))
            if flags & CRITICAL:
                raise MalformedCopy("unrecognized critical flags in COPY file header")
            if len(data) >= head + extension:
                self._headed = True
                return head + extension
        if final:
            raise MalformedCopy("invalid COPY file header: the data end inside it")
        return 0

    def _end(self, left: int, coming: Iterator[bytes | None]) -> None:
        """Behind the end mark: what follows it is no data, and in the binary format an error."""
        if self.form.binary and (left or any(coming)):
            raise MalformedCopy("received copy data after EOF marker")
        for _ in coming:
            pass

    def _problem(self, data: bytes) -> MalformedCopy:
        """What is wrong with the row that `data` begins with."""
        state, csv = self._state, self.form.quote is not None
        found, hint = int(state[kernels.FOUND]), None
        line = int(state[kernels.LINE]) + self.form.binary
        column = None
        match int(state[kernels.STOP]):
            case kernels.MISSING:
                message = f'missing data for column "{self.names[found]}"'
            case kernels.EXTRA:
                message = "extra data after last expected column"
            case kernels.UNTERMINATED:
                message = "unterminated CSV quoted field"
            case kernels.BACKSLASH_AT_END:
                message = "the data end in a backslash"
            case kernels.BAD_END:
                message = "end-of-copy marker corrupt"
            case kernels.STRAY_RETURN | kernels.STRAY_NEWLINE as stop:
                sign, name = ("\\r", "carriage return") if stop == kernels.STRAY_RETURN else ("\\n", "newline")
                message = f"{'unquoted' if csv else 'literal'} {name} found in data"
                hint = f"Use quoted CSV field to represent {name}." if csv else f'Use "{sign}" to represent {name}.'
            case kernels.WIDTH:
                message = f"row field count is {found}, expected {len(self.names)}"
            case kernels.SIZE:
                message, column = "invalid field size", self.names[found]
            case kernels.EOF:
                message = "unexpected EOF in COPY data"
                column = self.names[found] if self.names else None
            case stop:
                raise AssertionError(f"no stop of a kernel: {stop}")
        text = None if self.form.binary else shown(data.splitlines()[0] if data.strip(b"\r\n") else b"")
        return MalformedCopy(message, hint=hint, where=self.where(line, column, text))


def shown(data: bytes) -> str:
    """Data of the client as an error quotes them."""
    text = data[:SHOWN_BYTES_MAX].decode(errors="replace" if len(data) <= SHOWN_BYTES_MAX else "ignore")
    return f'"{text}..."' if len(data) > SHOWN_BYTES_MAX else f'"{text}"'
