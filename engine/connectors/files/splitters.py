"""Bytes to records: whole lines, or blocks of an Avro object container file. One splitter a file.

    take(text, number, last)   the rows of the whole records that the bytes begin with, and how many bytes those are
    learn(head)                what a file's beginning says, of one that is read on from its middle

A line counts once its newline is there; where nothing follows (`last`) the last one needs none. A container that is cut
off, or whose block does not decompress, has an error row of that block and goes on at the next mark.

From  the Avro specification, "Object Container Files".
"""

import csv
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import cramjam
import numpy as np

from engine.catalog.sources import AvroFormat
from engine.collection.heap import Heap
from engine.connectors.avro.decode import AvroDecoder
from engine.connectors.avro.values import datum, long
from engine.connectors.lines import BadLine, Decoder, Rows
from engine.connectors.records import Spans, buffer_of, kept
from engine.connectors.registry import RegisteredSchema
from engine.errors import MalformedSource
from engine.kernels.avro import CHAINED
from engine.types import Column

HEAD_BYTES: Final = 64 << 10
"""Asked of a file's beginning first, to learn what it says; twice as many when that is not all."""

RECORD_BYTES_MAX: Final = 256 << 20
"""A longer line or block is none: the file is not what the source takes it for."""

BAD_BYTES_MAX: Final = 64 << 10
"""Kept of a block that does not decode."""

Head = Callable[[int], bytes]
"""The first bytes of a file, fewer if it has fewer."""


class Splitter(Protocol):
    """See above."""

    def take(self, text: bytes, number: int, last: bool) -> tuple[Rows, int]:
        """`number` records of the file came before. MalformedSource for a file that is another than the source's."""
        ...

    def learn(self, head: Head) -> None: ...


class Headers:
    """What the first line of each CSV file of a source has to say."""

    def __init__(self, names: tuple[str, ...], delimiter: str) -> None:
        self._names = names
        self._delimiter = delimiter

    def check(self, line: bytes) -> None:
        found = names_in(line, self._delimiter)
        if found != self._names:
            raise MalformedSource(
                "it has another header than the source's files",
                detail=f"of the source: {', '.join(self._names)}; of the file: {', '.join(found)}",
                hint="Drop the source and create it again to read the new columns.",
            )


def names_in(line: bytes, delimiter: str) -> tuple[str, ...]:
    """The names in the first line of a CSV file."""
    return tuple(next(csv.reader([line.decode(errors="replace").rstrip("\r\n")], delimiter=delimiter), []))


class Lines:
    """Whole lines for a decoder."""

    def __init__(self, decoder: Decoder, headers: Headers | None) -> None:
        self._decoder = decoder
        self._headers = headers

    def take(self, text: bytes, number: int, last: bool) -> tuple[Rows, int]:
        end = len(text) if last else self._decoder.cut(text)
        if not end:
            return Rows([], 0), 0
        block = text if end == len(text) else text[:end]
        if not block.endswith(b"\n"):
            block += b"\n"
        if number == 0 and self._headers is not None:
            self._headers.check(block[: block.index(b"\n")])
        return self._decoder.decode_lines(block, number + 1), end

    def learn(self, head: Head) -> None:
        if self._headers is not None:
            self._headers.check(whole_line(head))


def whole_line(head: Head) -> bytes:
    """The first line of a file, which may be without its newline."""
    size = HEAD_BYTES
    while True:
        text = head(size)
        line, newline, _ = text.partition(b"\n")
        if newline or len(text) < size:
            return line
        size *= 2


class _Writer:
    """The schema that a file was written by, as a registry of that one."""

    def __init__(self, schema: str) -> None:
        self._schema = schema

    def by_id(self, id: int) -> RegisteredSchema:
        return RegisteredSchema(self._schema, "AVRO")


MAGIC: Final = b"Obj\x01"
MARK_BYTES: Final = 16


