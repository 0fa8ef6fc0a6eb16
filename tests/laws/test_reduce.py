"""The laws of reduce: incremental equals batch at every tick; cuts do not matter; what went leaves nothing."""

import math
from collections import defaultdict
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from functools import reduce
from operator import and_, attrgetter, or_, xor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.numeric import pack_decimal, unpack_decimal
from engine.collection.value import Interval
from engine.collection.words import decode_column, vector_of
from engine.dataflow.graph import Aggregate, Order, Reduce, Source
from engine.dataflow.operators.reduce import ReduceOperator
from engine.expr.aggregate import PAIRED, Kind

EXACT = Context(prec=1000, rounding=ROUND_HALF_UP)
KEYS = (types.TEXT, types.INTEGER)
SPREADS = (Kind.STDDEV_SAMP, Kind.STDDEV_POP, Kind.VAR_SAMP, Kind.VAR_POP)


def batch_of(rows, row_types, heap):
    """Changes ((row, diff), ...) as a batch."""
    vectors = [vector_of([row[c] for row, _ in rows], t, heap) for c, t in enumerate(row_types)]
    return Batch.from_vectors(vectors, np.array([diff for _, diff in rows], np.int64))


def rows_of(batch, row_types, heap):
    """A batch as a dict of row -> count, NaN made equal to itself."""
    columns = [decode_column(batch.vector(c), t, heap) for c, t in enumerate(row_types)]
    out = defaultdict(int)
    for row, diff in zip(zip(*columns, strict=True), batch.diffs.tolist(), strict=True):
        out[tuple(plain(v) for v in row)] += diff
    return {row: n for row, n in out.items() if n}


def plain(value):
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    return "NaN" if isinstance(value, Decimal) and value.is_nan() else value


def rounded(value: Fraction) -> Decimal | None:
    """To 39 significant digits and 39 places; None beyond."""
    exact = EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))
    if exact == 0:
        return Decimal(0)
    if exact.adjusted() >= 39:
        return None
    exact = exact.quantize(Decimal(1).scaleb(max(-39, exact.adjusted() - 38)), context=EXACT)
    return None if exact.adjusted() >= 39 else exact


def naive(kind, values, column_type, result_type):
    """An aggregate over a list of values, NULLs taken out; 'error' where it has none."""
    if kind is Kind.COUNT:
        return len(values)
    if not values:
        return None
    if kind in BITS:
        return reduce(BITS[kind], values)
    if kind is Kind.INTERVAL_SUM:
        return Interval(*map(sum, zip(*map(attrgetter("months", "days", "microseconds"), values), strict=True)))
    if kind is Kind.BOOL_AND:
        return all(values)
    if kind is Kind.BOOL_OR:
        return any(values)
    if kind in (Kind.MIN, Kind.MAX):

        def place(v):
            nan = isinstance(v, (float, Decimal)) and math.isnan(v)
            return (nan, 0 if nan else v.encode() if isinstance(v, str) else v)

        return plain((min if kind is Kind.MIN else max)(values, key=place))
    if kind in (Kind.STDDEV_SAMP, Kind.VAR_SAMP) and len(values) == 1:
        return None
    if any(isinstance(v, (float, Decimal)) and math.isnan(v) for v in values):
        return "NaN"
    infinite = {v for v in values if isinstance(v, float) and math.isinf(v)}
    if infinite:
        return "NaN" if len(infinite) == 2 or kind in SPREADS else infinite.pop()
    n, total = len(values), sum((Fraction(v) for v in values), Fraction(0))
    if kind in (Kind.SUM, Kind.AVG):
        if column_type is types.DOUBLE:
            value = nearest(total)
            return plain(value / n if kind is Kind.AVG else value)
        if result_type is types.BIGINT:
            return int(total) if -(1 << 63) <= total < 1 << 63 else "error"
        value = rounded(total / n if kind is Kind.AVG else total)
        return "error" if value is None else value
    top = n * sum(Fraction(v) ** 2 for v in values) - total**2
    by = n * (n if kind in (Kind.STDDEV_POP, Kind.VAR_POP) else n - 1)
    root = kind in (Kind.STDDEV_SAMP, Kind.STDDEV_POP)
    if column_type is types.DOUBLE:
        value = nearest(top) / by
        return math.sqrt(value) if root else value
    exact = EXACT.divide(Decimal((top / by).numerator), Decimal((top / by).denominator))
    value = rounded(Fraction(EXACT.sqrt(exact)) if root else Fraction(exact))
    return "error" if value is None else value


