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
