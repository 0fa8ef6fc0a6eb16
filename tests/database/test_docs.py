"""The pages on variables and sources say what the code does."""

import re
from pathlib import Path

import pytest

from engine.coordinator.variables import VARIABLES
from engine.sql.dialect import parse

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> list[list[str]]:
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def test_variables() -> None:
    told = [(name.strip("`"), default, doc) for name, default, doc in rows("variables.md")]
    assert told == [(row.name, row.default or "(empty)", row.doc) for row in VARIABLES.values()]


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_statements_are_ones_that_the_grammar_reads(page: str) -> None:
    for block in re.findall(r"```sql\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
        assert parse(block), block
