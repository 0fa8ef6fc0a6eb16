"""Casts of containers element by element and of records field by field, through text to and from strings."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from engine import types
from engine.collection.nested import Array
from engine.collection.vector import Vector
from engine.expr.columns import distinct, pack, raws, unpack
from engine.expr.functions.text_casts import STRINGS, as_text, from_text, itself, named_from
from engine.expr.registry import Function
from engine.expr.text_forms import RawValue
from engine.types import CastContext, Category, Nesting, SqlType, cast_context

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Find: TypeAlias = Callable[[SqlType, SqlType, CastContext], Function | None]
"""The function of a cast between the types within."""


def nested_cast(source: SqlType, target: SqlType, find: Find) -> Function | None:
    """The function that turns a `source` into a `target`, one of which is nested; None: they have no cast."""
    if cast_context(source, target) is None:
        return None
    if not _within_reach(source, target, find):
        arrays = source.nesting is target.nesting is Nesting.ARRAY
        named = find(source.within, target.within, CastContext.EXPLICIT) if arrays else None
        return None if named is None else replace(named, parameters=(source,), result=target)
    if target == types.NAME:
        return Function("cast", (source,), target, named_from(source))
    if target in STRINGS:
        return Function("cast", (source,), target, as_text(source))
    if source.category is Category.STRING:
        return Function("cast", (source,), target, _parsed_whole, can_fail=True)

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        if source == type:
            return itself(context, vectors, type)
        (unique,), inverse = distinct([vectors[0].words])
        given = unpack(unique, source, context)
        parts: list[list[RawValue]] = [[] for _ in given]
        errors = np.zeros(len(given), np.uint64)
        for place, (before, after) in enumerate(_within(source, type)):
            flat = [(row, item) for row, raw in enumerate(given) for item in _items(raw, source, place)]
            cast = _of_items([item for _, item in flat], before, after, context, find)
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


def _within_reach(source: SqlType, target: SqlType, find: Find) -> bool:
    """Whether what is within can be cast without the catalog: names of OIDs cannot; of an array it has the answer."""
    if Category.STRING in (target.category, source.category):
        return True
    pairs = [(before, after) for before, after in _within(source, target) if before != after]
    found = [find(before, after, CastContext.EXPLICIT) for before, after in pairs]
    return all(function is not None and not function.volatile for function in found)


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


def _of_items(items: list[RawValue], before: SqlType, after: SqlType, context: "Context", find: Find) -> Vector:
    """The values, each cast; None is NULL."""
    nulls = np.array([item is None for item in items], np.bool_)
    vector = Vector(pack(items, before, context), nulls if nulls.any() else None)
    function = find(before, after, CastContext.EXPLICIT)
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
