# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.
"""Casts: one function for each pair of the cast table, and the text form of every type written once (`to_text`).

A cast is a Function named `cast` from one plain type to another; the modifier (numeric(10,2), varchar(3)) is in the
type of the Call and is applied after the conversion. Storing into a column is `assignment_cast`: it refuses a text that
is too long where the explicit cast cuts it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine import types
from engine.collection import json, numeric
from engine.collection.nested import Array
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.errors import InvalidArgument
from engine.expr import text_forms
from engine.expr.calendar import DAY, TIMESTAMP_MAX
from engine.expr.columns import FEW_ROWS, Codes, distinct, failing, floats, map_rows, pack, raws, texts, unpack
from engine.expr.functions import number_casts
from engine.expr.functions.number_casts import number_as, per_value
from engine.expr.registry import Function, Kernel
from engine.expr.text_forms import INTEGER_RANGES, RawValue
from engine.types import CastContext, Category, Nesting, Physical, SqlType, cast_context

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

FLOAT32_MAX: Final = float(np.finfo(np.float32).max)
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
        case Physical.BYTES if type.category in (Category.STRING, Category.UNKNOWN):
            return context.heap.decode_text(words)
        case Physical.SIGNED if type.plain in INTEGER_RANGES:
            return pa.array(words.view(np.int64)).cast(pa.large_string())
        case Physical.UNSIGNED:
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


def cast_function(source: SqlType, target: SqlType, context: CastContext) -> Function | None:
    """The function that turns a `source` into a `target`, modifiers aside; None: the two have no cast at all."""
    source, target = source.plain, target.plain
    source = types.TEXT if source == types.UNKNOWN else source
    if source.nesting is not None or target.nesting is not None:
        return _nested_cast(source, target)
    table = ASSIGNMENTS if context < CastContext.EXPLICIT and target in (types.VARCHAR, types.CHAR) else FUNCTIONS
    return table.get((source, target))


@cache
def _nested_cast(source: SqlType, target: SqlType) -> Function | None:
    """Containers element by element, records field by field, through text to and from strings."""
    if cast_context(source, target) is None:
        return None
    if source == target:
        return Function("cast", (source,), target, _same, on_words=True)
    if target in STRINGS:
        return Function("cast", (source,), target, _as_text(source))
    if source in STRINGS:
        return Function("cast", (source,), target, _parsed_whole, can_fail=True)

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        (unique,), inverse = distinct([vectors[0].words])
        given = unpack(unique, source, context)
        parts: list[list[RawValue]] = [[] for _ in given]
        errors = np.zeros(len(given), np.uint64)
        for place, (before, after) in enumerate(_within(source, type)):
            flat = [(row, item) for row, raw in enumerate(given) for item in _items(raw, source, place)]
            cast = _of_items([item for _, item in flat], before, after, context)
            values = iter(raws(cast, after, context))
            for i, (row, _) in enumerate(flat):
                parts[row].append(next(values))
                if cast.errors is not None and errors[row] == 0:
                    errors[row] = cast.errors[i]
        rebuilt = [_rebuilt(raw, source, type, items) for raw, items in zip(given, parts, strict=True)]
        words = pack(rebuilt, type, context)
        words[errors != 0] = 0
        out = Vector(words, None, errors if errors.any() else None)
        return out if inverse is None else out.take(inverse)

    return Function("cast", (source,), target, kernel, can_fail=True)


def _parsed_whole(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return from_text(vectors[0].words, type, context)


def _within(source: SqlType, target: SqlType) -> list[tuple[SqlType, SqlType]]:
    """The types within that are cast to each other: of each field, or of the elements."""
    if source.nesting is Nesting.RECORD:
        return [(a, b) for (_, a), (_, b) in zip(source.fields, target.fields, strict=True)]
    return [(source.within, target.within)]


def _items(raw: RawValue, type: SqlType, place: int) -> Sequence[RawValue]:
    match type.nesting:
        case Nesting.ARRAY:
            return raw.items
        case Nesting.MAP:
            return list(raw.values())
        case Nesting.RECORD:
            return [raw[place]]
        case _:
            return raw


def _rebuilt(raw: RawValue, source: SqlType, target: SqlType, items: list[RawValue]) -> RawValue:
    match source.nesting, target.nesting:
        case Nesting.ARRAY, Nesting.ARRAY:
            return Array(raw.dims, tuple(items))
        case _, Nesting.ARRAY:
            return Array.of(items)
        case _, Nesting.MAP:
            return dict(zip(raw, items, strict=True))
        case _, Nesting.RECORD:
            return tuple(items)
        case _:
            return items


def _of_items(items: list[RawValue], before: SqlType, after: SqlType, context: "Context") -> Vector:
    """The values, each cast; None is NULL."""
    nulls = np.array([item is None for item in items], np.bool_)
    vector = Vector(pack(items, before, context), nulls if nulls.any() else None)
    function = cast_function(before, after, CastContext.EXPLICIT)
    assert function is not None
    if before == after or not items:
        return vector
    rows = np.flatnonzero(~nulls)
    done = function.kernel(context, (Vector(vector.words[rows]),), after)
    words = np.zeros(len(items), np.uint64)
    words[rows] = done.words
    errors = None
    if done.errors is not None:
        errors = np.zeros(len(items), np.uint64)
        errors[rows] = done.errors
    if done.nulls is not None:
        nulls[rows] = done.nulls
    return Vector(words, nulls if nulls.any() else None, errors)


def _apply_modifier(vector: Vector, type: SqlType, context: "Context", explicit: bool) -> Vector:
    """numeric(p, s), varchar(n), timestamp(p)... after the conversion to the plain type."""
    if not type.modifier and type.plain != types.CHAR:
        return vector
    if vector.errors is not None or vector.nulls is not None:
        rows = np.flatnonzero(_alive(vector))
        part = _apply_modifier(Vector(vector.words[rows]), type, context, explicit)
        words = vector.words.copy()
        words[rows] = part.words
        errors = vector.errors
        if part.errors is not None:
            errors = np.zeros(len(words), np.uint64) if errors is None else errors.copy()
            errors[rows] = part.errors
        return Vector(words, vector.nulls, errors)
    if type.physical is Physical.DECIMAL:
        precision, scale = (*type.modifier, 0)[:2]
        words, failed = numeric.rescale(vector.words, precision, scale, context.heap)
        return Vector(words) if failed is None else failing(words, failed, context, "22003", numeric.OVERFLOW)
    (unique,), inverse = distinct([vector.words])
    found = map_rows(
        lambda raw: text_forms.fit(raw, type, explicit), [unpack(unique, type, context)], type.plain, context
    )
    return found if inverse is None else found.take(inverse)


def _alive(vector: Vector) -> NDArray[np.bool_]:
    alive = np.ones(len(vector.words), np.bool_)
    if vector.nulls is not None:
        alive &= ~vector.nulls
    if vector.errors is not None:
        alive &= vector.errors == 0
    return alive


def _same(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return vectors[0]


def _truth(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector((vectors[0].words != 0).astype(np.uint64))


def _days_to_micros(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    days = vectors[0].words.view(np.int64)
    bad = days > TIMESTAMP_MAX // DAY
    words = (np.where(bad, 0, days) * DAY).view(np.uint64)
    return failing(words, bad, context, "22008", "date out of range for timestamp")


def _micros_to_days(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector((vectors[0].words.view(np.int64) // DAY).view(np.uint64))


def _micros_to_time(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector((vectors[0].words.view(np.int64) % DAY).view(np.uint64))


JSON_KINDS: Final = {
    bool: "boolean",
    int: "numeric",
    Decimal: "numeric",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


def _from_json(target: SqlType) -> Callable[[str], RawValue]:
    """A JSON number or boolean as a `target`; anything else is an error that names what it is."""

    def one(text: str) -> RawValue:
        value = json.parse(text.encode())
        if isinstance(value, bool):
            if target == types.BOOLEAN:
                return value
        elif isinstance(value, Decimal | int) and target != types.BOOLEAN:
            return number_as(Decimal(value), target)
        raise InvalidArgument(f"cannot cast jsonb {JSON_KINDS[type(value)]} to type {target.name}")

    return one


def _json_number(target: SqlType) -> Kernel:
    """A canonical JSON number is a decimal's text; documents that are none go one by one, for their errors."""
    by_value = per_value(types.JSONB, target, _from_json(target))
    if target == types.NUMERIC:
        onward = _same
    else:
        conversion = number_casts.conversion(types.NUMERIC, target)
        assert conversion is not None
        onward = conversion[0]

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        words, failed = numeric.from_text(context.heap.decode_text(vectors[0].words), context.heap)
        if failed is not None:
            return by_value(context, vectors, type)
        return onward(context, (Vector(words),), type)

    return kernel


