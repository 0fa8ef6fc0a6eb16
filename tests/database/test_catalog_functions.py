"""What PostgreSQL's functions about its catalog answer here: clients call them in every query they begin with."""

from collections.abc import Iterator

import pytest

from engine.database import Database, Session
from engine.errors import SqlError

SHOP = """
    CREATE TABLE sales (id bigint PRIMARY KEY, shop varchar(10) DEFAULT 'north');
    CREATE VIEW big AS SELECT id FROM sales WHERE id > 10;
    CREATE INDEX by_shop ON sales (shop);
    CREATE SCHEMA other;
    CREATE TABLE other."Odd name" (a int);
    COMMENT ON TABLE sales IS 'what was sold';
    COMMENT ON COLUMN sales.shop IS 'where';
    COMMENT ON DATABASE materialize IS 'all of it';
"""
DATABASE = "(SELECT oid FROM pg_database WHERE datname = current_database())"
ANSWERS = (
    # privileges: whoever is there may do everything with whatever is there
    ("has_table_privilege('sales', 'SELECT, INSERT')", True),
    ("has_table_privilege('materialize', 'sales'::regclass, 'SELECT')", True),
    ("has_table_privilege(1, 'SELECT')", None),
    ("has_schema_privilege('public', 'USAGE')", True),
    ("has_database_privilege(current_database(), 'CONNECT')", True),
    ("has_column_privilege('sales', 'id', 'SELECT')", True),
    ("has_any_column_privilege('sales', 'SELECT')", True),
    ("has_function_privilege('lower(text)', 'EXECUTE')", True),
    ("has_parameter_privilege('work_mem', 'SET')", True),
    ("pg_has_role(current_user, 'materialize', 'MEMBER')", True),
    # objects as SQL
    ("pg_get_viewdef('big'::regclass, true)", " SELECT id FROM materialize.public.sales WHERE id > 10;"),
    ("pg_get_indexdef('by_shop'::regclass)", "CREATE INDEX by_shop ON public.sales USING arrangement (shop)"),
    ("pg_get_indexdef('by_shop'::regclass, 1, true)", "shop"),
    ("pg_get_constraintdef((SELECT oid FROM pg_constraint WHERE conname = 'sales_pkey'))", "PRIMARY KEY (id)"),
    ("(SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'sales'::regclass)", "'north'"),
    ("pg_get_function_arguments('substr(text, int, int)'::regprocedure)", "text, integer, integer"),
    ("pg_get_function_result('lower(text)'::regprocedure)", "text"),
    ("pg_get_userbyid(10)", "materialize"),
    ("pg_get_userbyid(3)", "unknown (OID=3)"),
    ("pg_get_serial_sequence('sales', 'id')", None),
    # comments
    ("obj_description('sales'::regclass, 'pg_class')", "what was sold"),
    ("obj_description('big'::regclass, 'pg_class')", None),
    ("col_description('sales'::regclass, 2)", "where"),
    (f"shobj_description({DATABASE}, 'pg_database')", "all of it"),
    ("obj_description((SELECT oid FROM pg_operator WHERE oid = '=(int, int)'::regoperator), 'pg_operator')", "equal"),
    ("(pg_identify_object('pg_class'::regclass, 'by_shop'::regclass, 0)).identity", "public.by_shop"),
    ("(pg_identify_object('pg_class'::regclass, 'sales'::regclass, 2)).type", "table column"),
    ("(pg_identify_object('pg_proc'::regclass, 'lower(text)'::regprocedure, 0)).identity", "pg_catalog.lower(text)"),
    ("(pg_identify_object('pg_namespace'::regclass, 'other'::regnamespace, 0)).name", "other"),
    ("mz_is_materialized('sales')", True),
    ("mz_is_materialized('big')", False),
    ("('10 20'::oidvector)[1]", 20),
    ("'{text,int4}'::regtype[]", ["text", "integer"]),
    ("(ARRAY['text', 'int4']::regtype[])::oid[]", [25, 23]),
    ("ARRAY['sales'::regclass, NULL]::text[]", ["sales", None]),
    ("pg_describe_object('pg_class'::regclass, 'sales'::regclass, 2)", "column shop of table sales"),
    # types and names
    ("format_type(23, -1)", "integer"),
    ("format_type(1043, 14)", "character varying(10)"),
    ("format_type(1700, 655366)", "numeric(10,2)"),
    ("format_type(1016, NULL)", "bigint[]"),
    ("format_type(NULL, NULL)", None),
    ("format_type(0, NULL)", "-"),
    ("format_type(99, NULL)", "???"),
    ("""'other."Odd name"'::regclass::text""", 'other."Odd name"'),
    ("to_regclass('nope')", None),
    ("'=(integer,integer)'::regoperator::text", "=(integer,integer)"),
    ("quote_ident('a b') || quote_ident('ab') || quote_ident('select')", '"a b"ab"select"'),
    ("quote_literal('it''s') || quote_nullable(NULL)", "'it''s'NULL"),
    # sizes
    ("pg_table_size('sales') = pg_relation_size('sales')", True),
    ("pg_total_relation_size('sales') = pg_table_size('sales') + pg_indexes_size('sales')", True),
    ("pg_relation_size(1)", None),
    ("pg_database_size(current_database()) >= pg_total_relation_size('sales')", True),
    ("pg_size_pretty(pg_size_bytes('1.5 GB'))", "1536 MB"),
    ("pg_size_pretty(10240.0)", "10 kB"),
    # the session and the server
    ("current_setting('search_path')", "public"),
    ("current_setting('nothing.such', true)", None),
    ("current_schemas(false)::text", "{public}"),
    ("current_schema()", "public"),
    ("pg_is_in_recovery()", False),
    ("pg_client_encoding()", "UTF8"),
    ("pg_encoding_to_char(6)", "UTF8"),
    ("pg_encoding_max_length(6)", 4),
    ("version() LIKE 'PostgreSQL 15%'", True),
    ("pg_my_temp_schema()", 0),
    ("pg_table_is_visible('sales'::regclass)", True),
    ("pg_table_is_visible('other.\"Odd name\"'::regclass)", False),
    ("pg_relation_is_updatable('sales', true)", 28),
    ("pg_relation_is_updatable('big', true)", 0),
    ("(SELECT count(*) FROM pg_class WHERE tableoid = 'pg_class'::regclass AND xmin = 0) > 100", True),
    ("(SELECT count(*) FROM aclexplode(NULL))", 0),
    ("(SELECT string_agg(option_name || option_value, ' ') FROM pg_options_to_table(ARRAY['a=1', 'b=2']))", "a1 b2"),
    ("(SELECT setting FROM pg_show_all_settings() WHERE name = 'server_encoding')", "UTF8"),
)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Database.in_memory() as database, database.session() as session:
        session.execute(SHOP)
        yield session


@pytest.mark.parametrize(("call", "answer"), ANSWERS, ids=[call for call, _ in ANSWERS])
def test_answers(session: Session, call: str, answer: object):
    assert session.execute(f"SELECT {call}").rows() == [(answer,)]


@pytest.mark.parametrize(
    ("call", "sqlstate"),
    [
        ("'nope'::regclass", "42P01"), ("has_table_privilege('nope', 'SELECT')", "42P01"),
        ("current_setting('nope')", "42704"), ("'nope'::regrole", "42704"), ("'+'::regoper", "42725"),
        ("'nope(int)'::regprocedure", "42883"), ("'=(int, jsonb)'::regoperator", "42883"),
        ("pg_size_bytes('one')", "22023"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(call: str, sqlstate: str):
    with Database.in_memory() as database, pytest.raises(SqlError) as failure:
        database.execute(f"SELECT {call}")
    assert failure.value.sqlstate == sqlstate
