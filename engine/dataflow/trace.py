"""A collection of the running graph, arranged, with its change of the present tick beside it.

Rule   old = the arrangement, which is only read in compute; new = old + delta; publish makes old new.
State  the arrangement, shared by every operator and reader that wants this collection, by whatever keys they want it;
       the tick's delta, arranged too if some join asks for "new" in this tick. When that delta comes onto nothing
       (hydration), its arrangement becomes the arrangement: the work is done once.
Cost   O(delta · keys) a tick.
From   McSherry et al., "Shared Arrangements", VLDB 2020.
"""

import numpy as np
from numpy.typing import NDArray

from engine.collection.arrangement import Arrangement, Key
from engine.collection.batch import Batch


class Trace:
    """One of a node. `references` counts by key who holds it; the circuit frees a key at 0, the trace without keys."""

    __slots__ = ("_delta", "_staged", "arrangement", "references")

    def __init__(self, columns: int) -> None:
        self.arrangement = Arrangement(columns)
        self.references: dict[Key, int] = {}
        self._delta: Batch | None = None
        self._staged: Arrangement | None = None

    def arranged(self, key: Key) -> "Trace":
        """Itself, arranged by the key too. O(rows) when it was not."""
        self.arrangement.add(key)
        return self

    def stage(self, delta: Batch) -> None:
        """The collection's change in this tick. Before any operator that reads `new` steps."""
        self._delta = delta

    def join_old(
        self, by: Key, stream: Batch, on: NDArray[np.int64], sources: NDArray[np.int64], strict: NDArray[np.bool_]
    ) -> Batch:
        """The stream beside what it meets in the collection as of the previous tick; see Arrangement.join."""
        return self.arrangement.join(by, stream, on, sources, strict)

    def join_new(
        self, by: Key, stream: Batch, on: NDArray[np.int64], sources: NDArray[np.int64], strict: NDArray[np.bool_]
    ) -> list[Batch]:
        """The same with this tick's change counted in, in two parts of which either may be empty."""
        parts = [self.arrangement.join(by, stream, on, sources, strict)]
        if self._delta is not None:
            if self._staged is None:
                keys = () if len(self.arrangement) else self.arrangement.keys()
                self._staged = Arrangement(self.arrangement.columns, *keys)
                self._staged.apply(self._delta)
            self._staged.add(by)
            parts.append(self._staged.join(by, stream, on, sources, strict))
        return parts

    def publish(self) -> None:
        """Take the tick's change."""
        if self._staged is not None and not len(self.arrangement):
            self.arrangement = self._staged
        elif self._delta is not None:
            self.arrangement.apply(self._delta)
        self._delta = self._staged = None
