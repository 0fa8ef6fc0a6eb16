"""Arrays: what makes them, takes them apart, measures and searches them.

Elements may be of any type: each function is made for the types of a call (engine/expr/polymorphic.py).
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

from engine import types
from engine.collection.nested import Array
from engine.errors import ArraySubscript, InvalidArgument, NullNotAllowed
from engine.expr import arrays, text_forms
from engine.expr.columns import each, own
from engine.expr.functions.comparable import element_key
from engine.expr.functions.comparison import comparisons
from engine.expr.registry import Function, Generic
from engine.expr.text_forms import RawValue
from engine.types import Nesting, SqlType

Types = tuple[SqlType, ...]
ARRAY, ELEMENT, INTEGER, TEXT = types.ANYARRAY, types.ANYELEMENT, types.INTEGER, types.TEXT
TEXTS: Final = types.array_of(TEXT)
INTEGERS: Final = types.array_of(INTEGER)


def array_function(elements: Types) -> Function:
    """ARRAY[...]: of arrays, their rows."""
    kind = types.array_of(elements[0])
    if elements[0].nesting is Nesting.ARRAY:
        return own("array", elements, kind, lambda *items: arrays.rows(items), can_fail=True, never_null=True)
    return own("array", elements, kind, lambda *items: Array.of(items), never_null=True)


def subscript_function(array: SqlType, count: int) -> Function:
    """a[i][j]..."""
    parameters = (array, *(INTEGER,) * count)
    return each("subscript", parameters, array.within, arrays.element, gives_null=True)


def slice_function(array: SqlType, given: Sequence[tuple[bool, bool]]) -> Function:
    """a[l:u][l:u]..., with a parameter for each bound that is given."""
    parameters = (array, *(INTEGER for pair in given for is_given in pair if is_given))

    def apply(value: Array, *bounds: int) -> Array:
        rest = iter(bounds)
        pairs = [(next(rest) if low else None, next(rest) if high else None) for low, high in given]
        return arrays.sliced(value, pairs)

    shown = ",".join(f"{'l' if low else ''}:{'u' if high else ''}" for low, high in given)
    return each(f"slice[{shown}]", parameters, array, apply)


def items_of(value: RawValue) -> Sequence[RawValue]:
    """The elements of an array or a list."""
    return value.items if isinstance(value, Array) else value


def _dims(value: Array) -> str | None:
    return "".join(f"[1:{size}]" for size in value.dims) or None


def _size(value: Array, dimension: int) -> int | None:
    return value.dims[dimension - 1] if 1 <= dimension <= len(value.dims) else None


def _lower(value: Array, dimension: int) -> int | None:
    return 1 if 1 <= dimension <= len(value.dims) else None


def _to_string(element: SqlType) -> Callable[..., RawValue]:
    def apply(value: Array, separator: str, null: str | None = None) -> str | None:
        if value is None or separator is None:
            return None
        texts = [null if item is None else text_forms.format(item, element) for item in items_of(value)]
        return separator.join(text for text in texts if text is not None)

    return apply


def _string_to_array(text: str | None, separator: str | None, null: str | None = None) -> RawValue:
    if text is None:
        return None
    if not text:
        return arrays.EMPTY
    parts = list(text) if separator is None else text.split(separator) if separator else [text]
    return Array.of([None if part == null else part for part in parts])


def _extreme(pick: Callable[..., RawValue]) -> Callable[[Types], Callable[..., RawValue]]:
    def made(given: Types) -> Callable[[Array], RawValue]:
        key = element_key(given[0].within)
        return lambda array: pick((item for item in array.items if item is not None), key=key, default=None)

    return made


def _sorted(given: Types) -> Callable[..., RawValue]:
    key = element_key(given[0].within)

    def apply(array: Array, descending: bool = False, nulls_first: bool | None = None) -> Array:
        if len(array.dims) > 1:
            raise InvalidArgument("array_sort of an array of several dimensions")
        known = sorted((item for item in array.items if item is not None), key=key, reverse=descending)
        nulls = [None] * (len(array.items) - len(known))
        first = descending if nulls_first is None else nulls_first
        return Array.of([*nulls, *known] if first else [*known, *nulls])

    return apply


def _reversed(array: Array) -> Array:
    """The rows of the first dimension backwards."""
    size = len(array.items) // array.dims[0] if array.dims else 1
    rows = [array.items[at : at + size] for at in range(0, len(array.items), size)]
    return Array(array.dims, tuple(item for row in reversed(rows) for item in row))


def _without_repeats(given: Types) -> Callable[..., RawValue]:
    key = element_key(given[0].within)

    def apply(array: Array) -> Array:
        seen: dict[bytes | None, RawValue] = {}
        for item in array.items:
            seen.setdefault(key(item), item)
        return Array.of(list(seen.values()))

    return apply


SUMS: Final = {types.SMALLINT: types.BIGINT, types.INTEGER: types.BIGINT, types.BIGINT: types.NUMERIC}
"""The sum of elements has the type of the aggregate's."""


