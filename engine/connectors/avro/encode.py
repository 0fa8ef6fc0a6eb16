"""Rows to Avro: a schema for the columns, and the bytes of each, a whole column at a time.

    boolean, integers, floats  as themselves; uint8 and mz_timestamp decimal(20, 0)
    numeric(p, s)              decimal(p, s); numeric alone a string of all its digits
    date, time, timestamps     date, time-micros, local-timestamp-micros, with time zone timestamp-micros
    uuid, jsonb                strings that say so; interval and what else has a text form: that
    lists and arrays, maps, records   array, map, record, NULL allowed within

A nullable column is a union of null and its type, null first. Kernels write the common types; of the others each
distinct value is written once.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.

import json
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine import types
from engine.catalog.sinks import AvroOutput
from engine.collection import numeric
from engine.collection.fields import fixed, joined
from engine.collection.heap import DECIMAL_TAG, Codes, Heap
from engine.collection.vector import Vector
from engine.connectors.avro.schema import JSON_NAME
from engine.connectors.encode import binary_of, buffers_of, by_value, constant, varint, with_nulls
from engine.errors import EncodeError, InvalidParameter
from engine.expr import text_forms
from engine.expr.evaluate import Context
from engine.expr.functions.text_casts import to_text
from engine.expr.text_forms import RawValue
from engine.kernels import encode as kernels
from engine.types import Column, Nesting, SqlType

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NONE: Final = b"\x00"
SOME: Final = b"\x02"
"""The branches of a union of null and a type."""
DIGITS_MAX: Final = 18
INT64_MAX: Final = (1 << 63) - 1

Write = Callable[[RawValue], bytes]


def row_schema(columns: Sequence[Column], output: AvroOutput) -> dict[str, Any]:
    """The record of a row. InvalidParameter for a column whose name is none in Avro."""
    docs = output.column_docs
    fields = [_field(column, output.fullname, output.null_defaults) | _doc(docs.get(column.name)) for column in columns]
    return {"type": "record", "name": output.fullname, **_doc(output.doc), "fields": fields}


def change_schema(columns: Sequence[Column], output: AvroOutput) -> dict[str, Any]:
    """Debezium's record of a row before and after."""
    row = row_schema(columns, replace(output, fullname="row"))
    default = _default(output.null_defaults)
    return {
        "type": "record", "name": output.fullname,
        "fields": [{"name": "before", "type": ["null", row], **default},
                   {"name": "after", "type": ["null", "row"], **default}],
    }  # fmt: skip


def _doc(text: str | None) -> dict[str, str]:
    return {} if text is None else {"doc": text}


def _default(null: bool) -> dict[str, None]:
    return {"default": None} if null else {}


def _field(column: Column, around: str, null_defaults: bool) -> dict[str, Any]:
    _check_name(column.name)
    inner = _schema(column.type, f"{around.rpartition('.')[2]}_{column.name}", null_defaults)
    if column.nullable:
        return {"name": column.name, "type": ["null", inner], **_default(null_defaults)}
    return {"name": column.name, "type": inner}


def _check_name(name: str) -> None:
    if NAME.fullmatch(name) is None:
        raise InvalidParameter(f'column "{name}" has no name in Avro', hint="Sink a view that calls it otherwise.")


def _schema(type: SqlType, name: str, null_defaults: bool) -> Any:  # noqa: ANN401 - JSON
    match type.nesting:
        case Nesting.ARRAY | Nesting.LIST:
            return {"type": "array", "items": ["null", _schema(type.within, name, null_defaults)]}
        case Nesting.MAP:
            return {"type": "map", "values": ["null", _schema(type.within, name, null_defaults)]}
        case Nesting.RECORD:
            fields = [_field(Column(field, kind), name, null_defaults) for field, kind in type.fields]
            return {"type": "record", "name": name, "fields": fields}
        case Nesting.RANGE:
            return "string"
        case None:
            pass
    if type.plain == types.NUMERIC and type.modifier:
        return {"type": "bytes", "logicalType": "decimal", "precision": type.modifier[0], "scale": _scale(type)}
    return SCHEMAS.get(type.plain, "string")


