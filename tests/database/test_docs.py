"""The pages on variables and metrics say what the code does."""

import re
from pathlib import Path

from engine.connectors.feed import Progress
from engine.connectors.ingest import Status
from engine.coordinator.metrics import of_source
from engine.coordinator.variables import VARIABLES
from engine.database import Database
from engine.sql.dialect import parse

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> list[list[str]]:
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def test_variables() -> None:
    told = [(name.strip("`"), default, doc) for name, default, doc in rows("variables.md")]
    assert told == [(row.name, row.default or "(empty)", row.doc) for row in VARIABLES.values()]


def test_metrics(db: Database) -> None:
    db.execute("CREATE SOURCE c FROM LOAD GENERATOR COUNTER (MAX CARDINALITY 1)")
    told = {(name.strip("`"), labels) for name, labels, _ in rows("metrics.md")}
    partitioned = of_source("k", Status(progress={"0@topic": Progress("0")}))
    assert {(name, ", ".join(labels)) for name, labels, _ in [*db.metrics(), *partitioned]} == told
    assert all(re.fullmatch(r"(tailrace|mz)_[a-z_]+", name) for name, _ in told)


def test_statements_about_sources() -> None:
    """Each is one that the grammar reads."""
    blocks = re.findall(r"```sql\n(.*?)```", (DOCS / "sources.md").read_text(), re.DOTALL)
    assert [len(parse(block)) for block in blocks] == [7, 2]
