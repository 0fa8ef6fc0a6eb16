"""Sources of files through SQL: they outlive restarts, kills and their files, and tell what is wrong."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.connectors.files import streams
from engine.database import Database, Options
from engine.errors import SqlError
from tests.connectors.following import ocf
from tests.database.test_sources import wait_for

STATUS = "SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = 's'"


def error_of(db: Database, sql: str) -> SqlError:
    with pytest.raises(SqlError) as failure:
        db.execute(sql)
    return failure.value


def test_a_followed_directory_with_its_files(db: Database, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("1\n2\n")
    db.execute(f"CREATE SOURCE s FROM FILE '{tmp_path}/*.log' WITH (tail = true) FORMAT TEXT INCLUDE FILE AS origin")
    db.execute("CREATE MATERIALIZED VIEW n AS SELECT origin, count(*) FROM s GROUP BY origin")
    wait_for(db, "SELECT * FROM n", [(f"{tmp_path}/a.log", 2)])
    (tmp_path / "b.log").write_text("3\n")
    (tmp_path / "c.txt").write_text("3\n")
    wait_for(db, "SELECT * FROM n", [(f"{tmp_path}/a.log", 2), (f"{tmp_path}/b.log", 1)])
    (tmp_path / "a.log").unlink()
    with (tmp_path / "b.log").open("a") as file:
        file.write("4\n5\n")
    wait_for(db, "SELECT * FROM n", [(f"{tmp_path}/a.log", 2), (f"{tmp_path}/b.log", 3)])
    wait_for(db, STATUS, [("running", None)])
    partitions = "SELECT partition, messages_received, offset_known FROM mz_internal.mz_source_partitions"
    assert (f"{tmp_path}/b.log", 3, 6) in db.execute(partitions).rows()
    sums = (
        "SELECT partitions, messages_received, offset_known, lag, decode_errors FROM mz_internal.mz_source_statistics"
    )
    assert db.execute(sums).rows() == [(2, 5, 10, 0, 0)]


def test_columns_of_parquet_and_avro_are_kept_with_the_source(tmp_path: Path) -> None:
    data, files = tmp_path / "data", tmp_path / "files"
    files.mkdir()
    table = pa.table({"Id": [1, 2], "tags": [["a"], []], "at": pa.array([0, 1], pa.timestamp("us"))})
    pq.write_table(table, files / "a.parquet")
    (files / "a.avro").write_bytes(ocf([{"id": 1, "key": "it's"}]))
    (files / "a.csv").write_text("x,Y z\n1,2\n")
    with Database.open(data) as db:
        db.execute(f"CREATE SOURCE p FROM FILE '{files}/*.parquet' FORMAT PARQUET")
        db.execute(f"CREATE SOURCE o FROM AVRO OCF '{files}/a.avro' WITH (tail = true)")
        db.execute(
            f"CREATE SOURCE c (a bigint, b bigint) FROM FILE '{files}/a.csv' FORMAT CSV WITH HEADER INCLUDE FILE"
        )
        wait_for(db, 'SELECT "Id", tags[1] FROM p', [(1, "a"), (2, None)])
        wait_for(db, "SELECT id, key FROM o", [(1, "it's")])
        wait_for(db, "SELECT a, b FROM c", [(1, 2)])
        said = [db.execute(f"SHOW CREATE SOURCE {name}").rows()[0][1] for name in "poc"]
        assert '("Id" bigint, tags text list, at timestamp) FROM FILE' in said[0]
        assert "USING SCHEMA '{" in said[1]
        assert 'HEADER (x, "Y z")' in said[2]
    for path in files.iterdir():
        path.unlink()
    statuses = "SELECT status FROM mz_internal.mz_source_statuses WHERE type = 'file'"
    with Database.open(data) as db:  # nothing is there, and the server starts
        assert db.execute("SELECT id, key FROM o").rows() == [(1, "it's")]
        assert db.execute('SELECT "Id" FROM p ORDER BY 1').rows() == [(1,), (2,)]
        assert db.execute("SELECT a, b FROM c").rows() == [(1, 2)]
        wait_for(db, statuses, [("finished",), ("finished",), ("stalled",)])
        (files / "a.csv").write_text("x,Y z\n3,4\n")
        (files / "a.avro").write_bytes(ocf([{"id": 2, "key": "b"}]))
        wait_for(db, "SELECT id FROM o", [(1,), (2,)])
        wait_for(db, statuses, [("finished",), ("finished",), ("running",)])
        assert db.execute("SELECT a, b FROM c").rows() == [(1, 2)]


def test_a_source_that_does_not_go_on_is_what_its_files_were(tmp_path: Path) -> None:
    """Whatever becomes of them: whoever read it once reads the same after a restart, at every moment."""
    data, files = tmp_path / "data", tmp_path / "files"
    files.mkdir()
    for name in "ab":
        (files / name).write_text("".join(f"{name}{i}\n" for i in range(5000)))
    count = "SELECT n FROM n"
    partitions = "SELECT partition, offset_committed, lag FROM mz_internal.mz_source_partitions ORDER BY 1"
    with Database.open(data) as db:
        db.execute(f"CREATE SOURCE s FROM FILE '{files}/*' FORMAT TEXT INCLUDE FILE")
        db.execute("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM s")
        wait_for(db, STATUS, [("finished", None)])
        wait_for(db, count, [(10000,)])
        size = (files / "a").stat().st_size
        read = [(str(files / name), size, 0) for name in "ab"]
        assert db.execute(partitions).rows() == read
    with Database.open(data) as db:
        wait_for(db, STATUS, [("finished", None)])
        assert db.execute(partitions).rows() == read
    (files / "a").write_text("changed\n")
    (files / "b").unlink()
    (files / "c").write_text("new\n")
    for _ in range(2):
        with Database.open(data) as db:
            assert db.execute(count).rows() == [(10000,)]
            wait_for(db, STATUS, [("finished", None)])
            assert db.execute("SELECT count(*), min(text), max(text) FROM s").rows() == [(10000, "a0", "b999")]
            assert db.execute(partitions).rows() == []  # "a" is another file, "c" may have the inode of "b"


def test_errors_can_be_subscribed_to(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"a": 1}\n')
    db.execute(f"CREATE SOURCE s (a bigint) FROM FILE '{path}' WITH (tail = true) FORMAT JSON")
    wait_for(db, "SELECT a FROM s", [(1,)])
    with db.subscribe("SUBSCRIBE s_errors") as changes:
        with path.open("ab") as file:
            file.write(b'{"a": "x\xff"}\n{"a": 2}\n')
        while True:
            assert changes.wait(30)
            batch = changes.poll()
            if batch is not None and batch.row_count:
                break
    (row,) = batch.rows()
    assert row[2:5] == (str(path), 2, b'{"a": "x\xff"}')
    assert "utf-8" in row[5]
    wait_for(db, "SELECT a FROM s", [(1,), (2,)])


def test_what_cannot_be_is_said_when_the_source_is_made(db: Database, tmp_path: Path) -> None:
    (tmp_path / "no.parquet").write_bytes(b"nothing")
    (tmp_path / "a.csv").write_text("x,y\n")
    for sql, state, words in (
        ("'{}/no.parquet' FORMAT PARQUET", "58030", "no.parquet"),
        ("'{}/no.parquet' FORMAT AVRO OCF", "22P04", "does not begin with Obj"),
        ("'{}/a.csv' COMPRESSION GZIP FORMAT PARQUET", "22023", "COMPRESSION"),
        ("'{}/a.csv' FORMAT CSV WITH HEADER (x, z)", "22P04", "header"),
        ("'{}/a.csv' FORMAT TEXT INCLUDE KEY", "0A000", "INCLUDE FILE"),
        ("'{}/a.csv' FORMAT TEXT INCLUDE FILE AS text", "22023", "there twice"),
        ("'{}/a.csv' FORMAT TEXT ENVELOPE UPSERT", "0A000", "Kafka"),
        ("'{}/a.csv' WITH (discover interval '1s') FORMAT TEXT", "22023", "tail"),
        ("'{}/a.csv' WITH (aws connection = nowhere) FORMAT TEXT", "42P01", "nowhere"),
        ("'{}/*.log' WITH (tail = true) FORMAT PARQUET", "58P01", "no file is in"),
    ):
        error = error_of(db, f"CREATE SOURCE s FROM FILE {sql.format(tmp_path)}")
        assert (error.sqlstate, words in f"{error.message} {error.hint}") == (state, True), (sql, error.message)


CHILD = """
import sys
from pathlib import Path
from engine.database import Database
with Database.open(Path(sys.argv[1])) as db:
    if not db.execute("SHOW SOURCES").row_count:
        db.execute(f"CREATE SOURCE s FROM FILE '{sys.argv[2]}/*' WITH (tail = true) FORMAT TEXT INCLUDE FILE")
    print("up", flush=True)
    sys.stdin.read()
