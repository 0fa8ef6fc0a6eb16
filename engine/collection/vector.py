"""One column in flight: what scalar expressions take and give."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """The values of one expression over n rows.

    1. `words` is uint64[n]; a row that is NULL or failed has word 0.
    2. `nulls` is bool[n], or None: no row is NULL.
    3. `errors` is uint64[n] of heap codes of '<sqlstate> <message>', 0 where the row evaluated; or None: all did.
       (Heap code 0 is the empty text, which is no error.)
    """

    words: NDArray[np.uint64]
    nulls: NDArray[np.bool_] | None = None
    errors: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.words)

    def take(self, rows: NDArray[np.int64]) -> "Vector":
        """Those rows, in that order."""
        return Vector(
            self.words[rows],
            None if self.nulls is None else self.nulls[rows],
            None if self.errors is None else self.errors[rows],
        )

    @staticmethod
    def repeat(word: int, is_null: bool, n: int) -> "Vector":
        """n copies of one datum: what a literal evaluates to."""
        return Vector(np.full(n, word, np.uint64), np.ones(n, np.bool_) if is_null else None)
