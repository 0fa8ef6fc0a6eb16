"""Files that come, grow, are renamed, truncated and deleted while they are followed."""

import gzip
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.sources import (
    TextFormat,
)
from engine.connectors.files import streams
from engine.errors import MissingFile, SourceError
from tests.connectors.following import Following, at_once, spec_of

__all__ = ["at_once"]  # a fixture


class Writer:
    """Files in a folder, and every line that was ever finished."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.partial: dict[str, str] = {}  # by name: what stands behind the last newline
        self.number = 0

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def append(self, name: str, text: str) -> None:
        with (self.folder / name).open("a") as file:
            file.write(text)
        whole = self.partial.get(name, "") + text
        *lines, self.partial[name] = whole.split("\n")
        self.lines += lines

    def fresh(self) -> str:
        self.number += 1
        return f"log.{self.number}"

    def rename(self, name: str, to: str) -> None:
        (self.folder / name).rename(self.folder / to)
        self.partial[to] = self.partial.pop(name, "")

    def truncate(self, name: str) -> None:
        """What was written of an unfinished line is one then."""
        (self.folder / name).write_text("")
        rest = self.partial.pop(name, "")
        if rest:
            self.lines.append(rest)


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 5), st.text("ab\n", min_size=1, max_size=12)),
        st.tuples(st.just("create"), st.just(0), st.text("ab\n", max_size=8)),
        st.tuples(st.just("rename"), st.integers(0, 5), st.just("")),
        st.tuples(st.just("truncate"), st.integers(0, 5), st.text("cd\n", min_size=1, max_size=8)),
        st.tuples(st.just("poll"), st.integers(1, 4), st.just("")),
        st.tuples(st.just("restart"), st.integers(0, 3), st.just("")),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.sampled_from([1, 3, 1 << 20]))
def test_cuts_and_restarts_do_not_matter(tmp_path_factory, events, block_bytes):
    """Every finished line comes once, whenever the reader looks, whatever becomes of the names, and wherever it is
    killed between two ticks. Before a file is truncated it was read: nobody can read it after."""
    folder = tmp_path_factory.mktemp("logs")
    writer = Writer(folder)
    with pytest.MonkeyPatch.context() as patch, closing(Following(spec_of(folder, TextFormat(), tail=True))) as source:
        patch.setattr(streams, "BLOCK_BYTES", block_bytes)
        for event, number, text in events:
            names = writer.names()
            name = names[number % len(names)] if names else None
            if event == "create":
                writer.append(writer.fresh(), text)
            elif event == "poll":
                source.poll(number)
            elif event == "restart":
                source.restart(lose=number)
            elif name is None:
                continue
            elif event == "append":
                writer.append(name, text)
            elif event == "rename":
                writer.rename(name, writer.fresh())
            elif event == "truncate":
                settle(source)
                writer.truncate(name)
                settle(source)
                writer.append(name, text)
        settle(source)
        assert sorted(row[0] for row in source.rows[""]) == sorted(writer.lines)
        assert source.rows["errors"] == []


def settle(source: Following) -> None:
    """Two looks: a listing may be a moment old."""
    for _ in range(2):
        source.poll()


def test_a_file_that_comes_back_is_not_read_again(tmp_path):
    folder, away = tmp_path / "in", tmp_path / "away"
    folder.mkdir()
    (folder / "a").write_text("1\n")
    with closing(Following(spec_of(folder, TextFormat(), tail=True))) as source:
        assert source.taken() == [("1",)]
        (folder / "a").rename(away)
        source.restart()
        with pytest.raises(MissingFile, match="no file is in"):
            source.poll(tolerant=False)
        with away.open("a") as file:
            file.write("2\n")
        away.rename(folder / "b")
        settle(source)
        assert source.taken() == [("2",)]


def test_what_is_wrong_with_one_file_does_not_stop_the_others(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1\n2\n")[:-4])
    (tmp_path / "b").write_text("3\n")
    with closing(Following(spec_of(tmp_path, TextFormat(), tail=True))) as source:
        with pytest.raises(SourceError, match=r"a\.gz"):
            source.poll()
        with (tmp_path / "b").open("a") as file:
            file.write("4\n")
        with pytest.raises(SourceError, match=r"a\.gz"):
            settle(source)
        assert ("4",) in source.rows[""]
        assert "a.gz" in str(source.reader.complaint)
        (tmp_path / "a.gz").write_bytes(gzip.compress(b"1\n2\n"))
        settle(source)
        assert source.taken() == [("1",), ("2",), ("3",), ("4",)]
        assert source.reader.complaint is None
