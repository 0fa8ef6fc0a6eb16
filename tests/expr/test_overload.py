"""Overload resolution by PostgreSQL's rules: what its own answers do not show in test_postgres."""

import pytest

from engine import types
from engine.errors import AmbiguousFunction, CannotCoerce, InvalidText, TypeMismatch, UndefinedFunction
from engine.expr.aggregate import Kind
from engine.expr.overload import (
    call,
    cast,
    common_type,
    resolve_aggregate,
    resolve_function,
    resolve_operator,
    resolve_table_function,
)
from engine.expr.scalar import Literal
from engine.types import CastContext
from tests.expr.evaluating import Bench, ref, typed

BOOLEAN, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE, NUMERIC = (
    types.BOOLEAN, types.SMALLINT, types.INTEGER, types.BIGINT, types.REAL, types.DOUBLE, types.NUMERIC
)  # fmt: skip
TEXT, VARCHAR, DATE, TIMESTAMP, TIMESTAMPTZ, JSONB, UNKNOWN = (
    types.TEXT, types.VARCHAR, types.DATE, types.TIMESTAMP, types.TIMESTAMPTZ, types.JSONB, types.UNKNOWN
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments", "parameters"),
    [
        ("+", [INTEGER, UNKNOWN], (INTEGER, INTEGER)),
        ("+", [SMALLINT, BIGINT], (SMALLINT, BIGINT)),
        ("+", [INTEGER, REAL], (DOUBLE, REAL)),
        ("+", [NUMERIC, REAL], (DOUBLE, REAL)),
        ("+", [BIGINT, NUMERIC], (NUMERIC, NUMERIC)),
        ("=", [VARCHAR, UNKNOWN], (TEXT, TEXT)),
        ("=", [UNKNOWN, UNKNOWN], (TEXT, TEXT)),
        ("<", [DATE, TIMESTAMP], (TIMESTAMP, TIMESTAMP)),
        ("<", [TIMESTAMP, TIMESTAMPTZ], (TIMESTAMPTZ, TIMESTAMPTZ)),
        ("||", [UNKNOWN, UNKNOWN], (TEXT, TEXT)),
        ("||", [INTEGER, UNKNOWN], (INTEGER, TEXT)),
        ("||", [JSONB, UNKNOWN], (JSONB, JSONB)),
        ("sqrt", [INTEGER], (DOUBLE,)),
        ("round", [INTEGER], (DOUBLE,)),
        ("abs", [SMALLINT], (SMALLINT,)),
        ("lower", [VARCHAR], (TEXT,)),
        ("mod", [INTEGER, BIGINT], (BIGINT, BIGINT)),
    ],
)
def test_resolution(name, arguments, parameters):
    resolve = resolve_function if name.isalpha() else resolve_operator
    assert resolve(name, arguments)[1] == parameters


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("foo", [INTEGER, TEXT], UndefinedFunction, "function foo(integer, text) does not exist"),
        ("+", [INTEGER, TEXT], UndefinedFunction, "operator does not exist: integer + text"),
        ("-", [TEXT], UndefinedFunction, "operator does not exist: - text"),
        ("=", [JSONB, INTEGER], UndefinedFunction, "operator does not exist: jsonb = integer"),
        ("+", [UNKNOWN, UNKNOWN], AmbiguousFunction, "operator is not unique: unknown + unknown"),
        ("-", [UNKNOWN], AmbiguousFunction, "operator is not unique: - unknown"),
        ("round", [DOUBLE, INTEGER], UndefinedFunction, "function round(double precision, integer) does not exist"),
    ],
)
def test_refusals(name, arguments, error, message):
    resolve = resolve_function if name.isalpha() else resolve_operator
    with pytest.raises(error) as caught:
        resolve(name, arguments)
    assert caught.value.message == message


def test_the_nearest_name_is_the_hint():
    with pytest.raises(UndefinedFunction) as caught:
        resolve_function("lenght", [TEXT])
    assert caught.value.hint == 'Perhaps you meant "length".'


@pytest.mark.parametrize(
    ("kinds", "common"),
    [
        ([INTEGER, BIGINT, SMALLINT], BIGINT),
        ([INTEGER, NUMERIC], NUMERIC),
        ([NUMERIC, INTEGER], NUMERIC),
        ([REAL, NUMERIC], REAL),
        ([NUMERIC, DOUBLE], DOUBLE),
        ([UNKNOWN, INTEGER], INTEGER),
        ([UNKNOWN, UNKNOWN], TEXT),
        ([VARCHAR, TEXT], VARCHAR),
        ([DATE, TIMESTAMP], TIMESTAMP),
        ([TIMESTAMP, TIMESTAMPTZ], TIMESTAMPTZ),
        ([], TEXT),
    ],
)
def test_common_type(kinds, common):
    assert common_type(kinds) == common


