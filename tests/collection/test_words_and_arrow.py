"""Values and Arrow columns come back from words as they went in, for every type of the type table."""

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection import arrow, numeric
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.value import Interval
from engine.collection.words import decode_column, encode, vector_of
from engine.errors import InvalidText, OutOfRange, TypeMismatch
from engine.types import Column

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
moments = st.datetimes()
LONG = Decimal("-12345678901234567890.5")
VALUES = {
    types.BOOLEAN: st.booleans(),
    types.SMALLINT: st.integers(-(2**15), 2**15 - 1),
    types.INTEGER: st.integers(-(2**31), 2**31 - 1),
    types.BIGINT: st.integers(-(2**63), 2**63 - 1),
    types.UINT2: st.integers(0, 2**16 - 1),
    types.UINT4: st.integers(0, 2**32 - 1),
    types.UINT8: st.integers(0, 2**64 - 1),
    types.MZ_TIMESTAMP: st.integers(0, 2**64 - 1),
    types.OID: st.integers(0, 2**32 - 1),
    **dict.fromkeys(types.REGISTERED, st.integers(0, 2**32 - 1)),
    types.REAL: st.floats(width=32, allow_nan=False),
    types.DOUBLE: st.floats(allow_nan=False),
    types.NUMERIC: st.tuples(st.integers(-(10**36), 10**36), st.integers(0, 39)).map(
        lambda pair: numeric.limited(Decimal(pair[0]).scaleb(-pair[1], numeric.EXACT))
    ),
    types.TEXT: texts,
    types.VARCHAR: texts,
    types.CHAR: texts,
    types.INTERNAL_CHAR: texts,
    types.NAME: texts,
    types.UNKNOWN: texts,
    types.BYTEA: st.binary(max_size=12),
    types.DATE: st.dates(),
    types.TIME: st.times(),
    types.TIMESTAMP: moments,
    types.TIMESTAMPTZ: moments.map(lambda moment: moment.replace(tzinfo=UTC)),
    types.INTERVAL: st.builds(
        Interval, st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**53), 2**53)
    ),
    types.UUID: st.uuids(),
    types.XID: st.integers(0, 2**32 - 1),
    types.CID: st.integers(0, 2**32 - 1),
    types.TID: st.integers(0, 2**48 - 1),
    types.XID8: st.integers(0, 2**64 - 1),
    types.PG_LSN: st.integers(0, 2**64 - 1),
    types.ACLITEM: st.sampled_from(["=r/a", "a=r*w/b", '"x y"=/b']),
    types.MZ_ACLITEM: st.sampled_from(["=r/s10", "u1=r*w/s10"]),
    types.JSONB: st.sampled_from(["null", "1", '"é"', "[1,2.5]", '{"a":{"b":null},"c":[]}']),
}


def test_every_type_is_here():
    assert set(VALUES) == set(types.TYPES)


@pytest.mark.parametrize("type", types.TYPES, ids=str)
def test_values_and_arrow_round_trip(type):
    @settings(deadline=None, max_examples=25)
    @given(st.lists(VALUES[type] | st.none(), max_size=12), st.integers(0, 3))
    def law(values, cut):
        heap = Heap()
        vector = vector_of(values, type, heap)
        assert decode_column(vector, type, heap) == values
        assert [encode(value, type, heap) for value in values] == [
            (int(word), value is None) for word, value in zip(vector.words, values, strict=True)
        ]
        table = arrow.to_arrow([vector], [Column("x", type)], heap)
        table.validate(full=True)
        assert table.schema.field("x").type == type.arrow
        for given_table in (table, table.slice(cut)):
            back = arrow.from_arrow(given_table, [type], heap)[0]
            assert decode_column(back, type, heap) == values[cut if given_table is not table else 0 :]

    law()


