"""Between Arrow and words: the boundary that bulk data cross, column by column, with no Python object per row.

In: any Arrow column that holds values of the SQL type, whatever its width, unit, offsets or dictionary. Out: the Arrow
type of the type table. 64-bit columns are shared in both directions where nothing has to change.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine import types
from engine.collection import json, nested, numeric
from engine.collection.batch import Batch
from engine.collection.heap import DECIMAL_TAG, Codes, Heap
from engine.collection.value import Interval, Range, Uuid, Value
from engine.collection.vector import Vector
from engine.collection.words import decode_column, raw_of
from engine.errors import InvalidText, OutOfRange, TypeMismatch
from engine.types import Column, Nesting, Physical, SqlType

Scalar = TypeVar("Scalar", bound=np.generic)

NAN: Final = np.uint64(0x7FF8_0000_0000_0000)


# In


def from_arrow(data: pa.Table | pa.RecordBatch, row: Sequence[SqlType], heap: Heap) -> list[Vector]:
    """The columns, in order, as vectors of the given types; a DataError or TypeMismatch when one cannot be."""
    if data.num_columns != len(row):
        raise TypeMismatch(f"expected {len(row)} columns but got {data.num_columns}")
    return [
        convert(column, type, heap, name)
        for column, type, name in zip(data.columns, row, data.schema.names, strict=True)
    ]


def convert(column: pa.Array | pa.ChunkedArray, type: SqlType, heap: Heap, name: str = "?") -> Vector:
    """One column as words of the type. `name` is for messages."""
    array = _single(column)
    nulls = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_null(array.type):
        return Vector(np.zeros(len(array), np.uint64), nulls)
    if pa.types.is_dictionary(array.type):
        rows = array.indices.cast(pa.int64()).fill_null(0).to_numpy()
        if len(array.dictionary) == 0:
            return Vector(np.zeros(len(array), np.uint64), nulls)
        words = convert(array.dictionary, type, heap, name).words[rows]
    else:
        try:
            convert_ = _nested if type.nesting is not None else CONVERTERS[type.oid]
            words = convert_(array, type, heap)
        except pa.ArrowNotImplementedError:
            raise TypeMismatch(f'column "{name}" is of type {type} but Arrow data is of type {array.type}') from None
        except pa.ArrowInvalid as error:
            raise OutOfRange(f'column "{name}" is of type {type}: {error}') from None
    if nulls is not None:
        words = np.where(nulls, np.uint64(0), words)
    elif not words.flags.writeable:
        words = words.copy()
    return Vector(words, nulls)


def _single(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array of the storage type."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
    return column.storage if isinstance(column, pa.ExtensionArray) else column


def _raw(array: pa.Array, dtype: type[Scalar]) -> NDArray[Scalar]:
    """The values buffer of a fixed-width array, whatever its null slots hold."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), dtype)
    return np.frombuffer(buffer, dtype, len(array), array.offset * np.dtype(dtype).itemsize)


