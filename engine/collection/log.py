"""The contents of an append-only collection: its batches, one after another.

Rule   contents = the batches in order; nothing is ever taken back, so nothing is indexed.
State  the batches; a short one is merged into its predecessor while that is less than twice as long, so n rows are at
       most about n / MERGED_ROWS_MAX + log2(MERGED_ROWS_MAX) batches.
Cost   O(1) an append amortised over the merges, each row copied at most log2(MERGED_ROWS_MAX) times; a read shares the
       batches and copies nothing.
"""

from typing import Final

from engine.collection.batch import Batch

MERGED_ROWS_MAX: Final = 1 << 16
"""Batches of so many rows are left as they are: reading them costs no more than one large one would."""


class Log:
    """An append-only collection at rest. One writer; `batches` may be read at any time."""

    __slots__ = ("_batches", "columns")

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self._batches: list[Batch] = []

    def append(self, batch: Batch) -> None:
        """Add a batch at the end."""
        batches = self._batches
        while batches and len(batches[-1]) < 2 * len(batch) and len(batch) + len(batches[-1]) < MERGED_ROWS_MAX:
            batch = Batch.concat([batches.pop(), batch])
        batches.append(batch)

    def batches(self) -> list[Batch]:
        """The contents, as they lie."""
        return list(self._batches)

    def __len__(self) -> int:
        return sum(map(len, self._batches))

    def bytes_held(self) -> int:
        """Memory of the batches."""
        return sum(batch.words.nbytes + batch.diffs.nbytes for batch in self._batches)
