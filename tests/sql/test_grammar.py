"""The grammar: precedence, forms, positions, and that nothing but SqlError ever comes out of it."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import LimitExceeded, SqlError, SyntaxError_, Unsupported
from engine.sql import statements, syntax
from engine.sql.dialect import parse, parse_expression
from engine.sql.grammar.cursor import NESTING_MAX
from engine.sql.grammar.tokens import Kind, tokenize
from engine.sql.statement.parts import Span


def unplaced(node: Any) -> Any:
    """The node with every position 0: what remains is the meaning."""
    if isinstance(node, tuple):
        return tuple(map(unplaced, node))
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changes = {f.name: 0 if f.name in ("at", "end", "until") else unplaced(getattr(node, f.name)) for f in fields(node)}
    return replace(node, **changes)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a OR b AND NOT c = d", "a OR (b AND (NOT (c = d)))"),
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("a IS DISTINCT FROM b = c", "a IS DISTINCT FROM (b = c)"),
        ("NOT a IS NULL", "NOT (a IS NULL)"),
        ("a BETWEEN 1 AND 2 AND b", "(a BETWEEN 1 AND 2) AND b"),
        ("a NOT BETWEEN 1 + 1 AND 3 OR b", "(a NOT BETWEEN (1 + 1) AND 3) OR b"),
        ("a = b LIKE c", "a = (b LIKE c)"),
        ("a LIKE 'x' || 'y'", "a LIKE ('x' || 'y')"),
        ("a || b + c", "a || (b + c)"),
        ("a -> b + 1", "a -> (b + 1)"),
        ("a -> b ->> c", "(a -> b) ->> c"),
        ("a + b * c ^ d", "a + (b * (c ^ d))"),
        ("a - b - c", "(a - b) - c"),
        ("-a ^ b", "(-a) ^ b"),
        ("-2::int", "-(2::int)"),
        ("a::text::int", "(a::text)::int"),
        ("a AT TIME ZONE 'x' + b", "(a AT TIME ZONE 'x') + b"),
        ("a + b IN (1, 2)", "(a + b) IN (1, 2)"),
        ("a NOT IN (1) AND b NOT LIKE c", "(a NOT IN (1)) AND (b NOT LIKE c)"),
        ("a AND b AND c", "a AND b AND c"),
        ("a ISNULL", "a IS NULL"),
        ("a NOTNULL", "a IS NOT NULL"),
        ("a != b", "a <> b"),
        ("cast(a AS numeric(4, 2))", "a::numeric(4,2)"),
        ("DATE '2020-01-01'", "'2020-01-01'::date"),
        ("INTERVAL '1' DAY TO SECOND", "CAST('1' AS interval day to second)"),
        ("timestamp with time zone 'x'", "CAST('x' AS timestamp with time zone)"),
        ("a=-1", "a = (-1)"),
        ("CASE a WHEN b THEN c END", "CASE a WHEN b THEN c END"),
        ("trim(LEADING 'x' FROM y)", "ltrim(y, 'x')"),
        ("substring(a FROM 2 FOR 3)", "substring(a, 2, 3)"),
        ("extract(YEAR FROM a)", "extract('year' FROM a)"),
        ("SOME_Name", "some_name"),
        ('"Quoted ""name"""', '"Quoted ""name"""'),
        ("a + -- comment\n b /* x /* y */ z */", "a + b"),
        ("'a'\n'b'", "'ab'"),
        (r"E'a\n\'\x41\u00e9'", "'a\n''Aé'"),
        ("$tag$it's $$ here$tag$", "'it''s $$ here'"),
    ],
)
def test_an_expression_means_its_parenthesised_form(text: str, meant: str):
    assert unplaced(parse_expression(text)) == unplaced(parse_expression(meant))


