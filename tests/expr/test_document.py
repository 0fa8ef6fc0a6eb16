"""docs/functions.md is what the registry says, and every row of the registry says something."""

from pathlib import Path

from engine.expr.aggregate import AGGREGATES
from engine.expr.functions.document import document
from engine.expr.functions.families import FAMILIES, TABLE_FUNCTIONS

PAGE = Path(__file__).parents[2] / "docs" / "functions.md"


def test_the_page_is_the_registry():
    assert PAGE.read_text() == document(), "run: python -m engine.expr.functions.document > docs/functions.md"


def test_every_function_is_explained():
    rows = [row for family in FAMILIES.values() for row in family]
    rows += [row for overloads in (*TABLE_FUNCTIONS.values(), *AGGREGATES.values()) for row in overloads]
    assert [row.name for row in rows if not row.doc] == []


def test_no_two_rows_are_the_same_overload():
    for family in FAMILIES.values():
        signatures = [(row.name, row.parameters, type(row)) for row in family]
        assert len(signatures) == len(set(signatures))
