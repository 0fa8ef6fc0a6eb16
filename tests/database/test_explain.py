"""EXPLAIN of what is there and of what would be made."""

import json

import pytest

from engine.database import Database
from engine.errors import InvalidParameter, Unsupported, WrongObjectType


@pytest.fixture
def db():
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a, sum(b) AS s FROM t GROUP BY a")
        db.execute("CREATE INDEX i ON v (a); CREATE INDEX j ON t (a); CREATE TYPE p AS (x int)")
        yield db


def shown(db, sql):
    ((text,),) = db.execute(sql).rows()
    return text


@pytest.mark.parametrize("stage", ["RAW", "DECORRELATED", "OPTIMIZED", "PHYSICAL"])
def test_a_view_its_index_and_its_query_have_one_plan(db, stage):
    query = "SELECT a, sum(b) AS s FROM t GROUP BY a"
    plan = shown(db, f"EXPLAIN {stage} PLAN FOR VIEW v")
    for target in ("INDEX i", "CREATE VIEW w AS " + query, "CREATE INDEX k ON v (s)"):
        assert shown(db, f"EXPLAIN {stage} PLAN FOR {target}") == plan
    assert shown(db, f"EXPLAIN {stage} PLAN FOR CREATE MATERIALIZED VIEW w AS {query}") == shown(
        db, f"EXPLAIN {stage} PLAN AS TEXT FOR {query}"
    )
    assert "t" in shown(db, f"EXPLAIN {stage} PLAN FOR INDEX j")


def test_nothing_is_made(db):
    db.execute("EXPLAIN CREATE MATERIALIZED VIEW w AS SELECT 1")
    assert db.execute("SHOW MATERIALIZED VIEWS").row_count == 0


def test_what_has_no_plan(db):
    with pytest.raises(WrongObjectType):
        db.execute("EXPLAIN OPTIMIZED PLAN FOR VIEW p")
    with pytest.raises(Unsupported):
        db.execute("EXPLAIN CREATE TABLE u (a int)")


def test_json_has_what_the_text_has(db):
    query = "SELECT a, (SELECT max(b) FROM t) FROM t WHERE b > 1 AND a IN (SELECT a FROM v) ORDER BY a LIMIT 3"
    for stage in ("RAW", "DECORRELATED", "OPTIMIZED", "PHYSICAL"):
        found = json.loads(shown(db, f"EXPLAIN {stage} PLAN AS JSON FOR {query}"))
        assert found["stage"] == stage.lower()
        lines = [line.strip() for line in shown(db, f"EXPLAIN {stage} PLAN FOR {query}").splitlines()]
        assert sorted(texts(found["plan"])) == sorted(line for line in lines if line != "Return")


def texts(plan):
    """The lines of a plan's text."""
    yield plan["text"]
    yield from plan.get("lines", ())
    for child in plan.get("inputs", ()):
        yield from texts(child)
    for part in plan.get("parts", ()):
        yield part["name"] + (" =" if part["name"].startswith("cte") else "")
        yield from texts(part["plan"])
    if "result" in plan:
        yield from texts(plan["result"])


