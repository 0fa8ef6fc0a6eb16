"""The error stream of one operator: rows that failed to evaluate, counted by what was wrong with them.

Rule   a failed row leaves the ok stream and enters here as (error, diff); when it is retracted, its error is retracted.
State  n by error code, codes with n = 0 left out. `add` stages in compute, `publish` shows it to readers.
Cost   O(distinct errors of the tick).
From   McSherry, Materialize's oks and errs: errors are a collection like any other.
"""

import numpy as np
from numpy.typing import NDArray

from engine.collection.heap import Marks


class ErrorCounts:
    """How many rows failed with which error. A code is the heap's, of '<sqlstate> <message>'."""

    __slots__ = ("_published", "_staged")

    def __init__(self) -> None:
        self._published: dict[int, int] = {}
        self._staged: dict[int, int] = {}

    def add(self, codes: NDArray[np.uint64], diffs: NDArray[np.int64]) -> None:
        """Rows that failed, by the codes of their errors."""
        distinct, which = np.unique(codes, return_inverse=True)
        for code, at in zip(distinct.tolist(), range(len(distinct)), strict=True):
            self._staged[code] = self._staged.get(code, 0) + int(diffs[which == at].sum())

    def publish(self) -> None:
        """Show what was added since the last publish."""
        if not self._staged:
            return
        for code, diff in self._staged.items():
            count = self._published.get(code, 0) + diff
            if count:
                self._published[code] = count
            else:
                self._published.pop(code, None)
        self._staged = {}

    def first(self) -> int | None:
        """The code of one error that a row has, the least; None if every row evaluated."""
        return min(self._published) if self._published else None

    def counts(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The codes, and how many rows failed with each."""
        codes, counts = [*self._published], [*self._published.values()]
        return np.array(codes, np.uint64), np.array(counts, np.int64)

    def __len__(self) -> int:
        return len(self._published)

    def mark(self, marks: Marks) -> None:
        """Keep the errors' texts."""
        marks.codes(np.array([*self._published, *self._staged], np.uint64))


def too_early(at: int, since: int) -> str:
    """The error of what histories do not reach back to, as an error stream has it."""
    return f"22023 timestamp ({at}) is not valid for all inputs: the earliest that can be read is {since}"
