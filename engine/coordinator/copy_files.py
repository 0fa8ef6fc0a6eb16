"""COPY ... TO and FROM files, of the server or of an object store.

To     the rows of an answer, encoded some at a time; the file is there, whole, or it is as it was (files/output.py).
From   the rows of all files are one write: in one tick, or none is. The first record that is no row fails it, and the
       error says which file, record and column.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine import types
from engine.catalog.sources import FileSource, JsonFormat, OcfFormat, ParquetFormat
from engine.collection.arrow import export
from engine.collection.batch import Batch
from engine.collection.fields import buffer_of, delimited, fixed, joined, sized
from engine.collection.vector import Vector
from engine.connectors.encode import JsonEncoder, constant
from engine.connectors.files.columns import about, parts_of, plain_columns, store_of
from engine.connectors.files.output import output
from engine.connectors.files.parquet import columns_of as parquet_columns
from engine.connectors.files.parts import Part
from engine.connectors.files.splitters import whole_header
from engine.connectors.files.stores import Found, Store
from engine.connectors.files.streams import BLOCK_BYTES, Sign
from engine.connectors.lines import Rows
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.copy_in import batches, computed, inserted
from engine.coordinator.reads import Check
from engine.coordinator.result import Result
from engine.coordinator.transaction import Transaction
from engine.errors import (
    DataError,
    EncodeError,
    InvalidText,
    MalformedSource,
    NotNullViolation,
    SqlError,
    TypeMismatch,
    UndefinedColumn,
    UndefinedTable,
)
from engine.expr.evaluate import Context, evaluate
from engine.expr.functions.casts import cast_function
from engine.sql.bound import BoundCopyFrom
from engine.sql.resolved.rows import CopyFile, CopyForm, FileKind
from engine.types import CastContext, Column, SqlType

CHUNK_ROWS: Final = 64 << 10
"""Encoded at once, and a row group of Parquet."""

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
"""Of the binary format."""

EXTENSIONS: Final = {FileKind.ROWS: "csv", FileKind.JSON: "ndjson", FileKind.PARQUET: "parquet"}

DECIMAL_DIGITS, DECIMAL_SCALE = 38, 10
"""Of a numeric without a modifier in Parquet, where a column has one scale."""


# To


def copy_to(coordinator: Coordinator, answer: Result, file: CopyFile, form: CopyForm, check: Check) -> Result:
    """Write the rows of an answer. EncodeError for a value that the format has no form for."""
    path = file.path
    if path.endswith("/"):
        path = f"{path}{answer.timestamp or coordinator.oracle.wall_ms()}.{EXTENSIONS[file.kind]}"
    with (
        output(path, file.compression, file.connection, coordinator.write_roots, coordinator.resolve) as sink,
        _writer(coordinator, answer.columns, file, form, sink) as write,
    ):
        for begin in range(0, answer.row_count, CHUNK_ROWS):
            check()
            write(answer.part(begin, begin + CHUNK_ROWS, len(answer.columns)))
    return Result(f"COPY {answer.row_count}", timestamp=answer.timestamp, row_count=answer.row_count)


Write = Callable[[Result], None]


@contextmanager
def _writer(
    coordinator: Coordinator, columns: Sequence[Column], file: CopyFile, form: CopyForm, sink: BinaryIO
) -> Iterator[Write]:
    """What writes rows; what stands before the first and behind the last it writes too."""
    match file.kind:
        case FileKind.PARQUET:
            with _parquet(coordinator, columns, file.packed, sink) as write:
                yield write
        case FileKind.JSON:
            encoder = JsonEncoder(columns, coordinator.heap)

            def objects(rows: Result) -> None:
                assert rows.batch is not None
                _put(sink, joined([encoder.rows(rows.batch.vectors()), constant(b"\n")]))

            yield objects
        case _ if form.binary:
            sink.write(SIGNATURE)
            formats = [1] * len(columns)
            yield lambda rows: _put(sink, joined(sized(rows.encoded(formats), rows.row_count)[0]))
            sink.write(TRAILER)
        case _:
            if form.header:
                _put(sink, _lines(form, [pa.array([column.name], pa.large_string()) for column in columns], 1))
            yield lambda rows: _put(sink, _lines(form, rows.text(), rows.row_count))


def _put(sink: BinaryIO, rows: pa.LargeBinaryArray) -> None:
    sink.write(buffer_of(rows))


def _lines(form: CopyForm, texts: Sequence[pa.Array], count: int) -> pa.LargeBinaryArray:
    newline = fixed(np.full((count, 1), ord("\n"), np.uint8))
    if not texts:
        return newline
    return joined([delimited(texts, form.delimiter, form.null, form.quote, form.escape), newline])


@contextmanager
def _parquet(coordinator: Coordinator, columns: Sequence[Column], packed: str, sink: BinaryIO) -> Iterator[Write]:
    for column in columns:
        if [other.name for other in columns].count(column.name) > 1:
            raise EncodeError(f'Parquet has one column of a name, but "{column.name}" is there twice', hint="Use AS.")
    schema = pa.schema([pa.field(column.name, _stored(column.type)) for column in columns])
    spans = any(column.type.plain == types.INTERVAL for column in columns)
    with pq.ParquetWriter(sink, schema, compression=packed) as writer:

        def write(rows: Result) -> None:
            assert rows.batch is not None
            texts = rows.text() if spans else []
            arrays = [
                texts[i]
                if column.type.plain == types.INTERVAL
                else _array(coordinator, vector, column, schema.field(i))
                for i, (vector, column) in enumerate(zip(rows.batch.vectors(), columns, strict=True))
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=CHUNK_ROWS)

        yield write


def _stored(type: SqlType) -> pa.DataType:
    """The Arrow type that Parquet is given for a type of SQL. Intervals, which it has not, are text."""
    if type.nesting is None:
        match type.plain:
            case types.NUMERIC:
                digits, scale = (*type.modifier, 0)[:2] if type.modifier else (DECIMAL_DIGITS, DECIMAL_SCALE)
                return pa.decimal128(digits, scale) if digits <= DECIMAL_DIGITS else pa.decimal256(digits, scale)
            case types.INTERVAL:
                return pa.large_string()
            case types.UUID:
                return pa.uuid()
            case types.JSONB:
                return pa.json_(pa.large_string())
            case _:
                pass
    return type.arrow


def _array(coordinator: Coordinator, vector: Vector, column: Column, field: pa.Field) -> pa.Array:
    array = export(vector, column.type, coordinator.heap)
    if isinstance(field.type, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(field.type, array)
    try:
        return array if array.type == field.type else array.cast(field.type)
    except pa.ArrowInvalid as error:
        raise EncodeError(
            f'column "{column.name}" does not fit Parquet\'s {field.type}: {error}',
            hint="Cast it to numeric with a precision and a scale, or to text.",
        ) from None


# From


def copy_from_files(coordinator: Coordinator, block: Transaction, bound: BoundCopyFrom, check: Check) -> Result:
    """Insert the rows of a file, or of all files of a directory or a pattern, in the transaction if there is one."""
    assert bound.file is not None
    columns = coordinator.tables.get(bound.table)
    if columns is None:
        raise UndefinedTable("the table that the statement writes to was dropped")
    return inserted(coordinator, block, bound, len(columns), _parts(coordinator, bound, bound.file, columns, check))


def _parts(
    coordinator: Coordinator, bound: BoundCopyFrom, file: CopyFile, columns: tuple[Column, ...], check: Check
) -> Iterator[Result]:
    format = _format(file.kind)
    description = FileSource(file.path, file.compression, format, False, file.connection)
    store = store_of(description, coordinator.roots, coordinator.resolve)
    for found in store.list():
        try:
            if file.kind is FileKind.ROWS:
                yield from batches(coordinator, bound, columns, _chunks(store, found), check)
            else:
                yield from _decoded(coordinator, bound, columns, store, found, file.kind, check)
            store.check(found)
        except MalformedSource as error:
            raise about(error, found.path) from None
        except SqlError as error:
            error.where = f"{error.where or f'COPY {bound.name}'}, of file {found.path}"
            raise


def _format(kind: FileKind) -> JsonFormat | OcfFormat | ParquetFormat:
    match kind:
        case FileKind.PARQUET:
            return ParquetFormat()
        case FileKind.AVRO:
            return OcfFormat()
        case _:
            return JsonFormat()


def _chunks(store: Store, found: Found) -> Iterator[bytes]:
    with closing(store.stream(found)) as stream:
        while isinstance(block := stream.read(BLOCK_BYTES), bytes):
            yield block


def _decoded(
    coordinator: Coordinator, bound: BoundCopyFrom, columns: tuple[Column, ...], store: Store, found: Found,
    kind: FileKind, check: Check,
) -> Iterator[Result]:  # fmt: skip
    """The table's rows of a file of records."""
    heap, context = coordinator.heap, Context(coordinator.heap)
    part, held = _opened(coordinator, bound, store, found, kind)
    scalars, picked = computed(bound.rows.relation, len(bound.given))
    with closing(part):
        records = 0
        while isinstance(rows := part.poll(BLOCK_BYTES), Rows):
            check()
            with heap.pinned():
                if rows.bad:
                    first = min(rows.bad, key=lambda bad: bad.line)
                    raise InvalidText(first.reason, where=f"COPY {bound.name}, record {first.line}")
                n = len(rows.columns[0]) if rows.columns else 0
                vectors = [
                    _cast(rows.columns[at], kind_, column, context)
                    for (at, kind_), column in zip(held, bound.given, strict=True)
                ]
                for scalar in scalars:
                    vectors.append(evaluate(scalar, vectors, n, context))
                row = [vectors[i] for i in picked]
                _refuse(coordinator, bound, row, columns, records)
                plain = [Vector(vector.words, vector.nulls) for vector in row]
                yield coordinator.result("", columns, Batch.from_vectors(plain, np.ones(n, np.int64)))
            records += rows.lines
        assert rows is Sign.END


