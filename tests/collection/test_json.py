"""Canonical jsonb: equal documents have equal text, and no number loses a digit."""

import json
from decimal import Decimal

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.collection.heap import Heap
from engine.collection.json import canonical, dump, intern_json, parse

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=100)
@given(documents, st.booleans(), st.sampled_from([None, 2]))
def test_the_way_it_was_written_does_not_matter(document, ascii, indent):
    text = json.dumps(document, ensure_ascii=ascii, indent=indent).encode()
    once = canonical(text)
    assert parse(once) == parse(text) == document
    assert canonical(once) == once == dump(document)
    assert b"\n" not in once.replace(b"\\n", b"")


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(texts, st.integers(-9, 9), max_size=6))
def test_both_ways_of_canonicalising_agree(document):
    assert canonical(orjson.dumps(document)) == dump(document)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("1.0", "1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        ("0.10", "0.1"),
        ("12345678901234567890.12345678901234567890", "12345678901234567890.1234567890123456789"),
        ("100000000000000000000000000000000000000001", "100000000000000000000000000000000000000001"),
        ('{"b":1,"a":2,"b":3}', '{"a":2,"b":3}'),
        ('{"a!":1,"a":2}', '{"a":2,"a!":1}'),
        (' [ 1 , "\\u00e9\\n" ] ', '[1,"é\\n"]'),
    ],
)
def test_spellings(text, want):
    assert canonical(text.encode()).decode() == want


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "NaN",
        "Infinity",
        "01",
        "1.",
        "'a'",
        '"\\ud800"',
        "1e999999999",
        "nul",
        '[1.5,"\\ud800"]',
        "[" * 100_000,
    ],
)
def test_malformed(text):
    with pytest.raises(ValueError, match=r"."):
        canonical(text.encode())


def test_columns_see_each_text_once_and_tell_the_bad_rows():
    heap = Heap()
    words, bad = intern_json(pa.array(["1.0", None, "{", "1", "{"]), heap)
    assert bad is not None
    assert bad.tolist() == [False, False, True, False, True]
    assert words[0] == words[3]
    assert words[1] == 0
    assert heap.get(int(words[0])) == b"1"
    assert intern_json(pa.array([], pa.string()), heap)[1] is None
    assert parse(b"[1.50]") == [Decimal("1.5")]
