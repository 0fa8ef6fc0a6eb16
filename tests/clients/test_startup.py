"""What tools that are no Python packages ask when they connect: each query answers, and finds what is there.

startup/TOOL.sql has them, its first line says where from: captured as they were sent, or of the same relations,
columns, functions and joins in our own words. `<sales>` is the number of the table, as the tool had it from an earlier
query. Behind a query, `-- finds: a, b` says which cells its rows have, and `-- finds nothing` that it has none; where
neither stands, there are rows.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.main import Running

TOOLS = sorted((Path(__file__).parent / "startup").glob("*.sql"))
SIMPLE = {"npgsql", "pgadmin", "superset"}
"""Who sends them as simple queries; the others prepare each and ask for its columns first."""


@pytest.fixture(scope="module")
def numbers(url: str) -> dict[str, str]:
    """The OIDs of what the queries are about, by its name."""
    relations = ("sales", "sales_pkey", "big", "totals", "totals_shop")
    with psycopg.connect(url) as session:
        found = {name: session.execute("SELECT %s::regclass::oid", [name]).fetchone() for name in relations}
        found["public"] = session.execute("SELECT oid FROM pg_namespace WHERE nspname = 'public'").fetchone()
        found["database"] = session.execute("SELECT oid FROM pg_database").fetchone()
    return {name: str(row[0]) for name, row in found.items() if row is not None}


def _queries(file: Path, numbers: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each query, and what the line behind it says."""
    _, text = file.read_text(encoding="utf-8").split("\n", 1)
    text = re.sub("<(" + "|".join(numbers) + ")>", lambda name: numbers[name[1]], text)
    yield from re.findall(r"(.+?;)\n(?:-- (finds[^\n]*)\n)?\s*", text, flags=re.DOTALL)


@pytest.mark.parametrize("file", TOOLS, ids=[file.stem for file in TOOLS])
def test_what_a_tool_asks_when_it_connects(server: Running, numbers: dict[str, str], file: Path):
    queries = list(_queries(file, numbers))
    assert queries
    with (
        psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as session,
        psycopg.ClientCursor(session) if file.stem in SIMPLE else session.cursor() as cursor,
    ):
        for query, said in queries:
            cursor.execute(query.encode(), prepare=file.stem not in SIMPLE)
            if cursor.description is None:  # SET
                continue
            rows = cursor.fetchall()
            if said == "finds nothing":
                assert not rows, query
            else:
                assert rows, query
                cells = {str(cell) for row in rows for cell in row}
                assert cells.issuperset(said.removeprefix("finds: ").split(", ") if said else ()), query
