"""Between Python values and words: literals, one-row writes, and `Result.rows()`. Columns of data go through Arrow.

What Python's datetime cannot hold is an int: a date or timestamp with a year below 1 or above 9999 days or microseconds
since 1970-01-01, the time 24:00 its microseconds.
"""

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, cast
from uuid import UUID as Uuid

import numpy as np

from engine import types
from engine.collection import json, nested, numeric, plain_bytes
from engine.collection.heap import DECIMAL_TAG, Codes, Heap, Interning
from engine.collection.value import Interval, Plain, Range, Value
from engine.collection.vector import Vector
from engine.errors import InvalidText
from engine.types import Nesting, Physical, SqlType

MASK: Final = (1 << 64) - 1
EPOCH: Final = datetime(1970, 1, 1)
EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
MICROSECOND: Final = timedelta(microseconds=1)
MICROSECONDS_MIN: Final = (datetime.min - EPOCH) // MICROSECOND
MICROSECONDS_MAX: Final = (datetime.max - EPOCH) // MICROSECOND
INTERVAL: Final = struct.Struct("<iiq")
NAN: Final = 0x7FF8_0000_0000_0000


def float_word(value: float) -> int:
    """The bits of a double: there is one NaN."""
    if value != value:
        return NAN
    return int.from_bytes(struct.pack("<d", value), "little")


def encode(value: Value, type: SqlType, heap: Interning) -> tuple[int, bool]:
    """(word, is NULL) of a value that is of the type already (modifiers are the caller's cast). 1 us."""
    if value is None:
        return 0, True
    if type.nesting is not None:
        data = value if isinstance(value, bytes) else nested.encode(raw_of(value, type), type)
        return heap.intern(data), False
    return ENCODERS[type.oid](value, heap), False


def content_words(words: Codes, type: SqlType, heap: Heap) -> Codes:
    """Words that mean the same in every process: where one is a heap code, the hash of the datum's content."""
    match type.physical:
        case Physical.BYTES | Physical.INTERVAL | Physical.JSON:
            return heap.hash_of(words)
        case Physical.DECIMAL:
            codes = words >= DECIMAL_TAG
            held = words.copy()
            held[codes] = heap.hash_of(words[codes] ^ DECIMAL_TAG)
            return held
        case Physical.UNSIGNED | Physical.BOOLEAN | Physical.SIGNED | Physical.FLOAT:
            return words


def vector_of(values: list[Value], type: SqlType, heap: Heap) -> Vector:
    """A few values as a column."""
    pairs = [encode(value, type, heap) for value in values]
    nulls = np.array([is_null for _, is_null in pairs], np.bool_)
    return Vector(np.array([word for word, _ in pairs], np.uint64), nulls if nulls.any() else None)


def decode_column(vector: Vector, type: SqlType, heap: Heap) -> list[Value]:
    """The values of a column; rows that failed decode as whatever word 0 is."""
    if type.nesting is not None:
        values = [value_of(nested.decode(data, type), type) for data in heap.decode(vector.words).to_pylist()]
    else:
        values = DECODERS[type.oid](vector.words, heap)
    if vector.nulls is not None:
        for row in np.flatnonzero(vector.nulls).tolist():
            values[row] = None
    return values


def literal_of(vector: Vector, type: SqlType, heap: Heap) -> Plain:
    """The first datum of a column, as a literal holds it."""
    if type.nesting is not None:
        is_null = vector.nulls is not None and bool(vector.nulls[0])
        return None if is_null else heap.get(int(vector.words[0]))
    return cast("Plain", decode_column(vector.take(np.zeros(1, np.int64)), type, heap)[0])


def value_of(raw: nested.Raw, type: SqlType) -> Value:
    """The value outside the engine of a raw one. Moments in years that Python does not know stay integers."""
    if raw is None:
        return None
    if type.nesting is not None:
        return _nested_value(raw, type)
    try:
        match type.plain:
            case types.DATE:
                return (EPOCH + timedelta(days=raw)).date()
            case types.TIME:
                return _clock(raw)
            case types.TIMESTAMP:
                return EPOCH + timedelta(microseconds=raw)
            case types.TIMESTAMPTZ:
                return EPOCH_UTC + timedelta(microseconds=raw)
            case types.UUID:
                return Uuid(bytes=raw)
            case _:
                return raw
    except OverflowError:
        return raw


def _nested_value(raw: nested.Raw, type: SqlType) -> Value:
    match type.nesting:
        case Nesting.ARRAY:
            values = [value_of(item, type.within) for item in raw.items]
            for size in raw.dims[:0:-1]:
                values = [values[i : i + size] for i in range(0, len(values), size)]
            return cast("Value", values)
        case Nesting.LIST:
            return [value_of(item, type.within) for item in raw]
        case Nesting.MAP:
            return {key: value_of(item, type.within) for key, item in raw.items()}
        case Nesting.RANGE:
            lower, upper = value_of(raw.lower, type.within), value_of(raw.upper, type.within)
            return Range(lower, upper, raw.lower_inc, raw.upper_inc, raw.empty)
        case _:
            return tuple(value_of(item, kind) for item, (_, kind) in zip(raw, type.fields, strict=True))


