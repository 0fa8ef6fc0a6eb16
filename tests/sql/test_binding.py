"""Binding: output names and types, and that bound relations are what the planner expects."""

import pytest

from engine.plan.facts import Facts
from engine.plan.relation import Constant, Get
from engine.sql.bound import (
    BoundCopy,
    BoundExplain,
    BoundInsert,
    BoundSelect,
    BoundSet,
    BoundSubscribe,
    BoundTransaction,
    BoundUpdate,
)
from engine.sql.statement.session import TransactionVerb
from tests.sql.world import World, world

OUTPUTS = {
    "SELECT * FROM t": "id bigint, v integer, k text, n numeric(10,2), at timestamp with time zone, b boolean",
    "SELECT t.*, 1 AS one FROM u JOIN t ON true LIMIT 0":
        "id bigint, v integer, k text, n numeric(10,2), at timestamp with time zone, b boolean, one integer",
    "SELECT * FROM t NATURAL JOIN u":
        "id bigint, v integer, k text, n numeric(10,2), at timestamp with time zone, b boolean, name text",
    "SELECT * FROM u FULL JOIN t USING (id)":
        "id bigint, name text, v integer, v integer, k text, n numeric(10,2), at timestamp with time zone, b boolean",
    "SELECT sum(v), count(*), avg(v), max(k), min(n), bool_and(b) FROM t":
        "sum bigint, count bigint, avg numeric, max text, min numeric, bool_and boolean",
    "SELECT 1, 'x', NULL, 1.5, 9999999999, true, -1":
        "?column? integer, ?column? text, ?column? text, ?column? numeric, ?column? bigint, ?column? boolean, "
        "?column? integer",
    "SELECT 1::bigint, '1'::text, v::bigint, DATE '2020-01-01', INTERVAL '1 day' FROM t":
        "int8 bigint, text text, v bigint, date date, interval interval",
    "SELECT CASE WHEN b THEN v ELSE n END, coalesce(v, 0), nullif(k, 'x'), b IS NULL, upper(k) FROM t":
        "n numeric, coalesce integer, nullif text, ?column? boolean, upper text",
    "SELECT (SELECT name FROM u LIMIT 1), EXISTS (SELECT 1), v IN (1, 2), extract(year FROM at) FROM t":
        "name text, exists boolean, ?column? boolean, extract numeric",
    "SELECT v FROM t UNION SELECT 1.5 UNION SELECT NULL": "v numeric",
    "SELECT NULL UNION ALL SELECT id FROM t": "?column? bigint",
    "VALUES (1, 'a'), (2.5, NULL)": "column1 numeric, column2 text",
    "SELECT * FROM (VALUES (1, 'a')) AS x (p, q)": "p integer, q text",
    "SELECT * FROM generate_series(1, 3)": "generate_series integer",
    "SELECT g, x.n FROM generate_series(1, 3) AS g, generate_series(1, g) AS x (n)": "g integer, n integer",
    "WITH a (x) AS (SELECT v FROM t), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM a, b": "x integer, y integer",
    "SELECT s.* FROM t, LATERAL (SELECT t.v + 1 AS w) s": "w integer",
    "SELECT DISTINCT ON (k) k, id FROM t ORDER BY k, v": "k text, id bigint",
    "TABLE named": "id bigint, label text",
    "SELECT k FROM totals WHERE total > 5": "k text",
    "SELECT \"Id\", ID FROM (SELECT 1 AS \"Id\", 2 AS id) x": "Id integer, id integer",
    "SHOW TABLES": "name text",
    "SHOW COLUMNS FROM t": "name text, nullable boolean, type text",
    "SHOW INDEXES FROM t": "name text, on text, key text, hydrated boolean",
    "SHOW CREATE VIEW totals": "name text, create_sql text",
    "SELECT table_name FROM information_schema.tables": "table_name text",
    "SELECT now(), current_user, current_database()": "now timestamp with time zone, current_user text, "
        "current_database text",
}  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> World:
    return world()


