"""What a fetch brings: record batches of several partitions become one `Records`, arrays over one buffer.

Law: records come in the order of their offsets within a partition, none below the offset that was asked for, none of a
transaction that was aborted, no control record. `next` says for each partition where to go on, past all of these.
"""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
from aiokafka.record.util import calc_crc32c
from numpy.typing import NDArray

from engine.connectors.records import Spans, buffer_of
from engine.errors import SourceError
from engine.kernels import kafka as kernels

COMPRESSION: Final = 0x07
LOG_APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20
"""Bits of a batch's attributes."""

ABORT: Final = 0
"""The type of a control record that ends a transaction for nothing."""

XERIAL: Final = b"\x82SNAPPY\x00"
"""How Java's snappy streams begin: blocks with their lengths."""

BATCHES_MAX: Final = 1 << 16
"""Batches looked at in one answer; more of them are fetched again."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One partition's part of a fetch: `aborted` are (producer, first offset) of transactions to be skipped."""

    partition: int
    asked: int
    high_watermark: int
    aborted: Sequence[tuple[int, int]]
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """n records. `partitions`, `offsets`, `times` (ms) are int64[n]; an absent key or value begins at -1."""

    partitions: NDArray[np.int64]
    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    keys: Spans
    values: Spans
    headers: Spans
    next: Mapping[int, int]

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def bytes(self) -> int:
        """What their data take."""
        return len(self.keys.data) + len(self.values.data) + len(self.headers.data) + 24 * len(self)

    def take(self, rows: NDArray[np.int64] | slice) -> "Records":
        """Those records, in that order."""
        return Records(
            self.partitions[rows], self.offsets[rows], self.times[rows], self.keys.take(rows), self.values.take(rows),
            self.headers.take(rows), {},
        )  # fmt: skip

    def compact(self) -> "Records":
        """The same in buffers of their own."""
        keys, values, headers = (spans.compact() for spans in (self.keys, self.values, self.headers))
        return Records(self.partitions, self.offsets, self.times, keys, values, headers, self.next)

    def cut(self, rows: int) -> "tuple[Records, Records]":
        """The first of them, which say where to go on behind them, and the rest. O(rows)."""
        first, rest = self.take(slice(rows)), self.take(slice(rows, None))
        # They are in the order of their offsets in each partition, so that the last one of each stays.
        behind = dict(zip(first.partitions.tolist(), (first.offsets + 1).tolist(), strict=True))
        return replace(first, next=behind), replace(rest, next=self.next)

    @staticmethod
    def together(parts: "Sequence[Records]") -> "Records":
        """One behind the other, where none says where to go on."""
        none = np.empty(0, np.int64)
        return Records(
            np.concatenate([none, *(part.partitions for part in parts)]),
            np.concatenate([none, *(part.offsets for part in parts)]),
            np.concatenate([none, *(part.times for part in parts)]),
            Spans.together([part.keys for part in parts]), Spans.together([part.values for part in parts]),
            Spans.together([part.headers for part in parts]), {},
        )  # fmt: skip


