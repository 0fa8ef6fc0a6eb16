"""FORMAT CSV: fields by position, as text or cast to the declared types.

Arrow parses a block at once. When anything in it is amiss (a row of another width, a field that does not cast, bytes
that are not UTF-8) the block is parsed again record by record, which tells the bad records from the good ones. An empty
field is the empty text, and NULL in a column of any other type.
"""

import csv
import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from engine.catalog.sources import CsvFormat
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.connectors.lines import STRINGS, BadLine, Rows, cast_texts, failures, last_newline, without_errors
from engine.connectors.records import Decoded, Spans
from engine.types import Column


class CsvDecoder:
    """Records of one width; quoted fields may hold newlines."""

    def __init__(self, columns: Sequence[Column], format: CsvFormat, heap: Heap) -> None:
        self._columns = tuple(columns)
        self._header = format.header
        self._delimiter = format.delimiter
        self._heap = heap
        names = [str(i) for i in range(len(columns))]
        self._read = arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=1 << 30)
        self._parse = arrow_csv.ParseOptions(delimiter=format.delimiter, newlines_in_values=True)
        self._convert = arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.large_string()))

    def cut(self, block: bytes) -> int:
        """The end of the last whole record: a newline before which the quotes are even."""
        end = last_newline(block)
        odd = block.count(b'"', 0, end) % 2
        while odd and end:
            before = last_newline(block[: end - 1])
            odd ^= block.count(b'"', before, end) % 2
            end = before
        return end

    def decode_lines(self, block: bytes, first_line: int) -> Rows:
        skipped = 0
        if first_line == 1 and self._header:
            skipped = block.index(b"\n") + 1
        count = block.count(b"\n")
        if not block[skipped:].strip():
            return Rows([Vector(np.empty(0, np.uint64)) for _ in self._columns], count)
        try:
            source = pa.BufferReader(block[skipped:])
            table = arrow_csv.read_csv(source, self._read, self._parse, self._convert)
        except pa.ArrowInvalid:
            return self._slowly(block[skipped:], first_line + bool(skipped), count)
        vectors = [self.cast(array, column) for array, column in zip(table.columns, self._columns, strict=True)]
        if any(vector.errors is not None for vector in vectors):
            return self._slowly(block[skipped:], first_line + bool(skipped), count)
        return Rows(vectors, count)

    def cast(self, array: pa.Array | pa.ChunkedArray, column: Column) -> Vector:
        """A column of fields in the column's type."""
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        codes = self._heap.intern_arrow(array)
        plain = column.type.plain in STRINGS
        if plain and not column.type.modifier:
            return Vector(codes)
        empty = None if plain or codes.all() else codes == 0
        vector = cast_texts(Vector(codes, empty), column.type, self._heap)
        if empty is None or vector.errors is None:
            return vector
        errors = np.where(empty, np.uint64(0), vector.errors)
        return Vector(vector.words, vector.nulls, errors if errors.any() else None)

    def _slowly(self, block: bytes, first_line: int, count: int) -> Rows:
        """Record by record. Bytes that are not UTF-8 ride through the parser as surrogates."""
        text = block.decode(errors="surrogateescape")
        lines = text.split("\n")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)
        good: list[list[str]] = []
        places: list[tuple[int, bytes]] = []
        bad: list[BadLine] = []
        seen = 0
        for record in reader:
            line = first_line + seen
            raw = "\n".join(lines[seen : reader.line_num]).encode(errors="surrogateescape")
            seen = reader.line_num
            if not record:
                continue
            if len(record) != len(self._columns):
                bad.append(BadLine(line, raw, f"expected {len(self._columns)} columns but got {len(record)}"))
            elif any("\udc80" <= character <= "\udcff" for field in record for character in field):
                bad.append(BadLine(line, raw, "invalid UTF-8"))
            else:
                good.append(record)
                places.append((line, raw))
        vectors = [
            self.cast(pa.array([record[j] for record in good], pa.large_string()), column)
            for j, column in enumerate(self._columns)
        ]
        vectors, failed = without_errors(vectors, self._columns, self._heap)
        bad += [BadLine(*places[row], reason) for row, reason in failed.items()]
        return Rows(vectors, count, bad)


class CsvRecords:
    """Each datum is one record of CSV."""

    def __init__(self, columns: Sequence[Column], format: CsvFormat, heap: Heap) -> None:
        self.columns = tuple(columns)
        self._heap = heap
        self._lines = CsvDecoder(columns, format, heap)
        self._delimiter = format.delimiter

    def decode(self, data: Spans) -> Decoded:
        """Fields by Python's reader, which alone knows where a datum with newlines in it ends."""
        failed: dict[int, str] = {}
        records: list[list[str]] = []
        blank = [""] * len(self.columns)
        for row, raw in enumerate(data.texts().to_pylist()):
            record = blank
            try:
                found = list(csv.reader(io.StringIO(raw.decode(), newline=""), delimiter=self._delimiter, strict=True))
                if len(found) != 1:
                    failed[row] = f"expected one record of CSV but got {len(found)}"
                elif len(found[0]) != len(self.columns):
                    failed[row] = f"expected {len(self.columns)} columns but got {len(found[0])}"
                else:
                    record = found[0]
            except UnicodeDecodeError:
                failed[row] = "invalid UTF-8"
            except csv.Error as error:
                failed[row] = f"malformed CSV: {error}"
            records.append(record)
        vectors = [
            self._lines.cast(pa.array([record[j] for record in records], pa.large_string()), column)
            for j, column in enumerate(self.columns)
        ]
        for row, reason in failures(vectors, self.columns, self._heap).items():
            failed.setdefault(row, reason)
        return Decoded([Vector(vector.words, vector.nulls) for vector in vectors], failed)
