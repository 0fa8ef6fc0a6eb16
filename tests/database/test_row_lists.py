"""`(a, b) [NOT] IN` of rows, with NULLs on either side: a list that is joined with, a relation, and each kept as a view
are what SQL says of three-valued comparisons one by one."""

from collections import Counter
from itertools import product
from random import Random

import pytest

from engine.database import Database

Row = tuple[int | None, ...]

LONG = 80
"""So many rows of constants are joined with."""


def compared(asker: Row, rows: list[Row]) -> bool | None:
    """What `asker IN rows` is."""
    unknown = False
    for row in rows:
        equal = [None if one is None or other is None else one == other for one, other in zip(asker, row, strict=True)]
        if False not in equal:
            if None not in equal:
                return True
            unknown = True
    return None if unknown else False


def listed(row: Row) -> str:
    return f"({', '.join('NULL' if value is None else str(value) for value in row)})"


@pytest.mark.parametrize("required", [(), (0,), (0, 1)])
@pytest.mark.parametrize("nulls", [(), (0,), (0, 1)])
def test_rows_in_and_not_in_are_three_valued(db: Database, required: tuple[int, ...], nulls: tuple[int, ...]) -> None:
    """`required` columns of the askers are NOT NULL; `nulls` are those in which a row of the list may be NULL."""
    random = Random(repr((required, nulls)))
    columns = [f"{name} int{' NOT NULL' if i in required else ''}" for i, name in enumerate("ab")]
    db.execute(f"CREATE TABLE t ({', '.join(columns)}); CREATE TABLE other (x int, y int)")
    values = [range(14) if i in required else (None, *range(14)) for i in range(2)]
    rows: list[Row] = [(n % 9, n // 9) for n in range(LONG)]
    for column in nulls:
        n = random.randrange(LONG)
        rows[n] = (None, rows[n][1]) if column == 0 else (rows[n][0], None)
    text = ", ".join(map(listed, rows))
    db.execute(f"INSERT INTO other VALUES {text}")
    asks = {
        "IN list": f"(a, b) IN ({text})",
        "NOT IN list": f"(a, b) NOT IN ({text})",
        "IN rows": "(a, b) IN (SELECT * FROM other)",
        "NOT IN rows": "(a, b) NOT IN (SELECT * FROM other)",
    }
    for name, predicate in asks.items():
        db.execute(f'CREATE MATERIALIZED VIEW "{name}" AS SELECT a, b FROM t WHERE {predicate}')
    askers: list[Row] = list(product(*values))
    there = askers[::2]
    db.execute(f"INSERT INTO t VALUES {', '.join(map(listed, there))}")
    for name, predicate in asks.items():
        wanted = "NOT" not in name
        right = [row for row in there if compared(row, rows) is wanted]
        assert db.execute(f"SELECT a, b FROM t WHERE {predicate} ORDER BY a, b").rows() == ordered(right)
        assert db.execute(f'SELECT * FROM "{name}" ORDER BY a, b').rows() == ordered(right)
    db.execute(f"INSERT INTO t VALUES {', '.join(map(listed, askers[1::2]))}; DELETE FROM t WHERE a > 5 OR b IS NULL")
    db.execute("DELETE FROM other WHERE x IS NULL OR y IS NULL")
    there = [row for row in askers if not ((row[0] is not None and row[0] > 5) or row[1] is None)]
    for name in asks:
        among = rows if "list" in name else [row for row in rows if None not in row]
        right = [row for row in there if compared(row, among) is ("NOT" not in name)]
        assert db.execute(f'SELECT * FROM "{name}" ORDER BY a, b').rows() == ordered(right)


def ordered(rows: list[Row]) -> list[Row]:
    """NULLs last, as ORDER BY has them."""
    return sorted(rows, key=lambda row: [(value is None, value or 0) for value in row])


@pytest.mark.parametrize("other", ["5000000000", "7.5", "3.00", "2::smallint"])
def test_numbers_of_all_widths_are_one_list(db: Database, other: str) -> None:
    """Rows whose numbers are of other types are joined with all the same, and equal numbers are equal."""
    db.execute("CREATE TABLE t (a smallint, b bigint, c numeric)")
    db.execute("INSERT INTO t SELECT i % 20, i, i / 2.0 FROM generate_series(0, 99) AS i UNION ALL SELECT NULL, 5, 5")
    rows = [("2", "2", "1"), (other, "3", "1.5"), ("4", other, "2"), ("3", "3", other), ("3", "23", "11.5")]
    rows += [(str(n % 20), str(2 * n), str(n)) for n in range(100, 100 + LONG)]
    text = ", ".join(f"({', '.join(row)})" for row in rows)
    one_by_one = " OR ".join(f"(a = {a} AND b = {b} AND c = {c})" for a, b, c in rows)
    for word, plain in (("IN", one_by_one), ("NOT IN", f"NOT ({one_by_one})")):
        asked = f"SELECT a, b, c FROM t WHERE (a, b, c) {word} ({text}) ORDER BY b, a"
        # In a SELECT list nothing is made a join.
        right = db.execute(f"SELECT a, b, c FROM (SELECT *, {plain} AS holds FROM t) AS s WHERE holds ORDER BY b, a")
        assert db.execute(asked).rows() == right.rows()
        assert "Join" in "\n".join(line for (line,) in db.execute(f"EXPLAIN {asked}").rows())


@pytest.mark.parametrize("array", ["ARRAY", "LIST"])
def test_the_array_of_a_query_is_its_rows(db: Database, array: str) -> None:
    """Searched in a filter, where it is joined with, and in a SELECT list, where it is an array: NULLs on either side,
    no rows at all, rows of the row around; kept as views too."""
    db.execute("CREATE TABLE t (a int, g int); CREATE TABLE other (x int, g int)")
    asks = [
        f"a {operator} ({array}(SELECT x FROM other WHERE {where} ORDER BY x))"
        for operator in ("= ANY", "<> ALL")
        for where in ("true", "x IS NOT NULL", "false", "other.g = t.g", "x + t.g > 3")
    ]
    for n, asked in enumerate(asks):
        db.execute(f"CREATE MATERIALIZED VIEW v{n} AS SELECT a, g FROM t WHERE {asked}")
    for change in (
        "INSERT INTO t SELECT nullif(i % 7, 6), i % 3 FROM generate_series(0, 20) AS i",
        "INSERT INTO other VALUES (1, 0), (1, 0), (2, 1), (5, NULL)",
        "INSERT INTO other VALUES (NULL, 1), (3, 2)",
        "DELETE FROM other WHERE x = 1; DELETE FROM t WHERE a = 2",
        "DELETE FROM other WHERE x IS NULL",
    ):
        db.execute(change)
        for n, asked in enumerate(asks):
            held = f"SELECT a, g FROM (SELECT *, {asked} AS holds FROM t) AS s WHERE coalesce(holds, false)"
            right = Counter(db.execute(held).rows())
            assert Counter(db.execute(f"SELECT a, g FROM t WHERE {asked}").rows()) == right, asked
            assert Counter(db.execute(f"SELECT * FROM v{n}").rows()) == right, asked