def test_types_without_a_common_one():
    with pytest.raises(TypeMismatch, match="UNION types integer and text cannot be matched"):
        common_type([INTEGER, TEXT], "UNION")


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "parameters", "result"),
    [
        ("count", [], Kind.COUNT_ROWS, (), BIGINT),
        ("count", [VARCHAR], Kind.COUNT, (VARCHAR,), BIGINT),
        ("sum", [SMALLINT], Kind.SUM, (SMALLINT,), BIGINT),
        ("sum", [INTEGER], Kind.SUM, (INTEGER,), BIGINT),
        ("sum", [BIGINT], Kind.SUM, (BIGINT,), NUMERIC),
        ("sum", [REAL], Kind.SUM, (REAL,), REAL),
        ("avg", [INTEGER], Kind.AVG, (INTEGER,), NUMERIC),
        ("avg", [REAL], Kind.AVG, (REAL,), DOUBLE),
        ("stddev", [BIGINT], Kind.STDDEV_SAMP, (BIGINT,), NUMERIC),
        ("variance", [DOUBLE], Kind.VAR_SAMP, (DOUBLE,), DOUBLE),
        ("min", [VARCHAR], Kind.MIN, (TEXT,), TEXT),
        ("max", [UNKNOWN], Kind.MAX, (TEXT,), TEXT),
        ("every", [BOOLEAN], Kind.BOOL_AND, (BOOLEAN,), BOOLEAN),
        ("string_agg", [VARCHAR, UNKNOWN], Kind.STRING_AGG, (TEXT, TEXT), TEXT),
        ("jsonb_agg", [INTEGER], Kind.JSONB_AGG, (JSONB,), JSONB),
        ("jsonb_object_agg", [VARCHAR, DATE], Kind.JSONB_OBJECT_AGG, (TEXT, JSONB), JSONB),
    ],
)
def test_aggregates(name, arguments, kind, parameters, result):
    overload, casts = resolve_aggregate(name, arguments)
    assert (overload.kind, casts, overload.result) == (kind, parameters, result)


def test_no_aggregate_for_these():
    with pytest.raises(UndefinedFunction, match=r"function sum\(text\) does not exist"):
        resolve_aggregate("sum", [TEXT])
    with pytest.raises(AmbiguousFunction, match=r"function sum\(unknown\) is not unique"):
        resolve_aggregate("sum", [UNKNOWN])


def test_arguments_of_json_aggregates_become_json():
    bench = Bench()
    assert bench.value(cast(Literal(5, INTEGER), JSONB, CastContext.IMPLICIT)) == "5"
    assert bench.value(cast(typed("2020-01-01", DATE), JSONB, CastContext.IMPLICIT)) == '"2020-01-01"'
    with pytest.raises(CannotCoerce):
        cast(Literal(5, INTEGER), JSONB)


def test_casts_keep_to_their_context():
    with pytest.raises(TypeMismatch):
        cast(ref(0, BIGINT), INTEGER, CastContext.IMPLICIT)
    assert cast(ref(0, BIGINT), INTEGER, CastContext.ASSIGNMENT).type == INTEGER
    with pytest.raises(TypeMismatch):
        cast(ref(0, TEXT), INTEGER, CastContext.ASSIGNMENT)
    with pytest.raises(CannotCoerce, match="cannot cast type boolean to date"):
        cast(ref(0, BOOLEAN), DATE)


def test_a_type_name_called_is_a_cast():
    bench = Bench()
    assert bench.value(cast(call("date", typed("2020-01-02 10:00", TIMESTAMP)), TEXT)) == "2020-01-02"


def test_untyped_literals_fail_when_they_are_bound():
    with pytest.raises(InvalidText, match='invalid input syntax for type integer: "x"'):
        call("+", Literal(1, INTEGER), Literal("x", UNKNOWN))


def test_table_functions():
    assert resolve_table_function("generate_series", [INTEGER, BIGINT])[1] == (BIGINT, BIGINT)
    assert resolve_table_function("generate_series", [UNKNOWN, INTEGER])[1] == (INTEGER, INTEGER)
    with pytest.raises(UndefinedFunction):
        resolve_table_function("generate_series", [TEXT])
