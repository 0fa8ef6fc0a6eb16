"""Each row with what window functions say of it among the rows of its partition.

Rule   out = -(rows that a change can reach with their values before) +(those after), what is in both left out.
       Order within a partition is ORDER BY, then the whole row's content, so the same rows always give the same
       result; a row of multiplicity m stands m times. A row of which a function fails (ntile(0), a sum beyond its type)
       has an error instead, and heals with its cause.
State  all rows by (partition, order) in one B+tree (engine/collection/ordered.py); no results. With calls that run from
       the beginning or the end of the partition, what they come to at each row (window_running.py).
Cost   By how far the calls look (engine/expr/window.py, Reach), O(log n) a changed row and then, twice, before and
       after:
       neighbours: the rows so near to a change. lag, lead and frames of ROWS or GROUPS with bounds on both sides: by
       number; RANGE with offsets: by value; lag and lead that IGNORE NULLS: up to the last of so many that are none;
       running (row_number, rank, frames from UNBOUNDED PRECEDING): the rows from the first change of a partition to
       its last, and on to where what runs is what it was (of a sum or a row number mostly the end of the partition; of
       min, max, first_value, nth_value and last_value IGNORE NULLS the next row that settles it), at most 16 times as
       far;
       running back (frames to UNBOUNDED FOLLOWING): the same in the opposite direction;
       both ways (a frame of the whole partition with EXCLUDE, or calls of either kind): the same on both sides, so that
       a row that is not the greatest touches no other of max(x) over all but the row itself;
       anything else, which EXPLAIN calls "touched partitions": all their rows. percent_rank and cume_dist are other
       values there anyway; string_agg and its like over frames without a bound have data as long as the partition;
       ntile, and nth_value whose n is a column, recompute more than changes.
       An aggregate of a whole partition never comes here: engine/plan/lowering/windows.py makes it a reduction. Nor do
       more rows than a limit on row_number() asks for: engine/plan/rules/ranking.py.
From   Leis et al., "Efficient processing of window functions in analytical SQL queries", VLDB 2015.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, null_words
from engine.collection.groups import GroupTable, Ids
from engine.collection.heap import Heap, Marks
from engine.collection.ordered import Direction, OrderedRows, Reaching
from engine.collection.vector import Vector
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.graph import Window
from engine.dataflow.operators.window_calls import WindowCalls
from engine.dataflow.operators.window_frames import NONE, Carried, Partitions
from engine.dataflow.operators.window_running import Running, States
from engine.expr.window import Reach, reach_of
from engine.kernels.ordered_regions import RUNS_BACK, RUNS_ON
from engine.types import SqlType

Positions = NDArray[np.int64]
FAR: Final = 1 << 40
"""More rows than a partition has."""
STRETCH_MIN, STRETCH_TIMES = 32, 16
"""A walk over 32 rows costs no more than what is done around it; and of all tries the last is nearly the whole cost."""


COMPARED: Final = (5, 4)
"""Which number of a region says where what runs back is compared, and what runs on."""


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
        directions = {at[c]: (descending, first) for c, descending, first in order}
        calls = [call.moved(at) for call in node.calls]
        row = [input_types[column] for column in self._read]
        self._calls: Final = WindowCalls(calls, row, directions, heap)
        self._reach: Final = reach_of(node.calls)
        reach = self._reach or Reach()
        sides = [on for on in (True, False) if (reach.before if on else reach.behind)]
        self._running: Final = [Running(calls, row, heap, on) for on in sides]
        self._runs: Final = RUNS_ON * reach.before | RUNS_BACK * reach.behind
        self._looking: Final = Looking(reach, input_types, order)

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        """The change of the rows within reach."""
        batch = deltas[0].consolidate()
        gids, touched = self._groups.assign(batch)
        touched = touched.copy()
        self._looking.see(batch)
        if self._reach is None or self._rows.bulk(len(batch)):
            old, new = self._whole(batch, gids, touched)
        else:
            old, new = self._around(batch, gids)
        gone, come = differing(old, new)
        parts = [self._emitted(old, gone, -1), self._emitted(new, come, 1)]
        self._rows.settle()
        self._groups.settle(touched)
        return Batch.concat(parts).consolidate()

    def _whole(self, batch: Batch, gids: Ids, touched: Ids) -> "tuple[Shown, Shown]":
        """The touched partitions before and after."""
        slots, takes, bounds = self._rows.walk(touched, 0, -1)
        old, _, _ = self._shown(slots, takes, bounds)
        self._rows.add(batch, None, gids, self._groups.records, self._place)
        slots, takes, bounds = self._rows.walk(touched, 0, -1)
        new, states, ends = self._shown(slots, takes, bounds)
        self._keep(states, takes, ends, slots)
        return old, new

    def _around(self, batch: Batch, gids: Ids) -> "tuple[Shown, Shown]":
        """The rows that the changes can reach, before and after. How far from a change what runs is another is not
        known: ever longer stretches are tried, until it is what it was."""
        order = np.argsort(gids, kind="stable")
        rows, records = self._rows, self._groups.records
        coming = rows.coming(np.ascontiguousarray(batch.words[:, order]), batch.diffs[order], gids[order])
        rows.enter(coming.take(coming.diffs > 0), records, self._place)
        reaching = self._looking.reaching()
        stretch = np.zeros((2, len(order)), np.int64)
        while True:
            slots, counts, regions, inside = rows.regions(coming, reaching, self._runs, stretch)
            bounds = np.append(regions[0], len(slots))
            carried = [regions[0][inside[0] != 0], regions[1][inside[1] != 0] - 1]
            for side, bit in enumerate((RUNS_ON, RUNS_BACK)):
                if not self._runs & bit:
                    carried[side] = carried[side][:0]
            new, states, ends = self._shown(slots, counts[1], bounds, carried)
            another = False
            for running, state in zip(self._running, states, strict=False):  # of no rows no states
                side = int(running.on)
                going_on = inside[side] != 0
                entries = regions[COMPARED[side]][going_on]
                rows_at = ends[entries] if running.on else ends[entries] - counts[1, entries] + 1
                other = ~running.agrees(state, rows_at, slots[entries])
                changes = regions[6][going_on][other]
                stretch[side, changes] = np.maximum(STRETCH_MIN, STRETCH_TIMES * stretch[side, changes])
                another |= bool(other.any())
            if not another:
                break
        old, _, _ = self._shown(slots, counts[0], bounds, carried)
        self._keep(states, counts[1], ends, slots, carried)
        zones = regions[2:4]
        old, new = old.within(zones, counts[0]), new.within(zones, counts[1])
        rows.enter(coming.take(coming.diffs < 0), records, self._place)
        return old, new

    def _keep(
        self, states: list[States], takes: Positions, ends: Positions, slots: Ids, carried: Sequence[Positions] = ()
    ) -> None:
        """Keep the states of those slots' rows, of each the last at `ends` (-1: it has none). Entries `carried` have
        none of their own where they stand for others: what runs on at those behind, what runs back at those before."""
        for running, state in zip(self._running, states, strict=False):  # of no rows no states
            there = ends >= 0
            if carried:
                there[carried[1 if running.on else 0]] = False
            rows = ends[there] if running.on else ends[there] - takes[there] + 1
            running.keep(state, rows, slots[there], len(self._rows.store.words))

    def _shown(
        self, slots: Ids, takes: Positions, bounds: Positions, carried: Sequence[Positions] = ()
    ) -> "tuple[Shown, list[States], Positions]":
        """Rows in order, slots[i] takes[i] times, and the values of the calls; then their states, and the last row of
        each slot (-1: it is taken 0 times). Entries carried[0] stand for all rows of their partition before them,
        carried[1] for all behind."""
        ends = np.zeros(len(slots) + 1, np.int64)
        np.cumsum(takes, out=ends[1:])
        lasts = np.where(takes > 0, ends[1:] - 1, -1)
        standing = [Carried(ends[entries], slots[entries]) for entries in carried] or [NONE, NONE]
        bounds = ends[bounds]
        if len(slots) != bounds[-1] or not takes.all():
            slots = np.repeat(slots, takes)
        stored, leading = self._rows.store.words, null_words(self._columns)
        vectors = [
            Vector(
                stored[slots, leading + column],
                (stored[slots, column >> 6] & np.uint64(1 << (column & 63))) != 0,
            )
            for column in self._read
        ]
        if len(slots) == 0:
            return Shown(slots, bounds, []), [], lasts
        partitions = Partitions(bounds, [vectors[column] for column in self._order], standing)
        values, states = self._calls.values(partitions, vectors, self._running)
        return Shown(slots, bounds, values), states, lasts

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

    def rows(self) -> int:
        return 0

    def bytes_held(self) -> int:
        """Memory of partitions and rows."""
        running = sum(running.bytes_held() for running in self._running)
        return self._groups.bytes_held() + self._rows.bytes_held() + running

    def mark(self, marks: Marks) -> None:
        """Keep the rows' data, partition keys among them."""
        self._rows.mark(marks)
        self._calls.mark(marks)
        for running in self._running:
            running.mark(marks)
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

    def within(self, zones: Positions, takes: Positions) -> "Shown":
        """The rows of entries zones[0, r] .. zones[1, r] of each partition r; entry i is takes[i] rows."""
        ends = np.zeros(len(takes) + 1, np.int64)
        np.cumsum(takes, out=ends[1:])
        begin, end = ends[zones[0]], ends[zones[1]]
        sizes = end - begin
        bounds = np.zeros(len(sizes) + 1, np.int64)
        np.cumsum(sizes, out=bounds[1:])
        rows = np.repeat(begin - bounds[:-1], sizes) + np.arange(bounds[-1])
        return Shown(self.slots[rows], bounds, [value.take(rows) for value in self.values])


