"""What decoders of lines take and give, and how cells that a kernel left as spans of text become words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import pyarrow as pa

from engine import types
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.expr.evaluate import Context
from engine.expr.functions.casts import cast_function
from engine.types import CastContext, Column, SqlType

STRINGS: Final = frozenset({types.TEXT, types.VARCHAR, types.CHAR})


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no row: a row of the error relation."""

    line: int
    data: bytes
    reason: str


@dataclass(slots=True, eq=False)
class Rows:
    """What a block of lines holds: `columns` of n rows each, no error among them; `bad` lines; lines read in all."""

    columns: list[Vector]
    lines: int
    bad: list[BadLine] = field(default_factory=list)


class Decoder(Protocol):
    """A format. Pure but for the heap."""

    def cut(self, block: bytes) -> int:
        """Where the last whole record of the bytes ends, or 0."""
        ...

    def decode_lines(self, block: bytes, first_line: int) -> Rows:
        """The rows of whole records; every line of the block ends in a newline."""
        ...


def last_newline(block: bytes) -> int:
    """Where the last whole line ends, or 0."""
    return block.rfind(b"\n") + 1


def cast_texts(texts: Vector, type: SqlType, heap: Heap) -> Vector:
    """A column of texts as another type, modifiers applied; rows that do not cast have errors."""
    function = cast_function(types.TEXT, type, CastContext.ASSIGNMENT)
    assert function is not None, type
    vector = function.kernel(Context(heap), [texts], type)
    return Vector(vector.words, texts.nulls if vector.nulls is None else vector.nulls, vector.errors)


def insert_batch(columns: Sequence[Vector]) -> Batch:
    """One insertion of each row."""
    return Batch.from_vectors(columns, np.ones(len(columns[0]), np.int64))


def failures(columns: Sequence[Vector], names: Sequence[Column], heap: Heap) -> dict[int, str]:
    """Why rows, by number, did not evaluate in every column."""
    failed: dict[int, str] = {}
    for vector, column in zip(columns, names, strict=True):
        if vector.errors is not None:
            for row in np.flatnonzero(vector.errors).tolist():
                text = heap.get(int(vector.errors[row])).decode()
                failed.setdefault(row, f'column "{column.name}": {text.partition(" ")[2]}')
    return failed


def without_errors(
    columns: Sequence[Vector], names: Sequence[Column], heap: Heap
) -> tuple[list[Vector], dict[int, str]]:
    """The rows of which every column evaluated, and why each other row (by number) did not."""
    failed = failures(columns, names, heap)
    if not failed:
        return list(columns), failed
    keep = np.ones(len(columns[0]), np.bool_)
    keep[list(failed)] = False
    rows = np.flatnonzero(keep)
    return [Vector(vector.words, vector.nulls).take(rows) for vector in columns], failed


def is_utf8(block: bytes) -> bool:
    """Whether the bytes are UTF-8. Arrow checks at several GB/s."""
    if block.isascii():
        return True
    try:
        pa.array([block], pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def replaced(column: Vector, rows: Sequence[int], part: Vector) -> Vector:
    """A column with other values in those rows."""
    words = column.words.copy()
    words[rows] = part.words
    if column.nulls is None and part.nulls is None:
        return Vector(words)
    nulls = np.zeros(len(words), np.bool_) if column.nulls is None else column.nulls.copy()
    nulls[rows] = False if part.nulls is None else part.nulls
    return Vector(words, nulls)