def raw_of(value: Value, type: SqlType) -> nested.Raw:
    """The inverse of value_of. Lists within the list of an array are further dimensions."""
    if value is None:
        return None
    match type.nesting:
        case Nesting.ARRAY:
            return _array_of(cast("list[Value]", value), type.within)
        case Nesting.LIST:
            return [raw_of(item, type.within) for item in cast("list[Value]", value)]
        case Nesting.MAP:
            members = cast("dict[str, Value]", value)
            return {key: raw_of(members[key], type.within) for key in sorted(members, key=str.encode)}
        case Nesting.RANGE:
            given = cast("Range", value)
            lower, upper = raw_of(given.lower, type.within), raw_of(given.upper, type.within)
            return Range(lower, upper, given.lower_inc, given.upper_inc, given.empty)
        case Nesting.RECORD:
            fields = cast("tuple[Value, ...]", value)
            return tuple(raw_of(item, kind) for item, (_, kind) in zip(fields, type.fields, strict=True))
        case None:
            return _plain_raw(value, type)


def _array_of(value: "list[Value]", element: SqlType) -> nested.Array:
    dims: list[int] = []
    flat: list[Value] = list(value)
    size = len(flat)
    while True:
        dims.append(size)
        within = element.nesting is None and bool(flat) and isinstance(flat[0], list)
        if not within:
            break
        rows = [cast("list[Value]", row) for row in flat]
        size = len(rows[0])
        if any(len(row) != size for row in rows):
            raise InvalidText("multidimensional arrays must have sub-arrays with matching dimensions")
        flat = [item for row in rows for item in row]
    return nested.Array(tuple(dims) if flat else (), tuple(raw_of(item, element) for item in flat))


def _plain_raw(value: Value, type: SqlType) -> nested.Raw:
    match type.plain:
        case types.DATE:
            return value if isinstance(value, int) else cast("date", value).toordinal() - EPOCH_DAY
        case types.TIME:
            return _micros_of(value)
        case types.TIMESTAMP:
            return value if isinstance(value, int) else (cast("datetime", value) - EPOCH) // MICROSECOND
        case types.TIMESTAMPTZ:
            return value if isinstance(value, int) else (cast("datetime", value) - EPOCH_UTC) // MICROSECOND
        case types.UUID:
            return cast("Uuid", value).bytes
        case types.NUMERIC:
            return value if isinstance(value, Decimal) else Decimal(str(value))
        case types.JSONB:
            return json.canonical(cast("str", value).encode()).decode()
        case _:
            return value


def _signed(value: Value, heap: Interning) -> int:
    return cast("int", value) & MASK


def _real(value: Value, heap: Interning) -> int:
    return float_word(float(np.float32(cast("float", value))))


def _double(value: Value, heap: Interning) -> int:
    return float_word(float(cast("float", value)))


def _numeric(value: Value, heap: Interning) -> int:
    return numeric.pack_decimal(value if isinstance(value, Decimal) else Decimal(str(value)), heap)


def _text(value: Value, heap: Interning) -> int:
    return heap.intern(cast("str", value).encode())


def _bytes(value: Value, heap: Interning) -> int:
    return heap.intern(cast("bytes", value))


def _date(value: Value, heap: Interning) -> int:
    return (value if isinstance(value, int) else cast("date", value).toordinal() - EPOCH_DAY) & MASK


def _time(value: Value, heap: Interning) -> int:
    return _micros_of(value)


def _micros_of(value: Value) -> int:
    if isinstance(value, int):
        return value
    at = cast("time", value)
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1_000_000 + at.microsecond


def _clock(micros: int) -> time | int:
    return micros if micros == plain_bytes.DAY else (EPOCH + timedelta(microseconds=micros)).time()