def _sum(element: SqlType) -> Function:
    result = SUMS.get(element, element)

    def apply(array: Array) -> RawValue:
        known = [item for item in array.items if item is not None]
        if not known:
            return None
        if result == types.NUMERIC:
            return text_forms.fit_numeric(sum((Decimal(item) for item in known), Decimal(0)))
        if element in (types.REAL, types.DOUBLE):
            total = math.fsum(known)
            return text_forms.to_real(total) if element == types.REAL else total
        return sum(known)

    doc = "the sum of the elements; NULL of none"
    return each("array_sum", (types.array_of(element),), result, apply, doc, can_fail=True, gives_null=True)


def _made(
    name: str,
    parameters: Types,
    result: SqlType,
    apply: Callable[[Types], Callable[..., RawValue]],
    doc: str,
    *,
    lenient: bool = False,
    fails: bool = False,
    gives_null: bool = False,
) -> Generic:
    """A polymorphic function; `apply` gets the parameters' types. A result ANYARRAY is the array among them."""

    def instantiate(given: Types) -> Function:
        kind = result
        if result == ARRAY:
            kind = next((p for p in given if p.nesting is Nesting.ARRAY), types.array_of(given[0]))
        elif result == ELEMENT:
            kind = given[0].within
        if lenient:
            return own(name, given, kind, apply(given), doc, can_fail=fails)
        return each(name, given, kind, apply(given), doc, can_fail=fails, gives_null=gives_null)

    return Generic(name, parameters, instantiate, result=result.name, doc=doc)


def _bucket(kind: SqlType) -> Callable[[RawValue, Array], int]:
    """How many of the sorted thresholds are not above the operand."""
    key = element_key(kind)

    def bucket(operand: RawValue, thresholds: Array) -> int:
        if len(thresholds.dims) > 1:
            raise ArraySubscript("thresholds must be one-dimensional array")
        if any(item is None for item in thresholds.items):
            raise NullNotAllowed("thresholds array must not contain NULLs")
        return bisect_right(thresholds.items, key(operand), key=key)

    return bucket


