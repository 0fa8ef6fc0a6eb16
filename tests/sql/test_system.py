"""System relations: rows of their columns' types, a row in docs/ for each; an answer for each catalog function."""

from datetime import datetime
from pathlib import Path

import pytest

from engine.catalog.system.definition import Definition, Runtime
from engine.catalog.system.functions import ANSWERS, NOW
from engine.catalog.system.registry import DEFINITIONS
from engine.collection.value import Interval
from engine.expr.functions.catalog import NAMES
from engine.sql.binding.context import Context
from engine.sql.binding.session import WRITTEN
from engine.types import Category, Physical, SqlType
from tests.sql.world import world

DOCS = Path(__file__).parents[2] / "docs" / "system-relations.md"
RUNTIME = Runtime({20003: True}, {20000: 5}, {20000: 120}, frontiers={20000: (1, 2)}, peeks=lambda: [(64, 1)])
CATALOG = world().catalog


def python(type_: SqlType) -> type:
    """What a value of the type is outside of the engine."""
    if type_.nesting is not None:
        return list
    if type_.category is Category.STRING or type_.physical is Physical.JSON:
        return str
    if type_.category is Category.DATETIME:
        return datetime
    if type_.physical is Physical.INTERVAL:
        return Interval
    return {Physical.BOOLEAN: bool, Physical.FLOAT: float}.get(type_.physical, int)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.name)
def test_rows_fit_their_columns(definition: Definition):
    if definition.of_session is not None:
        found = list(definition.of_session(Context(CATALOG, variables={"TimeZone": "UTC"}, runtime=RUNTIME)))
    else:
        assert definition.rows is not None
        found = list(definition.rows(CATALOG, RUNTIME))
    for row in found:
        for value, column in zip(row, definition.held, strict=True):
            assert column.nullable if value is None else isinstance(value, python(column.type)), (column, value)


def test_numbers_are_unique():
    assert len({row.oid for row in DEFINITIONS}) == len({(row.schema, row.name) for row in DEFINITIONS})
    assert len(DEFINITIONS) == len({row.oid for row in DEFINITIONS})


def test_every_function_of_the_catalog_has_its_answer():
    assert ANSWERS.keys() | NOW.keys() | WRITTEN.keys() == NAMES


def described() -> str:
    """docs/system-relations.md as the definitions have it."""
    lines = ["# System relations", "", "| relation | columns | what it lists |", "|---|---|---|"]
    for row in DEFINITIONS:
        columns = ", ".join(f"`{column.name}` {column.type.name}" for column in row.columns)
        lines.append(f"| `{row.schema}.{row.name}` | {columns} | {row.doc} |")
    return "\n".join(lines) + "\n"


def test_the_documentation_lists_them_all():
    assert DOCS.read_text() == described()
