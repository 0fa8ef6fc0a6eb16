"""The errors that are kept are the latest: whatever comes and is taken away, in whatever blocks, over restarts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.collection.words import decode_column
from engine.connectors.kafka.columns import ERROR_COLUMNS
from engine.connectors.recent import Recent


def errors(heap: Heap, rows: list[tuple[int, int]]) -> Batch:
    """Of (offset, diff); the data of an offset are as many bytes."""
    offsets = np.array([offset for offset, _ in rows], np.int64).view(np.uint64)
    data = heap.intern_many([b"x" * offset for offset, _ in rows])
    none = Vector(np.zeros(len(rows), np.uint64), np.ones(len(rows), np.bool_))
    reason = heap.intern_many([b"" for _ in rows])
    vectors = [Vector(np.zeros(len(rows), np.uint64)), Vector(offsets), none, Vector(data), Vector(reason)]
    return Batch.from_vectors(vectors, np.array([diff for _, diff in rows], np.int64))


def counts(heap: Heap, batch: Batch) -> list[tuple[int, int]]:
    offsets = decode_column(batch.vector(1), ERROR_COLUMNS[1].type, heap)
    return list(zip(offsets, batch.diffs.tolist(), strict=True))


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=6), max_size=12),
    st.integers(1, 5),
    st.integers(0, 30),
    st.integers(0, 12),
)
def test_the_relation_has_the_latest(blocks, rows_max, bytes_max, restart):
    """Each offset is added once at the most and taken away only while it stands, as envelopes do."""
    heap = Heap()
    recent = Recent(ERROR_COLUMNS, heap, rows_max, bytes_max)
    there: dict[int, int] = {}  # what the relation has
    latest: list[int] = []  # what it should have, the oldest first
    standing: set[int] = set()  # as the envelope sees it
    added = taken = 0
    for at, block in enumerate(blocks):
        if at == restart:
            kept = errors(heap, [(offset, 1) for offset in latest])
            recent = Recent(ERROR_COLUMNS, heap, rows_max, bytes_max, recent.let_go)
            recent.restore(kept)
        changes: list[tuple[int, int]] = []
        for offset, _ in block:
            changes.append((offset, -1 if offset in standing else 1))
            standing ^= {offset}
            if changes[-1][1] > 0:
                latest.append(offset)
                added += 1
            elif offset in latest:
                latest.remove(offset)
                taken += 1
        while len(latest) > rows_max or (sum(latest) > bytes_max and len(latest) > 1):
            latest.pop(0)
        for offset, diff in counts(heap, recent.bounded(errors(heap, changes))):
            there[offset] = there.get(offset, 0) + diff
            assert there[offset] in (0, 1)
        assert sorted(offset for offset, count in there.items() if count) == sorted(latest)
        assert added == taken + recent.let_go + len(latest)