def test_options(db):
    plan = shown(db, "EXPLAIN WITH (arity, types, keys, cardinality, non negative) FOR SELECT a, b FROM t LIMIT 2")
    assert plan.splitlines()[1] == (
        '  Get materialize.public.t // { arity: 2, types: "(integer?, integer?)", keys: "()", '
        'cardinality: "unbounded", non negative: true }'
    )
    named = "WITH (humanized expressions, column names)"
    assert '#1{b} > 1) // { column names: "(a, b)" }' in shown(db, f"EXPLAIN {named} FOR SELECT * FROM t WHERE b > 1")
    assert "keep #1{b} > 1" in shown(db, f"EXPLAIN PHYSICAL PLAN {named} FOR SELECT * FROM t WHERE b > 1")
    assert "12345" not in shown(
        db, "EXPLAIN WITH (redacted) FOR SELECT * FROM t, (VALUES (12345)) AS x WHERE b = 12345"
    )
    joined = "FOR SELECT * FROM t AS x JOIN t AS y USING (a) WHERE x.b > 1"
    plan = shown(db, f"EXPLAIN WITH (join implementations, filter pushdown) {joined}")
    assert (plan.count('implementation: "delta"'), plan.count('pushdown: "()"')) == (1, 2)
    physical = f"EXPLAIN PHYSICAL PLAN WITH (join implementations, filter pushdown) {joined}"
    assert shown(db, physical) == shown(db, f"EXPLAIN PHYSICAL PLAN {joined}")
    assert "Planning time" in shown(db, "EXPLAIN WITH (timing) FOR SELECT 1")
    assert shown(db, "EXPLAIN WITH (types = false) FOR SELECT 1") == shown(db, "EXPLAIN SELECT 1")
    with pytest.raises(InvalidParameter, match="unrecognized EXPLAIN option"):
        db.execute("EXPLAIN WITH (nonsense) FOR SELECT 1")
    with pytest.raises(InvalidParameter, match="does not know keys"):
        db.execute("EXPLAIN PHYSICAL PLAN WITH (keys) FOR SELECT 1")


def test_postgresqls_options(db):
    assert json.loads(shown(db, "EXPLAIN (FORMAT JSON, VERBOSE) SELECT a FROM t"))["plan"]["types"] == "(integer?)"
    with pytest.raises(Unsupported, match="EXPLAIN ANALYZE of a query"):
        db.execute("EXPLAIN (ANALYZE) SELECT 1")


def test_a_look_up_is_told(db):
    assert "Lookup t by (#0) = (7)" in shown(db, "EXPLAIN PHYSICAL PLAN FOR SELECT * FROM t WHERE a = 7")


def test_look_ups_inside_a_query_are_told(db):
    db.execute("CREATE TABLE w (p int, q int, r int); CREATE INDEX w_pq ON w (p, q)")
    query = "SELECT count(*) FROM t, w WHERE t.b = w.r AND w.p = 1 AND w.q IN (2, 3)"
    assert "Lookup w by (#0, #1) = (1, 2), (1, 3) in index w_pq" in shown(db, f"EXPLAIN PHYSICAL PLAN FOR {query}")
    text = shown(db, "EXPLAIN PHYSICAL PLAN FOR SELECT * FROM w WHERE p = 1")
    assert "no look-up in index w_pq: it is by whole keys, and no value of #1 is given" in text
    plan = json.loads(shown(db, "EXPLAIN PHYSICAL PLAN AS JSON FOR SELECT * FROM w WHERE p = 1 AND q = 2"))["plan"]
    assert plan["remarks"] == ["Lookup w by (#0, #1) = (1, 2) in index w_pq"]


def test_an_or_is_told_by_each_key(db):
    db.execute("CREATE TABLE w (p int, q int, r int); CREATE INDEX w_p ON w (p); CREATE INDEX w_q ON w (q)")
    text = shown(db, "EXPLAIN PHYSICAL PLAN FOR SELECT * FROM w WHERE p = 1 AND r > 2 OR q IN (2, 3) OR p = 4")
    assert "Lookup w by (#0) = (1), (4) in index w_p" in text
    assert "Lookup w by (#1) = (2), (3) in index w_q" in text
    assert "Lookup" not in shown(db, "EXPLAIN PHYSICAL PLAN FOR SELECT * FROM w WHERE p = 1 OR r = 2")


def test_what_runs_and_what_would(db):
    db.execute("CREATE MATERIALIZED VIEW m AS SELECT t.a, v.s FROM t, v WHERE t.a = v.a")
    before = shown(db, "EXPLAIN PHYSICAL PLAN FOR MATERIALIZED VIEW m")
    assert before == shown(db, "EXPLAIN PHYSICAL PLAN FOR REPLAN MATERIALIZED VIEW m")


