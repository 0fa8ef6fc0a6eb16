"""Records: data that come one by one, and the formats that make columns of them, whole fetches at once.

    Spans         n data in one buffer, where each begins and ends
    RecordDecoder a format: spans to columns, row by row in the same order
    Decoded       columns of n rows, and why some of them are no rows

Law: a decoder keeps its rows aligned with the data, so that what is known of a record beside its payload (partition,
offset, key, timestamp) is added column by column, and the order in which the records came is never lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.connectors.lines import BadLine, Rows, is_utf8, last_newline
from engine.kernels.heap import gather
from engine.types import Column

NEWLINE = 10


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Datum i is data[begins[i]:ends[i]]; `data` has at least 8 bytes behind the last datum, but for `of_arrow`."""

    data: NDArray[np.uint8]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.begins)

    def get(self, row: int) -> bytes:
        """One datum."""
        return self.data[self.begins[row] : self.ends[row]].tobytes()

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Spans":
        """Those data."""
        return Spans(self.data, self.begins[rows], self.ends[rows])

    def put(self, rows: Sequence[int] | NDArray[np.int64], others: "Spans") -> "Spans":
        """The data with others in those rows. O(bytes of both)."""
        behind = len(self.data)
        begins, ends = self.begins.copy(), self.ends.copy()
        begins[rows] = np.where(others.begins < 0, -1, others.begins + behind)
        ends[rows] = np.where(others.begins < 0, -1, others.ends + behind)
        return Spans(np.concatenate([self.data, others.data]), begins, ends)

    def intern(self, heap: Heap) -> Vector:
        """The data as a column of text or bytea."""
        return Vector(heap.intern_spans(self.begins, self.ends, self.data))

    def texts(self) -> pa.LargeBinaryArray:
        """The data as an Arrow array. O(bytes)."""
        lengths = (self.ends - self.begins).astype(np.uint32)
        offsets, data = gather(np.arange(len(self), dtype=np.uint64), self.begins, lengths, self.data)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(self), buffers)

    def compact(self) -> "Spans":
        """The same data in a buffer that has no others. O(bytes)."""
        begins = np.maximum(self.begins, 0)
        lengths = np.where(self.begins < 0, 0, self.ends - begins)
        offsets, data = gather(np.arange(len(self), dtype=np.uint64), begins, lengths.astype(np.uint32), self.data)
        absent = self.begins < 0
        return Spans(
            np.concatenate([data, np.zeros(8, np.uint8)]), np.where(absent, -1, offsets[:-1]),
            np.where(absent, -1, offsets[1:]),
        )  # fmt: skip

    @staticmethod
    def together(parts: "Sequence[Spans]") -> "Spans":
        """Data one behind the other. O(bytes)."""
        behind = np.cumsum([0, *(len(part.data) for part in parts)])
        none = np.empty(0, np.int64)
        begins = [np.where(part.begins < 0, -1, part.begins + at) for part, at in zip(parts, behind, strict=False)]
        ends = [np.where(part.begins < 0, -1, part.ends + at) for part, at in zip(parts, behind, strict=False)]
        data = np.concatenate([*(part.data for part in parts), np.zeros(8, np.uint8)])
        return Spans(data, np.concatenate([none, *begins]), np.concatenate([none, *ends]))

    @staticmethod
    def of_arrow(array: pa.LargeBinaryArray) -> "Spans":
        """The data of an array where they lie; a null begins and ends at -1. Kernels read them byte by byte only."""
        _, offsets, data = array.buffers()
        n = len(array)
        at = np.zeros(1, np.int64) if offsets is None else np.frombuffer(offsets, np.int64, n + 1, array.offset * 8)
        begins, ends = at[:n].copy(), at[1:].copy()
        if array.null_count:
            absent = array.is_null().to_numpy(zero_copy_only=False)
            begins[absent] = ends[absent] = -1
        return Spans(np.frombuffer(b"" if data is None else data, np.uint8), begins, ends)

    @staticmethod
    def of(data: Sequence[bytes]) -> "Spans":
        """Data that are Python objects already."""
        ends = np.cumsum([len(each) for each in data], dtype=np.int64)
        begins = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(data) else np.empty(0, np.int64)
        return Spans(buffer_of(data), begins, ends)


