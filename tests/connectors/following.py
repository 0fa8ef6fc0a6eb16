"""A source of files that is read, killed and begun again, and the files that tests read."""

import io
from collections.abc import Mapping
from pathlib import Path

import fastavro
import pytest

from engine.catalog.sources import (
    Compression,
    FileFormat,
    FileSource,
)
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.words import decode_column
from engine.connectors.feed import Reader, SourceSpec
from engine.connectors.files import reader
from engine.connectors.kinds import describe, open_reader, resolved
from engine.errors import MissingFile
from engine.types import Column


def spec_of(path: Path | str, format: FileFormat, columns=None, tail=False, file: str | None = None) -> SourceSpec:
    source = FileSource(str(path), Compression.BY_NAME, format, tail, file_column=file)
    description, columns = resolved(source, columns, str)
    return SourceSpec(1, description, tuple(enumerate(describe(description, columns))), columns)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Every poll looks for files, and tries those again that failed."""
    for name in ("LISTING_SHARE", "IDLE_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(reader, name, 0)


class Following:
    """A source, what was committed of it, and a reader that can be killed. Blocks are committed one by one."""

    def __init__(self, spec: SourceSpec) -> None:
        self.heap, self.spec = Heap(), spec
        self.offsets: dict[str, int] = {}
        self.rows: dict[str, list[tuple]] = {feed.name: [] for _, feed in spec.feeds}
        self.reader = self.opened()

    def opened(self) -> Reader:
        return open_reader(self.spec, self.heap, self.offsets, {}, str)

    def poll(self, blocks_max: int = 1 << 30, tolerant: bool = True) -> None:
        """Commit what is there, or so many blocks of it."""
        for _ in range(blocks_max):
            try:
                decoded = self.reader.poll()
            except MissingFile:
                if tolerant:
                    return
                raise
            if decoded is None:
                return
            self.offsets |= decoded.offsets
            for id, feed in self.spec.feeds:
                if id in decoded.deltas:
                    self.rows[feed.name] += batch_rows(decoded.deltas[id], feed.columns, self.heap)

    def restart(self, lose: int = 0) -> None:
        """Be killed, having read `lose` blocks that nobody committed."""
        for _ in range(lose):
            try:
                self.reader.poll()
            except MissingFile:
                break
        self.reader.close()
        self.reader = self.opened()

    def taken(self, feed: str = "") -> list[tuple]:
        self.poll()
        found, self.rows[feed] = sorted(self.rows[feed]), []
        return found

    def close(self) -> None:
        self.reader.close()


def batch_rows(batch: Batch, columns: tuple[Column, ...], heap: Heap) -> list[tuple]:
    assert (batch.diffs == 1).all()
    values = [decode_column(v, column.type, heap) for v, column in zip(batch.vectors(), columns, strict=True)]
    return list(zip(*values, strict=True))


def ocf(records: list[Mapping], schema: Mapping | None = None, codec: str = "null") -> bytes:
    schema = schema or {"type": "record", "name": "r", "fields": [
        {"name": "id", "type": "long"}, {"name": "key", "type": "string"}]}  # fmt: skip
    out = io.BytesIO()
    fastavro.writer(out, schema, records, codec=codec, sync_interval=200)
    return out.getvalue()