def nearest(value: Fraction) -> float:
    try:
        return value.numerator / value.denominator
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def naive_pairs(kind, pairs):
    """An aggregate over pairs (y, x) without NULLs, from fractions."""
    n = len(pairs)
    if kind is Kind.REGR_COUNT:
        return n
    if n == 0 or (kind is Kind.COVAR_SAMP and n == 1):
        return None
    ys, xs = ([pair[side] for pair in pairs] for side in (0, 1))
    if kind in (Kind.REGR_AVGX, Kind.REGR_AVGY):
        values = xs if kind is Kind.REGR_AVGX else ys
        wild = {"NaN" if math.isnan(v) else v for v in values if not math.isfinite(v)}
        if wild:
            return "NaN" if "NaN" in wild or len(wild) == 2 else wild.pop()
        return nearest(sum(map(Fraction, values), Fraction(0)) / n)
    nan_y, nan_x = (not all(map(math.isfinite, values)) for values in (ys, xs))
    y, x = ([Fraction(0) if nan else Fraction(v) for v in side] for side, nan in ((ys, nan_y), (xs, nan_x)))
    syy, sxx, sxy = (
        sum(((a - sum(p) / n) * (b - sum(q) / n) for a, b in zip(p, q, strict=True)), Fraction(0))
        for p, q in ((y, y), (x, x), (y, x))
    )
    flat_y, flat_x = not nan_y and syy == 0, not nan_x and sxx == 0
    if kind in (Kind.REGR_SXX, Kind.REGR_SYY):
        return "NaN" if (nan_x if kind is Kind.REGR_SXX else nan_y) else nearest(sxx if kind is Kind.REGR_SXX else syy)
    sums = {Kind.REGR_SXY: 1, Kind.COVAR_POP: n, Kind.COVAR_SAMP: n - 1}
    if kind in sums:
        return "NaN" if nan_x or nan_y else nearest(sxy / sums[kind])
    if (kind is Kind.CORR and (flat_x or flat_y)) or (kind is not Kind.CORR and flat_x):
        return None
    if kind is Kind.REGR_R2 and flat_y:
        return 1.0
    if nan_x or nan_y:
        return "NaN"
    if kind is Kind.CORR:
        square = sxy**2 / (sxx * syy)
        root = EXACT.sqrt(EXACT.divide(Decimal(square.numerator), Decimal(square.denominator)))
        return float(root if sxy > 0 else -root)
    slope = sxy / sxx
    return nearest(
        {
            Kind.REGR_SLOPE: slope, Kind.REGR_INTERCEPT: sum(y) / n - slope * sum(x) / n,
            Kind.REGR_R2: sxy**2 / (sxx * syy) if syy else None,
        }[kind]
    )  # fmt: skip


def oracle(contents, aggregates, row_types):
    """(rows, number of groups in error) of the multiset `contents`."""
    groups = defaultdict(list)
    for row, n in contents.items():
        groups[row[:2]] += [row] * n
    rows, errors = {}, 0
    for key, members in groups.items():
        out = []
        for a in aggregates:
            if a.kind is Kind.COUNT_ROWS:
                out.append(len(members))
            elif a.kind in PAIRED:
                pairs = [(m[2], m[3]) for m in members if m[2] is not None and m[3] is not None]
                out.append(naive_pairs(a.kind, pairs))
            else:
                values = [m[a.columns[0]] for m in members if m[a.columns[0]] is not None]
                out.append(naive(a.kind, values, row_types[a.columns[0]], a.type))
        if "error" in out:
            errors += 1
        else:
            rows[(*key, *out)] = 1
    return rows, errors


integers = st.one_of(st.integers(-3, 3), st.integers(-(1 << 63), (1 << 63) - 1), st.just((1 << 63) - 1))
small = st.one_of(st.integers(-3, 3), st.integers(-(1 << 31), (1 << 31) - 1))
doubles = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.1, 1e300, -1e300, 1e-300, 5e-324, 1e22, math.nan, math.inf, -math.inf, 1.5e38]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-100, 100),
)
decimals = st.one_of(
    st.sampled_from(
        [Decimal(t) for t in ("0", "1", "-1", "0.1", "NaN", "9" * 39, "-" + "9" * 39, "1e-39", "123456789012345678.9")]
    ),
    st.decimals(-1000, 1000, places=2),
    st.decimals(-(10**12), 10**12, places=25),
)
VALUES = {
    types.BIGINT: integers, types.INTEGER: small, types.DOUBLE: doubles, types.NUMERIC: decimals,
    types.BOOLEAN: st.booleans(), types.TEXT: st.text(max_size=12),
    types.INTERVAL: st.builds(Interval, st.integers(-9, 9), st.integers(-99, 99), st.integers(-(1 << 40), 1 << 40)),
}  # fmt: skip
BITS = {Kind.BIT_AND: and_, Kind.BIT_OR: or_, Kind.BIT_XOR: xor}
RESULTS = {
    types.INTEGER: types.BIGINT,
    types.BIGINT: types.NUMERIC,
    types.NUMERIC: types.NUMERIC,
    types.DOUBLE: types.DOUBLE,
}


