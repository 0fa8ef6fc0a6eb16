"""Each row with what window functions say of it among the rows of its partition.

Rule   out = -(rows of the touched partitions with their values before) +(those after), what is in both left out.
       Order within a partition is ORDER BY, then the whole row's content, so the same rows always give the same
       result; a row of multiplicity m stands m times. A row of which a function fails (ntile(0), a sum beyond its type)
       has an error instead, and heals with its cause.
State  all rows by (partition, order) in one B+tree (engine/collection/ordered.py); no results.
Cost   O(rows of the touched partitions) a tick, twice: values are computed anew from the rows before and after, for
       all touched partitions at once (min and max O(n log n), string_agg and its like O(rows of the frames)). What is
       emitted is what changed. Ranking with a limit never comes here with more than the limit's rows: see
       engine/plan/rules/ranking.py.
From   Leis et al., "Efficient processing of window functions in analytical SQL queries", VLDB 2015.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, null_words
from engine.collection.groups import GroupTable, Ids
from engine.collection.heap import Heap, Marks
from engine.collection.ordered import OrderedRows
from engine.collection.vector import Vector
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.graph import Window
from engine.dataflow.operators.window_calls import WindowCalls
from engine.dataflow.operators.window_frames import Partitions
from engine.types import SqlType

Positions = NDArray[np.int64]


class WindowOperator:
    """The operator of graph.Window."""

    def __init__(self, node: Window, input_types: Sequence[SqlType], heap: Heap) -> None:
        self.errors: Final = ErrorCounts()
        self._columns = len(input_types)
        self._width = null_words(self._columns) + self._columns
        self._types: Final = input_types
        self._groups: Final = GroupTable(node.partition, self._columns, 1)
        self._place = self._groups.key_width + 2
        order = [(o.column, o.descending, o.nulls_first) for o in node.order]
        self._rows: Final = OrderedRows(range(self._columns), input_types, order, heap)
        read = {o.column for o in node.order} | {column for call in node.calls for column in call.reads()}
        self._read: Final = sorted(read)
        at = {column: i for i, column in enumerate(self._read)}
        self._order: Final = [at[o.column] for o in node.order]
        directions = {at[o.column]: (o.descending, o.nulls_first) for o in node.order}
        calls = [call.moved(at) for call in node.calls]
        self._calls: Final = WindowCalls(calls, [input_types[column] for column in self._read], directions, heap)

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        """The change of the touched partitions' rows."""
        (batch,) = deltas
        gids, touched = self._groups.assign(batch)
        touched = touched.copy()
        old = self._shown(touched)
        self._rows.add(batch, None, gids, self._groups.records, self._place)
        new = self._shown(touched)
        gone, come = differing(old, new)
        parts = [self._emitted(old, gone, -1), self._emitted(new, come, 1)]
        self._rows.settle()
        self._groups.settle(touched)
        return Batch.concat(parts).consolidate()

    def _shown(self, groups: Ids) -> "Shown":
        """The rows of those partitions in order, and the values of the calls."""
        slots, takes, bounds = self._rows.walk(groups, 0, -1)
        ends = np.zeros(len(slots) + 1, np.int64)
        np.cumsum(takes, out=ends[1:])
        bounds = ends[bounds]
        if len(slots) < bounds[-1]:
            slots = np.repeat(slots, takes)
        stored, leading = self._rows.store.words, null_words(self._columns)
        vectors = [
            Vector(
                stored[slots, leading + column],
                (stored[slots, column >> 6] & np.uint64(1 << (column & 63))) != 0,
            )
            for column in self._read
        ]
        partitions = Partitions(bounds, [vectors[column] for column in self._order])
        return Shown(slots, bounds, self._calls.values(partitions, vectors) if len(slots) else [])

    def _emitted(self, shown: "Shown", rows: Positions, diff: int) -> Batch:
        """Those rows as changes; the ones that failed are counted as errors instead."""
        columns = self._columns + self._calls.count
        if len(rows) == 0:
            return Batch.empty(columns)
        values = [value.take(rows) for value in shown.values]
        failed = np.zeros(len(rows), np.uint64)
        for value in values:
            if value.errors is not None:
                failed = np.where(failed == 0, value.errors, failed)
        if failed.any():
            codes = failed[failed != 0]
            self.errors.add(codes, np.full(len(codes), diff, np.int64))
            kept = np.flatnonzero(failed == 0)
            rows, values = rows[kept], [value.take(kept) for value in values]
        leading, before = null_words(columns), null_words(self._columns)
        stored = self._rows.store.words[shown.slots[rows], : self._width]
        words = np.zeros((leading + columns, len(rows)), np.uint64)
        words[:before] = stored[:, :before].T
        words[leading : leading + self._columns] = stored[:, before:].T
        for column, value in enumerate(values, self._columns):
            words[leading + column] = value.words
            if value.nulls is not None:
                words[column >> 6] |= value.nulls.astype(np.uint64) << np.uint64(column & 63)
        return Batch(words, np.full(len(rows), diff, np.int64), columns)

    def publish(self) -> None:
        """Show readers the errors of this tick; its rows they read from an arrangement of the output."""
        self.errors.publish()

    def contents(self) -> Batch | None:
        """None: whoever reads the output arranges it."""
        return None

    def bytes_held(self) -> int:
        """Memory of partitions and rows."""
        return self._groups.bytes_held() + self._rows.bytes_held()

    def mark(self, marks: Marks) -> None:
        """Keep the rows' data, partition keys among them."""
        self._rows.mark(marks)
        self._calls.mark(marks)
        self.errors.mark(marks)
        leading = null_words(len(self._groups.key))
        for k, column in enumerate(self._groups.key.tolist()):
            if self._types[column].physical.on_heap:
                keys = self._groups.records[: self._groups.used, leading + k]
                marks.words(self._types[column].physical, keys)


