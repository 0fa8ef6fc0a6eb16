"""Random expressions, well and ill typed: PostgreSQL's value and type, or an error where PostgreSQL has one."""

import re
from random import Random

import psycopg
import pytest

from engine.database import Database
from engine.errors import SqlError
from tests.postgres.conftest import Upstream

LEAVES = (
    *("1", "-2", "7", "9999999999", "1.5", "3::int2", "null::int2", "null::int4", "5::int8", "2::real", "2.5::float8"),
    *("'-0'::float8", "'ab'::text", "'1'::text", "''::text", "'xy'::varchar", "'a'::char(3)", "'n'::name", "5::oid"),
    *("true", "null::bool", "date '2020-02-03'", "time '01:02:03'", "timestamp '2020-01-01 12:00'", "interval '1 day'"),
    *("timestamptz '2020-01-01 12:00+00'", "'{\"a\":1}'::jsonb", "'\\x01'::bytea", "array[1,2]", "array['a','b']"),
    *("array[1.5,2]", "int4range(1,5)", "'00000000-0000-0000-0000-000000000001'::uuid"),
    *("'1'", "'a'", "null", "'2020-01-01'", "'true'", "''", "'{1,2}'"),
)
INFIX = (
    *("+", "-", "*", "/", "%", "=", "<>", "<", ">=", "||", "and", "or", "is distinct from", "like", "^", "&", "|", "#"),
    *("<<", "&&", "~"),
)
CALLS = (
    *("abs", "length", "upper", "round", "floor", "lower", "trim", "sqrt", "sign", "cardinality", "to_jsonb", "md5"),
    *("reverse", "ascii", "initcap"),
)
PAIRS = ("nullif", "mod", "power", "left", "array_append", "array_cat", "strpos", "repeat", "date_trunc", "concat")
LISTS = ("coalesce", "greatest", "least")
CASTS = (
    *("int", "bigint", "numeric", "float8", "text", "varchar(2)", "char(2)", "bool", "date", "timestamp", "interval"),
    *("jsonb", "int[]", "text[]", "numeric(3,1)", "real", "smallint", "time", "uuid", "bytea", "name"),
)
AMBIGUOUS = re.compile(r"'(\d+|a|true|[\d-]+|\{1,2\})?' (&&|<<)|(null|'') (&&|<<)|(&&|<<) ('|null)|nullif|5::oid")
"""PostgreSQL has more ranges, json beside jsonb, and networks: a bare literal may be more there."""


def drawn(draw: Random, depth: int) -> str:
    def part() -> str:
        return drawn(draw, depth - 1)

    if depth < 0 or draw.random() < 0.15:
        return draw.choice(LEAVES)
    match draw.randrange(11):
        case 0 | 1 | 2:
            return f"({part()} {draw.choice(INFIX)} {part()})"
        case 3:
            return f"(case when true then {part()} else {part()} end)"
        case 4:
            return (
                f"(case {part()} when {draw.choice(LEAVES)} then {part()} when {draw.choice(LEAVES)} then {part()} end)"
            )
        case 5:
            return f"(array[{part()}, {draw.choice(LEAVES)}])"
        case 6:
            return f"((select max(x) from (values ({part()}), ({draw.choice(LEAVES)})) v (x)))"
        case 7:
            return f"({part()})::{draw.choice(CASTS)}"
        case 8:
            return f"({part()} {draw.choice(('in', 'not in'))} ({part()}, {draw.choice(LEAVES)}))"
        case 9:
            return f"{draw.choice(LISTS)}({part()}, {part()}, {draw.choice(LEAVES)})"
        case _:
            both = draw.random() < 0.5
            return f"{draw.choice(PAIRS)}({part()}, {part()})" if both else f"{draw.choice(CALLS)}({part()})"


def shown(text: str | None) -> str | None:
    """Numerics without zeros at the end, doubles to 12 digits, documents without blanks."""
    if text is None:
        return None
    number = re.compile(r"-?\d+\.\d+(e[+-]?\d+)?|-?\d+e[+-]?\d+")
    return re.sub(r"\s", "", number.sub(lambda found: f"{float(found[0]):.12g}", text))


@pytest.mark.parametrize("seed", range(2))
def test_random_expressions(upstream: Upstream, seed: int) -> None:
    draw, same = Random(seed), 0
    upstream.run("SET TimeZone = 'UTC'")
    with Database.in_memory() as db, db.session() as session:
        for _ in range(500):
            expression = drawn(draw, 2)
            if AMBIGUOUS.search(expression):
                continue
            sql = f"SELECT ({expression})::text, pg_typeof({expression})::text"
            try:
                wanted = upstream.run(sql)
            except psycopg.Error:
                wanted = None
            try:
                found = session.execute(sql).rows()
            except SqlError:
                found = None
            if wanted is None or found is None:
                assert found == wanted, expression
            elif wanted[0][1] != "unknown":
                (text, kind), (own_text, own_kind) = wanted[0], found[0]
                assert (shown(own_text), own_kind) == (shown(text), kind), expression
                same += 1
    assert same > 60
