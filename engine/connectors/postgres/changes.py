"""Messages of pgoutput, protocol 1: https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html

    Begin, Commit, Relation, Truncate    read here, one by one
    Insert, Update, Delete               gathered as they come, and told from each other by a kernel, many at once

Law: a value that an update left unchanged and did not send (TOAST) is that of the old row, which REPLICA IDENTITY FULL
has whole.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.catalog.upstream import UpstreamTable
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors.postgres.columns import decoded
from engine.connectors.records import Spans
from engine.errors import InvalidText
from engine.kernels import postgres as kernels

BEGIN, COMMIT, RELATION, TRUNCATE = b"BCRT"
ROWS: Final = frozenset(b"IUD")
FULL: Final = ord("f")
"""The replica identity that a relation must have."""

SLACK: Final = bytes(8)
"""What Spans want behind the data."""


@dataclass(frozen=True, slots=True)
class RelationColumn:
    name: str
    type: int
    modifier: int


@dataclass(frozen=True, slots=True)
class Relation:
    """What the rows that follow have: the server says so before the first of them, and after each change of it."""

    oid: int
    name: str
    identity: int
    columns: tuple[RelationColumn, ...]


def begin_of(message: memoryview) -> int:
    """Begin: where the transaction's commit is."""
    return struct.unpack_from(">Q", message, 1)[0]


def commit_of(message: memoryview) -> int:
    """Commit: the position behind it."""
    return struct.unpack_from(">Q", message, 10)[0]


def truncated_of(message: memoryview) -> tuple[int, ...]:
    """Truncate: the relations."""
    (count,) = struct.unpack_from(">I", message, 1)
    return struct.unpack_from(f">{count}I", message, 6)


def relation_of(message: memoryview) -> Relation:
    """Relation."""
    data = bytes(message)
    (oid,) = struct.unpack_from(">I", data, 1)
    schema, at = _text(data, 5)
    name, at = _text(data, at)
    identity, count = struct.unpack_from(">BH", data, at)
    at += 3
    columns: list[RelationColumn] = []
    for _ in range(count):
        label, at = _text(data, at + 1)
        columns.append(RelationColumn(label, *struct.unpack_from(">Ii", data, at)))
        at += 8
    return Relation(oid, f"{schema}.{name}", identity, tuple(columns))


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(), end + 1


def places_of(relation: Relation, table: UpstreamTable) -> NDArray[np.int64]:
    """For each value of a row which column of ours it is. InvalidText for what became of a column that is copied."""
    if relation.identity != FULL:
        raise InvalidText("its REPLICA IDENTITY is not FULL any more")
    ours = {each.column.name: place for place, each in enumerate(table.columns)}
    places = np.full(len(relation.columns), -1, np.int64)
    for at, column in enumerate(relation.columns):
        place = ours.pop(column.name, None)
        if place is None:
            continue
        was = table.columns[place]
        if (column.type, column.modifier) != (was.type, was.modifier):
            raise InvalidText(f'the type of its column "{column.name}" was changed')
        places[at] = place
    for name in ours:
        raise InvalidText(f'its column "{name}" was dropped or renamed')
    return places


class Gathered:
    """Insert, Update and Delete messages, one behind the other."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ends: list[int] = []

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._data)

    def add(self, message: memoryview) -> None:
        self._data += message
        self._ends.append(len(self._data))

    def take(self, count: int) -> "Messages":
        """The first so many messages; the others stay."""
        end = self._ends[count - 1] if count else 0
        taken = Messages(self._data[:end], self._ends[:count])
        self._data = self._data[end:]
        self._ends = [each - end for each in self._ends[count:]]
        return taken


class Messages:
    """Messages of rows by relation."""

    def __init__(self, data: bytearray, ends: Sequence[int]) -> None:
        data += SLACK
        self._data: Final = np.frombuffer(data, np.uint8)
        self._stops: Final = np.array(ends, np.int64)
        self._starts: Final = np.concatenate([np.zeros(min(1, len(ends)), np.int64), self._stops[:-1]])
        oids = self._data[self._starts[:, None] + np.arange(1, 5)]
        self._relations: Final = oids.astype(np.int64) @ np.array([1 << 24, 1 << 16, 1 << 8, 1])
        self.relations: Final[list[int]] = np.unique(self._relations).tolist()

    def batch(self, oid: int, places: NDArray[np.int64], table: UpstreamTable, heap: Heap) -> Batch:
        """The changes of a copy of that relation. InvalidText for what it cannot hold."""
        mine = self._relations == oid
        starts, stops = self._starts[mine], self._stops[mine]
        shape = len(table.columns), 2 * len(starts)
        begins, ends = np.empty(shape, np.int64), np.empty(shape, np.int64)
        nulls, diffs = np.empty(shape, np.bool_), np.empty(2 * len(starts), np.int64)
        n = kernels.changes(self._data, starts, stops, places, begins, ends, nulls, diffs)
        if n == kernels.NO_OLD_ROW:
            raise InvalidText("a row was changed without its REPLICA IDENTITY being FULL")
        if n < 0:
            raise InvalidText("the server sent a change that is not of its columns")
        vectors = [
            decoded(each.column, Spans(self._data, begins[i, :n], ends[i, :n]), nulls[i, :n], heap)
            for i, each in enumerate(table.columns)
        ]
        return Batch.from_vectors(vectors, diffs[:n].copy())