@pytest.mark.parametrize(
    ("array", "type", "want"),
    [
        (pa.array([1, None, 3], pa.uint8()), types.BIGINT, [1, None, 3]),
        (pa.array([1, 2], pa.int64()), types.INTEGER, [1, 2]),
        (pa.array([1, 2], pa.int32()), types.NUMERIC, [Decimal(1), Decimal(2)]),
        (pa.array([2**64 - 1], pa.uint64()), types.NUMERIC, [Decimal(2**64 - 1)]),
        (pa.array([0.1, None]), types.NUMERIC, [Decimal("0.1"), None]),
        (pa.array([Decimal("1.50"), None]), types.NUMERIC, [Decimal("1.5"), None]),
        (pa.array([LONG], pa.decimal128(30, 4)), types.NUMERIC, [LONG]),
        (pa.array(["a", None, "a"]).dictionary_encode(), types.TEXT, ["a", None, "a"]),
        (pa.chunked_array([["a"], [], [None, "b"]], pa.string()), types.TEXT, ["a", None, "b"]),
        (pa.chunked_array([], pa.string()), types.TEXT, []),
        (pa.nulls(2), types.TEXT, [None, None]),
        (pa.array([1, None], pa.timestamp("s")), types.TIMESTAMP, [datetime(1970, 1, 1, 0, 0, 1), None]),
        (pa.array([1999, -1], pa.timestamp("ns", "UTC")), types.TIMESTAMPTZ,
         [datetime(1970, 1, 1, 0, 0, 0, 1, UTC), datetime(1970, 1, 1, tzinfo=UTC)]),
        (pa.array([1], pa.time32("s")), types.TIME, [time(0, 0, 1)]),
        (pa.array([86_400_000], pa.date64()), types.DATE, [date(1970, 1, 2)]),
        (pa.array([5], pa.duration("ms")), types.INTERVAL, [Interval(0, 0, 5000)]),
        (pa.array(["00000000-0000-0000-0000-000000000001", None]), types.UUID, [UUID(int=1), None]),
        (pa.array([b"\1" * 16, None], pa.binary(16)), types.BYTEA, [b"\1" * 16, None]),
        (pa.array(['{"b": 1.0, "a": [ ]}', None]), types.JSONB, ['{"a":[],"b":1}', None]),
        (pa.array([1.5], pa.float64()), types.REAL, [1.5]),
        (pa.array([True, None]), types.BOOLEAN, [True, None]),
    ],
)  # fmt: skip
def test_arrow_columns_of_other_shapes(array, type, want):
    heap = Heap()
    vector = arrow.convert(array, type, heap)
    assert decode_column(vector, type, heap) == want
    assert vector.words.flags.writeable
    assert vector.words.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "type", "error"),
    [
        (pa.array([40_000]), types.SMALLINT, OutOfRange),
        (pa.array([2**63], pa.uint64()), types.BIGINT, OutOfRange),
        (pa.array([10.5]), types.INTEGER, OutOfRange),
        (pa.array([[1]]), types.BIGINT, TypeMismatch),
        (pa.array(["{"]), types.JSONB, InvalidText),
        (pa.array(["xyz"]), types.UUID, InvalidText),
        (pa.array([1e40]), types.NUMERIC, OutOfRange),
    ],
)
def test_what_does_not_fit_is_refused(array, type, error):
    with pytest.raises(error):
        arrow.convert(array, type, Heap())


def test_a_numeric_beyond_decimal256_is_told():
    heap = Heap()
    vector = vector_of([Decimal(10) ** 38], types.NUMERIC, heap)
    with pytest.raises(OutOfRange, match="10000"):
        arrow.export(vector, types.NUMERIC, heap)


def test_doubles_keep_the_sign_of_zero_and_have_one_nan():
    heap = Heap()
    odd = np.array([0x7FF8_0000_0000_0001, 0xFFF8_0000_0000_0000, 1 << 63], np.uint64).view(np.float64)
    words = arrow.convert(pa.array(odd), types.DOUBLE, heap).words.tolist()
    assert words[0] == words[1] == encode(math.nan, types.DOUBLE, heap)[0]
    assert words[2] == encode(-0.0, types.DOUBLE, heap)[0] == 1 << 63
    assert encode(0.0, types.DOUBLE, heap)[0] == 0


def test_batches_leave_as_tables():
    heap = Heap()
    columns = [Column("a", types.BIGINT), Column("b", types.TEXT)]
    batch = Batch.from_vectors(
        [vector_of([1, None], types.BIGINT, heap), vector_of(["x", "y"], types.TEXT, heap)], np.array([1, -1])
    )
    assert arrow.to_arrow(batch, columns, heap).to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    with pytest.raises(TypeMismatch):
        arrow.from_arrow(pa.table({"a": [1]}), [types.BIGINT, types.TEXT], heap)
