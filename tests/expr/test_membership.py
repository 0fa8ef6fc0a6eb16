"""An IN list is searched, and is what the comparisons one by one are."""

import numpy as np
import pytest

from engine import types
from engine.collection.heap import Heap
from engine.collection.value import Value
from engine.collection.words import vector_of
from engine.expr.evaluate import Context, evaluate
from engine.expr.membership import LISTED_MIN, listed
from engine.expr.overload import call
from engine.expr.scalar import Literal, Logic, Ref, Scalar
from engine.types import SqlType

VALUES: dict[SqlType, list[Value]] = {
    types.INTEGER: [*range(LISTED_MIN + 2)],
    types.TEXT: [f"word {i}" for i in range(LISTED_MIN + 2)],
    types.DOUBLE: [0.0, 1.5, float("inf"), float("nan"), *map(float, range(2, LISTED_MIN))],
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("with_null", [False, True])
def test_a_list_is_its_comparisons(kind: SqlType, with_null: bool) -> None:
    heap = Heap()
    values = VALUES[kind]
    column = vector_of([None, *values, values[0], None], kind, heap)
    ref = Ref(0, kind)
    literals = [Literal(value, kind) for value in [*values[::2], *values[::2], *([None] if with_null else [])]]
    tests: list[Scalar] = [call("=", ref, literal) for literal in literals]
    whole = Logic(False, tuple(tests))
    assert listed(whole) is not None
    nested = tests[0]
    for test in tests[1:]:
        nested = Logic(False, (nested, test))
    one, other = (evaluate(scalar, [column], len(column), Context(heap)) for scalar in (whole, nested))
    assert one.words.tolist() == other.words.tolist()
    assert nulls_of(one.nulls, len(column)) == nulls_of(other.nulls, len(column))


def test_it_fails_where_its_operand_does() -> None:
    heap = Heap()
    column = vector_of([0, 1, 2], types.INTEGER, heap)
    divided = call("/", Literal(4, types.INTEGER), Ref(0, types.INTEGER))
    whole = Logic(False, tuple(call("=", divided, Literal(i, types.INTEGER)) for i in (2, 4, *range(10, 20))))
    found = evaluate(whole, [column], 3, Context(heap))
    assert found.errors is not None
    assert (found.errors != 0).tolist() == [True, False, False]
    assert found.words.tolist() == [0, 1, 1]


def nulls_of(nulls: np.ndarray | None, n: int) -> list[bool]:
    return [False] * n if nulls is None else nulls.tolist()
