"""Texts put together against what join of Python says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.collection.heap import Heap
from engine.kernels.texts import join_texts

TEXTS = (b"", b"a", b"12345678", b"a longer text than one word")
texts = st.sampled_from(TEXTS)


@given(st.lists(st.lists(st.tuples(st.none() | texts, texts, st.integers(0, 3)), max_size=4), max_size=4),
       st.integers(0, 1))  # fmt: skip
def test_each_run_is_joined(runs, edge):
    heap = Heap()
    rows = [row for run in runs for row in run]
    words = np.array([heap.intern(value or b"") for value, _, _ in rows], np.uint64)
    separators = np.array([heap.intern(separator) for _, separator, _ in rows], np.uint64)
    bounds = np.cumsum([0, *map(len, runs)], dtype=np.int64)
    counts, no_value = np.array([n for *_, n in rows], np.int64), np.array([v is None for v, _, _ in rows], np.bool_)
    filler = heap.intern(b"null")
    offsets, out = join_texts(bounds, counts, words, no_value, separators, np.uint64(filler), edge, *heap.view())
    for g, run in enumerate(runs):
        parts = [(s, b"null" if v is None else v) for v, s, n in run for _ in range(n)]
        text = b"".join(part for pair in parts for part in pair)[len(parts[0][0]) if parts else 0 :]
        assert out[offsets[g] + edge : offsets[g + 1] - edge].tobytes() == text
