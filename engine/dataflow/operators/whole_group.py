"""Aggregates that need all rows of a group at once: string_agg, array_agg, map_agg, jsonb_agg, bit_and...

Rule   the function of the group's rows in order (ORDER BY, then by content, so that the result is a function of the
rows).
State  the arguments and order columns of all rows, in one B+tree over all groups (engine/collection/ordered.py).
Cost   O(rows of the touched groups) a tick, as long as the results are: 0.2 us a row of string_agg and jsonb_agg, 0.7
       of the others; of FIRST, which reads one row, O(log n) a touched group. bit_and, mode, percentiles and sums
       of intervals, whose results are short, are recomputed all the same.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_, xor
from typing import Final

import numpy as np
import orjson
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
from engine.expr.aggregate import KEEPS_NULL, Kind
from engine.expr.arrays import stacked
from engine.expr.columns import pack, unpack
from engine.expr.evaluate import Context
from engine.expr.functions.comparable import raw_key
from engine.expr.functions.intervals import interval, shared
from engine.expr.percentiles import between, upon
from engine.expr.text_forms import RawValue
from engine.kernels.accumulate import TARGET, TARGET_BIT, TARGET_NULL
from engine.kernels.texts import join_texts
from engine.types import Nesting, SqlType

JOINED: Final = frozenset({Kind.STRING_AGG, Kind.JSONB_AGG})
"""Aggregates whose result is the values' bytes one after another; of JSONB_OBJECT_AGG they are sorted first, and the
others are of the raw values."""


class WholeGroup:
    """One such aggregate; `place` is the word of the groups' records that counts its entries.

    jsonb_agg and jsonb_object_agg take jsonb arguments (the binder casts; an SQL NULL is a JSON null).
    """

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
        slots, takes, bounds = self._rows.walk(gids, 0, 1 if self._kind is Kind.FIRST else -1)
        if self._kind in JOINED:
            codes, nulls = self._joined(slots, takes, bounds), np.diff(bounds) == 0
            shown[rows, result[TARGET]] = codes
            shown[rows[nulls], result[TARGET_NULL]] |= np.uint64(1 << int(result[TARGET_BIT]))
            return
        of_texts = self._kind is Kind.JSONB_OBJECT_AGG
        columns = [
            self._column(c, slots) if of_texts else self._raws(c, kind, slots)
            for c, kind in zip(self._arguments, self._types, strict=True)
        ]
        for i, row in enumerate(rows.tolist()):
            ask()
            begin, end = int(bounds[i]), int(bounds[i + 1])
            if begin == end:
                shown[row, result[TARGET_NULL]] |= np.uint64(1 << int(result[TARGET_BIT]))
                continue
            counts = takes[begin:end].tolist()
            values = [column[begin:end] for column in columns]
            try:
                if of_texts:
                    word = self._heap.intern(object_text(*values))
                else:
                    value = whole_value(self._kind, values, counts, self._types[-1])
                    if value is None:
                        shown[row, result[TARGET_NULL]] |= np.uint64(1 << int(result[TARGET_BIT]))
                        continue
                    word = pack([value], self._result, Context(self._heap))[0]
            except DataError as error:
                shown[row, -1] = self._heap.intern(f"{error.sqlstate} {error.message}".encode()) + 1
                continue
            shown[row, result[TARGET]] = word

    def _joined(self, slots: Ids, takes: NDArray[np.int64], bounds: NDArray[np.int64]) -> Words:
        """The texts of string_agg or jsonb_agg, no text of no rows."""
        values, no_value = self._words(self._arguments[0], slots)
        comma, null = (np.uint64(self._heap.intern(text)) for text in (b",", b"null"))
        separators = np.full(len(slots), comma)
        of_items = self._kind is Kind.JSONB_AGG
        if not of_items:
            separators[:] = 0
            for c in self._arguments[1:]:
                words, no_separator = self._words(c, slots)
                separators = np.where(no_separator, np.uint64(0), words)
        view = self._heap.view()
        offsets, text = join_texts(bounds, takes, values, no_value, separators, null, int(of_items), *view)
        if of_items:
            text[offsets[:-1]], text[offsets[1:] - 1] = ord("["), ord("]")
        return self._heap.intern_spans(offsets[:-1], offsets[1:], text, (np.diff(bounds) == 0).view(np.uint8))

    def _words(self, c: int, slots: Ids) -> tuple[Words, NDArray[np.bool_]]:
        """The words of one column of those rows, and where it is NULL."""
        store = self._rows.store.words
        return store[slots, self._rows.leading + c], (store[slots, c >> 6] & np.uint64(1 << (c & 63))) != 0

    def _column(self, c: int, slots: Ids) -> list[bytes | None]:
        """One column of those rows."""
        words, nulls = self._words(c, slots)
        data = self._heap.decode(words).to_pylist()
        return [None if null else datum for datum, null in zip(data, nulls.tolist(), strict=True)]

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


def whole_value(kind: Kind, values: list[list[RawValue]], counts: list[int], element: SqlType) -> RawValue:
    """The result over some rows' raw values, and how often each row counts; DataError where there is none."""
    match kind:
        case Kind.MAP_AGG:
            return {key: value for key, value in zip(values[0], values[1], strict=True) if key is not None}
        case Kind.FIRST:
            return values[0][0]
        case Kind.BIT_AND:
            return reduce(and_, values[0])
        case Kind.BIT_OR:
            return reduce(or_, values[0])
        case Kind.BIT_XOR:
            return reduce(xor, (value for value, count in zip(values[0], counts, strict=True) if count % 2), 0)
        case Kind.MODE:
            return _mode(values[0], counts, raw_key(element))
        case Kind.PERCENTILE_CONT | Kind.PERCENTILE_DISC:
            at = between if kind is Kind.PERCENTILE_CONT else upon
            fraction = values[1][0]
            if isinstance(fraction, nested.Array):
                return nested.Array(fraction.dims, tuple(at(values[0], counts, part) for part in fraction.items))
            return at(values[0], counts, fraction)
        case Kind.INTERVAL_SUM | Kind.INTERVAL_AVG:
            return _interval(values[0], counts, mean=kind is Kind.INTERVAL_AVG)
        case _:
            items = [value for value, count in zip(values[0], counts, strict=True) for _ in range(count)]
            if kind is Kind.LIST_AGG:
                return items
            return stacked(items) if element.nesting is Nesting.ARRAY else nested.Array.of(items)