def buffer_of(parts: Sequence[bytes | memoryview]) -> NDArray[np.uint8]:
    """The parts one behind the other, and the bytes that Spans want behind them."""
    data = np.empty(sum(map(len, parts)) + 8, np.uint8)
    at = 0
    for part in parts:
        data[at : at + len(part)] = np.frombuffer(part, np.uint8)
        at += len(part)
    data[at:] = 0
    return data


@dataclass(slots=True, eq=False)
class Decoded:
    """Columns of n rows. A row in `failed` is none: its words mean nothing, its reason says why."""

    columns: list[Vector]
    failed: dict[int, str] = field(default_factory=dict)


class RecordDecoder(Protocol):
    """A format whose data come one by one. Pure but for the heap (and, for a registry's formats, its schemas)."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that it makes."""
        ...

    def decode(self, data: Spans) -> Decoded:
        """One row a datum."""
        ...


def present(decoder: RecordDecoder, spans: Spans) -> Decoded:
    """What the decoder makes of the data that are there; NULLs of the others."""
    absent = spans.begins < 0
    if not absent.any():
        return decoder.decode(spans)
    rows = np.flatnonzero(~absent)
    decoded = decoder.decode(spans.take(rows))
    columns: list[Vector] = []
    for vector in decoded.columns:
        words = np.zeros(len(spans), np.uint64)
        words[rows] = vector.words
        nulls = absent.copy()
        if vector.nulls is not None:
            nulls[rows] = vector.nulls
        columns.append(Vector(words, nulls))
    return Decoded(columns, {int(rows[row]): reason for row, reason in decoded.failed.items()})


class WholeDecoder:
    """FORMAT TEXT and BYTES: the datum is the row. Text must be UTF-8."""

    def __init__(self, column: Column, heap: Heap, utf8: bool) -> None:
        self.columns = (column,)
        self._heap = heap
        self._utf8 = utf8

    def decode(self, data: Spans) -> Decoded:
        if not self._utf8:
            return Decoded([data.intern(self._heap)])
        failed = dict.fromkeys(not_utf8(data), "invalid UTF-8")
        if not failed:
            return Decoded([data.intern(self._heap)])
        ends = data.ends.copy()
        ends[list(failed)] = data.begins[list(failed)]
        return Decoded([Spans(data.data, data.begins, ends).intern(self._heap)], failed)


class SpanLines:
    """Lines of a file as data of such a format: what files.py wants of a decoder."""

    def __init__(self, decoder: RecordDecoder) -> None:
        self._decoder = decoder

    def cut(self, block: bytes) -> int:
        return last_newline(block)

    def decode_lines(self, block: bytes, first_line: int) -> Rows:
        data = buffer_of([block])
        ends = np.flatnonzero(data[: len(block)] == NEWLINE)
        begins = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
        spans = Spans(data, begins, ends)
        decoded = self._decoder.decode(spans)
        bad = [BadLine(first_line + row, spans.get(row), reason) for row, reason in decoded.failed.items()]
        return Rows(kept(decoded), len(ends), bad)


def kept(decoded: Decoded) -> list[Vector]:
    """The columns without the rows that failed."""
    if not decoded.failed:
        return decoded.columns
    keep = np.ones(len(decoded.columns[0]), np.bool_)
    keep[list(decoded.failed)] = False
    rows = np.flatnonzero(keep)
    return [vector.take(rows) for vector in decoded.columns]


def not_utf8(data: Spans) -> list[int]:
    """The rows whose data are no UTF-8. Mostly one look at all of them together."""
    if not len(data):
        return []
    whole = data.texts()
    offsets, buffer = whole.buffers()[1:]
    if buffer is None or is_utf8_boundaries(buffer, offsets, len(data)):
        return []
    return [row for row in range(len(data)) if not is_utf8(data.get(row))]


def is_utf8_boundaries(buffer: pa.Buffer, offsets: pa.Buffer, n: int) -> bool:
    """Whether the data together are UTF-8 and each begins where a character does."""
    data = buffer.to_pybytes()
    if data.isascii():
        return True
    if not is_utf8(data):
        return False
    starts = np.frombuffer(offsets, np.int64)[:n]
    bytes_ = np.frombuffer(data, np.uint8)
    return not np.any((bytes_[starts[starts < len(data)]] & 0xC0) == 0x80)