class Shown:
    """Rows of some partitions in order, by slot, with the value of each call; partition p ends at bounds[p + 1]."""

    __slots__ = ("bounds", "slots", "values")

    def __init__(self, slots: Ids, bounds: Positions, values: list[Vector]) -> None:
        self.slots = slots
        self.bounds = bounds
        self.values = values


def differing(old: Shown, new: Shown) -> tuple[Positions, Positions]:
    """The positions in `old` and in `new` of rows that may have changed: all but those that stand, with equal values,
    as far from the beginning or from the end of their partition as before. O(rows)."""
    kept_old, kept_new = np.zeros(len(old.slots), np.bool_), np.zeros(len(new.slots), np.bool_)
    before, after = np.diff(old.bounds), np.diff(new.bounds)
    common = np.minimum(before, after)
    total = int(common.sum())
    if total:
        within = np.arange(total) - np.repeat(np.cumsum(common) - common, common)
        for first_old, first_new in (
            (old.bounds[:-1], new.bounds[:-1]),
            (old.bounds[1:] - common, new.bounds[1:] - common),
        ):
            a = np.repeat(first_old, common) + within
            b = np.repeat(first_new, common) + within
            free = (old.slots[a] == new.slots[b]) & ~kept_old[a] & ~kept_new[b]
            a, b = a[free], b[free]
            for x, y in zip(old.values, new.values, strict=True):
                same = equal(x, y, a, b)
                if not same.all():
                    a, b = a[same], b[same]
            kept_old[a] = True
            kept_new[b] = True
    return np.flatnonzero(~kept_old), np.flatnonzero(~kept_new)


def equal(x: Vector, y: Vector, a: Positions, b: Positions) -> NDArray[np.bool_]:
    """Whether datum a[i] of one vector is datum b[i] of the other: value, NULL or error."""
    same = x.words[a] == y.words[b]
    for left, right in ((x.nulls, y.nulls), (x.errors, y.errors)):
        if left is not None and right is not None:
            same &= left[a] == right[b]
        elif left is not None:
            same &= left[a] == 0
        elif right is not None:
            same &= right[b] == 0
    return same
