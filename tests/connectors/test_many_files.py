"""Files as one source: each record once, in any format, compression and order of events, over restarts."""

import gzip
import json
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import types
from engine.catalog.sources import (
    BytesFormat,
    CsvFormat,
    JsonFormat,
    OcfFormat,
    ParquetFormat,
    RegexFormat,
    TextFormat,
)
from engine.connectors.files import streams
from engine.errors import SourceError
from engine.types import Column
from tests.connectors.following import Following, at_once, ocf, spec_of

__all__ = ["at_once"]  # a fixture

COLUMNS = (Column("id", types.BIGINT), Column("key", types.TEXT))
RECORDS = [(i, f"k{i % 3}") for i in range(100)]


BAD = object()
LINES = {
    "json": (JsonFormat(), lambda r: b"no json" if r is BAD else json.dumps({"id": r[0], "key": r[1]}).encode()),
    "csv": (CsvFormat(True, (), None), lambda r: b"x" if r is BAD else b"%d,%s" % (r[0], r[1].encode())),
    "regex": (RegexFormat(r"(\d+) (\w+)"), lambda r: b"-" if r is BAD else b"%d %s" % (r[0], r[1].encode())),
}
WORDS = {"text": TextFormat(), "bytes": BytesFormat()}
PACKED = {"": bytes, ".gz": gzip.compress, ".zst": lambda data: pa.compress(data, "zstd", asbytes=True)}


@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("format", LINES)
def test_every_format_of_lines_compressed_or_not_whole_or_followed(tmp_path, monkeypatch, format, suffix, tail):
    monkeypatch.setattr(streams, "BLOCK_BYTES", 300)
    description, line = LINES[format]
    for name, records in (("a", RECORDS[:50]), ("b", RECORDS[50:])):
        lines = [line(record) for record in (*records[:10], BAD, *records[10:])]
        header = [b"id,key"] if format == "csv" else []
        (tmp_path / (name + suffix)).write_bytes(PACKED[suffix](b"\n".join([*header, *lines, b""])))
    spec = spec_of(tmp_path, description, COLUMNS, tail, file="origin")
    with closing(Following(spec)) as source:
        source.poll(7)
        source.restart(lose=3)
        names = [str(tmp_path / (name + suffix)) for name in "ab"]
        assert source.taken() == [(*record, names[i >= 50]) for i, record in enumerate(RECORDS)]
        position = 12 if format == "csv" else 11
        assert source.taken("errors") == [(name, position, line(BAD), source_reason(format)) for name in names]
        assert source.reader.finished is not tail
        if tail:
            assert {p.partition for p in source.reader.progress().values()} == {*names}
        source.restart()
        assert source.taken() == []
        assert source.reader.finished is not tail


