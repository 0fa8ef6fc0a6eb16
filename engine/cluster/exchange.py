"""Which worker owns a row: the seam at which a dataflow is cut into shards.

A row belongs to the worker that the hash of its key's content falls to. Content, never codes: a heap code means
something in one process only.
"""

from collections.abc import Sequence

import numpy as np

from engine.collection.batch import Batch, null_words
from engine.collection.heap import DECIMAL_TAG, Heap
from engine.kernels.hash import hash_rows
from engine.types import Physical, SqlType


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
        match types[column].physical:
            case Physical.BYTES | Physical.INTERVAL | Physical.JSON:
                words[leading + i] = heap.hash_of(words[leading + i])
            case Physical.DECIMAL:
                codes = words[leading + i] >= DECIMAL_TAG
                words[leading + i][codes] = heap.hash_of(words[leading + i][codes] ^ DECIMAL_TAG)
            case Physical.UNSIGNED | Physical.BOOLEAN | Physical.SIGNED | Physical.FLOAT:
                pass
    # The high half: the low bits of the same hash address tables within a worker.
    owner = (hash_rows(words) >> np.uint64(32)) % np.uint64(workers)
    return tuple(batch.take(owner == w) for w in range(workers))
