"""Files of queries: each begins with a line `-- name` alone; other comments stand before the first."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.types import Column


def queries(benchmark: str) -> dict[str, str]:
    """The queries of a benchmark by name, in their order."""
    text = Path(__file__).with_name(f"{benchmark}.sql").read_text()
    _, *parts = re.split(r"^-- (q\d+)\n", text, flags=re.MULTILINE)
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def create_tables(tables: Mapping[str, Iterable[Column]]) -> list[str]:
    """A CREATE TABLE for each."""
    made: list[str] = []
    for name, columns in tables.items():
        listed = ", ".join(f"{column.name} {column.type} NOT NULL" for column in columns)
        made.append(f"CREATE TABLE {name} ({listed})")
    return made
