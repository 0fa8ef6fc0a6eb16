"""Between words and the values that a family of functions works on: Arrow arrays, or Python values.

Law: a function whose cost is more than a few nanoseconds a row sees each distinct argument once. `distinct` finds them,
the function runs on them, the result is gathered. Inside, values are raw: a date is its days, a timestamp its
microseconds, a uuid its 16 bytes, jsonb its canonical text.
"""

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine import types
from engine.collection import nested, numeric
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.collection.wanted import ask
from engine.errors import DataError
from engine.expr.registry import Function, OnNull
from engine.expr.text_forms import RawValue
from engine.types import Physical, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Codes: TypeAlias = NDArray[np.uint64]
Rows: TypeAlias = NDArray[np.int64]

SAMPLE_ROWS: Final = 1024
"""How many rows decide whether a column is worth deduplicating: hashing distinct words costs 0.3 us each."""

FEW_ROWS: Final = 16
"""Up to here Python is faster than setting out for Arrow."""

INTERVAL_BYTES: Final = struct.Struct("<iiq")


def distinct(columns: Sequence[Codes]) -> tuple[list[Codes], Rows | None]:
    """The distinct rows of the columns and, for each row, which of them it is; None: the rows as they are."""
    n = len(columns[0])
    if n < 8:
        return list(columns), None
    inverse: Rows | None = None
    seen = 1
    for words in columns:
        if words[0] == words[-1] and bool((words == words[0]).all()):
            continue
        if n > 4 * SAMPLE_ROWS and len(np.unique(words[:SAMPLE_ROWS])) > 0.9 * SAMPLE_ROWS:
            return list(columns), None
        encoded = pa.array(words).dictionary_encode()
        index = encoded.indices.to_numpy().astype(np.int64)
        size = len(encoded.dictionary)
        if inverse is None:
            inverse, seen = index, size
        else:
            encoded = pa.array(inverse * size + index).dictionary_encode()
            inverse, seen = encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)
        if seen > n // 2:
            return list(columns), None
    if inverse is None:
        return [words[:1] for words in columns], np.zeros(n, np.int64)
    first = np.empty(seen, np.int64)
    first[inverse[::-1]] = np.arange(n - 1, -1, -1)
    return [words[first] for words in columns], inverse


def unpack(words: Codes, type: SqlType, context: "Context") -> list[RawValue]:
    """The raw values of words, none of which is a NULL's."""
    if type.nesting is not None:
        return [nested.decode(datum, type) for datum in _data(words, context)]
    match type.physical:
        case Physical.UNSIGNED:
            return words.tolist()
        case Physical.BOOLEAN:
            return (words != 0).tolist()
        case Physical.SIGNED:
            return words.view(np.int64).tolist()
        case Physical.FLOAT:
            return words.view(np.float64).tolist()
        case Physical.DECIMAL:
            return [numeric.unpack_decimal(word, context.heap) for word in words.tolist()]
        case Physical.INTERVAL:
            return [Interval(*INTERVAL_BYTES.unpack(datum)) for datum in _data(words, context)]
        case Physical.JSON:
            return [datum.decode() for datum in _data(words, context)]
        case Physical.BYTES:
            if type.category in (types.Category.STRING, types.Category.UNKNOWN) or type in types.SPELLED:
                return [datum.decode() for datum in _data(words, context)]
            return _data(words, context)


def _data(codes: Codes, context: "Context") -> list[bytes]:
    """The bytes of each code: one by one for a few rows (0.5 us each), through Arrow for many (20 us, then 0.1)."""
    if len(codes) < FEW_ROWS:
        get = context.heap.get
        return [get(code) for code in codes.tolist()]
    return context.heap.decode(codes).to_pylist()


def _codes(data: list[bytes], context: "Context") -> Codes:
    if len(data) < FEW_ROWS:
        intern = context.heap.intern
        return np.array([intern(datum) for datum in data], np.uint64)
    return context.heap.intern_many(data)


def pack(values: Sequence[RawValue], type: SqlType, context: "Context") -> Codes:
    """The words of raw values; None gives word 0."""
    if type.nesting is not None:
        write = nested.encode
        return _codes([b"" if value is None else write(value, type) for value in values], context)
    match type.physical:
        case Physical.UNSIGNED:
            return np.array([value or 0 for value in values], np.uint64)
        case Physical.BOOLEAN | Physical.SIGNED:
            return np.array([value or 0 for value in values], np.int64).view(np.uint64)
        case Physical.FLOAT:
            return floats(np.array([0.0 if value is None else value for value in values], np.float64))
        case Physical.DECIMAL:
            found = [0 if value is None else numeric.pack_decimal(value, context.heap) for value in values]
            return np.array(found, np.uint64)
        case Physical.INTERVAL:
            data = [b"" if v is None else INTERVAL_BYTES.pack(v.months, v.days, v.microseconds) for v in values]
            return _codes(data, context)
        case Physical.BYTES | Physical.JSON:
            data = [b"" if value is None else value.encode() if isinstance(value, str) else value for value in values]
            return _codes(data, context)


def floats(values: NDArray[np.float64]) -> Codes:
    """Words of doubles: there is one NaN. The array is the caller's to lose."""
    nan = np.isnan(values)
    if np.count_nonzero(nan):
        values[nan] = np.nan
    return values.view(np.uint64)


