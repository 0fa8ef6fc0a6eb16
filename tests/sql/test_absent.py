"""Statements that PostgreSQL or Materialize knows and that are not run: each error says what to do instead."""

import pytest

from engine.database import Database
from engine.errors import DuplicateObject, SyntaxError_, UndefinedObject, Unsupported, WrongObjectType
from engine.expr import absent
from engine.sql.dialect import parse

ELSEWHERE = [
    "SELECT a FROM t FOR UPDATE",
    "CREATE TABLE p (LIKE t)",
    "CREATE TABLE p (a int) INHERITS (t)",
    "CREATE TABLE p (a int) PARTITION BY RANGE (a)",
    "CREATE VIEW v AS SELECT 1 AS a WITH CHECK OPTION",
    "ALTER DATABASE d SET x = 1",
    "CREATE VIEW v AS SELECT a INTO u FROM t",
    "INSERT INTO t SELECT a INTO u FROM t",
    "SELECT * FROM (SELECT a INTO u FROM t) AS x",
    "SELECT a INTO u FROM t AS OF 1",
    "COPY (SELECT a INTO u FROM t) TO STDOUT",
    "DECLARE c CURSOR FOR SELECT a INTO u FROM t",
]


@pytest.mark.parametrize("sql", [*(" ".join(words) + " x" for words in absent.FORMS), *ELSEWHERE])
def test_a_statement_known_elsewhere_says_what_to_do(sql):
    with pytest.raises(Unsupported) as raised:
        parse(sql)
    assert raised.value.hint
    assert raised.value.position


@pytest.mark.parametrize("words", absent.ALTERATIONS)
def test_so_does_an_action_of_alter(words):
    with pytest.raises(Unsupported) as raised:
        parse(f"ALTER TABLE t {' '.join(words)} x")
    assert raised.value.hint


@pytest.mark.parametrize(
    "sql", ["CREATE", "CREATE OR REPLACE", "ALTER TABLE t", "ALTER", "SELECT a INTO", "NONSENSE x"]
)
def test_what_nobody_knows_is_a_syntax_error(sql):
    with pytest.raises(SyntaxError_):
        parse(sql)


def test_select_into_makes_a_table():
    with Database.in_memory() as db, db.session() as session:
        session.execute("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
        assert session.execute("SELECT a, upper(b) AS c INTO u FROM t WHERE a > 1").tag == "SELECT 1"
        assert session.execute("SELECT * FROM u").rows() == [(2, "Y")]
        session.execute("SELECT a INTO TEMPORARY TABLE mine FROM t UNION ALL SELECT 3")
        assert sorted(session.execute("SELECT a FROM mine").rows()) == [(1,), (2,), (3,)]


def test_a_cluster_is_renamed(tmp_path):
    with Database.open(tmp_path) as db:
        db.execute("CREATE CLUSTER a; COMMENT ON CLUSTER a IS 'one'; ALTER CLUSTER a RENAME TO b")
        with pytest.raises(DuplicateObject):
            db.execute("ALTER CLUSTER b RENAME TO quickstart")
        with pytest.raises(WrongObjectType):
            db.execute("ALTER CLUSTER quickstart RENAME TO c")
    with Database.open(tmp_path) as db:
        db.execute("SET cluster = b")
        with pytest.raises(UndefinedObject):
            db.execute("SET cluster = a")
        assert db.execute("SELECT comment FROM mz_internal.mz_comments").rows() == [("one",)]
