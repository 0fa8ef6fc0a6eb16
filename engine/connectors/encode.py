"""Rows to the bytes of records: the opposite of the decoders. JSON, text and bytes; Avro is in avro/encode.py.

JSON is what to_jsonb says of the value, the members of a row in the order of its columns. A whole column at a time:
kernels and Arrow write the common types, the others are written once for each distinct value.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine import types
from engine.collection.fields import joined
from engine.collection.heap import Codes, Heap
from engine.collection.vector import Vector
from engine.expr import text_forms
from engine.expr.columns import distinct, unpack
from engine.expr.evaluate import Context
from engine.expr.functions.json import dump
from engine.expr.functions.json_build import document_of
from engine.expr.functions.text_casts import to_text
from engine.expr.text_forms import RawValue
from engine.kernels import encode as kernels
from engine.types import Category, Column, SqlType

NULL: Final = b"null"
NO_NUMBER: Final = r"[^0-9.\-]"
"""What only texts of numbers have that JSON writes otherwise: exponents, NaN and the infinities."""
WHOLE: Final = (types.SMALLINT, types.INTEGER, types.BIGINT, types.UINT2, types.UINT4, types.UINT8)


class RowEncoder(Protocol):
    """A format: rows of some columns, and the data that are made of them."""

    def rows(self, vectors: Sequence[Vector]) -> pa.LargeBinaryArray:
        """The bytes of each row, none of them null. EncodeError for a value that the format has no form for."""
        ...

    def data(self, rows: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
        """Each row as a datum by itself; a null stays one."""
        ...

    def changes(self, before: pa.LargeBinaryArray, after: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
        """Debezium's record of each row that was and is, null where there was or is none."""
        ...


def raw_values(vector: Vector, type: SqlType, heap: Heap) -> list[RawValue]:
    """The raw values of a column, None where NULL."""
    if vector.nulls is None:
        return unpack(vector.words, type, Context(heap))
    values: list[RawValue] = [None] * len(vector.words)
    rows = np.flatnonzero(~vector.nulls)
    for row, value in zip(rows.tolist(), unpack(vector.words[rows], type, Context(heap)), strict=True):
        values[row] = value
    return values


def by_value(
    words: Codes, type: SqlType, heap: Heap, write: Callable[[RawValue], bytes]
) -> pa.LargeBinaryArray:  # fmt: skip
    """What `write` makes of each word, none of which is a NULL's. Each distinct value once."""
    (unique,), inverse = distinct([words])
    found = pa.array([write(value) for value in unpack(unique, type, Context(heap))], pa.large_binary())
    return found if inverse is None else found.take(pa.array(inverse))


def with_nulls(
    vector: Vector, write: Callable[[Codes], pa.LargeBinaryArray], null: bytes
) -> pa.LargeBinaryArray:  # fmt: skip
    """What `write` makes of the words that are there, and `null` for the others."""
    if vector.nulls is None:
        return write(vector.words)
    rows = np.flatnonzero(~vector.nulls)
    if not len(rows):
        return pa.repeat(pa.scalar(null, pa.large_binary()), len(vector.words))
    position = np.zeros(len(vector.words), np.int64)
    position[rows] = np.arange(len(rows))
    found = write(vector.words[rows]).take(pa.array(position, mask=vector.nulls))
    return pc.fill_null(found, pa.scalar(null, pa.large_binary()))