def texts(words: Codes, context: "Context") -> pa.LargeStringArray:
    """The strings of words of a string type."""
    return context.heap.decode_text(words)


def failing(
    words: Codes, bad: NDArray[np.bool_], context: "Context", sqlstate: str, message: str, before: Codes | None = None
) -> Vector:
    """`words`, failed with one message where `bad`; `before` are errors found already. `words` is the caller's."""
    if not np.count_nonzero(bad):
        return Vector(words, None, before)
    code = np.uint64(context.error(sqlstate, message))
    errors = np.where(bad, code, np.uint64(0)) if before is None else np.where((before == 0) & bad, code, before)
    words[bad] = 0
    return Vector(words, None, errors)


ROWS_UNASKED: Final = 256
"""Some milliseconds of the slowest functions."""


def map_rows(
    apply: Callable[..., RawValue], given: Sequence[Sequence[RawValue]], result: SqlType, context: "Context"
) -> Vector:
    """apply(*row) for each row: None is NULL, a DataError raised is the row's error."""
    values: list[RawValue] = []
    failed: dict[int, int] = {}
    absent = False
    for row in zip(*given, strict=True):
        if not len(values) % ROWS_UNASKED:
            ask()
        try:
            value = apply(*row)
        except DataError as error:
            failed[len(values)] = context.error(error.sqlstate, error.message)
            values.append(None)
            continue
        absent = absent or value is None
        values.append(value)
    words = pack(values, result, context)
    nulls = np.array([value is None for value in values], np.bool_) if absent else None
    if not failed:
        return Vector(words, nulls)
    errors = np.zeros(len(values), np.uint64)
    for row, code in failed.items():
        errors[row] = code
        if nulls is not None:
            nulls[row] = False
    return Vector(words, nulls, errors)


def each(
    name: str,
    parameters: tuple[SqlType, ...],
    result: SqlType,
    apply: Callable[..., RawValue],
    doc: str = "",
    *,
    can_fail: bool = False,
    gives_null: bool = False,
) -> Function:
    """A strict function from a Python function over raw values, run once for each distinct row of arguments."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        columns, inverse = distinct([vector.words for vector in vectors])
        given = [unpack(words, parameter, context) for words, parameter in zip(columns, parameters, strict=True)]
        out = map_rows(apply, given, result, context)
        return out if inverse is None else out.take(inverse)

    return Function(name, parameters, result, kernel, OnNull.STRICT, can_fail=can_fail, gives_null=gives_null, doc=doc)


def own(
    name: str,
    parameters: tuple[SqlType, ...],
    result: SqlType,
    apply: Callable[..., RawValue],
    doc: str = "",
    *,
    can_fail: bool = False,
    never_null: bool = False,
) -> Function:
    """As `each`, of a function that takes NULL (None) as an argument like any other."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        given = [raws(vector, parameter, context) for vector, parameter in zip(vectors, parameters, strict=True)]
        return map_rows(apply, given, type, context)

    return Function(
        name, parameters, result, kernel, OnNull.OWN, can_fail=can_fail, gives_null=not never_null,
        never_null=never_null, doc=doc,
    )  # fmt: skip


def raws(vector: Vector, type: SqlType, context: "Context") -> list[RawValue]:
    """The raw values of a column, None where it is NULL or failed."""
    if vector.nulls is None and vector.errors is None:
        return unpack(vector.words, type, context)
    alive = np.ones(len(vector.words), np.bool_)
    if vector.nulls is not None:
        alive &= ~vector.nulls
    if vector.errors is not None:
        alive &= vector.errors == 0
    values: list[RawValue] = [None] * len(alive)
    rows = np.flatnonzero(alive)
    for row, value in zip(rows.tolist(), unpack(vector.words[rows], type, context), strict=True):
        values[row] = value
    return values


def arrow(
    name: str,
    parameters: tuple[SqlType, ...],
    result: SqlType,
    apply: Callable[..., pa.Array],
    doc: str = "",
) -> Function:
    """A strict, infallible function of strings, bytes, integers and booleans from one over Arrow arrays."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        columns, inverse = distinct([vector.words for vector in vectors])
        given = [array_of(words, parameter, context) for words, parameter in zip(columns, parameters, strict=True)]
        words = words_of(apply(*given), result, context)
        return Vector(words if inverse is None else words[inverse])

    return Function(name, parameters, result, kernel, doc=doc)


def array_of(words: Codes, type: SqlType, context: "Context") -> pa.Array:
    """Words of a string, bytes, integer or boolean type as Arrow."""
    match type.physical:
        case Physical.BOOLEAN:
            return pa.array(words != 0)
        case Physical.SIGNED:
            return pa.array(words.view(np.int64))
        case _:
            is_text = type.category in (types.Category.STRING, types.Category.UNKNOWN) or type == types.JSONB
            return context.heap.decode_text(words) if is_text else context.heap.decode(words)


def words_of(array: pa.Array, type: SqlType, context: "Context") -> Codes:
    """The inverse of array_of; there are no nulls in it."""
    match type.physical:
        case Physical.BOOLEAN:
            return array.to_numpy(zero_copy_only=False).astype(np.uint64)
        case Physical.SIGNED:
            return array.cast(pa.int64()).to_numpy().astype(np.int64).view(np.uint64)  # Arrow's own is read-only
        case _:
            return context.heap.intern_arrow(array)
