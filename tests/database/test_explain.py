"""EXPLAIN of what is there and of what would be made."""

import pytest

from engine.database import Database
from engine.errors import Unsupported, WrongObjectType


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
