"""Row kernels against what dicts and lists say."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.collection.batch import Batch, null_words
from engine.collection.vector import Vector
from engine.kernels.hash import hash_rows
from engine.kernels.rows import consolidate_rows, spread, take_rows

rows_and_diffs = st.integers(1, 3).flatmap(
    lambda width: st.lists(
        st.tuples(st.tuples(*[st.integers(0, 3) | st.just(2**64 - 1)] * width), st.integers(-2, 2).filter(bool)),
        max_size=40,
    ).map(lambda rows: (width, rows))
)


def matrix(width: int, rows: list[tuple[int, ...]]) -> np.ndarray:
    return np.array(rows, np.uint64).reshape(len(rows), width).T.copy()


@settings(deadline=None, max_examples=100)
@given(rows_and_diffs)
def test_consolidate_adds_up_the_diffs_of_equal_rows(case):
    width, rows = case
    words, diffs = matrix(width, [row for row, _ in rows]), np.array([diff for _, diff in rows], np.int64)
    kept, sums = consolidate_rows(words, diffs)
    want: Counter = Counter()
    for row, diff in rows:
        want[row] += diff
    got = {rows[i][0]: s for i, s in zip(kept.tolist(), sums.tolist(), strict=True)}
    assert got == {row: diff for row, diff in want.items() if diff}
    assert len(kept) == len(got)


@settings(deadline=None, max_examples=50)
@given(rows_and_diffs)
def test_equal_rows_have_equal_hashes_and_different_rows_do_not_collide(case):
    width, rows = case
    hashes = hash_rows(matrix(width, [row for row, _ in rows])).tolist()
    assert len(set(hashes)) == len({row for row, _ in rows})
    assert len({(row, h) for (row, _), h in zip(rows, hashes, strict=True)}) == len(set(hashes))


def test_every_part_of_a_hash_is_spread_evenly():
    """Small integers and round doubles are what keys are; tables use the low bits, tags the high ones."""
    for keys in (np.arange(1 << 16, dtype=np.uint64), np.arange(1 << 16).astype(np.float64).view(np.uint64)):
        hashes = hash_rows(np.stack([np.zeros(1 << 16, np.uint64), keys]))
        for shift in (0, 24, 52):
            counts = np.bincount(((hashes >> np.uint64(shift)) & np.uint64(0xFFF)).astype(np.int64), minlength=4096)
            assert counts.max() < 48  # 16 expected; a fair hash exceeds 40 once in a million buckets


def test_take_rows_gathers():
    words = np.arange(12, dtype=np.uint64).reshape(2, 6)
    rows = np.array([5, 0, 0], np.int64)
    assert (take_rows(words, rows) == words[:, rows]).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 130), st.integers(0, 6), st.randoms(use_true_random=False))
def test_null_bits_follow_their_columns(columns, n, random):
    nulls = np.array([[random.random() < 0.4 for _ in range(n)] for _ in range(columns)], np.bool_).reshape(columns, n)
    vectors = [Vector(np.where(mask, 0, c + 1).astype(np.uint64), mask) for c, mask in enumerate(nulls)]
    batch = Batch.from_vectors(vectors, np.ones(n, np.int64))
    assert batch.words.shape == (null_words(columns) + columns, n)
    picked = [random.randrange(columns) for _ in range(random.randrange(1, 70))]
    projected = batch.project(picked)
    for k, column in enumerate(picked):
        for one in (batch.vector(column), projected.vector(k)):
            assert (one.words == vectors[column].words).all()
            assert ((one.nulls if one.nulls is not None else np.zeros(n, np.bool_)) == nulls[column]).all()


def test_batches_add_negate_and_cut():
    words = np.array([[0, 0, 0], [1, 2, 1]], np.uint64)
    batch = Batch(words, np.array([1, 2, -1], np.int64), 1)
    net = batch.consolidate()
    assert net.words[1].tolist() == [2]
    assert net.diffs.tolist() == [2]
    assert net.consolidated
    assert len(Batch.concat([batch, batch.negate()]).consolidate()) == 0
    assert batch.with_diffs(np.array([0, 5, 0])).words[1].tolist() == [2]
    assert batch.take(np.array([True, False, True])).diffs.tolist() == [1, -1]
    assert len(Batch.empty(70)) == 0
    assert Batch.empty(70).words.shape == (72, 0)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 9))
def test_spread_counts_each_out_in_pieces_of_any_size(counts, piece):
    total = sum(counts)
    origin, index = np.empty(total, np.int64), np.empty(total, np.int64)
    i = k = 0
    for begin in range(0, total, piece):
        end = min(begin + piece, total)
        i, k = spread(np.array(counts, np.int64), i, k, origin, index, begin, end)
    pairs = [(i, k) for i, count in enumerate(counts) for k in range(count)]
    assert list(zip(origin.tolist(), index.tolist(), strict=True)) == pairs