def _opened(
    coordinator: Coordinator, bound: BoundCopyFrom, store: Store, found: Found, kind: FileKind
) -> tuple[Part, list[tuple[int, SqlType]]]:
    """The file, and which of its columns, of which type, each of the given ones is."""
    heap, given = coordinator.heap, bound.given
    if kind is FileKind.JSON:
        part = parts_of(JsonFormat(), given, heap, store)(found, None)
        return part, [(i, column.type) for i, column in enumerate(given)]
    if kind is FileKind.PARQUET:
        there = parquet_columns(pq.read_schema(store.table(found)))
        _at(there, given)
        part = parts_of(ParquetFormat(), given, heap, store)(found, None)
        return part, [(i, column.type) for i, column in enumerate(given)]
    with closing(store.stream(found)) as stream:
        format = OcfFormat(whole_header(stream.head)[0])
    there = plain_columns(format)
    return parts_of(format, there, heap, store)(found, None), _at(there, given)


def _at(there: Sequence[Column], given: Sequence[Column]) -> list[tuple[int, SqlType]]:
    names = [column.name for column in there]
    missing = next((column.name for column in given if column.name not in names), None)
    if missing is not None:
        raise UndefinedColumn(
            f'the file has no column "{missing}"', hint="List those that it has: COPY table (columns) FROM ..."
        )
    return [(names.index(column.name), there[names.index(column.name)].type) for column in given]


