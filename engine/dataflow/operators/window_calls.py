"""The values of window functions over rows that stand in their order: vectorised, no loop over rows.

Rankings come from positions; lag, lead and the value functions pick a position and gather; aggregates that add up are
differences of exact running sums, so any frame costs the same; min and max look ranges up in a tree of least values.
Aggregates of whole groups (string_agg) are put together for each distinct frame.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, Words, null_words
from engine.collection.heap import Heap, Marks
from engine.collection.vector import Vector
from engine.dataflow.operators.accumulators import Accumulators
from engine.dataflow.operators.window_frames import Carried, Partitions, Positions, Ranges
from engine.dataflow.operators.window_running import (
    NUMBER,
    PEERS,
    Running,
    States,
    Sums,
    SumStates,
    accumulators,
)
from engine.dataflow.operators.window_values import null_of, of_frames, order_of, whole
from engine.expr.aggregate import EXTREME, WHOLE_GROUP
from engine.expr.aggregate import Kind as AggregateKind
from engine.expr.window import OFFSETS, RANKINGS, Frame, Kind, WindowCall
from engine.kernels.accumulate import show_groups
from engine.kernels.frames import least_in_frames, run_sums, sum_frames
from engine.types import SqlType

Mask = NDArray[np.bool_]
NONE: Final = np.iinfo(np.int64).max


class WindowCalls:
    """The calls of one Window. `row` are the types of the columns that they read; `directions` (descending, NULLs
    first) of the ordering columns."""

    def __init__(
        self,
        calls: Sequence[WindowCall],
        row: Sequence[SqlType],
        directions: Mapping[int, tuple[bool, bool]],
        heap: Heap,
    ) -> None:
        self.calls: Final = calls
        self.count: Final = len(calls)
        self.row: Final = row
        self.directions: Final = directions
        self.heap: Final = heap
        self.few_tiles: Final = np.uint64(heap.intern(b"22014 argument of ntile must be greater than zero"))
        self.few_values: Final = np.uint64(heap.intern(b"22016 argument of nth_value must be greater than zero"))
        self._errors: Final = Accumulators((), row, 0, 2, False, heap).errors

    def mark(self, marks: Marks) -> None:
        """Keep the texts of errors."""
        marks.codes(np.array([self.few_tiles, self.few_values], np.uint64))
        marks.codes(self._errors)

    def values(
        self, rows: Partitions, columns: Sequence[Vector], running: Sequence[Running] = ()
    ) -> tuple[list[Vector], list[States]]:
        """The value of each call for each row, and of each in `running` their states. `columns` are those of the
        rows."""
        evaluation = _Evaluation(self, rows, columns, running)
        return evaluation.all(), [evaluation.states(each) for each in running]


class _Evaluation:
    """One evaluation: frames are computed once for all calls that share them."""

    def __init__(
        self, owner: WindowCalls, rows: Partitions, columns: Sequence[Vector], running: Sequence[Running]
    ) -> None:
        self._of = owner
        self._rows = rows
        self._columns = columns
        self._frames: dict[Frame, Ranges] = {}
        self._running = running
        self._sum_states: dict[Running, dict[Sums, SumStates]] = {each: {} for each in running}

    def _carried(self, running: Running) -> Carried:
        """The rows that stand for what a state is of."""
        return self._rows.carried[0 if running.on else 1]

    def _of_state(self, running: Running) -> Ranges:
        """The frames of states: from the beginning to the row, or from the row to the end."""
        rows = self._rows
        return (rows.begin[None], rows.at[None] + 1) if running.on else (rows.at[None], rows.end[None])

    def all(self) -> list[Vector]:
        done: list[Vector | None] = [None] * self._of.count
        sums: dict[tuple[Frame, int | None], list[int]] = {}
        for i, call in enumerate(self._of.calls):
            kind = call.kind
            if isinstance(kind, AggregateKind):
                if kind in EXTREME:
                    done[i] = self._extreme(call, self._ranges(call.frame))
                elif kind in WHOLE_GROUP:
                    counted, ranges = self._counted(call.filter), self._ranges(call.frame)
                    done[i] = of_frames(call, kind, ranges, counted, self._columns, self._of.row, self._of.heap)
                else:
                    sums.setdefault((call.frame, call.filter), []).append(i)
            elif kind in RANKINGS:
                done[i] = self._ranking(call, kind)
            elif kind in OFFSETS:
                done[i] = self._offset(call, -1 if kind is Kind.LAG else 1)
            else:
                done[i] = self._value(call, self._ranges(call.frame))
        calls = self._of.calls
        for (frame, _), members in sums.items():
            found = self._sums(frame, [calls[i] for i in members])
            for i, vector in zip(members, found, strict=True):
                done[i] = vector
        return [vector for vector in done if vector is not None]

    def states(self, running: Running) -> States:
        """The state of each row."""
        rows, ranges = self._rows, self._of_state(running)
        words = np.zeros((rows.n, running.width), np.uint64)
        if running.on:
            words[:, NUMBER] = rows.at - rows.begin + 1 + self._before(NUMBER)
            words[:, PEERS] = rows.group - rows.group[rows.begin] + 1 + self._before(PEERS)
        for call in self._of.calls:
            place = running.place(call)
            if place is not None:
                datum = self._extreme(call, ranges) if call.kind in EXTREME else self._value(call, ranges)
                words[:, place] = null_of(datum)
                words[:, place + 1] = np.where(null_of(datum), np.uint64(0), datum.words)
                if call.number is not None:
                    seen = self._picking(call, ranges)[1].sum(axis=0) + self._more(call)
                    words[:, place] += np.minimum(seen, max(0, call.number)).astype(np.uint64) << np.uint64(1)
        return States(words, self._sum_states[running])

    def _before(self, place: int) -> Positions:
        """What to add to the count of a row's partition here: a row that stands for others counts as all of them."""
        more = np.zeros(self._rows.partitions, np.int64)
        for running in self._running:
            carried = self._carried(running)
            if running.on:
                more[self._rows.number[carried.at]] = running.before(carried, place) - 1
        return more[self._rows.number]

    def _integers(self, column: int) -> tuple[Positions, Mask]:
        """An integer column and where it is NULL."""
        vector = self._columns[column]
        return vector.words.view(np.int64), null_of(vector)

    def _picked(self, vector: Vector, at: Positions, missing: Mask) -> Vector:
        """The datum at each of those positions, NULL where it is missing."""
        safe = np.where(missing, 0, at)
        nulls = missing | null_of(vector)[safe]
        return Vector(np.where(missing, np.uint64(0), vector.words[safe]), nulls)

    # Rankings.

    def _ranking(self, call: WindowCall, kind: Kind) -> Vector:
        rows = self._rows
        number = rows.at - rows.begin
        match kind:
            case Kind.ROW_NUMBER:
                return whole(number + 1 + self._before(NUMBER))
            case Kind.RANK:
                return whole(rows.peers_begin - rows.begin + 1 + self._before(NUMBER))
            case Kind.DENSE_RANK:
                return whole(rows.group - rows.group[rows.begin] + 1 + self._before(PEERS))
            case Kind.PERCENT_RANK:
                others = rows.end - rows.begin - 1
                return real((rows.peers_begin - rows.begin) / np.maximum(others, 1))
            case Kind.CUME_DIST:
                return real((rows.peers_end - rows.begin) / (rows.end - rows.begin))
            case _:
                assert kind is Kind.NTILE
                return self._ntile(call.columns[0], number)

    def _ntile(self, column: int, number: Positions) -> Vector:
        """Tiles of a partition as even as can be, the larger ones first; its first row says how many."""
        rows = self._rows
        tiles, absent = self._integers(column)
        tiles, absent = tiles[rows.begin], absent[rows.begin]
        bad = ~absent & (tiles <= 0)
        tiles = np.where(absent | bad, 1, tiles)
        size, larger = np.divmod(rows.end - rows.begin, tiles)
        border = larger * (size + 1)
        tile = np.where(number < border, number // (size + 1), larger + (number - border) // np.maximum(size, 1))
        none = absent | bad
        few = self._of.few_tiles
        return Vector(np.where(none, 0, tile + 1).view(np.uint64), absent, np.where(bad, few, np.uint64(0)))

    # Values of other rows.

    def _offset(self, call: WindowCall, way: int) -> Vector:
        rows = self._rows
        value, fallback = self._columns[call.columns[0]], self._columns[call.columns[2]]
        by, absent = self._integers(call.columns[1])
        by = np.clip(by, -rows.n - 1, rows.n + 1) * way
        if call.ignore_nulls:
            there = np.flatnonzero(~null_of(value))
            count = np.zeros(rows.n + 1, np.int64)
            np.cumsum(~null_of(value), out=count[1:])
            # Row i stands among the non-NULL rows before its own place if it is NULL, at it if it is not.
            place = np.where(by > 0, count[1:] + by - 1, count[:-1] + by)
            inside = (place >= count[rows.begin]) & (place < count[rows.end])
            at = there[np.clip(place, 0, len(there) - 1)] if len(there) else rows.at
            at, inside = np.where(by == 0, rows.at, at), inside | (by == 0)
        else:
            at = rows.at + by
            inside = (at >= rows.begin) & (at < rows.end)
        found = self._picked(value, at, ~inside)
        words = np.where(inside, found.words, fallback.words)
        nulls = np.where(inside, null_of(found), null_of(fallback)) | absent
        return Vector(np.where(nulls, np.uint64(0), words), nulls)

    def _picking(self, call: WindowCall, ranges: Ranges) -> tuple[Positions, Positions, Positions | None]:
        """Where the pieces of each row's frame begin, how many rows each has that the call can pick, and which rows
        these are: the positions count them (None: all)."""
        begin, end = ranges
        value, there = self._replaced(call), None
        if call.ignore_nulls:
            there = np.flatnonzero(~null_of(value))
            count = np.zeros(self._rows.n + 1, np.int64)
            np.cumsum(~null_of(value), out=count[1:])
            begin, end = count[begin], count[end]
        return begin, end - begin, there

    def _value(self, call: WindowCall, ranges: Ranges) -> Vector:
        """The value of the first, last or n-th row of the frame."""
        kind = call.kind
        value = self._replaced(call)
        begin, sizes, there = self._picking(call, ranges)
        total = sizes.sum(axis=0)
        errors: Words | None = None
        if kind is Kind.FIRST_VALUE:
            nth = np.zeros(self._rows.n, np.int64)
            missing = total == 0
        elif kind is Kind.LAST_VALUE:
            nth = total - 1
            missing = total == 0
        else:
            number, absent = self._number(call)
            bad = ~absent & (number <= 0)
            few = self._of.few_values
            errors = np.where(bad, few, np.uint64(0))
            more = self._more(call)
            missing = absent | bad | (number > total + more)
            nth = np.where(missing, 0, number - 1 - more)
        at = np.zeros(self._rows.n, np.int64)
        left = nth
        for piece in range(len(begin)):
            here = (left >= 0) & (left < sizes[piece])
            at = np.where(here, begin[piece] + left, at)
            left = np.where(here, -1, left - sizes[piece])
        if there is not None:
            at = there[np.where(missing, 0, at)] if len(there) else at
        found = self._picked(value, at, missing)
        return Vector(found.words, found.nulls, errors)

    def _more(self, call: WindowCall) -> Positions:
        """By how many rows the frames of NTH_VALUE are larger, up to its number, than what stands for them: a row that
        it can pick has the n-th datum if there are n."""
        more = np.zeros(self._rows.partitions, np.int64)
        for running in self._running:
            place, carried = running.place(call), self._carried(running)
            if place is not None and call.number is not None:
                itself = ~null_of(self._replaced(call))[carried.at] if call.ignore_nulls else 1
                more[self._rows.number[carried.at]] = (running.before(carried, place) >> 1) - itself
        return more[self._rows.number]

    def _number(self, call: WindowCall) -> tuple[Positions, Mask]:
        """The n of NTH_VALUE, and where it is NULL."""
        if call.number is None:
            return self._integers(call.columns[1])
        return np.full(self._rows.n, call.number), np.zeros(self._rows.n, np.bool_)

    def _replaced(self, call: WindowCall) -> Vector:
        """The column of a call that has one datum of all rows so far, or from here on."""
        vector = self._columns[call.columns[0]]
        for running in self._running:
            vector = running.replaced(call, vector, self._carried(running))
        return vector

    # Aggregates.

    def _ranges(self, frame: Frame) -> Ranges:
        found = self._frames.get(frame)
        if found is None:
            found = self._frames[frame] = self._rows.frames(frame, self._places)
        return found

    def _counted(self, condition: int | None) -> Mask:
        """The rows that FILTER lets through."""
        if condition is None:
            return np.ones(self._rows.n, np.bool_)
        return self._columns[condition].words != 0

    def _sums(self, frame: Frame, calls: Sequence[WindowCall]) -> list[Vector]:
        """Aggregates that add up, of one frame and one FILTER. O(rows) each, whatever the frame."""
        n = self._rows.n
        sums = accumulators(calls, self._of.row, self._of.heap)
        records = np.zeros((n, 2 + sums.extra), np.uint64)
        counts = self._counted(calls[0].filter)
        key = (frame, calls[0].filter)
        kept = [(running, running.sums[key]) for running in self._running if key in running.sums]
        for running, lent in kept:
            carried = self._carried(running)
            lent.lend(sums, records, carried)
            counts[carried.at] = False
        counted = np.flatnonzero(counts)
        records[counted, 0] = 1
        if len(sums.program) and len(counted):
            batch = Batch.from_vectors(
                [vector.take(counted) for vector in self._columns], np.ones(len(counted), np.int64)
            )
            sums.add(batch, counted.astype(np.int32), records, n)
        wanted = [tuple(np.ascontiguousarray(part) for part in self._ranges(frame))]
        firsts: list[int] = []
        for running, _ in kept:
            of_state = self._of_state(running)
            if len(wanted) > 1 or not all(map(np.array_equal, wanted[0], of_state)):
                wanted.append(of_state)
            firsts.append((len(wanted) - 1) * n)
        numbers = sums.runs()
        if len(wanted) == 1 and kept and kept[0][0].on:
            begin, end = wanted[0]
            framed = run_sums(records, numbers, begin[0])
        else:
            pieces = max(len(begin) for begin, _ in wanted)
            begin, end = (
                np.hstack([np.pad(ranges[side], ((0, pieces - len(ranges[side])), (0, 0))) for ranges in wanted])
                for side in (0, 1)
            )
            framed = sum_frames(records, numbers, begin, end)
        sums.frame_asides(begin, end)
        for (running, _), first in zip(kept, firsts, strict=True):
            self._sum_states[running][key] = SumStates(sums, framed[first : first + n], first)
        framed = framed[:n]
        leading = null_words(len(calls))
        shown = np.empty((n, leading + len(calls) + 1), np.uint64)
        later = np.empty((len(calls), n), np.uint8)
        everyone = np.arange(n, dtype=np.int32)
        if show_groups(framed, everyone, 0, len(calls), sums.results, sums.errors, shown, later):
            for a in range(len(calls)):
                left = np.flatnonzero((later[a] != 0) & (shown[:, -1] == 1))
                if len(left):
                    sums.show_later(a, left, everyone[left], framed, shown)
        status = shown[:, -1]
        errors = np.where(status > 1, status - np.uint64(1), np.uint64(0))
        found: list[Vector] = []
        for a, call in enumerate(calls):
            words = np.ascontiguousarray(shown[:, leading + a])
            nulls = (shown[:, a >> 6] & np.uint64(1 << (a & 63))) != 0
            if call.nullable:
                nulls |= status == 0
            found.append(Vector(words, nulls, errors))
        return found

    def _extreme(self, call: WindowCall, ranges: Ranges) -> Vector:
        """min or max: the least place in the order of the values."""
        vector, largest, counts = self._replaced(call), call.kind is AggregateKind.MAX, self._counted(call.filter)
        for running in self._running:
            if running.place(call) is not None:
                counts[self._carried(running).at] = True
        words, (places,) = order_of([vector], self._of.row[call.columns[0]].physical, self._of.heap)
        wanted = len(words) - 1 - places if largest else places
        wanted = np.where(null_of(vector) | ~counts, NONE, wanted)
        begin, end = (np.ascontiguousarray(part) for part in ranges)
        least = least_in_frames(np.ascontiguousarray(wanted), begin, end)
        nulls = least == NONE
        place = np.where(nulls, -1, len(words) - 1 - least if largest else least)
        return Vector(np.append(words, np.uint64(0))[place], nulls)

    def _places(self, frame: Frame) -> tuple[Positions, Positions, Positions]:
        """The places of the ordering column and of the bounds of RANGE, ascending along each partition."""
        key = frame.columns()[0]
        moved = {bound.offset for bound in (frame.start, frame.end)} & set(frame.columns()[1:])
        columns = [key, *sorted(moved)]
        physical = self._of.row[key].physical
        words, places = order_of([self._columns[column] for column in columns], physical, self._of.heap)
        descending, nulls_first = next(iter(self._of.directions.values()))
        found: dict[int, Positions] = {}
        for column, place in zip(columns, places, strict=True):
            along = len(words) - place if descending else place + 1
            beyond = 0 if nulls_first else len(words) + 1
            found[column] = np.where(null_of(self._columns[column]), beyond, along)
        return found[key], found.get(frame.start.offset, found[key]), found.get(frame.end.offset, found[key])


def real(numbers: NDArray[np.float64]) -> Vector:
    """double precision values."""
    return Vector(np.ascontiguousarray(numbers).view(np.uint64))
