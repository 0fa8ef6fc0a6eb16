"""A long block of lines decoded in parts by several decoders at once.

Law: the rows are those of one decoder over the whole block, in its order. What is interned on the way may get other
codes, which mean the same.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, TypeAlias

import numpy as np

from engine.collection.vector import Vector
from engine.connectors.lines import Rows

PART_BYTES: Final = 1 << 20
"""What a part and its words take stays in the second-level cache between parsing and interning."""

PROCESSORS_MAX: Final = 4
"""Interning is one at a time, and ticks want a processor too: more decoders would wait for each other."""


def processors() -> int:
    """How many decoders may run at once."""
    return min(PROCESSORS_MAX, len(os.sched_getaffinity(0)))


Decode: TypeAlias = Callable[[bytes, int], Rows]
"""What Decoder.decode_lines does."""


class Abreast:
    """Decoders of one format, each with scratch memory of its own. A record ends with its line."""

    def __init__(self, decoders: Sequence[Decode]) -> None:
        self._idle: SimpleQueue[Decode] = SimpleQueue()
        for decode in decoders:
            self._idle.put(decode)
        self._pool: Final = ThreadPoolExecutor(len(decoders), "decoder")

    def decode_lines(self, block: bytes, first_line: int) -> Rows:
        """The rows of whole records; every line of the block ends in a newline."""
        parts: list[bytes] = []
        lines = [first_line]
        at = 0
        while at < len(block):
            end = block.find(b"\n", min(at + PART_BYTES, len(block) - 1)) + 1
            parts.append(block[at:end])
            lines.append(lines[-1] + parts[-1].count(b"\n"))
            at = end
        return joined(list(self._pool.map(self._part, parts, lines[:-1])))

    def _part(self, block: bytes, first_line: int) -> Rows:
        decode = self._idle.get()
        try:
            return decode(block, first_line)
        finally:
            self._idle.put(decode)


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, one after the other."""
    columns = [concatenated([rows.columns[c] for rows in parts]) for c in range(len(parts[0].columns))]
    bad = [line for rows in parts for line in rows.bad]
    return Rows(columns, sum(rows.lines for rows in parts), bad)


def concatenated(vectors: Sequence[Vector]) -> Vector:
    """The values of all of them. None has errors."""
    words = np.concatenate([vector.words for vector in vectors])
    if all(vector.nulls is None for vector in vectors):
        return Vector(words)
    nulls = [np.zeros(len(vector), np.bool_) if vector.nulls is None else vector.nulls for vector in vectors]
    return Vector(words, np.concatenate(nulls))
