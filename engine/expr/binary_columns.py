# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.
"""Columns as a client is sent them, in text or in binary: a whole column at a time, or a few rows value by value."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine import types
from engine.collection.vector import Vector
from engine.expr import binary_forms, text_forms
from engine.expr.binary_forms import EPOCH_DAYS, EPOCH_MICROS, JSONB_VERSION
from engine.expr.columns import Codes, unpack
from engine.expr.functions.text_casts import to_text
from engine.kernels.base_10000 import base_10000
from engine.kernels.numeric import format_all
from engine.types import Category, Physical, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

TRUTH = pa.array(["f", "t"], pa.large_string())


def sent_text(vector: Vector, type: SqlType, context: "Context") -> pa.LargeStringArray:
    """CAST(x AS text), with booleans as t and f: the text format. NULL is null."""
    if type == types.BOOLEAN:
        return TRUTH.take(pa.array(vector.words != 0, mask=vector.nulls).cast(pa.int8()))
    return to_text(vector, type, context)


def sent_binary(vector: Vector, type: SqlType, context: "Context") -> pa.LargeBinaryArray:
    """The binary format of a column. NULL is null."""
    if vector.nulls is not None and np.count_nonzero(vector.nulls):
        rows = np.flatnonzero(~vector.nulls)
        found = _binary(np.ascontiguousarray(vector.words[rows]), type, context)
        position = np.zeros(len(vector.words), np.int64)
        position[rows] = np.arange(len(rows))
        return found.take(pa.array(position, mask=vector.nulls))
    return _binary(np.ascontiguousarray(vector.words), type, context)


def _binary(words: Codes, type: SqlType, context: "Context") -> pa.LargeBinaryArray:
    """Words none of which is a NULL's."""
    if type.nesting is not None or type.plain in types.NUMBERED:
        return pa.array([binary_forms.send(raw, type) for raw in unpack(words, type, context)], pa.large_binary())
    if type.category in (Category.STRING, Category.UNKNOWN):
        return to_text(Vector(words), type, context).cast(pa.large_binary())
    match type.physical:
        case Physical.BOOLEAN:
            return fixed((words != 0).astype(np.uint8).reshape(-1, 1))
        case Physical.FLOAT:
            return fixed(words.view(np.float64).astype(">f4" if type.plain == types.REAL else ">f8"))
        case Physical.DECIMAL:
            offsets, data = base_10000(*format_all(words, *context.heap.view()))
            return pa.LargeBinaryArray.from_buffers(
                pa.large_binary(), len(words), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
            )
        case Physical.JSON:
            version = pa.scalar(JSONB_VERSION, pa.large_binary())
            return pc.binary_join_element_wise(version, context.heap.decode(words), pa.scalar(b"", pa.large_binary()))
        case Physical.INTERVAL:
            return fixed(_spans(words, context))
        case Physical.SIGNED:
            return fixed(_integers(words.view(np.int64), type))
        case Physical.BYTES:
            data = context.heap.decode(words)
            if type == types.INTERNAL_CHAR:  # none is the byte 0
                return pc.if_else(pc.equal(pc.binary_length(data), 0), pa.scalar(b"\0", pa.large_binary()), data)
            return data


def _integers(values: NDArray[np.int64], type: SqlType) -> NDArray[np.generic]:
    match type.plain:
        case types.SMALLINT:
            return values.astype(">i2")
        case types.INTEGER | types.OID:
            return values.astype(">i4")
        case types.DATE:
            return (values - EPOCH_DAYS).astype(">i4")
        case types.TIMESTAMP | types.TIMESTAMPTZ:
            return (values - EPOCH_MICROS).astype(">i8")
        case plain if plain in types.REGISTERED:
            return values.astype(">i4")
        case _:
            return values.astype(">i8")


def _spans(words: Codes, context: "Context") -> NDArray[np.generic]:
    """<i4 months, <i4 days, <i8 microseconds on the heap; >i8, >i4, >i4 the other way round on the wire."""
    held = np.dtype([("months", "<i4"), ("days", "<i4"), ("micros", "<i8")])
    buffer = context.heap.decode(words).buffers()[2]
    given = np.frombuffer(buffer, held, len(words)) if len(words) else np.empty(0, held)
    out = np.empty(len(words), np.dtype([("micros", ">i8"), ("days", ">i4"), ("months", ">i4")]))
    for name in held.names or ():
        out[name] = given[name]
    return out


def fixed(values: NDArray[np.generic]) -> pa.LargeBinaryArray:
    """A binary array of equally long values, whose bytes lie behind each other; zero-copy."""
    n = len(values)
    size = values.nbytes // n if n else 0
    offsets = np.arange(n + 1, dtype=np.int64) * size
    data = pa.py_buffer(np.ascontiguousarray(values).view(np.uint8))
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), n, [None, pa.py_buffer(offsets), data])


def sent_few(vector: Vector, type: SqlType, binary: bool, context: "Context") -> Sequence[bytes | None]:
    """A few rows in either format, value by value: 1 us each, where a column costs 20 whatever its length."""
    words = vector.words
    if vector.nulls is not None:
        if vector.nulls.all():
            return [None] * len(words)
        kept = iter(sent_few(Vector(words[~vector.nulls]), type, binary, context))
        return [None if null else next(kept) for null in vector.nulls.tolist()]
    raws = unpack(words, type, context)
    if binary:
        return [binary_forms.send(raw, type) for raw in _padded(raws, type)]
    if type.physical is Physical.BOOLEAN and type.nesting is None:
        return [b"t" if raw else b"f" for raw in raws]
    return [text_forms.format(raw, type).encode() for raw in _padded(raws, type)]


def sender(type: SqlType, binary: bool, context: "Context") -> Callable[[int], bytes]:
    """How one word of a column is sent, that is no NULL's: what is found once and used for many answers of one row."""
    if type.nesting is None:
        if type.plain in (types.TEXT, types.VARCHAR):
            return context.heap.get
        if type.plain in (types.SMALLINT, types.INTEGER, types.BIGINT) and not binary:
            return lambda word: b"%d" % (word - (word >> 63 << 64))

    def send(word: int) -> bytes:
        (sent,) = sent_few(Vector(np.array([word], np.uint64)), type, binary, context)
        assert sent is not None, "it is no NULL's"
        return sent

    return send


def _padded(raws: list[text_forms.RawValue], type: SqlType) -> list[text_forms.RawValue]:
    """char(n) is filled up with blanks as it is sent."""
    if type.plain == types.CHAR and type.modifier:
        return [raw.ljust(type.modifier[0]) for raw in raws]
    return raws
