"""What tools that are no Python packages ask when they connect: each query answers, and finds what is there.

startup/TOOL.sql has them, its first line says where from. Behind a query, `-- finds: a, b` says which cells its rows
have, and `-- finds nothing` that it has none; where neither stands, there are rows.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.main import Running

TOOLS = sorted((Path(__file__).parent / "startup").glob("*.sql"))
SIMPLE = {"npgsql"}
"""Who sends them as simple queries; the others prepare each and ask for its columns first."""


def _queries(file: Path) -> Iterator[tuple[str, str]]:
    """Each query, and what the line behind it says."""
    _, text = file.read_text(encoding="utf-8").split("\n", 1)
    yield from re.findall(r"(.+?;)\n(?:-- (finds[^\n]*)\n)?\s*", text, flags=re.DOTALL)


@pytest.mark.parametrize("file", TOOLS, ids=[file.stem for file in TOOLS])
def test_what_a_tool_asks_when_it_connects(server: Running, file: Path):
    queries = list(_queries(file))
    assert queries
    with (
        psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as session,
        psycopg.ClientCursor(session) if file.stem in SIMPLE else session.cursor() as cursor,
    ):
        for query, said in queries:
            cursor.execute(query.encode(), prepare=file.stem not in SIMPLE)
            rows = cursor.fetchall()
            if said == "finds nothing":
                assert not rows, query
            else:
                assert rows, query
                cells = {str(cell) for row in rows for cell in row}
                assert cells.issuperset(said.removeprefix("finds: ").split(", ") if said else ()), query
