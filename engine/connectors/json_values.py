"""What a JSON value is in a column: the law of the kernel that decode_json.py asks, and what it leaves to be read here.

A value is never bent to a type: a string is no bigint, 1.5 is no bigint; only where JSON has no such type (dates, uuid,
bytea, ...) its text is cast, and numeric takes both.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from engine import types
from engine.collection import json, numeric
from engine.collection.value import Value
from engine.collection.words import value_of
from engine.connectors.lines import STRINGS
from engine.expr import text_forms
from engine.kernels import json_lines as kernels
from engine.types import Column, SqlType

KINDS: Final[dict[SqlType, int]] = {
    types.BOOLEAN: kernels.BOOLEAN,
    types.SMALLINT: kernels.INTEGER,
    types.INTEGER: kernels.INTEGER,
    types.BIGINT: kernels.INTEGER,
    types.UINT2: kernels.INTEGER,
    types.UINT4: kernels.INTEGER,
    types.OID: kernels.INTEGER,
    types.REAL: kernels.FLOAT,
    types.DOUBLE: kernels.FLOAT,
    types.NUMERIC: kernels.DECIMAL,
    types.DATE: kernels.DATE,
    types.TIMESTAMP: kernels.TIMESTAMP,
    types.TIMESTAMPTZ: kernels.TIMESTAMPTZ,
    types.JSONB: kernels.RAW,
}
"""How the kernel reads a column; other types are read as TEXT and cast."""

CAST: Final = frozenset({kernels.TEXT, kernels.DATE, kernels.TIMESTAMP, kernels.TIMESTAMPTZ})
"""Kinds whose values are strings in JSON."""


def kind_of(document: json.Document) -> str:
    """What messages call it."""
    match document:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | Decimal():
            return f"number {document}"
        case list():
            return "array"
        case dict():
            return "object"


def row_of(document: json.Document, columns: Sequence[Column]) -> list[Value]:
    """The row that a line's document is; ValueError or DataError when it is none.

    This says what the kernel has to find. A member that is absent is NULL; null is NULL too, but in jsonb it is null.
    """
    if not isinstance(document, dict):
        raise ValueError(f"expected a JSON object but got {kind_of(document)}")
    return [_value(document[column.name], column) if column.name in document else None for column in columns]


def _value(document: json.Document, column: Column) -> Value:
    """What a JSON value is in a column; ValueError or DataError when it is nothing there."""
    type = column.type.plain
    if document is None and type != types.JSONB:
        return None
    match document:
        case bool() if type == types.BOOLEAN:
            return document
        case int() if type in text_forms.RANGES and not isinstance(document, bool):
            low, high = text_forms.RANGES[type]
            if low <= document <= high:
                return document
            raise ValueError(f'column "{column.name}": {document} is out of range for {type}')
        case int() | Decimal() if type in (types.REAL, types.DOUBLE) and not isinstance(document, bool):
            return text_forms.parse(str(document), type)
        case int() | Decimal() if type == types.NUMERIC and not isinstance(document, bool):
            return _fitted(Decimal(document), column)
        case str() if type == types.NUMERIC:
            return _fitted(text_forms.parse(document, type), column)
        case str() if type in STRINGS:
            limit = column.type.modifier[0] if column.type.modifier else None
            if limit is not None and len(document) > limit:
                raise ValueError(f'column "{column.name}": value too long for type {column.type}')
            if not document.isascii() and any("\ud800" <= character <= "\udfff" for character in document):
                raise ValueError(f'column "{column.name}": a lone surrogate is no text')
            return document
        case str() if KINDS.get(type, kernels.TEXT) in CAST:
            return value_of(text_forms.parse(document, type), type)
        case _ if type == types.JSONB:
            return json.dump(document).decode()
        case _:
            raise ValueError(f'column "{column.name}": expected {column.type} but got {kind_of(document)}')


def _fitted(value: Decimal, column: Column) -> Decimal:
    value = numeric.limited(value)
    if column.type.modifier:
        precision, scale = (*column.type.modifier, 0)[:2]
        return text_forms.with_scale(value, precision, scale)
    return value
