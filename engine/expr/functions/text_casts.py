# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.
"""The text form of every type on whole columns, both ways: what a client is sent, and what texts are read as.

Common forms go by Arrow or a kernel, the others one distinct value at a time (engine/expr/text_forms.py).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine import types
from engine.collection import numeric
from engine.collection.vector import Vector
from engine.expr import text_forms
from engine.expr.columns import FEW_ROWS, Codes, distinct, floats, map_rows, pack, texts, unpack
from engine.expr.registry import Kernel
from engine.expr.text_forms import INTEGER_RANGES
from engine.types import Category, Physical, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

FIRST_MICRO, LAST_MICRO = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Years 1 to 9999: what Arrow's text of a timestamp agrees with PostgreSQL's on."""

DATE_FORM: Final = r"^\d{4}-\d\d-\d\d"
COMMON: Final = {
    types.DATE: (DATE_FORM + "$", pa.date32(), FIRST_MICRO // 86_400_000_000),
    types.TIMESTAMP: (DATE_FORM + r" \d\d:\d\d:\d\d(\.\d{1,6})?$", pa.timestamp("us"), FIRST_MICRO),
}
"""The form of a text that Arrow reads as PostgreSQL does, the type it is read as, and the first value of year 1."""

UTC_SUFFIX: Final = (pa.scalar("+00", pa.large_string()), pa.scalar("", pa.large_string()))
"""The zone of every timestamptz, and what joins it."""


def to_text(vector: Vector, type: SqlType, context: "Context") -> pa.LargeStringArray:
    """The text form of every value, NULLs as nulls: what a client is sent. char(n) is padded here, and only here."""
    words = vector.words
    if vector.nulls is not None and np.count_nonzero(vector.nulls):
        rows = np.flatnonzero(~vector.nulls)
        found = to_text(Vector(words[rows]), type, context)
        position = np.zeros(len(words), np.int64)
        position[rows] = np.arange(len(rows))
        return found.take(pa.array(position, mask=vector.nulls))
    array = _texts(words, type, context)
    if type.plain == types.CHAR and type.modifier:
        return pc.utf8_rpad(array, type.modifier[0], " ")
    return array


def _texts(words: Codes, type: SqlType, context: "Context") -> pa.LargeStringArray:
    """Text forms of words none of which is a NULL's."""
    match type.physical:
        case Physical.BOOLEAN:
            return pc.if_else(pa.array(words != 0), pa.scalar("true", pa.large_string()), "false")
        case Physical.FLOAT:
            return _float_texts(words.view(np.float64), type, context)
        case Physical.DECIMAL:
            return numeric.to_text(words, context.heap)
        case Physical.JSON:
            return context.heap.decode_text(words)
        case Physical.BYTES if type.category in (Category.STRING, Category.UNKNOWN) or type in types.SPELLED:
            return context.heap.decode_text(words)
        case Physical.SIGNED if type.plain in INTEGER_RANGES:
            return pa.array(words.view(np.int64)).cast(pa.large_string())
        case Physical.UNSIGNED if type.plain not in (types.TID, types.PG_LSN):
            return pa.array(words).cast(pa.large_string())
        case Physical.SIGNED if type.plain in (types.TIMESTAMP, types.TIMESTAMPTZ) and len(words) > 8:
            micros = words.view(np.int64)
            if micros.min() >= FIRST_MICRO and micros.max() <= LAST_MICRO:
                dotted = pa.array(micros.view("datetime64[us]")).cast(pa.large_string())
                bare = pc.utf8_rtrim(pc.utf8_rtrim(dotted, "0"), ".")
                return pc.binary_join_element_wise(bare, *UTC_SUFFIX) if type.plain == types.TIMESTAMPTZ else bare
    (unique,), inverse = distinct([words])
    form = text_forms.format
    array = pa.array([form(value, type) for value in unpack(unique, type, context)], pa.large_string())
    return array if inverse is None else array.take(pa.array(inverse))


def _float_texts(values: NDArray[np.float64], type: SqlType, context: "Context") -> pa.LargeStringArray:
    """Arrow writes the same shortest digits; only exponents, infinities and NaN look otherwise in PostgreSQL."""
    single = type.plain == types.REAL
    form = text_forms.format_real if single else text_forms.format_double
    if len(values) < 8:
        return pa.array([form(value) for value in values.tolist()], pa.large_string())
    size = np.abs(values)
    plain = pa.array(values.astype(np.float32) if single else values).cast(pa.large_string())
    odd = ~((size >= 1e-4) & (size < (1e6 if single else 1e15))) & (size != 0)
    odd |= pc.match_substring(plain, "e").to_numpy(zero_copy_only=False)  # Arrow writes round numbers from 1e+10 so
    rows = np.flatnonzero(odd)
    if len(rows) == 0:
        return plain
    forms = pa.array([form(value) for value in values[rows].tolist()], pa.large_string())
    return pc.replace_with_mask(plain, pa.array(odd), forms)


def from_text(words: Codes, type: SqlType, context: "Context") -> Vector:
    """Texts read as a plain type; the error of a text is its row's."""
    (unique,), inverse = distinct([words])
    array = texts(unique, context)
    found = _fast_from_text(array, type, context)
    if found is None:
        found = map_rows(lambda text: text_forms.parse(text, type), [array.to_pylist()], type, context)
    return found if inverse is None else found.take(inverse)


def parsed(array: pa.LargeStringArray, type: SqlType, context: "Context") -> Vector:
    """The same of texts that are in no heap: they come into it only where they have to be read one by one."""
    found = _fast_from_text(array, type, context)
    return from_text(context.heap.intern_arrow(array), type, context) if found is None else found


def _fast_from_text(array: pa.LargeStringArray, type: SqlType, context: "Context") -> Vector | None:
    """By Arrow or a kernel when every text is of the common form; None: they have to be read one by one."""
    if type == types.NUMERIC:
        words, failed = numeric.from_text(array, context.heap)
        return Vector(words) if failed is None else None
    if type in (types.SMALLINT, types.INTEGER, types.BIGINT, types.DOUBLE) and len(array) > 8:
        try:
            read = array.cast({types.SMALLINT: pa.int16(), types.INTEGER: pa.int32(), types.BIGINT: pa.int64()}.get(
                type, pa.float64()))  # fmt: skip
        except pa.ArrowInvalid:
            return None
        if type != types.DOUBLE:
            return Vector(read.to_numpy().astype(np.int64).view(np.uint64))
        values = read.to_numpy().copy()
        return Vector(floats(values)) if np.isfinite(values).all() else None
    if type in COMMON and len(array) > 8:
        pattern, storage, first = COMMON[type]
        if not pc.all(pc.match_substring_regex(array, pattern)).as_py():
            return None
        try:
            days = pa.types.is_date(storage)
            read = array.cast(storage).cast(pa.int32() if days else pa.int64()).to_numpy().astype(np.int64)
        except pa.ArrowInvalid:
            return None
        return Vector(read.view(np.uint64)) if read.min() >= first else None
    return None


STRINGS: Final = (types.TEXT, types.VARCHAR, types.CHAR)


def as_text(source: SqlType) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        (unique,), inverse = distinct([vectors[0].words])
        if len(unique) < FEW_ROWS:
            form = text_forms.format
            words = pack([form(value, source) for value in unpack(unique, source, context)], types.TEXT, context)
        else:
            words = context.heap.intern_arrow(_texts(unique, source, context))
        return Vector(words if inverse is None else words[inverse])

    return kernel


def reading(target: SqlType) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        return from_text(vectors[0].words, target, context)

    return kernel


def named_from(source: SqlType) -> Kernel:
    """The text form, cut to a name."""
    first, then = as_text(source), reading(types.NAME)
    return lambda context, vectors, type: then(context, (first(context, vectors, types.TEXT),), type)


def itself(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    """The same words under another type."""
    return vectors[0]
