"""NULLIF, GREATEST, LEAST, how many are NULL. CASE and COALESCE are nodes of their own: they evaluate lazily."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from engine import types
from engine.collection.vector import Vector
from engine.expr.columns import Codes
from engine.expr.functions.comparable import comparable, ordered_by_key
from engine.expr.functions.comparison import less, same
from engine.expr.registry import Function, Generic, OnNull
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context


def _nullif(parameters: tuple[SqlType, ...]) -> Function:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        a, b = vectors
        gone = same(a.words, b.words, parameters[0].physical)
        if a.nulls is not None:
            gone |= a.nulls
        if b.nulls is not None:
            gone &= ~b.nulls | (a.nulls if a.nulls is not None else False)
        return Vector(np.where(gone, np.uint64(0), a.words), gone)

    return Function("nullif", parameters, parameters[0], kernel, OnNull.OWN, gives_null=True)


def _extreme(name: str, greatest: bool) -> Callable[[tuple[SqlType, ...]], Function]:
    """The greatest or least of the arguments that are not NULL."""

    def instantiate(parameters: tuple[SqlType, ...]) -> Function:
        kind = parameters[0]
        physical = kind.physical

        def keys(words: Codes, context: "Context") -> Codes:
            return comparable(kind).kernel(context, (Vector(words),), kind).words if ordered_by_key(kind) else words

        def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
            n = len(vectors[0].words)
            best = vectors[0].words
            by = keys(best, context)
            absent = np.zeros(n, np.bool_) if vectors[0].nulls is None else vectors[0].nulls
            for vector in vectors[1:]:
                key = keys(vector.words, context)
                pair = (by, key) if greatest else (key, by)
                better = less(*pair, physical, context) | absent
                if vector.nulls is not None:
                    better &= ~vector.nulls
                best, by = np.where(better, vector.words, best), np.where(better, key, by)
                absent = absent & ~better
            return Vector(best, absent if np.count_nonzero(absent) else None)

        return Function(name, parameters, parameters[0], kernel, OnNull.OWN)

    return instantiate


def _counted(name: str, nulls: bool) -> Callable[[tuple[SqlType, ...]], Function]:
    """How many of the arguments are NULL, or are not."""

    def instantiate(parameters: tuple[SqlType, ...]) -> Function:
        def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
            absent = np.zeros(len(vectors[0].words), np.uint64)
            for vector in vectors:
                if vector.nulls is not None:
                    absent += vector.nulls
            return Vector(absent if nulls else np.uint64(len(vectors)) - absent)

        return Function(name, parameters, types.INTEGER, kernel, OnNull.OWN, never_null=True)

    return instantiate


SAME: Final = (types.ANYCOMPATIBLE,)

FUNCTIONS: Final[tuple[Generic, ...]] = (
    Generic("nullif", SAME * 2, _nullif, result="anycompatible", doc="NULL where x = y, else x"),
    Generic("greatest", SAME, _extreme("greatest", True), variadic=True, result="anycompatible",
            doc="the greatest argument that is not NULL"),
    Generic("least", SAME, _extreme("least", False), variadic=True, result="anycompatible",
            doc="the least argument that is not NULL"),
    Generic("num_nulls", (types.ANY,), _counted("num_nulls", True), variadic=True, result="integer",
            doc="how many arguments are NULL"),
    Generic("num_nonnulls", (types.ANY,), _counted("num_nonnulls", False), variadic=True, result="integer",
            doc="how many arguments are not NULL"),
)  # fmt: skip
