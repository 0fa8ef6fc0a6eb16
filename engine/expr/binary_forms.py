"""The binary form of every type, both ways, one raw value at a time (raw: engine/expr/columns.py).

From  PostgreSQL's *_send and *_recv functions: integers and floats in network order, dates and times counted from
      2000-01-01, numeric as digits of base 10,000, arrays and records with the OIDs of what is in them. A list is sent
      as an array of one dimension, a map as hstore is: a count, then each key and value behind its length.
"""

import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from engine import types
from engine.collection.nested import Array
from engine.collection.value import Interval, Range
from engine.errors import InvalidBinary, Unsupported
from engine.expr import text_forms
from engine.expr.ranges import EMPTY, made
from engine.expr.text_forms import RawValue
from engine.types import Nesting, SqlType

EPOCH_DAYS: Final = 10_957
"""2000-01-01 in days since 1970-01-01."""
EPOCH_MICROS: Final = EPOCH_DAYS * 86_400_000_000
JSONB_VERSION: Final = b"\x01"
NUMERIC_HEAD: Final = struct.Struct(">hhHh")
NEGATIVE, NAN, INFINITY, NEGATIVE_INFINITY = 0x4000, 0xC000, 0xD000, 0xF000
DIMENSIONS_MAX: Final = 6


def send(raw: RawValue, type: SqlType) -> bytes:
    """The binary form of a raw value."""
    match type.nesting:
        case Nesting.ARRAY:
            return _array(raw.dims, raw.items, type.within)
        case Nesting.LIST:
            return _array((len(raw),) if raw else (), raw, type.within)
        case Nesting.MAP:
            pairs = (_field(key.encode()) + _within(item, type.within) for key, item in raw.items())
            return struct.pack(">i", len(raw)) + b"".join(pairs)
        case Nesting.RECORD:
            parts = (
                struct.pack(">I", kind.oid) + _within(item, kind)
                for item, (_, kind) in zip(raw, type.fields, strict=True)
            )
            return struct.pack(">i", len(raw)) + b"".join(parts)
        case Nesting.RANGE:
            return _range(raw, type.within)
        case None:
            return SENDERS[type.oid](raw)


def receive(data: bytes, type: SqlType) -> RawValue:
    """The raw value of a binary form. InvalidBinary for bytes that are none of the type."""
    try:
        return _received(data, type)
    except (struct.error, ValueError, OverflowError, IndexError):
        raise InvalidBinary(f"incorrect binary data format for type {type.name}") from None


def _received(data: bytes, type: SqlType) -> RawValue:
    if type.nesting is Nesting.ARRAY:
        return Array(*_read_array(data, type.within))
    if type.nesting is Nesting.LIST:
        dims, items = _read_array(data, type.within)
        if len(dims) > 1:
            raise ValueError("a list has one dimension")
        return list(items)
    if type.nesting is Nesting.RANGE:
        return _received_range(data, type.within)
    receiver = RECEIVERS.get(type.oid)
    if receiver is None:
        raise Unsupported(f"binary input of type {type.name} is not supported", hint="Send it as text.")
    return receiver(data)


RANGE_EMPTY, LOWER_IN, UPPER_IN, NO_LOWER, NO_UPPER = 0x01, 0x02, 0x04, 0x08, 0x10


def _range(raw: Range, kind: SqlType) -> bytes:
    if raw.empty:
        return bytes([RANGE_EMPTY])
    flags = LOWER_IN * raw.lower_inc | UPPER_IN * raw.upper_inc
    flags |= NO_LOWER * (raw.lower is None) | NO_UPPER * (raw.upper is None)
    return bytes([flags]) + b"".join(_within(bound, kind) for bound in (raw.lower, raw.upper) if bound is not None)


def _received_range(data: bytes, kind: SqlType) -> Range:
    flags, at = data[0], 1
    if flags & RANGE_EMPTY:
        return EMPTY
    bounds: list[RawValue] = []
    for absent in (NO_LOWER, NO_UPPER):
        if flags & absent:
            bounds.append(None)
            continue
        (length,) = struct.unpack_from(">i", data, at)
        if length < 0 or at + 4 + length > len(data):
            raise ValueError("a bound runs off the end")
        bounds.append(_received(data[at + 4 : at + 4 + length], kind))
        at += 4 + length
    return made(bounds[0], bounds[1], bool(flags & LOWER_IN), bool(flags & UPPER_IN), kind)


