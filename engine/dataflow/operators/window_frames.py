"""Where the rows of a window stand: their partitions and peers, and the frame of each row.

All positions are of one sequence in which partition follows partition, each in its order. A frame is a few ranges of
positions, in order: one, or what EXCLUDE leaves of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.vector import Vector
from engine.expr.window import MOVED, Bound, Edge, Exclude, Frame, Unit

Positions = NDArray[np.int64]
Ranges = tuple[Positions, Positions]
"""(begin, end), each int64[ranges, rows]."""


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """First rows of partitions that stand for all rows before them too, or last ones that stand for all behind: their
    positions, and their slots."""

    at: Positions
    slots: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.at)


NONE: Final = Carried(np.empty(0, np.int64), np.empty(0, np.int32))


class Partitions:
    """The partitions bounds[p] .. bounds[p + 1] of n rows, and the peers in them: rows equal in the `order` columns."""

    def __init__(self, bounds: Positions, order: Sequence[Vector], carried: Sequence[Carried] = (NONE, NONE)) -> None:
        """`carried`: the rows that stand for those before, and those behind."""
        sizes = np.diff(bounds)
        self.carried: Final = carried
        self.n: Final = int(bounds[-1])
        self.partitions: Final = len(sizes)
        self.at: Final[Positions] = np.arange(self.n)
        self.number: Final[Positions] = np.repeat(np.arange(len(sizes)), sizes)
        self.begin: Final[Positions] = np.repeat(bounds[:-1], sizes)
        self.end: Final[Positions] = np.repeat(bounds[1:], sizes)
        self._order = order

    @cached_property
    def _firsts(self) -> Positions:
        """The position of the first row of each group of peers."""
        first = self.at == self.begin
        for vector in self._order:
            first[1:] |= vector.words[1:] != vector.words[:-1]
            if vector.nulls is not None:
                first[1:] |= vector.nulls[1:] != vector.nulls[:-1]
        return np.flatnonzero(first)

    @cached_property
    def group(self) -> Positions:
        """The number of each row's group of peers, over all partitions."""
        marks = np.zeros(self.n, np.int64)
        marks[self._firsts] = 1
        return np.cumsum(marks) - 1

    @cached_property
    def peers_begin(self) -> Positions:
        """Where each row's peers begin."""
        return self._firsts[self.group]

    @cached_property
    def peers_end(self) -> Positions:
        """Where each row's peers end."""
        return np.append(self._firsts[1:], self.n)[self.group]

    def frames(self, frame: Frame, key_order: "Callable[[Frame], tuple[Positions, Positions, Positions]]") -> Ranges:
        """The frame of each row.

        `key_order` is asked for RANGE with offsets: the places of the ordering column, of the start and of the end
        bounds in one ascending order that the rows of each partition follow.
        """
        if frame.key is not None:
            begin, end = self._by_value(frame, *key_order(frame))
        else:
            begin, end = self._edge(frame.unit, frame.start, False), self._edge(frame.unit, frame.end, True)
        end = np.maximum(begin, end)

        def inside(positions: Positions) -> Positions:
            return np.minimum(np.maximum(positions, begin), end)

        match frame.exclude:
            case Exclude.NO_OTHERS:
                return begin[None], end[None]
            case Exclude.CURRENT_ROW:
                pieces = [(begin, inside(self.at)), (inside(self.at + 1), end)]
            case Exclude.GROUP:
                pieces = [(begin, inside(self.peers_begin)), (inside(self.peers_end), end)]
            case Exclude.TIES:
                pieces = [
                    (begin, inside(self.peers_begin)),
                    (inside(self.at), inside(self.at + 1)),
                    (inside(self.peers_end), end),
                ]
        return np.stack([b for b, _ in pieces]), np.stack([e for _, e in pieces])

    def _edge(self, unit: Unit, bound: Bound, is_end: bool) -> Positions:
        """One end of the frame of each row, not beyond its partition."""
        if bound.edge is Edge.UNBOUNDED_PRECEDING:
            return self.begin
        if bound.edge is Edge.UNBOUNDED_FOLLOWING:
            return self.end
        by = min(bound.offset, self.n + 1) * (-1 if bound.edge is Edge.PRECEDING else 1)
        if unit is Unit.ROWS:
            by = 0 if bound.edge is Edge.CURRENT_ROW else by
            return np.minimum(np.maximum(self.at + by + is_end, self.begin), self.end)
        if bound.edge is Edge.CURRENT_ROW:
            return self.peers_end if is_end else self.peers_begin
        group = self.group
        first, last = group[self.begin], group[self.end - 1]
        target = group + by
        edges = np.append(self._firsts[1:], self.n) if is_end else self._firsts
        found = edges[np.minimum(np.maximum(target, first), last)]
        return np.where(target < first, self.begin, np.where(target > last, self.end, found))

    def _by_value(
        self, frame: Frame, places: Positions, starts: Positions, ends: Positions
    ) -> tuple[Positions, Positions]:
        """The frame of RANGE with offsets: a search for the bounds among the places of the partition's rows."""
        begin, end = self._edge(frame.unit, frame.start, False), self._edge(frame.unit, frame.end, True)
        span = int(max(places.max(), starts.max(), ends.max())) + 1
        sorted_places = self.number * span + places
        if frame.start.edge in MOVED:
            begin = np.searchsorted(sorted_places, self.number * span + starts, "left")
        if frame.end.edge in MOVED:
            end = np.searchsorted(sorted_places, self.number * span + ends, "right")
        return begin, end
