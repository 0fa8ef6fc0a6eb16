"""Debezium's envelope: what a row was before and after a change, and where in the upstream's log the change stands.

A record is {"before", "after", "op", "source", ..}, in JSON perhaps within "payload". Debezium may send changes again
after a restart of its own: those whose place in the log lies before one that was seen are the same changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.catalog.sources import AvroFormat, Format, JsonFormat
from engine.collection import json
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.connectors import registry
from engine.connectors.avro.decode import AvroDecoder
from engine.connectors.avro.schema import row_columns
from engine.connectors.decode_json import JsonColumns
from engine.connectors.feed import Resolve
from engine.connectors.records import Decoded, Spans
from engine.errors import InvalidParameter
from engine.types import Column

Position = tuple[int, ...]
"""A place in the upstream's log: (lsn), (file, position, row), ..; the greater the later. () is unknown."""

MEMBERS: Final = (
    Column("before", types.JSONB), Column("after", types.JSONB), Column("op", types.TEXT),
    Column("source", types.JSONB), Column("payload", types.JSONB),
)  # fmt: skip

BLIND: Final = "an update or a delete does not say what the row was before"
"""The upstream's table must log whole rows (REPLICA IDENTITY FULL in PostgreSQL)."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """n changes. `before` and `after` are columns of n rows, which mean something where has_before and has_after are.

    `failed` are no changes; `blind` change a row without saying which.
    """

    before: list[Vector]
    has_before: NDArray[np.bool_]
    after: list[Vector]
    has_after: NDArray[np.bool_]
    failed: dict[int, str]
    blind: dict[int, str]
    positions: list[Position]


class Seen:
    """How far each partition's upstream log was seen: its greatest place, and the changes of that very place."""

    def __init__(self, reached: Mapping[int, Position]) -> None:
        self.reached: dict[int, Position] = dict(reached)
        self._at: dict[int, set[bytes]] = {}

    def restart(self, reached: Mapping[int, Position]) -> None:
        """Another topic of the name, or the log's word of how far this one was."""
        self.reached = dict(reached)
        self._at = {}

    def again(self, partitions: NDArray[np.int64], positions: Sequence[Position], data: Spans) -> NDArray[np.bool_]:
        """Which changes were seen before. Several changes of one place are told apart by their bytes."""
        found = np.zeros(len(positions), np.bool_)
        for row, (partition, position) in enumerate(zip(partitions.tolist(), positions, strict=True)):
            if not position:
                continue
            reached = self.reached.get(partition, ())
            if position < reached:
                found[row] = True
            elif position == reached:
                there = self._at.setdefault(partition, set())
                raw = data.get(row)
                found[row] = raw in there
                there.add(raw)
            else:
                self.reached[partition] = position
                self._at[partition] = {data.get(row)}
        return found


def columns_of(format: Format, declared: tuple[Column, ...] | None) -> tuple[Column, ...]:
    """The columns of the upstream's table."""
    match format:
        case JsonFormat():
            assert declared is not None
            return declared
        case AvroFormat():
            return row_columns(format.schema)
        case _:
            raise InvalidParameter("ENVELOPE DEBEZIUM is for FORMAT AVRO and JSON")


