"""Rows on the wire equal what a loop over their values would write."""

import csv
import io
import struct

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from app.pgwire.copy_out import SIGNATURE, begun, copied, ended, led
from app.pgwire.values import data_rows, few_rows
from engine.database import CopyForm

AS_TEXT = CopyForm("\t", "\\N", None, '"', False)
AS_CSV = CopyForm(",", "", '"', '"', True)
AS_BINARY = CopyForm("\t", "\\N", None, '"', False, binary=True)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["\\", "\\N", "a\tb", "\n", "\r\n", "", "\\\n"]
)


@st.composite
def tables(draw):
    count, width = draw(st.integers(0, 6)), draw(st.integers(0, 4))
    return count, [draw(st.lists(st.none() | TEXT, min_size=count, max_size=count)) for _ in range(width)]


def arrays(columns):
    return [pa.array(column, pa.large_string()) for column in columns]


def binaries(columns):
    return [column.cast(pa.large_binary()) for column in arrays(columns)]


@given(tables())
def test_data_rows_equal_a_loop(table):
    count, columns = table
    expected = b""
    for row in range(count):
        body = struct.pack(">h", len(columns))
        for column in columns:
            value = column[row]
            body += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value.encode())) + value.encode()
        expected += b"D" + struct.pack(">i", len(body) + 4) + body
    assert data_rows(binaries(columns), count) == expected
    few = [[None if value is None else value.encode() for value in column] for column in columns]
    assert few_rows(few, count) == expected


def escape(value):
    if value is None:
        return "\\N"
    plain = "\\\b\t\n\v\f\r"
    return "".join("\\" + "\\btnvfr"[plain.index(sign)] if sign in plain else sign for sign in value)


@given(tables())
def test_copy_lines_equal_a_loop(table):
    count, columns = table
    expected = b""
    for row in range(count):
        body = ("\t".join(escape(column[row]) for column in columns) + "\n").encode()
        expected += b"d" + struct.pack(">i", len(body) + 4) + body
    assert copied(AS_TEXT, arrays(columns), count) == expected


def bodies(data):
    """The bodies of CopyData messages."""
    while data:
        size = int.from_bytes(data[1:5], "big")
        assert data[:1] == b"d"
        yield data[5 : 1 + size]
        data = data[1 + size :]


@given(tables().filter(lambda table: table[1]))
def test_copied_csv_is_read_back(table):
    count, columns = table
    names = [f"column, {i}" for i in range(len(columns))]
    data = begun(AS_CSV, names) + copied(AS_CSV, arrays(columns), count) + ended(AS_CSV)
    text = b"".join(bodies(data)).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    given = [["" if value is None else value for value in row] for row in zip(*columns, strict=True)]
    # A line of one empty field is a blank line, which Python's reader takes for no field at all.
    assert [row or [""] for row in rows] == [names, *given]


@given(tables())
def test_copied_binary_equals_a_loop(table):
    count, columns = table
    assert not begun(AS_BINARY, [])
    data = led(SIGNATURE, copied(AS_BINARY, binaries(columns), count) + ended(AS_BINARY))
    expected: list[bytes] = []
    for row in range(count):
        body = struct.pack(">h", len(columns))
        for column in columns:
            value = column[row]
            body += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value.encode())) + value.encode()
        expected.append(body)
    first, *others = [*expected, b"\xff\xff"]
    assert list(bodies(data)) == [b"PGCOPY\n\xff\r\n\0" + bytes(8) + first, *others]


def test_slices_are_encoded_from_their_own_offset():
    column = pa.array(["zero", "one", None, "three"], pa.large_string())
    alone = pa.array(["one", None], pa.large_string())
    assert copied(AS_TEXT, [column[1:3]], 2) == copied(AS_TEXT, [alone], 2)
    column, alone = column.cast(pa.large_binary()), alone.cast(pa.large_binary())
    assert data_rows([column[1:3]], 2) == data_rows([alone], 2)
