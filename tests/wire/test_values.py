"""Rows on the wire equal what a loop over their values would write."""

import struct

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from app.pgwire.values import copy_lines, data_rows

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["\\", "\\N", "a\tb", "\n", "\r\n", "", "\\\n"]
)


@st.composite
def tables(draw):
    count, width = draw(st.integers(0, 6)), draw(st.integers(0, 4))
    return count, [draw(st.lists(st.none() | TEXT, min_size=count, max_size=count)) for _ in range(width)]


def arrays(columns):
    return [pa.array(column, pa.large_string()) for column in columns]


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
    assert data_rows(arrays(columns), count) == expected


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
    assert copy_lines(arrays(columns), count) == expected


def test_slices_are_encoded_from_their_own_offset():
    column = pa.array(["zero", "one", None, "three"], pa.large_string())
    assert data_rows([column[1:3]], 2) == data_rows([pa.array(["one", None], pa.large_string())], 2)