def records_of(parts: Sequence[Fetched]) -> Records:
    """All of what was fetched. O(bytes). SourceError for what is damaged or older than Kafka 0.11."""
    chosen: list[_Chosen] = []
    reached: dict[int, int] = {}
    for part in parts:
        reached[part.partition] = part.asked
        for batch in _batches(part):
            chosen.append(batch)
            reached[part.partition] = max(part.asked, batch.after)
    wanted = [batch for batch in chosen if batch.count]
    room = sum(batch.count for batch in wanted)
    data = buffer_of([batch.payload for batch in wanted])
    offsets, times, key_begins, key_ends, begins, ends, header_begins, header_ends = np.empty((8, room), np.int64)
    partitions = np.empty(room, np.int64)
    n = at = 0
    for batch in wanted:
        end = at + len(batch.payload)
        before = n
        n = kernels.parse_records(
            data, at, end, batch.count, batch.base, batch.first_ms, batch.log_ms, batch.since,
            n, offsets, times, key_begins, key_ends, begins, ends, header_begins, header_ends,
        )  # fmt: skip
        if n < 0:
            raise SourceError(f"partition {batch.partition} has a damaged batch at offset {batch.base}")
        partitions[before:n] = batch.partition
        at = end
    return Records(
        partitions[:n], offsets[:n], times[:n], Spans(data, key_begins[:n], key_ends[:n]),
        Spans(data, begins[:n], ends[:n]), Spans(data, header_begins[:n], header_ends[:n]), reached,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A batch; `count` is 0 when its records are not for us. `since`: earlier offsets were read before."""

    partition: int
    base: int
    after: int
    count: int
    first_ms: int
    log_ms: int
    since: int
    payload: bytes | memoryview


def _batches(part: Fetched) -> Iterator[_Chosen]:
    """The batches of one partition, those of aborted transactions without their records."""
    view = memoryview(part.data)
    found = np.empty((min(BATCHES_MAX, len(part.data) // kernels.HEADER + 1), kernels.FIELDS), np.int64)
    count = kernels.scan_batches(np.frombuffer(part.data, np.uint8), found)
    pending = sorted(part.aborted, key=lambda pair: pair[1])
    aborting: set[int] = set()
    for row in found[:count].tolist():
        base, length, magic, attributes, last, first_ms, max_ms, producer, records, at = row
        if magic != 2:
            raise SourceError(
                f"partition {part.partition} has messages of format {magic} at offset {base}",
                hint="Tailrace reads format 2, which brokers write since Kafka 0.11.",
            )
        body = view[at + 21 : at + 12 + length]
        if _crc(body) != int.from_bytes(view[at + 17 : at + 21], "big"):
            raise SourceError(f"partition {part.partition} has a batch at offset {base} whose checksum is wrong")
        while pending and pending[0][1] <= base + last:
            aborting.add(pending.pop(0)[0])
        payload = view[at + kernels.HEADER : at + 12 + length]
        if attributes & CONTROL:
            if int.from_bytes(_control_key(payload)[2:4], "big") == ABORT:
                aborting.discard(producer)
            records = 0
        elif attributes & TRANSACTIONAL and producer in aborting:
            records = 0
        if records:
            payload = _decompressed(attributes & COMPRESSION, payload, part.partition, base)
        log_ms = max_ms if attributes & LOG_APPEND_TIME else -1
        yield _Chosen(part.partition, base, base + last + 1, records, first_ms, log_ms, part.asked, payload)


def _crc(body: memoryview) -> int:
    return calc_crc32c(body)  # pyright: ignore[reportArgumentType] - its C code takes any buffer


def _control_key(payload: memoryview) -> bytes:
    """The key of the one record of a control batch: version and type, two bytes each."""
    data = np.frombuffer(payload, np.uint8)
    arrays = [np.empty(1, np.int64) for _ in range(8)]
    parsed = kernels.parse_records(data, 0, len(data), 1, 0, 0, -1, 0, 0, *arrays)
    begin, end = int(arrays[2][0]), int(arrays[3][0])
    return payload[begin:end].tobytes() if parsed == 1 and begin >= 0 else b""


def _decompressed(kind: int, payload: memoryview, partition: int, base: int) -> bytes | memoryview:
    try:
        match kind:
            case 0:
                return payload
            case 1:
                return gzip.decompress(payload)
            case 2:
                return _snappy(payload)
            case 3:
                return pa.CompressedInputStream(pa.BufferReader(pa.py_buffer(payload)), "lz4").read()
            case 4:
                return pa.CompressedInputStream(pa.BufferReader(pa.py_buffer(payload)), "zstd").read()
            case _:
                raise SourceError(f"compression {kind} is not known")
    except (OSError, EOFError) as error:
        raise SourceError(f"partition {partition} has a batch at offset {base} that is damaged: {error}") from None


def _snappy(payload: memoryview) -> bytes:
    """Snappy, plain or as Java frames it."""
    if bytes(payload[:8]) != XERIAL:
        return _plain_snappy(payload)
    parts: list[bytes] = []
    at = 16
    while at < len(payload):
        length = int.from_bytes(payload[at : at + 4], "big")
        parts.append(_plain_snappy(payload[at + 4 : at + 4 + length]))
        at += 4 + length
    return b"".join(parts)


def _plain_snappy(payload: memoryview) -> bytes:
    """A block begins with its size, as a varint."""
    size = shift = 0
    for byte in payload[:5]:
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return pa.decompress(payload, decompressed_size=size, codec="snappy", asbytes=True)