"""


def test_lines_come_once_over_kills_in_the_middle(tmp_path: Path) -> None:
    """Whoever reads is killed again and again, while lines come, files are rotated and files are made."""
    data, logs = tmp_path / "data", tmp_path / "logs"
    logs.mkdir()
    written = 0

    def write(name: str, count: int) -> None:
        nonlocal written
        with (logs / name).open("a") as file:
            for _ in range(count):
                file.write(f"line {written}\n")
                written += 1

    write("a", 20_000)
    for round in range(4):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(data), str(logs)], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        write("a", 5_000 * (round + 1))
        (logs / "a").rename(logs / f"a.{round}")
        write("a", 10_000)
        write(f"b{round}", 100)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert child.stdin is not None
        child.stdin.close()
        write(f"b{round}", 100)
    with Database.open(data) as db:
        db.execute("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n, count(DISTINCT text) AS d FROM s")
        wait_for(db, "SELECT n, d FROM n", [(written, written)])


def test_a_source_that_is_faster_than_its_views_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no tick does more wait than the inbox may hold and one block: so memory is flat, whatever the file's size."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 4096)
    path = tmp_path / "many.txt"
    path.write_text("".join(f"{i}\n" for i in range(50_000)))
    with Database.in_memory(Options(inbox_rows_max=500, tick_rows_max=700)) as db:
        db.execute(f"CREATE SOURCE s FROM FILE '{path}' FORMAT TEXT")
        db.execute("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM s")
        waiting: list[int] = []
        with db.subscribe("SUBSCRIBE n WITH (PROGRESS)") as changes:
            while not waiting or db.execute("SELECT n FROM n").rows() != [(50_000,)]:
                waiting += [
                    row[0] for row in db.execute("SELECT updates_waiting FROM mz_internal.mz_source_statistics").rows()
                ]
                assert changes.wait(30)
                while changes.poll() is not None:
                    pass
        assert max(waiting) <= 500 + 4096 // 2


def test_a_column_of_a_source_is_not_promised_to_be_there(db: Database, tmp_path: Path) -> None:
    """A plan that trusted such a promise would answer that no row lacks the column, while one does."""
    path = tmp_path / "rows.json"
    path.write_text('{"a": 1}\n{"a": null}\n{}\n')
    error = error_of(db, f"CREATE SOURCE s (a int NOT NULL) FROM FILE '{path}' FORMAT JSON")
    assert error.sqlstate == "0A000"
    assert error.hint
    db.execute(f"CREATE SOURCE s (a int) FROM FILE '{path}' FORMAT JSON")
    wait_for(db, "SELECT count(*) FROM s", [(3,)])
    assert db.execute("SELECT count(*) FROM s WHERE a IS NULL").rows() == [(2,)]
