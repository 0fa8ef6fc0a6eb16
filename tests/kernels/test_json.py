"""Members of canonical JSON by scanning, against a parser."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine import types
from engine.collection import json as canonical
from engine.expr.overload import call
from engine.expr.scalar import Literal, Ref
from tests.expr.evaluating import Bench

keys = st.sampled_from(["a", "b", "ab", 'q"', "é", "\\", "", "\n"])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-99, 99), keys, st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


def text_of(document) -> str:
    return canonical.canonical(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")).decode()


@given(st.lists(values, min_size=1, max_size=6), keys)
def test_member(documents, key):
    bench = Bench()
    column = ([text_of(document) for document in documents], types.JSONB)
    data = Ref(0, types.JSONB)
    members = [d.get(key, ...) if isinstance(d, dict) else ... for d in documents]
    found = bench.results(call("->", data, Literal(key, types.TEXT)), [column])
    assert found == [None if m is ... else text_of(m) for m in members]
    found = bench.results(call("->>", data, Literal(key, types.TEXT)), [column])
    assert found == [None if m is ... or m is None else m if isinstance(m, str) else text_of(m) for m in members]


@given(st.lists(st.tuples(values, keys), min_size=1, max_size=6))
def test_a_name_for_each_row(pairs):
    bench = Bench()
    columns = [([text_of(d) for d, _ in pairs], types.JSONB), ([key for _, key in pairs], types.TEXT)]
    found = bench.results(call("->", Ref(0, types.JSONB), Ref(1, types.TEXT)), columns)
    assert found == [text_of(d[k]) if isinstance(d, dict) and k in d else None for d, k in pairs]


def test_no_rows():
    bench = Bench()
    vector = bench.column([], types.JSONB)
    assert vector.words.dtype == np.uint64
    assert bench.results(call("->", Ref(0, types.JSONB), Literal("a", types.TEXT)), [([], types.JSONB)]) == []