class Looking:
    """How far the rows of a partition look. Offsets of LAG and LEAD, for which the plan has no bound, are remembered by
    the farthest that ever came, by column."""

    def __init__(self, reach: Reach, row: Sequence[SqlType], order: Sequence[Direction]) -> None:
        self._reach = reach
        self._peers = len(order) if reach.peers else -1
        self._nulls = nulls = null_words(len(row))
        columns = {column for column, _ in reach.offsets} | {column for _, column, _ in reach.skips}
        self._least = dict.fromkeys(columns, 0)
        self._most = dict.fromkeys(columns, 0)

        def at(column: int) -> tuple[int, int, int]:
            return nulls + column, column >> 6, column & 63

        _, descending, nulls_first = order[0] if order else (0, False, False)
        spans = [
            (*at(key), *at(bound), ahead, int(row[key].physical), descending, nulls_first)
            for key, bound, ahead in reach.spans
        ]
        self._spans = np.array(spans, np.int64).reshape(-1, 10)

    def see(self, batch: Batch) -> None:
        """Offsets that come; of those that went nothing is forgotten."""
        for column in self._least:
            numbers = batch.words[self._nulls + column].view(np.int64)
            self._least[column] = max(min(self._least[column], int(numbers.min(initial=0))), -FAR)
            self._most[column] = min(max(self._most[column], int(numbers.max(initial=0))), FAR)

    def _rows(self, offset: int, ahead: bool) -> tuple[int, int]:
        """How many rows back and ahead the offsets of a column look, those of LEAD if `ahead`."""
        least, most = -self._least[offset], self._most[offset]
        return (least, most) if ahead else (most, least)

    def reaching(self) -> Reaching:
        """As far as is known by now."""
        near = [self._rows(offset, ahead) for offset, ahead in self._reach.offsets]
        back = max([self._reach.back, *(rows for rows, _ in near)])
        ahead = max([self._reach.ahead, *(rows for _, rows in near)])
        skips = [(value >> 6, value & 63, *self._rows(offset, ahead)) for value, offset, ahead in self._reach.skips]
        return Reaching(back, ahead, self._peers, self._spans, np.array(skips, np.int64).reshape(-1, 4))


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
