"""A collection of the running graph, arranged by one key, with its change of the present tick beside it.

Rule   old = the arrangement, which is only read in compute; new = old + delta; publish makes old new.
State  the arrangement, shared by every operator and reader that wants this collection by this key; the tick's delta,
       arranged too if some join asks for "new" in this tick. When that delta comes onto nothing (hydration), its
       arrangement becomes the arrangement: the work is done once.
Cost   O(delta) a tick.
From   McSherry et al., "Shared Arrangements", VLDB 2020.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch


class Trace:
    """One (node, key). `references` counts who holds it; the circuit frees it at 0."""

    __slots__ = ("_delta", "_staged", "arrangement", "references")

    def __init__(self, columns: int, key: Sequence[int]) -> None:
        self.arrangement = Arrangement(columns, key)
        self.references = 0
        self._delta: Batch | None = None
        self._staged: Arrangement | None = None

    def stage(self, delta: Batch) -> None:
        """The collection's change in this tick. Before any operator that reads `new` steps."""
        self._delta = delta

    def join_old(self, stream: Batch, key: NDArray[np.int64], sources: NDArray[np.int64]) -> Batch:
        """The stream beside what it meets in the collection as of the previous tick; see Arrangement.join."""
        return self.arrangement.join(stream, key, sources)

    def join_new(self, stream: Batch, key: NDArray[np.int64], sources: NDArray[np.int64]) -> list[Batch]:
        """The same with this tick's change counted in, in two parts of which either may be empty."""
        parts = [self.arrangement.join(stream, key, sources)]
        if self._delta is not None:
            if self._staged is None:
                self._staged = Arrangement(self.arrangement.columns, self.arrangement.key)
                self._staged.apply(self._delta)
            parts.append(self._staged.join(stream, key, sources))
        return parts

    def publish(self) -> None:
        """Take the tick's change."""
        if self._staged is not None and not len(self.arrangement):
            self.arrangement = self._staged
        elif self._delta is not None:
            self.arrangement.apply(self._delta)
        self._delta = self._staged = None
