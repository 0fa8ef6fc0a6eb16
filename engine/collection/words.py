"""Between Python values and words: literals, one-row writes, and `Result.rows()`. Columns of data go through Arrow.

A date or timestamp that Python's datetime cannot hold (years below 1 or above 9999) is an int: days or microseconds
since 1970-01-01.
"""

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, cast
from uuid import UUID as Uuid

import numpy as np

from engine import types
from engine.collection import json, numeric
from engine.collection.heap import Codes, Heap
from engine.collection.value import Interval, Value
from engine.collection.vector import Vector
from engine.types import SqlType

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
    """The canonical bits of a double: no -0.0, one NaN."""
    if value != value:
        return NAN
    return int.from_bytes(struct.pack("<d", value + 0.0), "little")


def encode(value: Value, type: SqlType, heap: Heap) -> tuple[int, bool]:
    """(word, is NULL) of a value that is of the type already (modifiers are the caller's cast). 1 us."""
    if value is None:
        return 0, True
    return ENCODERS[type.oid](value, heap), False


def vector_of(values: list[Value], type: SqlType, heap: Heap) -> Vector:
    """A few values as a column."""
    pairs = [encode(value, type, heap) for value in values]
    nulls = np.array([is_null for _, is_null in pairs], np.bool_)
    return Vector(np.array([word for word, _ in pairs], np.uint64), nulls if nulls.any() else None)


def decode_column(vector: Vector, type: SqlType, heap: Heap) -> list[Value]:
    """The values of a column; rows that failed decode as whatever word 0 is."""
    values = DECODERS[type.oid](vector.words, heap)
    if vector.nulls is not None:
        for row in np.flatnonzero(vector.nulls).tolist():
            values[row] = None
    return values


def _signed(value: Value, heap: Heap) -> int:
    return cast("int", value) & MASK


def _real(value: Value, heap: Heap) -> int:
    return float_word(float(np.float32(cast("float", value))))


def _double(value: Value, heap: Heap) -> int:
    return float_word(float(cast("float", value)))


def _numeric(value: Value, heap: Heap) -> int:
    return numeric.pack_decimal(value if isinstance(value, Decimal) else Decimal(str(value)), heap)


def _text(value: Value, heap: Heap) -> int:
    return heap.intern(cast("str", value).encode())


def _bytes(value: Value, heap: Heap) -> int:
    return heap.intern(cast("bytes", value))


def _date(value: Value, heap: Heap) -> int:
    return (value if isinstance(value, int) else cast("date", value).toordinal() - EPOCH_DAY) & MASK


def _time(value: Value, heap: Heap) -> int:
    at = cast("time", value)
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1_000_000 + at.microsecond


def _timestamp(value: Value, heap: Heap) -> int:
    return (value if isinstance(value, int) else (cast("datetime", value) - EPOCH) // MICROSECOND) & MASK


def _timestamptz(value: Value, heap: Heap) -> int:
    return (value if isinstance(value, int) else (cast("datetime", value) - EPOCH_UTC) // MICROSECOND) & MASK


def _interval(value: Value, heap: Heap) -> int:
    span = cast("Interval", value)
    return heap.intern(INTERVAL.pack(span.months, span.days, span.microseconds))


def _uuid(value: Value, heap: Heap) -> int:
    return heap.intern(cast("Uuid", value).bytes)


def _json(value: Value, heap: Heap) -> int:
    return heap.intern(json.canonical(cast("str", value).encode()))


ENCODERS: Final[dict[int, Callable[[Value, Heap], int]]] = {
    types.BOOLEAN.oid: _signed,
    types.SMALLINT.oid: _signed,
    types.INTEGER.oid: _signed,
    types.BIGINT.oid: _signed,
    types.OID.oid: _signed,
    types.REAL.oid: _real,
    types.DOUBLE.oid: _double,
    types.NUMERIC.oid: _numeric,
    types.TEXT.oid: _text,
    types.VARCHAR.oid: _text,
    types.CHAR.oid: _text,
    types.UNKNOWN.oid: _text,
    types.BYTEA.oid: _bytes,
    types.DATE.oid: _date,
    types.TIME.oid: _time,
    types.TIMESTAMP.oid: _timestamp,
    types.TIMESTAMPTZ.oid: _timestamptz,
    types.INTERVAL.oid: _interval,
    types.UUID.oid: _uuid,
    types.JSONB.oid: _json,
}


def _booleans(words: Codes, heap: Heap) -> list[Value]:
    return (words != 0).tolist()


def _integers(words: Codes, heap: Heap) -> list[Value]:
    return words.view(np.int64).tolist()


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
    return [(EPOCH + timedelta(microseconds=micros)).time() for micros in words.tolist()]


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
    types.OID.oid: _integers,
    types.REAL.oid: _floats,
    types.DOUBLE.oid: _floats,
    types.NUMERIC.oid: _numerics,
    types.TEXT.oid: _texts,
    types.VARCHAR.oid: _texts,
    types.CHAR.oid: _texts,
    types.UNKNOWN.oid: _texts,
    types.BYTEA.oid: _binaries,
    types.DATE.oid: _dates,
    types.TIME.oid: _times,
    types.TIMESTAMP.oid: _timestamps,
    types.TIMESTAMPTZ.oid: _instants,
    types.INTERVAL.oid: _intervals,
    types.UUID.oid: _uuids,
    types.JSONB.oid: _texts,
}
