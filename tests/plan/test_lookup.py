"""Which queries an arrangement answers by itself."""

import pytest

from engine import types
from engine.expr.scalar import Literal, Logic, Ref
from engine.plan.lookup import as_lookup
from engine.plan.lower import lower
from engine.plan.relation import Filter, Get, Map, Project
from engine.types import Column
from tests.plan.sql_values import call

TABLE = Get(7, "t", (Column("a", types.INTEGER), Column("b", types.INTEGER), Column("c", types.TEXT)))
A, B = Ref(0, types.INTEGER), Ref(1, types.INTEGER)
ARRANGED = {7: {(0,), (1, 0)}}


def one(value: int | None) -> Literal:
    return Literal(value, types.INTEGER)


def test_literal_for_the_key() -> None:
    found = as_lookup(lower(Project(Filter(TABLE, (call("=", A, one(5)),)), (2,))), ARRANGED)
    assert found is not None
    assert (found.id, found.key, found.values) == (7, (0,), ((5,),))
    assert found.mfp.project == (2,)


def test_in_list_and_the_longest_key() -> None:
    several = Logic(False, (call("=", A, one(1)), call("=", A, one(2)), call("=", one(1), A)))
    found = as_lookup(lower(Filter(TABLE, (several, call("=", B, one(9))))), ARRANGED)
    assert found is not None
    assert found.key == (1, 0)
    assert found.values == ((9, 1), (9, 2))


def test_or_of_whole_keys() -> None:
    each = [Logic(True, (call("=", A, one(a)), call("=", B, one(b)))) for a, b in ((1, 2), (3, 4), (1, 2))]
    found = as_lookup(lower(Filter(TABLE, (Logic(False, tuple(each)),))), {7: {(1, 0)}})
    assert found is not None
    assert found.values == ((2, 1), (4, 3))
    assert found.rest == found.mfp.steps


def test_null_is_no_key() -> None:
    found = as_lookup(lower(Filter(TABLE, (call("=", A, one(None)),))), ARRANGED)
    assert found is not None
    assert found.values == ()


@pytest.mark.parametrize(
    "predicate",
    [call("=", B, one(1)), call("<", A, one(1)), Logic(False, (call("=", A, one(1)), call("=", B, one(1))))],
    ids=["half a key", "no equality", "another column"],
)
def test_no_lookup(predicate) -> None:
    assert as_lookup(lower(Filter(TABLE, (predicate,))), ARRANGED) is None


def test_no_lookup_through_what_is_computed_first() -> None:
    relation = Filter(Map(TABLE, (call("+", A, one(1)),)), (call("=", Ref(3, types.INTEGER), one(1)),))
    assert as_lookup(lower(relation), ARRANGED) is None
