"""Comparisons. Equal values have equal words, so = and <> compare words whatever the type; order depends on the layout.
Only a double has two words that are equal, its zeros.

NaN equals itself and is above every number. Text compares bytewise (the C collation).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.vector import Vector
from engine.expr.columns import Codes
from engine.expr.registry import Function, Generic, Kernel, OnNull
from engine.kernels import compare
from engine.types import Physical, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Mask = NDArray[np.bool_]


def less(a: Codes, b: Codes, physical: Physical, context: "Context") -> Mask:
    """a < b for words of one layout. O(n), on heap data O(common bytes)."""
    match physical:
        case Physical.UNSIGNED | Physical.BOOLEAN:
            return a < b
        case Physical.SIGNED:
            return a.view(np.int64) < b.view(np.int64)
        case Physical.FLOAT:
            x, y = a.view(np.float64), b.view(np.float64)
            below = x < y
            nan = y != y
            if np.count_nonzero(nan):
                below |= nan & (x == x)
            return below
        case Physical.DECIMAL | Physical.BYTES | Physical.INTERVAL | Physical.JSON:
            a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
            return compare.compare_all(int(physical), a, b, *context.heap.view()) < 0


def same(a: Codes, b: Codes, physical: Physical) -> Mask:
    """a = b for words of one layout. O(n)."""
    found = a == b
    return found | ((a | b) << np.uint64(1) == 0) if physical is Physical.FLOAT else found


def _equal(physical: Physical, negated: bool) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        found = same(vectors[0].words, vectors[1].words, physical)
        return Vector((~found if negated else found).astype(np.uint64))

    return kernel


def _ordered(physical: Physical, swapped: bool, negated: bool) -> Kernel:
    """<, > (swapped), >= (negated) or <= (both)."""
    first, second = (1, 0) if swapped else (0, 1)

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        below = less(vectors[first].words, vectors[second].words, physical, context)
        return Vector((~below if negated else below).astype(np.uint64))

    return kernel


def _distinct(physical: Physical, negated: bool) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        a, b = vectors
        differs = ~same(a.words, b.words, physical)  # of a NULL the word is 0, so the masks decide where one is NULL
        if a.nulls is not None or b.nulls is not None:
            nothing = np.zeros(len(a.words), np.bool_)
            differs = differs | ((nothing if a.nulls is None else a.nulls) != (nothing if b.nulls is None else b.nulls))
        return Vector((~differs if negated else differs).astype(np.uint64))

    return kernel


def _is_null(negated: bool) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        nulls = vectors[0].nulls
        if nulls is None:
            nulls = np.zeros(len(vectors[0].words), np.bool_)
        return Vector((~nulls if negated else nulls).astype(np.uint64))

    return kernel


def _is_truth(wanted: bool, negated: bool) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        found = vectors[0].words == (1 if wanted else 0)
        if vectors[0].nulls is not None and not wanted:
            found &= ~vectors[0].nulls
        return Vector((~found if negated else found).astype(np.uint64))

    return kernel


def _not(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(vectors[0].words ^ np.uint64(1))


COMPARED: Final = (
    types.BOOLEAN, types.SMALLINT, types.INTEGER, types.BIGINT, *types.UNSIGNED, types.MZ_TIMESTAMP,
    types.OID, types.REAL, types.DOUBLE, types.NUMERIC,
    types.TEXT, types.CHAR, types.INTERNAL_CHAR, types.NAME, types.BYTEA, types.DATE, types.TIME, types.TIMESTAMP,
    types.TIMESTAMPTZ, types.INTERVAL, types.UUID, types.JSONB, *types.RANGES,
    types.TID, types.XID8, types.PG_LSN,
)  # fmt: skip
EQUATED: Final = (types.XID, types.CID, *types.SPELLED)
"""What is equal or not, and has no order."""
INTEGERS: Final = (types.SMALLINT, types.INTEGER, types.BIGINT, types.UINT2, types.UINT4)
FLOATS: Final = (types.REAL, types.DOUBLE)

ORDERS: Final = (
    ("<", False, False, "less than"),
    (">", True, False, "greater than"),
    ("<=", True, True, "less than or equal"),
    (">=", False, True, "greater than or equal"),
)

TESTS: Final[tuple[tuple[str, Kernel, str], ...]] = (
    ("is_true", _is_truth(True, False), "x IS TRUE"),
    ("is_not_true", _is_truth(True, True), "x IS NOT TRUE"),
    ("is_false", _is_truth(False, False), "x IS FALSE"),
    ("is_not_false", _is_truth(False, True), "x IS NOT FALSE"),
    ("is_unknown", _is_null(False), "x IS UNKNOWN"),
    ("is_not_unknown", _is_null(True), "x IS NOT UNKNOWN"),
)


def _pairs() -> Iterator[tuple[SqlType, SqlType]]:
    """What compares with what without a cast: words of the same layout and unit."""
    for kind in (*COMPARED, *EQUATED):
        yield kind, kind
    for family in (INTEGERS, FLOATS):
        for left in family:
            yield from ((left, right) for right in family if right != left)


def _rows() -> Iterator[Function]:
    for left, right in _pairs():
        pair = (left, right)
        yield Function("=", pair, types.BOOLEAN, _equal(left.physical, False), on_words=True, doc="equal")
        yield Function("<>", pair, types.BOOLEAN, _equal(left.physical, True), on_words=True, doc="not equal")
        for name, swapped, negated, doc in () if left in EQUATED else ORDERS:
            kernel = _ordered(left.physical, swapped, negated)
            yield Function(name, pair, types.BOOLEAN, kernel, on_words=True, doc=doc)
            if left == right and left in (types.TEXT, types.CHAR):
                yield Function(f"~{name}~", pair, types.BOOLEAN, kernel, on_words=True, doc=f"{doc}, byte by byte")
        for name, negated, doc in (
            ("is_distinct_from", False, "x IS DISTINCT FROM y: not equal, NULL being equal to NULL"),
            ("is_not_distinct_from", True, "x IS NOT DISTINCT FROM y: equal, NULL being equal to NULL"),
        ):
            kernel = _distinct(left.physical, negated)
            yield Function(name, pair, types.BOOLEAN, kernel, OnNull.OWN, never_null=True, doc=doc)
    for name, kernel, doc in TESTS:
        yield Function(name, (types.BOOLEAN,), types.BOOLEAN, kernel, OnNull.OWN, never_null=True, doc=doc)
    yield Function("not", (types.BOOLEAN,), types.BOOLEAN, _not, on_words=True, doc="NOT x")


def comparisons(whole: SqlType) -> Iterator[Generic]:
    """The comparisons of arrays, lists, maps or records (a polymorphic type), which are ordered as bytes."""

    def made(name: str, kernel: Kernel, doc: str, on_null: OnNull = OnNull.STRICT, never_null: bool = False) -> Generic:
        def instantiate(parameters: tuple[SqlType, ...]) -> Function:
            strict = on_null is OnNull.STRICT
            return Function(
                name, parameters, types.BOOLEAN, kernel, on_null, never_null=never_null, on_words=strict, doc=doc
            )

        return Generic(name, (whole, whole), instantiate, result="boolean", doc=doc)

    yield made("=", _equal(Physical.BYTES, False), "equal")
    yield made("<>", _equal(Physical.BYTES, True), "not equal")
    for name, swapped, negated, doc in ORDERS:
        yield made(name, _ordered(Physical.BYTES, swapped, negated), doc + ", element by element")
    for name, negated in (("is_distinct_from", False), ("is_not_distinct_from", True)):
        yield made(name, _distinct(Physical.BYTES, negated), "NULL being equal to NULL", OnNull.OWN, True)


def _null_test(name: str, negated: bool) -> Callable[[tuple[SqlType, ...]], Function]:
    kernel = _is_null(negated)

    def instantiate(parameters: tuple[SqlType, ...]) -> Function:
        return Function(name, parameters, types.BOOLEAN, kernel, OnNull.OWN, never_null=True)

    return instantiate


FUNCTIONS: Final[tuple[Function | Generic, ...]] = (
    *_rows(),
    Generic("is_null", (types.ANY,), _null_test("is_null", False), result="boolean", doc="x IS NULL"),
    Generic("is_not_null", (types.ANY,), _null_test("is_not_null", True), result="boolean", doc="x IS NOT NULL"),
)
