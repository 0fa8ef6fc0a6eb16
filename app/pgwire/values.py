"""Columns of text -> wire bytes, a whole column at a time: no Python object per row.

`columns` are what Result.text() gives: CAST(x AS text) per column, nulls as nulls. One Arrow kernel
(binary_join_element_wise) lays the pieces of every row behind each other; its data buffer is the reply.
"""

# pyright: basic, reportAttributeAccessIssue=false
# pyarrow ships no types and makes the functions of pyarrow.compute at import: strict would report every expression.

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NULL_LENGTH: Final = -1
ESCAPES: Final = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"}
"""COPY's text format; the backslash first, because it is in all the others."""
ESCAPED: Final = "[" + re.escape("".join(ESCAPES)) + "]"


def fixed(pieces: NDArray[np.uint8]) -> pa.LargeBinaryArray:
    """A binary array of n equally long values from uint8[n, length]; zero-copy."""
    rows, length = pieces.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * length
    data = pa.py_buffer(np.ascontiguousarray(pieces))
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), rows, [None, pa.py_buffer(offsets), data])


def big_endian(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """int32 in network order: uint8[n, 4]."""
    return numbers.astype(">i4").view(np.uint8).reshape(-1, 4)


def lengths(column: pa.Array) -> NDArray[np.int64]:
    """Bytes of each value; NULL_LENGTH for NULL."""
    return pc.fill_null(pc.binary_length(column), NULL_LENGTH).to_numpy(zero_copy_only=False).astype(np.int64)


def joined(pieces: list[pa.Array], separator: bytes = b"") -> pa.LargeBinaryArray:
    return pc.binary_join_element_wise(
        *pieces, pa.scalar(separator, pa.large_binary()), null_handling="replace", null_replacement=b""
    )


def buffer_of(rows: pa.LargeBinaryArray) -> bytes:
    """All values behind each other."""
    offsets = np.frombuffer(rows.buffers()[1], np.int64, len(rows) + 1, rows.offset * 8)
    data = rows.buffers()[2]
    return b"" if data is None else data[int(offsets[0]) : int(offsets[-1])].to_pybytes()


def data_rows(columns: list[pa.LargeStringArray], count: int) -> bytes:
    """`count` DataRow messages in text format. O(bytes)."""
    if count == 0:
        return b""
    head = np.zeros((count, 7), np.uint8)
    head[:, 0] = ord("D")
    head[:, 5:7] = np.array([len(columns)], ">i2").view(np.uint8)
    total = np.full(count, 6 + 4 * len(columns), np.int64)
    pieces: list[pa.Array] = []
    for column in columns:
        size = lengths(column)
        total += np.maximum(size, 0)
        pieces += [fixed(big_endian(size)), column.cast(pa.large_binary())]
    head[:, 1:5] = big_endian(total)
    return buffer_of(joined([fixed(head), *pieces]))


def escaped(column: pa.LargeStringArray) -> pa.Array:
    """COPY's escapes; a column that needs none (most) is scanned once and left as it is."""
    if pc.any(pc.match_substring_regex(column, ESCAPED)).as_py():
        for plain, escape in ESCAPES.items():
            column = pc.replace_substring(column, plain, escape)
    return pc.fill_null(column, "\\N").cast(pa.large_binary())


def copy_lines(columns: list[pa.LargeStringArray], count: int) -> bytes:
    """`count` CopyData messages of one line of COPY's text format each. O(bytes)."""
    if count == 0:
        return b""
    if not columns:
        return (b"d" + (5).to_bytes(4, "big") + b"\n") * count
    lines = joined([escaped(column) for column in columns], b"\t")
    head = np.zeros((count, 5), np.uint8)
    head[:, 0] = ord("d")
    head[:, 1:5] = big_endian(lengths(lines) + 5)
    newline = fixed(np.full((count, 1), ord("\n"), np.uint8))
    return buffer_of(joined([fixed(head), lines, newline]))