def _rows() -> Iterator[Function | Generic]:
    for kind in (INTEGER, types.BIGINT, types.NUMERIC, types.DOUBLE, types.TEXT, types.DATE, types.TIMESTAMP,
                 types.TIMESTAMPTZ):  # fmt: skip
        doc = "how many of the thresholds y, in ascending order, x has reached"
        yield each("width_bucket", (kind, types.array_of(kind)), INTEGER, _bucket(kind), doc, can_fail=True)
    yield _made("array_length", (ARRAY, INTEGER), INTEGER, lambda _: _size, "size of that dimension", gives_null=True)
    yield _made("array_upper", (ARRAY, INTEGER), INTEGER, lambda _: _size, "last subscript of that dimension",
                gives_null=True)  # fmt: skip
    yield _made("array_lower", (ARRAY, INTEGER), INTEGER, lambda _: _lower, "first subscript of that dimension: 1",
                gives_null=True)  # fmt: skip
    yield _made("array_ndims", (ARRAY,), INTEGER, lambda _: lambda a: len(a.dims) or None, "how many dimensions",
                gives_null=True)  # fmt: skip
    yield _made("array_dims", (ARRAY,), TEXT, lambda _: _dims, "the dimensions as text", gives_null=True)
    yield _made("cardinality", (ARRAY,), INTEGER, lambda _: lambda a: len(a.items), "how many elements in all")
    for name in ("array_append", "||"):
        doc = "x with y behind it"
        yield _made(name, (ARRAY, ELEMENT), ARRAY, lambda _: arrays.appended, doc, lenient=True, fails=True)
    for name in ("array_prepend", "||"):
        doc = "y with x before it"
        yield _made(name, (ELEMENT, ARRAY), ARRAY, lambda _: arrays.prepended, doc, lenient=True, fails=True)
    for name in ("array_cat", "||"):
        doc = "x, then y; of one dimension less it is a row"
        yield _made(name, (ARRAY, ARRAY), ARRAY, lambda _: arrays.joined, doc, lenient=True, fails=True)

    def by_element(apply: Callable[..., RawValue]) -> Callable[[Types], Callable[..., RawValue]]:
        """A function of two arrays, or of one and more, that compares elements by their key."""
        return lambda given: partial(apply, element_key(given[0].within))

    def strict_array(apply: Callable[..., RawValue]) -> Callable[[Types], Callable[..., RawValue]]:
        def made(given: Types) -> Callable[..., RawValue]:
            key = element_key(given[0].within)
            return lambda value, *rest: None if value is None else apply(key, value, *rest)

        return made

    doc = "without the elements that are y"
    yield _made("array_remove", (ARRAY, ELEMENT), ARRAY, strict_array(arrays.removed), doc, lenient=True, fails=True)
    doc = "z in the place of the elements that are y"
    yield _made("array_replace", (ARRAY, ELEMENT, ELEMENT), ARRAY, strict_array(arrays.replaced), doc, lenient=True)
    for more in ((), (INTEGER,)):
        yield _made("array_position", (ARRAY, ELEMENT, *more), INTEGER, strict_array(arrays.position),
                    "subscript of the first element that is y, from z on", lenient=True, fails=True)  # fmt: skip
    yield _made("array_positions", (ARRAY, ELEMENT), INTEGERS, strict_array(arrays.positions),
                "subscripts of the elements that are y", lenient=True, fails=True)  # fmt: skip
    yield _made("trim_array", (ARRAY, INTEGER), ARRAY, lambda _: arrays.trimmed, "without the last y", fails=True)
    for more in ((), (TEXT,)):
        doc = "the elements' texts joined by y; NULLs as z, or left out"
        for name in ("array_to_string", "array_join"):
            yield _made(name, (ARRAY, TEXT, *more), TEXT, lambda given: _to_string(given[0].within), doc, lenient=True)
    for more in ((), (INTEGERS,)):
        yield _made("array_fill", (ELEMENT, INTEGERS, *more), ARRAY,
                    lambda _: lambda item, sizes, *bounds: arrays.filled(item, _dimensions(sizes), *bounds),
                    "an array of sizes y, each element x", lenient=True, fails=True)  # fmt: skip
    for name in ("@>", "array_contains"):
        yield _made(name, (ARRAY, ARRAY), types.BOOLEAN, by_element(arrays.contains), "whether x has all elements of y")
    yield _made("<@", (ARRAY, ARRAY), types.BOOLEAN, by_element(lambda key, a, b: arrays.contains(key, b, a)),
                "whether y has all elements of x")  # fmt: skip
    for count in (2, 3):
        doc = "the parts between the delimiters; those that are z are NULL"
        yield own("string_to_array", (TEXT,) * count, TEXTS, _string_to_array, doc)
    for name in ("&&", "array_overlaps"):
        yield _made(name, (ARRAY, ARRAY), types.BOOLEAN, by_element(arrays.overlaps), "whether an element is in both")
    yield _made("array_min", (ARRAY,), ELEMENT, _extreme(min), "the least element", gives_null=True)
    yield _made("array_max", (ARRAY,), ELEMENT, _extreme(max), "the greatest element", gives_null=True)
    doc = "in order; y: downwards, z: NULLs first"
    for flags in ((), (types.BOOLEAN,), (types.BOOLEAN, types.BOOLEAN)):
        yield _made("array_sort", (ARRAY, *flags), ARRAY, _sorted, doc, fails=True)
    yield _made("array_reverse", (ARRAY,), ARRAY, lambda _: _reversed, "the rows of the first dimension backwards")
    yield _made("array_distinct", (ARRAY,), ARRAY, _without_repeats, "each element where it occurs first")
    for element in (*SUMS, types.REAL, types.DOUBLE, types.NUMERIC):
        yield _sum(element)
    yield from comparisons(ARRAY)


def _dimensions(sizes: Array | None) -> Array:
    if sizes is None:
        raise InvalidArgument("dimension array or low bound array cannot be null")
    return sizes


FUNCTIONS: Final[tuple[Function | Generic, ...]] = tuple(_rows())
