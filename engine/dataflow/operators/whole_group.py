"""Aggregates that look at the rows of a group: first_value, percentiles, sums of intervals, arrays of arrays.

Rule   the function of the group's rows in order (ORDER BY, then by content, so that the result is a function of the
rows).
State  the arguments and order columns of all rows, in one B+tree over all groups (engine/collection/ordered.py).
Cost   Of first_value and of percentiles O(log n) a touched group, which have their rows by place. Of the others O(rows
       of the touched groups) a tick, some 0.5 us each. What string_agg and its like come to is spliced.py's.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection import nested
from engine.collection.batch import Batch, Words
from engine.collection.groups import Ids
from engine.collection.heap import Heap, Marks
from engine.collection.ordered import OrderedRows
from engine.collection.value import Interval
from engine.collection.wanted import ask
from engine.dataflow.graph import Aggregate
from engine.errors import DataError
from engine.expr.aggregate import KEEPS_NULL, PERCENTILES, Kind
from engine.expr.arrays import stacked
from engine.expr.columns import pack, unpack
from engine.expr.evaluate import Context
from engine.expr.functions.intervals import interval, shared
from engine.expr.percentiles import between, on_the_way, upon
from engine.expr.text_forms import RawValue
from engine.kernels.accumulate import TARGET, TARGET_BIT, TARGET_NULL
from engine.types import SqlType


class WholeGroup:
    """One such aggregate; `place` is the word of the groups' records that counts its entries."""

    def __init__(self, aggregate: Aggregate, input_types: Sequence[SqlType], place: int, heap: Heap) -> None:
        self._kind = aggregate.kind
        self._place = place
        self._heap = heap
        picked = list(dict.fromkeys([*aggregate.columns, *(o.column for o in aggregate.order)]))
        order = [(picked.index(o.column), o.descending, o.nulls_first) for o in aggregate.order]
        self._rows: Final = OrderedRows(picked, input_types, order, heap)
        self._arguments: Final = [picked.index(c) for c in aggregate.columns]
        self._types: Final = [input_types[c] for c in aggregate.columns]
        self._result: Final = aggregate.type
        first = aggregate.columns[0]
        self._skips_null: Final = None if self._kind in KEEPS_NULL else first

    def add(self, batch: Batch, gids: Ids, records: Words) -> None:
        """Take a batch into the groups' rows."""
        rows = None
        if self._skips_null is not None:
            bits = batch.words[self._skips_null >> 6] & np.uint64(1 << (self._skips_null & 63))
            if bits.any():
                rows = np.flatnonzero(bits == 0)
        self._rows.add(batch, rows, gids, records, self._place)
        self._rows.settle()

    def show(self, rows: NDArray[np.int64], gids: Ids, result: NDArray[np.int64], shown: Words) -> None:
        """Put the results of groups `gids` into rows `rows` of `shown`."""
        if self._kind in PERCENTILES:
            found = self._percentiles(gids)
        else:
            found = self._values(gids)
        for row, value in zip(rows.tolist(), found, strict=True):
            if isinstance(value, DataError):
                shown[row, -1] = self._heap.intern(f"{value.sqlstate} {value.message}".encode()) + 1
            elif value is None:
                shown[row, result[TARGET_NULL]] |= np.uint64(1 << int(result[TARGET_BIT]))
            else:
                shown[row, result[TARGET]] = value

    def _word(self, value: RawValue) -> np.uint64 | None:
        """The word of a result, None of a NULL."""
        return None if value is None else pack([value], self._result, Context(self._heap))[0]

    def _values(self, gids: Ids) -> Iterator[np.uint64 | int | DataError | None]:
        """The result of each group by its rows, None of no rows."""
        slots, takes, bounds = self._rows.walk(gids, 0, 1 if self._kind is Kind.FIRST else -1)
        columns = [self._raws(c, kind, slots) for c, kind in zip(self._arguments, self._types, strict=True)]
        for begin, end in pairwise(bounds.tolist()):
            ask()
            if begin == end:
                yield None
                continue
            values = [column[begin:end] for column in columns]
            try:
                yield self._word(whole_value(self._kind, values, takes[begin:end].tolist()))
            except DataError as error:
                yield error

    def _percentiles(self, gids: Ids) -> Iterator[np.uint64 | DataError | None]:
        """The result of each group by the rows at the places that its fractions ask for, None of no rows."""
        totals = self._rows.weights(gids).tolist()
        slots, _, bounds = self._rows.walk(gids, 0, 1)
        fractions = self._raws(self._arguments[1], self._types[1], slots)
        at = between if self._kind is Kind.PERCENTILE_CONT else upon
        asked: list[Asked | DataError | None] = []
        places: list[tuple[int, int]] = []
        for gid, total, first in zip(gids.tolist(), totals, bounds.tolist(), strict=False):
            if total == 0:
                asked.append(None)
                continue
            try:
                one = Asked(fractions[first], total, at, len(places))
            except DataError as error:
                asked.append(error)
                continue
            asked.append(one)
            places += [(gid, row) for row in one.rows]
        ask()
        groups, before = np.array(places, np.int64).reshape(-1, 2).T
        found = self._rows.at(groups.astype(np.int32), np.ascontiguousarray(before))
        values = self._raws(self._arguments[0], self._types[0], found)
        for one in asked:
            try:
                yield self._word(one.answer(values)) if isinstance(one, Asked) else one
            except DataError as error:
                yield error

    def _words(self, c: int, slots: Ids) -> tuple[Words, NDArray[np.bool_]]:
        """The words of one column of those rows, and where it is NULL."""
        store = self._rows.store.words
        return store[slots, self._rows.leading + c], (store[slots, c >> 6] & np.uint64(1 << (c & 63))) != 0

    def _raws(self, c: int, kind: SqlType, slots: Ids) -> list[RawValue]:
        """One column of those rows, as raw values."""
        words, nulls = self._words(c, slots)
        values: list[RawValue] = [None] * len(nulls)
        rows = np.flatnonzero(~nulls)
        for row, value in zip(rows.tolist(), unpack(words[rows], kind, Context(self._heap)), strict=True):
            values[row] = value
        return values

    def bytes_held(self) -> int:
        """Memory of the rows."""
        return self._rows.bytes_held()

    def mark(self, marks: Marks) -> None:
        """Keep the rows' data."""
        self._rows.mark(marks)