@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("format", WORDS)
def test_lines_as_they_are_compressed_or_not_whole_or_followed(tmp_path, monkeypatch, format, suffix, tail):
    """What is no UTF-8 is no text, and bytes all the same."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 100)
    lines = [b"line %d" % i for i in range(50)]
    (tmp_path / f"a{suffix}").write_bytes(PACKED[suffix](b"\n".join([*lines, b"\xff", b"the last has no end"])))
    with closing(Following(spec_of(tmp_path / f"a{suffix}", WORDS[format], tail=tail))) as source:
        source.poll(2)
        source.restart(lose=1)
        found = source.taken()
        ended = [b"the last has no end"] if suffix or not tail else []
        if format == "bytes":
            assert found == sorted((line,) for line in [*lines, b"\xff", *ended])
        else:
            assert found == sorted((line.decode(),) for line in [*lines, *ended])
            assert [error[1:3] for error in source.taken("errors")] == [(51, b"\xff")]


def source_reason(format: str) -> str:
    return {
        "json": "malformed JSON: Expecting value: line 1 column 1 (char 0)",
        "csv": "expected 2 columns but got 1",
        "regex": "the regular expression does not match",
    }[format]


# Containers and tables


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"])
def test_avro_containers(tmp_path, monkeypatch, codec):
    monkeypatch.setattr(streams, "BLOCK_BYTES", 100)
    data = ocf([{"id": i, "key": k} for i, k in RECORDS], codec=codec)
    (tmp_path / "a.avro").write_bytes(data)
    spec = spec_of(tmp_path, OcfFormat(), tail=True)
    assert [(c.name, c.type) for c in spec.feeds[0][1].columns] == [("id", types.BIGINT), ("key", types.TEXT)]
    with closing(Following(spec)) as source:
        for _ in range(3):
            source.poll(1)
            source.restart(lose=1)
        assert source.taken() == RECORDS


def test_a_container_that_grows_and_one_of_an_older_schema(tmp_path):
    path = tmp_path / "a.avro"
    path.write_bytes(ocf([{"id": 1, "key": "a"}]))
    spec = spec_of(tmp_path, OcfFormat(), tail=True)
    with closing(Following(spec)) as source:
        assert source.taken() == [(1, "a")]
        with path.open("a+b") as file:
            fastavro.writer(file, None, [{"id": 2, "key": "b"}])
        assert source.taken() == [(2, "b")]
        source.restart()
        with path.open("a+b") as file:
            fastavro.writer(file, None, [{"id": 3, "key": "c"}])
        fields = (("key", "string"), ("id", "int"), ("gone", "double"))
        old = {"type": "record", "name": "r", "fields": [{"name": name, "type": type} for name, type in fields]}
        (tmp_path / "b.avro").write_bytes(ocf([{"id": 4, "key": "d", "gone": 0.5}], old))
        other = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "string"}]}
        (tmp_path / "c.avro").write_bytes(ocf([{"id": "x"}], other))
        with pytest.raises(SourceError, match=r"c.avro.*cannot be read as long"):
            source.poll()
        assert sorted(source.rows[""]) == [(3, "c"), (4, "d")]


def test_blocks_of_a_container_that_are_none_are_errors_and_the_rest_is_read(tmp_path):
    data = bytearray(ocf([{"id": i, "key": k} for i, k in RECORDS], codec="deflate"))
    mark = bytes(data[-16:])
    second = data.index(mark, data.index(mark) + 16) + 16  # the second block begins behind the second mark
    data[second + 6] ^= 0xFF
    path = tmp_path / "a.avro"
    path.write_bytes(data + b"\x02\x0a")  # and it ends within a block
    with closing(Following(spec_of(path, OcfFormat()))) as source:
        rows = source.taken()
        errors = source.taken("errors")
        assert len(rows) < len(RECORDS)
        assert set(rows) < set(RECORDS)
        assert [error[0] for error in errors] == [str(path)] * 2
        assert "does not decompress" in errors[0][3]
        assert "ends within a block" in errors[1][3]
        assert errors[1][2] == b"\x02\x0a"


SCHEMA = pa.schema({
    "i": pa.int32(), "u": pa.uint64(), "f": pa.float32(), "s": pa.string(), "b": pa.binary(), "d": pa.date32(),
    "t": pa.timestamp("ns"), "z": pa.timestamp("ms", "UTC"), "n": pa.decimal128(10, 2),
    "c": pa.dictionary(pa.int8(), pa.string()), "l": pa.list_(pa.int64()), "m": pa.map_(pa.string(), pa.float64()),
    "r": pa.struct({"x": pa.int16(), "y": pa.list_(pa.struct({"k": pa.string()}))}),
})  # fmt: skip


def table(n: int) -> pa.Table:
    row = {
        "u": 1 << 63, "f": 0.5, "s": "ä", "b": b"\0\1", "d": date(2020, 2, 29), "t": datetime(2020, 1, 1, 0, 0, 1),
        "z": datetime(2020, 1, 1, tzinfo=UTC), "n": Decimal("1.50"), "c": "red", "l": [1, None], "m": [("a", 1.5)],
        "r": {"x": 3, "y": [{"k": "v"}, None]},
    }  # fmt: skip
    rows = [{"i": i, **(row if i % 2 == 0 else {})} for i in range(n)]
    return pa.Table.from_pylist(rows, SCHEMA)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
@pytest.mark.parametrize("tail", [False, True])
def test_parquet_with_types_of_every_kind(tmp_path, codec, tail):
    pq.write_table(table(10), tmp_path / "a.parquet", row_group_size=3, compression=codec)
    spec = spec_of(tmp_path, ParquetFormat(), tail=tail)
    columns = spec.feeds[0][1].columns
    assert [str(column.type) for column in columns] == [
        "integer", "uint8", "real", "text", "bytea", "date", "timestamp", "timestamp with time zone",
        "numeric(10,2)", "text", "bigint list", "map[text=>double precision]",
        "record(x: smallint, y: record(k: text) list)",
    ]  # fmt: skip
    with closing(Following(spec)) as source:
        source.poll(1)
        source.restart(lose=1)
        rows = source.taken()
        expected = [
            (row["i"], row["u"], row["f"], row["s"], row["b"], row["d"], row["t"], row["z"], row["n"], row["c"],
             row["l"], None if row["m"] is None else dict(row["m"]),
             None if row["r"] is None else (row["r"]["x"], [None if k is None else (k["k"],) for k in row["r"]["y"]]))
            for row in table(10).to_pylist()
        ]  # fmt: skip
        assert rows == expected


def test_parquet_files_of_differing_schemas(tmp_path):
    pq.write_table(pa.table({"id": pa.array([1], pa.int32()), "key": ["a"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"extra": [0.5], "id": pa.array([2], pa.int16())}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"key": ["c", "d"], "id": pa.array([1 << 40, 3], pa.int64())}), tmp_path / "c.parquet")
    pq.write_table(pa.table({"id": ["4"], "key": ["e"]}), tmp_path / "d.parquet")
    (tmp_path / "e.parquet").write_bytes(b"PAR1 but no more")
    with closing(Following(spec_of(tmp_path, ParquetFormat()))) as source:
        with pytest.raises(SourceError, match=r'd.parquet.*column "id" is string'):
            source.poll()
        assert sorted(source.rows[""]) == [(1, "a"), (2, None), (3, "d")]
        ((file, position, raw, reason),) = source.rows["errors"]
        assert (file, position, json.loads(raw)) == (str(tmp_path / "c.parquet"), 1, {"id": 1 << 40, "key": "c"})
        assert 'column "id"' in reason
    with closing(
        Following(spec_of(tmp_path, ParquetFormat(), (Column("key", types.TEXT), Column("id", types.JSONB))))
    ) as s:
        with pytest.raises(SourceError, match=r"e\.parquet"):
            s.poll()
        assert sorted(s.rows[""], key=repr) == [
            ("a", "1"), ("c", "1099511627776"), ("d", "3"), ("e", "4"), (None, "2"),
        ]  # fmt: skip


# Files that are read once


@pytest.mark.parametrize("suffix", PACKED)
def test_a_file_that_was_read_in_part_has_to_be_there_as_it_was(tmp_path, monkeypatch, suffix):
    """Half of it and half of another, or nothing more, would be no content that it ever had."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 100)
    path, away = tmp_path / f"a{suffix}", tmp_path / "elsewhere"
    lines = [f"line {i}" for i in range(200)]
    path.write_bytes(PACKED[suffix]("\n".join(lines).encode()))
    with closing(Following(spec_of(str(tmp_path / "a*"), TextFormat()))) as source:
        source.poll(3)
        (tmp_path / "ab").write_text("another\n")
        path.rename(away)
        source.restart()
        with pytest.raises(SourceError, match="is not there any more"):
            source.poll()
        path.write_bytes(PACKED[suffix](("other\n" * 400).encode()))
        source.restart()
        with pytest.raises(SourceError, match=r"read in part before"):
            source.poll()
        path.unlink()
        away.rename(path)
        source.restart()
        assert source.taken() == sorted([("another",), *((line,) for line in lines)])
        assert source.reader.finished
        (tmp_path / "ac").write_text("too late\n")
        source.restart()
        assert source.taken() == []
