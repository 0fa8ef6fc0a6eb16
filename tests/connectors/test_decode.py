"""Decoders: good lines become rows, every other line an error row with its number and bytes; none is lost."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.catalog.sources import CsvFormat
from engine.collection.heap import Heap
from engine.collection.words import decode_column, vector_of
from engine.connectors import abreast, decode_json
from engine.connectors.decode_csv import CsvDecoder
from engine.connectors.decode_json import JsonColumns, JsonLines
from engine.connectors.decode_text import LineDecoder
from engine.connectors.json_values import row_of
from engine.connectors.lines import Decoder
from engine.errors import DataError
from engine.types import Column

COLUMNS = tuple(
    Column(name, type)
    for name, type in {
        "id": types.BIGINT, "small": types.SMALLINT, "key": types.TEXT, "val": types.DOUBLE, "price": types.NUMERIC,
        "at": types.TIMESTAMP, "zoned": types.TIMESTAMPTZ, "day": types.DATE, "doc": types.JSONB, "flag": types.BOOLEAN,
        "uuid": types.UUID, "cents": types.SqlType(**{f: getattr(types.NUMERIC, f) for f in (
            "name", "oid", "length", "physical", "category", "arrow", "preferred")}, modifier=(6, 2)),
    }.items()
)  # fmt: skip


def decode(decoder: Decoder, columns: tuple[Column, ...], text: bytes, heap: Heap, first_line: int = 1):
    rows = decoder.decode_lines(text, first_line)
    values = [decode_column(vector, column.type, heap) for vector, column in zip(rows.columns, columns, strict=True)]
    return list(zip(*values, strict=True)), rows.bad, rows.lines


# The kernel against the full parser


integers = st.integers(-(2**63) - 2, 2**63 + 1) | st.integers(-40_000, 40_000)
fractions = st.floats(allow_nan=False, allow_infinity=False) | st.decimals(-1000, 1000, places=4).map(float)
moments = st.datetimes().map(lambda moment: moment.isoformat(sep=" ")) | st.sampled_from(
    ["2024-02-29T23:59:59.5", "2023-02-29 00:00:00", "2024-01-01", "2024-01-01T00:00:00Z", "2024-1-1 0:0:0", "noon"]
)
strings = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
    | st.text('ab"\\\x1f😀', max_size=40)
    | st.sampled_from(['"', "\\", "\n\t\b", "😀é"])
)
anything = st.one_of(
    st.none(), st.booleans(), integers, fractions, strings, moments, st.dates().map(str), st.uuids().map(str),
    st.lists(integers, max_size=2), st.dictionaries(strings, strings, max_size=2),
)  # fmt: skip
fitting = st.fixed_dictionaries(
    {},
    optional={
        "id": integers, "small": integers, "key": strings, "val": fractions | integers, "price": fractions | integers,
        "at": moments, "zoned": moments, "day": st.dates().map(str), "doc": anything, "flag": st.booleans(),
        "uuid": st.uuids().map(str), "cents": integers | fractions, "other": anything,
    },
)  # fmt: skip
members = st.dictionaries(st.sampled_from([column.name for column in COLUMNS]) | strings, anything, max_size=6)


@settings(deadline=None, max_examples=150)
@given(st.lists(fitting | members | anything, max_size=8), st.booleans(), st.integers(1, 1000))
def test_a_line_decodes_as_the_full_parser_says(documents, ascii, first_line):
    """What the kernel reads by itself is what it would have been by way of a document."""
    text = b"".join(json.dumps(document, ensure_ascii=ascii).encode() + b"\n" for document in documents)
    heap = Heap()
    good, bad, lines = decode(JsonColumns(COLUMNS, heap), COLUMNS, text, heap, first_line)
    want_good, want_bad = [], []
    for line, raw in enumerate(text.splitlines(), first_line):
        document = json.loads(raw, parse_float=Decimal)
        try:
            want_good.append(tuple(row_of(document, COLUMNS)))
        except (ValueError, DataError):
            want_bad.append((line, raw))
    assert lines == len(documents)
    key = repr
    assert sorted(map(key, good)) == sorted(map(key, through_words(want_good, heap)))
    assert sorted((each.line, each.data) for each in bad) == want_bad


def through_words(rows, heap):
    """The values as their words give them back: 1.50 is 1.5, a real double for each float."""
    columns = [vector_of([row[j] for row in rows], column.type, heap) for j, column in enumerate(COLUMNS)]
    values = [decode_column(vector, column.type, heap) for vector, column in zip(columns, COLUMNS, strict=True)]
    return list(zip(*values, strict=True))


@settings(deadline=None, max_examples=100)
@given(fitting, st.randoms(use_true_random=False))
def test_a_damaged_line_never_harms_its_neighbours(document, random):
    """Cut, doubled or overwritten bytes make an error row or another row, and the lines around it stay."""
    raw = bytearray(json.dumps(document).encode())
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(raw))
        raw[at : at + random.randrange(3)] = random.choice(
            [b"", b"{", b"}", b'"', b"\\", b"\xff", b"1", b",", b":", b" "]
        )
        raw = raw or bytearray(b"x")
    heap = Heap()
    text = b'{"id": 1}\n' + bytes(raw).replace(b"\n", b"") + b'\n{"id": 2, "key": "\xc3\xa9"}\n'
    good, bad, lines = decode(JsonColumns(COLUMNS, heap), COLUMNS, text, heap)
    ids = [row[0] for row in good]
    assert lines == 3
    assert 1 in ids
    assert 2 in ids
    assert len(good) + len(bad) == (3 if raw.strip() else 2)
    assert all(each.line == 2 and each.data == bytes(raw) for each in bad)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": "5"}', 'column "id": expected bigint but got string'),
        ('{"id": 5.0}', 'column "id": expected bigint but got number 5.0'),
        ('{"id": 9223372036854775808}', "out of range for bigint"),
        ('{"small": 40000}', "out of range for smallint"),
        ('{"key": 5}', 'column "key": expected text but got number 5'),
        ('{"flag": 1}', 'column "flag": expected boolean but got number 1'),
        ('{"val": 1e400}', 'column "val"'),
        ('{"price": true}', 'column "price": expected numeric but got boolean'),
        ('{"price": 1e40}', "overflow"),
        ('{"cents": 12345.678}', "overflow"),
        ('{"day": "2024-02-30"}', "2024-02-30"),
        ('{"uuid": "5"}', "invalid input syntax for type uuid"),
        ("[1]", "expected a JSON object but got array"),
        ('{"id": 01}', "malformed JSON"),
        ('{"id": 1,}', "malformed JSON"),
        ('{"id": 1} {"id": 2}', "malformed JSON"),
        ('{"key": "\\ud800"}', "malformed JSON|surrogate"),
    ],
)
def test_reasons(line, reason):
    heap = Heap()
    good, bad, _ = decode(JsonColumns(COLUMNS, heap), COLUMNS, line.encode() + b"\n", heap, 42)
    assert good == []
    assert (bad[0].line, bad[0].data) == (42, line.encode())
    assert any(part in bad[0].reason for part in reason.split("|"))


def test_blank_lines_and_odd_spacing():
    heap = Heap()
    text = b'\n  \r\n\t{ "id" :1 , "key": "a" }\r\n{}\n{"key":"b","id":2}\n'
    columns = COLUMNS[:1] + COLUMNS[2:3]
    good, bad, lines = decode(JsonColumns(columns, heap), columns, text, heap)
    assert good == [(1, "a"), (None, None), (2, "b")]
    assert bad == []
    assert lines == 5


@pytest.mark.parametrize("name", [b"other", b"key", b"id", b"doc"])
def test_no_string_reaches_into_the_next_line(name):
    heap = Heap()
    text = b'{"%b": "a\\\n", "id": 2}\n{"%b": ["a\\\n"], "id": 2}\n{"id": 3}\n' % (name, name)
    good, bad, lines = decode(JsonColumns(COLUMNS, heap), COLUMNS, text, heap)
    assert [row[0] for row in good] == [3]
    assert [each.line for each in bad] == [1, 2, 3, 4]
    assert lines == 5


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "", "é", "a" * 300])
def test_names_of_every_kind(name):
    heap = Heap()
    columns = (Column("id", types.BIGINT), Column(name, types.BIGINT))
    text = b"".join(json.dumps(d).encode() + b"\n" for d in ({"id": 1, name: 2}, {name: 3, "id": 4}, {"id": 5}))
    good, bad, _ = decode(JsonColumns(columns, heap), columns, text + b'{"a"b": 1}\n{"a\n"b": 1}\n', heap)
    assert sorted(good) == [(1, 2), (4, 3), (5, None)]
    assert len(bad) == 3


@pytest.mark.parametrize("number", ["18446744073709551616.5", "0.000000000000000000000001", "0.5", "0", "-0.0", "00.5"])
def test_numbers_at_the_edges_of_the_kernel(number):
    heap = Heap()
    columns = (Column("d", types.DOUBLE), Column("n", types.NUMERIC))
    good, bad, _ = decode(JsonColumns(columns, heap), columns, b'{"d": %b, "n": %b}\n' % (2 * (number.encode(),)), heap)
    assert good == ([] if number == "00.5" else [(float(number), Decimal(number))])
    assert len(bad) == (number == "00.5")


def test_a_long_block_is_decoded_in_parts_as_it_is_whole(monkeypatch):
    """Rows, bad lines and their numbers: whatever ends a part, a line longer than one among them."""
    monkeypatch.setattr(abreast, "PART_BYTES", 64)
    monkeypatch.setattr(decode_json, "PART_BYTES", 64)
    lines = [json.dumps({"id": i, "key": f"k{i}" * (i % 40)} if i % 3 else {"id": i}) for i in range(100)]
    lines[7] = "{broken"
    lines[50] = '{"id": "no number"}'
    lines[60] = ""
    text = "".join(f"{line}\n" for line in lines).encode()
    columns, heap = COLUMNS[:3], Heap()
    rows = decode(JsonColumns(columns, heap), columns, text, heap, 5)
    monkeypatch.setattr(decode_json, "PART_BYTES", 1 << 20)
    assert decode(JsonColumns(columns, heap), columns, text, heap, 5) == rows
    assert [bad.line for bad in rows[1]] == [12, 55]


def test_whole_lines_of_json():
    heap = Heap()
    columns = (Column("data", types.JSONB),)
    good, bad, lines = decode(JsonLines(heap), columns, b'{"b": 1.0, "a": 2}\n\nx\n3\n', heap)
    assert good == [('{"a":2,"b":1}',), ("3",)]
    assert [(each.line, each.data) for each in bad] == [(3, b"x")]
    assert lines == 4


# CSV and lines


def csv_decoder(types_: dict, heap: Heap, header: bool = False) -> tuple[CsvDecoder, tuple[Column, ...]]:
    columns = tuple(Column(name, type) for name, type in types_.items())
    return CsvDecoder(columns, CsvFormat(header, (), None if header else len(columns)), heap), columns


@pytest.mark.parametrize("extra", [b"", b"9\n"], ids=["all good", "one bad"])
def test_csv_casts_and_isolates(extra):
    """The block that Arrow takes at once and the block that it refuses give the same rows."""
    heap = Heap()
    decoder, columns = csv_decoder({"a": types.INTEGER, "b": types.TEXT, "c": types.TIMESTAMP}, heap)
    text = b'1,x,2024-01-01 00:00:00\n\n2,"a ""q"", b\nc",\n,,\n' + extra
    good, bad, _ = decode(decoder, columns, text, heap)
    assert [(row[0], row[1]) for row in good] == [(1, "x"), (2, 'a "q", b\nc'), (None, "")]
    assert [(each.line, each.data) for each in bad] == ([(6, b"9")] if extra else [])


def test_csv_fields_that_do_not_cast():
    heap = Heap()
    decoder, columns = csv_decoder({"a": types.INTEGER, "b": types.TEXT}, heap, header=True)
    good, bad, lines = decode(decoder, columns, b"a,b\n1,x\nz,y\n2,\xff\n3,w\n", heap)
    assert good == [(1, "x"), (3, "w")]
    assert sorted((each.line, each.data) for each in bad) == [(3, b"z,y"), (4, b"2,\xff")]
    assert lines == 5


def test_csv_blocks_end_between_records():
    heap = Heap()
    decoder, _ = csv_decoder({"a": types.TEXT}, heap)
    assert decoder.cut(b'a\n"b\nc') == 2
    assert decoder.cut(b'a\n"b\nc"\nd') == 8
    assert decoder.cut(b'"a\nb') == 0
    assert decoder.cut(b"ab") == 0


def test_lines_of_text_and_bytes():
    heap = Heap()
    text = (Column("text", types.TEXT),)
    good, bad, lines = decode(LineDecoder(heap, utf8=True), text, b"a\n\n\xff\nb\n", heap, 10)
    assert good == [("a",), ("",), ("b",)]
    assert [(each.line, each.data) for each in bad] == [(12, b"\xff")]
    assert lines == 4
    data = (Column("data", types.BYTEA),)
    assert decode(LineDecoder(heap, utf8=False), data, b"a\n\xff\n", heap)[0] == [(b"a",), (b"\xff",)]
