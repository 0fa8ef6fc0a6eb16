"""CREATE TYPE: a name for what a value is made of, known to whatever is in the catalog after it."""

import pytest

from engine.database import Database
from engine.errors import (
    DependentObjects,
    DuplicateColumn,
    DuplicateRelation,
    InvalidParameter,
    SyntaxError_,
    UndefinedObject,
    Unsupported,
    WrongObjectType,
)

WORLD = """
    CREATE TYPE numbers AS LIST (ELEMENT TYPE = int4);
    CREATE TYPE many AS LIST (element_type = numbers);
    CREATE TYPE prices AS MAP (KEY TYPE = text, VALUE TYPE = numeric(5, 2));
    CREATE TYPE point AS (x float8, "Y" float8);
    CREATE TABLE t (n numbers, p point, s struct<a int, b struct<c int[]>>);
    CREATE MATERIALIZED VIEW m AS SELECT (p).x, n::text, '{a=>1.239}'::prices -> 'a' AS price FROM t;
"""


def test_types_are_what_they_are_made_of(tmp_path):
    with Database.open(tmp_path) as db:
        db.execute(WORLD)
        db.execute("INSERT INTO t VALUES ('{1,2}', (1, '2.5'), ROW(1, ROW(ARRAY[3])))")
        db.execute("UPDATE t SET p = ('3', 4) WHERE (p).x = 1")
    with Database.open(tmp_path) as db:
        assert [tuple(map(str, row)) for row in db.execute("SELECT * FROM m").rows()] == [("3.0", "{1,2}", "1.24")]
        assert db.execute("SELECT ((s).b).c[1], (p).\"Y\", '{{1},{2,3}}'::many::text FROM t").rows() == [
            (3, 4.0, "{{1},{2,3}}")
        ]
        with pytest.raises(DependentObjects):
            db.execute("DROP TYPE point")
        with pytest.raises(DependentObjects):
            db.execute("DROP TYPE prices")
        db.execute("DROP TYPE numbers CASCADE")
        with pytest.raises(UndefinedObject):
            db.execute("SELECT '{}'::many")
        db.execute("DROP TYPE prices, point; DROP TYPE IF EXISTS prices")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE TYPE x AS LIST (ELEMENT TYPE = int4 list)", InvalidParameter),
        ("CREATE TYPE x AS LIST (KEY TYPE = int4)", SyntaxError_),
        ("CREATE TYPE x AS MAP (KEY TYPE = text)", SyntaxError_),
        ("CREATE TYPE x AS MAP (KEY TYPE = int4, VALUE TYPE = text)", Unsupported),
        ("CREATE TYPE x AS LIST (ELEMENT TYPE = nope)", UndefinedObject),
        ("CREATE TYPE x AS (a int, a text)", DuplicateColumn),
        ("CREATE TYPE x AS ENUM ('a')", Unsupported),
        ("CREATE TYPE t AS (a int)", DuplicateRelation),
        ("CREATE TABLE point (a int)", DuplicateRelation),
        ("SELECT * FROM point", WrongObjectType),
        ("SELECT 1::t", UndefinedObject),
        ("SELECT 1::nope.int4", UndefinedObject),
        ("DROP TYPE t", WrongObjectType),
        ("DROP TABLE point", WrongObjectType),
    ],
)
def test_what_is_no_type(sql, error):
    with Database.in_memory() as db:
        db.execute(WORLD)
        with pytest.raises(error):
            db.execute(sql)
