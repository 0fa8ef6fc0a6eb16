"""What envelopes share: keys, values and what else is known of a record, as columns of a source and of its errors."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.catalog.sources import Debezium, KafkaSource, OpenCdc
from engine.collection import nested
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.connectors.feed import Resolve
from engine.connectors.formats import decoder_of
from engine.connectors.kafka.batches import Records
from engine.connectors.kafka.columns import HEADER, Layout, Part
from engine.connectors.records import Decoded, RecordDecoder, Spans, present

Rows = NDArray[np.int64]

HEADERS: Final = types.list_of(HEADER)


class Parts:
    """Decodes what envelopes share: keys, values, metadata, errors."""

    def __init__(self, description: KafkaSource, layout: Layout, heap: Heap, resolve: Resolve) -> None:
        self._heap = heap
        self._layout = layout
        key_format = description.key_format
        self._key_decoder: RecordDecoder | None = None
        if key_format is not None:
            self._key_decoder = decoder_of(key_format, layout.key_columns, heap, resolve, whole=True)
        self._value_decoder: RecordDecoder | None = None
        if not isinstance(description.envelope, Debezium | OpenCdc):
            self._value_decoder = decoder_of(description.value_format, layout.value_columns, heap, resolve)

    def keys(self, spans: Spans) -> Decoded:
        """The key columns; an absent key is NULL in each."""
        assert self._key_decoder is not None
        return present(self._key_decoder, spans)

    def values(self, spans: Spans) -> Decoded:
        """The value columns; an absent value is NULL in each."""
        assert self._value_decoder is not None
        return present(self._value_decoder, spans)

    @property
    def has_keys(self) -> bool:
        return self._key_decoder is not None

    def columns(
        self,
        records: Records,
        rows: Rows,
        keys: Sequence[Vector],
        values: Sequence[Vector],
        error: Vector | None = None,
    ) -> list[Vector]:
        """The source's columns of the records `rows`; `keys` and `values` are columns of these already."""
        made: list[Vector] = []
        for part, index in self._layout.places:
            match part:
                case Part.KEY:
                    made.append(keys[index])
                case Part.VALUE:
                    made.append(values[index])
                case Part.ERROR:
                    made.append(error or Vector(np.zeros(len(rows), np.uint64), np.ones(len(rows), np.bool_)))
                case Part.PARTITION:
                    made.append(Vector(records.partitions[rows].view(np.uint64)))
                case Part.OFFSET:
                    made.append(Vector(records.offsets[rows].view(np.uint64)))
                case Part.TIMESTAMP:
                    made.append(Vector((records.times[rows] * 1000).view(np.uint64)))
                case Part.HEADERS:
                    made.append(Vector(_headers(records.headers.take(rows), self._heap)))
        return made

    def errors(self, records: Records, failed: Mapping[int, str]) -> list[Vector]:
        """The columns of the error relation, for the failed records in the order of the mapping."""
        rows = np.array(list(failed), np.int64)
        reasons = [failed[row].encode() for row in rows.tolist()]
        return [
            Vector(records.partitions[rows].view(np.uint64)),
            Vector(records.offsets[rows].view(np.uint64)),
            _raw(records.keys.take(rows), self._heap),
            _raw(records.values.take(rows), self._heap),
            Vector(self._heap.intern_many(reasons)),
        ]


def _raw(spans: Spans, heap: Heap) -> Vector:
    """Data as bytea; absent ones are NULL."""
    absent = spans.begins < 0
    whole = Spans(spans.data, np.maximum(spans.begins, 0), np.where(absent, 0, spans.ends))
    return Vector(whole.intern(heap).words, absent if absent.any() else None)


def _headers(spans: Spans, heap: Heap) -> NDArray[np.uint64]:
    """The headers of each record as a list of (key, value)."""
    known: dict[bytes, int] = {}
    words = np.empty(len(spans), np.uint64)
    for row, raw in enumerate(spans.texts().to_pylist()):
        code = known.get(raw)
        if code is None:
            code = known[raw] = heap.intern(nested.encode(headers_of(raw), HEADERS))
        words[row] = code
    return words


def headers_of(raw: bytes) -> list[tuple[str, bytes | None]]:
    """The headers of one record from their bytes in it."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (value >> 1) ^ -(value & 1)

    def datum() -> bytes | None:
        nonlocal at
        size = varint()
        if size < 0:
            return None
        at += size
        return raw[at - size : at]

    return [((datum() or b"").decode(errors="replace"), datum()) for _ in range(varint())]
