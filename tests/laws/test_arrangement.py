"""The arrangement against a dict of row -> count: contents, look-ups, joins and what it holds in memory."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.collection.arrangement import COMPACT_MIN, Arrangement
from engine.collection.batch import Batch, null_words
from engine.errors import LimitExceeded

Row = tuple[int | None, ...]

DATUM = st.sampled_from([None, 0, 1, 2, 3, (1 << 64) - 1])


def batch_of(changes: list[tuple[Row, int]], columns: int) -> Batch:
    """Rows of words as a batch; None is NULL."""
    leading = null_words(columns)
    words = np.zeros((leading + columns, len(changes)), np.uint64)
    for i, (row, _) in enumerate(changes):
        for c, word in enumerate(row):
            if word is None:
                words[c >> 6, i] |= np.uint64(1 << (c & 63))
            else:
                words[leading + c, i] = word
    return Batch(words, np.array([diff for _, diff in changes], np.int64), columns)


def rows_of(batch: Batch) -> Counter[Row]:
    """A batch as counts by row."""
    leading = null_words(batch.columns)
    counts: Counter[Row] = Counter()
    for i, diff in enumerate(batch.diffs.tolist()):
        row = tuple(
            None if int(batch.words[c >> 6, i]) >> (c & 63) & 1 else int(batch.words[leading + c, i])
            for c in range(batch.columns)
        )
        counts[row] += diff
    return Counter({row: n for row, n in counts.items() if n})


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, list[tuple[int, ...]], list[list[tuple[Row, int]]]]:
    """(columns, keys, batches): wide rows, whose nulls take two words, among them."""
    columns = draw(st.sampled_from([1, 2, 3, 3, 66]))
    key = st.permutations(range(columns)).flatmap(
        lambda order: st.integers(0, min(columns, 3)).map(lambda k: tuple(order[:k]))
    )
    padding = (1,) * (columns - 3)
    row = st.tuples(*[DATUM] * min(columns, 3)).map(lambda head: head + padding)
    change = st.tuples(row, st.sampled_from([1, 1, 1, 2, -1, -1, -2]))
    keys = draw(st.lists(key, min_size=1, max_size=3))
    return columns, keys, draw(st.lists(st.lists(change, max_size=30), max_size=5))


def key_of(row: Row, key: tuple[int, ...]) -> Row:
    return tuple(row[c] for c in key)


@given(case=cases(), late=st.integers(0, 4))
def test_it_is_a_dict(case: tuple[int, list[tuple[int, ...]], list[list[tuple[Row, int]]]], late: int) -> None:
    """By every key: the first is there from the beginning, the others come after some batches, one goes in between."""
    columns, keys, batches = case
    held: Counter[Row] = Counter()
    arrangement = Arrangement(columns, keys[0])
    for at, changes in enumerate(batches):
        if at == late:
            for key in keys[1:]:
                arrangement.add(key)
            if len(keys) == 3 and keys[1] not in (keys[0], keys[2]):
                arrangement.remove(keys[1])
        arrangement.apply(batch_of(changes, columns))
        for row, diff in changes:
            held[row] += diff
        held = Counter({row: n for row, n in held.items() if n})
        assert len(arrangement) == len(held)
        assert rows_of(arrangement.rows()) == held
        for key in filter(arrangement.has, keys):
            assert arrangement.groups(key) == len({key_of(row, key) for row in held})
            wanted = {key_of(row, key) for row, _ in changes} | {key_of(row, key) for row in held}
            for one in wanted:
                found = arrangement.lookup(key, batch_of([(one, 1)], len(key)).words)
                assert rows_of(found) == {row: n for row, n in held.items() if key_of(row, key) == one}
        probe = list(dict.fromkeys(row for row, _ in changes))
        if probe:
            counts = arrangement.counts(batch_of([(row, 1) for row in probe], columns))
            assert counts.tolist() == [held[row] for row in probe]
        assert (arrangement.bytes_held() == 0) == (not held)
    arrangement.apply(batch_of([(row, -n) for row, n in held.items()], columns))
    assert len(arrangement) == arrangement.bytes_held() == 0


@given(case=cases(), data=st.data())
def test_join_is_a_nested_loop(
    case: tuple[int, list[tuple[int, ...]], list[list[tuple[Row, int]]]], data: st.DataObject
):
    columns, keys, batches = case
    key = data.draw(st.sampled_from(keys))
    arrangement = Arrangement(columns, *keys)
    held: Counter[Row] = Counter()
    for changes in batches:
        arrangement.apply(batch_of(changes, columns))
        for row, diff in changes:
            held[row] += diff
    width = max(len(key), 1)
    stream = data.draw(st.lists(st.tuples(st.tuples(*[DATUM] * width), st.sampled_from([1, 2, -1])), max_size=10))
    stream_key = data.draw(st.permutations(range(width)))[: len(key)]
    sources = data.draw(st.lists(st.integers(-min(columns, 3), width - 1), min_size=1, max_size=4))
    met = arrangement.join(key, batch_of(stream, width), np.array(stream_key, np.int64), np.array(sources, np.int64))
    expected: Counter[Row] = Counter()
    for left, n in stream:
        for right, m in held.items():
            if key_of(left, tuple(stream_key)) == key_of(right, key):
                expected[tuple(left[c] if c >= 0 else right[-1 - c] for c in sources)] += n * m
    assert rows_of(met) == {row: n for row, n in expected.items() if n}


@pytest.mark.parametrize("rows_per_key", [1, 10, 100_000])
def test_memory_and_growth(rows_per_key: int) -> None:
    """Rows of three columns cost at most 120 bytes with every index; what is deleted is given back."""
    n = 200_000
    words = np.zeros((4, n), np.uint64)
    words[1], words[2] = np.arange(n), np.arange(n) // rows_per_key
    rows = Batch(words, np.ones(n, np.int64), 3)
    arrangement = Arrangement(3, (1,))
    arrangement.apply(rows)
    assert len(arrangement) == n
    assert arrangement.groups((1,)) == -(-n // rows_per_key)
    assert arrangement.bytes_held() / n <= 120
    order = np.random.default_rng(1).permutation(n)
    for part in np.array_split(order, 10):
        gone = rows.take(part)
        arrangement.apply(Batch(gone.words, -gone.diffs, 3))
        assert arrangement.bytes_held() <= 120 * 8 * max(len(arrangement), COMPACT_MIN)
    assert len(arrangement) == arrangement.bytes_held() == 0


def test_a_group_of_any_size_is_left_in_constant_time() -> None:
    """Every row of one key: retracting from either end and the middle never walks the list."""
    n = 100_000
    words = np.zeros((3, n), np.uint64)
    words[1] = np.arange(n)
    arrangement = Arrangement(2, (1,))
    arrangement.apply(Batch(words, np.ones(n, np.int64), 2))
    for row in (0, n - 1, n // 2, *range(1, 1000)):
        arrangement.apply(Batch(words[:, row : row + 1].copy(), np.array([-1]), 2))
    assert len(arrangement) == n - 1002
    found = arrangement.lookup((1,), np.zeros((2, 1), np.uint64))
    assert len(found) == n - 1002


def test_multiplicities_that_do_not_fit_are_refused() -> None:
    arrangement = Arrangement(1, (0,))
    arrangement.apply(batch_of([((1,), 1 << 40)], 1))
    key = np.array([0], np.int64)
    assert arrangement.join((0,), batch_of([((1,), 1 << 20)], 1), key, key).diffs.tolist() == [1 << 60]
    with pytest.raises(LimitExceeded):
        arrangement.join((0,), batch_of([((1,), 1 << 40)], 1), key, key)