@pytest.mark.parametrize("sql", OUTPUTS)
def test_output_columns_have_postgres_names_and_types(tables: World, sql: str):
    bound = tables.run(sql)
    assert isinstance(bound, BoundSelect)
    assert ", ".join(f"{column.name} {column.type}" for column in bound.columns) == OUTPUTS[sql]
    row = Facts().types(bound.query.relation)
    project = bound.query.finishing.project
    shown = row if project is None else tuple(row[i] for i in project)
    assert shown == tuple(column.type for column in bound.columns)
    assert bound.query.names == tuple(column.name for column in bound.columns)


def test_an_insert_of_constants_is_its_rows(tables: World):
    bound = tables.run("INSERT INTO t (v, id, n, b) VALUES (1, 2, 1.005, 't'), ('3', 4, NULL, DEFAULT)")
    assert isinstance(bound, BoundInsert)
    relation = bound.query.relation
    assert isinstance(relation, Constant)
    assert [[str(value) for value in row] for row, _ in relation.rows] == [
        ["2", "1", "None", "1.01", "None", "True"], ["4", "3", "None", "None", "None", "None"],
    ]  # fmt: skip
    assert relation.types == tuple(column.type for column in tables.catalog.items[bound.table].columns)


def test_an_insert_of_a_query_has_the_tables_columns(tables: World):
    bound = tables.run("INSERT INTO t (id, at, k) SELECT id, '2020-01-01', v FROM u")
    assert isinstance(bound, BoundInsert)
    wanted = tuple(column.type for column in tables.catalog.items[bound.table].columns)
    assert Facts().types(bound.query.relation) == wanted


def test_an_update_is_old_and_new_rows(tables: World):
    bound = tables.run("UPDATE t SET v = v + 1, n = 5 WHERE t.id IN (SELECT id FROM u)")
    assert isinstance(bound, BoundUpdate)
    row = tuple(column.type for column in tables.catalog.items[bound.table].columns)
    assert Facts().types(bound.relation) == row + row


def test_subscribe_options(tables: World):
    bound = tables.run("SUBSCRIBE TO (SELECT k FROM t) WITH (SNAPSHOT = false, PROGRESS) AS OF AT LEAST 5 UP TO 9")
    assert isinstance(bound, BoundSubscribe)
    assert (bound.snapshot, bound.progress, bound.up_to) == (False, True, 9)
    assert bound.as_of is not None
    assert (bound.as_of.timestamp, bound.as_of.at_least) == (5, True)
    plain = tables.run("TAIL named")
    assert isinstance(plain, BoundSubscribe)
    assert isinstance(plain.relation, Get)
    assert (plain.snapshot, plain.progress, plain.as_of, plain.up_to) == (True, False, None, None)


def test_session_statements(tables: World):
    assert tables.run("SET search_path = a, b") == BoundSet("search_path", "a, b", False)
    assert tables.run("RESET timezone") == BoundSet("timezone", None, False, resets=True)
    assert tables.run("SET timezone TO DEFAULT") == BoundSet("timezone", None, False)
    assert tables.run("BEGIN") == BoundTransaction(TransactionVerb.BEGIN)
    assert isinstance(tables.run("COPY (SELECT 1) TO STDOUT"), BoundCopy)
    assert isinstance(tables.run("EXPLAIN OPTIMIZED PLAN FOR MATERIALIZED VIEW named"), BoundExplain)


def test_reads_names_the_items(tables: World):
    bound = tables.run("SELECT 1 FROM totals, u")
    assert isinstance(bound, BoundSelect)
    assert {tables.catalog.items[id_].name.item for id_ in bound.reads} == {"totals", "u"}


def test_five_hundred_branches_are_one_union(tables: World):
    bound = tables.run(" UNION ALL ".join(f"SELECT {i}" for i in range(500)))
    assert isinstance(bound, BoundSelect)
    assert len(Facts().types(bound.query.relation)) == 1
