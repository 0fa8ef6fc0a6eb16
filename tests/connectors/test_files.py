"""Files: every line once, whatever the blocks; appended lines come, absence is told."""

import gzip
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from engine import types
from engine.catalog.sources import BytesFormat, Compression, CsvFormat, FileSource, Format, JsonFormat, TextFormat
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.words import decode_column
from engine.connectors.feed import Decoded, SourceSpec
from engine.connectors.files import streams
from engine.connectors.ingest import Ingest
from engine.connectors.kinds import describe, open_reader, resolved
from engine.errors import MalformedSource, MissingFile, SourceError
from engine.types import Column

COLUMNS = (Column("id", types.BIGINT), Column("key", types.TEXT))
SECONDS_MAX = 30  # a bound for what takes milliseconds


def spec_of(path: Path, format: Format, columns=None, tail=False, compression=Compression.NONE) -> SourceSpec:
    description, columns = resolved(FileSource(str(path), compression, format, tail), columns, str)
    feeds = describe(description, columns)
    return SourceSpec(1, description, tuple((10 + i, feed) for i, feed in enumerate(feeds)))


def rows_of(spec: SourceSpec, blocks: Iterator[Decoded] | list[Decoded], heap: Heap) -> dict[str, list[tuple]]:
    """All rows by feed."""
    rows: dict[str, list[tuple]] = {feed.name: [] for _, feed in spec.feeds}
    for decoded in blocks:
        for id, feed in spec.feeds:
            if id in decoded.deltas:
                rows[feed.name] += batch_rows(decoded.deltas[id], feed.columns, heap)
    return rows


def batch_rows(batch: Batch, columns: tuple[Column, ...], heap: Heap) -> list[tuple]:
    assert (batch.diffs == 1).all()
    values = [decode_column(v, column.type, heap) for v, column in zip(batch.vectors(), columns, strict=True)]
    return list(zip(*values, strict=True))


def drained(spec: SourceSpec, heap: Heap) -> list[Decoded]:
    with closing(open_reader(spec, heap, {}, {}, str)) as reader:
        blocks = list(iter(reader.poll, None))
        assert reader.finished
        return blocks


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1 << 20])
def test_blocks_do_not_matter(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(streams, "BLOCK_BYTES", block_bytes)
    lines = [b'{"id": %d, "key": "k%d"}' % (i, i % 3) if i % 5 else b"broken %d" % i for i in range(60)]
    path = tmp_path / "lines.json"
    path.write_bytes(b"\n".join(lines))  # the last line has no newline
    heap, spec = Heap(), spec_of(path, JsonFormat(), COLUMNS)
    blocks = drained(spec, heap)
    rows = rows_of(spec, blocks, heap)
    assert sorted(rows[""]) == [(i, f"k{i % 3}") for i in range(60) if i % 5]
    assert sorted(row[1:3] for row in rows["errors"]) == [(i + 1, b"broken %d" % i) for i in range(0, 60, 5)]
    offsets = {name: at for block in blocks for name, at in block.offsets.items()}
    assert (offsets["position#1"], offsets["records#1"]) == (path.stat().st_size, 60)
    assert (offsets["done#1"], offsets["complete"]) == (1, 1)
    assert sum(block.rows for block in blocks) == 60


def test_a_tailed_file_gives_whole_lines_as_they_come(tmp_path):
    path = tmp_path / "tail.txt"
    path.write_bytes(b"one\ntw")
    heap, spec = Heap(), spec_of(path, TextFormat(), tail=True)
    reader = open_reader(spec, heap, {}, {}, str)

    def text() -> list[str]:
        return [row[0] for row in rows_of(spec, list(iter(reader.poll, None)), heap)[""]]

    assert text() == ["one"]
    assert text() == []
    with path.open("ab") as file:
        file.write(b"o\nthree\n\n")
    assert text() == ["two", "three", ""]
    assert not reader.finished
    reader.close()


def test_compressed_files(tmp_path):
    path = tmp_path / "lines.gz"
    path.write_bytes(gzip.compress(b"a\nb"))
    heap, spec = Heap(), spec_of(path, TextFormat(), compression=Compression.GZIP)
    assert rows_of(spec, drained(spec, heap), heap)[""] == [("a",), ("b",)]
    path.write_bytes(b"no gzip")
    with pytest.raises(SourceError, match="cannot be read"):
        drained(spec, heap)


def test_columns_that_only_the_file_knows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('x,"y z"\n1,2\n')
    with_header = CsvFormat(header=True, names=(), width=None)
    spec = spec_of(path, with_header)
    assert [column.name for column in spec.feeds[0][1].columns] == ["x", "y z"]
    heap = Heap()
    assert rows_of(spec, drained(spec, heap), heap)[""] == [("1", "2")]
    without = spec_of(path, CsvFormat(False, (), 2)).feeds[0][1]
    assert [column.name for column in without.columns] == ["column1", "column2"]
    assert spec_of(path, BytesFormat()).feeds[0][1].columns[0].type == types.BYTEA
    with pytest.raises(MalformedSource, match="header"):
        spec_of(path, CsvFormat(header=True, names=("x", "q"), width=None))
    with pytest.raises(MalformedSource, match="2 columns"):
        spec_of(path, with_header, COLUMNS[:1])
    path.write_text("")
    with pytest.raises(MalformedSource, match="empty"):
        spec_of(path, with_header)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(MissingFile, match="nowhere"):
        spec_of(tmp_path / "nowhere", TextFormat())
    with pytest.raises(MissingFile, match="no file is in"):
        spec_of(tmp_path, TextFormat())
    with pytest.raises(MissingFile, match="matches"):
        spec_of(tmp_path / "*.txt", TextFormat())
    assert spec_of(tmp_path, TextFormat(), tail=True)  # files may come
    with pytest.raises(MissingFile, match="no file is in"):
        spec_of(tmp_path, CsvFormat(True, (), None), tail=True)  # but their header is not known


def test_the_name_of_a_file_says_its_compression_where_the_statement_does_not(tmp_path):
    lines = b"".join(b"line %d\n" % i for i in range(1000))
    compressed = pa.compress(lines, "zstd", asbytes=True)
    (tmp_path / "a.gz").write_bytes(gzip.compress(lines[:9]) + gzip.compress(lines[9:]))
    (tmp_path / "b.zst").write_bytes(compressed)
    (tmp_path / "c").write_bytes(lines)
    (tmp_path / "d.txt.Z").write_bytes(lines)
    heap, spec = Heap(), spec_of(tmp_path, TextFormat(), compression=Compression.BY_NAME)
    found = [row[0] for row in rows_of(spec, drained(spec, heap), heap)[""]]
    assert found == lines.decode().splitlines() * 4
    (tmp_path / "b").write_bytes(compressed)
    spec = spec_of(tmp_path / "b", TextFormat(), compression=Compression.ZSTD)
    assert len(rows_of(spec, drained(spec, heap), heap)[""]) == 1000
    (tmp_path / "b").write_bytes(compressed[:-5])
    with pytest.raises(SourceError, match="cannot be read"):
        drained(spec, heap)
    (tmp_path / "c.csv.zst").write_bytes(pa.compress(b"x,y\n1,2\n", "zstd", asbytes=True))
    spec = spec_of(tmp_path / "c.csv.zst", CsvFormat(True, (), None), compression=Compression.BY_NAME)
    assert rows_of(spec, drained(spec, heap), heap)[""] == [("1", "2")]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("", "a1 a2 b1"),
        ("*", "a1 a2 b1"),
        ("a?", "a1 a2"),
        ("[!a]1", "b1"),
        ("{a,b}1", "a1 b1"),
        ("{a{1,2},a1}", "a1 a2"),
        ("**/a*", "a1 a2 a3"),
        ("d/*", "a3"),
        (".*", ".h"),
        ("[x]", "literal"),
    ],
)
def test_patterns_and_directories_are_their_files_each_once(tmp_path, path, wanted):
    (tmp_path / "d").mkdir()
    for name in ("a1", "a2", "b1", "d/a3", ".h"):
        (tmp_path / name).write_text(name.removeprefix("d/"))  # a last line needs no newline in any of them
    if path == "[x]":
        (tmp_path / path).write_text("literal")
    (tmp_path / "a0").symlink_to(tmp_path / "a1")
    heap, spec = Heap(), spec_of(tmp_path / path, TextFormat())
    assert [row[0] for row in rows_of(spec, drained(spec, heap), heap)[""]] == wanted.split()


