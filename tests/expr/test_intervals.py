"""Interval arithmetic on columns is what the same arithmetic on single intervals is, row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection.heap import Heap
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.errors import DataError
from engine.expr.columns import pack, unpack
from engine.expr.evaluate import Context, evaluate
from engine.expr.functions import intervals
from engine.expr.overload import call
from engine.expr.scalar import Ref

FIELD = st.integers(-(2**31), 2**31 - 1) | st.integers(-100, 100)
MICROS = st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-(10**11), 10**11)
SPANS = st.builds(Interval, FIELD, FIELD, MICROS)
FACTORS = st.floats(width=64) | st.floats(-4, 4)
INTERVAL, DOUBLE = types.INTERVAL, types.DOUBLE


def answers(operator: str, columns: list[tuple[list, types.SqlType]]) -> list[Interval | str]:
    context = Context(Heap())
    vectors = [Vector(pack(values, kind, context)) for values, kind in columns]
    expression = call(operator, *(Ref(i, kind, False) for i, (_, kind) in enumerate(columns)))
    found = evaluate(expression, vectors, len(vectors[0].words), context)
    failed = np.zeros(len(found.words), np.uint64) if found.errors is None else found.errors
    out: list[Interval | str] = []
    for word, error in zip(found.words, failed.tolist(), strict=True):
        if error:
            out.append(context.heap.get(error).decode().split(" ")[0])
        else:
            out += unpack(np.array([word]), INTERVAL, context)
    return out


def expected(apply, *row) -> Interval | str:
    try:
        return apply(*row)
    except DataError as error:
        return error.sqlstate


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(SPANS, SPANS), min_size=1))
@pytest.mark.parametrize(("operator", "apply"), [("+", intervals.plus), ("-", intervals.minus)])
def test_sums(operator, apply, rows):
    columns = [([row[i] for row in rows], INTERVAL) for i in (0, 1)]
    assert answers(operator, columns) == [expected(apply, *row) for row in rows]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(SPANS, FACTORS), min_size=1))
def test_scaling(rows):
    columns = [([row[0] for row in rows], INTERVAL), ([row[1] for row in rows], DOUBLE)]
    assert answers("*", columns) == [expected(intervals.times, *row) for row in rows]


@settings(deadline=None, max_examples=100)
@given(st.lists(SPANS, min_size=1))
def test_justified_intervals_last_as_long(spans):
    for name in ("justify_hours", "justify_days", "justify_interval"):
        for span, found in zip(spans, answers(name, [(spans, INTERVAL)]), strict=True):
            if isinstance(found, Interval):
                assert length(found) == length(span)
                assert name == "justify_days" or abs(found.microseconds) < 86_400_000_000
                assert name == "justify_hours" or abs(found.days) < 30


def length(span: Interval) -> int:
    return (span.months * 30 + span.days) * 86_400_000_000 + span.microseconds
