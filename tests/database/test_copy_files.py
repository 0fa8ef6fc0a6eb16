"""COPY to and from files: what is written is read back as it was, whole or not at all."""

import gzip
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.database import Database, Options
from engine.errors import SqlError
from tests.connectors.following import ocf

ROWS = (
    "(1, 'a,\"b', 1.50, DATE '2020-02-29', TIMESTAMP '2020-01-01 00:00:00.000001', true, '\\x00ff'::bytea,"
    " '{\"k\": [1]}'::jsonb, ARRAY['x', NULL], LIST[1, 2], '1 day'::interval,"
    " '00000000-0000-0000-0000-000000000001'::uuid),"
    "(2, '', -0.01, NULL, NULL, false, NULL, 'null'::jsonb, NULL, LIST[]::bigint list, NULL, NULL),"
    "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),"
    "(3, E'\\\\N line\\nend\\t\\\\.', 99999999.99, '0001-01-01', '9999-12-31 23:59:59', NULL, '', '\"\"'::jsonb,"
    " '{}'::text[], NULL, '-1 month 00:00:01', NULL)"
)
COLUMNS = (
    "i bigint, s text, n numeric(10,2), d date, t timestamp, b boolean, y bytea, j jsonb, a text[], l bigint list, "
    "v interval, u uuid"
)


@pytest.fixture
def filled(db: Database) -> Database:
    db.execute(f"CREATE TABLE t ({COLUMNS}); CREATE TABLE back ({COLUMNS}); INSERT INTO t VALUES {ROWS}")
    return db


def error_of(db: Database, sql: str) -> SqlError:
    with pytest.raises(SqlError) as failure:
        db.execute(sql)
    return failure.value


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize(
    "options", ["", "FORMAT CSV", "FORMAT CSV, HEADER, DELIMITER ';', NULL 'none'", "FORMAT BINARY", "FORMAT JSON"]
)
def test_what_is_written_is_read_back(filled: Database, tmp_path: Path, options: str, suffix: str) -> None:
    path = f"{tmp_path}/out{suffix}"
    columns = "i, s, n, d, t, b, j" if "JSON" in options else "i, s, n, d, t, b, y, j, a, v, u"
    if "BINARY" in options:
        columns = "i, s, n, d, t, b, y, u"
    with_ = f" WITH ({options})" if options else ""
    assert filled.execute(f"COPY (SELECT {columns} FROM t) TO '{path}'{with_}").tag == "COPY 4"
    assert filled.execute(f"COPY back ({columns}) FROM '{path}'{with_}").tag == "COPY 4"
    rows = [sorted(map(repr, filled.execute(f"SELECT {columns} FROM {name}").rows())) for name in ("t", "back")]
    if "JSON" in options:  # JSON has one null
        rows[0] = [row.replace("'null'", "None") for row in rows[0]]
        rows[1] = [row.replace("'null'", "None") for row in rows[1]]
    assert rows[0] == rows[1]
    assert [each.name for each in tmp_path.iterdir()] == [f"out{suffix}"]  # and nothing beside it


@pytest.mark.parametrize("packed", ["none", "snappy", "zstd", "gzip", "lz4"])
def test_parquet_is_read_back_by_us_and_by_others(filled: Database, tmp_path: Path, packed: str) -> None:
    path = f"{tmp_path}/out.parquet"
    columns = "i, s, n, d, t, b, y, j, l, u"
    filled.execute(f"COPY (SELECT {columns} FROM t) TO '{path}' (FORMAT PARQUET, COMPRESSION = '{packed}')")
    filled.execute(f"COPY back ({columns}) FROM '{path}' (FORMAT PARQUET)")
    rows = [sorted(map(repr, filled.execute(f"SELECT {columns} FROM {name}").rows())) for name in ("t", "back")]
    assert rows[0] == rows[1]
    there = duckdb.sql(f"SELECT i, s, n, d FROM '{path}' WHERE i = 1").fetchall()
    assert there == filled.execute("SELECT i, s, n, d FROM t WHERE i = 1").rows()
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == (
        "UNCOMPRESSED" if packed == "none" else packed.upper()
    )


def test_many_rows_in_pieces_and_the_query_is_of_one_time(db: Database, tmp_path: Path) -> None:
    db.execute("CREATE TABLE t (a bigint); INSERT INTO t SELECT generate_series(1, 150000)")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT a, a % 7 AS m FROM t; CREATE TABLE b (m bigint, a bigint)")
    for form, path in (("CSV, HEADER", "v.csv.gz"), ("PARQUET", "v.parquet"), ("JSON", "v.json")):
        assert db.execute(f"COPY v TO '{tmp_path}/{path}' (FORMAT {form})").tag == "COPY 150000"
        listed = "(a, m)" if "CSV" in form else ""
        assert db.execute(f"COPY b {listed} FROM '{tmp_path}/{path}' (FORMAT {form})").tag == "COPY 150000"
        assert (
            db.execute("SELECT count(*), sum(a), sum(m) FROM b").rows()
            == db.execute("SELECT count(*), sum(a), sum(m) FROM v").rows()
        )
        db.execute("DELETE FROM b")
    assert gzip.decompress((tmp_path / "v.csv.gz").read_bytes()).startswith(b"a,m\n")
    assert pq.ParquetFile(tmp_path / "v.parquet").metadata.num_row_groups == 3
    db.execute(f"COPY (SELECT a FROM t ORDER BY a DESC LIMIT 2) TO '{tmp_path}/'")
    (made,) = [path for path in tmp_path.iterdir() if path.suffix == ".csv"]
    assert made.read_text() == "150000\n149999\n"


