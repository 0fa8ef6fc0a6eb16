"""The log of a data directory: what committed is there again, whole ticks only, one process at a time."""

from pathlib import Path

import pyarrow as pa
import pytest

from engine.durable.log import COMPACT_WRITES_MIN, Item, Log
from engine.errors import SourceError


def rows(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"v": list(values), "diff": [1] * len(values)})


def create(log: Log, sql: str) -> int:
    id = 1 + max((item.id for item in log.items()), default=0)
    log.change(create=[Item(id, sql)])
    return id


def test_what_committed_is_there_again(tmp_path: Path) -> None:
    log = Log(tmp_path / "data")
    table, source = create(log, "CREATE TABLE t (v bigint)"), create(log, "CREATE SOURCE s")
    log.commit(1_000, {table: rows(1, 2)}, {(source, "f"): 10})
    log.commit(1_001, {table: rows(3)}, {(source, "f"): 20, (source, "g"): 1})
    log.close()
    log = Log(tmp_path / "data")
    assert [item.sql for item in log.items()] == ["CREATE TABLE t (v bigint)", "CREATE SOURCE s"]
    assert [batch.column("v").to_pylist() for batch in log.writes(table)] == [[1, 2], [3]]
    assert log.offsets(source) == {"f": 20, "g": 1}
    assert log.clock() == 1_001
    log.close()


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """Secrets are in it."""
    log = Log(tmp_path)
    create(log, "CREATE SECRET s AS 'x'")
    assert {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("tailrace.db*")} == {
        name: 0 for name in ("tailrace.db", "tailrace.db-wal", "tailrace.db-shm")
    }
    log.close()


def test_a_tick_is_in_the_log_whole_or_not_at_all(tmp_path: Path) -> None:
    log = Log(tmp_path)
    table = create(log, "CREATE TABLE t (v bigint)")
    with pytest.raises(OverflowError):  # SQLite integers have 64 bits
        log.commit(5, {table: rows(1)}, {(table, "f"): 1 << 70})
    assert list(log.writes(table)) == []
    assert log.clock() == 0
    log.close()


def test_a_dropped_item_leaves_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path)
    keep, gone = create(log, "CREATE TABLE a (v bigint)"), create(log, "CREATE TABLE b (v bigint)")
    log.commit(1, {keep: rows(1), gone: rows(2)}, {})
    log.change(drop=[gone])
    assert [item.id for item in log.items()] == [keep]
    assert list(log.writes(gone)) == []
    assert len(list(log.writes(keep))) == 1
    log.close()


def test_compaction_keeps_the_contents(tmp_path: Path) -> None:
    log = Log(tmp_path)
    table = create(log, "CREATE TABLE t (v bigint)")
    for at in range(COMPACT_WRITES_MIN):
        assert not log.should_compact(table)
        log.commit(at + 1, {table: rows(at)}, {})
    assert log.should_compact(table)
    log.compact(table, rows(7, 8))
    assert [batch.column("v").to_pylist() for batch in log.writes(table)] == [[7, 8]]
    log.close()


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    log = Log(tmp_path)
    with pytest.raises(SourceError, match="in use by another process"):
        Log(tmp_path)
    log.close()
    Log(tmp_path).close()


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(SourceError, match="cannot be used"):
        Log(tmp_path / "data")


def test_a_foreign_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tailrace.db").write_bytes(b"not a database" * 100)
    with pytest.raises(SourceError, match="cannot be read"):
        Log(tmp_path)
