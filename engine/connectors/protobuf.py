"""FORMAT PROTOBUF: the fields of a message are columns.

Fields are known by their numbers, so data of an older or newer schema read as what both have; no writer's schema is
asked for. With a registry each datum begins with 0, the schema's id and the message's place in its file. Repeated
fields are lists, maps maps, messages records; a field that knows its absence is NULL without a value. A datum takes
some 3 us: the messages are Python objects of protobuf's C library.
"""

import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from engine import types
from engine.catalog.sources import ProtobufFormat
from engine.collection.heap import Heap
from engine.collection.nested import Raw
from engine.collection.words import value_of, vector_of
from engine.connectors.records import Decoded, Spans
from engine.errors import MalformedSource
from engine.types import Column, SqlType

HEADER: Final = 5

F = FieldDescriptor
SCALARS: Final[dict[int, SqlType]] = {
    F.TYPE_DOUBLE: types.DOUBLE, F.TYPE_FLOAT: types.REAL, F.TYPE_BOOL: types.BOOLEAN, F.TYPE_STRING: types.TEXT,
    F.TYPE_BYTES: types.BYTEA, F.TYPE_ENUM: types.TEXT, F.TYPE_INT32: types.INTEGER, F.TYPE_SINT32: types.INTEGER,
    F.TYPE_SFIXED32: types.INTEGER, F.TYPE_INT64: types.BIGINT, F.TYPE_SINT64: types.BIGINT,
    F.TYPE_SFIXED64: types.BIGINT, F.TYPE_UINT32: types.BIGINT, F.TYPE_FIXED32: types.BIGINT,
    F.TYPE_UINT64: types.NUMERIC, F.TYPE_FIXED64: types.NUMERIC,
}  # fmt: skip


def descriptor_of(descriptors: bytes, message: str) -> Descriptor:
    """The message of that name in a serialised FileDescriptorSet. MalformedSource when there is none."""
    files = descriptor_pb2.FileDescriptorSet()
    pool = descriptor_pool.DescriptorPool()
    try:
        files.ParseFromString(descriptors)
        for file in files.file:
            pool.Add(file)
        return pool.FindMessageTypeByName(message.removeprefix("."))
    except DecodeError:
        raise MalformedSource("the Protobuf schema is no FileDescriptorSet") from None
    except (KeyError, TypeError) as error:
        known = ", ".join(_messages(files)) or "none"
        raise MalformedSource(
            f'Protobuf message "{message}" cannot be used: {error}', hint=f"There are {known}."
        ) from None


def _messages(files: descriptor_pb2.FileDescriptorSet) -> list[str]:
    return [
        f"{file.package}.{message.name}" if file.package else message.name
        for file in files.file
        for message in file.message_type
    ]


def compiled(name: str, text: str, imports: dict[str, str]) -> bytes:
    """The FileDescriptorSet of a .proto file, what it imports included."""
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        for path, content in {**imports, name: text}.items():
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        out = Path(folder) / "descriptors"
        well_known = Path(protoc.__file__).parent / "_proto"
        code = protoc.main([
            "protoc", f"-I{folder}", f"-I{well_known}", "--include_imports", f"--descriptor_set_out={out}", name,
        ])  # fmt: skip
        if code:
            raise MalformedSource("the registry's Protobuf schema does not compile")
        return out.read_bytes()


def first_message(descriptors: bytes) -> str:
    """The message that a subject means unless it says another: the first of its file."""
    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString(descriptors)
    file = files.file[-1]
    if not file.message_type:
        raise MalformedSource("the registry's Protobuf schema has no message")
    name = file.message_type[0].name
    return f"{file.package}.{name}" if file.package else name


def columns_of(format: ProtobufFormat) -> tuple[Column, ...]:
    """A column for each field."""
    message = descriptor_of(format.descriptors, format.message)
    return tuple(Column(field.name, sql_type(field, ()), nullable=_nullable(field)) for field in message.fields)


def _message(field: FieldDescriptor) -> Descriptor:
    """What a field of a message type holds."""
    assert field.message_type is not None
    return field.message_type


