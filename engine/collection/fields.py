"""Columns of text or bytes laid out row by row: the lines of COPY's formats, and what other protocols are made of.

A whole column at a time: one Arrow kernel (binary_join_element_wise) lays the pieces of every row behind each other,
and its data buffer is what is sent or written.
"""

# pyright: basic, reportAttributeAccessIssue=false
# pyarrow ships no types and makes the functions of pyarrow.compute at import: strict would report every expression.

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NULL_LENGTH: Final = -1

ESCAPES: Final = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"}
"""Of the text format; the backslash first, because it is in all the others."""
SPECIAL: Final = np.isin(np.arange(256), [ord(sign) for sign in ESCAPES])


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


def sized(columns: Sequence[pa.LargeBinaryArray], count: int) -> tuple[list[pa.Array], NDArray[np.int64]]:
    """The pieces of the rows of COPY's binary format (how many fields, then each with its length), and the length of
    each row."""
    width = np.frombuffer(len(columns).to_bytes(2, "big"), np.uint8)
    total = np.full(count, 2 + 4 * len(columns), np.int64)
    pieces: list[pa.Array] = [fixed(np.broadcast_to(width, (count, 2)))]
    for column in columns:
        size = lengths(column)
        total += np.maximum(size, 0)
        pieces += [fixed(big_endian(size)), column]
    return pieces, total


def delimited(
    columns: Sequence[pa.LargeStringArray], delimiter: str, null: str, quote: str | None, escape: str
) -> pa.LargeBinaryArray:
    """The rows as lines without their newline; in COPY's text format where there is no quote, else in CSV."""
    if quote is None:
        fields = [text_field(column, delimiter, null) for column in columns]
    else:
        fields = [csv_field(column, delimiter, null, quote, escape) for column in columns]
    return joined(fields, delimiter.encode())


def text_field(column: pa.LargeStringArray, delimiter: str, null: str) -> pa.Array:
    """Escaped; a column that needs no escape (most) is scanned once and left as it is."""
    if has_special(column):
        for plain, escape in ESCAPES.items():
            column = pc.replace_substring(column, plain, escape)
    if delimiter not in ESCAPES:
        column = pc.replace_substring(column, delimiter, "\\" + delimiter)
    return pc.fill_null(column, null).cast(pa.large_binary())


def has_special(column: pa.LargeStringArray) -> bool:
    """Whether some byte needs an escape."""
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return False
    where = np.frombuffer(offsets, np.int64, len(column) + 1, column.offset * 8)
    return bool(SPECIAL[np.frombuffer(data, np.uint8)[where[0] : where[-1]]].any())


def csv_field(column: pa.LargeStringArray, delimiter: str, null: str, quote: str, escape: str) -> pa.Array:
    """In quotes where it has a sign of the format in it, or would be read as NULL."""
    doubled = column
    for sign in {quote, escape}:
        doubled = pc.replace_substring(doubled, sign, escape + sign)
    needs = pc.or_(pc.equal(column, null), pc.equal(column, "\\."))
    for sign in {quote, delimiter, "\n", "\r"}:
        needs = pc.or_(needs, pc.match_substring(column, sign))
    sign = pa.scalar(quote, pa.large_string())
    quoted = pc.binary_join_element_wise(sign, doubled, sign, pa.scalar("", pa.large_string()))
    return pc.fill_null(pc.if_else(needs, quoted, column), null).cast(pa.large_binary())
