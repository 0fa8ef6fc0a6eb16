"""The plans of SELECTs that were asked before: whatever changes between equal statements, the answers are those of a
database that plans each anew."""

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.coordinator.plans import SIZE_MAX, size_of
from engine.database import Database, Options, Session
from engine.errors import SqlError
from engine.plan.relation import UNIT, Constant, Union
from engine.types import INTEGER

MADE = [
    "CREATE TABLE one.t (a int, b text)", "CREATE TABLE two.t (a bigint, b text, c int DEFAULT 5)",
    "CREATE TABLE t (b text, a int)", "CREATE TEMPORARY TABLE t (a int, b text)",
    "CREATE VIEW t AS SELECT 7 AS a, 'v' AS b", "CREATE OR REPLACE VIEW t AS SELECT 8 AS a, 'w' AS b",
    "CREATE MATERIALIZED VIEW one.t AS SELECT 1 AS a, 'm' AS b",
    "DROP TABLE one.t", "DROP TABLE two.t CASCADE", "DROP TABLE t", "DROP VIEW t", "DROP SCHEMA two CASCADE",
    "CREATE SCHEMA two", "CREATE INDEX i ON t (a)", "CREATE UNIQUE INDEX i ON one.t (a)", "DROP INDEX i",
    "DROP INDEX one.i",
    "ALTER TABLE t RENAME COLUMN a TO z", "ALTER TABLE t RENAME COLUMN z TO a",
    "ALTER TABLE t ADD COLUMN d int DEFAULT 3",
    "ALTER TABLE t RENAME TO u", "ALTER TABLE u RENAME TO t", "ALTER TABLE one.t SET SCHEMA public",
    "ALTER TABLE t ALTER COLUMN a TYPE text", "COMMENT ON TABLE t IS 'said'", "COMMENT ON TABLE t IS NULL",
    "CREATE ROLE r", "DROP ROLE r", "CREATE TYPE ty AS (x int)", "DROP TYPE ty",
]  # fmt: skip
SET = [
    "SET search_path = one", "SET search_path = two, one", "SET search_path = public, two", "RESET search_path",
    "SET TimeZone = 'Europe/Paris'", "SET TimeZone = 'UTC'", "SET DateStyle = 'SQL, DMY'", "RESET DateStyle",
    "SET application_name = 'x'", "SET IntervalStyle = 'iso_8601'", "SET ROLE r", "RESET ROLE", "DISCARD ALL",
    "SET bytea_output = 'escape'",
]  # fmt: skip
WRITTEN = [
    "INSERT INTO t (a, b) VALUES (1, 'x'), (2, NULL)", "INSERT INTO one.t (a, b) VALUES (1, 'one')",
    "INSERT INTO two.t (a, b) VALUES (2, 'two')", "DELETE FROM t WHERE a = 1", "UPDATE t SET b = 'new' WHERE a > 1",
    "BEGIN", "COMMIT", "ROLLBACK",
]  # fmt: skip
ASKED = [
    "SELECT * FROM t ORDER BY 1, 2", "SELECT a FROM t WHERE a = 1", "SELECT b, count(*) FROM t GROUP BY b ORDER BY b",
    "SELECT x.b FROM t AS x JOIN one.t AS y ON x.a = y.a ORDER BY 1", "SELECT * FROM two.t ORDER BY 1, 2",
    "SELECT c.relname, n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE pg_table_is_visible(c.oid) AND c.relname IN ('t', 'u', 'i') ORDER BY 1, 2",
    "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relname = 't' ORDER BY 1", "SELECT to_regclass('t')::text",
    "SELECT 't'::regclass::text", "SELECT obj_description(oid) FROM pg_class WHERE relname = 't' ORDER BY 1",
    "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
    "WHERE c.relname = 't' AND attnum > 0 ORDER BY 1, 2",
    "SELECT current_user, session_user, current_schema, current_setting('application_name')",
    "SELECT current_schemas(false)::text", "SELECT has_table_privilege('r', 't', 'SELECT')",
    "SELECT 'r'::regrole::text", "SHOW TABLES", "SELECT pg_get_indexdef(oid) FROM pg_class WHERE relname = 'i'",
    "SELECT TIMESTAMPTZ '2026-01-02 03:04:05' = TIMESTAMPTZ '2026-01-02 03:04:05+00'",
    "SELECT INTERVAL '1 day 2 hours'::text, '01/02/2026'::date::text, 'a'::bytea::text",
    "SELECT name, setting FROM pg_settings WHERE name IN ('search_path', 'TimeZone', 'DateStyle') ORDER BY 1",
    "SELECT to_regtype('ty') IS NULL", "SELECT table_schema, column_name FROM information_schema.columns "
    "WHERE table_name = 't' ORDER BY 1, 2",
]  # fmt: skip

STEPS = st.tuples(st.integers(0, 1), st.one_of(*map(st.sampled_from, (MADE, SET, WRITTEN))))


def answer(session: Session, sql: str) -> object:
    try:
        result = session.execute(sql)
    except SqlError as error:
        return error.sqlstate, error.message
    return result.tag, [column.name for column in result.columns], result.rows()


@settings(max_examples=12)  # each is many statements of four sessions
@given(st.lists(st.tuples(STEPS, st.lists(st.sampled_from(ASKED), max_size=4)), min_size=3, max_size=14))
def test_a_plan_that_is_kept_is_never_stale(steps: list[tuple[tuple[int, str], list[str]]]) -> None:
    with Database.in_memory() as keeps, Database.in_memory(Options(plan_nodes_max=0)) as anew:
        for database in (keeps, anew):
            database.execute("CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE t (a int, b text)")
        pairs = [(keeps.session(), anew.session()) for _ in range(2)]
        for (who, step), asked in steps:
            for sql in (*asked, step, *asked):
                for kept, planned in pairs if sql != step else [pairs[who]]:
                    assert answer(kept, sql) == answer(planned, sql), sql


def test_what_is_of_a_moment_is_asked_each_time() -> None:
    with Database.in_memory() as database:
        database.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
        session = database.session()
        for sql in ("SELECT random() FROM t", "SELECT txid_current()", "SELECT gen_random_uuid()"):
            assert session.execute(sql).rows() != session.execute(sql).rows(), sql
        sizes = "SELECT pg_relation_size(oid) FROM pg_class WHERE relname = 't'"
        before = session.execute(sizes).rows()
        session.execute("INSERT INTO t SELECT * FROM generate_series(1, 100000)")
        assert session.execute(sizes).rows() != before


def test_no_more_are_kept_than_are_allowed() -> None:
    with Database.in_memory(Options(plan_nodes_max=100)) as database:
        database.execute("CREATE TABLE t (a int)")
        plans, numbers = database._coordinator.plans, count()
        for _ in range(50):
            database.execute(f"SELECT a + {next(numbers)} FROM t")
            assert plans.nodes <= 100
        assert plans.nodes > 50


def test_what_is_large_or_shared_is_planned_each_time() -> None:
    shared = UNIT
    for _ in range(64):
        shared = Union((shared, shared))
    assert size_of(shared) > SIZE_MAX
    assert size_of(Constant(tuple(((i,), 1) for i in range(SIZE_MAX)), (INTEGER,))) > SIZE_MAX
    assert size_of(UNIT) == 1
