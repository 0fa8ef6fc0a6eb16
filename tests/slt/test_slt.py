"""Runs every .slt file: as SELECTs, and each query again as a maintained view under deletes and inserts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.database import Database, Result
from engine.errors import SqlError
from tests.slt.records import Query, Statement, read

FILES = sorted(Path(__file__).parent.glob("*.slt"))


def shown(result: Result) -> list[tuple[str, ...]]:
    columns = [column.to_pylist() for column in result.text()]
    return [tuple("NULL" if v is None else v or "(empty)" for v in row) for row in zip(*columns, strict=True)]


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.in_memory() as database:
        yield database


def run_statement(db: Database, record: Statement, where: str) -> None:
    if record.error is None:
        result = db.execute(record.sql)
        assert record.count is None or result.row_count == record.count, where
        return
    with pytest.raises(SqlError) as failure:
        db.execute(record.sql)
    assert re.search(record.error, failure.value.message), f"{where}: {failure.value.message}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_as_select(db: Database, path: Path) -> None:
    for record in read(path):
        where = f"{path.name}:{record.line}"
        match record:
            case Statement():
                run_statement(db, record, where)
            case Query():
                result = db.execute(record.sql)
                assert len(result.columns) == record.columns, where
                found = shown(result)
                if record.sort:
                    assert sorted(found) == sorted(record.rows), where
                else:
                    assert found == list(record.rows), where


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_as_maintained_view(db: Database, path: Path) -> None:
    for record in read(path):
        where = f"{path.name}:{record.line}"
        match record:
            case Statement():
                run_statement(db, record, where)
            case Query() if record.view:
                db.execute(f"CREATE MATERIALIZED VIEW slt_view ({names(record.columns)}) AS {record.sql}")
                assert view_rows(db) == sorted(record.rows), where
                for table, rows in tables(db).items():
                    # Half of the rows go, then the rest; then they come back, the last first.
                    half = len(rows) // 2
                    steps = [(rows[:half], -1), (rows[half:], -1), (rows[half:], 1), (rows[:half], 1)]
                    for part, diff in steps:
                        if part:
                            db.write(table, part, [diff] * len(part))
                            assert outcome(db, "SELECT * FROM slt_view") == outcome(db, record.sql), where
                assert view_rows(db) == sorted(record.rows), where
                db.execute("DROP MATERIALIZED VIEW slt_view")
            case Query():
                pass


def names(columns: int) -> str:
    return ", ".join(f"c{i}" for i in range(columns))


def view_rows(db: Database) -> list[tuple[str, ...]]:
    return sorted(shown(db.execute("SELECT * FROM slt_view")))


def outcome(db: Database, sql: str) -> list[tuple[str, ...]] | str:
    """The rows in some fixed order, or the SQLSTATE: a view has to fail as its query does."""
    try:
        return sorted(shown(db.execute(sql)))
    except SqlError as error:
        return error.sqlstate


def tables(db: Database) -> dict[str, list[tuple]]:
    listed = db.execute("SHOW TABLES").rows()
    return {str(row[0]): db.execute(f"SELECT * FROM {row[0]}").rows() for row in listed}
