"""The data of COPY FROM STDIN: whatever way they are cut, the same rows come of them."""

import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import types
from engine.collection.heap import Heap
from engine.collection.words import decode_column
from engine.coordinator.copy_cut import SIGNATURE, Cutter
from engine.coordinator.copy_values import column_of
from engine.errors import MalformedCopy
from engine.expr.evaluate import Context
from engine.sql.resolved.rows import CopyForm
from engine.types import Column

COLUMNS: Final = (Column("a", types.INTEGER), Column("b", types.TEXT), Column("c", types.TEXT))
TEXT: Final = CopyForm("\t", "\\N", None, "", False)
CSV: Final = CopyForm(",", "", '"', '"', False)
ESCAPED: Final = CopyForm(";", "none", "'", "\\", True)
BINARY: Final = CopyForm("\t", "\\N", None, "", False, True)
Row = tuple[int | None, str | None, str | None]

TEXTS: Final = st.text(st.sampled_from("\t\n\r\\,;\"'.Nnoe x017é€"), max_size=8)
ROWS: Final = st.lists(
    st.tuples(st.none() | st.integers(-(1 << 31), (1 << 31) - 1), st.none() | TEXTS, st.none() | TEXTS), max_size=20
)


def as_text(row: Row, end: str) -> bytes:
    signs = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\015"}
    fields = ["\\N" if v is None else "".join(signs.get(sign, sign) for sign in str(v)) for v in row]
    return ("\t".join(fields) + end).encode()


def as_csv(row: Row, end: str) -> bytes:
    return (",".join("" if v is None else '"' + str(v).replace('"', '""') + '"' for v in row) + end).encode()


def as_escaped(row: Row, end: str) -> bytes:
    def quoted(value: int | str | None) -> str:
        if value is None:
            return "none"
        return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"

    return (";".join(map(quoted, row)) + end).encode()


def as_binary(row: Row, end: str) -> bytes:
    out = struct.pack(">h", 3)
    for value in row:
        data = None if value is None else struct.pack(">i", value) if isinstance(value, int) else value.encode()
        out += struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data
    return out


WRITERS: Final[Sequence[tuple[CopyForm, bytes, Callable[[Row, str], bytes], bytes]]] = (
    (TEXT, b"", as_text, b""),
    (CSV, b"", as_csv, b""),
    (ESCAPED, b"a;b", as_escaped, b""),
    (BINARY, SIGNATURE + bytes(8), as_binary, b"\xff\xff"),
)


def read(form: CopyForm, chunks: Sequence[bytes], cells: int) -> list[Row]:
    heap = Heap()
    cutter = Cutter(form, "t", tuple(column.name for column in COLUMNS), 1, cells)
    rows: list[Row] = []
    for block in cutter.blocks(chunks):
        vectors = [column_of(block, i, cutter, column, Context(heap)) for i, column in enumerate(COLUMNS)]
        assert all(vector.errors is None for vector in vectors)
        values = [decode_column(v, c.type, heap) for v, c in zip(vectors, COLUMNS, strict=True)]
        rows += zip(*values, strict=True)  # pyright: ignore[reportArgumentType]: values of the columns' types
    return rows


@given(
    st.sampled_from(WRITERS), ROWS, st.lists(st.integers(0, 400), max_size=12), st.sampled_from(("\n", "\r\n", "\r")),
    st.integers(1, 30),
)  # fmt: skip
def test_chunking_never_matters(
    writer: tuple[CopyForm, bytes, Callable[[Row, str], bytes], bytes],
    rows: list[Row],
    cuts: list[int],
    end: str,
    cells: int,
) -> None:
    form, head, write, tail = writer
    data = head + (end.encode() if form.header else b"") + b"".join(write(row, end) for row in rows) + tail
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[begin:finish] for begin, finish in pairwise(places)]
    assert read(form, chunks, cells) == rows


@pytest.mark.parametrize(
    ("form", "data", "rows"),
    [
        (TEXT, b"1\t\\x41\\102\\q\t\\\n\n", [(1, "ABq", "\n")]),
        (TEXT, b"1\t\\N\t\\\\N\n\\.\nno data", [(1, None, "\\N")]),
        (TEXT, b"1\ta\tb", [(1, "a", "b")]),
        (CSV, b'1,a"b,"c,""\n2,"",\\.\n', [(1, "ab,c", ""), (2, "", "\\.")]),
        (CSV, b"\\.\n1,2,3\n", []),
        (CSV, b"", []),
    ],
)
def test_forms_that_only_people_write(form: CopyForm, data: bytes, rows: list[Row]) -> None:
    assert read(form, [data[i : i + 1] for i in range(len(data))], 3) == rows


@pytest.mark.parametrize(
    ("form", "data", "said", "where"),
    [
        (TEXT, b"1\ta\tb\n2\ta\n", 'missing data for column "c"', 'COPY t, line 2: "2\ta"'),
        (TEXT, b"1\ta\tb\tc\n", "extra data after last expected column", 'COPY t, line 1: "1\ta\tb\tc"'),
        (TEXT, b"1\ta\tb\n\\.x\n", "end-of-copy marker corrupt", 'COPY t, line 2: "\\.x"'),
        (TEXT, b"1\ta\tb\n2\ta\rb\tc\n", "literal carriage return found in data", 'COPY t, line 2: "2\ta'),
        (CSV, b'1,a,b\n1,"a\n,b\n', "unterminated CSV quoted field", "COPY t, line 4"),
        (BINARY, SIGNATURE + bytes(8) + b"\0\2", "row field count is 2, expected 3", "COPY t, line 1"),
        (BINARY, SIGNATURE + bytes(8) + b"\0\3\xff\xff\xff\xfe", "invalid field size", "COPY t, line 1, column a"),
    ],
)
def test_what_is_no_row_is_named(form: CopyForm, data: bytes, said: str, where: str) -> None:
    for step in (1, len(data)):
        with pytest.raises(MalformedCopy, match=said) as raised:
            read(form, [data[i : i + step] for i in range(0, len(data), step)], 30)
        assert raised.value.where is not None
        assert raised.value.where.startswith(where)