class DebeziumDecoder:
    """Records to changes, in JSON or Avro."""

    def __init__(self, format: Format, columns: tuple[Column, ...], heap: Heap, resolve: Resolve) -> None:
        self._columns = columns
        self._heap = heap
        self._avro: AvroDecoder | None = None
        if isinstance(format, AvroFormat):
            schemas = None if format.registry is None else registry.Registry(format.registry, resolve)
            self._avro = AvroDecoder(format, columns, heap, schemas, debezium=True)
        self._members = JsonColumns(MEMBERS, heap)
        self._rows = JsonColumns(columns, heap)

    def decode(self, data: Spans) -> Change:
        """One change a datum."""
        if self._avro is not None:
            return self._from_avro(self._avro, data)
        envelope = self._members.decode(data)
        within = self._texts(envelope.columns[4])
        wrapped = [row for row, text in enumerate(within) if text is not None and text != b"null"]
        columns = envelope.columns
        if wrapped:
            inner = self._members.decode(Spans.of([within[row] or b"" for row in wrapped]))
            columns = [_put(vector, wrapped, other) for vector, other in zip(columns, inner.columns, strict=True)]
            envelope.failed.update({wrapped[row]: reason for row, reason in inner.failed.items()})
        before, has_before = self._side(columns[0], envelope.failed)
        after, has_after = self._side(columns[1], envelope.failed)
        ops = [None if text is None else text.decode() for text in self._texts(columns[2])]
        positions = [position_of(text) for text in self._texts(columns[3])]
        return Change(before, has_before, after, has_after, envelope.failed, _blind(ops, has_before), positions)

    def _side(self, column: Vector, failed: dict[int, str]) -> tuple[list[Vector], NDArray[np.bool_]]:
        texts = self._texts(column)
        has = np.array([text is not None and text != b"null" for text in texts], np.bool_)
        rows = np.flatnonzero(has)
        decoded = self._rows.decode(Spans.of([texts[row] or b"" for row in rows.tolist()]))
        for row, reason in decoded.failed.items():
            failed.setdefault(int(rows[row]), reason)
        return [_spread(vector, rows, len(texts)) for vector in decoded.columns], has

    def _texts(self, column: Vector) -> list[bytes | None]:
        texts: list[bytes | None] = self._heap.decode(column.words).to_pylist()
        if column.nulls is not None:
            for row in np.flatnonzero(column.nulls).tolist():
                texts[row] = None
        return texts

    def _from_avro(self, avro: AvroDecoder, data: Spans) -> Change:
        decoded: Decoded = avro.decode(data)
        k = len(self._columns)
        before, after = decoded.columns[:k], decoded.columns[k : 2 * k]
        has_before, has_after = (vector.words != 0 for vector in decoded.columns[2 * k : 2 * k + 2])
        ops = [None if text is None else text.decode() for text in self._texts(decoded.columns[2 * k + 2])]
        positions = [position_of(text) for text in self._texts(decoded.columns[2 * k + 3])]
        return Change(before, has_before, after, has_after, decoded.failed, _blind(ops, has_before), positions)


def _blind(ops: Sequence[str | None], has_before: NDArray[np.bool_]) -> dict[int, str]:
    return {row: BLIND for row, op in enumerate(ops) if op in ("u", "d") and not has_before[row]}


def position_of(source: bytes | None) -> Position:
    """The place that a change's "source" names: of MySQL, PostgreSQL or SQL Server. () for snapshots and others."""
    if source is None:
        return ()
    document = json.parse(source)
    if not isinstance(document, dict):
        return ()
    if document.get("snapshot") not in (None, False, "false"):
        return ()
    lsn, file, change = document.get("lsn"), document.get("file"), document.get("change_lsn")
    if isinstance(lsn, int):
        return (lsn,)
    if isinstance(file, str):
        number = file.rpartition(".")[2]
        at, row = document.get("pos"), document.get("row")
        if number.isdecimal() and isinstance(at, int):
            return (int(number), at, row if isinstance(row, int) else 0)
    if isinstance(change, str):
        parts = change.split(":")
        serial = document.get("event_serial_no")
        if all(part and set(part.lower()) <= set("0123456789abcdef") for part in parts):
            return (*(int(part, 16) for part in parts), serial if isinstance(serial, int) else 0)
    return ()


def _put(vector: Vector, rows: Sequence[int], other: Vector) -> Vector:
    words, nulls = vector.words.copy(), np.zeros(len(vector), np.bool_)
    if vector.nulls is not None:
        nulls |= vector.nulls
    words[rows] = other.words
    nulls[rows] = False if other.nulls is None else other.nulls
    return Vector(words, nulls)


def _spread(vector: Vector, rows: NDArray[np.int64], n: int) -> Vector:
    """A column of n rows that has the vector's values in those rows."""
    words, nulls = np.zeros(n, np.uint64), np.ones(n, np.bool_)
    words[rows] = vector.words
    nulls[rows] = False if vector.nulls is None else vector.nulls
    return Vector(words, nulls)