def _cast(vector: Vector, found: SqlType, column: Column, context: Context) -> Vector:
    """A column of the file as the type of the table's."""
    if found == column.type or found.plain == column.type:
        return vector
    function = cast_function(found.plain, column.type, CastContext.ASSIGNMENT)
    if function is None:
        raise TypeMismatch(f'column "{column.name}" is of type {column.type}, in the file of type {found}')
    made = function.kernel(context, [vector], column.type)
    return Vector(made.words, vector.nulls if made.nulls is None else made.nulls, made.errors)


def _refuse(
    coordinator: Coordinator, bound: BoundCopyFrom, row: Sequence[Vector], columns: Sequence[Column], records: int
) -> None:
    """Raises for the first record that failed in some column, or has no value where it must have one."""
    found: list[tuple[int, int, bool]] = []
    for i, (vector, column) in enumerate(zip(row, columns, strict=True)):
        if vector.errors is not None and vector.errors.any():
            found.append((int(np.flatnonzero(vector.errors)[0]), i, False))
        if vector.nulls is not None and not column.nullable and vector.nulls.any():
            found.append((int(np.flatnonzero(vector.nulls)[0]), i, True))
    if not found:
        return
    at, i, is_null = min(found)
    where = f"COPY {bound.name}, record {records + at + 1}, column {columns[i].name}"
    if is_null:
        message = f'null value in column "{columns[i].name}" violates not-null constraint'
        raise NotNullViolation(message, where=where)
    errors = row[i].errors
    assert errors is not None
    error = DataError.of(coordinator.heap.get(int(errors[at])).decode())
    error.where = where
    raise error
