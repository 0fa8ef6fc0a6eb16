"""Followed files: while a thread writes and rotates them, every line comes once and in order."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Thread

import pytest

from engine.catalog.sources import Compression, CsvFormat, FileSource, Format, TextFormat
from engine.collection.heap import Heap
from engine.collection.words import decode_column
from engine.connectors.feed import Decoded, SourceSpec
from engine.connectors.files import streams
from engine.connectors.kinds import describe, open_reader, resolved
from engine.errors import MalformedSource, MissingFile

LINES = 3000
SECONDS_MAX = 30  # a bound for what takes milliseconds


class Follower:
    """A reader of a tailed file, and the lines it has given."""

    def __init__(self, path: Path, format: Format) -> None:
        description, columns = resolved(FileSource(str(path), Compression.NONE, format, tail=True), None, str)
        feeds = tuple(enumerate(describe(description, columns)))
        self.heap, self.spec = Heap(), SourceSpec(1, description, feeds)
        self.reader = open_reader(self.spec, self.heap, {}, {}, str)
        self.lines: list[str] = []
        self.grown = Condition()

    def poll(self) -> list[str]:
        """All that is there for now. That nothing is at the path is told, and stops nothing."""
        found: list[str] = []
        while (decoded := self._next()) is not None:
            if 0 in decoded.deltas:
                vector = decoded.deltas[0].vector(0)
                values = decode_column(vector, self.spec.feeds[0][1].columns[0].type, self.heap)
                found += [str(value) for value in values]
        with self.grown:
            self.lines += found
            self.grown.notify_all()
        return found

    def _next(self) -> Decoded | None:
        try:
            return self.reader.poll()
        except MissingFile:
            return None

    def wait_for(self, count: int) -> None:
        with self.grown:
            assert self.grown.wait_for(lambda: len(self.lines) >= count, SECONDS_MAX)


def rename_and_create(path: Path, number: int) -> None:
    path.rename(path.with_name(f"log.{number}"))
    path.touch()


def rename_only(path: Path, number: int) -> None:
    path.rename(path.with_name(f"log.{number}"))


def replace_with_a_new_file(path: Path, number: int) -> None:
    new = path.with_name("new")
    new.touch()
    new.rename(path)


def copy_and_truncate(path: Path, number: int) -> None:
    shutil.copy(path, path.with_name(f"log.{number}"))
    os.truncate(path, 0)


@pytest.mark.parametrize("block_bytes", [50, 1 << 20])
@pytest.mark.parametrize("rotate", [rename_and_create, rename_only, replace_with_a_new_file, copy_and_truncate])
def test_every_line_comes_once_whatever_becomes_of_the_file(
    tmp_path, monkeypatch, block_bytes: int, rotate: Callable[[Path, int], None]
):
    monkeypatch.setattr(streams, "BLOCK_BYTES", block_bytes)
    path = tmp_path / "log"
    path.touch()
    follower = Follower(path, TextFormat())
    lines = [f"line {i}" + "." * (i % 90) for i in range(LINES)]

    def write() -> None:
        file = path.open("a")
        for i, line in enumerate(lines):
            if i % 500 == 400:  # truncation destroys what has not been read, and two renames what has not been opened
                follower.wait_for(i if rotate is copy_and_truncate else i - 399)
                rotate(path, i)
            if i % 500 == 420:  # what has the old file open writes on for a while
                file.close()
                file = path.open("a")
            half = len(line) // 2
            file.write(line[:half])
            if i % 7 == 0:
                file.flush()
            file.write(line[half:] + "\n")
            file.flush()
        file.close()

    writer = Thread(target=write, daemon=True)
    writer.start()
    while writer.is_alive():
        follower.poll()
    follower.poll()
    assert follower.lines == lines
    follower.reader.close()


def test_a_file_rewritten_to_the_same_length_or_more_is_another_one(tmp_path):
    path = tmp_path / "log"
    path.write_text("aa\nbb\n")
    follower = Follower(path, TextFormat())
    assert follower.poll() == ["aa", "bb"]
    path.write_text("cc\ndd\n")
    assert follower.poll() == ["cc", "dd"]
    path.write_text("cc\nee\nff\nunfinished")
    assert follower.poll() == ["cc", "ee", "ff"]
    path.write_text("gg\n")
    assert follower.poll() == ["unfinished", "gg"]
    path.unlink()
    assert follower.poll() == []
    path.write_text("gg\n")
    assert follower.poll() == ["gg"]
    assert not follower.reader.finished
    follower.reader.close()


def test_each_file_has_a_header_and_it_must_be_the_same(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n")
    follower = Follower(path, CsvFormat(header=True, names=(), width=None))
    assert follower.poll() == ["1"]
    path.write_text("x,y\n")
    assert follower.poll() == []
    with path.open("a") as file:
        file.write("3,4\n")
    assert follower.poll() == ["3"]
    path.write_text("y,x\n5,6\n")
    for _ in range(2):
        with pytest.raises(MalformedSource, match="another header"):
            follower.poll()
    follower.reader.close()
