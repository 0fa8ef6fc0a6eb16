"""The order of words against Python's order of what they stand for."""

import struct
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection import json, numeric
from engine.collection.heap import Heap
from engine.collection.nested import Array, decode, encode
from engine.collection.words import float_word
from engine.kernels import compare as kernels
from engine.types import Physical


def orders_as(physical: Physical, words: list[int], keys: list, heap: Heap) -> None:
    """Every pair compares as the keys do, ties only for equal words, and prefixes never contradict."""
    n = len(words)
    a = np.repeat(np.array(words, np.uint64), n)
    b = np.tile(np.array(words, np.uint64), n)
    got = kernels.compare_all(physical, a, b, *heap.view()).reshape(n, n)
    prefix = kernels.order_prefix(physical, np.array(words, np.uint64), *heap.view())
    for i in range(n):
        for j in range(n):
            assert got[i, j] == (keys[i] > keys[j]) - (keys[i] < keys[j])
            assert (got[i, j] == 0) == (words[i] == words[j])
            if keys[i] < keys[j]:
                assert prefix[i] <= prefix[j]
                if physical <= Physical.FLOAT:
                    assert prefix[i] < prefix[j]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=8))
def test_integers(values):
    orders_as(Physical.SIGNED, [value & (2**64 - 1) for value in values], values, Heap())


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(), min_size=2, max_size=8))
def test_floats_with_nan_last(values):
    keys = [(value != value, 0 if value != value else value) for value in values]
    orders_as(Physical.FLOAT, [float_word(value) for value in values], keys, Heap())


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"a", b"a\0", b"abcdefgh", b"abcdefgh\0"]), min_size=2))
def test_bytes(values):
    values = values[:8]
    heap = Heap()
    orders_as(Physical.BYTES, heap.intern_many(values).tolist(), values, heap)


decimals = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=18),
    st.integers(-(10**38), 10**38).map(Decimal),
    st.tuples(st.integers(-999, 999), st.integers(0, 38)).map(lambda pair: Decimal(pair[0]).scaleb(-pair[1])),
    st.sampled_from(["NaN", "0.1", "0.10000000000000000001", "0.3333333333333333", "1e17", "144115188075855872"]).map(
        Decimal
    ),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(decimals, min_size=2, max_size=8))
def test_numerics_packed_and_on_the_heap(values):
    heap = Heap()
    values = [numeric.limited(value) for value in values]
    keys = [(value.is_nan(), Decimal(0) if value.is_nan() else value) for value in values]
    orders_as(Physical.DECIMAL, [numeric.pack_decimal(value, heap) for value in values], keys, heap)


int32 = st.integers(-(2**31), 2**31 - 1) | st.integers(-31, 31)
int64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 86_400_000_000, -86_400_000_000])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(int32, int32, int64), min_size=2, max_size=8))
def test_intervals_by_length_then_field_by_field(values):
    heap = Heap()
    words = heap.intern_many([struct.pack("<iiq", *value) for value in values]).tolist()
    keys = [((value[0] * 30 + value[1]) * 86_400_000_000 + value[2], *value) for value in values]
    orders_as(Physical.INTERVAL, words, keys, heap)


names = st.sampled_from(
    ["", "a", "b", "ab", "é", "aa", "\n", '"', "\\", "\x01", "\x7f", "ab\nc", "abcdefgh", "abcdefgi"]
)
numbers = st.integers(-(10**20), 10**20) | st.sampled_from(
    ["0", "0.5", "-0.5", "0.05", "1.5", "15", "1e3", "1e-30", "-1e-30", "1e400", "12345678901234.5", "-0.0", "1.0"]
).map(Decimal)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, names),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=9,
)


class Document:
    """A JSON document in PostgreSQL's order, written down a second time."""

    def __init__(self, value) -> None:
        self.key = () if value == [] else (1, rank_of(value))

    def __lt__(self, other: "Document") -> bool:
        return self.key < other.key

    def __gt__(self, other: "Document") -> bool:
        return self.key > other.key


def rank_of(value) -> tuple:
    match value:
        case None:
            return (0,)
        case str():
            return (1, value.encode())
        case bool():
            return (3, value)
        case int() | Decimal():
            return (2, value)
        case list():
            return (4, len(value), [rank_of(item) for item in value])
        case _:
            pairs = sorted(((key.encode(), item) for key, item in value.items()), key=lambda p: (len(p[0]), p[0]))
            return (5, len(pairs), [part for key, item in pairs for part in (key, rank_of(item))])


@settings(deadline=None, max_examples=200)
@given(st.lists(documents, min_size=2, max_size=8))
def test_documents_as_postgresql_orders_them(values):
    heap = Heap()
    words = heap.intern_many([json.dump(value) for value in values]).tolist()
    orders_as(Physical.JSON, words, [Document(value) for value in values], heap)
    arrays = types.array_of(types.JSONB)
    texts = [json.dump(value).decode() for value in values]
    encoded = [encode(Array.of([text]), arrays) for text in texts]
    assert [decode(data, arrays).items for data in encoded] == [(text,) for text in texts]
    orders_as(Physical.BYTES, heap.intern_many(encoded).tolist(), [Document(value) for value in values], heap)
