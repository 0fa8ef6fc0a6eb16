"""Arrays, lists, maps, records and ranges as bytes: a value of a nested type is one datum of the heap.

Law: the bytes are canonical (equal values, equal bytes), decodable, and ordered: comparing two bytewise compares the
values as PostgreSQL does: element by element, NULL above everything, then the shorter before the longer. So a nested
type is laid out as BYTES, and equality, grouping, joins, ORDER BY, min and max need no code of their own. No heap code
is inside, so a sweep marks nothing within.

Raw values (engine/expr/columns.py) of nested types: an array is an Array, a list a list, a map a dict in the order of
its keys, a record a tuple; a NULL within is None.

    array    elements, END, dimensions (1 byte), the size of each (4 bytes)
    list     elements, END
    map      (PRESENT, key, element) in the order of the keys, END
    record   fields, END
    range    EMPTY; or FULL, the lower bound (FIRST for none; LAST, the value, FIRST if it is in the range, else LAST)
             and the upper one (LAST for none; FIRST, the value, LAST if it is in the range, else FIRST)
    element  NULL, or PRESENT and the value: fixed width for what a word holds, big-endian and biased so that bytes
             compare as numbers do; text and bytes with 00 escaped as 00 FF and closed by 00 00

From  FoundationDB's tuple layer and MyRocks' memcomparable format.
"""

import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

from engine.collection.json_bytes import read_json, write_json
from engine.collection.plain_bytes import (
    SIGN,
    read_bytes,
    read_decimal,
    read_float,
    read_interval,
    read_text,
    write_bytes,
    write_decimal,
    write_float,
    write_interval,
)
from engine.collection.value import Range
from engine.errors import ArrayTooLarge
from engine.types import SPELLED, Category, Nesting, Physical, SqlType

Raw: TypeAlias = Any
"""Which Python type it is follows from the SQL type, unknown to pyright."""
Writer: TypeAlias = Callable[[Raw, bytearray], None]
Reader: TypeAlias = Callable[[bytes, int], tuple[Raw, int]]
"""(data, offset) -> (the value there, the offset behind it)."""


class Array(NamedTuple):
    """An array: the size of each dimension, and all elements, the last dimension running fastest.

    An empty array has no dimensions. Lower bounds are 1.
    """

    dims: tuple[int, ...]
    items: tuple[Raw, ...]

    @staticmethod
    def of(items: "list[Raw] | tuple[Raw, ...]") -> "Array":
        """An array of one dimension, or the empty one."""
        return Array((len(items),) if items else (), tuple(items))


EMPTY, FULL = 0x01, 0x02
FIRST, LAST = 0x00, 0x01
END: Final = 0x00
PRESENT: Final = 0x01
NULL: Final = 0xFF
BYTES_MAX: Final = 1 << 27
"""The largest nested value, 128 MB: array_fill and concatenation must not eat the memory of the process."""


def encode(raw: Raw, type: SqlType) -> bytes:
    """The bytes of a raw value of a nested type. O(bytes)."""
    out = bytearray()
    writer(type)(raw, out)
    if len(out) > BYTES_MAX:
        raise ArrayTooLarge(f"a value of type {type.name} of {len(out)} bytes; the limit is {BYTES_MAX}")
    return bytes(out)


def decode(data: bytes, type: SqlType) -> Raw:
    """The raw value of those bytes; of no bytes (the datum of a NULL) None."""
    if not data:
        return None
    return reader(type)(data, 0)[0]


@cache
def writer(type: SqlType) -> Writer:
    """What appends a raw value of the type to bytes."""
    match type.nesting:
        case Nesting.ARRAY:
            return _array_writer(element_writer(type.within))
        case Nesting.LIST:
            return _list_writer(element_writer(type.within))
        case Nesting.MAP:
            return _map_writer(element_writer(type.within))
        case Nesting.RECORD:
            return _record_writer([element_writer(kind) for _, kind in type.fields])
        case Nesting.RANGE:
            return _range_writer(writer(type.within))
        case None:
            return _plain_writer(type)


@cache
def reader(type: SqlType) -> Reader:
    """What reads a raw value of the type from bytes."""
    match type.nesting:
        case Nesting.ARRAY:
            return _array_reader(reader(type.within))
        case Nesting.LIST:
            return _list_reader(reader(type.within))
        case Nesting.MAP:
            return _map_reader(reader(type.within))
        case Nesting.RECORD:
            return _record_reader([reader(kind) for _, kind in type.fields])
        case Nesting.RANGE:
            return _range_reader(reader(type.within))
        case None:
            return _plain_reader(type)


def element_writer(type: SqlType) -> Writer:
    """What appends an element, NULL included."""
    write = writer(type)

    def element(raw: Raw, out: bytearray) -> None:
        if raw is None:
            out.append(NULL)
        else:
            out.append(PRESENT)
            write(raw, out)

    return element


def _array_writer(element: Writer) -> Writer:
    def write(raw: Array, out: bytearray) -> None:
        for item in raw.items:
            element(item, out)
        out.append(END)
        out.append(len(raw.dims))
        for size in raw.dims:
            out += size.to_bytes(4, "big")

    return write


