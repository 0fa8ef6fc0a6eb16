"""A database in memory for each test."""

from collections.abc import Iterator

import pytest

from engine.database import Database


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.in_memory() as database:
        yield database