def _nullable(field: FieldDescriptor) -> bool:
    return not _repeated(field) and field.has_presence


def _repeated(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)


def _is_map(field: FieldDescriptor) -> bool:
    message = cast("Descriptor | None", field.message_type)
    return message is not None and bool(message.GetOptions().map_entry)


def sql_type(field: FieldDescriptor, around: tuple[str, ...]) -> SqlType:
    """The SQL type of a field. MalformedSource for messages that hold themselves."""
    if _is_map(field):
        key, value = (_message(field).fields_by_name[part] for part in ("key", "value"))
        if key.type != F.TYPE_STRING:
            raise MalformedSource(f"Protobuf field {field.name} is a map whose keys are no strings")
        return types.map_of(sql_type(value, around))
    one = _single(field, around)
    return types.list_of(one) if _repeated(field) else one


def _single(field: FieldDescriptor, around: tuple[str, ...]) -> SqlType:
    if field.type not in (F.TYPE_MESSAGE, F.TYPE_GROUP):
        return SCALARS[field.type]
    message = _message(field)
    if message.full_name in around:
        raise MalformedSource(f"Protobuf message {message.full_name} holds itself, so it is no column")
    inner = (*around, message.full_name)
    return types.record_of(tuple((each.name, sql_type(each, inner)) for each in message.fields))


Get = Callable[[Any], Raw]


def getter(field: FieldDescriptor) -> Get:
    """From a message to the raw value of one of its fields."""
    name, convert = field.name, _converter(field)
    if _is_map(field):
        of_value = _converter(_message(field).fields_by_name["value"])
        return lambda message: {
            key: of_value(getattr(message, name)[key]) for key in sorted(getattr(message, name), key=str.encode)
        }
    if _repeated(field):
        return lambda message: [convert(each) for each in getattr(message, name)]
    if field.has_presence:
        return lambda message: convert(getattr(message, name)) if message.HasField(name) else None
    return lambda message: convert(getattr(message, name))


def _converter(field: FieldDescriptor) -> Get:
    if field.type in (F.TYPE_MESSAGE, F.TYPE_GROUP):
        getters = [getter(each) for each in _message(field).fields]
        return lambda message: tuple(get(message) for get in getters)
    if field.enum_type is not None:
        values = field.enum_type.values_by_number
        return lambda number: values[number].name if number in values else str(number)
    if SCALARS[field.type] == types.NUMERIC:
        return Decimal
    return lambda value: value


class ProtobufDecoder:
    """See the file's head."""

    def __init__(self, format: ProtobufFormat, columns: tuple[Column, ...], heap: Heap) -> None:
        self.columns = columns
        self._heap = heap
        self._framed = format.registry is not None
        descriptor = descriptor_of(format.descriptors, format.message)
        self._make: type[Message] = message_factory.GetMessageClass(descriptor)
        self._getters = [getter(field) for field in descriptor.fields]

    def decode(self, data: Spans) -> Decoded:
        failed: dict[int, str] = {}
        rows: list[Sequence[Raw]] = []
        blank = (None,) * len(self.columns)
        for row, raw in enumerate(data.texts().to_pylist()):
            values: Sequence[Raw] = blank
            try:
                message = self._make()
                message.ParseFromString(unframed(raw) if self._framed else raw)
                values = [get(message) for get in self._getters]
            except DecodeError as error:
                failed[row] = f"malformed Protobuf: {error}"
            except ValueError as error:
                failed[row] = f"malformed Protobuf: {error}"
            rows.append(values)
        vectors = [
            vector_of([value_of(values[j], column.type) for values in rows], column.type, self._heap)
            for j, column in enumerate(self.columns)
        ]
        return Decoded(vectors, failed)


def unframed(raw: bytes) -> bytes:
    """A datum without the registry's header. ValueError when it has none."""
    if len(raw) < HEADER + 1 or raw[0] != 0:
        raise ValueError("the datum does not begin with a schema's id")
    at = HEADER
    count, at = _varint(raw, at)
    for _ in range(count):
        _, at = _varint(raw, at)
    return raw[at:]


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(raw):
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at
    raise ValueError("the datum's header ends too early")
