"""What is equal and which of two is less, of doubles and intervals within arrays and records: as in PostgreSQL."""

from random import Random

import pytest

from engine.database import Database
from tests.postgres.conftest import Upstream

FLOATS = ("0", "-0", "1", "NaN", "-Infinity", "NULL")
SPANS = ('"1 mon"', '"30 days"', '"720:00:00"', '"29 days 24:00:00"', '"31 days"', '"-1 mon"', '"-30 days"', "NULL")
QUERIES = (
    "SELECT a.i, b.i FROM t a JOIN t b ON a.x = b.x ORDER BY a.i, b.i",
    "SELECT i FROM t ORDER BY x, i",
    "SELECT i FROM t ORDER BY ROW(x, 1) DESC, i",
    "SELECT a.i, b.i FROM t a, t b WHERE a.x < b.x AND ROW(1, a.x) <= ROW(1, b.x) ORDER BY a.i, b.i",
    "SELECT min(i), count(*) FROM t GROUP BY x ORDER BY 1",
    "SELECT count(*) FROM (SELECT x FROM t UNION SELECT y FROM t) q",
    "SELECT count(*) FROM (SELECT x FROM t INTERSECT SELECT y FROM t) q",
    "SELECT i FROM t WHERE x IN (SELECT y FROM t) ORDER BY i",
    "SELECT count(DISTINCT x), cardinality(array_agg(DISTINCT y[1])) FROM t",
    "SELECT i, dense_rank() OVER (ORDER BY x) FROM t ORDER BY i",
    "SELECT i, (SELECT count(*) FROM t WHERE x = least), (SELECT count(*) FROM t WHERE x = most) FROM (SELECT i, "
    "min(x) OVER (ORDER BY i) AS least, max(x) OVER (ORDER BY i ROWS 3 PRECEDING) AS most FROM t) q ORDER BY i",
    "SELECT i, x @> y, x && y, array_position(x, y[1]), x[1] = ANY (y), array_positions(x, y[1]) FROM t ORDER BY i",
    "SELECT i, greatest(x, y) = x, least(x, y) = x, x IS DISTINCT FROM y, nullif(x, y) IS NULL FROM t ORDER BY i",
    "SELECT (SELECT count(*) FROM t b WHERE b.x = max(t.x)), (SELECT count(*) FROM t b WHERE b.x = min(t.x)) FROM t",
)


@pytest.mark.parametrize(("element", "parts"), [("double precision", FLOATS), ("interval", SPANS)])
def test_parts_that_are_equal_make_equal_values(upstream: Upstream, element: str, parts: tuple[str, ...]) -> None:
    random = Random(element)

    def drawn() -> str:
        return f"'{{{','.join(random.choices(parts, k=random.randrange(3)))}}}'"

    rows = ", ".join(f"({i}, {drawn()}, {drawn()})" for i in range(40))
    statements = (f"CREATE TABLE t (i bigint, x {element}[], y {element}[])", f"INSERT INTO t VALUES {rows}")
    upstream.run(*statements)
    with Database.in_memory() as db:
        for statement in statements:
            db.execute(statement)
        for query in QUERIES:
            assert db.execute(query).rows() == upstream.run(query), query
