"""Values of nested types: their bytes decode to what they were made of, and are ordered as the values are."""

from decimal import Decimal
from functools import cmp_to_key
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection.heap import Heap
from engine.collection.nested import Array, Raw, decode, encode
from engine.collection.value import Interval, Range
from engine.collection.words import decode_column, raw_of, value_of, vector_of
from engine.expr import text_forms
from engine.expr.ranges import EMPTY, made
from engine.types import Nesting, SqlType

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
LETTERS = st.text(st.sampled_from('\x00\x01a"\\ {},\xe9=>NULnul()'), max_size=5)
SCALARS: dict[SqlType, st.SearchStrategy[Raw]] = {
    types.BOOLEAN: st.booleans(),
    types.BIGINT: INT64,
    types.DOUBLE: st.floats(allow_nan=False).map(lambda x: x + 0.0),
    types.NUMERIC: st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=3),
    types.TEXT: LETTERS,
    types.BYTEA: st.binary(max_size=4),
    types.UUID: st.binary(min_size=16, max_size=16),
    types.INTERVAL: st.builds(Interval, st.integers(-9, 9), st.integers(-40, 40), INT32),
}


BOUNDS: dict[SqlType, st.SearchStrategy[Raw]] = {
    types.INTEGER: st.integers(-3, 3),
    types.NUMERIC: st.decimals(-2, 2, places=1),
    types.TIMESTAMP: st.integers(-(10**15), 10**15),
}


def arrays(element: st.SearchStrategy[Raw]) -> st.SearchStrategy[Array]:
    def shaped(dims: tuple[int, ...]) -> st.SearchStrategy[Array]:
        size = 1
        for part in dims:
            size *= part
        return st.lists(element, min_size=size, max_size=size).map(lambda items: Array(dims, tuple(items)))

    shapes = st.sampled_from([(1,), (2,), (3,), (1, 2), (2, 1), (2, 2)])
    return st.just(Array((), ())) | shapes.flatmap(shaped)


def ranges(kind: SqlType) -> st.SearchStrategy[Range]:
    def ordered(pair: tuple[Raw, Raw], lower_inc: bool, upper_inc: bool) -> Range:
        a, b = pair
        a, b = (b, a) if a is not None and b is not None and b < a else (a, b)
        return made(a, b, lower_inc, upper_inc, kind)

    bound = st.none() | BOUNDS[kind]
    return st.just(EMPTY) | st.builds(ordered, st.tuples(bound, bound), st.booleans(), st.booleans())


@st.composite
def typed(draw: st.DrawFn, count: int) -> tuple[SqlType, list[Raw]]:
    """A nested type and some values of it."""
    kind = draw(st.sampled_from(list(SCALARS)))
    element = st.none() | SCALARS[kind]
    if draw(st.booleans()):
        kind, element = types.list_of(kind), st.none() | st.lists(element, max_size=3)
    match draw(st.sampled_from(list(Nesting))):
        case Nesting.ARRAY:
            whole, values = types.array_of(kind), arrays(element)
        case Nesting.LIST:
            whole, values = types.list_of(kind), st.lists(element, max_size=3)
        case Nesting.MAP:
            whole = types.map_of(kind)
            values = st.dictionaries(LETTERS, element, max_size=3).map(
                lambda pairs: {key: pairs[key] for key in sorted(pairs, key=str.encode)}
            )
        case Nesting.RECORD:
            whole = types.record_of((("a", kind), ("b", types.TEXT)))
            values = st.tuples(element, st.none() | LETTERS)
        case Nesting.RANGE:
            whole = draw(st.sampled_from([each for each in types.RANGES if each.within in BOUNDS]))
            values = ranges(whole.within)
    return whole, draw(st.lists(values, min_size=count, max_size=count))


def compared(a: Raw, b: Raw, kind: SqlType) -> int:
    """PostgreSQL's order, written down a second time: -1, 0 or 1."""
    if a is None or b is None:
        return (a is None) - (b is None)
    match kind.nesting:
        case Nesting.ARRAY:
            first = sequences(a.items, b.items, kind.within)
            return first or sign((len(a.dims), a.dims), (len(b.dims), b.dims))
        case Nesting.LIST:
            return sequences(a, b, kind.within)
        case Nesting.MAP:
            for (key, value), (other, beside) in zip(a.items(), b.items(), strict=False):
                order = sign(key.encode(), other.encode()) or compared(value, beside, kind.within)
                if order:
                    return order
            return sign(len(a), len(b))
        case Nesting.RECORD:
            return next((o for x, y, (_, t) in zip(a, b, kind.fields, strict=True) if (o := compared(x, y, t))), 0)
        case Nesting.RANGE if a.empty or b.empty:
            return sign(not a.empty, not b.empty)
        case Nesting.RANGE:
            lower = sign(place(a.lower, -1, not a.lower_inc), place(b.lower, -1, not b.lower_inc))
            return lower or sign(place(a.upper, 1, a.upper_inc), place(b.upper, 1, b.upper_inc))
        case None if kind == types.TEXT:
            return sign(a.encode(), b.encode())
        case None if kind == types.INTERVAL:
            return sign(length(a), length(b))
        case None:
            return sign(a, b)


def place(bound: Raw, unbounded: int, later: bool) -> tuple[int, Raw, bool]:
    return (unbounded, 0, False) if bound is None else (0, bound, later)


def sequences(a: Raw, b: Raw, element: SqlType) -> int:
    return next((o for x, y in zip(a, b, strict=False) if (o := compared(x, y, element))), 0) or sign(len(a), len(b))


def length(interval: Interval) -> tuple[int, int, int]:
    days = interval.months * 30 + interval.days
    return days * 86_400_000_000 + interval.microseconds, interval.months, interval.days


def sign(a: Raw, b: Raw) -> int:
    return (a > b) - (a < b)


@settings(max_examples=100, deadline=None)
@given(typed(1))
def test_bytes_decode_to_the_value(case: tuple[SqlType, list[Raw]]):
    kind, (raw,) = case
    assert decode(encode(raw, kind), kind) == raw
    if kind.nesting is not Nesting.ARRAY or kind.within.nesting is None or len(raw.dims) == 1:
        assert raw_of(value_of(raw, kind), kind) == raw  # as Python values, lists in rows look like a further dimension


@settings(max_examples=100, deadline=None)
@given(typed(4))
def test_bytes_are_ordered_as_the_values_are(case: tuple[SqlType, list[Raw]]):
    kind, raws = case
    by_value = sorted(raws, key=cmp_to_key(lambda a, b: compared(a, b, kind)))
    for a, b in pairwise(by_value):
        assert sign(encode(a, kind), encode(b, kind)) == compared(a, b, kind)


@settings(max_examples=100, deadline=None)
@given(typed(1))
def test_texts_read_back(case: tuple[SqlType, list[Raw]]):
    kind, (raw,) = case
    text = text_forms.format(raw, kind)
    assert encode(text_forms.parse(text, kind), kind) == encode(raw, kind)


@pytest.mark.parametrize("value", [[], [1, None], [[1, 2], [3, 4]]])
def test_python_values_of_arrays_are_lists(value: list[Raw]):
    heap, kind = Heap(), types.array_of(types.INTEGER)
    assert decode_column(vector_of([value, None], kind, heap), kind, heap) == [value, None]


def test_equal_numbers_have_equal_bytes():
    kind = types.list_of(types.NUMERIC)
    assert encode([Decimal("1.50"), Decimal("1E+2")], kind) == encode([Decimal("1.5"), Decimal("100")], kind)
