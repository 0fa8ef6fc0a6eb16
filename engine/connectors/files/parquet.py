"""Parquet: tables by row groups, columns by name, whatever their order and width in each file.

A column that a file does not have is NULL. One whose type the source's cannot take fails the file; a value that does
not fit fails its row. Memory: one row group of the columns that are read.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine import types
from engine.collection.arrow import convert, inside
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.collection.words import raw_of
from engine.connectors.files.parts import Reached
from engine.connectors.files.streams import Sign
from engine.connectors.lines import STRINGS, BadLine, Rows, cast_texts, failures
from engine.connectors.records import Decoded, kept
from engine.errors import DataError, MalformedSource, SourceError, TypeMismatch
from engine.expr.functions.json import dump
from engine.expr.functions.json_build import document_of
from engine.types import Category, Column, SqlType

BATCH_ROWS: Final = 128 << 10
"""Decoded at once: what 16 MB of lines come to."""

SIMPLE: Final[tuple[tuple[Callable[[pa.DataType], bool], SqlType], ...]] = (
    (pa.types.is_boolean, types.BOOLEAN),
    (pa.types.is_int8, types.SMALLINT),
    (pa.types.is_int16, types.SMALLINT),
    (pa.types.is_int32, types.INTEGER),
    (pa.types.is_int64, types.BIGINT),
    (pa.types.is_uint8, types.UINT2),
    (pa.types.is_uint16, types.UINT2),
    (pa.types.is_uint32, types.UINT4),
    (pa.types.is_uint64, types.UINT8),
    (pa.types.is_float16, types.REAL),
    (pa.types.is_float32, types.REAL),
    (pa.types.is_float64, types.DOUBLE),
    (pa.types.is_string, types.TEXT),
    (pa.types.is_large_string, types.TEXT),
    (pa.types.is_binary, types.BYTEA),
    (pa.types.is_large_binary, types.BYTEA),
    (pa.types.is_fixed_size_binary, types.BYTEA),
    (pa.types.is_date, types.DATE),
    (pa.types.is_time, types.TIME),
    (pa.types.is_duration, types.INTERVAL),
    (pa.types.is_interval, types.INTERVAL),
    (pa.types.is_null, types.TEXT),
)
EXTENSIONS: Final = {"arrow.uuid": types.UUID, "arrow.json": types.JSONB}
DIGITS_MAX: Final = 39


def sql_type(type: pa.DataType) -> SqlType:
    """The SQL type of an Arrow type. MalformedSource where there is none."""
    if isinstance(type, pa.BaseExtensionType):
        return EXTENSIONS.get(type.extension_name) or sql_type(type.storage_type)
    if pa.types.is_dictionary(type):
        return sql_type(type.value_type)
    if pa.types.is_decimal(type):
        fits = 0 < type.precision <= DIGITS_MAX and 0 <= type.scale <= type.precision
        return replace(types.NUMERIC, modifier=(type.precision, type.scale)) if fits else types.NUMERIC
    if pa.types.is_timestamp(type):
        return types.TIMESTAMP if type.tz is None else types.TIMESTAMPTZ
    if pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type):
        return types.list_of(_within(type.value_type))
    if pa.types.is_map(type) and sql_type(type.key_type) == types.TEXT:
        return types.map_of(_within(type.item_type))
    if pa.types.is_map(type):
        key, value = _within(type.key_type), _within(type.item_type)
        return types.list_of(types.record_of((("key", key), ("value", value))))
    if pa.types.is_struct(type) and type.num_fields:
        return types.record_of(tuple((field.name, _within(field.type)) for field in type))
    for is_it, found in SIMPLE:
        if is_it(type):
            return found
    raise MalformedSource(f"Arrow type {type} is no type of SQL")


def _within(type: pa.DataType) -> SqlType:
    found = sql_type(type)
    if found == types.INTERVAL:
        raise MalformedSource(f"Arrow type {type} is a column only by itself, not within another type")
    return found


def columns_of(schema: pa.Schema) -> tuple[Column, ...]:
    """The columns of a table. Those of Parquet may all be NULL where a file of the source lacks them."""
    return tuple(Column(field.name, sql_type(field.type)) for field in schema)


def takes(wanted: SqlType, found: SqlType) -> bool:
    """Whether values of the type `found` can be told in `wanted`, each for itself perhaps not."""
    wanted, found = wanted.plain, found.plain
    if wanted == found or wanted == types.JSONB:
        return True
    if wanted.nesting is not None or found.nesting is not None:
        return False
    stamps = (types.DATE, types.TIMESTAMP, types.TIMESTAMPTZ)
    texts = (types.TEXT, types.BYTEA)
    same = wanted.category is found.category and wanted.category in (Category.NUMERIC, Category.STRING)
    return same or (wanted in stamps and found in stamps) or (wanted in texts and found in texts) or (
        wanted == types.UUID and found in texts
    )  # fmt: skip


class TablePart:
    """A Parquet file; see parts.Part. `position` counts rows. What is at its place is told by its bytes' whole size and
    time, which are of the file's name in the log: nothing is left to compare."""

    def __init__(self, reopen: Callable[[], Any], columns: Sequence[Column], heap: Heap, name: str) -> None:
        self._reopen = reopen
        self._columns = tuple(columns)
        self._heap = heap
        self._name = name
        self._file: pq.ParquetFile | None = None
        self._batches: Iterator[pa.RecordBatch] | None = None
        self._rows = 0  # given so far

    @property
    def reached(self) -> Reached:
        return Reached(self._rows, self._rows)

    def resume(self, at: Reached) -> bool:
        self._rows = at.position
        self._batches = None
        return True

    def poll(self, bytes_max: int) -> Rows | Sign:
        try:
            if self._batches is None:
                self._batches = self._open()
            batch = next(self._batches, None)
        except (OSError, pa.ArrowException) as error:
            self._batches = None
            raise SourceError(f'file "{self._name}" cannot be read: {error}') from None
        if batch is None:
            return Sign.END
        decoded = self.decoded(batch)
        bad = [
            BadLine(self._rows + row + 1, raw_row(batch, row), reason) for row, reason in sorted(decoded.failed.items())
        ]
        self._rows += batch.num_rows
        return Rows(kept(decoded), batch.num_rows, bad)

    def finish(self) -> Rows | None:
        return None

    def close(self) -> None:
        if self._file is not None:
            self._file.close(force=True)
            self._file = None

    def _open(self) -> Iterator[pa.RecordBatch]:
        """The rows behind those that were given."""
        self.close()
        file = self._file = pq.ParquetFile(self._reopen())
        schema = file.schema_arrow
        for column in self._columns:
            at = schema.get_field_index(column.name)
            if schema.names.count(column.name) > 1:
                raise MalformedSource(f'it has two columns "{column.name}"')
            if at >= 0 and not takes(column.type, sql_type(schema.field(at).type)):
                raise MalformedSource(
                    f'its column "{column.name}" is {schema.field(at).type}, which is no {column.type}',
                    hint="The files of a source have columns of the same types, or of such as fit into them.",
                )
        names = [column.name for column in self._columns if column.name in schema.names]
        first = skipped = 0
        groups = file.metadata.num_row_groups
        while first < groups and skipped + file.metadata.row_group(first).num_rows <= self._rows:
            skipped += file.metadata.row_group(first).num_rows
            first += 1
        left = self._rows - skipped
        for batch in file.iter_batches(BATCH_ROWS, list(range(first, groups)), names, use_threads=False):
            part = batch.slice(min(left, batch.num_rows))
            left -= batch.num_rows - part.num_rows
            if part.num_rows:
                yield part

    def decoded(self, batch: pa.RecordBatch) -> Decoded:
        """The source's columns of a batch."""
        failed: dict[int, str] = {}
        vectors = [self._column(batch, column, failed) for column in self._columns]
        return Decoded(vectors, failed)

    def _column(self, batch: pa.RecordBatch, column: Column, failed: dict[int, str]) -> Vector:
        at = batch.schema.get_field_index(column.name)
        if at < 0:
            vector = Vector.repeat(0, True, batch.num_rows)
        else:
            vector = converted(batch.column(at), column, self._heap, failed)
        if not column.nullable and vector.nulls is not None:
            for row in np.flatnonzero(vector.nulls).tolist():
                failed.setdefault(row, f'column "{column.name}": null is no value of it')
        return vector


