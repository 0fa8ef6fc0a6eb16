"""Formats of records: which columns each makes, and what decodes it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

from engine import types
from engine.catalog.sources import (
    AvroFormat,
    BytesFormat,
    CsvFormat,
    Format,
    JsonFormat,
    ProtobufFormat,
    RegexFormat,
    TextFormat,
)
from engine.collection.heap import Heap
from engine.connectors import registry
from engine.connectors.avro.decode import AvroDecoder
from engine.connectors.avro.schema import columns_of as avro_columns
from engine.connectors.decode_csv import CsvRecords
from engine.connectors.decode_json import json_decoder
from engine.connectors.decode_regex import RegexDecoder, regex_columns
from engine.connectors.feed import Resolve
from engine.connectors.files.roots import Roots
from engine.connectors.protobuf import ProtobufDecoder
from engine.connectors.protobuf import columns_of as protobuf_columns
from engine.connectors.records import RecordDecoder, WholeDecoder
from engine.errors import MalformedSource, SourceError
from engine.types import Column


def columns_of(format: Format, declared: tuple[Column, ...] | None, whole: str) -> tuple[Column, ...]:
    """The columns of one datum. `whole` names the column of a datum that is one value."""
    match format:
        case JsonFormat():
            return declared or (Column(whole, types.JSONB, nullable=False),)
        case TextFormat():
            return declared or (Column("text" if whole == "data" else whole, types.TEXT, nullable=False),)
        case BytesFormat():
            return declared or (Column(whole, types.BYTEA, nullable=False),)
        case CsvFormat():
            names = format.names or tuple(f"column{i + 1}" for i in range(format.width or 0))
            return declared or tuple(Column(name, types.TEXT, nullable=False) for name in names)
        case RegexFormat():
            return declared or regex_columns(format.pattern)
        case AvroFormat():
            return avro_columns(format.schema, whole)
        case ProtobufFormat():
            return protobuf_columns(format)
        case _:
            assert_never(format)


def decoder_of(
    format: Format, columns: Sequence[Column], heap: Heap, resolve: Resolve, whole: bool = False
) -> RecordDecoder:
    """What makes those columns of data in that format. `whole`: nobody has declared them."""
    match format:
        case JsonFormat():
            return json_decoder(columns, heap, whole)
        case TextFormat():
            return WholeDecoder(columns[0], heap, utf8=True)
        case BytesFormat():
            return WholeDecoder(columns[0], heap, utf8=False)
        case CsvFormat():
            return CsvRecords(columns, format, heap)
        case RegexFormat():
            return RegexDecoder(columns, format.pattern, heap)
        case AvroFormat():
            schemas = None if format.registry is None else registry.Registry(format.registry, resolve)
            return AvroDecoder(format, tuple(columns), heap, schemas)
        case ProtobufFormat():
            return ProtobufDecoder(format, tuple(columns), heap)
        case _:
            assert_never(format)


SCHEMA_BYTES_MAX: Final = 4 << 20
"""Of a file: it becomes a part of the statement that made the source."""


def resolved(format: Format, subject: str, resolve: Resolve, roots: Roots) -> Format:
    """The format with the schema that its file has, or its registry under the subject, if it says none itself."""
    match format:
        case AvroFormat(path=str() as path):
            try:
                return replace(format, schema=_read(path, roots).decode(), path=None)
            except UnicodeDecodeError:
                raise MalformedSource(f'file "{path}" is no Avro schema: it is not UTF-8') from None
        case ProtobufFormat(path=str() as path):
            return replace(format, descriptors=_read(path, roots), path=None)
        case AvroFormat(schema="", registry=connection) if connection is not None:
            schemas = registry.Registry(connection, resolve)
            found = schemas.latest(subject) if format.schema_id is None else schemas.by_id(format.schema_id)
            if found.kind != "AVRO":
                raise MalformedSource(f"the schema is {found.kind}, not Avro")
            return replace(format, schema=found.text)
        case ProtobufFormat(descriptors=b"", registry=connection) if connection is not None:
            message, descriptors = registry.Registry(connection, resolve).latest_protobuf(subject, format.message)
            return replace(format, message=message, descriptors=descriptors)
        case _:
            return format


def _read(path: str, roots: Roots) -> bytes:
    """A file of a schema. ForbiddenFile, MissingFile, SourceError."""
    found = roots.find(path)
    try:
        if found.stat().st_size > SCHEMA_BYTES_MAX:
            raise MalformedSource(f'file "{path}" is too large for a schema: {SCHEMA_BYTES_MAX >> 20} MiB at most')
        return found.read_bytes()
    except OSError as error:
        raise SourceError(f'file "{path}" cannot be read: {error.strerror}') from None