def test_files_by_pattern_and_avro_go_into_one_tick(db: Database, tmp_path: Path) -> None:
    (tmp_path / "a.avro").write_bytes(ocf([{"id": 1, "key": "a"}]))
    (tmp_path / "b.avro").write_bytes(ocf([{"id": 2, "key": "b"}], codec="deflate"))
    db.execute("CREATE TABLE t (key text NOT NULL, id int, more text DEFAULT 'x')")
    assert db.execute(f"COPY INTO t (id, key) FROM '{tmp_path}/*.avro' (FORMAT AVRO)").tag == "COPY 2"
    assert sorted(db.execute("SELECT * FROM t").rows()) == [("a", 1, "x"), ("b", 2, "x")]


def test_what_is_wrong_is_named_and_nothing_is_inserted_or_written(db: Database, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,a\n2,b\n")
    (tmp_path / "b.csv").write_text("3,c\nx,d\n")
    (tmp_path / "b.json").write_text('{"i": 1, "s": "a"}\n{"i": "x"}\n')
    (tmp_path / "n.json").write_text('{"i": 1, "s": "a"}\n\n{"s": "b"}\n')
    pq.write_table(pa.table({"i": [1, 1 << 40], "s": ["a", "b"]}), tmp_path / "b.parquet")
    (tmp_path / "b.avro").write_bytes(ocf([{"id": 1, "key": "a"}]))
    db.execute("CREATE TABLE t (i int NOT NULL, s text)")
    for sql, state, message, where in (
        ("FROM '{}/*.csv' (FORMAT CSV)", "22P02", '"x"', 'COPY t, line 2, column i: "x", of file {}/b.csv'),
        ("FROM '{}/b.json' (FORMAT JSON)", "22P02", 'column "i"', "COPY t, record 2, of file {}/b.json"),
        ("FROM '{}/n.json' (FORMAT JSON)", "23502", 'column "i"', "COPY t, record 2, column i, of file {}/n.json"),
        ("FROM '{}/b.parquet' (FORMAT PARQUET)", "22P02", 'column "i"', "COPY t, record 2, of file {}/b.parquet"),
        ("FROM '{}/b.avro' (FORMAT AVRO)", "42703", 'no column "i"', "COPY t, of file {}/b.avro"),
        ("FROM '{}/none' (FORMAT CSV)", "58P01", "does not exist", None),
        ("FROM '{}/b.csv' (FORMAT PARQUET, HEADER)", "22023", "header", None),
        ("FROM '{}/b.csv' (FORMAT ORC)", "22023", "orc", None),
        ("TO '{}/no/where' (FORMAT CSV)", "58P01", "no directory", None),
        ("TO '{}' (FORMAT CSV)", "58030", "no regular file", None),
        ("TO '{}/x' (FORMAT AVRO)", "0A000", "PARQUET", None),
        ("TO '{}/x' (FORMAT CSV, COMPRESSION = 'lz4')", "22023", "lz4", None),
    ):
        error = error_of(db, f"COPY t {sql.format(tmp_path)}")
        told = (error.sqlstate, message in error.message, error.where)
        assert told == (state, True, where and where.format(tmp_path)), (sql, error.message)
    assert db.execute("SELECT count(*) FROM t").rows() == [(0,)]
    before = sorted(path.name for path in tmp_path.iterdir())
    (tmp_path / "kept.parquet").write_bytes(b"as it was")
    error = error_of(
        db, f"COPY (SELECT 1 AS a, 0.12345678901::numeric AS n) TO '{tmp_path}/kept.parquet' (FORMAT PARQUET)"
    )
    assert (error.sqlstate, 'column "n"' in error.message) == ("22P03", True)
    assert (tmp_path / "kept.parquet").read_bytes() == b"as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "kept.parquet"])
    assert error_of(db, f"COPY (SUBSCRIBE t) TO '{tmp_path}/x'").sqlstate == "0A000"


def test_only_below_the_roots(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
    (inside / "link").symlink_to(outside)
    (outside / "a").write_text("1\n")
    with Database.open(inside / "data", Options(roots=(inside,))) as db:
        db.execute("CREATE TABLE t (a int)")
        for path in (
            outside / "a",
            inside / ".." / "out" / "a",
            inside / "link" / "a",
            inside / "data" / "tailrace.db",
        ):
            for way in ("TO", "FROM"):
                assert error_of(db, f"COPY t {way} '{path}'").sqlstate == "42501", path
        assert (outside / "a").read_text() == "1\n"
        db.execute(f"COPY t TO '{inside}/b'; COPY t FROM '{inside}/b'")


def test_a_transaction_that_is_rolled_back_has_no_rows_of_files(db: Database, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n")
    db.execute("CREATE TABLE t (a int)")
    with db.session() as session:
        session.execute(f"BEGIN; COPY t FROM '{tmp_path}/a'; SELECT * FROM t")
        assert session.execute("SELECT * FROM t").rows() == [(1,)]
        session.execute("ROLLBACK")
    assert db.execute("SELECT * FROM t").rows() == []
