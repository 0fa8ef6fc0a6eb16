"""Errors of names, types and grouping: SQLSTATE, PostgreSQL's words, the place (marked by ^ in the text), the hint."""

import pytest

from engine.errors import SqlError
from tests.sql.world import World, world

ERRORS = [
    ("SELECT ^idd FROM t", "42703", 'column "idd" does not exist', 'Perhaps you meant to reference the column "id".'),
    ("SELECT ^t.idd FROM t", "42703",
     "column t.idd does not exist", 'Perhaps you meant to reference the column "t.id".'),
    ("SELECT ^x.id FROM t", "42P01", 'missing FROM-clause entry for table "x"', None),
    ("SELECT 1 FROM ^totalz", "42P01", 'relation "totalz" does not exist', 'Perhaps you meant "totals".'),
    ("SELECT 1 FROM ^nowhere.t", "42P01",
     'relation "nowhere.t" does not exist', None),
    ("SELECT ^id FROM t, u", "42702", 'column reference "id" is ambiguous', None),
    ("SELECT 1 FROM t, ^t", "42712", 'table name "t" specified more than once', None),
    ("SELECT ^lenght(k) FROM t", "42883", "function lenght(text) does not exist", 'Perhaps you meant "length".'),
    ("SELECT b ^+ v FROM t", "42883", "operator does not exist: boolean + integer",
     "No operator matches the given name and argument types. You might need to add explicit type casts."),
    ("SELECT ^v, count(*) FROM t", "42803",
     'column "v" must appear in the GROUP BY clause or be used in an aggregate function', None),
    ("SELECT k FROM t GROUP BY k HAVING ^v > 1", "42803",
     'column "v" must appear in the GROUP BY clause or be used in an aggregate function', None),
    ("SELECT k FROM t GROUP BY k ORDER BY ^t.v", "42803",
     'column "t.v" must appear in the GROUP BY clause or be used in an aggregate function', None),
    ("SELECT k, (SELECT count(*) FROM u WHERE u.v = ^t.v) FROM t GROUP BY k", "42803",
     'subquery uses ungrouped column "t.v" from outer query', None),
    ("SELECT 1 FROM t WHERE ^sum(v) > 1", "42803", "aggregate functions are not allowed in WHERE", None),
    ("SELECT 1 FROM t JOIN u ON ^count(*) > 1", "42803",
     "aggregate functions are not allowed in JOIN conditions", None),
    ("SELECT 1 FROM t GROUP BY ^sum(v)", "42803", "aggregate functions are not allowed in GROUP BY", None),
    ("SELECT sum(^max(v)) FROM t", "42803", "aggregate function calls cannot be nested", None),
    ("SELECT 1 FROM t WHERE ^v", "42804", "argument of WHERE must be type boolean, not type integer", None),
    ("SELECT 1 FROM t WHERE b AND ^k", "42804", "argument of AND must be type boolean, not type text", None),
    ("SELECT ^CASE WHEN b THEN v ELSE b END FROM t", "42804", "CASE types boolean and integer cannot be matched", None),
    ("SELECT v FROM t ^UNION SELECT b FROM t", "42804", "UNION types integer and boolean cannot be matched", None),
    ("SELECT v FROM t UNION ^SELECT v, k FROM t", "42601",
     "each UNION query must have the same number of columns", None),
    ("SELECT 1 ^IN (SELECT 1, 2)", "42601", "subquery has too many columns", None),
    ("SELECT ^(SELECT 1, 2)", "42601", "subquery must return only one column", None),
    ("SELECT DISTINCT k FROM t ORDER BY ^v", "42P10",
     "for SELECT DISTINCT, ORDER BY expressions must appear in select list", None),
    ("SELECT k FROM t ORDER BY ^2", "42P10", "ORDER BY position 2 is not in select list", None),
    ("SELECT k FROM t GROUP BY ^0", "42P10", "GROUP BY position 0 is not in select list", None),
    ("SELECT DISTINCT ON (^k) k, v FROM t ORDER BY v", "42P10",
     "SELECT DISTINCT ON expressions must match initial ORDER BY expressions", None),
    ("SELECT ^lower(DISTINCT k) FROM t", "42809",
     "DISTINCT specified, but lower is not an aggregate function", None),
    ("SELECT ^'x'::integer", "22P02", 'invalid input syntax for type integer: "x"', None),
    ("SELECT 1::^intt", "42704", 'type "intt" does not exist', 'Perhaps you meant "int".'),
    ("SELECT 1::^numeric(50)", "22023", "NUMERIC precision 50 must be between 1 and 39", None),
    ("SELECT id FROM t LIMIT ^-1", "2201W", "LIMIT must not be negative", None),
    ("SELECT id FROM t OFFSET ^-1", "2201X", "OFFSET must not be negative", None),
    ("SELECT ^*", "42601", "SELECT * with no tables specified is not valid", None),
    ("SELECT ^$1", "42P02", "there is no parameter $1", None),
    ("SELECT id FROM t WHERE ^rank() OVER () = 1", "42P20", "window functions are not allowed in WHERE", None),
    ("SELECT k FROM t GROUP BY k HAVING ^rank() OVER () = 1", "42P20", "window functions are not allowed in HAVING",
     None),
    ("SELECT k FROM t GROUP BY ^rank() OVER ()", "42P20", "window functions are not allowed in GROUP BY", None),
    ("SELECT sum(^rank() OVER ()) FROM t", "42803",
     "aggregate function calls cannot contain window function calls", None),
    ("SELECT ^rank() FROM t", "42809", "window function rank requires an OVER clause", None),
    ("SELECT ^lower(k) OVER () FROM t", "42809",
     "OVER specified, but lower is not a window function nor an aggregate function", None),
    ("SELECT rank() OVER ^w FROM t", "42704", 'window "w" does not exist', None),
    ("SELECT ^count(DISTINCT k) OVER () FROM t", "0A000", "DISTINCT is not implemented for window functions", None),
    ("SELECT count(*) OVER (ROWS BETWEEN ^UNBOUNDED FOLLOWING AND CURRENT ROW) FROM t", "42P20",
     "frame start cannot be UNBOUNDED FOLLOWING", None),
    ("SELECT count(*) OVER (ROWS BETWEEN CURRENT ROW AND ^1 PRECEDING) FROM t", "42P20",
     "frame starting from current row cannot have preceding rows", None),
    ("SELECT count(*) OVER (ROWS ^-1 PRECEDING) FROM t", "22013", "frame starting offset must not be negative", None),
    ("SELECT count(*) OVER (^GROUPS 1 PRECEDING) FROM t", "42P20", "GROUPS mode requires an ORDER BY clause", None),
    ("SELECT count(*) OVER (^RANGE 1 PRECEDING) FROM t", "42P20",
     "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column", None),
    ("SELECT count(*) OVER ^(w PARTITION BY k) FROM t WINDOW w AS (ORDER BY k)", "42P20",
     'cannot override PARTITION BY clause of window "w"', None),
    ("INSERT INTO t VALUES (1, 2, 'a', 1, NULL, true, ^7)", "42601", "INSERT has more expressions than target columns",
     None),
    ("INSERT INTO u (id, v) VALUES (1, ^true)", "42804",
     'column "v" is of type integer but expression is of type boolean',
     "You will need to rewrite or cast the expression."),
    ("INSERT INTO u (id, v) VALUES (1, ^'x')", "22P02", 'invalid input syntax for type integer: "x"', None),
    ("INSERT INTO ^u (id, w) VALUES (1, 2)", "42703", 'column "w" of relation "u" does not exist', None),
    ("INSERT INTO ^totals VALUES (1)", "42809", 'cannot insert into view "totals"', None),
    ("UPDATE u SET ^w = 1", "42703", 'column "w" of relation "u" does not exist', None),
    ("DELETE FROM ^named", "42809", 'cannot delete from materialized view "named"', None),
    ("CREATE TABLE x (a int, ^a int)", "42701", 'column "a" specified more than once', None),
    ("CREATE VIEW x AS ^SELECT 1 AS a, 2 AS a", "42701", 'column "a" specified more than once', None),
    ("CREATE MATERIALIZED VIEW x AS SELECT now()", "0A000",
     "a materialized view cannot call now()",
     "A plain view can. A conjunct of WHERE may compare it, moved by a constant of days or less, with a timestamp."),
    ("CREATE MATERIALIZED VIEW x AS SELECT current_user", "0A000",
     "a materialized view cannot call current_user()", "A plain view can."),
    ("CREATE TABLE ^nope.x (a int)", "3F000", 'schema "nope" does not exist', None),
    ("DROP TABLE ^tt", "42P01", 'table "tt" does not exist', 'Perhaps you meant "t".'),
    ("DROP VIEW ^t", "42809", '"t" is not a view', "It is a table: use TABLE."),
    ("DROP TABLE t", "2BP01", 'cannot drop table "t" because other objects depend on it',
     "Use DROP ... CASCADE to drop the dependent objects too."),
    ("SUBSCRIBE t UP TO ^NULL", "22023", "UP TO must be a timestamp in milliseconds", None),
    ("SUBSCRIBE t WITH (^SNAP)", "22023", 'unrecognized SUBSCRIBE option "snap"', None),
]  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> World:
    return world()


@pytest.mark.parametrize(("marked", "sqlstate", "message", "hint"), ERRORS, ids=[row[0] for row in ERRORS])
def test_errors_name_the_mistake_and_its_place(
    tables: World, marked: str, sqlstate: str, message: str, hint: str | None
):
    position = marked.find("^") + 1 or None
    with pytest.raises(SqlError) as caught:
        tables.run(marked.replace("^", ""))
    error = caught.value
    assert (error.sqlstate, error.message, error.position, error.hint) == (sqlstate, message, position, hint)
