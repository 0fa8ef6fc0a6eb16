"""A database in memory for each test, and data directories that are opened again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.database import Database


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.in_memory() as database:
        yield database


class Directory:
    """A data directory: `open` it anew for what a restart leaves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db: Database | None = None

    def open(self) -> Database:
        self.close()
        self.db = Database.open(self.path)
        return self.db

    def then_and_later(self) -> Iterator[Database]:
        """The database as it is, and as it is after a restart."""
        assert self.db is not None
        yield self.db
        yield self.open()

    def close(self) -> None:
        if self.db is not None:
            self.db.close()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    found = Directory(tmp_path)
    yield found
    found.close()
