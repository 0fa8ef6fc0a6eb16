"""Rows to the bytes of records: the opposite of the decoders. JSON, text and bytes; Avro is in avro/encode.py.

JSON is what to_jsonb says of the value, the members of a row in the order of its columns.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import orjson

from engine import types
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.expr import text_forms
from engine.expr.columns import unpack
from engine.expr.evaluate import Context
from engine.expr.functions.json import dump
from engine.expr.functions.json_build import document_of
from engine.expr.text_forms import RawValue
from engine.types import Category, Column, SqlType


class RowEncoder(Protocol):
    """A format: rows of some columns to one datum each. EncodeError for a value that the format has no form for."""

    def encode(self, vectors: Sequence[Vector]) -> list[bytes]:
        """One datum a row."""
        ...

    def change(self, before: bytes | None, after: bytes | None) -> bytes:
        """Debezium's record of a row that was and is, each as `encode` gave it or None."""
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


class JsonEncoder:
    """FORMAT JSON: an object a row."""

    def __init__(self, columns: Sequence[Column], heap: Heap) -> None:
        self._columns = columns
        self._heap = heap
        comma = [b"{", *[b","] * (len(columns) - 1)]
        self._names = [lead + orjson.dumps(c.name) + b":" for lead, c in zip(comma, columns, strict=True)]

    def encode(self, vectors: Sequence[Vector]) -> list[bytes]:
        columns = [
            self._members(name, vector, column.type)
            for name, vector, column in zip(self._names, vectors, self._columns, strict=True)
        ]
        return [b"".join(row) + b"}" for row in zip(*columns, strict=True)]

    def _members(self, name: bytes, vector: Vector, type: SqlType) -> list[bytes]:
        """The column's part of each row. Values that come again and again are written once."""
        words, places = np.unique(vector.words, return_inverse=True)
        if vector.nulls is not None or 2 * len(words) > len(places):
            return [name + value for value in _json(raw_values(vector, type, self._heap), type)]
        distinct = [name + value for value in _json(raw_values(Vector(words), type, self._heap), type)]
        return [distinct[place] for place in places.tolist()]

    def change(self, before: bytes | None, after: bytes | None) -> bytes:
        return b'{"before":%b,"after":%b}' % (before or b"null", after or b"null")


def _json(values: list[RawValue], type: SqlType) -> list[bytes]:
    """Each value as JSON."""
    if type.category is Category.STRING and type.nesting is None:
        return [orjson.dumps(value) for value in values]
    if type.plain in (types.SMALLINT, types.INTEGER, types.BIGINT):
        return [b"null" if value is None else b"%d" % value for value in values]
    if type.plain == types.JSONB:
        return [b"null" if value is None else value.encode() for value in values]
    return [b"null" if value is None else dump(document_of(value, type)).encode() for value in values]


class WholeEncoder:
    """FORMAT TEXT and BYTES: the one column is the datum, as CAST(x AS text) has it; bytea as it is. NULL is empty."""

    def __init__(self, column: Column, heap: Heap) -> None:
        self._type = column.type
        self._heap = heap

    def encode(self, vectors: Sequence[Vector]) -> list[bytes]:
        (vector,) = vectors
        values = raw_values(vector, self._type, self._heap)
        if self._type.plain == types.BYTEA:
            return [value or b"" for value in values]
        return [b"" if value is None else text_forms.format(value, self._type).encode() for value in values]

    def change(self, before: bytes | None, after: bytes | None) -> bytes:
        raise AssertionError("the binder lets no such format have ENVELOPE DEBEZIUM")