def _array_reader(element: Reader) -> Reader:
    items = _list_reader(element)

    def read(data: bytes, at: int) -> tuple[Raw, int]:
        found, at = items(data, at)
        count = data[at]
        at += 1
        dims = struct.unpack_from(f">{count}I", data, at)
        return Array(dims, tuple(found)), at + 4 * count

    return read


def _list_writer(element: Writer) -> Writer:
    def write(raw: list[Raw], out: bytearray) -> None:
        for item in raw:
            element(item, out)
        out.append(END)

    return write


def _list_reader(element: Reader) -> Reader:
    def read(data: bytes, at: int) -> tuple[Raw, int]:
        found: list[Raw] = []
        while (mark := data[at]) != END:
            at += 1
            if mark == NULL:
                found.append(None)
            else:
                value, at = element(data, at)
                found.append(value)
        return found, at + 1

    return read


def _map_writer(element: Writer) -> Writer:
    def write(raw: dict[str, Raw], out: bytearray) -> None:
        for key in sorted(raw, key=str.encode):
            out.append(PRESENT)
            write_bytes(key.encode(), out)
            element(raw[key], out)
        out.append(END)

    return write


def _map_reader(element: Reader) -> Reader:
    def read(data: bytes, at: int) -> tuple[Raw, int]:
        found: dict[str, Raw] = {}
        while data[at] != END:
            key, at = read_text(data, at + 1)
            found[key], at = (None, at + 1) if data[at] == NULL else element(data, at + 1)
        return found, at + 1

    return read


def _record_writer(fields: list[Writer]) -> Writer:
    def write(raw: tuple[Raw, ...], out: bytearray) -> None:
        for field, value in zip(fields, raw, strict=True):
            field(value, out)
        out.append(END)  # a record without fields is not the datum of a NULL

    return write


def _record_reader(fields: list[Reader]) -> Reader:
    def read(data: bytes, at: int) -> tuple[Raw, int]:
        found: list[Raw] = []
        for field in fields:
            value, at = (None, at + 1) if data[at] == NULL else field(data, at + 1)
            found.append(value)
        return tuple(found), at + 1

    return read


def _range_writer(bound: Writer) -> Writer:
    def write(raw: Range, out: bytearray) -> None:
        if raw.empty:
            out.append(EMPTY)
            return
        out.append(FULL)
        if raw.lower is None:
            out.append(FIRST)
        else:
            out.append(LAST)
            bound(raw.lower, out)
            out.append(FIRST if raw.lower_inc else LAST)
        if raw.upper is None:
            out.append(LAST)
        else:
            out.append(FIRST)
            bound(raw.upper, out)
            out.append(LAST if raw.upper_inc else FIRST)

    return write


def _range_reader(bound: Reader) -> Reader:
    def read(data: bytes, at: int) -> tuple[Raw, int]:
        if data[at] == EMPTY:
            return Range(None, None, False, False, True), at + 1
        lower = upper = None
        lower_inc = upper_inc = False
        bounded, at = data[at + 1] == LAST, at + 2
        if bounded:
            lower, at = bound(data, at)
            lower_inc, at = data[at] == FIRST, at + 1
        bounded, at = data[at] == FIRST, at + 1
        if bounded:
            upper, at = bound(data, at)
            upper_inc, at = data[at] == LAST, at + 1
        return Range(lower, upper, lower_inc, upper_inc, False), at

    return read


def _plain_writer(type: SqlType) -> Writer:
    match type.physical:
        case Physical.UNSIGNED:
            return lambda raw, out: out.extend(raw.to_bytes(8, "big"))
        case Physical.BOOLEAN:
            return lambda raw, out: out.append(bool(raw))
        case Physical.SIGNED:
            return lambda raw, out: out.extend((raw + SIGN).to_bytes(8, "big"))
        case Physical.FLOAT:
            return write_float
        case Physical.DECIMAL:
            return write_decimal
        case Physical.INTERVAL:
            return write_interval
        case Physical.JSON:
            return write_json
        case Physical.BYTES if type.length == 16:
            return lambda raw, out: out.extend(raw)
        case _:
            return lambda raw, out: write_bytes(raw if isinstance(raw, bytes) else raw.encode(), out)


def _plain_reader(type: SqlType) -> Reader:
    match type.physical:
        case Physical.UNSIGNED:
            return lambda data, at: (int.from_bytes(data[at : at + 8], "big"), at + 8)
        case Physical.BOOLEAN:
            return lambda data, at: (data[at] != 0, at + 1)
        case Physical.SIGNED:
            return lambda data, at: (int.from_bytes(data[at : at + 8], "big") - SIGN, at + 8)
        case Physical.FLOAT:
            return read_float
        case Physical.DECIMAL:
            return read_decimal
        case Physical.INTERVAL:
            return read_interval
        case Physical.JSON:
            return read_json
        case Physical.BYTES if type.length == 16:
            return lambda data, at: (data[at : at + 16], at + 16)
        case Physical.BYTES if type.category not in (Category.STRING, Category.UNKNOWN) and type not in SPELLED:
            return read_bytes
        case _:
            return read_text
