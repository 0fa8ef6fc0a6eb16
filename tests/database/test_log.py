"""The log of a data directory: what committed is there again, whole ticks only, one process at a time."""

from pathlib import Path

import pyarrow as pa
import pytest

from engine.durable.log import APART_WRITES_MAX, COMPACT_WRITES_MIN, Item, Log
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


def unsynced(log: Log) -> Log:
    """For tests of many commits, none of which a crash may lose."""
    log._db.execute("PRAGMA synchronous=OFF")
    return log


def values(batches) -> list[list[int]]:
    return [batch.column("v").to_pylist() for batch in batches]


def test_compaction_keeps_the_contents(tmp_path: Path) -> None:
    log = unsynced(Log(tmp_path))
    table = create(log, "CREATE TABLE t (v bigint)")
    for at in range(COMPACT_WRITES_MIN):
        assert log.to_compact(table, 10**9, APART_WRITES_MAX) is None
        log.commit(at + 1, {table: rows(at)}, {})
    last = log.to_compact(table, 10**9, APART_WRITES_MAX)
    assert last is not None
    assert values(log.until(table, last)) == values(log.writes(table))
    log.compact(table, last, rows(7, 8))
    assert values(log.writes(table)) == [[7, 8]]
    log.close()


def test_the_writes_after_a_tick(tmp_path: Path) -> None:
    """Newest first, as long as they are apart from those before."""
    log = unsynced(Log(tmp_path))
    table = create(log, "CREATE TABLE t (v bigint)")
    for at in range(1, COMPACT_WRITES_MIN + 3):
        log.commit(at, {table: rows(at)}, {})
    last = log.to_compact(table, COMPACT_WRITES_MIN, APART_WRITES_MAX)
    assert last is not None
    log.compact(table, last, rows(0))
    late = [COMPACT_WRITES_MIN + 1, COMPACT_WRITES_MIN + 2]
    assert values(log.writes(table)) == [[0], *([at] for at in late)]
    assert values(log.after(table, COMPACT_WRITES_MIN) or ()) == [[at] for at in reversed(late)]
    assert values(log.after(table, late[-1]) or ()) == []
    assert log.after(table, COMPACT_WRITES_MIN - 1) is None
    log.change(drop=[table])
    log.change(create=[Item(table, "CREATE TABLE t (v bigint)")])
    assert values(log.after(table, 0) or ()) == []
    log.close()


def test_lives(tmp_path: Path) -> None:
    """Of each that is over it is known what it committed last and where the next one began."""
    lives, names = [], set()
    for first in (10, 20, 30):
        log = Log(tmp_path)
        names.add(log.begin(first))
        lives.append(log.life)
        table = create(log, "CREATE TABLE t (v bigint)")
        log.commit(first + 5, {table: rows(1)}, {})
        assert log.recorded == first + 5
        log.close()
    log = Log(tmp_path)
    log.begin(40)
    ends = [(end.clock, end.next) for life in lives if (end := log.ended(life)) is not None]
    assert ends == [(15, 20), (25, 30), (35, 40)]
    assert log.ended("other") is log.ended(log.life) is None
    assert len(names) == 1
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
