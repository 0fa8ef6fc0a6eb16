"""Values that are more than a word: read in Python, as the writer wrote them and the reader wants them."""

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from engine.collection import json
from engine.collection.nested import Raw
from engine.connectors.avro.schema import Avro
from engine.errors import MalformedSource

Read = Callable[[bytes, int], tuple[Raw, int]]
"""(data, offset) -> (the raw value there, the offset behind it)."""

PROMOTIONS: Final = frozenset(
    {("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"), ("float", "double"),
     ("string", "bytes"), ("bytes", "string")}
)  # fmt: skip
"""(writer's, reader's): what resolution lets pass, by Avro's specification."""


def matches(writer: Avro, reader: Avro) -> bool:
    """Whether data of one type can be read as the other; unions are the caller's."""
    if (writer.kind, reader.kind) in PROMOTIONS:
        return True
    if writer.kind != reader.kind:
        return False
    if writer.kind in ("record", "enum", "fixed"):
        names = {reader.name.rpartition(".")[2], *reader.aliases}
        same = writer.name.rpartition(".")[2] in names or writer.kind == "record"
        return same and writer.size == reader.size
    return True


def branch_for(writer: Avro, reader: Avro) -> Avro | None:
    """The branch of the reader's type (itself, if it is no union) that takes the writer's; None: none does."""
    if reader.kind != "union":
        return reader if matches(writer, reader) else None
    exact = next((each for each in reader.inner if each.kind == writer.kind and matches(writer, each)), None)
    return exact or next((each for each in reader.inner if matches(writer, each)), None)


