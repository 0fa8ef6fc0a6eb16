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
from engine.dataflow.operators.window_frames import Partitions, Positions, Ranges
from engine.dataflow.operators.window_running import (
    NUMBER,
    PEERS,
    Running,
    States,
    Sums,
    SumStates,
    accumulators,
    running,
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
        self, rows: Partitions, columns: Sequence[Vector], running: Running | None = None
    ) -> tuple[list[Vector], States | None]:
        """The value of each call for each row, and with `running` their states. `columns` are those of the rows."""
        evaluation = _Evaluation(self, rows, columns, running)
        return evaluation.all(), evaluation.states()


class _Evaluation:
    """One evaluation: frames are computed once for all calls that share them."""

    def __init__(
        self, owner: WindowCalls, rows: Partitions, columns: Sequence[Vector], running: Running | None
    ) -> None:
        self._of = owner
        self._rows = rows
        self._columns = columns
        self._frames: dict[Frame, Ranges] = {}
        self._running = running
        self._sum_states: dict[Sums, SumStates] = {}
        self._so_far = rows.begin[None], rows.at[None] + 1
        """The frames of states: from the beginning to the row."""

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

    def states(self) -> States | None:
        """The state of each row."""
        if self._running is None:
            return None
        rows, running = self._rows, self._running
        words = np.zeros((rows.n, running.width), np.uint64)
        words[:, NUMBER] = rows.at - rows.begin + 1 + self._before(NUMBER)
        words[:, PEERS] = rows.group - rows.group[rows.begin] + 1 + self._before(PEERS)
        for call in self._of.calls:
            place = running.place(call)
            if place is not None:
                datum = self._extreme(call, self._so_far) if call.kind in EXTREME else self._value(call, self._so_far)
                words[:, place] = null_of(datum)
                words[:, place + 1] = np.where(null_of(datum), np.uint64(0), datum.words)
        return States(words, self._sum_states)

    def _before(self, place: int) -> Positions:
        """What to add to the count of a row's partition here: a row that stands for others counts as all of them."""
        carried = self._rows.carried
        more = np.zeros(self._rows.partitions, np.int64)
        if carried is not None and self._running is not None:
            more[self._rows.number[carried.at]] = self._running.before(carried, place) - 1
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

    def _value(self, call: WindowCall, ranges: Ranges) -> Vector:
        """The value of the first, last or n-th row of the frame."""
        kind, (begin, end) = call.kind, ranges
        value = self._replaced(call)
        there: Positions | None = None
        if call.ignore_nulls:
            there = np.flatnonzero(~null_of(value))
            count = np.zeros(self._rows.n + 1, np.int64)
            np.cumsum(~null_of(value), out=count[1:])
            begin, end = count[begin], count[end]
        sizes = end - begin
        total = sizes.sum(axis=0)
        errors: Words | None = None
        if kind is Kind.FIRST_VALUE:
            nth = np.zeros(self._rows.n, np.int64)
            missing = total == 0
        elif kind is Kind.LAST_VALUE:
            nth = total - 1
            missing = total == 0
        else:
            number, absent = self._integers(call.columns[1])
            bad = ~absent & (number <= 0)
            few = self._of.few_values
            errors = np.where(bad, few, np.uint64(0))
            missing = absent | bad | (number > total)
            nth = np.where(missing, 0, number - 1)
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

    def _replaced(self, call: WindowCall) -> Vector:
        """The column of a call that has one datum of all rows so far."""
        vector = self._columns[call.columns[0]]
        return vector if self._running is None else self._running.replaced(call, vector, self._rows.carried)

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
        n, carried = self._rows.n, self._rows.carried
        sums = accumulators(calls, self._of.row, self._of.heap)
        records = np.zeros((n, 2 + sums.extra), np.uint64)
        counts = self._counted(calls[0].filter)
        key = (frame, calls[0].filter)
        kept = None if self._running is None else self._running.sums.get(key)
        if kept is not None:
            kept.lend(sums, records, carried)
            if carried is not None:
                counts[carried.at] = False
        counted = np.flatnonzero(counts)
        records[counted, 0] = 1
        if len(sums.program) and len(counted):
            batch = Batch.from_vectors(
                [vector.take(counted) for vector in self._columns], np.ones(len(counted), np.int64)
            )
            sums.add(batch, counted.astype(np.int32), records, n)
        begin, end = (np.ascontiguousarray(part) for part in self._ranges(frame))
        so_far = np.array_equal(begin, self._so_far[0]) and np.array_equal(end, self._so_far[1])
        if kept is not None and not so_far:
            begin, end = (
                np.hstack([part, np.pad(run, ((0, len(part) - 1), (0, 0)))])
                for part, run in zip((begin, end), self._so_far, strict=True)
            )
        numbers = sums.runs()
        framed = run_sums(records, numbers, begin[0]) if so_far else sum_frames(records, numbers, begin, end)
        sums.frame_asides(begin, end)
        if kept is not None:
            first = 0 if so_far else n
            self._sum_states[key] = SumStates(sums, framed[first:], first)
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
        if self._rows.carried is not None and running(call):
            counts[self._rows.carried.at] = True
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
