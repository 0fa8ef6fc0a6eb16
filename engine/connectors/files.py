"""Files on disk: read in blocks of whole lines, one after the other, or one that is then watched for more.

A line counts once its newline is there; at the end of a file that is not tailed, or that another one has followed, the
last one needs none. Rows stay, whatever happens to their file: streams.py tells what is new of it. Memory: two blocks
and the longest line. Compressed files are read once, to their end.
"""

import csv
import gzip
from collections.abc import Mapping, Sequence
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, Literal, assert_never

import pyarrow as pa

from engine import types
from engine.catalog.sources import (
    AvroFormat,
    BytesFormat,
    Compression,
    CsvFormat,
    FileSource,
    Format,
    JsonFormat,
    ProtobufFormat,
    RegexFormat,
    TextFormat,
)
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.connectors.decode_csv import CsvDecoder
from engine.connectors.decode_json import WHOLE, json_decoder
from engine.connectors.decode_regex import RegexDecoder, regex_columns
from engine.connectors.decode_text import LineDecoder
from engine.connectors.feed import ERROR_COLUMNS, ERRORS, Decoded, Feed, Progress, SourceSpec
from engine.connectors.lines import Decoder, error_batch, insert_batch
from engine.connectors.records import SpanLines
from engine.connectors.roots import Roots
from engine.connectors.streams import Followed, Stream, Whole
from engine.errors import MalformedSource, MissingFile, SourceError
from engine.types import Column

LINE_BYTES_MAX: Final = 256 << 20
"""A longer line is no line: the file is not what the source takes it for."""

IDLE_SECONDS: Final = 0.01
"""Between two looks at a file that has nothing new: a look costs 2 us, so this is what bounds freshness."""


def describe(description: FileSource, columns: tuple[Column, ...] | None, roots: Roots) -> tuple[Feed, ...]:
    """The feeds of a file that is there and may be read; MissingFile, ForbiddenFile or MalformedSource when not."""
    if description.tail:
        roots.find(description.path)  # that is one file
    with _open(roots.find_all(description.path)[0], description.compression) as file:
        found = _columns(description, columns, file)
    return Feed("", found, append_only=True), Feed(ERRORS, ERROR_COLUMNS, append_only=True)


def _columns(description: FileSource, columns: tuple[Column, ...] | None, file: BinaryIO) -> tuple[Column, ...]:
    match description.format:
        case JsonFormat():
            return WHOLE if columns is None else columns
        case TextFormat():
            return (Column("text", types.TEXT, nullable=False),) if columns is None else columns
        case BytesFormat():
            return (Column("data", types.BYTEA, nullable=False),) if columns is None else columns
        case CsvFormat():
            names = description.format.names
            if description.format.header:
                found = _header(description.format, description.path, file)
                if names and names != found:
                    raise MalformedSource(
                        f'the header of "{description.path}" does not have the columns that the source declares',
                        detail=f"declared: {', '.join(names)}; found: {', '.join(found)}",
                    )
                names = found
            elif not names:
                names = tuple(f"column{i + 1}" for i in range(description.format.width or 0))
            if columns is None:
                return tuple(Column(name, types.TEXT, nullable=False) for name in names)
            if len(columns) != len(names):
                raise MalformedSource(f'"{description.path}" has {len(names)} columns, the source {len(columns)}')
            return columns
        case RegexFormat():
            return regex_columns(description.format.pattern) if columns is None else columns
        case AvroFormat() | ProtobufFormat():
            raise MalformedSource("FORMAT AVRO and PROTOBUF are of records, not of lines")
        case _:
            assert_never(description.format)


def _header(format: CsvFormat, path: str, file: BinaryIO) -> tuple[str, ...]:
    line = file.readline()
    if not line:
        raise MalformedSource(
            f'"{path}" is empty, so it has no header', hint="Write the header, then create the source."
        )
    return tuple(next(csv.reader([line.decode()], delimiter=format.delimiter)))


def _compression(path: Path, given: Compression) -> Literal[Compression.NONE, Compression.GZIP, Compression.ZSTD]:
    if given is not Compression.BY_NAME:
        return given
    match path.suffix:
        case ".gz":
            return Compression.GZIP
        case ".zst":
            return Compression.ZSTD
        case _:
            return Compression.NONE


def _open(path: Path, compression: Compression) -> BinaryIO:
    try:
        match _compression(path, compression):
            case Compression.NONE:
                return path.open("rb")
            case Compression.GZIP:
                return gzip.open(path, "rb")  # pyright: ignore[reportReturnType] - it reads as a BinaryIO does
            case Compression.ZSTD:
                return BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))  # pyright: ignore[reportReturnType,reportArgumentType] - as above
    except FileNotFoundError:
        raise MissingFile(f'file "{path}" does not exist', hint="Paths are the server's.") from None
    except OSError as error:
        raise SourceError(f'file "{path}" cannot be opened: {error.strerror}') from None