def aggregates_over(t):
    yield Aggregate(Kind.COUNT_ROWS, (), types.BIGINT)
    yield Aggregate(Kind.COUNT, (2,), types.BIGINT)
    if t is types.INTERVAL:
        yield Aggregate(Kind.INTERVAL_SUM, (2,), t)
        return
    yield Aggregate(Kind.MIN, (2,), t)
    yield Aggregate(Kind.MAX, (2,), t)
    if t in (types.INTEGER, types.BIGINT):
        yield from (Aggregate(kind, (2,), t) for kind in BITS)
    if t is types.BOOLEAN:
        yield Aggregate(Kind.BOOL_AND, (2,), t)
        yield Aggregate(Kind.BOOL_OR, (2,), t)
    if t in RESULTS:
        yield Aggregate(Kind.SUM, (2,), RESULTS[t])
        mean = types.DOUBLE if t is types.DOUBLE else types.NUMERIC
        yield Aggregate(Kind.AVG, (2,), mean)


@st.composite
def histories(draw, value):
    """Ticks of changes under which no row's count falls below zero: new rows, and some of the present ones gone."""
    key = st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1, None]))
    ticks, present = [], []
    for _ in range(draw(st.integers(1, 5))):
        tick = []
        for _ in range(draw(st.integers(0, 5))):
            k = draw(key)
            row = (*k, draw(st.one_of(st.none(), value)))
            count = draw(st.sampled_from([1, 1, 1, 2, 9]))
            present.append((row, count))
            tick.append((row, count))
        for _ in range(draw(st.integers(0, 4))):
            if present:
                row, count = present.pop(draw(st.integers(0, len(present) - 1)))
                tick.append((row, -count))
        if tick:
            ticks.append(draw(st.permutations(tick)))
    return ticks, present


def total(changes):
    """Counts by row; NaN is made one value."""
    counts, rows = defaultdict(int), {}
    for row, n in changes:
        name = tuple((type(v), plain(v)) for v in row)
        rows[name] = row
        counts[name] += n
    return [(rows[name], n) for name, n in counts.items() if n]


def contents_of(changes):
    out = defaultdict(int)
    for row, n in total(changes):
        out[row] += n
    return out


def check(ticks, present, aggregates, row_types, close=False):
    heap = Heap()
    node = Reduce(Source(1, row_types), (0, 1), aggregates)
    out_types = KEYS + tuple(a.type for a in aggregates)
    operator = ReduceOperator(node, row_types, heap)
    seen, shown = [], defaultdict(int)
    for t, tick in enumerate([*ticks, [(row, -n) for row, n in present]]):
        if not tick:
            continue
        before = rows_of(operator.contents(), out_types, heap)
        delta = operator.step(t, [batch_of(tick, row_types, heap)])
        assert rows_of(operator.contents(), out_types, heap) == before, "compute shows nothing to readers"
        operator.publish()
        for row, n in rows_of(delta, out_types, heap).items():
            shown[row] += n
        seen += tick
        expected, errors = oracle(contents_of(seen), aggregates, row_types)
        actual = {row: n for row, n in shown.items() if n}
        assert rows_of(operator.contents(), out_types, heap) == actual
        if close:
            assert len(actual) == len(expected)
            for row in expected:
                assert any(same(row, other) for other in actual), (row, actual)
        else:
            assert actual == expected
        assert bool(len(operator.errors)) == bool(errors)
    assert len(operator.contents()) == 0
    assert len(operator._groups) == 0, "nothing is left of what went"