def _scale(type: SqlType) -> int:
    return type.modifier[1] if len(type.modifier) > 1 else 0


DECIMAL_20: Final = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 0}
SCHEMAS: Final[dict[SqlType, Any]] = {
    types.BOOLEAN: "boolean", types.SMALLINT: "int", types.INTEGER: "int", types.BIGINT: "long", types.UINT2: "int",
    types.UINT4: "long", types.OID: "long", types.REAL: "float", types.DOUBLE: "double", types.BYTEA: "bytes",
    types.UINT8: DECIMAL_20, types.MZ_TIMESTAMP: DECIMAL_20,
    types.DATE: {"type": "int", "logicalType": "date"},
    types.TIME: {"type": "long", "logicalType": "time-micros"},
    types.TIMESTAMP: {"type": "long", "logicalType": "local-timestamp-micros"},
    types.TIMESTAMPTZ: {"type": "long", "logicalType": "timestamp-micros"},
    types.UUID: {"type": "string", "logicalType": "uuid"},
    types.JSONB: {"type": "string", "connect.name": JSON_NAME},
}  # fmt: skip


class AvroEncoder:
    """One record a row, behind the registry's header for the schema of that id."""

    def __init__(self, columns: Sequence[Column], heap: Heap, schema_id: int) -> None:
        self._columns = columns
        self._heap = heap
        self._header = b"\x00" + struct.pack(">I", schema_id)

    def rows(self, vectors: Sequence[Vector]) -> pa.LargeBinaryArray:
        pieces: list[pa.Array | pa.Scalar] = []
        for vector, column in zip(vectors, self._columns, strict=True):
            if not column.nullable:
                pieces.append(self._values(vector.words, column.type))
            elif vector.nulls is None:
                pieces += [constant(SOME), self._values(vector.words, column.type)]
            else:
                pieces.append(with_nulls(vector, partial(self._some, column.type), NONE))
        return joined(pieces)

    def _some(self, type: SqlType, words: Codes) -> pa.LargeBinaryArray:
        return joined([constant(SOME), self._values(words, type)])

    def _values(self, words: Codes, type: SqlType) -> pa.LargeBinaryArray:
        found = _whole(words, type, self._heap)
        return by_value(words, type, self._heap, _write(type)) if found is None else found

    def data(self, rows: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
        return pc.binary_join_element_wise(constant(self._header), rows, constant(b""))

    def changes(self, before: pa.LargeBinaryArray, after: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
        pieces: list[pa.Array | pa.Scalar] = [constant(self._header)]
        for side in (before, after):
            pieces += [pc.if_else(side.is_valid(), constant(SOME), constant(NONE)), side]
        return joined(pieces)


def _whole(words: Codes, type: SqlType, heap: Heap) -> pa.LargeBinaryArray | None:
    """The values of the common types, by kernels; None: they are written one by one."""
    if type.nesting is not None:
        return None
    match type.plain:
        case types.BOOLEAN:
            return fixed((words != 0).astype(np.uint8).reshape(-1, 1))
        case (
            types.SMALLINT | types.INTEGER | types.BIGINT | types.UINT2 | types.UINT4 | types.OID | types.DATE
            | types.TIME | types.TIMESTAMP | types.TIMESTAMPTZ
        ):  # fmt: skip
            return binary_of(kernels.longs(np.ascontiguousarray(words).view(np.int64)))
        case types.REAL:
            return fixed(words.view(np.float64).astype("<f4").view(np.uint8).reshape(-1, 4))
        case types.DOUBLE:
            return fixed(np.ascontiguousarray(words).view(np.uint8).reshape(-1, 8))
        case types.BYTEA | types.JSONB:
            return binary_of(kernels.measured(*buffers_of(heap.decode(words))))
        case types.NUMERIC if type.modifier:
            return _decimals(words, _scale(type))
        case types.UINT8 | types.MZ_TIMESTAMP | types.UUID:
            return None
        case _:
            return binary_of(kernels.measured(*buffers_of(to_text(Vector(words), type.plain, Context(heap)))))


def _decimals(words: Codes, scale: int) -> pa.LargeBinaryArray | None:
    """Numbers that are in their words, as long as 64 bits hold them at that scale."""
    if not len(words) or words.max() >= DECIMAL_TAG or scale > DIGITS_MAX:
        return None
    whole, short = numeric.mantissas(words), scale - numeric.scales(words)
    if short.min() < 0 or short.max() > DIGITS_MAX:
        return None
    factor = np.power(10, short)
    if (np.abs(whole) > INT64_MAX // factor).any():
        return None
    return binary_of(kernels.decimals(whole * factor))


def _nullable(write: Write) -> Write:
    return lambda value: NONE if value is None else SOME + write(value)


def _write(type: SqlType) -> Write:
    """What writes a value of the type that is not NULL."""
    match type.nesting:
        case Nesting.ARRAY:
            items = _blocks(_nullable(_write(type.within)))
            return lambda value: items(_flat(value.dims, value.items))
        case Nesting.LIST:
            return _blocks(_nullable(_write(type.within)))
        case Nesting.MAP:
            inner = _nullable(_write(type.within))
            entries = _blocks(lambda entry: _text(entry[0]) + inner(entry[1]))
            return lambda value: entries([*value.items()])
        case Nesting.RECORD:
            fields = [_nullable(_write(kind)) for _, kind in type.fields]
            return lambda value: b"".join(write(part) for write, part in zip(fields, value, strict=True))
        case Nesting.RANGE:
            return lambda value: _text(text_forms.format(value, type))
        case None:
            pass
    match type.plain:
        case types.BOOLEAN:
            return lambda value: b"\x01" if value else b"\x00"
        case (
            types.SMALLINT | types.INTEGER | types.BIGINT | types.UINT2 | types.UINT4 | types.OID | types.DATE
            | types.TIME | types.TIMESTAMP | types.TIMESTAMPTZ
        ):  # fmt: skip
            return varint
        case types.REAL:
            return struct.Struct("<f").pack
        case types.DOUBLE:
            return struct.Struct("<d").pack
        case types.BYTEA:
            return lambda value: varint(len(value)) + value
        case types.UINT8 | types.MZ_TIMESTAMP:
            return _integer
        case types.NUMERIC if type.modifier:
            scale = _scale(type)
            return lambda value: _integer(_unscaled(value, scale))
        case types.UUID:
            return lambda value: _text(str(UUID(bytes=value)))
        case types.JSONB:
            return _text
        case _:
            return lambda value: _text(text_forms.format(value, type))


def _flat(dims: Sequence[int], items: Sequence[RawValue]) -> Sequence[RawValue]:
    if len(dims) > 1:
        raise EncodeError(f"an array of {len(dims)} dimensions has no form in Avro", hint="Make it a list of lists.")
    return items


def _blocks(write: Write) -> Write:
    def written(items: Sequence[RawValue]) -> bytes:
        if not items:
            return NONE
        return b"".join([varint(len(items)), *map(write, items), NONE])

    return written


def _integer(value: int) -> bytes:
    """The fewest bytes of two's complement, the high ones first: what a decimal's bytes are."""
    data = value.to_bytes((8 + (value + (value < 0)).bit_length()) // 8, "big", signed=True)
    return varint(len(data)) + data


def _text(value: str) -> bytes:
    data = value.encode()
    return varint(len(data)) + data


def _unscaled(value: Decimal, scale: int) -> int:
    if not value.is_finite():
        raise EncodeError(f"numeric {value} has no form in Avro", hint="Sink a view that makes it NULL or a double.")
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    number = int("".join(map(str, digits)) or "0") * 10 ** (exponent + scale)
    return -number if sign else number


def text_of(schema: dict[str, Any]) -> str:
    """A schema as a registry takes it."""
    return json.dumps(schema, separators=(",", ":"))
