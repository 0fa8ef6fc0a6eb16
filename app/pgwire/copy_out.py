"""COPY ... TO STDOUT: columns -> CopyData messages, a row each, in PostgreSQL's text, CSV and binary formats."""

# pyright: basic, reportAttributeAccessIssue=false
# pyarrow ships no types and makes the functions of pyarrow.compute at import: strict would report every expression.

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from app.pgwire.messages import frame
from engine.collection.fields import big_endian, buffer_of, delimited, fixed, joined, lengths, sized
from engine.database import CopyForm

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
    lines = delimited(columns, form.delimiter, form.null, form.quote, form.escape)
    newline = fixed(np.full((count, 1), ord("\n"), np.uint8))
    return buffer_of(joined([heads(lengths(lines) + 5), lines, newline]))


def heads(sizes: np.ndarray) -> pa.LargeBinaryArray:
    """The beginning of a CopyData message of each length."""
    head = np.zeros((len(sizes), 5), np.uint8)
    head[:, 0] = ord("d")
    head[:, 1:5] = big_endian(sizes)
    return fixed(head)


def binary_rows(columns: Sequence[pa.LargeBinaryArray], count: int) -> bytes:
    pieces, total = sized(columns, count)
    total += 4
    return buffer_of(joined([heads(total), *pieces]))
