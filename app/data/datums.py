"""Columns of a result -> rows of JSON values.

Numbers become strings (JSON's numbers are doubles), booleans and jsonb become JSON's own, all else is CAST(x AS text).
"""

# pyright: basic
# pyarrow ships no types.

import json
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import pyarrow as pa

from engine.types import Column, Physical


def values(column: Column, text: pa.LargeStringArray) -> list[Any]:
    """One column's values. Numbers inside jsonb are strings too."""
    found: list[str | None] = text.to_pylist()
    match column.type.physical:
        case Physical.BOOLEAN:
            return [None if value is None else value == "t" for value in found]
        case Physical.JSON:
            return [None if value is None else json.loads(value, parse_int=str, parse_float=str) for value in found]
        case _:
            return found


def rows(columns: Sequence[Column], text: Iterable[pa.LargeStringArray], count: int) -> list[list[Any]]:
    """The rows as lists in the order of the columns."""
    if not columns:
        return [[] for _ in range(count)]
    found = [values(column, array) for column, array in zip(columns, text, strict=True)]
    return [list(row) for row in zip(*found, strict=True)]


def description(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """The columns as every reply describes them (schemas.sql.ColumnDescription)."""
    return [
        {
            "name": column.name,
            "type_oid": column.type.oid,
            "type_len": column.type.length,
            "type_mod": column.type.typmod,
        }
        for column in columns
    ]


def encoded(document: object) -> bytes:
    """JSON as compact UTF-8. A NUL or a lone surrogate cannot be in a datum, so nothing fails to encode."""
    return orjson.dumps(document)
