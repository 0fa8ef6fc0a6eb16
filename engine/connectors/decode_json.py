"""FORMAT JSON: one JSON object a line into typed columns, or one JSON value a line into one column `data jsonb`.

A member goes to the column of its name; members without a column are ignored, a column without a member is NULL. A
kernel reads what it can (engine/kernels/json_lines.py: 0.1 us a line); the other lines, one by one, go through a full
parser, which settles what a value is and why it is refused (json_values.py).
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine import types
from engine.collection import json, numeric
from engine.collection.heap import Heap
from engine.collection.value import Value
from engine.collection.vector import Vector
from engine.collection.words import vector_of
from engine.connectors.abreast import PART_BYTES, Abreast, processors
from engine.connectors.json_values import KINDS, kind_of, row_of
from engine.connectors.lines import STRINGS, BadLine, Rows, cast_texts, failures, is_utf8, last_newline, replaced
from engine.connectors.records import Decoded, Spans, kept
from engine.errors import DataError
from engine.expr import text_forms
from engine.kernels import heap as heap_kernels
from engine.kernels import json_lines as kernels
from engine.kernels.spans import join_lines
from engine.types import Column, SqlType

ESCAPED: Final = re.compile(r'["\\\x00-\x1f]')
"""Names that JSON writes with escapes. The kernel gets bytes for them that no line of UTF-8 has: all lines are slow."""

SLACK: Final = 64
"""Newlines after the block: the kernel looks at most so far past the end of a line."""

NULL_BEGINS: Final = ord("n")
"""No other JSON value begins so."""

WHOLE: Final = (Column("data", types.JSONB),)
"""The columns of a source without a column list: the whole line is the datum."""


def json_decoder(columns: Sequence[Column], heap: Heap, whole: bool = False) -> "JsonLines | JsonColumns":
    """The decoder for these columns. One column `data jsonb` takes the whole line or datum, and with `whole` does so
    one of any name."""
    if len(columns) == 1 and (whole or columns[0].name == WHOLE[0].name) and columns[0].type == types.JSONB:
        return JsonLines(heap, columns[0])
    return JsonColumns(columns, heap)


class JsonLines:
    """Each line, or each datum, is a document."""

    def __init__(self, heap: Heap, column: Column = WHOLE[0]) -> None:
        self.columns = (column,)
        self._heap = heap

    def cut(self, block: bytes) -> int:
        return last_newline(block)

    def decode_lines(self, block: bytes, first_line: int) -> Rows:
        lines = block.split(b"\n")[:-1]
        data: list[bytes] = []
        bad: list[BadLine] = []
        for line, raw in enumerate(lines, first_line):
            if raw.strip():
                try:
                    data.append(json.canonical(raw))
                except ValueError as error:
                    bad.append(BadLine(line, raw, f"malformed JSON: {error}"))
        return Rows([Vector(self._heap.intern_many(data))], len(lines), bad)

    def decode(self, data: Spans) -> Decoded:
        documents: list[bytes] = []
        failed: dict[int, str] = {}
        for row, raw in enumerate(data.texts().to_pylist()):
            try:
                documents.append(json.canonical(raw))
            except ValueError as error:
                documents.append(b"")
                failed[row] = f"malformed JSON: {error}"
        return Decoded([Vector(self._heap.intern_many(documents))], failed)


class JsonColumns:
    """Each line, or each datum, is an object, its members go to columns."""

    def __init__(self, columns: Sequence[Column], heap: Heap) -> None:
        self.columns = tuple(columns)
        self._heap = heap
        encoded = [b"\xff" if ESCAPED.search(column.name) else column.name.encode() for column in columns]
        self._names = np.frombuffer(b"".join(encoded) + bytes(8), np.uint8).copy()
        self._name_at = np.cumsum([0, *map(len, encoded)])
        self._kinds = np.array([KINDS.get(column.type.plain, kernels.TEXT) for column in columns], np.int64)
        ranges = [text_forms.INTEGER_RANGES.get(column.type, (0, 0)) for column in columns]
        self._low = np.array([low for low, _ in ranges], np.int64)
        self._high = np.array([high for _, high in ranges], np.int64)
        self._scratch = _Scratch()
        self._abreast: Abreast | None = None

    def cut(self, block: bytes) -> int:
        return last_newline(block)

    def decode_lines(self, block: bytes, first_line: int) -> Rows:
        """A long block goes in parts, as many abreast as there are processors: most of the work lets go of Python."""
        if len(block) < 2 * PART_BYTES:
            return self.decode_part(block, first_line)
        if self._abreast is None:
            self._abreast = Abreast([JsonColumns(self.columns, self._heap).decode_part for _ in range(processors())])
        return self._abreast.decode_lines(block, first_line)

    def decode_part(self, block: bytes, first_line: int) -> Rows:
        """The same by this decoder alone."""
        given = np.frombuffer(block, np.uint8)
        room = block.count(b"\n") + 1
        cells, lines, starts, slow, count = self._parsed(given, room, first_line, block.isascii())
        decoded = self._settled(self._vectors(cells), slow, lambda row: _line(block, starts, row))
        bad = [BadLine(int(lines[row]), _line(block, starts, row), why) for row, why in decoded.failed.items()]
        return Rows(kept(decoded), count, bad)

    def decode(self, data: Spans) -> Decoded:
        cells, slow = self.scan(data)
        return self._settled(self._vectors(cells), slow, data.get)

    def scan(self, data: Spans) -> "tuple[list[_Cells], NDArray[np.bool_]]":
        """The cells of each column, over memory that the next scan writes to, and the rows that are left to others.

        The kernel reads lines: the data become such; those with newlines in them (or blank) are left.
        """
        n = len(data)
        block = self._scratch.bytes("block", int((data.ends - data.begins).sum()) + 2 * n)
        apart = np.empty(n, np.bool_)
        size, ascii = join_lines(data.data, data.begins, data.ends, block, apart)
        cells, _, _, slow, _ = self._parsed(block[:size], n + 1, 1, bool(ascii))
        return cells, slow | apart

    def _parsed(
        self, given: NDArray[np.uint8], room: int, first_line: int, ascii: bool
    ) -> "tuple[list[_Cells], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], int]":
        """(cells, line of each row, where each row stands, rows that the kernel leaves to others, lines).

        `room` is above the number of lines in `given`.
        """
        k = len(self.columns)
        text = self._scratch.bytes("text", len(given) + SLACK)[: len(given) + SLACK]
        text[: len(given)] = given
        text[len(given) :] = kernels.NEWLINE
        words = np.empty((k, room), np.uint64)
        begins, ends = self._scratch.places("begins", k, room), self._scratch.places("ends", k, room)
        states = np.empty((k, room), np.uint8)
        lines, starts, slow = np.empty(room, np.int64), np.empty(room + 1, np.int64), np.empty(room, np.bool_)
        n, count = kernels.parse_lines(
            given, text, first_line, self._names, self._name_at, self._kinds, self._low, self._high,
            words, begins, ends, states, lines, starts, slow,
        )  # fmt: skip
        slow = slow[:n]
        if not ascii and not is_utf8(given.tobytes()):
            slow |= [not is_utf8(given[starts[r] : starts[r + 1]].tobytes()) for r in range(n)]
        states[:, :n][:, slow] = kernels.NULL
        cells = [_Cells(text, words[j, :n], begins[j, :n], ends[j, :n], states[j, :n]) for j in range(k)]
        return cells, lines, starts, slow, count

    def _vectors(self, cells: "Sequence[_Cells]") -> list[Vector]:
        return [
            self._column(column.type, int(kind), each)
            for column, kind, each in zip(self.columns, self._kinds, cells, strict=True)
        ]

    def _settled(self, vectors: list[Vector], slow: NDArray[np.bool_], raw: Callable[[int], bytes]) -> Decoded:
        """The columns with the slow rows decoded one by one, in their places."""
        failed = failures(vectors, self.columns, self._heap)
        good: list[list[Value]] = []
        places: list[int] = []
        for row in np.flatnonzero(slow).tolist():
            try:
                document = json.parse(raw(row))
            except ValueError as error:
                failed[row] = f"malformed JSON: {error}"
                continue
            try:
                good.append(row_of(document, self.columns))
                places.append(row)
            except (ValueError, DataError) as error:
                failed[row] = str(error)
        if good:
            for j, column in enumerate(self.columns):
                part = vector_of([values[j] for values in good], column.type, self._heap)
                vectors[j] = replaced(vectors[j], places, part)
        return Decoded([Vector(vector.words, vector.nulls) for vector in vectors], failed)

    def _column(self, type: SqlType, kind: int, cells: "_Cells") -> Vector:
        """The words of one column, its spans converted."""
        nulls = cells.states == kernels.NULL
        any_null = bool(nulls.any())
        words = np.where(nulls, np.uint64(0), cells.words) if any_null else cells.words
        errors: NDArray[np.uint64] | None = None
        spans = np.flatnonzero(cells.states == kernels.SPAN)
        if len(spans):
            if type.plain in STRINGS and not type.modifier and len(spans) == len(words):
                words = self._heap.intern_spans(cells.begins, cells.ends, cells.text)
            else:
                converted = self._converted(type, kind, cells, spans)
                words[spans] = converted.words
                if converted.errors is not None:
                    errors = np.zeros(len(words), np.uint64)
                    errors[spans] = converted.errors
        if type.plain == types.REAL:
            words = words.view(np.float64).astype(np.float32).astype(np.float64).view(np.uint64)
        if type.plain == types.NUMERIC and type.modifier:
            precision, scale = (*type.modifier, 0)[:2]
            words, over = numeric.rescale(words, precision, scale, self._heap)
            if over is not None:
                errors = np.zeros(len(words), np.uint64) if errors is None else errors
                errors[over & (errors == 0)] = self._heap.intern(b"22003 numeric field overflow")
        return Vector(words, nulls if any_null else None, errors)

    def _converted(self, type: SqlType, kind: int, cells: "_Cells", spans: NDArray[np.int64]) -> Vector:
        begins, ends = cells.begins[spans], cells.ends[spans]
        if kind in (kernels.FLOAT, kernels.RAW):
            lengths = (ends - begins).astype(np.uint32)
            offsets, data = heap_kernels.gather(np.arange(len(spans), dtype=np.uint64), begins, lengths, cells.text)
            texts = pa.LargeStringArray.from_buffers(len(spans), pa.py_buffer(offsets), pa.py_buffer(data))
            if kind == kernels.FLOAT:
                values = texts.cast(pa.float64()).to_numpy()
                errors = np.where(np.isinf(values), self._heap.intern(b"22003 value out of range"), 0)
                return Vector(values.view(np.uint64), None, errors.astype(np.uint64))
            codes, failed = json.intern_json(texts, self._heap)
            if failed is None:
                return Vector(codes)
            errors = np.where(failed, self._heap.intern(b"22P02 malformed JSON"), 0)
            return Vector(codes, None, errors.astype(np.uint64))
        texts = Vector(self._heap.intern_spans(begins, ends, cells.text))
        if type.plain == types.TEXT:
            return texts
        return cast_texts(texts, type.plain if kind == kernels.DECIMAL else type, self._heap)


class JsonMembers:
    """Each datum is an object; some of its members are wanted as they stand there, to be read by others."""

    def __init__(self, names: Sequence[str], heap: Heap) -> None:
        self._names = tuple(names)
        self._columns = JsonColumns([Column(name, types.JSONB) for name in names], heap)

    def decode(self, data: Spans) -> tuple[list[Spans], dict[int, str]]:
        """(by member the text of its value, which begins at -1 where it is absent or null; why others are no objects).

        The texts are good until the next call. That they are JSON is for whoever reads them to find out.
        """
        cells, slow = self._columns.scan(data)
        members: list[Spans] = []
        for each in cells:
            there = each.states == kernels.SPAN
            there[there] = each.text[each.begins[there]] != NULL_BEGINS
            members.append(Spans(each.text, np.where(there, each.begins, -1), np.where(there, each.ends, -1)))
        failed: dict[int, str] = {}
        for row in np.flatnonzero(slow).tolist():
            try:
                document = json.parse(data.get(row))
            except ValueError as error:
                failed[row] = f"malformed JSON: {error}"
                continue
            if not isinstance(document, dict):
                failed[row] = f"expected a JSON object but got {kind_of(document)}"
                continue
            for j, name in enumerate(self._names):
                if document.get(name) is not None:
                    members[j] = members[j].put([row], Spans.of([json.dump(document[name])]))
        return members, failed


class _Scratch:
    """Arrays for one block, kept for the next: fresh memory costs as much as parsing."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray] = {}

    def bytes(self, name: str, size: int) -> NDArray[np.uint8]:
        """At least so many bytes."""
        held = self._held.get(name)
        if held is None or len(held) < size:
            held = self._held[name] = np.empty(size + size // 4, np.uint8)
        return held

    def places(self, name: str, columns: int, rows: int) -> NDArray[np.int64]:
        """columns x rows offsets."""
        size = columns * rows * 8
        return self.bytes(name, size)[:size].view(np.int64).reshape(columns, rows)


class _Cells:
    """One column as the kernel left it."""

    __slots__ = ("begins", "ends", "states", "text", "words")

    def __init__(
        self,
        text: NDArray[np.uint8],
        words: NDArray[np.uint64],
        begins: NDArray[np.int64],
        ends: NDArray[np.int64],
        states: NDArray[np.uint8],
    ) -> None:
        self.text, self.words, self.begins, self.ends, self.states = text, words, begins, ends, states


def _line(block: bytes, starts: NDArray[np.int64], row: int) -> bytes:
    """The raw bytes of a row, without its newline."""
    begin = int(starts[row])
    return block[begin : block.index(b"\n", begin)]