FORMS = {
    "SELECT": statements.SelectStatement,
    "SELECT 1 AS a, t.*, * FROM t AS x(a, b), LATERAL (SELECT 1) y, generate_series(1, 2) WITH ORDINALITY AS g(n, o)":
        statements.SelectStatement,
    "(SELECT 1) UNION ALL (VALUES (1), (2) ORDER BY 1 LIMIT 1) EXCEPT TABLE t": statements.SelectStatement,
    "WITH a (x) AS (SELECT 1), b AS MATERIALIZED (TABLE a) SELECT * FROM a NATURAL FULL JOIN b":
        statements.SelectStatement,
    "SELECT k, count(DISTINCT v) FILTER (WHERE v > 1) FROM t GROUP BY 1 HAVING true ORDER BY 2 DESC NULLS LAST FETCH "
    "FIRST 3 ROWS ONLY": statements.SelectStatement,
    "SELECT * FROM a JOIN b JOIN c ON b.x = c.x ON a.x = b.x AS OF AT LEAST 5": statements.SelectStatement,
    "INSERT INTO s.t (a, b) VALUES (1, DEFAULT), (2, 'x')": statements.Insert,
    "INSERT INTO t DEFAULT VALUES": statements.Insert,
    "INSERT INTO t (SELECT * FROM u)": statements.Insert,
    "UPDATE t AS x SET a = a + 1, b = DEFAULT WHERE x.c": statements.Update,
    "DELETE FROM t WHERE a IN (SELECT b FROM c)": statements.Delete,
    "CREATE TABLE IF NOT EXISTS t (a int NOT NULL, b timestamp(3) with time zone, c double precision)":
        statements.CreateTable,
    "CREATE OR REPLACE VIEW v (a) AS SELECT 1": statements.CreateView,
    "CREATE MATERIALIZED VIEW v WITH (RETAIN HISTORY FOR '1h') AS SELECT 1": statements.CreateView,
    "CREATE INDEX i ON t (a, b)": statements.CreateIndex,
    "CREATE DEFAULT INDEX ON t": statements.CreateIndex,
    "CREATE SOURCE s (id bigint, at timestamp) FROM FILE '/x' COMPRESSION GZIP WITH (tail = true) FORMAT JSON":
        statements.CreateSource,
    "CREATE SOURCE s FROM FILE '/x' FORMAT CSV WITH 3 COLUMNS DELIMITED BY ';'": statements.CreateSource,
    "CREATE SOURCE s FROM LOAD GENERATOR AUCTION (TICK INTERVAL '1s', MAX CARDINALITY 10) FOR ALL TABLES":
        statements.CreateSource,
    "CREATE DATABASE d": statements.CreateDatabase,
    "CREATE SCHEMA IF NOT EXISTS d.s": statements.CreateSchema,
    "DROP MATERIALIZED VIEW IF EXISTS a, b.c CASCADE": statements.Drop,
    "SUBSCRIBE TO (SELECT 1) WITH (SNAPSHOT = false, PROGRESS) AS OF 5 UP TO 10": statements.Subscribe,
    "TAIL t AS OF AT LEAST 5": statements.Subscribe,
    "EXPLAIN RAW PLAN FOR VIEW v": statements.Explain,
    "EXPLAIN SELECT 1": statements.Explain,
    "COPY (TAIL t) TO STDOUT WITH (FORMAT binary)": statements.Copy,
    "SHOW MATERIALIZED VIEWS FROM s LIKE 'a%'": statements.ShowObjects,
    "SHOW INDEXES FROM t WHERE name = 'x'": statements.ShowObjects,
    "SHOW CREATE VIEW v": statements.ShowCreate,
    "SHOW TIME ZONE": statements.ShowVariable,
    "SET search_path TO a, b": statements.SetVariable,
    "SET TIME ZONE 'UTC'": statements.SetVariable,
    "SET SCHEMA 'a'": statements.SetVariable,
    "ALTER SECRET s AS 'a'": statements.AlterSecret,
    "CREATE CONNECTION c TO KAFKA (BROKER 'b:1', SECURITY PROTOCOL PLAINTEXT) WITH (VALIDATE = false)":
        statements.CreateConnection,
    "RESET ALL": statements.SetVariable,
    "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY": statements.Transaction,
    "DISCARD ALL": statements.Discard,
}  # fmt: skip


@pytest.mark.parametrize("text", FORMS)
def test_each_form_is_read(text: str):
    (statement,) = parse(text)
    assert type(statement) is FORMS[text]
    assert statement.span == Span(text, 1)


def test_statements_are_parted_by_semicolons_alone():
    text = " ;SELECT ';' -- ; \n;; BEGIN /* ; */; SELECT $$;$$, \";\" FROM t ;"
    spans = [statement.span for statement in parse(text)]
    assert [span.text for span in spans] == ["SELECT ';'", "BEGIN", 'SELECT $$;$$, ";" FROM t']
    assert all(text[span.start - 1 :].startswith(span.text) for span in spans)