STRINGS: Final = (types.TEXT, types.VARCHAR, types.CHAR)


def _as_text(source: SqlType) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        (unique,), inverse = distinct([vectors[0].words])
        if len(unique) < FEW_ROWS:
            form = text_forms.format
            words = pack([form(value, source) for value in unpack(unique, source, context)], types.TEXT, context)
        else:
            words = context.heap.intern_arrow(_texts(unique, source, context))
        return Vector(words if inverse is None else words[inverse])

    return kernel


def _parsed(target: SqlType) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        return from_text(vectors[0].words, target, context)

    return kernel


def _named_from(source: SqlType) -> Kernel:
    """The text form, cut to a name."""
    first, then = _as_text(source), _parsed(types.NAME)
    return lambda context, vectors, type: then(context, (first(context, vectors, types.TEXT),), type)


def _conversion(source: SqlType, target: SqlType) -> tuple[Kernel, bool, bool]:
    """(kernel, whether it can fail, whether it may run on the words of NULL rows) of one pair of plain types."""
    found = number_casts.conversion(source, target)
    if found is not None:
        return found
    match source, target:
        case types.INTEGER, types.BOOLEAN:
            return _truth, False, True
        case types.BOOLEAN, types.INTEGER:
            return _same, False, True
        case types.DATE, (types.TIMESTAMP | types.TIMESTAMPTZ):
            return _days_to_micros, True, True
        case ((types.TIMESTAMP | types.TIMESTAMPTZ), types.DATE):
            return _micros_to_days, False, True
        case ((types.TIMESTAMP | types.TIMESTAMPTZ), types.TIME):
            return _micros_to_time, False, True
        case ((types.TIMESTAMP | types.TIMESTAMPTZ), (types.TIMESTAMP | types.TIMESTAMPTZ)):
            return _same, False, True
        case types.TIME, types.INTERVAL:
            return per_value(source, target, lambda micros: Interval(0, 0, micros)), False, False
        case types.INTERVAL, types.TIME:
            return per_value(source, target, lambda interval: interval.microseconds % DAY), False, False
        case types.JSONB, types.BOOLEAN:
            return per_value(source, target, _from_json(target)), True, False
        case types.JSONB, _ if target.category is Category.NUMERIC:
            return _json_number(target), True, False
        case _ if source == target or (source in STRINGS and target in STRINGS):
            return _same, False, True
        case ((types.INTERNAL_CHAR | types.NAME), _) if target in STRINGS:
            return _same, False, True
        case types.JSONB, _:
            return _same, False, True  # canonical text is the very datum
        case _ if target in STRINGS:
            return _as_text(source), False, False
        case _, types.NAME if source.category is not Category.STRING:
            return _named_from(source), False, False
        case _:
            assert source.category is Category.STRING
            return _parsed(target), True, False