def test_timestamp(db):
    db.execute("INSERT INTO t VALUES (1, 2)")
    found = json.loads(shown(db, "EXPLAIN TIMESTAMP AS JSON FOR SELECT * FROM t, v"))
    assert found["since"] <= found["query timestamp"] < found["upper"]
    assert found["can respond immediately"] is True
    assert [source["name"].split(" ")[0] for source in found["sources"]] == ["materialize.public.t"]
    assert "query timestamp:" in shown(db, "EXPLAIN TIMESTAMP FOR SELECT * FROM t")


def test_what_operators_took(db):
    db.execute("INSERT INTO t VALUES (1, 2), (3, 4)")
    rows = db.execute("EXPLAIN ANALYZE CPU, MEMORY FOR INDEX i").rows()
    assert [row[0].split(" ")[0] for row in rows][-1] == "Source"
    assert any(row[1].microseconds > 0 for row in rows)
    ((sql,),) = db.execute("EXPLAIN ANALYZE MEMORY FOR INDEX i AS SQL").rows()
    assert db.execute(sql).rows() == db.execute("EXPLAIN ANALYZE MEMORY FOR INDEX i").rows()
    assert db.execute("EXPLAIN ANALYZE HINTS FOR INDEX i").row_count == 0
    with pytest.raises(WrongObjectType):
        db.execute("EXPLAIN ANALYZE MEMORY FOR MATERIALIZED VIEW t")


@pytest.mark.parametrize(
    ("query", "again"),
    [
        *((f"SELECT a, {call} FROM s GROUP BY a", []) for call in (
            "count(*), sum(b), avg(b), max(t), bool_and(b > 1), bit_and(b), stddev(b), count(DISTINCT b)",
            "string_agg(t, ',' ORDER BY b), array_agg(b), list_agg(xs), jsonb_agg(b), jsonb_object_agg(t, b)",
            "mode() WITHIN GROUP (ORDER BY b), percentile_cont(0.5) WITHIN GROUP (ORDER BY b), first_value(b), max(d)",
        )),
        *((f"SELECT a, {call} FROM s GROUP BY a", ["touched groups"]) for call in (
            "sum(d)", "avg(d), count(*)", "array_agg(xs)", "array_agg(DISTINCT xs)",
        )),
        ("SELECT DISTINCT a FROM s EXCEPT SELECT b FROM s ORDER BY 1 LIMIT 3", []),
        ("SELECT a, b, sum(b) OVER (PARTITION BY a) FROM s", []),
        ("SELECT lag(b) OVER (ORDER BY a) FROM s", ["neighbours of a change"]),
        ("SELECT rank() OVER (ORDER BY a) FROM s", ["rows behind a change"]),
        ("SELECT nth_value(b, 2) OVER w, last_value(b) OVER w FROM s WINDOW w AS (ORDER BY a ROWS BETWEEN "
         "UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW)", ["rows on both sides of a change"]),
        ("SELECT ntile(3) OVER (ORDER BY a) FROM s", ["touched partitions"]),
        ("WITH MUTUALLY RECURSIVE r (a int) AS (SELECT a FROM s UNION SELECT b FROM s JOIN r USING (a)) "
         "SELECT * FROM r", []),
        ("WITH MUTUALLY RECURSIVE r (a int) AS (SELECT max(a) FROM (SELECT a FROM s UNION SELECT a + 1 FROM r "
         "WHERE a < 9) AS x) SELECT * FROM r", ["touched groups in each pass, or the loop"]),
    ],
)  # fmt: skip
def test_what_looks_at_more_than_changes_says_so(db, query, again):
    db.execute("CREATE TABLE s (a int, b int, t text, d interval, xs int[])")
    lines = shown(db, f"EXPLAIN PHYSICAL PLAN FOR {query}").splitlines()
    assert [line.split("recomputes=")[1] for line in lines if "recomputes=" in line] == again
    told = json.dumps(json.loads(shown(db, f"EXPLAIN PHYSICAL PLAN AS JSON FOR {query}")))
    assert told.count('"recomputes"') == len(again)