def _mode(values: list[RawValue], counts: list[int], key: Callable[[RawValue], RawValue]) -> RawValue:
    """The most frequent of values in order, the first if there are several; those that SQL takes for equal count as
    the first of them."""
    found: list[RawValue] = []
    last: RawValue = None
    tallies: list[int] = []
    for value, count in zip(values, counts, strict=True):
        by = key(value)
        if tallies and by == last:
            tallies[-1] += count
        else:
            last = by
            found.append(value)
            tallies.append(count)
    return found[tallies.index(max(tallies))]


def _interval(spans: list[Interval], counts: list[int], *, mean: bool) -> Interval:
    """The sum field by field, or what of it falls to each."""
    pairs = list(zip(spans, counts, strict=True))
    months = sum(span.months * count for span, count in pairs)
    days = sum(span.days * count for span, count in pairs)
    micros = sum(span.microseconds * count for span, count in pairs)
    return shared(months, days, micros, sum(counts)) if mean else interval(months, days, micros)


def object_text(keys: list[bytes | None], values: list[bytes | None]) -> bytes:
    """jsonb_object_agg over some rows: of the values of a key the last."""
    members = {key or b"": value or b"null" for key, value in zip(keys, values, strict=True)}
    return b"{" + b",".join(orjson.dumps(key.decode()) + b":" + members[key] for key in sorted(members)) + b"}"
