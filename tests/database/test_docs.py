"""The pages on variables and sources say what the code does."""

import re
from pathlib import Path

from engine.coordinator.variables import VARIABLES
from engine.sql.dialect import parse

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> list[list[str]]:
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def test_variables() -> None:
    told = [(name.strip("`"), default, doc) for name, default, doc in rows("variables.md")]
    assert told == [(row.name, row.default or "(empty)", row.doc) for row in VARIABLES.values()]


def test_statements_about_sources() -> None:
    """Each is one that the grammar reads."""
    blocks = re.findall(r"```sql\n(.*?)```", (DOCS / "sources.md").read_text(), re.DOTALL)
    assert [len(parse(block)) for block in blocks] == [7, 3, 5, 3, 2]
