"""Casts: one function for each pair of the cast table. Texts, numbers, JSON and nested values have files of their own.

A cast is a Function named `cast` from one plain type to another; the modifier (numeric(10,2), varchar(3)) is in the
type of the Call and is applied after the conversion. Storing into a column is `assignment_cast`: it refuses a text that
is too long where the explicit cast cuts it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection import numeric
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.errors import OutOfRange
from engine.expr import text_forms
from engine.expr.calendar import DAY, TIMESTAMP_MAX
from engine.expr.columns import distinct, failing, map_rows, unpack
from engine.expr.functions import number_casts
from engine.expr.functions.json_casts import from_json, json_number
from engine.expr.functions.nested_casts import nested_cast
from engine.expr.functions.number_casts import per_value
from engine.expr.functions.text_casts import STRINGS, as_text, itself, named_from, reading
from engine.expr.registry import Function, Kernel
from engine.types import CastContext, Category, Physical, SqlType, cast_context

if TYPE_CHECKING:
    from engine.expr.evaluate import Context


@cache
def _nested(source: SqlType, target: SqlType, explicit: bool) -> Function | None:
    """As cast_function, where one of the two is nested."""
    found = nested_cast(source, target, cast_function)
    if found is None or target not in (types.VARCHAR, types.CHAR):
        return found
    kernel = _with_modifier(found.kernel, explicit)
    return Function("cast" if explicit else "assignment_cast", (source,), target, kernel, can_fail=not explicit)


def cast_function(source: SqlType, target: SqlType, context: CastContext) -> Function | None:
    """The function that turns a `source` into a `target`, modifiers aside; None: the two have no cast at all."""
    source, target = source.plain, target.plain
    source = types.TEXT if source == types.UNKNOWN else source
    if source.nesting is not None or target.nesting is not None:
        return _nested(source, target, context is CastContext.EXPLICIT)
    table = ASSIGNMENTS if context < CastContext.EXPLICIT and target in (types.VARCHAR, types.CHAR) else FUNCTIONS
    return table.get((source, target))


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


def _with_modifier(convert: Kernel, explicit: bool) -> Kernel:
    """The conversion, and then what the modifier says."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        return _apply_modifier(convert(context, vectors, type.plain), type, context, explicit)

    return kernel


def _alive(vector: Vector) -> NDArray[np.bool_]:
    alive = np.ones(len(vector.words), np.bool_)
    if vector.nulls is not None:
        alive &= ~vector.nulls
    if vector.errors is not None:
        alive &= vector.errors == 0
    return alive


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


def _letter(code: int) -> str:
    """The ASCII letter of that number; of 0 none."""
    if not 0 <= code < 128:
        raise OutOfRange('"char" out of range')
    return chr(code) if code else ""


def _conversion(source: SqlType, target: SqlType) -> tuple[Kernel, bool, bool]:
    """(kernel, whether it can fail, whether it may run on the words of NULL rows) of one pair of plain types."""
    found = number_casts.conversion(source, target)
    if found is not None:
        return found
    match source, target:
        case types.INTEGER, types.INTERNAL_CHAR:
            return per_value(source, target, _letter), True, False
        case types.INTERNAL_CHAR, types.INTEGER:
            return per_value(source, target, lambda letter: ord(letter or "\0")), False, False
        case ((types.INTERNAL_CHAR | types.NAME), (types.INTERNAL_CHAR | types.NAME)) if source != target:
            return reading(target), False, False
        case types.INTEGER, types.BOOLEAN:
            return _truth, False, True
        case types.BOOLEAN, types.INTEGER:
            return itself, False, True
        case types.DATE, (types.TIMESTAMP | types.TIMESTAMPTZ):
            return _days_to_micros, True, True
        case ((types.TIMESTAMP | types.TIMESTAMPTZ), types.DATE):
            return _micros_to_days, False, True
        case ((types.TIMESTAMP | types.TIMESTAMPTZ), types.TIME):
            return _micros_to_time, False, True
        case ((types.TIMESTAMP | types.TIMESTAMPTZ), (types.TIMESTAMP | types.TIMESTAMPTZ)):
            return itself, False, True
        case types.TIME, types.INTERVAL:
            return per_value(source, target, lambda micros: Interval(0, 0, micros)), False, False
        case types.INTERVAL, types.TIME:
            return per_value(source, target, lambda interval: interval.microseconds % DAY), False, False
        case types.XID8, types.XID:
            return per_value(source, target, lambda number: number & 0xFFFF_FFFF), False, False
        case types.JSONB, types.BOOLEAN:
            return per_value(source, target, from_json(target)), True, False
        case types.JSONB, _ if target.category is Category.NUMERIC:
            return json_number(target), True, False
        case _ if source == target or (source in STRINGS and target in STRINGS):
            return itself, False, True
        case ((types.INTERNAL_CHAR | types.NAME), _) if target in STRINGS:
            return itself, False, True
        case types.JSONB, _:
            return itself, False, True  # canonical text is the very datum
        case _ if target in STRINGS:
            return as_text(source), False, False
        case _, types.NAME if source.category is not Category.STRING:
            return named_from(source), False, False
        case _:
            assert source.category is Category.STRING
            return reading(target), True, False


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

    cuts = target == types.NUMERIC or (target in STRINGS and not explicit)
    return Function(
        "cast" if explicit else "assignment_cast",
        (source,),
        target,
        _with_modifier(convert, explicit) if has_modifier else convert,
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