def _field(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def _within(raw: RawValue, type: SqlType) -> bytes:
    return struct.pack(">i", -1) if raw is None else _field(send(raw, type))


def _array(dims: tuple[int, ...], items: "tuple[RawValue, ...] | list[RawValue]", element: SqlType) -> bytes:
    head = struct.pack(">iiI", len(dims), any(item is None for item in items), element.oid)
    bounds = b"".join(struct.pack(">ii", size, 1) for size in dims)
    return head + bounds + b"".join(_within(item, element) for item in items)


def _read_array(data: bytes, element: SqlType) -> tuple[tuple[int, ...], tuple[RawValue, ...]]:
    count, _, oid = struct.unpack_from(">iiI", data)
    if not 0 <= count <= DIMENSIONS_MAX:
        raise ValueError("too many dimensions")
    if oid != element.oid and types.Category.STRING not in (element.category,):
        raise InvalidBinary(f"array of type OID {oid}, where {element.name} was expected")
    at = 12
    dims: list[int] = []
    total = 1 if count else 0
    for _ in range(count):
        size, _ = struct.unpack_from(">ii", data, at)
        dims.append(size)
        total *= size
        at += 8
    if total < 0 or total > len(data):
        raise ValueError("more elements than bytes")
    items: list[RawValue] = []
    for _ in range(total):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if length < 0:
            items.append(None)
            continue
        if at + length > len(data):
            raise ValueError("an element runs off the end")
        items.append(_received(data[at : at + length], element))
        at += length
    if at != len(data):
        raise ValueError("bytes behind the last element")
    return (tuple(dims), tuple(items)) if items else ((), ())


def send_numeric(value: Decimal) -> bytes:
    if value.is_nan():
        return NUMERIC_HEAD.pack(0, 0, NAN, 0)
    if value.is_infinite():
        return NUMERIC_HEAD.pack(0, 0, INFINITY if value > 0 else NEGATIVE_INFINITY, 0)
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    scale = max(0, -exponent)
    text = "".join(map(str, digits)) + "0" * max(0, exponent)
    whole, fraction = (text[:-scale], text[-scale:].rjust(scale, "0")) if scale else (text, "")
    whole = "0" * (-len(whole) % 4) + whole
    fraction += "0" * (-len(fraction) % 4)
    groups = [int((whole + fraction)[i : i + 4]) for i in range(0, len(whole) + len(fraction), 4)]
    weight = len(whole) // 4 - 1
    while groups and not groups[0]:
        del groups[0]
        weight -= 1
    while groups and not groups[-1]:
        del groups[-1]
    if not groups:
        return NUMERIC_HEAD.pack(0, 0, 0, scale)
    return NUMERIC_HEAD.pack(len(groups), weight, NEGATIVE if sign else 0, scale) + struct.pack(
        f">{len(groups)}h", *groups
    )


def receive_numeric(data: bytes) -> Decimal:
    count, weight, sign, scale = NUMERIC_HEAD.unpack_from(data)
    if sign == NAN:
        return Decimal("NaN")
    if sign in (INFINITY, NEGATIVE_INFINITY):
        return Decimal("Infinity" if sign == INFINITY else "-Infinity")
    if sign not in (0, NEGATIVE):
        raise ValueError("no sign of a number")
    digits = struct.unpack(f">{count}h", data[NUMERIC_HEAD.size :])
    if any(not 0 <= digit < 10_000 for digit in digits):
        raise ValueError("a digit of base 10,000 is out of range")
    number = text_forms.EXACT.create_decimal(0)
    for place, digit in enumerate(digits):
        number = text_forms.EXACT.add(number, Decimal(digit).scaleb(4 * (weight - place)))
    number = number.quantize(Decimal(1).scaleb(-scale), context=text_forms.EXACT)
    return text_forms.fit_numeric(-number if sign else number)


def _packed(layout: str) -> Callable[[RawValue], bytes]:
    return struct.Struct(layout).pack


def _unpacked(layout: str) -> Callable[[bytes], RawValue]:
    reader = struct.Struct(layout)
    return lambda data: reader.unpack(data)[0]


def _exactly(count: int) -> Callable[[bytes], bytes]:
    def read(data: bytes) -> bytes:
        if len(data) != count:
            raise ValueError(f"expected {count} bytes")
        return data

    return read


def _receive_interval(data: bytes) -> Interval:
    microseconds, days, months = struct.unpack(">qii", data)
    return Interval(months, days, microseconds)


def _receive_json(data: bytes) -> str:
    if data[:1] != JSONB_VERSION:
        raise ValueError("unsupported jsonb version number")
    return text_forms.parse_json(data[1:].decode())


def _received_tid(data: bytes) -> int:
    block, offset = struct.unpack(">IH", data)
    return block << 16 | offset


SENDERS: Final[Mapping[int, Callable[[RawValue], bytes]]] = {
    types.BOOLEAN.oid: _packed(">?"),
    types.SMALLINT.oid: _packed(">h"),
    types.INTEGER.oid: _packed(">i"),
    types.BIGINT.oid: _packed(">q"),
    types.OID.oid: _packed(">I"),
    **{kind.oid: _packed(">I") for kind in types.REGISTERED},
    types.REAL.oid: _packed(">f"),
    types.DOUBLE.oid: _packed(">d"),
    types.NUMERIC.oid: send_numeric,
    types.TEXT.oid: str.encode,
    types.VARCHAR.oid: str.encode,
    types.CHAR.oid: str.encode,
    types.INTERNAL_CHAR.oid: lambda text: text.encode() or b"\0",
    types.UNKNOWN.oid: str.encode,
    types.BYTEA.oid: bytes,
    types.DATE.oid: lambda days: struct.pack(">i", days - EPOCH_DAYS),
    types.TIME.oid: _packed(">q"),
    types.TIMESTAMP.oid: lambda micros: struct.pack(">q", micros - EPOCH_MICROS),
    types.TIMESTAMPTZ.oid: lambda micros: struct.pack(">q", micros - EPOCH_MICROS),
    types.INTERVAL.oid: lambda span: struct.pack(">qii", span.microseconds, span.days, span.months),
    types.UUID.oid: bytes,
    types.JSONB.oid: lambda text: JSONB_VERSION + text.encode(),
    types.XID.oid: _packed(">I"),
    types.CID.oid: _packed(">I"),
    types.TID.oid: lambda place: struct.pack(">IH", place >> 16, place & 0xFFFF),
    types.XID8.oid: _packed(">Q"),
    types.PG_LSN.oid: _packed(">Q"),
    **{kind.oid: str.encode for kind in types.SPELLED},
}

RECEIVERS: Final[Mapping[int, Callable[[bytes], RawValue]]] = {
    types.BOOLEAN.oid: _unpacked(">?"),
    types.SMALLINT.oid: _unpacked(">h"),
    types.INTEGER.oid: _unpacked(">i"),
    types.BIGINT.oid: _unpacked(">q"),
    types.OID.oid: _unpacked(">I"),
    **{kind.oid: _unpacked(">I") for kind in types.REGISTERED},
    types.REAL.oid: _unpacked(">f"),
    types.DOUBLE.oid: _unpacked(">d"),
    types.NUMERIC.oid: receive_numeric,
    types.TEXT.oid: bytes.decode,
    types.VARCHAR.oid: bytes.decode,
    types.CHAR.oid: lambda data: data.decode().rstrip(" "),
    types.INTERNAL_CHAR.oid: lambda data: data.rstrip(b"\0").decode(),
    types.UNKNOWN.oid: bytes.decode,
    types.BYTEA.oid: bytes,
    types.DATE.oid: lambda data: struct.unpack(">i", data)[0] + EPOCH_DAYS,
    types.TIME.oid: _unpacked(">q"),
    types.TIMESTAMP.oid: lambda data: struct.unpack(">q", data)[0] + EPOCH_MICROS,
    types.TIMESTAMPTZ.oid: lambda data: struct.unpack(">q", data)[0] + EPOCH_MICROS,
    types.INTERVAL.oid: _receive_interval,
    types.UUID.oid: _exactly(16),
    types.JSONB.oid: _receive_json,
    types.XID.oid: _unpacked(">I"),
    types.CID.oid: _unpacked(">I"),
    types.TID.oid: _received_tid,
    types.XID8.oid: _unpacked(">Q"),
    types.PG_LSN.oid: _unpacked(">Q"),
    **{kind.oid: lambda data, kind=kind: text_forms.parse(data.decode(), kind) for kind in types.SPELLED},
}
