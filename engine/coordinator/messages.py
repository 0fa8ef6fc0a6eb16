"""Changes to records: what a sink sends for the net change of one time.

Rule   UPSERT: of a key the row that comes, or no value when the last one goes. DEBEZIUM with a key: the row before and
       after; without: each row that goes and each that comes by itself, those that go first.
Law    a key has one row at a time: of a change that says otherwise nothing is sent.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.catalog.sinks import AvroOutput, KafkaSink, OutputEnvelope, OutputFormat
from engine.catalog.sources import JsonFormat
from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors.avro.encode import AvroEncoder, change_schema, row_schema, text_of
from engine.connectors.encode import JsonEncoder, RowEncoder, WholeEncoder, raw_values
from engine.connectors.feed import Resolve
from engine.connectors.kafka import marks
from engine.connectors.kafka.marks import Marks
from engine.connectors.kafka.outgoing import Outgoing, absent, headers_of
from engine.connectors.records import Spans
from engine.connectors.registry import Registry
from engine.coordinator.envelope import Keyed, keyed
from engine.errors import CardinalityViolation
from engine.expr import text_forms
from engine.kernels.murmur import murmur2_of
from engine.types import Column, Physical

CHUNK: Final = 50_000
"""Rows whose records are in memory at a time."""


def schemas_of(sink: KafkaSink, columns: tuple[Column, ...]) -> list[tuple[AvroOutput, str, str]]:
    """What the registry is to know: (format, subject, schema). InvalidParameter for columns without a name in Avro."""
    found: list[tuple[AvroOutput, str, str]] = []
    if isinstance(sink.key_format, AvroOutput):
        key = [columns[i] for i in sink.key or ()]
        found.append((sink.key_format, f"{sink.topic}-key", text_of(row_schema(key, sink.key_format))))
    if isinstance(sink.value_format, AvroOutput):
        debezium = sink.envelope is OutputEnvelope.DEBEZIUM
        schema = (change_schema if debezium else row_schema)(_values(sink, columns), sink.value_format)
        found.append((sink.value_format, f"{sink.topic}-value", text_of(schema)))
    consistency = sink.consistency
    if consistency is not None and isinstance(consistency.format, AvroOutput):
        found.append((consistency.format, f"{consistency.topic}-value", text_of(marks.SCHEMA)))
    return found


def _marks(sink: KafkaSink, ids: Mapping[str, int]) -> Marks | None:
    consistency = sink.consistency
    if consistency is None:
        return None
    return Marks(consistency.topic, sink.topic, ids.get(f"{consistency.topic}-value"))


def _values(sink: KafkaSink, columns: tuple[Column, ...]) -> list[Column]:
    return [columns[i] for i in _value_columns(sink, len(columns))]


def _value_columns(sink: KafkaSink, width: int) -> list[int]:
    return [i for i in range(width - sink.partitioned) if i != sink.headers]


class Writer:
    """Makes records of changes. Asks the registry once, when it is made: SourceError."""

    def __init__(self, sink: KafkaSink, columns: tuple[Column, ...], heap: Heap, resolve: Resolve) -> None:
        self._sink: Final = sink
        self._columns: Final = columns
        self._heap: Final = heap
        ids = {
            subject: Registry(format.registry, resolve).register(subject, schema, format.compatibility)
            for format, subject, schema in schemas_of(sink, columns)
        }
        self.marks: Final = _marks(sink, ids)
        self._key_columns: Final = list(sink.key or ())
        self._value_columns: Final = _value_columns(sink, len(columns))
        self._value = self._encoder(sink.value_format, self._value_columns, ids.get(f"{sink.topic}-value", 0))
        self._key: RowEncoder | None = None
        if sink.key is not None and sink.key_format is not None:
            self._key = self._encoder(sink.key_format, self._key_columns, ids.get(f"{sink.topic}-key", 0))

    def _encoder(self, format: OutputFormat, columns: Sequence[int], schema_id: int) -> RowEncoder:
        own = [self._columns[i] for i in columns]
        match format:
            case AvroOutput():
                return AvroEncoder(own, self._heap, schema_id)
            case JsonFormat():
                return JsonEncoder(own, self._heap)
            case _:
                return WholeEncoder(own[0], self._heap)

    def messages(self, change: Batch) -> Iterator[Outgoing]:
        """The records of a consolidated change, some thousands at a time. EncodeError."""
        if self._sink.key is not None:
            changes = keyed(change, self._sink.key)
            for begin in range(0, len(changes.rows), CHUNK):
                yield self._by_key(change, changes, slice(begin, begin + CHUNK))
            return
        order = np.argsort(change.diffs, kind="stable")
        for begin in range(0, len(order), CHUNK):
            yield self._by_row(change, order[begin : begin + CHUNK])

    def _by_key(self, change: Batch, changes: Keyed, part: slice) -> Outgoing:
        rows, before, after = changes.rows[part], changes.before[part], changes.after[part]
        keys = absent(len(rows))
        if self._key is not None:
            whole = self._key.rows([change.vector(i).take(rows) for i in self._key_columns])
            keys = Spans.of_arrow(self._key.data(whole))
        news = self._encoded(change, after)
        if self._sink.envelope is OutputEnvelope.DEBEZIUM:
            values = self._value.changes(self._encoded(change, before), news)
        else:
            values = self._value.data(news)
        headers = self._headers(change, np.where(after < 0, rows, after))
        return Outgoing(keys, Spans.of_arrow(values), headers, self._places(change, rows))

    def _by_row(self, change: Batch, rows: NDArray[np.int64]) -> Outgoing:
        """Without a key a row goes where its own bytes say, so that what becomes of it stays in order."""
        encoded = self._encoded(change, rows)
        come, none = pa.array(change.diffs[rows] > 0), pa.scalar(None, pa.large_binary())
        values = self._value.changes(pc.if_else(come, none, encoded), pc.if_else(come, encoded, none))
        places = self._places(change, rows)
        if places is None:
            bytes_ = Spans.of_arrow(encoded)
            places = murmur2_of(bytes_.data, bytes_.begins, bytes_.ends)
        copies = np.repeat(np.arange(len(rows)), np.abs(change.diffs[rows]))
        return Outgoing(absent(len(copies)), Spans.of_arrow(values).take(copies), absent(len(copies)), places[copies])

    def _encoded(self, change: Batch, rows: NDArray[np.int64]) -> pa.LargeBinaryArray:
        """The bytes of those rows; null for -1."""
        there = np.flatnonzero(rows >= 0)
        found = self._value.rows([change.vector(i).take(rows[there]) for i in self._value_columns])
        if len(there) == len(rows):
            return found
        position = np.zeros(len(rows), np.int64)
        position[there] = np.arange(len(there))
        return found.take(pa.array(position, mask=rows < 0))

    def _places(self, change: Batch, rows: NDArray[np.int64]) -> NDArray[np.int64] | NDArray[np.uint64] | None:
        """What PARTITION BY says; 0 where that is NULL."""
        if not self._sink.partitioned:
            return None
        words = change.vector(len(self._columns) - 1).words[rows]
        return words if self._columns[-1].type.physical is Physical.UNSIGNED else words.view(np.int64)

    def _headers(self, change: Batch, rows: NDArray[np.int64]) -> Spans:
        column = self._sink.headers
        if column is None:
            return absent(len(rows))
        type = self._columns[column].type
        values = raw_values(change.vector(column).take(rows), type, self._heap)
        return Spans.of([headers_of([*map(_header, value.items())] if value else []) for value in values])


def _header(entry: tuple[str, Any]) -> tuple[str, bytes | None]:
    name, value = entry
    return name, value.encode() if isinstance(value, str) else value


class KeyCheck:
    """The keys that the topic has: what is said to be a key need not be one, and what is proven may rest on what
    a source promises.

    Rule   a key may come alone only if it is not there, and never twice.
    State  the keys, arranged: 8 bytes a column and some 30 more of each.
    """

    def __init__(self, key: tuple[int, ...], columns: tuple[Column, ...], heap: Heap) -> None:
        self._key: Final = key
        self._columns: Final = columns
        self._heap: Final = heap
        self._keys: Final = Arrangement(len(key), range(len(key)))

    def check(self, change: Batch) -> None:
        """CardinalityViolation when the change leaves some key with more than one row."""
        net = change.project(self._key).consolidate()
        after = net.diffs + self._keys.counts(net)
        broken = np.flatnonzero(after > 1)
        if len(broken):
            values = [
                raw_values(net.vector(i).take(broken[:1]), self._columns[c].type, self._heap)[0]
                for i, c in enumerate(self._key)
            ]
            names = ", ".join(self._columns[c].name for c in self._key)
            texts = ", ".join(
                "NULL" if value is None else text_forms.format(value, self._columns[c].type)
                for value, c in zip(values, self._key, strict=True)
            )
            raise CardinalityViolation(
                f"key ({names}) = ({texts}) has {int(after[broken[0]])} rows",
                hint="The sink goes on when the key has one row again.",
            )

    def apply(self, change: Batch) -> None:
        """The change is told."""
        net = change.project(self._key).consolidate()
        if len(net):
            self._keys.apply(net)
