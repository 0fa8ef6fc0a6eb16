"""System relations: rows of their columns' types, and a row in docs/ for each."""

from pathlib import Path

import pytest

from engine.catalog import system
from engine.catalog.items import SystemRelation
from engine.catalog.system import DEFINITIONS, Runtime, rows
from engine.types import BIGINT, BOOLEAN, OID, TEXT
from tests.sql.world import world

PYTHON = {BIGINT: int, OID: int, TEXT: str, BOOLEAN: bool}
DOCS = Path(__file__).parents[2] / "docs" / "system-relations.md"


@pytest.mark.parametrize("relation", system.system_relations(), ids=lambda relation: relation.name.item)
def test_rows_fit_their_columns(relation: SystemRelation):
    catalog = world().catalog
    runtime = Runtime({1003: True}, {1000: 5}, {1000: 120})
    found = rows(relation, catalog, runtime)
    for row in found:
        assert len(row) == len(relation.columns)
        for value, column in zip(row, relation.columns, strict=True):
            assert value is None or type(value) is PYTHON[column.type]


def described() -> str:
    """docs/system-relations.md as the definitions have it."""
    lines = ["# System relations", "", "| relation | columns | what it lists |", "|---|---|---|"]
    for row in DEFINITIONS:
        columns = ", ".join(f"`{name}` {type_.name}" for name, type_ in row.columns)
        lines.append(f"| `{row.schema}.{row.name}` | {columns} | {row.doc} |")
    return "\n".join(lines) + "\n"


def test_the_documentation_lists_them_all():
    assert DOCS.read_text() == described()
