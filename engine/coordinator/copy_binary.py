"""COPY ... FROM STDIN in PostgreSQL's binary format: a header, then rows: the number of the fields, and the fields.

Law   A field is read as its column's type, by its length alone: what does not fill it exactly is an error, not a guess.
"""

import struct
from collections.abc import Sequence
from itertools import count
from typing import Final

from engine.collection.value import Value
from engine.errors import MalformedCopy, SqlError
from engine.expr.binary_forms import receive
from engine.expr.literal import literal_of_raw
from engine.types import Column

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
HEAD: Final = struct.Struct(">II")
"""Behind the signature: flags, and how long the extension is that follows."""
CRITICAL: Final = 0xFFFF_0000
"""The flags that a reader must know; the only one that ever was (rows with an OID) is gone from PostgreSQL too."""
WIDTH: Final = struct.Struct(">h")
LENGTH: Final = struct.Struct(">i")
TRAILER: Final = -1
"""In place of a row's number of fields: the end."""
NULL: Final = -1


def in_binary(data: bytes, columns: Sequence[Column]) -> list[tuple[Value, ...]]:
    """The rows. MalformedCopy, or InvalidBinary for a field that is none of its column's type. O(bytes)."""
    at, rows = _begun(data), list[tuple[Value, ...]]()
    for number in count(1):
        if at == len(data):
            return rows
        (width,) = _unpacked(WIDTH, data, at)
        at += WIDTH.size
        if width == TRAILER:
            if at != len(data):
                raise MalformedCopy("data behind the end of a binary COPY")
            return rows
        if width != len(columns):
            raise MalformedCopy(
                f"row field count is {width}, expected {len(columns)}", detail=f"row {number} of the data"
            )
        row: list[Value] = []
        for column in columns:
            (length,) = _unpacked(LENGTH, data, at)
            at += LENGTH.size
            if length == NULL:
                row.append(None)
                continue
            if length < 0 or at + length > len(data):
                raise MalformedCopy(
                    "a field runs off the end of the data", detail=f"row {number}, column {column.name}"
                )
            row.append(_field(data[at : at + length], column, number))
            at += length
        rows.append(tuple(row))
    raise AssertionError("the rows end before the numbers")


def _begun(data: bytes) -> int:
    """Where the rows begin."""
    if not data.startswith(SIGNATURE):
        raise MalformedCopy("COPY file signature not recognized", hint="For text or CSV name that as the FORMAT.")
    flags, extension = _unpacked(HEAD, data, len(SIGNATURE))
    if flags & CRITICAL:
        raise MalformedCopy("unrecognized critical flags in COPY file header")
    at = len(SIGNATURE) + HEAD.size + extension
    if at > len(data):
        raise MalformedCopy("invalid COPY file header: its extension runs off the end")
    return at


def _unpacked(layout: struct.Struct, data: bytes, at: int) -> tuple[int, ...]:
    if at + layout.size > len(data):
        raise MalformedCopy("unexpected end of binary COPY data")
    return layout.unpack_from(data, at)


def _field(data: bytes, column: Column, row: int) -> Value:
    try:
        return literal_of_raw(receive(data, column.type), column.type).value
    except SqlError as error:
        error.detail = error.detail or f"row {row}, column {column.name}"
        raise
