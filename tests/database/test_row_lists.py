"""`(a, b) [NOT] IN` of rows, with NULLs on either side: a list that is joined with, a relation, and each kept as a view
are what SQL says of three-valued comparisons one by one."""

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
