"""Rows are routed by the content of their key: in every process to the same worker, each to exactly one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import types
from engine.cluster.exchange import partition
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.words import vector_of

TYPES = (types.TEXT, types.NUMERIC, types.BIGINT)
ROW = st.tuples(
    st.none() | st.text(max_size=3), st.none() | st.decimals(-(10**30), 10**30, places=3), st.integers(-5, 5)
)


def batch_of(rows: list[tuple], heap: Heap) -> Batch:
    vectors = [vector_of([row[i] for row in rows], type, heap) for i, type in enumerate(TYPES)]
    return Batch.from_vectors(vectors, np.arange(1, len(rows) + 1))


@settings(max_examples=50, deadline=None)
@given(st.lists(ROW, max_size=20), st.integers(1, 4))
def test_every_row_has_one_owner_whatever_its_codes(rows: list[tuple], workers: int) -> None:
    heap, other = Heap(), Heap()
    other.intern_many([b"other", b"codes", b"here"])
    for key in [(0,), (1,), (0, 1), (2,), ()]:
        parts = partition(batch_of(rows, heap), key, TYPES, workers, heap)
        elsewhere = partition(batch_of(rows, other), key, TYPES, workers, other)
        assert [part.diffs.tolist() for part in parts] == [part.diffs.tolist() for part in elsewhere]
        owners: dict[tuple, int] = {}
        for worker, part in enumerate(parts):
            for number in part.diffs.tolist():
                assert owners.setdefault(tuple(rows[number - 1][i] for i in key), worker) == worker
        assert sorted(number for part in parts for number in part.diffs.tolist()) == list(range(1, len(rows) + 1))