def long(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A zigzag varint."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at


def datum(data: bytes, at: int) -> tuple[bytes, int]:
    """Bytes with their length."""
    size, at = long(data, at)
    if size < 0 or at + size > len(data):
        raise ValueError("bytes run past the end")
    return data[at : at + size], at + size


def reader_of(writer: Avro, reader: Avro) -> Read:
    """What reads the writer's data as the reader's raw values. MalformedSource when it cannot be done at all."""
    if writer.kind == "union":
        branches: list[Read] = []
        for branch in writer.inner:
            try:
                branches.append(reader_of(branch, reader))
            except MalformedSource as error:
                branches.append(_refuse(error.message))

        def union(data: bytes, at: int) -> tuple[Raw, int]:
            number, at = long(data, at)
            if not 0 <= number < len(branches):
                raise ValueError("a union has no such branch")
            return branches[number](data, at)

        return union
    wanted = branch_for(writer, reader)
    if wanted is None:
        raise MalformedSource(f"Avro type {writer.name or writer.kind} cannot be read as {reader.name or reader.kind}")
    return _value(writer, wanted)


def _refuse(message: str) -> Read:
    def refuse(_: bytes, __: int) -> tuple[Raw, int]:
        raise ValueError(message)

    return refuse


def _value(writer: Avro, reader: Avro) -> Read:
    match writer.kind:
        case "null":
            return lambda _, at: (None, at)
        case "boolean":
            return lambda data, at: (data[at] != 0, at + 1)
        case "int" | "long":
            return _integer(writer, reader)
        case "float":
            return lambda data, at: (struct.unpack_from("<f", data, at)[0], at + 4)
        case "double":
            return lambda data, at: (struct.unpack_from("<d", data, at)[0], at + 8)
        case "bytes" | "string" | "fixed":
            return _bytes(writer, reader)
        case "enum":
            return _enum(writer, reader)
        case "array":
            return _array(reader_of(writer.inner[0], reader.inner[0]))
        case "map":
            return _map(reader_of(writer.inner[0], reader.inner[0]))
        case _:
            return _record(writer, reader)


def _integer(writer: Avro, reader: Avro) -> Read:
    if reader.kind in ("float", "double"):
        return lambda data, at: (lambda pair: (float(pair[0]), pair[1]))(long(data, at))
    if writer.logical.endswith("-millis"):
        return lambda data, at: (lambda pair: (pair[0] * 1000, pair[1]))(long(data, at))
    return long


def _bytes(writer: Avro, reader: Avro) -> Read:
    size = writer.size if writer.kind == "fixed" else -1
    convert = converter(writer, reader)

    def read(data: bytes, at: int) -> tuple[Raw, int]:
        if size < 0:
            raw, at = datum(data, at)
            return convert(raw), at
        if at + size > len(data):
            raise ValueError("bytes run past the end")
        return convert(data[at : at + size]), at + size

    return read


def converter(writer: Avro, reader: Avro) -> Callable[[bytes], Raw]:
    """From the bytes of a string, bytes or fixed to a raw value."""
    if reader.logical == "decimal" or writer.logical == "decimal":
        scale = writer.scale if writer.logical == "decimal" else reader.scale
        return lambda raw: Decimal(int.from_bytes(raw, "big", signed=True)).scaleb(-scale)
    if reader.is_json:
        return lambda raw: json.canonical(raw).decode()
    if reader.logical == "uuid" and reader.kind == "string":
        return lambda raw: UUID(raw.decode()).bytes
    if reader.kind == "string":
        return bytes.decode
    return lambda raw: raw


def _enum(writer: Avro, reader: Avro) -> Read:
    symbols = enum_symbols(writer, reader)

    def read(data: bytes, at: int) -> tuple[Raw, int]:
        number, at = long(data, at)
        symbol = symbols[number] if 0 <= number < len(symbols) else None
        if symbol is None:
            raise ValueError("an enum has no such symbol")
        return symbol, at

    return read


def enum_symbols(writer: Avro, reader: Avro) -> list[str | None]:
    """The reader's symbol for each of the writer's; None: it knows none."""
    return [symbol if symbol in reader.symbols else reader.symbol for symbol in writer.symbols]


def _array(item: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[Raw, int]:
        found: list[Raw] = []
        while True:
            count, at = long(data, at)
            if count == 0:
                return found, at
            if count < 0:
                count = -count
                _, at = long(data, at)
            for _ in range(count):
                raw, at = item(data, at)
                found.append(raw)

    return read


def _map(value: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[Raw, int]:
        found: dict[str, Raw] = {}
        while True:
            count, at = long(data, at)
            if count == 0:
                return {key: found[key] for key in sorted(found, key=str.encode)}, at
            if count < 0:
                count = -count
                _, at = long(data, at)
            for _ in range(count):
                key, at = datum(data, at)
                found[key.decode()], at = value(data, at)

    return read


def _record(writer: Avro, reader: Avro) -> Read:
    """The writer's fields in its order; the reader's that it lacks by their defaults."""
    places = {name: i for i, field in enumerate(reader.fields) for name in (field.name, *field.aliases)}
    steps: list[tuple[Read, int]] = []
    written: set[int] = set()
    for field in writer.fields:
        place = places.get(field.name, -1)
        steps.append((reader_of(field.type, field.type if place < 0 else reader.fields[place].type), place))
        written.add(place)
    blank: list[Any] = [None] * len(reader.fields)
    for i, field in enumerate(reader.fields):
        if i not in written:
            if not field.has_default:
                raise MalformedSource(f"Avro field {field.name} is not in the data, and has no default")
            blank[i] = default_of(field.default, field.type)

    def read(data: bytes, at: int) -> tuple[Raw, int]:
        values = list(blank)
        for step, place in steps:
            raw, at = step(data, at)
            if place >= 0:
                values[place] = raw
        return tuple(values), at

    return read


def default_of(default: Any, type: Avro) -> Raw:  # noqa: ANN401 - JSON
    """The raw value that a default in a schema's JSON is: of a union it is of the first branch that takes it."""
    if type.kind == "union":
        if default is None:
            return None
        return default_of(default, next(branch for branch in type.inner if branch.kind != "null"))
    match type.kind:
        case "null":
            return None
        case "int" | "long":
            return default * 1000 if type.logical.endswith("-millis") else default
        case "float" | "double":
            return float(default)
        case "bytes" | "fixed":
            return converter(type, type)(str(default).encode("latin-1"))
        case "string":
            return converter(type, type)(str(default).encode())
        case "array":
            return [default_of(each, type.inner[0]) for each in default]
        case "map":
            return {key: default_of(default[key], type.inner[0]) for key in sorted(default, key=str.encode)}
        case "record":
            return tuple(default_of(default.get(field.name, field.default), field.type) for field in type.fields)
        case _:
            return default