def decoder_of(format: Format, columns: Sequence[Column], heap: Heap) -> Decoder:
    """What turns the lines of a file into rows."""
    match format:
        case JsonFormat():
            return json_decoder(columns, heap)
        case CsvFormat():
            return CsvDecoder(columns, format, heap)
        case TextFormat():
            return LineDecoder(heap, utf8=True)
        case BytesFormat():
            return LineDecoder(heap, utf8=False)
        case RegexFormat():
            return SpanLines(RegexDecoder(columns, format.pattern, heap))
        case AvroFormat() | ProtobufFormat():
            raise MalformedSource("FORMAT AVRO and PROTOBUF are of records, not of lines")
        case _:
            assert_never(format)


def _stream(description: FileSource, roots: Roots) -> Stream:
    if description.tail and _compression(Path(description.path), description.compression) is Compression.NONE:
        return Followed(description.path, lambda: _open(roots.find(description.path), Compression.NONE))
    files = roots.find_all(description.path)
    return Whole([partial(_open, file, description.compression) for file in files])


class FileReader:
    """Reader of the files of one source; see feed.Reader for the protocol."""

    idle_seconds: float = IDLE_SECONDS

    def __init__(self, spec: SourceSpec, description: FileSource, heap: Heap, roots: Roots) -> None:
        feed = next(feed for _, feed in spec.feeds if feed.name == "")
        self._rows_id, self._errors_id = spec.collection(""), spec.collection(ERRORS)
        self._path = description.path
        self._heap = heap
        self._decoder = decoder_of(description.format, feed.columns, heap)
        self._stream = _stream(description, roots)
        self._rest = b""  # read, but no whole line yet
        self._line = 1  # number of the next line in its file
        self._bytes = self._lines = 0  # decoded, of all files that were at the path
        self._has_header = isinstance(description.format, CsvFormat) and description.format.header
        self._header: bytes | None = None  # the first file's
        self._refused: SourceError | None = None  # why nothing more is read, ever
        self.finished = False

    def poll(self) -> Decoded | None:
        while not self.finished:
            if self._refused is not None:
                raise self._refused
            try:
                block = self._stream.read()
            except (OSError, EOFError) as error:
                raise SourceError(f'file "{self._path}" cannot be read: {error}') from None
            if block is None:
                last, self._rest = self._rest, b""
                decoded = self._decode(last)
                self._line = 1
                self.finished = self._stream.ended
            elif block:
                text = self._rest + block if self._rest else block
                end = self._decoder.cut(text)
                self._rest = text[end:]
                if len(self._rest) > LINE_BYTES_MAX:
                    self._refused = SourceError(f'line {self._line} of "{self._path}" exceeds {LINE_BYTES_MAX} bytes')
                decoded = self._decode(text[:end] if end < len(text) else text)
            else:
                return None
            if decoded is not None:
                return decoded
        return None

    def _decode(self, block: bytes) -> Decoded | None:
        if not block:
            return None
        if not block.endswith(b"\n"):
            size, block = len(block), block + b"\n"
        else:
            size = len(block)
        if self._line == 1 and self._has_header and not self._is_header(block[: block.index(b"\n")].rstrip(b"\r")):
            return None
        rows = self._decoder.decode_lines(block, self._line)
        self._bytes += size
        self._line += rows.lines
        self._lines += rows.lines
        deltas: dict[int, Batch] = {}
        if len(rows.columns[0]):
            deltas[self._rows_id] = insert_batch(rows.columns)
        if rows.bad:
            deltas[self._errors_id] = error_batch(rows.bad, self._heap)
        if not deltas:
            return None
        count = sum(len(batch) for batch in deltas.values())
        return Decoded(deltas, count, {"byte": self._bytes, "line": self._lines})

    def _is_header(self, line: bytes) -> bool:
        """Whether the first line of a file says what that of the first file said. If not, its columns are others."""
        if self._header is None:
            self._header = line
        if line != self._header:
            self._refused = MalformedSource(
                f'"{self._path}" has or was replaced by a file with another header',
                detail=f"before: {self._header.decode(errors='replace')}; now: {line.decode(errors='replace')}",
                hint="Drop the source and create it again to read the new columns.",
            )
        return self._refused is None

    def progress(self) -> Mapping[str, Progress]:
        return {}

    def interrupt(self) -> None:
        """A poll never waits."""

    def mark(self, marks: Marks) -> None:
        """It holds no codes between two polls."""

    def close(self) -> None:
        self._stream.close()