def _boolean(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    return _raw(array.cast(pa.bool_()).cast(pa.uint8()), np.uint8).astype(np.uint64)


def _integer(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    for storage in (type.arrow, pa.int64()):  # a cast to the same type costs 40 us
        if array.type != storage:
            array = array.cast(storage)
    return _raw(array, np.int64).view(np.uint64)


def _unsigned(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    return _raw(array.cast(type.arrow).cast(pa.uint64()), np.uint64)


def _float(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    if pa.types.is_decimal(array.type) or pa.types.is_integer(array.type):
        array = array.cast(type.arrow, safe=False)
    values = _raw(array.cast(type.arrow).cast(pa.float64()), np.float64)
    return np.where(np.isnan(values), NAN, values.view(np.uint64))


def _decimal(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    if pa.types.is_integer(array.type) and array.type != pa.uint64():
        words, failed = numeric.from_int(_raw(array.cast(pa.int64()), np.int64), heap), None
    elif pa.types.is_floating(array.type):
        words, failed = numeric.from_text(array.cast(pa.float64()).cast(pa.large_string()), heap)
    elif pa.types.is_decimal(array.type) and array.type.precision <= 38 and array.type.scale >= 0:
        halves = _raw128(array.cast(pa.decimal128(38, array.type.scale)))
        low, high = np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1]).view(np.int64)
        words, failed = numeric.from_wide(high, low, array.type.scale, heap)
    else:
        words, failed = numeric.from_text(array.cast(pa.large_string()), heap)
    if failed is not None and bool((failed & array.is_valid().to_numpy(zero_copy_only=False)).any()):
        raise OutOfRange(numeric.OVERFLOW)
    if type.modifier:
        precision, scale = (*type.modifier, 0)[:2]
        words, failed = numeric.rescale(words, precision, scale, heap)
        if failed is not None:
            raise OutOfRange(numeric.OVERFLOW)
    return words


def _raw128(array: pa.Array) -> NDArray[np.uint64]:
    """The (low, high) words of a decimal128 array."""
    buffer = array.buffers()[1]
    return np.frombuffer(buffer, np.uint64, 2 * len(array), 16 * array.offset).reshape(-1, 2)


def _text(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    if not _is_bytes(array.type):
        array = array.cast(pa.large_string())
    return heap.intern_arrow(array)


def _bytea(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    return heap.intern_arrow(array if _is_bytes(array.type) else array.cast(pa.large_binary()))


def _is_bytes(type: pa.DataType) -> bool:
    return (
        pa.types.is_string(type)
        or pa.types.is_large_string(type)
        or pa.types.is_binary(type)
        or pa.types.is_large_binary(type)
        or pa.types.is_fixed_size_binary(type)
    )


def _uuid(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        hexadecimal = pc.call_function("replace_substring", [array], pc.ReplaceSubstringOptions("-", "")).to_pylist()
        try:
            packed = [None if text is None else bytes.fromhex(text) for text in hexadecimal]
        except ValueError as error:
            raise InvalidText(f"invalid input syntax for type uuid: {error}") from None
        array = pa.array(packed, pa.large_binary())
    array = array.cast(pa.large_binary())
    lengths = np.diff(np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1])
    if bool(((lengths != 16) & array.is_valid().to_numpy(zero_copy_only=False)).any()):
        raise InvalidText("invalid input syntax for type uuid: expected 16 bytes")
    return heap.intern_arrow(array)


def _date(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    return _raw(array.cast(pa.date32()), np.int32).astype(np.int64).view(np.uint64)


def _time(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    return _raw(array.cast(pa.time64("us"), safe=False), np.int64).view(np.uint64)


def _timestamp(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    if pa.types.is_timestamp(array.type):
        array = _microseconds(array)
    else:
        array = array.cast(type.arrow)
    return _raw(array, np.int64).view(np.uint64)


def _microseconds(array: pa.Array) -> pa.Array:
    """Timestamps of any unit in microseconds: finer ones truncated, coarser ones checked for overflow."""
    zone, unit = array.type.tz, array.type.unit
    return array.cast(pa.timestamp("us", zone), safe=unit != "ns")


def _interval(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    fields = np.zeros(len(array), np.dtype([("months", "<i4"), ("days", "<i4"), ("rest", "<i8")]))
    if pa.types.is_duration(array.type):
        fields["rest"] = _raw(array.cast(pa.duration("us"), safe=False), np.int64)
    elif array.type == pa.month_day_nano_interval():
        given = np.frombuffer(array.buffers()[1], fields.dtype, len(array), 16 * array.offset)
        fields[:] = given
        fields["rest"] //= 1000
    else:
        raise TypeMismatch(f"Arrow type {array.type} is no interval")
    return heap.intern_buffers(16 * np.arange(len(array) + 1), fields.view(np.uint8))


def _jsonb(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    words, bad = json.intern_json(array if _is_bytes(array.type) else array.cast(pa.large_string()), heap)
    if bad is not None:
        row = int(np.flatnonzero(bad)[0])
        raise InvalidText(f"invalid input syntax for type jsonb: {array[row].as_py()!r}")
    return words


def _nested(array: pa.Array, type: SqlType, heap: Heap) -> Codes:
    """Row by row in Python: 1 us a row and 0.5 us an element."""
    values = [inside(value, type) for value in array.to_pylist()]
    data = [b"" if value is None else nested.encode(raw_of(value, type), type) for value in values]
    return heap.intern_many(data)


def inside(value: Any, type: SqlType) -> Value:  # noqa: ANN401 - pyarrow's
    """What pyarrow gives for a value of a nested type, as values outside the engine are: the opposite of `outside`."""
    match type.nesting:
        case _ if value is None:
            return None
        case Nesting.ARRAY | Nesting.LIST:
            return [inside(item, type.within) for item in value]
        case Nesting.MAP:
            return {key: inside(item, type.within) for key, item in value}
        case Nesting.RECORD:
            return tuple(inside(value.get(name), kind) for name, kind in type.fields)
        case Nesting.RANGE:
            lower, upper = inside(value.get("lower"), type.within), inside(value.get("upper"), type.within)
            return Range(lower, upper, value.get("lower_inc"), value.get("upper_inc"), value.get("empty"))
        case None if isinstance(value, bytes) and type.plain == types.UUID:
            return Uuid(bytes=value)
        case _:
            return value


CONVERTERS: Final[dict[int, Callable[[pa.Array, SqlType, Heap], Codes]]] = {
    types.BOOLEAN.oid: _boolean,
    types.SMALLINT.oid: _integer,
    types.INTEGER.oid: _integer,
    types.BIGINT.oid: _integer,
    **{kind.oid: _unsigned for kind in (*types.UNSIGNED, types.MZ_TIMESTAMP)},
    types.OID.oid: _integer,
    **{kind.oid: _integer for kind in types.REGISTERED},
    types.REAL.oid: _float,
    types.DOUBLE.oid: _float,
    types.NUMERIC.oid: _decimal,
    types.TEXT.oid: _text,
    types.VARCHAR.oid: _text,
    types.CHAR.oid: _text,
    types.INTERNAL_CHAR.oid: _text,
    types.NAME.oid: _text,
    types.UNKNOWN.oid: _text,
    types.BYTEA.oid: _bytea,
    types.DATE.oid: _date,
    types.TIME.oid: _time,
    types.TIMESTAMP.oid: _timestamp,
    types.TIMESTAMPTZ.oid: _timestamp,
    types.INTERVAL.oid: _interval,
    types.UUID.oid: _uuid,
    **{kind.oid: _unsigned for kind in types.NUMBERED},
    **{kind.oid: _text for kind in types.SPELLED},
    types.JSONB.oid: _jsonb,
}


# Out


def to_arrow(rows: Batch | Sequence[Vector], columns: Sequence[Column], heap: Heap) -> pa.Table:
    """The columns as a table; diffs are not looked at. OutOfRange where a numeric does not fit decimal256(76, 39)."""
    vectors = rows.vectors() if isinstance(rows, Batch) else rows
    arrays = [export(vector, column.type, heap) for vector, column in zip(vectors, columns, strict=True)]
    schema = pa.schema([pa.field(column.name, column.type.arrow) for column in columns])
    return pa.Table.from_arrays(arrays, schema=schema)


def export(vector: Vector, type: SqlType, heap: Heap) -> pa.Array:
    """One column as an array of `type.arrow`."""
    words = np.ascontiguousarray(vector.words)
    if type.nesting is not None:
        values = decode_column(vector, type, heap)
        try:
            return pa.array([outside(value, type) for value in values], type.arrow)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            hint = "Read it as text: CAST(x AS text)."
            raise OutOfRange(f"{type.name} does not fit Arrow: {error}", hint=hint) from None
    n = len(words)
    validity = None
    if vector.nulls is not None:
        validity = pa.py_buffer(np.packbits(~vector.nulls, bitorder="little"))
    match type.oid:
        case types.BOOLEAN.oid:
            values = np.packbits(words.astype(np.bool_), bitorder="little")
        case types.SMALLINT.oid:
            values = words.astype(np.int16)
        case types.INTEGER.oid | types.DATE.oid:
            values = words.astype(np.int32)
        case types.UINT2.oid:
            values = words.astype(np.uint16)
        case types.UINT4.oid:
            values = words.astype(np.uint32)
        case _ if type.physical in (Physical.SIGNED, Physical.UNSIGNED) or type.oid == types.DOUBLE.oid:
            values = words
        case types.REAL.oid:
            values = words.view(np.float64).astype(np.float32)
        case types.INTERVAL.oid:
            values = _spans(words, vector.nulls, heap)
        case types.UUID.oid:
            values = _fixed16(words, vector.nulls, heap)
        case types.NUMERIC.oid:
            return _decimals(words, vector.nulls, heap)
        case _:
            _, offsets, data = heap.decode(words).buffers()
            return pa.Array.from_buffers(type.arrow, n, [validity, offsets, data])
    return pa.Array.from_buffers(type.arrow, n, [validity, pa.py_buffer(values)])


def outside(value: Value, type: SqlType) -> object:
    """A value inside an array, list, map or record as pyarrow takes it: spans as tuples, uuids as bytes."""
    match value, type.nesting:
        case None, _:
            return None
        case list(), _:
            return [outside(item, type.within) for item in value]
        case dict(), _:
            return [(key, outside(item, type.within)) for key, item in value.items()]
        case tuple(), _:
            return {name: outside(item, kind) for item, (name, kind) in zip(value, type.fields, strict=True)}
        case Range(), _:
            bounds = {"lower": outside(value.lower, type.within), "upper": outside(value.upper, type.within)}
            return {**bounds, "lower_inc": value.lower_inc, "upper_inc": value.upper_inc, "empty": value.empty}
        case Interval(), _:
            return pa.MonthDayNano([value.months, value.days, value.microseconds * 1000])
        case Uuid(), _:
            return value.bytes
        case _:
            return value


def _fixed16(words: Codes, nulls: NDArray[np.bool_] | None, heap: Heap) -> NDArray[np.uint8]:
    """The 16 bytes of each datum, zeros where there is none."""
    data = np.frombuffer(heap.decode(words).buffers()[2], np.uint8)
    if nulls is None:
        return data[: 16 * len(words)]
    out = np.zeros((len(words), 16), np.uint8)
    out[~nulls] = data[: 16 * int(np.count_nonzero(~nulls))].reshape(-1, 16)
    return out.reshape(-1)


def _spans(words: Codes, nulls: NDArray[np.bool_] | None, heap: Heap) -> NDArray[np.int64]:
    """Months and days as they are; microseconds become nanoseconds, which reach 292 years."""
    halves = _fixed16(words, nulls, heap).view(np.int64).reshape(-1, 2).copy()
    if len(halves) and int(np.abs(halves[:, 1]).max()) > (1 << 63) // 1000 - 1:
        raise OutOfRange("interval out of range for Arrow's nanoseconds")
    halves[:, 1] *= 1000
    return halves


def _decimals(words: Codes, nulls: NDArray[np.bool_] | None, heap: Heap) -> pa.Array:
    texts: pa.Array = numeric.to_text(words, heap)
    if nulls is not None:
        texts = pa.LargeStringArray.from_buffers(
            len(words), texts.buffers()[1], texts.buffers()[2], pa.py_buffer(np.packbits(~nulls, bitorder="little"))
        )
    try:
        return texts.cast(types.NUMERIC.arrow)
    except pa.ArrowInvalid:
        heap_rows = words[words >= DECIMAL_TAG]
        worst = numeric.to_text(heap_rows, heap).to_pylist()[:1]
        raise OutOfRange(
            f"numeric {worst[0] if worst else ''} does not fit Arrow's decimal256(76, 39)",
            hint="Read it as text: CAST(x AS text).",
        ) from None
