"""string_agg, jsonb_agg, array_agg, list_agg, and of keys that are there once map_agg and jsonb_object_agg: one datum
of the pieces of all rows of a group, in order.

Rule   the pieces (pieces.py) of the group's rows, by ORDER BY, then by content, so that the result is a function of the
       rows. What a change leaves alone is copied from the datum that was shown before, in runs of bytes.
State  the arguments and order columns of all rows in one B+tree over all groups (engine/collection/ordered.py), whose
       rows weigh what their pieces are long: so a row's place in the tree is its place in the datum. The code of each
       group's datum.
Cost   O(log n) a changed row, and the bytes of the results at memory speed, which are written whatever changed: 0.4 ns
       a byte. A group that is shown for the first time, after an error, or after so many changes at once that the
       tree was loaded anew, is put together from its rows: 0.2 us a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, Words
from engine.collection.groups import Ids
from engine.collection.heap import Heap, Marks
from engine.collection.ordered import OrderedRows
from engine.collection.wanted import ask
from engine.dataflow.graph import Aggregate
from engine.dataflow.operators.pieces import Column, Elements, Members, Pieces, Positions, Texts
from engine.expr.aggregate import KEEPS_NULL, KEYED, Kind
from engine.kernels.accumulate import TARGET, TARGET_BIT, TARGET_NULL
from engine.kernels.texts import splice_texts
from engine.types import SqlType

UNKNOWN: Final = -1
"""In place of the code of a datum."""


@dataclass(frozen=True, slots=True, eq=False)
class Edits:
    """What changes in some groups: edits bounds[i] .. bounds[i + 1] of group gids[i], in order.

    An edit puts row slots[e], counts[e] times (0: nothing), in the place of `places`, int64[2, n]: where the old bytes
    begin and how many they are. `more` is how many more pieces each group has, `codes` and `heads` are those of the old
    datum and of what its first piece lost.
    """

    gids: Ids
    bounds: Positions
    places: Positions
    slots: Ids
    counts: Positions
    more: Positions
    codes: Positions
    heads: Positions

    def known(self) -> "Edits":
        """Of the groups whose old datum is known."""
        return self.of(np.flatnonzero(self.codes != UNKNOWN))

    def of(self, groups: Positions) -> "Edits":
        """Of those groups, by their places here."""
        begins, sizes = self.bounds[groups], self.bounds[groups + 1] - self.bounds[groups]
        bounds = np.append(0, np.cumsum(sizes))
        edits = np.repeat(begins - bounds[:-1], sizes) + np.arange(bounds[-1])
        return Edits(
            self.gids[groups], bounds, np.ascontiguousarray(self.places[:, edits]), self.slots[edits],
            self.counts[edits], self.more[groups], self.codes[groups], self.heads[groups],
        )  # fmt: skip


class Spliced:
    """One such aggregate; `place` is the word of the groups' records that counts its entries."""

    def __init__(self, aggregate: Aggregate, input_types: Sequence[SqlType], place: int, heap: Heap) -> None:
        self._place = place
        self._heap = heap
        picked = list(dict.fromkeys([*aggregate.columns, *(o.column for o in aggregate.order)]))
        order = [(picked.index(o.column), o.descending, o.nulls_first) for o in aggregate.order]
        self._rows: Final = OrderedRows(picked, input_types, order, heap, weighed=True)
        self._arguments: Final = aggregate.columns
        self._picked: Final = [picked.index(c) for c in aggregate.columns]
        self._skips_null: Final = None if aggregate.kind in KEEPS_NULL else aggregate.columns[0]
        if aggregate.kind in (Kind.STRING_AGG, Kind.JSONB_AGG):
            self._pieces: Pieces = Texts(aggregate.kind is Kind.JSONB_AGG, heap)
        elif aggregate.kind in KEYED:
            self._pieces = Members(input_types[aggregate.columns[1]], aggregate.kind is Kind.MAP_AGG, heap)
        else:
            element = input_types[aggregate.columns[0]]
            self._pieces = Elements(element, aggregate.kind is Kind.ARRAY_AGG, heap)
        self._codes: Positions = np.full(0, UNKNOWN, np.int64)
        self._counts: Positions = np.zeros(0, np.int64)
        self._edits: Edits | None = None

    def add(self, batch: Batch, gids: Ids, records: Words) -> None:
        """Take a batch into the groups' rows."""
        words, diffs = batch.words, batch.diffs
        if self._skips_null is not None:
            nulls = null_bits(words, self._skips_null)
            if nulls.any():
                rows = np.flatnonzero(~nulls)
                words, diffs, gids = np.ascontiguousarray(words[:, rows]), diffs[rows], gids[rows]
        self._reserve(len(records))
        self._edits = None
        leading = len(words) - batch.columns
        columns = [(words[leading + c], null_bits(words, c)) for c in self._arguments]
        order = np.argsort(gids, kind="stable")
        coming = self._rows.coming(words, diffs, gids, self._pieces.sizes(columns)).take(order)
        touched = np.unique(coming.gids)
        if self._rows.bulk(len(diffs)):
            self._rows.load(coming, records, self._place)
        elif (self._codes[touched] != UNKNOWN).any():
            heads = self._heads(touched)
            before, old = self._rows.places(coming)
            self._rows.enter(coming, records, self._place)
            after, new = self._rows.places(coming)
            self._edits = self._edited(touched, coming.gids, before, old, after, new, heads)
        else:
            self._rows.enter(coming, records, self._place)
        self._codes[touched] = UNKNOWN
        self._rows.settle()

    def _reserve(self, capacity: int) -> None:
        """Room for so many groups."""
        if len(self._codes) < capacity:
            more = capacity - len(self._codes)
            self._codes = np.append(self._codes, np.full(more, UNKNOWN, np.int64))
            self._counts = np.append(self._counts, np.zeros(more, np.int64))

    def _edited(
        self, touched: Ids, gids: Ids, before: Positions, old: Ids, after: Positions, new: Ids, heads: Positions
    ) -> Edits:
        """The edits in the order of the rows they are of, each row once however often it came: what stands before a row
        tells, before and after, for a row that has no bytes in either is none."""
        keys = np.stack([new, old, before[0], after[0], gids])
        order = np.lexsort(keys)
        different = np.ones(len(order), np.bool_)
        different[1:] = (keys[:, order[1:]] != keys[:, order[:-1]]).any(axis=0)
        order = order[different & ((before[1] != 0) | (after[1] != 0))[order]]
        bounds = np.searchsorted(gids[order], np.append(touched, touched[-1] + 1))
        sums = np.append(0, np.cumsum(after[2, order] - before[2, order]))
        more = np.diff(sums[bounds])
        return Edits(
            touched, bounds, np.ascontiguousarray(before[:2, order]), new[order], after[2, order], more,
            self._codes[touched], heads,
        )  # fmt: skip

    def _heads(self, gids: Ids) -> Positions:
        """The code of what the first piece of each group loses, UNKNOWN of no rows."""
        slots, _, bounds = self._rows.walk(gids, 0, 1)
        found = np.full(len(gids), UNKNOWN, np.int64)
        found[np.diff(bounds) > 0] = self._pieces.heads(self._columns(slots)).view(np.int64)
        return found

    def _columns(self, slots: Ids) -> list[Column]:
        """The arguments of those rows."""
        store, leading = self._rows.store.words, self._rows.leading
        return [(store[slots, leading + c], null_bits(store[slots].T, c)) for c in self._picked]

    def show(self, rows: NDArray[np.int64], gids: Ids, result: NDArray[np.int64], shown: Words) -> None:
        """Put the results of groups `gids` into rows `rows` of `shown`."""
        self._reserve(int(gids.max(initial=-1)) + 1)
        heads, sizes = self._heads(gids), self._rows.weights(gids)
        empty, large = heads == UNKNOWN, sizes > self._pieces.bytes_max
        if large.any():
            message = f"54000 an aggregate of {int(sizes.max())} bytes; the limit is {self._pieces.bytes_max}"
            shown[rows[large], -1] = self._heap.intern(message.encode()) + 1
        shown[rows[empty], result[TARGET_NULL]] |= np.uint64(1 << int(result[TARGET_BIT]))
        there = ~empty & ~large
        waiting = there & (self._codes[gids] == UNKNOWN)
        if self._edits is not None:
            edits = self._edits.known()
            known = np.flatnonzero(waiting & np.isin(gids, edits.gids))
            waiting[known] = False
            self._make(edits.of(np.searchsorted(edits.gids, gids[known])), sizes[known], heads[known])
        fresh = np.flatnonzero(waiting)
        self._make(self._all(gids[fresh]), sizes[fresh], heads[fresh])
        shown[rows[there], result[TARGET]] = self._codes[gids[there]].view(np.uint64)

    def _all(self, gids: Ids) -> Edits:
        """All rows of those groups, in the place of nothing."""
        slots, counts, bounds = self._rows.walk(gids, 0, -1)
        totals = np.append(0, np.cumsum(counts))[bounds]
        nothing = np.full(len(gids), UNKNOWN, np.int64)
        self._counts[gids] = 0
        return Edits(
            gids, bounds, np.zeros((2, len(slots)), np.int64), slots, counts, np.diff(totals), nothing, nothing
        )

    def _make(self, edits: Edits, sizes: Positions, heads: Positions) -> None:
        """The data of those groups anew; `heads` are what their first pieces lose."""
        if len(edits.gids) == 0:
            return
        ask()
        pieces = np.zeros((2, len(edits.slots)), np.int64)
        come = np.flatnonzero(edits.counts)
        offsets, data = self._pieces.of(self._columns(edits.slots[come]))
        pieces[0, come], pieces[1, come] = offsets[:-1], offsets[1:]
        ask()
        view, front, back = self._heap.view(), self._pieces.front, self._pieces.back
        begins, out = splice_texts(
            edits.bounds, edits.places, edits.counts, pieces, sizes, data, edits.codes, edits.heads, front, back, *view
        )
        assert (begins >= 0).all(), "a datum is not the pieces of its group's rows"
        ends = begins + sizes + back
        begins = begins + view[1][heads].astype(np.int64) - front  # what the first piece loses is before its datum
        counts = self._counts[edits.gids] = self._counts[edits.gids] + edits.more
        self._pieces.close(out, begins, ends, counts)
        self._codes[edits.gids] = self._heap.intern_spans(begins, ends, out).view(np.int64)

    def bytes_held(self) -> int:
        """Memory of the rows; the data are the heap's."""
        return self._rows.bytes_held() + self._codes.nbytes + self._counts.nbytes

    def mark(self, marks: Marks) -> None:
        """Keep the rows' data, and those of the groups."""
        self._rows.mark(marks)
        marks.codes(self._pieces.codes())
        marks.codes(self._codes[self._codes != UNKNOWN].view(np.uint64))


def null_bits(words: Words, column: int) -> NDArray[np.bool_]:
    """Where a column is NULL, of words column by column."""
    return (words[column >> 6] & np.uint64(1 << (column & 63))) != 0