class Asked:
    """What percentiles of one group ask for: `rows` by their places, whose values begin at `begin`."""

    def __init__(
        self, fractions: RawValue, total: int, at: Callable[[float, int], tuple[int, int, float]], begin: int
    ) -> None:
        self._dims = fractions.dims if isinstance(fractions, nested.Array) else None
        each = fractions.items if isinstance(fractions, nested.Array) else (fractions,)
        self._ways = [None if fraction is None else at(fraction, total) for fraction in each]
        self.rows: Final = [row for way in self._ways if way is not None for row in way[:2]]
        self._begin = begin

    def answer(self, values: Sequence[RawValue]) -> RawValue:
        """The percentile, or an array of them; `values` are those of all groups' rows."""
        found: list[RawValue] = []
        at = self._begin
        for way in self._ways:
            if way is None:
                found.append(None)
            else:
                found.append(on_the_way(values[at], values[at + 1], way[2]))
                at += 2
        return found[0] if self._dims is None else nested.Array(self._dims, tuple(found))


def whole_value(kind: Kind, values: list[list[RawValue]], counts: list[int]) -> RawValue:
    """The result over some rows' raw values, and how often each row counts; DataError where there is none."""
    match kind:
        case Kind.FIRST:
            return values[0][0]
        case Kind.INTERVAL_SUM | Kind.INTERVAL_AVG:
            return _interval(values[0], counts, mean=kind is Kind.INTERVAL_AVG)
        case _:
            assert kind is Kind.ARRAY_AGG, "the others are spliced.py's"
            return stacked([value for value, count in zip(values[0], counts, strict=True) for _ in range(count)])


def _interval(spans: list[Interval], counts: list[int], *, mean: bool) -> Interval:
    """The sum field by field, or what of it falls to each."""
    pairs = list(zip(spans, counts, strict=True))
    months = sum(span.months * count for span, count in pairs)
    days = sum(span.days * count for span, count in pairs)
    micros = sum(span.microseconds * count for span, count in pairs)
    return shared(months, days, micros, sum(counts)) if mean else interval(months, days, micros)
