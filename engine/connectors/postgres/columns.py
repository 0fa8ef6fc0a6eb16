"""PostgreSQL's types as ours, and columns of values in their text form as words.

The text form is what COPY and pgoutput send. What Arrow reads as PostgreSQL writes it goes through Arrow, a column at
once; everything else through the cast from text that SQL has, which looks at each distinct value once.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine import types
from engine.collection import numeric
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.connectors.lines import cast_texts
from engine.connectors.records import Spans
from engine.errors import InvalidText
from engine.expr.columns import floats
from engine.types import Column, SqlType

JSON, JSON_ARRAY = 114, 199
"""OIDs of PostgreSQL's json and json[], which are jsonb here."""

COPIED: Final = frozenset(
    {types.BOOLEAN, types.SMALLINT, types.INTEGER, types.BIGINT, types.OID, types.REAL, types.DOUBLE, types.NUMERIC,
     types.TEXT, types.VARCHAR, types.CHAR, types.BYTEA, types.DATE, types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ,
     types.INTERVAL, types.UUID, types.JSONB, types.INTERNAL_CHAR, types.NAME}
)  # fmt: skip
"""What is copied as it is. PostgreSQL's reg* types are names of its catalog, which mean nothing here."""

PRECISE: Final = frozenset({types.TIMESTAMP, types.TIMESTAMPTZ})
"""Types whose modifier is a number of digits."""


def type_of(oid: int, modifier: int) -> SqlType | None:
    """The type here of a type there; None: there is none."""
    if oid == JSON:
        return types.JSONB
    if oid == JSON_ARRAY:
        return types.array_of(types.JSONB)
    found = types.BY_OID.get(oid)
    if found is None:
        return None
    if found in types.VECTORS:
        return found
    if found.nesting is types.Nesting.ARRAY:
        return found if found.within in COPIED else None
    if found not in COPIED:
        return None
    return replace(found, modifier=_modifier(found, modifier))


def _modifier(type: SqlType, modifier: int) -> tuple[int, ...]:
    """What stands in brackets behind a type, from its atttypmod."""
    if modifier < 0:
        return ()
    if type == types.NUMERIC:
        precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
        return (precision, scale) if scale < 0x400 and precision <= 39 else ()
    if type in (types.VARCHAR, types.CHAR):
        return (modifier - 4,)
    return (modifier,) if type in PRECISE else ()


def decoded(column: Column, spans: Spans, nulls: NDArray[np.bool_], heap: Heap) -> Vector:
    """A column of values, the spans of NULLs being empty. InvalidText for a value that the type here has no room for,
    or that must not be NULL."""
    null = nulls if nulls.any() else None
    if null is not None and not column.nullable:
        raise InvalidText(f'column "{column.name}" has a NULL, which it could not have')
    type = column.type
    if not len(spans) or (null is not None and nulls.all()):
        return Vector(np.zeros(len(spans), np.uint64), null)
    if type.plain in (types.TEXT, types.VARCHAR, types.NAME):
        return Vector(spans.intern(heap).words, null)
    if type == types.BOOLEAN:
        words = (spans.data[spans.begins] == ord("t")).astype(np.uint64)
    else:
        words = _by_arrow(spans, null, type, heap)
    if words is None:
        there = slice(None) if null is None else np.flatnonzero(~null)
        vector = cast_texts(spans.take(there).intern(heap), type, heap)
        if vector.errors is not None and vector.errors.any():
            reason = heap.get(int(vector.errors[vector.errors != 0][0])).decode().partition(" ")[2]
            raise InvalidText(f'column "{column.name}": {reason}')
        words = np.zeros(len(spans), np.uint64)
        words[there] = vector.words
        return Vector(words, null)
    if null is None:
        return Vector(words)
    words = words.copy()
    words[null] = 0
    return Vector(words, null)


def _by_arrow(spans: Spans, null: NDArray[np.bool_] | None, type: SqlType, heap: Heap) -> NDArray[np.uint64] | None:
    """The words, if Arrow reads this type and every one of these values."""
    target = ARROW.get(type.plain)
    if target is None:
        return None
    array: pa.Array = spans.texts()
    if null is not None:
        array = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(array), [pa.py_buffer(np.packbits(~null, bitorder="little")), *array.buffers()[1:]]
        )
    texts = pa.LargeStringArray.from_buffers(len(array), *array.buffers()[1:], array.buffers()[0])
    if type.plain == types.NUMERIC:
        words, failed = numeric.from_text(texts, heap)
        return None if failed is not None else words
    try:
        read = texts.cast(target)
    except pa.ArrowInvalid:
        return None
    return WORDS.get(type.plain, _integers)(read)


def _integers(array: pa.Array) -> NDArray[np.uint64]:
    return array.cast(pa.int64()).fill_null(0).to_numpy().astype(np.int64).view(np.uint64)


def _floats(array: pa.Array) -> NDArray[np.uint64]:
    return floats(array.fill_null(0).to_numpy().astype(np.float64))


def _days(array: pa.Array) -> NDArray[np.uint64]:
    return _integers(array.cast(pa.int32()))


ARROW: Final[Mapping[SqlType, pa.DataType]] = {
    types.SMALLINT: pa.int16(), types.INTEGER: pa.int32(), types.BIGINT: pa.int64(), types.OID: pa.int64(),
    types.REAL: pa.float32(), types.DOUBLE: pa.float64(), types.NUMERIC: pa.large_string(), types.DATE: pa.date32(),
    types.TIMESTAMP: pa.timestamp("us"), types.TIMESTAMPTZ: pa.timestamp("us", "UTC"),
}  # fmt: skip
"""What Arrow reads in PostgreSQL's form (but for infinities, years beyond 9999 and the like, which it refuses)."""

WORDS: Final[Mapping[SqlType, Callable[[pa.Array], NDArray[np.uint64]]]] = {
    types.REAL: _floats, types.DOUBLE: _floats, types.DATE: _days,
}  # fmt: skip