def _named(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    raise AssertionError("the casts between OIDs and names are the catalog's: see engine/catalog/system/functions.py")


def _function(source: SqlType, target: SqlType, explicit: bool) -> Function:
    if (source in types.REGISTERED) + (target in types.REGISTERED) == 1 and Category.STRING in (
        source.category,
        target.category,
    ):
        return Function("cast", (source,), target, _named, can_fail=True, volatile=True)
    convert, fails, on_words = _conversion(source, target)
    has_modifier = target in (
        types.NUMERIC, types.VARCHAR, types.CHAR, types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ, types.INTERVAL
    )  # fmt: skip

    def modified(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        return _apply_modifier(convert(context, vectors, type.plain), type, context, explicit)

    cuts = target == types.NUMERIC or (target in STRINGS and not explicit)
    return Function(
        "cast" if explicit else "assignment_cast",
        (source,),
        target,
        modified if has_modifier else convert,
        can_fail=fails or cuts,
        on_words=on_words and not has_modifier,
    )


def _pairs() -> Iterator[tuple[SqlType, SqlType]]:
    for source in types.TYPES:
        for target in types.TYPES:
            if types.UNKNOWN not in (source, target) and cast_context(source, target) is not None:
                yield source, target


FUNCTIONS: Final[Mapping[tuple[SqlType, SqlType], Function]] = {
    (source, target): _function(source, target, True) for source, target in _pairs()
}
ASSIGNMENTS: Final[Mapping[tuple[SqlType, SqlType], Function]] = {
    (source, target): _function(source, target, False)
    for source, target in _pairs()
    if target in (types.VARCHAR, types.CHAR)
}