def test_the_position_of_a_name_is_in_the_clients_text():
    _, second = parse("SELECT 1; SELECT a, bb FROM t")
    assert isinstance(second, statements.SelectStatement)
    body = second.query.body
    assert isinstance(body, syntax.Select)
    assert [item.expression.at for item in body.items] == [18, 21]


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("SELECT a FROM t GROUP BY", "syntax error at end of input", 25),
        ("SELECT FROM WHERE", 'syntax error at or near "WHERE"', 13),
        ("SELECT a < b < c", 'syntax error at or near "<"', 14),
        ("SELECT 1 2", 'syntax error at or near "2"', 10),
        ("SELECT a FROM t u v", 'syntax error at or near "v"', 19),
        ("SELECT (1", "syntax error at end of input", 10),
        ("foo bar", 'syntax error at or near "foo"', 1),
        ("SELECT 'abc", 'unterminated quoted string at or near "\'abc"', 8),
        ('SELECT "abc', 'unterminated quoted identifier at or near ""abc"', 8),
        ("SELECT /* a", 'unterminated /* comment at or near "/* a"', 8),
        ("SELECT $a$ b", 'unterminated dollar-quoted string at or near "$a$ b"', 8),
        ("SELECT 12abc", 'trailing junk after numeric literal at or near "12abc"', 8),
        ("CREATE TABLE t (a int,)", 'syntax error at or near ")"', 23),
        ("INSERT INTO t VALUES (1,)", 'syntax error at or near ")"', 25),
        ("SELECT 1;\nSELECT )", 'syntax error at or near ")"', 18),
        ("DROP t", 'syntax error at or near "t"', 6),
        ("SELECT `a`", "syntax error at end of input", 11),
    ],
)
def test_a_syntax_error_says_where(text: str, message: str, position: int):
    with pytest.raises(SyntaxError_) as caught:
        parse(text)
    assert (caught.value.message, caught.value.position) == (message, position)


@pytest.mark.parametrize(
    "text",
    ["INSERT INTO t OVERRIDING USER VALUE VALUES (1)",
     "CREATE FUNCTION f() RETURNS int", "VACUUM",
     "CREATE SOURCE s FROM KINESIS ARN 'x'"],
)  # fmt: skip
def test_known_syntax_that_is_not_run_is_named(text: str):
    with pytest.raises(Unsupported, match="is not supported"):
        parse(text)


DEEP = {
    "parentheses": lambda n: "SELECT " + "(" * n + "1" + ")" * n,
    "operators": lambda n: "SELECT 1" + " + 1" * n,
    "not": lambda n: "SELECT " + "NOT " * n + "true",
    "signs": lambda n: "SELECT " + "- " * n + "1",
    "from": lambda n: "SELECT * FROM " + "(SELECT * FROM " * n + "t" + ") x" * n,
    "subqueries": lambda n: "SELECT " + "(SELECT " * n + "1" + ")" * n,
    "case": lambda n: "SELECT " + "CASE WHEN true THEN " * n + "1" + " END" * n,
    "calls": lambda n: "SELECT " + "abs(" * n + "1" + ")" * n,
}


@pytest.mark.parametrize("kind", DEEP)
def test_deep_nesting_is_refused_with_the_limit(kind: str):
    with pytest.raises(LimitExceeded, match=f"{NESTING_MAX} levels") as failure:
        parse(DEEP[kind](NESTING_MAX + 1))
    assert failure.value.position is not None


@pytest.mark.parametrize("kind", DEEP)
def test_nesting_below_the_limit_is_read(kind: str):
    depth = {"from": NESTING_MAX // 3, "subqueries": NESTING_MAX // 4}.get(kind, NESTING_MAX - 10)
    assert len(parse(DEEP[kind](depth))) == 1


@pytest.mark.parametrize(
    "text",
    ["SELECT 1" + " UNION SELECT 1" * 5001, "SELECT * FROM t" + " CROSS JOIN t" * 300, "SELECT 1 FROM t" + ", t" * 300],
)
def test_long_chains_are_refused_with_the_limit(text: str):
    with pytest.raises(LimitExceeded, match="statement has more than"):
        parse(text)


def test_long_lists_are_not_deep():
    parse("SELECT 1 IN (" + ", ".join(map(str, range(5000))) + ")")
    parse(" UNION ALL ".join(["SELECT 1"] * 500))
    parse("SELECT " + " AND ".join(["a"] * 5000))


WORDS = """
    select from where group by having order limit offset union all except intersect values with as join left on using
    natural lateral ( ) [ ] , ; . :: : + - * / < = || -> ~ a t "Q" 'x' 1 1.5 $1 null true not and or is in like between
    case when then else end cast exists any distinct count( interval date array row create table view materialized
    source file format json drop cascade subscribe tail explain plan for show set to insert into update delete copy
    stdout index default begin commit extract( substring( trim( over filter within"""


def fault(text: str) -> SqlError | None:
    """What parsing the text raises, if it does."""
    try:
        parse(text)
    except SqlError as error:
        return error
    return None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join))
def test_any_words_are_statements_or_an_error_with_a_position(text: str):
    error = fault(text)
    assert error is None or type(error) in (SyntaxError_, Unsupported, LimitExceeded)
    assert error is None or error.position is None or 1 <= error.position <= len(text) + 1


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab'\"$-/*;\n\\eE1.(), éA0:", max_size=40))
def test_tokens_cover_the_text_in_order(text: str):
    if isinstance(fault(text), SyntaxError_):
        return
    tokens = tokenize(text)
    assert tokens[-1].kind is Kind.END
    ends = [0] + [token.end for token in tokens]
    assert all(token.at >= end for token, end in zip(tokens, ends, strict=False))
