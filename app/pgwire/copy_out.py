"""COPY ... TO STDOUT: columns -> CopyData messages, a row each, in PostgreSQL's text, CSV and binary formats."""

# pyright: basic, reportAttributeAccessIssue=false
# pyarrow ships no types and makes the functions of pyarrow.compute at import: strict would report every expression.

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.pgwire.messages import frame
from app.pgwire.values import big_endian, buffer_of, fixed, joined, lengths
from engine.database import CopyForm

ESCAPES: Final = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"}
"""Of the text format; the backslash first, because it is in all the others."""
SPECIAL: Final = np.isin(np.arange(256), [ord(sign) for sign in ESCAPES])

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What the binary format begins with: its name, no flags, no extension."""
TRAILER: Final = b"\xff\xff"


def begun(form: CopyForm, names: Sequence[str]) -> bytes:
    """What stands before the rows in a message of its own."""
    if form.binary or not form.header:
        return b""
    return copied(form, [pa.array([name], pa.large_string()) for name in names], 1)


def ended(form: CopyForm) -> bytes:
    """What stands behind the rows."""
    return frame(b"d", TRAILER) if form.binary else b""


def led(lead: bytes, messages: bytes) -> bytes:
    """The messages, the first of which begins with `lead`: the binary format's signature comes with the first row."""
    size = 1 + int.from_bytes(messages[1:5], "big")
    return frame(b"d", lead + messages[5:size]) + messages[size:]


def copied(form: CopyForm, columns: Sequence[pa.Array], count: int) -> bytes:
    """`count` CopyData messages. The columns are text, or in the binary format binary. O(bytes)."""
    if count == 0:
        return b""
    if form.binary:
        return binary_rows(columns, count)
    if not columns:
        return frame(b"d", b"\n") * count
    write = csv_field if form.quote else text_field
    lines = joined([write(column, form) for column in columns], form.delimiter.encode())
    newline = fixed(np.full((count, 1), ord("\n"), np.uint8))
    return buffer_of(joined([heads(lengths(lines) + 5), lines, newline]))


def heads(sizes: np.ndarray) -> pa.LargeBinaryArray:
    """The beginning of a CopyData message of each length."""
    head = np.zeros((len(sizes), 5), np.uint8)
    head[:, 0] = ord("d")
    head[:, 1:5] = big_endian(sizes)
    return fixed(head)


def binary_rows(columns: Sequence[pa.LargeBinaryArray], count: int) -> bytes:
    width = np.frombuffer(len(columns).to_bytes(2, "big"), np.uint8)
    total = np.full(count, 4 + 2 + 4 * len(columns), np.int64)
    pieces = [fixed(np.broadcast_to(width, (count, 2)))]
    for column in columns:
        size = lengths(column)
        total += np.maximum(size, 0)
        pieces += [fixed(big_endian(size)), column]
    return buffer_of(joined([heads(total), *pieces]))


def text_field(column: pa.LargeStringArray, form: CopyForm) -> pa.Array:
    """Escaped; a column that needs no escape (most) is scanned once and left as it is."""
    if has_special(column):
        for plain, escape in ESCAPES.items():
            column = pc.replace_substring(column, plain, escape)
    if form.delimiter not in ESCAPES:
        column = pc.replace_substring(column, form.delimiter, "\\" + form.delimiter)
    return pc.fill_null(column, form.null).cast(pa.large_binary())


def has_special(column: pa.LargeStringArray) -> bool:
    """Whether some byte needs an escape."""
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return False
    where = np.frombuffer(offsets, np.int64, len(column) + 1, column.offset * 8)
    return bool(SPECIAL[np.frombuffer(data, np.uint8)[where[0] : where[-1]]].any())


def csv_field(column: pa.LargeStringArray, form: CopyForm) -> pa.Array:
    """In quotes where it has a sign of the format in it, or would be read as NULL."""
    assert form.quote is not None
    doubled = column
    for sign in {form.quote, form.escape}:
        doubled = pc.replace_substring(doubled, sign, form.escape + sign)
    needs = pc.or_(pc.equal(column, form.null), pc.equal(column, "\\."))
    for sign in {form.quote, form.delimiter, "\n", "\r"}:
        needs = pc.or_(needs, pc.match_substring(column, sign))
    quote = pa.scalar(form.quote, pa.large_string())
    quoted = pc.binary_join_element_wise(quote, doubled, quote, pa.scalar("", pa.large_string()))
    return pc.fill_null(pc.if_else(needs, quoted, column), form.null).cast(pa.large_binary())