class Container:
    """Blocks of an Avro object container file, read as the schema `reader` says."""

    def __init__(self, reader: str, columns: Sequence[Column], heap: Heap) -> None:
        self._format = AvroFormat(reader, None, framed=False)
        self._columns = tuple(columns)
        self._heap = heap
        self._decoder: AvroDecoder | None = None
        self._codec, self._mark = "", b""

    def learn(self, head: Head) -> None:
        schema, self._codec, self._mark, _ = whole_header(head)
        self._open(schema)

    def _open(self, schema: str) -> None:
        if self._codec not in CODECS:
            raise MalformedSource(
                f'its Avro codec "{self._codec}" is not known', hint=f"There are {', '.join(CODECS)}."
            )
        self._decoder = AvroDecoder(self._format, self._columns, self._heap, _Writer(schema))
        self._decoder.check()

    def take(self, text: bytes, number: int, last: bool) -> tuple[Rows, int]:
        at = records = 0
        if self._decoder is None:
            found = header_in(text)
            if found is None:
                if last and text:
                    raise MalformedSource("it ends within the header of an Avro object container file")
                return Rows([], 0), 0
            schema, self._codec, self._mark, at = found
            self._open(schema)
        assert self._decoder is not None
        blocks: list[bytes] = []
        counts: list[int] = []
        firsts: list[int] = []
        bad: list[BadLine] = []
        while at < len(text):
            found = self._block(text, at, last)
            if found is None:
                break
            count, data, end = found
            if isinstance(data, bytes):
                blocks.append(data)
                counts.append(count)
                firsts.append(records)
            else:
                bad.append(BadLine(number + records + 1, text[at : min(end, at + BAD_BYTES_MAX)], data.args[0]))
            records, at = records + count, end
        rows = self._decoded(blocks, counts, firsts, number)
        return Rows(rows.columns, records, [*rows.bad, *bad]), at

    def _block(self, text: bytes, at: int, last: bool) -> tuple[int, bytes | ValueError, int] | None:
        """(records, the data, where the block ends) of the block at `at`; None: it is not all there yet."""
        cut_off = (1, ValueError("malformed Avro: the file ends within a block"), len(text)) if last else None
        try:
            count, begin = long(text, at)
            size, begin = long(text, begin)
        except IndexError:
            return cut_off
        end = begin + size
        if end + MARK_BYTES > len(text) and 0 <= size <= RECORD_BYTES_MAX and count >= 0:
            return cut_off
        if size < 0 or count < 0 or text[end : end + MARK_BYTES] != self._mark:
            following = text.find(self._mark, at)
            if following < 0 and not last:
                return None
            end = len(text) if following < 0 else following + MARK_BYTES
            return 1, ValueError("malformed Avro: a block does not end where it says"), end
        try:
            return count, CODECS[self._codec](text[begin:end]), end + MARK_BYTES
        except (zlib.error, ValueError, OSError, cramjam.DecompressionError) as error:
            return max(count, 1), ValueError(f"malformed Avro: a block does not decompress: {error}"), end + MARK_BYTES

    def _decoded(self, blocks: list[bytes], counts: list[int], firsts: list[int], number: int) -> Rows:
        """The records of some blocks. In a block each begins where the one before ended."""
        assert self._decoder is not None
        total = sum(counts)
        if not total:
            return Rows([], 0)
        sizes, per = np.array([len(block) for block in blocks], np.int64), np.array(counts, np.int64)
        stops = np.cumsum(sizes)
        begins = np.full(total, CHAINED, np.int64)
        first_of = np.concatenate([np.zeros(1, np.int64), np.cumsum(per)[:-1]])
        begins[first_of[per > 0]] = (stops - sizes)[per > 0]
        spans = Spans(buffer_of(blocks), begins, np.repeat(stops, per))
        decoded = self._decoder.decode(spans)
        at = np.repeat(np.array(firsts, np.int64) - first_of, per) + np.arange(total)
        bad = [
            BadLine(number + int(at[row]) + 1, spans.get(row)[:BAD_BYTES_MAX], reason)
            for row, reason in decoded.failed.items()
        ]
        return Rows(kept(decoded), total, bad)


def whole_header(head: Head) -> tuple[str, str, bytes, int]:
    """The header of a container, of a file that has it."""
    size = HEAD_BYTES
    while True:
        text = head(size)
        found = header_in(text)
        if found is not None:
            return found
        if len(text) < size:
            raise MalformedSource("it ends within the header of an Avro object container file")
        size *= 2


def header_in(text: bytes) -> tuple[str, str, bytes, int] | None:
    """(schema, codec, the mark behind each block, where the blocks begin); None: the header is not all there."""
    if text[: len(MAGIC)] != MAGIC[: len(text)]:
        raise MalformedSource("it is no Avro object container file: it does not begin with Obj and a 1")
    found: dict[bytes, bytes] = {}
    try:
        count, at = long(text, len(MAGIC))
        while count != 0:
            if count < 0:
                count = -count
                _, at = long(text, at)
            for _ in range(count):
                key, at = datum(text, at)
                found[key], at = datum(text, at)
            count, at = long(text, at)
    except (IndexError, ValueError):
        return None
    if len(text) < at + MARK_BYTES:
        return None
    schema = found.get(b"avro.schema", b"").decode(errors="replace")
    codec = found.get(b"avro.codec", b"null").decode(errors="replace")
    return schema, codec, text[at : at + MARK_BYTES], at + MARK_BYTES


def written_schema(schema: str) -> str:
    """A schema on one line, without what says nothing of the data."""
    try:
        return json.dumps(json.loads(schema), separators=(",", ":"))
    except ValueError:
        raise MalformedSource("its Avro schema is no JSON") from None


def _deflated(block: bytes) -> bytes:
    return zlib.decompress(block, -zlib.MAX_WBITS)


def _snappy(block: bytes) -> bytes:
    """A checksum of the data follows them."""
    data = bytes(cramjam.snappy.decompress_raw(block[:-4]))
    if zlib.crc32(data) != int.from_bytes(block[-4:], "big"):
        raise ValueError("the checksum is another")
    return data


CODECS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "null": lambda block: block,
    "deflate": _deflated,
    "snappy": _snappy,
    "zstandard": lambda block: bytes(cramjam.zstd.decompress(block)),
    "bzip2": lambda block: bytes(cramjam.bzip2.decompress(block)),
    "xz": lambda block: bytes(cramjam.xz.decompress(block)),
}
"""What blocks are compressed by."""
