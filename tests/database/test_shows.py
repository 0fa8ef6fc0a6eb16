"""SHOW of objects: as a statement, and as a relation wherever a query may stand."""

import pytest

from engine.database import Database
from engine.errors import SyntaxError_, UndefinedObject, UndefinedSchema, Unsupported, WrongObjectType
from engine.sql.grammar.listings import SHOWN


@pytest.fixture(scope="module")
def db():
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (a int PRIMARY KEY, b text); CREATE VIEW v AS SELECT * FROM t; CREATE SCHEMA other")
        db.execute(
            "CREATE MATERIALIZED VIEW m AS SELECT b FROM t; CREATE INDEX i ON m (b); CREATE TABLE other.u (a int)"
        )
        db.execute("COMMENT ON TABLE t IS 'of things'; COMMENT ON COLUMN t.a IS 'their number'")
        db.execute("CREATE SOURCE s FROM LOAD GENERATOR COUNTER; CREATE TYPE p AS (x int); CREATE CLUSTER c")
        yield db


@pytest.mark.parametrize("full", ["", "FULL ", "EXTENDED ", "FULL EXTENDED "])
@pytest.mark.parametrize("what", [" ".join(words) for words in SHOWN])
def test_everything_can_be_listed_in_every_form(db, what, full):
    shown = f"SHOW {full}{what}" + (" FROM t" if what == "columns" else "")
    rows = db.execute(shown).rows()
    assert sorted(map(str, db.execute(f"SELECT * FROM ({shown}) AS s").rows())) == sorted(map(str, rows))
    assert db.execute(f"{shown} WHERE false").rows() == []
    assert db.execute(f"{shown} LIKE '%'").rows() == rows
    assert db.execute(f"{shown} LIKE 'nothing is called so'").rows() == []


def test_what_they_list(db):
    def rows(sql):
        return db.execute(sql).rows()

    assert rows("SHOW TABLES") == [("t",)]
    assert rows("SHOW TABLES FROM other") == [("u",)]
    assert {("t",), ("u",), ("mz_tables",)} <= set(rows("SHOW EXTENDED TABLES"))
    assert [row[0::4] for row in rows("SHOW FULL TABLES")] == [("t", "of things")]
    assert rows("SHOW FULL COLUMNS FROM t")[0] == ("a", False, "integer", "their number")
    assert rows("SHOW INDEXES ON m") == rows("SHOW INDEX FROM m IN CLUSTER quickstart") == [("i", "m", "b", True)]
    assert [row[0] for row in rows("SHOW INDEXES FROM public")] == ["i", "t_pkey"]
    assert rows("SHOW CLUSTERS") == [("c", "r1"), ("quickstart", "r1")]
    assert rows("SHOW CLUSTER REPLICAS WHERE cluster = 'c'") == [("c", "r1", None, True)]
    assert rows("SHOW CREATE CLUSTER c") == [("c", "CREATE CLUSTER c")]
    assert ("s_progress", "progress") in rows("SHOW SUBSOURCES ON s")
    assert rows("SHOW TYPES") == [("p",)]
    assert rows("SHOW ROLES") == [("materialize",)]


def test_a_listing_is_a_query(db):
    assert db.execute("SELECT count(*) FROM (SHOW TABLES) s, (SHOW VIEWS) v").rows() == [(1,)]
    assert db.execute("WITH s AS (SHOW COLUMNS FROM t) SELECT type FROM s WHERE name = 'b'").rows() == [("text",)]
    assert db.execute("SELECT (SELECT max(name) FROM (SHOW TABLES) s) AS found").rows() == [("t",)]
    assert db.execute("SHOW VIEWS UNION SHOW TABLES ORDER BY name DESC LIMIT 1").rows() == [("v",)]
    with pytest.raises(Unsupported, match="SHOW in a view"):
        db.execute("CREATE VIEW w AS SELECT * FROM (SHOW TABLES) s")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SHOW TABLES FROM nowhere", UndefinedSchema),
        ("SHOW TABLES IN CLUSTER nowhere", UndefinedObject),
        ("SHOW SUBSOURCES ON t", WrongObjectType),
        ("SHOW VIEWS ON t", Unsupported),
        ("SHOW CLUSTERS FROM t", Unsupported),
        ("SHOW COLUMNS", SyntaxError_),
        ("SHOW TABLES LIKE", SyntaxError_),
        ("SHOW CREATE CLUSTER nowhere", UndefinedObject),
    ],
)
def test_errors(db, sql, error):
    with pytest.raises(error):
        db.execute(sql)
