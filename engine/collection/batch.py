"""Z-sets in columns: what flows between operators."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.collection.vector import Vector
from engine.kernels.nulls import project_words
from engine.kernels.rows import consolidate_rows, take_rows

if TYPE_CHECKING:
    from engine.collection.heap import Marks
    from engine.types import SqlType

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
    _nulls: int = field(default=-1, init=False, repr=False)  # see null_columns

    def __len__(self) -> int:
        return len(self.diffs)

    @staticmethod
    def empty(columns: int) -> "Batch":
        """No changes."""
        return Batch(np.empty((null_words(columns) + columns, 0), np.uint64), np.empty(0, np.int64), columns, True)

    @staticmethod
    def from_vectors(vectors: Sequence[Vector], diffs: Diffs, consolidated: bool = False) -> "Batch":
        """The rows whose columns these are. Whoever has rows that failed takes them out first."""
        columns, n = len(vectors), len(diffs)
        leading = null_words(columns)
        words = np.empty((leading + columns, n), np.uint64)
        words[:leading] = 0
        for c, vector in enumerate(vectors):
            words[leading + c] = vector.words
            if vector.nulls is not None:
                words[c >> 6] |= vector.nulls.astype(np.uint64) << np.uint64(c & 63)
        return Batch(words, diffs, columns, consolidated)

    def null_columns(self) -> int:
        """Bit c: column c has a NULL. O(n) the first time: a batch may have a thousand readers."""
        if self._nulls < 0:
            leading = self.words[: null_words(self.columns)]
            found = [int(np.bitwise_or.reduce(bits)) << (64 * w) for w, bits in enumerate(leading)]
            object.__setattr__(self, "_nulls", sum(found))
        return self._nulls

    def vector(self, column: int) -> Vector:
        """One column; its words are a view. O(n) for the null mask, and no mask where the column has no NULL."""
        words = self.words[null_words(self.columns) + column]
        if not self.null_columns() >> column & 1:
            return Vector(words)
        return Vector(words, (self.words[column >> 6] & np.uint64(1 << (column & 63))).view(np.int64) != 0)

    def vectors(self) -> list[Vector]:
        """All columns."""
        return [self.vector(column) for column in range(self.columns)]

    def mark(self, marks: "Marks", types: "Iterable[SqlType]") -> None:
        """Mark every heap code of the rows, whose columns are of these types."""
        leading = null_words(self.columns)
        for c, type in enumerate(types):
            if type.physical.on_heap:
                marks.words(type.physical, self.words[leading + c])

    def project(self, columns: Sequence[int]) -> "Batch":
        """Those columns, in that order. Rows that become equal stay apart."""
        if len(columns) == self.columns and list(columns) == list(range(self.columns)):
            return self
        kept = self.consolidated and len(set(columns)) == self.columns
        return Batch(self.key_words(columns), self.diffs, len(columns), kept)

    def key_words(self, columns: Sequence[int]) -> Words:
        """The rows cut down to a key: uint64[null_words(k) + k, n], its own null bits first."""
        return project_words(self.words, self.columns, np.asarray(columns, np.int64))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Batch":
        """Those rows by number, or those where a mask is true. Numbers must not repeat."""
        picked: NDArray[np.int64] = (
            np.flatnonzero(rows) if rows.dtype == np.bool_ else np.ascontiguousarray(rows, np.int64)
        )
        return Batch(take_rows(self.words, picked), self.diffs[picked], self.columns, self.consolidated)

    def with_diffs(self, diffs: Diffs) -> "Batch":
        """The same rows with other diffs; rows whose diff is zero are left out."""
        if len(diffs) == 1:
            return Batch(self.words, diffs, self.columns, True) if diffs[0] else Batch.empty(self.columns)
        kept = Batch(self.words, diffs, self.columns, self.consolidated)
        return kept if diffs.all() else kept.take(diffs != 0)

    def negate(self) -> "Batch":
        """The opposite changes."""
        return Batch(self.words, -self.diffs, self.columns, self.consolidated)

    def consolidate(self) -> "Batch":
        """The same changes, each row once. O(n); nothing is copied when no two rows are equal."""
        if self.consolidated:
            return self
        if len(self) <= 1:
            return Batch(self.words, self.diffs, self.columns, True)
        rows, sums = consolidate_rows(self.words, self.diffs)
        if len(rows) == len(self):
            return Batch(self.words, self.diffs, self.columns, True)
        return Batch(take_rows(self.words, rows), sums, self.columns, True)

    @staticmethod
    def concat(batches: Sequence["Batch"]) -> "Batch":
        """The changes of all of them (at least one), added."""
        some = [batch for batch in batches if len(batch)]
        if len(some) <= 1:
            return some[0] if some else batches[0]
        words = np.concatenate([batch.words for batch in some], axis=1)
        return Batch(words, np.concatenate([batch.diffs for batch in some]), some[0].columns)
