"""Z-sets in columns: what flows between operators."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Diffs = NDArray[np.int64]


def null_words(columns: int) -> int:
    """How many words of null bits a row of so many columns starts with."""
    return (columns + 63) // 64


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Changes of one collection in one tick: a Z-set.

    1. `words` is uint64[width, n], C-contiguous; `diffs` is int64[n]; no diff is zero.
    2. The first ceil(columns / 64) words are null bits (bit c of them set: column c is NULL); a NULL's own word is 0,
       so equal rows have equal words. width = null_words(columns) + columns.
    3. `consolidated` means that no two rows are equal; nothing else is promised of the order.
    4. Nobody writes to the arrays after construction: batches are shared, never copied.
    """

    words: Words
    diffs: Diffs
    columns: int
    consolidated: bool = False
