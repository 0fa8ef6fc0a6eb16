"""What files are made of: the columns of a source, and what only its first file says of them.

`resolved` asks the files when a source is made, and fills in what they say (the names of a header, the schema that Avro
was written by); the statement that the log keeps has it too, so that the source means the same when no file is there.
"""

import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Final, assert_never

import pyarrow as pa
import pyarrow.parquet as pq

from engine import types
from engine.catalog.sources import (
    BytesFormat,
    CsvFormat,
    FileFormat,
    FileSource,
    JsonFormat,
    LineFormat,
    OcfFormat,
    ParquetFormat,
    RegexFormat,
    TextFormat,
)
from engine.collection.heap import Heap
from engine.connectors.avro.schema import columns_of as avro_columns
from engine.connectors.decode_csv import CsvDecoder
from engine.connectors.decode_json import WHOLE, json_decoder
from engine.connectors.decode_regex import RegexDecoder, regex_columns
from engine.connectors.decode_text import LineDecoder
from engine.connectors.feed import ERRORS, Feed, Resolve
from engine.connectors.files import parquet
from engine.connectors.files.host import Host
from engine.connectors.files.objects import Objects
from engine.connectors.files.parts import Part, StreamPart
from engine.connectors.files.roots import Roots
from engine.connectors.files.splitters import (
    Container,
    Headers,
    Lines,
    Splitter,
    names_in,
    whole_header,
    whole_line,
    written_schema,
)
from engine.connectors.files.stores import Found, Store, is_remote
from engine.connectors.files.streams import Stream
from engine.connectors.lines import Decoder
from engine.connectors.records import SpanLines
from engine.errors import InvalidParameter, MalformedSource, MissingFile, SourceError
from engine.types import Column

ERROR_COLUMNS: Final = (
    Column("file", types.TEXT, nullable=False),
    Column("position", types.BIGINT, nullable=False),  # of the line, record or row in its file, from 1
    Column("data", types.BYTEA, nullable=False),
    Column("reason", types.TEXT, nullable=False),
)
"""The error relation: what is no row, and why."""

DATUM: Final = "datum"
"""The column of an Avro schema that is no record."""


def store_of(description: FileSource, roots: Roots, resolve: Resolve) -> Store:
    """Where the source's files are."""
    if is_remote(description.path):
        return Objects(description.path, description.compression, description.connection, resolve)
    whole = isinstance(description.format, ParquetFormat)
    return Host(description.path, description.compression, roots, whole)


def resolved(
    description: FileSource, columns: tuple[Column, ...] | None, roots: Roots, resolve: Resolve, again: bool
) -> tuple[FileSource, tuple[Column, ...]]:
    """The description with what its first file says, and the columns of its rows but for what INCLUDE adds. Files must
    be there, unless the source waits for them, or was made before (`again`), and it is known what they have to be."""
    if again and _is_known(description.format, columns):
        return description, columns or plain_columns(description.format)
    store, format = store_of(description, roots, resolve), description.format
    try:
        first = store.list()[0]
    except MissingFile:
        if not description.tail or not _is_known(format, columns):
            raise
        return description, columns or plain_columns(format)
    try:
        return _said(description, columns, store, first)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise SourceError(f'file "{first.path}" cannot be read: {error}') from None
    except MalformedSource as error:
        raise about(error, first.path) from None


def about(error: MalformedSource, path: str) -> MalformedSource:
    """The error of a file, with its name."""
    return MalformedSource(
        f'file "{path}" is none of the source\'s: {error.message}', detail=error.detail, hint=error.hint
    )


def _is_known(format: FileFormat, columns: tuple[Column, ...] | None) -> bool:
    match format:
        case CsvFormat():
            return not format.header or bool(format.names)
        case OcfFormat():
            return bool(format.schema)
        case ParquetFormat():
            return columns is not None
        case _:
            return True


def _said(
    description: FileSource, columns: tuple[Column, ...] | None, store: Store, first: Found
) -> tuple[FileSource, tuple[Column, ...]]:
    format = description.format
    match format:
        case CsvFormat(header=True):
            with closing(store.stream(first)) as stream:
                found = names_in(whole_line(stream.head), format.delimiter)
            if not found:
                raise MalformedSource(
                    "it is empty, so it has no header", hint="Write the header, then create the source."
                )
            if format.names and format.names != found:
                raise MalformedSource(
                    "its header does not have the columns that the source declares",
                    detail=f"declared: {', '.join(format.names)}; found: {', '.join(found)}",
                )
            format = replace(format, names=found)
        case OcfFormat(schema=""):
            with closing(store.stream(first)) as stream:
                format = OcfFormat(written_schema(whole_header(stream.head)[0]))
        case ParquetFormat() if columns is None:
            columns = parquet.columns_of(pq.read_schema(store.table(first)))
        case _:
            pass
    return replace(description, format=format), columns_of(format, columns)


def columns_of(format: FileFormat, columns: tuple[Column, ...] | None) -> tuple[Column, ...]:
    """The columns of the rows of a format that says all it has to, where the source may list them."""
    if columns is None:
        return plain_columns(format)
    if isinstance(format, CsvFormat):
        width = len(format.names) or format.width or len(columns)
        if len(columns) != width:
            raise MalformedSource(f"it has {width} columns, the source {len(columns)}")
    return columns


def plain_columns(format: FileFormat) -> tuple[Column, ...]:
    """The columns where the source lists none."""
    match format:
        case JsonFormat():
            return WHOLE
        case TextFormat():
            return (Column("text", types.TEXT, nullable=False),)
        case BytesFormat():
            return (Column("data", types.BYTEA, nullable=False),)
        case CsvFormat():
            names = format.names or tuple(f"column{i + 1}" for i in range(format.width or 0))
            return tuple(Column(name, types.TEXT, nullable=False) for name in names)
        case RegexFormat():
            return regex_columns(format.pattern)
        case OcfFormat():
            return avro_columns(format.schema, DATUM)
        case ParquetFormat():
            raise AssertionError("the columns of Parquet are its files', or those that the source lists")
        case _:
            assert_never(format)


def feeds(description: FileSource, columns: tuple[Column, ...]) -> tuple[Feed, ...]:
    """The relation of the source and that of its errors."""
    if description.file_column is not None:
        if any(column.name == description.file_column for column in columns):
            raise InvalidParameter(
                f'column "{description.file_column}" would be there twice',
                hint="Name the included one: INCLUDE FILE AS name.",
            )
        columns = (*columns, Column(description.file_column, types.TEXT, nullable=False))
    return Feed("", columns, append_only=True), Feed(ERRORS, ERROR_COLUMNS, append_only=False)


def decoder_of(format: LineFormat, columns: Sequence[Column], heap: Heap) -> Decoder:
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
        case _:
            assert_never(format)


def parts_of(
    format: FileFormat, columns: Sequence[Column], heap: Heap, store: Store
) -> Callable[[Found, Stream | None], Part]:
    """What makes a part of a file, from its stream if that is open."""

    def streamed(splitter: Callable[[], Splitter]) -> Callable[[Found, Stream | None], Part]:
        return lambda found, stream: StreamPart(stream or store.stream(found), splitter, found.path)

    match format:
        case ParquetFormat():
            return lambda found, _: parquet.TablePart(lambda: store.table(found), columns, heap, found.path)
        case OcfFormat():
            return streamed(lambda: Container(format.schema, columns, heap))
        case _:
            decoder, headers = decoder_of(format, columns, heap), None
            if isinstance(format, CsvFormat) and format.header:
                headers = Headers(format.names, format.delimiter)
            return streamed(lambda: Lines(decoder, headers))
