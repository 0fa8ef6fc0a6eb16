"""What all rows of a partition up to a row come to, kept for every row: where a running window takes up again. And what
all rows from a row on come to.

Law    A row's state is that of a frame from the beginning of its partition to the row itself (the last of its copies).
       So the row before a region stands for all that is before the region: its number, its group of peers, and for each
       call whose frame begins with the partition a sum (a record of accumulators) or one datum (min, max, first_value;
       of nth_value also how many rows there are, up to n). The same from the end: of a frame from the row (the first of
       its copies) to the end of its partition, for calls whose frame ends with the partition.
State  by the row's slot: two words, two more for a datum, a record for each frame with sums.
Cost   O(rows of the regions) a tick.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Words
from engine.collection.groups import Ids
from engine.collection.heap import Heap, Marks
from engine.collection.vector import Vector
from engine.dataflow.graph import Aggregate
from engine.dataflow.operators.accumulators import Accumulators
from engine.dataflow.operators.window_frames import Carried
from engine.expr.aggregate import ACCUMULABLE
from engine.expr.aggregate import Kind as AggregateKind
from engine.expr.window import Frame, Kind, WindowCall, reach_of
from engine.types import SqlType

Positions = NDArray[np.int64]
Sums: TypeAlias = tuple[Frame, int | None]
"""Calls that add up share their sums if they share their frame and FILTER."""
NUMBER, PEERS, DATA = 0, 1, 2
ONE: Final = np.uint64(1)
PUT_ROWS: Final = 1 << 16
"""Some milliseconds of copying."""


def running(call: WindowCall, on: bool) -> bool:
    """Whether the call has a state of all rows so far (`on`), or of all from here on."""
    reach = reach_of((call,))
    return call.framed and reach is not None and (reach.before if on else reach.behind)


class RunningSums:
    """The sums of some calls, a record a slot. `kept` has the units of the records, and what is beside them."""

    def __init__(self, calls: Sequence[WindowCall], row: Sequence[SqlType], heap: Heap) -> None:
        self.kept: Final = accumulators(calls, row, heap)
        self.records: Words = np.zeros((0, 2 + self.kept.extra), np.uint64)

    def lend(self, sums: Accumulators, records: Words, carried: Carried) -> None:
        """Have `sums` count in the units of what is kept, and `records` have what is kept of the rows carried."""
        sums.follow(self.kept, records, 0)
        records[carried.at] = self.records[carried.slots]
        sums.copy_asides(self.kept, carried.slots, carried.at)

    def keep(self, state: "SumStates", rows: Positions, slots: Ids, capacity: int) -> None:
        """Keep those rows of a new state by their slots."""
        self.records = grown(self.records, capacity)
        self.kept.follow(state.sums, self.records, len(self.records))
        put(self.records, slots, state.records, rows)
        self.kept.copy_asides(state.sums, rows + state.first, slots)


class SumStates:
    """Records of sums by row; `sums` has what is beside record i at first + i."""

    def __init__(self, sums: Accumulators, records: Words, first: int) -> None:
        self.sums: Final = sums
        self.records: Final = records
        self.first: Final = first


class States:
    """The states of the rows of one evaluation."""

    def __init__(self, words: Words, sums: dict[Sums, SumStates]) -> None:
        self.words: Final = words
        self.sums: Final = sums


class Running:
    """The states by slot: of what runs `on` from the beginning, or back from the end."""

    def __init__(self, calls: Sequence[WindowCall], row: Sequence[SqlType], heap: Heap, on: bool) -> None:
        self.on: Final = on
        members: dict[Sums, list[WindowCall]] = {}
        self._places: Final[dict[WindowCall, int]] = {}
        self._types: Final[dict[int, SqlType]] = {}
        for call in calls:
            if not running(call, on):
                continue
            if call.kind in ACCUMULABLE:
                members.setdefault((call.frame, call.filter), []).append(call)
            elif call not in self._places:
                place = self._places[call] = DATA + 2 * len(self._places)
                self._types[place + 1] = row[call.columns[0]]
        self.sums: Final = {key: RunningSums(of, row, heap) for key, of in members.items()}
        self.width: Final = DATA + 2 * len(self._places)
        kinds = {call.kind for call in calls}
        read = [NUMBER] * (not kinds.isdisjoint((Kind.ROW_NUMBER, Kind.RANK))) + [PEERS] * (Kind.DENSE_RANK in kinds)
        self._read: Final = [*(read if on else ()), *range(DATA, self.width)]
        self.words: Words = np.zeros((0, self.width), np.uint64)

    def place(self, call: WindowCall) -> int | None:
        """Where a state has the call's datum, before it whether it is NULL (and of NTH_VALUE, doubled, how many rows
        there are, up to its number); None: it has none."""
        return self._places.get(call)

    def before(self, carried: Carried, place: int) -> Positions:
        """One number of the rows that stand for those before."""
        return self.words[carried.slots, place].view(np.int64)

    def replaced(self, call: WindowCall, vector: Vector, carried: Carried) -> Vector:
        """The call's column, with what is kept of the rows carried in their place."""
        place = self.place(call)
        if len(carried) == 0 or place is None:
            return vector
        words = vector.words.copy()
        nulls = np.zeros(len(words), np.bool_) if vector.nulls is None else vector.nulls.copy()
        words[carried.at] = self.words[carried.slots, place + 1]
        nulls[carried.at] = self.words[carried.slots, place] & ONE != 0
        return Vector(words, nulls)

    def agrees(self, states: States, rows: Positions, slots: Ids) -> NDArray[np.bool_]:
        """Whether those rows have the state that is kept of them: then so have all behind them."""
        same = np.ones(len(rows), np.bool_)
        for place in self._read:  # what no call reads may be stale
            same &= states.words[rows, place] == self.words[slots, place]
        for key, sums in self.sums.items():
            new = states.sums[key]
            if new.sums.beside or sums.kept.beside or not new.sums.in_units_of(sums.kept):
                return np.zeros(len(rows), np.bool_)
            same &= (new.records[rows] == sums.records[slots]).all(axis=1)
        return same

    def keep(self, states: States, rows: Positions, slots: Ids, capacity: int) -> None:
        """Keep the states of those rows; `capacity`: all slots are below it."""
        self.words = grown(self.words, capacity)
        put(self.words, slots, states.words, rows)
        for key, sums in self.sums.items():
            sums.keep(states.sums[key], rows, slots, capacity)

    def bytes_held(self) -> int:
        """Memory of the states."""
        return self.words.nbytes + sum(sums.records.nbytes for sums in self.sums.values())

    def mark(self, marks: Marks) -> None:
        """Keep the data of min, max and first_value: also of slots whose row went, which nobody reads any more."""
        for place, column_type in self._types.items():
            if column_type.physical.on_heap:
                marks.words(column_type.physical, np.ascontiguousarray(self.words[:, place]))


def accumulators(calls: Sequence[WindowCall], row: Sequence[SqlType], heap: Heap) -> Accumulators:
    """Accumulators of calls that add up; a record begins with the count of its rows and a spare word."""
    aggregates: list[Aggregate] = []
    for call in calls:
        assert isinstance(call.kind, AggregateKind)
        aggregates.append(Aggregate(call.kind, call.columns, call.type))
    return Accumulators(aggregates, row, 0, 2, False, heap)


def put(records: Words, slots: Ids, given: Words, rows: Positions) -> None:
    """records[slots] = given[rows], some at a time: numpy holds the interpreter's lock meanwhile, and others wait."""
    for start in range(0, len(slots), PUT_ROWS):
        part = slice(start, start + PUT_ROWS)
        records[slots[part]] = given[rows[part]]


def grown(words: Words, capacity: int) -> Words:
    """The rows of `words`, then zeros up to `capacity` rows."""
    if len(words) >= capacity:
        return words
    larger = np.zeros((capacity, words.shape[1]), np.uint64)
    larger[: len(words)] = words
    return larger