def _timestamp(value: Value, heap: Interning) -> int:
    return (value if isinstance(value, int) else (cast("datetime", value) - EPOCH) // MICROSECOND) & MASK


def _timestamptz(value: Value, heap: Interning) -> int:
    return (value if isinstance(value, int) else (cast("datetime", value) - EPOCH_UTC) // MICROSECOND) & MASK


def _interval(value: Value, heap: Interning) -> int:
    span = cast("Interval", value)
    return heap.intern(INTERVAL.pack(span.months, span.days, span.microseconds))


def _uuid(value: Value, heap: Interning) -> int:
    return heap.intern(cast("Uuid", value).bytes)


def _json(value: Value, heap: Interning) -> int:
    return heap.intern(json.canonical(cast("str", value).encode()))


ENCODERS: Final[dict[int, Callable[[Value, Interning], int]]] = {
    types.BOOLEAN.oid: _signed,
    types.SMALLINT.oid: _signed,
    types.INTEGER.oid: _signed,
    types.BIGINT.oid: _signed,
    **{kind.oid: _signed for kind in (*types.UNSIGNED, types.MZ_TIMESTAMP)},
    types.OID.oid: _signed,
    **{kind.oid: _signed for kind in types.REGISTERED},
    types.REAL.oid: _real,
    types.DOUBLE.oid: _double,
    types.NUMERIC.oid: _numeric,
    types.TEXT.oid: _text,
    types.VARCHAR.oid: _text,
    types.CHAR.oid: _text,
    types.INTERNAL_CHAR.oid: _text,
    types.NAME.oid: _text,
    types.UNKNOWN.oid: _text,
    types.BYTEA.oid: _bytes,
    types.DATE.oid: _date,
    types.TIME.oid: _time,
    types.TIMESTAMP.oid: _timestamp,
    types.TIMESTAMPTZ.oid: _timestamptz,
    types.INTERVAL.oid: _interval,
    types.UUID.oid: _uuid,
    **{kind.oid: _signed for kind in types.NUMBERED},
    **{kind.oid: _text for kind in types.SPELLED},
    types.JSONB.oid: _json,
}


def _booleans(words: Codes, heap: Heap) -> list[Value]:
    return (words != 0).tolist()


def _integers(words: Codes, heap: Heap) -> list[Value]:
    return words.view(np.int64).tolist()


def _unsigned(words: Codes, heap: Heap) -> list[Value]:
    return words.tolist()


def _floats(words: Codes, heap: Heap) -> list[Value]:
    return words.view(np.float64).tolist()


def _numerics(words: Codes, heap: Heap) -> list[Value]:
    return [Decimal(text) for text in numeric.to_text(words, heap).to_pylist()]


def _texts(words: Codes, heap: Heap) -> list[Value]:
    return heap.decode_text(words).to_pylist()


def _binaries(words: Codes, heap: Heap) -> list[Value]:
    return heap.decode(words).to_pylist()


def _dates(words: Codes, heap: Heap) -> list[Value]:
    return [
        date.fromordinal(days + EPOCH_DAY) if 1 <= days + EPOCH_DAY <= date.max.toordinal() else days
        for days in words.view(np.int64).tolist()
    ]


def _times(words: Codes, heap: Heap) -> list[Value]:
    return [_clock(micros) for micros in words.tolist()]


def _timestamps(words: Codes, heap: Heap) -> list[Value]:
    return [
        EPOCH + timedelta(microseconds=micros) if MICROSECONDS_MIN <= micros <= MICROSECONDS_MAX else micros
        for micros in words.view(np.int64).tolist()
    ]


def _instants(words: Codes, heap: Heap) -> list[Value]:
    return [
        EPOCH_UTC + timedelta(microseconds=micros) if MICROSECONDS_MIN <= micros <= MICROSECONDS_MAX else micros
        for micros in words.view(np.int64).tolist()
    ]


def _intervals(words: Codes, heap: Heap) -> list[Value]:
    return [Interval(*INTERVAL.unpack(data)) if data else Interval() for data in heap.decode(words).to_pylist()]


def _uuids(words: Codes, heap: Heap) -> list[Value]:
    return [Uuid(bytes=data) if data else Uuid(int=0) for data in heap.decode(words).to_pylist()]


DECODERS: Final[dict[int, Callable[[Codes, Heap], list[Value]]]] = {
    types.BOOLEAN.oid: _booleans,
    types.SMALLINT.oid: _integers,
    types.INTEGER.oid: _integers,
    types.BIGINT.oid: _integers,
    types.UINT2.oid: _integers,
    types.UINT4.oid: _integers,
    types.UINT8.oid: _unsigned,
    types.MZ_TIMESTAMP.oid: _unsigned,
    types.OID.oid: _integers,
    **{kind.oid: _integers for kind in types.REGISTERED},
    types.REAL.oid: _floats,
    types.DOUBLE.oid: _floats,
    types.NUMERIC.oid: _numerics,
    types.TEXT.oid: _texts,
    types.VARCHAR.oid: _texts,
    types.CHAR.oid: _texts,
    types.INTERNAL_CHAR.oid: _texts,
    types.NAME.oid: _texts,
    types.UNKNOWN.oid: _texts,
    types.BYTEA.oid: _binaries,
    types.DATE.oid: _dates,
    types.TIME.oid: _times,
    types.TIMESTAMP.oid: _timestamps,
    types.TIMESTAMPTZ.oid: _instants,
    types.INTERVAL.oid: _intervals,
    types.UUID.oid: _uuids,
    **{kind.oid: _unsigned for kind in types.NUMBERED},
    **{kind.oid: _texts for kind in types.SPELLED},
    types.JSONB.oid: _texts,
}