def converted(array: pa.Array, column: Column, heap: Heap, failed: dict[int, str], first: int = 0) -> Vector:
    """A column of the source's type. Rows (counted from `first`) that have no such value get into `failed`; they are
    found by halving."""
    try:
        if column.type.plain == types.JSONB:
            return documents(array, column, heap)
        vector = convert(array, column.type, heap, column.name)
        if column.type.plain in STRINGS and column.type.modifier:
            vector = cast_texts(vector, column.type, heap)
            for row, reason in failures([vector], [column], heap).items():
                failed.setdefault(first + row, reason)
            vector = Vector(vector.words, vector.nulls)
        return vector
    except (DataError, TypeMismatch, ValueError, OverflowError) as error:  # the last two: a value that Python has not
        if len(array) == 1:
            failed.setdefault(first, str(error))
            return Vector(np.zeros(1, np.uint64))
    middle = len(array) // 2
    parts = [
        converted(array.slice(0, middle), column, heap, failed, first),
        converted(array.slice(middle), column, heap, failed, first + middle),
    ]
    nulls = None
    if any(part.nulls is not None for part in parts):
        nulls = np.concatenate([np.zeros(len(p.words), np.bool_) if p.nulls is None else p.nulls for p in parts])
    return Vector(np.concatenate([part.words for part in parts]), nulls)


def documents(array: pa.Array, column: Column, heap: Heap) -> Vector:
    """Any column as jsonb. Text is JSON already, unless it stands within a list, a map or a record."""
    found = sql_type(array.type)
    if found in (types.JSONB, types.TEXT):
        return convert(array, column.type, heap, column.name)
    values = [raw_of(inside(value, found), found) for value in array.to_pylist()]
    texts = [None if value is None else dump(document_of(value, found)) for value in values]
    return convert(pa.array(texts, pa.large_string()), column.type, heap, column.name)


def raw_row(batch: pa.RecordBatch, row: int) -> bytes:
    """A row as JSON: its bytes lie apart, by columns."""
    members: Mapping[str, object] = {
        name: batch.column(i)[row].as_py() for i, name in enumerate(batch.schema.names)
    }  # fmt: skip
    return json.dumps(members, default=str).encode()
