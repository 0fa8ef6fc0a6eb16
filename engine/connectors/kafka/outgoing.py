"""Records to be, and the batches of Kafka's format 2 that carry them: arrays in, bytes out, no object a record.

Law: the records of a partition are in the order in which they were given; a batch knows which records it carries, so
that one that a broker finds too large is packed again as two with the numbers that it had.
"""

import gzip
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cramjam
import numpy as np
from aiokafka.codec import snappy_encode
from aiokafka.record.util import calc_crc32c
from numpy.typing import NDArray

from engine.connectors.encode import varint
from engine.connectors.records import Spans
from engine.kernels import kafka as kernels
from engine.kernels.murmur import murmur2_of

BATCH_BYTES: Final = 256 << 10
"""Of records before they are compressed: a quarter of what brokers take in one batch unless they are told otherwise."""

RECORD_OVERHEAD_MAX: Final = 64
"""Bytes of a record beside its key, value and headers."""

CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
GZIP_LEVEL, LZ4_LEVEL, ZSTD_LEVEL = 6, 1, 3
"""What Kafka's own producer takes for gzip and zstd; its lz4 is the fast one."""

TRANSACTIONAL: Final = 0x10
HEAD: Final = struct.Struct(">qiibI")
"""Base offset, length from the leader's epoch on, leader's epoch, magic, checksum of what follows."""
BODY: Final = struct.Struct(">hiqqqhii")
"""Attributes, last offset's delta, first and last timestamp, producer, its epoch, first sequence, number of records."""
SEQUENCES: Final = 1 << 31
"""Sequence numbers begin again from 0 behind the last that is positive."""


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """n records to be. An absent key or value begins at -1; so do absent headers, which otherwise are a count and as
    many (length, name, length, value). `places`, int64 or uint64, choose the partitions, modulo their number; None: the
    hash of the key does.
    """

    keys: Spans
    values: Spans
    headers: Spans
    places: NDArray[np.int64] | NDArray[np.uint64] | None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def size(self) -> int:
        """Bytes of all keys and values."""
        return sum(int((part.ends - part.begins).sum()) for part in (self.keys, self.values))

    def partitions(self, count: int) -> NDArray[np.int64]:
        """The partition of each record: without a place that which every client of Kafka gives its key."""
        if count == 1:
            return np.zeros(len(self), np.int64)
        if self.places is not None:
            return (self.places % self.places.dtype.type(count)).astype(np.int64)
        return murmur2_of(self.keys.data, self.keys.begins, self.keys.ends) % count


def absent(n: int) -> Spans:
    """n data none of which is there."""
    none = np.full(n, -1, np.int64)
    return Spans(np.empty(0, np.uint8), none, none)


def headers_of(headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    """Headers as a record has them: a count and as many (length, name, length, value)."""
    parts = [varint(len(headers))]
    for name, value in headers:
        data = name.encode()
        parts += [varint(len(data)), data, varint(-1) if value is None else varint(len(value)), value or b""]
    return b"".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Producer:
    """Who writes, as the brokers know it."""

    id: int
    epoch: int


@dataclass(frozen=True, slots=True, eq=False)
class OutBatch:
    """Some records of one partition, ready to be sent. `sequence` is that of the first."""

    topic: str
    partition: int
    records: Outgoing
    rows: NDArray[np.int64]
    sequence: int
    timestamp: int
    data: bytes

    @property
    def place(self) -> tuple[str, int]:
        return self.topic, self.partition


class Packing:
    """Makes batches of the records of one producer, and counts them.

    State  the next sequence number of each partition that has got records.
    """

    def __init__(self, producer: Producer, compression: str, batch_bytes: int = BATCH_BYTES) -> None:
        self._producer: Final = producer
        self._codec: Final = CODECS[compression]
        self._batch_bytes: Final = batch_bytes
        self._sequences: Final[dict[tuple[str, int], int]] = {}

    def pack(self, topic: str, partitions: int, records: Outgoing, timestamp: int) -> list[OutBatch]:
        """All of the records, in batches. O(bytes)."""
        places = records.partitions(partitions)
        order = np.argsort(places, kind="stable")
        bounds = np.flatnonzero(np.diff(places[order], prepend=-1, append=partitions))
        found: list[OutBatch] = []
        for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            rows = order[begin:end]
            partition = int(places[rows[0]])
            sequence = self._sequences.get((topic, partition), 0)
            found += self._batches(topic, partition, records, rows, sequence, timestamp)
            self._sequences[topic, partition] = (sequence + len(rows)) % SEQUENCES
        return found

    def split(self, batch: OutBatch) -> list[OutBatch]:
        """The same records, some of them in each of several batches."""
        half = max(len(batch.rows) // 2, 1)
        found: list[OutBatch] = []
        for begin in range(0, len(batch.rows), half):
            rows = batch.rows[begin : begin + half]
            sequence = (batch.sequence + begin) % SEQUENCES
            found += self._batches(batch.topic, batch.partition, batch.records, rows, sequence, batch.timestamp)
        return found

    def _batches(
        self, topic: str, partition: int, records: Outgoing, rows: NDArray[np.int64], sequence: int, timestamp: int
    ) -> Iterator[OutBatch]:
        limit = self._batch_bytes
        keys, values, headers = records.keys, records.values, records.headers
        sizes = sum((part.ends - part.begins)[rows] for part in (keys, values, headers))
        room = np.empty(limit + int(np.max(sizes)) + RECORD_OVERHEAD_MAX, np.uint8)
        done = 0
        while done < len(rows):
            count, size = kernels.write_records(
                keys.data, keys.begins, keys.ends, values.data, values.begins, values.ends,
                headers.data, headers.begins, headers.ends, rows, done, limit, room,
            )  # fmt: skip
            at = (sequence + done) % SEQUENCES
            data = self._framed(room[:size], count, at, timestamp)
            yield OutBatch(topic, partition, records, rows[done : done + count], at, timestamp, data)
            done += count

    def _framed(self, records: NDArray[np.uint8], count: int, sequence: int, timestamp: int) -> bytes:
        payload = _compressed(self._codec, records)
        body = BODY.pack(
            self._codec | TRANSACTIONAL, count - 1, timestamp, timestamp, self._producer.id, self._producer.epoch,
            sequence, count,
        )  # fmt: skip
        body += payload
        return HEAD.pack(0, len(body) + 9, 0, 2, calc_crc32c(body)) + body


def _compressed(codec: int, records: NDArray[np.uint8]) -> bytes:
    data = records.tobytes()
    match codec:
        case 0:
            return data
        case 1:
            return gzip.compress(data, GZIP_LEVEL)
        case 2:
            return snappy_encode(data)  # framed as Java's consumers want it
        case 3:
            # Brokers refuse blocks that depend on each other.
            compressor = cramjam.lz4.Compressor(level=LZ4_LEVEL, content_checksum=False, block_linked=False)
            compressor.compress(data)
            return bytes(compressor.finish())
        case _:
            return bytes(cramjam.zstd.compress(data, level=ZSTD_LEVEL))
