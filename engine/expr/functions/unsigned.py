"""uint2, uint4, uint8: arithmetic that never wraps, and bits. Words are the numbers themselves, from 0 on."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.vector import Vector
from engine.expr.columns import Codes, each, failing
from engine.expr.functions import checksums
from engine.expr.functions.arithmetic import ZERO_DIVISION
from engine.expr.registry import Function, Kernel
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Apply = Callable[[Codes, Codes], tuple[Codes, NDArray[np.bool_]]]
"""(a, b) -> (results, where they left 64 bits or fell below 0)."""


def _highest(kind: SqlType) -> int:
    return (1 << 8 * kind.length) - 1


def _checked(apply: Apply, divides: bool) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        a, b = vectors[0].words, vectors[1].words
        errors = None
        if divides and not b.all():
            zero = b == 0
            errors = failing(np.zeros(len(a), np.uint64), zero, context, "22012", ZERO_DIVISION).errors
            b = np.where(zero, np.uint64(1), b)
        words, bad = apply(a, b)
        bad = bad | (words > np.uint64(_highest(type)))
        return failing(words, bad, context, "22003", f"{type.name} out of range", errors)

    return kernel


def _add(a: Codes, b: Codes) -> tuple[Codes, NDArray[np.bool_]]:
    total = a + b
    return total, total < a


def _subtract(a: Codes, b: Codes) -> tuple[Codes, NDArray[np.bool_]]:
    return a - b, b > a


def _multiply(a: Codes, b: Codes) -> tuple[Codes, NDArray[np.bool_]]:
    product = a * b
    return product, product // np.where(a == 0, np.uint64(1), a) != np.where(a == 0, product, b)


def _divide(a: Codes, b: Codes) -> tuple[Codes, NDArray[np.bool_]]:
    return a // b, np.zeros(len(a), np.bool_)


def _modulo(a: Codes, b: Codes) -> tuple[Codes, NDArray[np.bool_]]:
    return a % b, np.zeros(len(a), np.bool_)


def _bits(apply: Callable[[Codes, Codes], Codes]) -> Kernel:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        return Vector(apply(vectors[0].words, vectors[1].words) & np.uint64(_highest(type)))

    return kernel


def _shift(left: bool) -> Kernel:
    """The count modulo the width; what leaves it is dropped."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        count = vectors[1].words & np.uint64(8 * type.length - 1)
        words = vectors[0].words << count if left else vectors[0].words >> count
        return Vector(words & np.uint64(_highest(type)))

    return kernel


def _invert(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(~vectors[0].words & np.uint64(_highest(type)))


OPERATORS: Final[tuple[tuple[str, Apply, bool, str], ...]] = (
    ("+", _add, False, "sum"),
    ("-", _subtract, False, "difference"),
    ("*", _multiply, False, "product"),
    ("/", _divide, True, "quotient, truncated"),
    ("%", _modulo, True, "remainder"),
    ("mod", _modulo, True, "remainder"),
)


def _rows() -> Iterator[Function]:
    for left in types.UNSIGNED:
        for right in types.UNSIGNED:
            wider = left if left.length >= right.length else right
            for name, apply, divides, doc in OPERATORS:
                kernel = _checked(apply, divides)
                yield Function(name, (left, right), wider, kernel, can_fail=True, on_words=True, doc=doc)
        pair = (left, left)
        for name, bits, doc in (
            ("&", np.bitwise_and, "bitwise and"), ("|", np.bitwise_or, "bitwise or"),
            ("#", np.bitwise_xor, "bitwise exclusive or"),
        ):  # fmt: skip
            yield Function(name, pair, left, _bits(bits), on_words=True, doc=doc)
        for name, is_left in (("<<", True), (">>", False)):
            doc = f"shift {'left' if is_left else 'right'}"
            yield Function(name, (left, types.INTEGER), left, _shift(is_left), on_words=True, doc=doc)
        yield Function("~", (left,), left, _invert, on_words=True, doc="bitwise not")
    for kind in (types.TEXT, types.BYTEA):
        yield each("seahash", (kind,), types.UINT8, _seahash, "SeaHash of the bytes")


def _seahash(data: str | bytes) -> int:
    return checksums.seahash(data.encode() if isinstance(data, str) else data)


FUNCTIONS: Final = tuple(_rows())