def test_every_file_has_the_header(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"x,y\n1,{name}\n")
    heap, spec = Heap(), spec_of(tmp_path, CsvFormat(header=True, names=(), width=None))
    assert rows_of(spec, drained(spec, heap), heap)[""] == [("1", "a"), ("1", "b")]
    (tmp_path / "b").write_text("y,x\n1,2\n")
    reader = open_reader(spec, heap, {}, {}, str)
    given = [reader.poll(), reader.poll()]  # the rows of the first, and that it ended
    assert [decoded.rows for decoded in given if decoded is not None] == [1, 0]
    with pytest.raises(MalformedSource, match="another header"):
        reader.poll()
    reader.close()


class Woken:
    """The ticker's side of an Ingest."""

    def __init__(self) -> None:
        self.event = Event()
        self.ingest = Ingest(heap := Heap(), 100, self.event.set, str)
        self.heap = heap

    def wait(self) -> None:
        assert self.event.wait(SECONDS_MAX)
        self.event.clear()


def test_ingest_blocks_the_reader_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK_BYTES", 400)
    path = tmp_path / "many.txt"
    path.write_text("".join(f"{i}\n" for i in range(5000)))
    ticker = Woken()
    spec = spec_of(path, TextFormat())
    ticker.ingest.start(spec, {}, {})
    got: list[tuple] = []
    offsets: dict = {}
    while len(got) < 5000:
        ticker.wait()
        status = ticker.ingest.status()[1]
        assert status.waiting < 100 + 400  # one block over the limit at most
        while ticker.ingest.ready:
            taken = ticker.ingest.take(150)
            offsets |= taken.offsets
            for batch in taken.deltas.get(10, []):
                got += batch_rows(batch, spec.feeds[0][1].columns, ticker.heap)
    assert got == [(str(i),) for i in range(5000)]
    assert (offsets[1, "position#1"], offsets[1, "records#1"]) == (path.stat().st_size, 5000)
    ticker.ingest.close()


def test_a_stopped_source_ends_though_its_inbox_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK_BYTES", 400)
    path = tmp_path / "many.txt"
    path.write_text("x\n" * 5000)
    ticker = Woken()
    ticker.ingest.start(spec_of(path, TextFormat()), {}, {})
    ticker.wait()
    marks = ticker.heap.begin_sweep()
    ticker.ingest.mark(marks)
    assert marks.marked[ticker.heap.intern(b"x")]
    ticker.ingest.stop(1)
    assert not ticker.ingest.ready
