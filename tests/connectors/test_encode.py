"""Rows become the bytes that their values give one by one, whole columns at a time; records come back from batches."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import types
from engine.connectors.avro.encode import NONE, SOME, AvroEncoder, _write
from engine.connectors.encode import JsonEncoder, WholeEncoder, raw_values
from engine.connectors.kafka.batches import Fetched, records_of
from engine.connectors.kafka.outgoing import CODECS, SEQUENCES, Outgoing, Packing, Producer, absent, headers_of
from engine.connectors.records import Spans
from engine.database import Database
from engine.expr import text_forms
from engine.expr.functions.json import dump
from engine.expr.functions.json_build import document_of
from engine.types import Column

VALUES = {
    "boolean": ["true", "false"],
    "smallint": ["0", "-1", "32767"],
    "bigint": ["0", "-9223372036854775808", "9223372036854775807", "63", "64", "-64", "-65"],
    "uint2": ["65535"],
    "uint8": ["0", "18446744073709551615"],
    "oid": ["7"],
    "real": ["1.5", "-0.1", "1e20", "NaN", "0"],
    "double precision": ["1.5", "1e300", "-1e-7", "Infinity", "100000", "1e15", "0"],
    "numeric": ["0", "1.50", "-12345678901234567890.123", "Infinity", "1e30"],
    "numeric(20,4)": ["0", "1.5", "-0.0001", "1234567890123456.7891", "-1", "127", "128", "-128", "-129"],
    "numeric(39,20)": ["0.00000000000000000001", "1234567890123456789"],
    "text": ["", "a", "é\t\"\\\n\x01\x1f\x7f", "x" * 300, "/"],
    "varchar(3)": ["abc"],
    "char(5)": ["ab"],
    "bytea": ["\\x", "\\x00ff"],
    "date": ["2024-02-29", "0001-01-01", "4713-01-01 BC"],
    "time": ["12:34:56.789"],
    "timestamp": ["2024-01-01 00:00:00.000001", "2024-01-01 00:00:00", "0044-03-15 10:00:00 BC"],
    "timestamptz": ["2024-01-01 00:00:00.5+00", "0044-03-15 10:00:00+00 BC"],
    "interval": ["1 day 02:03:04"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "jsonb": ['{"a": [1, null]}', "null", '"x"'],
    "int[]": ["{1,NULL,3}", "{}"],
    "text list": ["{a,NULL}"],
    "map[text=>int]": ["{a=>1,b=>NULL}"],
    "int4range": ["[1,5)", "empty"],
}  # fmt: skip


@pytest.fixture(scope="module")
def db():
    with Database.in_memory() as db:
        yield db


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("type", VALUES)
def test_columns_are_their_values(db, type, null, times):
    values = ", ".join(["('" + text.replace("'", "''") + f"'::{type})" for text in VALUES[type]] + null * ["(NULL)"])
    rows = ", ".join([values] * times)
    answer = db.execute(f"SELECT x FROM (VALUES {rows}) AS t (x)")
    assert answer.batch is not None
    heap, columns = db._coordinator.heap, answer.columns
    kind, vectors = columns[0].type, answer.batch.vectors()
    raw = raw_values(vectors[0], kind, heap)

    objects = [b'{"x":' + (b"null" if v is None else dump(document_of(v, kind)).encode()) + b"}" for v in raw]
    assert JsonEncoder(columns, heap).rows(vectors).to_pylist() == objects

    write = _write(kind)
    finite = not any(str(v) in ("NaN", "Infinity") for v in raw) or not kind.modifier
    if finite:
        wanted = [(NONE if v is None else SOME + write(v)) if columns[0].nullable else write(v) for v in raw]
        assert AvroEncoder(columns, heap, 7).rows(vectors).to_pylist() == wanted

    whole = [b"" if v is None else v if type == "bytea" else text_forms.format(v, kind).encode() for v in raw]
    assert WholeEncoder(columns[0], heap).rows(vectors).to_pylist() == whole


def test_changes(db):
    rows = pa.array([b"{}", None], pa.large_binary())
    heap = db._coordinator.heap
    both = JsonEncoder([Column("x", types.INTEGER)], heap).changes(rows, rows.take(pa.array([1, 0])))
    assert [json.loads(each) for each in both.to_pylist()] == [
        {"before": {}, "after": None}, {"before": None, "after": {}},
    ]  # fmt: skip
    both = AvroEncoder((), heap, 1).changes(rows, rows.take(pa.array([1, 0])))
    assert both.to_pylist() == [b"\x00\x00\x00\x00\x01\x02{}\x00", b"\x00\x00\x00\x00\x01\x00\x02{}"]


DATUM = st.none() | st.binary(max_size=300)
HEADERS = st.lists(st.tuples(st.text(max_size=5), DATUM), max_size=3)


def spans(data: list[bytes | None]) -> Spans:
    return Spans.of_arrow(pa.array(data, pa.large_binary()))


def shown(data: Spans) -> list[bytes | None]:
    return [data.get(i) if data.begins[i] >= 0 else None for i in range(len(data))]


@given(
    st.lists(st.tuples(DATUM, DATUM, HEADERS, st.integers(-5, 5)), min_size=1, max_size=50),
    st.sampled_from([*CODECS]), st.booleans(),
)  # fmt: skip
def test_records_come_back_from_batches(rows, compression, split):
    keys, values, headers, places = ([*each] for each in zip(*rows, strict=True))
    records = Outgoing(spans(keys), spans(values), Spans.of([headers_of(h) for h in headers]), np.array(places))
    packing = Packing(Producer(5, 1), compression, 500)
    batches = packing.pack("t", 3, records, 1234)
    if split:
        batches = [part for batch in batches for part in packing.split(batch)]
    assert len(batches) >= len({place % 3 for place in places})
    for partition in range(3):
        mine = [batch for batch in batches if batch.partition == partition]
        assert [batch.sequence for batch in mine] == np.cumsum([0, *(len(b.rows) for b in mine)])[:-1].tolist()
        wanted = [i for i, place in enumerate(places) if place % 3 == partition]
        assert [row for batch in mine for row in batch.rows.tolist()] == wanted
        found = [records_of([Fetched(partition, 0, 0, [], batch.data)]) for batch in mine]
        assert [key for each in found for key in shown(each.keys)] == [keys[i] for i in wanted]
        assert [value for each in found for value in shown(each.values)] == [values[i] for i in wanted]
        assert [head for each in found for head in shown(each.headers)] == [headers_of(headers[i]) for i in wanted]
        assert {int(time) for each in found for time in each.times} <= {1234}


def test_sequences_begin_again():
    """Behind the greatest int32 comes 0; a record larger than a batch has one to itself."""
    packing = Packing(Producer(1, 0), "none", 100)
    packing._sequences["t", 0] = SEQUENCES - 1
    two = Outgoing(absent(2), spans([b"x" * 1000, b"y"]), absent(2), None)
    batches = packing.pack("t", 1, two, 0) + packing.pack("t", 1, two, 0)
    assert [batch.sequence for batch in batches] == [SEQUENCES - 1, 0, 1, 2]