def same(a, b):
    return all(
        x == y or (isinstance(x, float) and isinstance(y, float) and math.isclose(x, y, rel_tol=1e-14))
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("value_type", list(VALUES), ids=str)
def test_incremental_equals_batch(value_type):
    @settings(max_examples=40, deadline=None)
    @given(histories(VALUES[value_type]))
    def law(history):
        check(*history, tuple(aggregates_over(value_type)), (*KEYS, value_type))

    law()


@pytest.mark.parametrize("value_type", [types.INTEGER, types.BIGINT, types.NUMERIC], ids=str)
def test_spreads_of_exact_types(value_type):
    @settings(max_examples=40, deadline=None)
    @given(histories(VALUES[value_type]))
    def law(history):
        check(*history, tuple(Aggregate(kind, (2,), types.NUMERIC) for kind in SPREADS), (*KEYS, value_type))

    law()


@settings(max_examples=40, deadline=None)
@given(histories(doubles))
def test_spreads_of_doubles(history):
    check(*history, tuple(Aggregate(kind, (2,), types.DOUBLE) for kind in SPREADS), (*KEYS, types.DOUBLE), close=True)


@settings(max_examples=60, deadline=None)
@given(histories(st.tuples(st.one_of(st.none(), doubles), st.one_of(st.none(), doubles, st.sampled_from([1.0, 2.0])))))
def test_pairs_of_doubles(history):
    """Covariance, correlation, least squares: of exact sums, whatever came and went."""

    def flat(row):
        return (*row[:2], *(row[2] or (None, None)))

    ticks, present = history
    ticks = [[(flat(row), n) for row, n in tick] for tick in ticks]
    aggregates = tuple(
        Aggregate(kind, (2, 3), types.BIGINT if kind is Kind.REGR_COUNT else types.DOUBLE)
        for kind in sorted(PAIRED, key=lambda kind: kind.value)
    )
    row_types = (*KEYS, types.DOUBLE, types.DOUBLE)
    check(ticks, [(flat(row), n) for row, n in present], aggregates, row_types, close=True)


def run(rows, aggregates, row_types, key=(), monotonic=False):
    """The rows that a reduce over ticks of changes ends with."""
    heap = Heap()
    operator = ReduceOperator(Reduce(Source(1, row_types), key, aggregates), row_types, heap, monotonic)
    for t, tick in enumerate(rows):
        operator.step(t, [batch_of(tick, row_types, heap)])
        operator.publish()
    out_types = tuple(row_types[k] for k in key) + tuple(a.type for a in aggregates)
    return rows_of(operator.contents(), out_types, heap), operator, heap


def test_float_sums_return_exactly():
    ticks = [[((0.1,), 1)], [((1e100,), 1), ((1e-200,), 1)], [((1e100,), -1), ((1e-200,), -1)]]
    aggregates = (Aggregate(Kind.SUM, (0,), types.DOUBLE),)
    assert run(ticks, aggregates, (types.DOUBLE,))[0] == {(0.1,): 1}


def test_overflow_is_an_error_and_heals():
    most = (1 << 31) - 1
    aggregates = (Aggregate(Kind.SUM, (0,), types.BIGINT),)
    ticks = [[((most,), 1 << 33)]]
    rows, operator, heap = run(ticks, aggregates, (types.INTEGER,))
    assert rows == {}
    assert heap.get(operator.errors.first()) == b"22003 bigint out of range"
    operator.step(2, [batch_of([((most,), 1 - (1 << 33))], (types.INTEGER,), heap)])
    operator.publish()
    assert len(operator.errors) == 0
    assert rows_of(operator.contents(), (types.BIGINT,), heap) == {(most,): 1}


def test_retraction_before_insertion():
    """A count that is below zero for a while crashes nothing and is forgotten."""
    aggregates = (
        Aggregate(Kind.SUM, (0,), types.NUMERIC), Aggregate(Kind.MAX, (0,), types.BIGINT), Aggregate(Kind.MIN, (0,),
        types.BIGINT),
    )  # fmt: skip
    ticks = [[((5,), -2), ((7,), 1)], [((5,), 3)]]
    assert run(ticks[:1], aggregates, (types.BIGINT,))[0] == {}
    assert run(ticks, aggregates, (types.BIGINT,))[0] == {(Decimal(12), 7, 5): 1}


@pytest.mark.parametrize("monotonic", [False, True])
def test_append_only_keeps_one_value(monotonic):
    aggregates = (
        Aggregate(Kind.MAX, (1,), types.DOUBLE),
        Aggregate(Kind.MIN, (1,), types.DOUBLE),
        Aggregate(Kind.MAX, (0,), types.TEXT),
    )
    row_types = (types.TEXT, types.DOUBLE)
    ticks = [[(("a", 1.0), 1), (("b", None), 1)], [(("a", math.nan), 1), (("a", -3.0), 1)]]
    assert run(ticks, aggregates, row_types, (0,), monotonic)[0] == {
        ("a", "NaN", -3.0, "a"): 1,
        ("b", None, None, "b"): 1,
    }


def test_whole_groups():
    row_types = (types.INTEGER, types.TEXT, types.JSONB)
    comma = (types.TEXT,)
    aggregates = (
        Aggregate(Kind.STRING_AGG, (1, 3), types.TEXT, (Order(1, descending=True),)),
        Aggregate(Kind.JSONB_AGG, (2,), types.JSONB, (Order(1),)),
        Aggregate(Kind.JSONB_OBJECT_AGG, (1, 2), types.JSONB),
    )
    ticks = [
        [((1, "a", "1", ","), 1), ((1, "b", None, ","), 2), ((2, "x", "{}", ","), 1), ((3, None, "3", ","), 1)],
        [((2, "x", "{}", ","), -1), ((1, "c", '"s"', ";"), 1)],
    ]
    rows = run(ticks, aggregates, row_types + comma, (0,))[0]
    assert rows == {
        (1, "c,b,b,a", '[1,null,null,"s"]', '{"a":1,"b":null,"c":"s"}'): 1,
        (3, None, "[3]", None): 1,
    }


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(-50, 50)), min_size=1, max_size=600), st.integers(1, 7))
def test_cuts_do_not_matter(changes, cuts):
    """However a history is cut into ticks, it ends in the same contents: through splits and merges of the tree."""
    row_types = (types.INTEGER, types.BIGINT)
    aggregates = (
        Aggregate(Kind.MAX, (1,), types.BIGINT),
        Aggregate(Kind.MIN, (1,), types.BIGINT),
        Aggregate(Kind.COUNT_ROWS, (), types.BIGINT),
    )
    inserted = [((k % 3, v), 1) for k, v in changes]
    history = inserted + [(row, -n) for row, n in inserted[::2]]
    whole = run([history], aggregates, row_types, (0,))[0]
    size = max(1, len(history) // cuts)
    assert run([history[i : i + size] for i in range(0, len(history), size)], aggregates, row_types, (0,))[0] == whole


def test_large_random_history_against_counting():
    """Enough values for a tree of three levels; every group's extremes after each tick."""
    rng = np.random.default_rng(5)
    heap, row_types = Heap(), (types.INTEGER, types.BIGINT)
    aggregates = (
        Aggregate(Kind.MAX, (1,), types.BIGINT),
        Aggregate(Kind.MIN, (1,), types.BIGINT),
        Aggregate(Kind.SUM, (1,), types.NUMERIC),
    )
    operator = ReduceOperator(Reduce(Source(1, row_types), (0,), aggregates), row_types, heap)
    keys, values = rng.integers(0, 30, 30_000), rng.integers(0, 2000, 30_000)
    alive = np.zeros(30_000, np.bool_)
    for tick in range(12):
        flip = rng.random(30_000) < (0.6 if tick < 8 else 0.2 * (tick % 3))
        flip &= alive if tick >= 8 else True
        rows = np.flatnonzero(flip)
        if len(rows) == 0:
            continue
        words = np.zeros((3, len(rows)), np.uint64)
        words[1], words[2] = keys[rows], values[rows]
        operator.step(tick, [Batch(words, np.where(alive[rows], -1, 1), 2)])
        operator.publish()
        alive[rows] = ~alive[rows]
        expected = {
            (k, int(v.max()), int(v.min()), Decimal(int(v.sum()))): 1
            for k in range(30) if len(v := values[alive & (keys == k)])
        }  # fmt: skip
        out_types = (types.INTEGER, types.BIGINT, types.BIGINT, types.NUMERIC)
        assert rows_of(operator.contents(), out_types, heap) == expected


def test_marks_keep_what_is_held():
    """After a sweep every key, extreme and result still reads as before."""
    row_types = (types.TEXT, types.NUMERIC)
    aggregates = (
        Aggregate(Kind.MAX, (1,), types.NUMERIC), Aggregate(Kind.AVG, (1,), types.NUMERIC),
        Aggregate(Kind.STRING_AGG, (0, 0), types.TEXT),
    )  # fmt: skip
    rows = [((f"key {i % 7}", Decimal(i) / Decimal(7)), 1) for i in range(50)]
    before, operator, heap = run([rows], aggregates, row_types, (0,))
    for _ in range(3):
        marks = heap.begin_sweep()
        operator.mark(marks)
        heap.sweep(marks)
    out_types = (types.TEXT, types.NUMERIC, types.NUMERIC, types.TEXT)
    assert rows_of(operator.contents(), out_types, heap) == before
    assert unpack_decimal(pack_decimal(Decimal("1.5"), heap), heap) == Decimal("1.5")