def buffers_of(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """(offsets[n + 1], bytes) of a large array."""
    _, offsets, data = array.buffers()
    at = np.frombuffer(offsets, np.int64, len(array) + 1, array.offset * 8) if offsets is not None else np.zeros(1, int)
    return at, np.frombuffer(b"" if data is None else data, np.uint8)


def binary_of(buffers: tuple[NDArray[np.int64], NDArray[np.uint8]]) -> pa.LargeBinaryArray:
    """The array of what a kernel wrote."""
    offsets, data = buffers
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def constant(data: bytes) -> pa.Scalar:
    """The same bytes in every row of what `joined` makes."""
    return pa.scalar(data, pa.large_binary())


def varint(value: int) -> bytes:
    """Zigzag, seven bits a byte, the low ones first."""
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append((rest & 0x7F) | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


class JsonEncoder:
    """FORMAT JSON: an object a row."""

    def __init__(self, columns: Sequence[Column], heap: Heap) -> None:
        self._columns = columns
        self._heap = heap
        comma = [b"{", *[b","] * (len(columns) - 1)]
        self._names = [lead + orjson.dumps(c.name) + b":" for lead, c in zip(comma, columns, strict=True)]

    def rows(self, vectors: Sequence[Vector]) -> pa.LargeBinaryArray:
        pieces: list[pa.Array | pa.Scalar] = []
        for name, vector, column in zip(self._names, vectors, self._columns, strict=True):
            pieces += [constant(name), json_of(vector, column.type, self._heap)]
        return joined([*pieces, constant(b"}")])

    def data(self, rows: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
        return rows

    def changes(self, before: pa.LargeBinaryArray, after: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
        sides = [pc.fill_null(side, constant(NULL)) for side in (before, after)]
        return joined([constant(b'{"before":'), sides[0], constant(b',"after":'), sides[1], constant(b"}")])


def json_of(vector: Vector, type: SqlType, heap: Heap) -> pa.LargeBinaryArray:
    """Each value as JSON."""
    return with_nulls(vector, lambda words: _json(words, type, heap), NULL)


def _json(words: Codes, type: SqlType, heap: Heap) -> pa.LargeBinaryArray:
    """Words none of which is a NULL's. The cases are document_of's."""

    def text(type: SqlType) -> pa.LargeStringArray:
        return to_text(Vector(words), type, Context(heap))

    plain = type.plain
    if type.nesting is not None:
        return by_value(words, type, heap, lambda value: dump(document_of(value, type)).encode())
    if plain == types.JSONB or plain in WHOLE or plain == types.BOOLEAN:
        return text(type).cast(pa.large_binary())
    if plain in (types.REAL, types.DOUBLE, types.NUMERIC):
        found = text(plain)
        if pc.any(pc.match_substring_regex(found, NO_NUMBER)).as_py():
            return by_value(words, type, heap, lambda value: dump(document_of(value, type)).encode())
        return found.cast(pa.large_binary())
    if type.category is Category.NUMERIC and plain != types.OID:
        return by_value(words, type, heap, lambda value: dump(document_of(value, type)).encode())
    found = text(plain)  # char(n) is not padded here
    if plain in (types.TIMESTAMP, types.TIMESTAMPTZ):
        found = pc.replace_substring(found, " ", "T", max_replacements=1)
    if plain == types.TIMESTAMPTZ:
        found = pc.replace_substring(found, "+00", "+00:00")
    return binary_of(kernels.quoted(*buffers_of(found)))


class WholeEncoder:
    """FORMAT TEXT and BYTES: the one column is the datum, as CAST(x AS text) has it; bytea as it is. NULL is empty."""

    def __init__(self, column: Column, heap: Heap) -> None:
        self._type = column.type
        self._heap = heap

    def rows(self, vectors: Sequence[Vector]) -> pa.LargeBinaryArray:
        (vector,) = vectors
        return with_nulls(vector, self._texts, b"")

    def _texts(self, words: Codes) -> pa.LargeBinaryArray:
        if self._type.plain == types.BYTEA:
            return self._heap.decode(words)
        if self._type.nesting is not None:
            return by_value(words, self._type, self._heap, lambda value: text_forms.format(value, self._type).encode())
        return to_text(Vector(words), self._type.plain, Context(self._heap)).cast(pa.large_binary())

    def data(self, rows: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
        return rows

    def changes(self, before: pa.LargeBinaryArray, after: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
        raise AssertionError("the binder lets no such format have ENVELOPE DEBEZIUM")
