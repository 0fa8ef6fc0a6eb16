"""Which worker owns a row: the seam at which a dataflow is cut into shards.

A row belongs to the worker that the hash of its key's content falls to. Content, never codes: a heap code means
something in one process only.
"""

from collections.abc import Sequence

import numpy as np

from engine.collection.batch import Batch, null_words
from engine.collection.heap import Heap
from engine.collection.words import content_words
from engine.kernels.hash import hash_rows
from engine.types import SqlType


def partition(
    batch: Batch, key: Sequence[int], types: Sequence[SqlType], workers: int, heap: Heap
) -> tuple[Batch, ...]:
    """The batch cut by owner: part w is worker w's. Rows with equal keys go to the same one; one worker owns all.

    O(n) per key column. An empty key sends every row to one worker.
    """
    if workers == 1:
        return (batch,)
    words = batch.key_words(key)
    leading = null_words(len(key))
    for i, column in enumerate(key):
        words[leading + i] = content_words(words[leading + i], types[column], heap)
    # The high half: the low bits of the same hash address tables within a worker.
    owner = (hash_rows(words) >> np.uint64(32)) % np.uint64(workers)
    return tuple(batch.take(owner == w) for w in range(workers))
