"""Table functions: rows of each call in order, none for NULL, errors by call."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import types
from engine.collection.value import Interval, Value
from engine.collection.words import decode_column
from engine.expr.overload import resolve_table_function
from engine.types import SqlType
from tests.expr.evaluating import Bench

INT, BIGINT, TEXT, JSONB, TIMESTAMP = types.INTEGER, types.BIGINT, types.TEXT, types.JSONB, types.TIMESTAMP


def expand(name: str, kinds: Sequence[SqlType], calls: Sequence[tuple[Value, ...]]):
    """(rows by call, errors by call)"""
    bench = Bench()
    function, parameters = resolve_table_function(name, kinds)
    assert parameters == tuple(kinds)
    columns = [bench.column([row[i] for row in calls], kind) for i, kind in enumerate(kinds)]
    found = function.kernel(bench.context, columns)
    assert (np.diff(found.origin) >= 0).all()
    decoded = [
        decode_column(vector, column.type, bench.context.heap)
        for vector, column in zip(found.columns, function.columns, strict=True)
    ]
    rows: list[list[Value]] = [[] for _ in calls]
    for origin, *row in zip(found.origin.tolist(), *decoded, strict=True):
        rows[origin].append(row[0] if len(row) == 1 else tuple(row))
    codes = np.zeros(len(calls), np.uint64) if found.errors is None else found.errors
    return rows, [bench.context.heap.get(code).decode() for code in codes.tolist()]


numbers = st.one_of(st.none(), st.integers(-10, 10))


@given(st.lists(st.tuples(numbers, numbers, numbers), max_size=8))
def test_series_of_integers(calls):
    rows, errors = expand("generate_series", (INT, INT, INT), calls)
    for call, listed, error in zip(calls, rows, errors, strict=True):
        start, stop, step = call
        if None in call:
            assert (listed, error) == ([], "")
        elif step == 0:
            assert (listed, error) == ([], "22023 step size cannot equal zero")
        else:
            assert listed == list(range(start, stop + (1 if step > 0 else -1), step))


def test_series_at_the_edge_of_bigint():
    high = (1 << 63) - 1
    assert expand("generate_series", (BIGINT, BIGINT, BIGINT), [(high - 1, high, 5), (-high, high, high)])[0] == [
        [high - 1],
        [-high, 0, high],
    ]
    assert expand("generate_series", (BIGINT, BIGINT), [(high, high), (3, 1)])[0] == [[high], []]


def test_series_of_timestamps():
    kinds = (TIMESTAMP, TIMESTAMP, types.INTERVAL)
    rows, errors = expand(
        "generate_series",
        kinds,
        [
            (datetime(2024, 1, 31), datetime(2024, 4, 30), Interval(months=1)),
            (datetime(2024, 1, 1), datetime(2024, 1, 2), Interval(microseconds=12 * 3_600_000_000)),
            (datetime(2024, 1, 3), datetime(2024, 1, 1), Interval(days=-1)),
            (datetime(2024, 1, 3), datetime(2024, 1, 1), Interval(days=1)),
            (datetime(2024, 1, 3), datetime(2024, 1, 1), Interval()),
        ],
    )
    # PostgreSQL adds the step to the value before, so a month's last day sticks.
    assert rows[0] == [datetime(2024, 1, 31), datetime(2024, 2, 29), datetime(2024, 3, 29), datetime(2024, 4, 29)]
    assert rows[1] == [datetime(2024, 1, 1), datetime(2024, 1, 1, 12), datetime(2024, 1, 2)]
    assert rows[2] == [datetime(2024, 1, 3), datetime(2024, 1, 2), datetime(2024, 1, 1)]
    assert rows[3:] == [[], []]
    assert errors == ["", "", "", "", "22023 step size cannot equal zero"]


@pytest.mark.parametrize(
    ("name", "document", "rows", "error"),
    [
        ("jsonb_array_elements", '[1,"a",null,[2]]', ["1", '"a"', "null", "[2]"], ""),
        ("jsonb_array_elements", "[]", [], ""),
        ("jsonb_array_elements", None, [], ""),
        ("jsonb_array_elements", '{"a":1}', [], "22023 cannot extract elements from an object"),
        ("jsonb_array_elements", "1", [], "22023 cannot extract elements from a scalar"),
        ("jsonb_array_elements_text", '[1,"a",null]', ["1", "a", None], ""),
        ("jsonb_each", '{"a":1,"b":null}', [("a", "1"), ("b", "null")], ""),
        ("jsonb_each_text", '{"a":"x","b":null}', [("a", "x"), ("b", None)], ""),
        ("jsonb_each", "[1]", [], "22023 cannot call jsonb_each on a non-object"),
        ("jsonb_object_keys", '{"a":1,"b":2}', ["a", "b"], ""),
        ("jsonb_object_keys", "[1]", [], "22023 cannot call jsonb_object_keys on an array"),
    ],
)
def test_documents(name, document, rows, error):
    other = '{"z":9}' if "each" in name or "keys" in name else "[9]"
    found, errors = expand(name, (JSONB,), [(document,), (other,)])
    assert found[0] == rows
    assert errors[0] == error
    assert len(found[1]) == 1
    assert errors[1] == ""


def test_texts():
    assert expand("regexp_split_to_table", (TEXT, TEXT), [("a1b22c", r"\d+"), ("", ","), (None, ",")])[0] == [
        ["a", "b", "c"], [""], []
    ]  # fmt: skip
    assert expand("string_to_table", (TEXT, TEXT), [("a,b", ","), ("", ",")])[0] == [["a", "b"], []]


def test_no_calls():
    assert expand("generate_series", (INT, INT), []) == ([], [])
    assert expand("jsonb_each", (JSONB,), []) == ([], [])
