"""Aggregates that look at each key of a group first: mode, map_agg, jsonb_object_agg.

Rule   of each key of a group one row counts: of a map's or an object's key the last in order, of a value that mode sees
       the first with how often it is there. What the rows that count come to is then another aggregate's: the first of
       them (whole_group.py), most frequent first, or their pieces in the order of keys (spliced.py).
State  the rows by (group, key) in one B+tree (engine/collection/ordered.py); what the second aggregate has of the rows
       that count, one for each key.
Cost   O(log n) a changed row, and for maps and objects the bytes of the results at memory speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.batch import Batch, Words, null_words
from engine.collection.groups import GroupTable, Ids
from engine.collection.heap import Heap, Marks
from engine.collection.ordered import Direction, OrderedRows
from engine.collection.vector import Vector
from engine.dataflow.graph import Aggregate, Order
from engine.dataflow.operators.spliced import Spliced, null_bits
from engine.dataflow.operators.whole_group import WholeGroup
from engine.expr.aggregate import KEYED, Kind, spliced
from engine.types import SqlType

GID: Final = 0
"""The column of the group in rows by (group, key)."""


class Keyed:
    """One such aggregate; `place` is the word of the groups' records that counts the entries of the second one."""

    def __init__(self, aggregate: Aggregate, input_types: Sequence[SqlType], place: int, heap: Heap) -> None:
        self._counted: Final = aggregate.kind is Kind.MODE
        self._skips_null: Final = aggregate.columns[0]
        self._picked: Final = list(dict.fromkeys([*aggregate.columns, *(o.column for o in aggregate.order)]))
        self._row: Final = (types.BIGINT, *(input_types[c] for c in self._picked))
        at = {column: 1 + i for i, column in enumerate(self._picked)}
        if self._counted:
            (by,) = aggregate.order
            key, self._shown = at[by.column], (at[aggregate.columns[0]], at[by.column])
            order: list[Direction] = []
            ranked = (Order(2, descending=True), replace(by, column=1))
            second = Aggregate(Kind.FIRST, (0,), aggregate.type, ranked)
        else:
            key, self._shown = at[aggregate.columns[0]], (at[aggregate.columns[0]], at[aggregate.columns[1]])
            order = [(at[o.column], not o.descending, not o.nulls_first) for o in aggregate.order]
            ordered = {column for column, _, _ in order}
            order += [(c, True, True) for c in range(1, len(self._row)) if c not in ordered]
            second = Aggregate(aggregate.kind, (0, 1), aggregate.type, (Order(0),))
        self._keys: Final = GroupTable((GID, key), len(self._row), 1)
        self._rows: Final = OrderedRows(range(len(self._row)), self._row, order, heap)
        of_second = [*(self._row[c] for c in self._shown), types.BIGINT]
        made = WholeGroup if self._counted else Spliced
        self._second: Final[WholeGroup | Spliced] = made(second, of_second, place, heap)

    def add(self, batch: Batch, gids: Ids, records: Words) -> None:
        """Take a batch into the groups' rows."""
        nulls = batch.vector(self._skips_null).nulls
        kept = np.arange(len(batch)) if nulls is None else np.flatnonzero(~nulls)
        group = Vector(gids[kept].astype(np.uint64))
        inner = Batch.from_vectors([group, *(batch.vector(c).take(kept) for c in self._picked)], batch.diffs[kept])
        keys, touched = self._keys.assign(inner)
        touched = touched.copy()
        before, old = self._counting(touched)
        self._rows.add(inner, None, keys, self._keys.records, self._keys.key_width + 2)
        after, new = self._counting(touched)
        other = before != after
        if self._counted:
            other |= old.counts != new.counts
        gone, come = old.of(other & (before >= 0)), new.of(other & (after >= 0))
        change = Batch.concat([gone.batch(-1), come.batch(1)])
        self._second.add(change, np.concatenate([gone.gids, come.gids]), records)
        self._rows.settle()
        self._keys.settle(touched)

    def _counting(self, keys: Ids) -> "tuple[NDArray[np.int32], Counting]":
        """The slot of the row that counts of each key, -1 where there is none, and those rows."""
        slots, _, bounds = self._rows.walk(keys, 0, 1)
        there = np.diff(bounds) > 0
        found = np.full(len(keys), -1, np.int32)
        found[there] = slots
        store, leading = self._rows.store.words, self._rows.leading
        columns = [Vector(store[found, leading + c], null_bits(store[found].T, c)) for c in self._shown]
        weights = self._rows.weights(keys) if self._counted else np.zeros(len(keys), np.int64)
        return found, Counting(store[found, leading + GID].astype(np.int32), columns, weights)

    def show(self, rows: NDArray[np.int64], gids: Ids, result: NDArray[np.int64], shown: Words) -> None:
        """Put the results of groups `gids` into rows `rows` of `shown`."""
        self._second.show(rows, gids, result, shown)

    def bytes_held(self) -> int:
        """Memory of the keys, the rows, and those that count."""
        return self._keys.bytes_held() + self._rows.bytes_held() + self._second.bytes_held()

    def mark(self, marks: Marks) -> None:
        """Keep the rows' data, keys among them."""
        self._rows.mark(marks)
        self._second.mark(marks)
        kind = self._row[int(self._keys.key[1])]
        if kind.physical.on_heap:
            marks.words(kind.physical, self._keys.records[: self._keys.used, null_words(2) + 1])


@dataclass(frozen=True, slots=True, eq=False)
class Counting:
    """The row that counts of some keys, as columns; its group, and how many rows the key has."""

    gids: Ids
    columns: Sequence[Vector]
    counts: NDArray[np.int64]

    def of(self, keys: NDArray[np.bool_]) -> "Counting":
        """Those of them."""
        at = np.flatnonzero(keys)
        return Counting(self.gids[at], [column.take(at) for column in self.columns], self.counts[at])

    def batch(self, diff: int) -> Batch:
        """The rows, with the count, as changes."""
        counts = Vector(self.counts.view(np.uint64))
        return Batch.from_vectors([*self.columns, counts], np.full(len(self.gids), diff, np.int64))


def in_order(
    aggregate: Aggregate, input_types: Sequence[SqlType], place: int, heap: Heap
) -> "Keyed | Spliced | WholeGroup":
    """What keeps an aggregate that needs the rows of its group in order."""
    if aggregate.kind in KEYED:
        return Keyed(aggregate, input_types, place, heap)
    made = Spliced if spliced(aggregate.kind, input_types[aggregate.columns[0]]) else WholeGroup
    return made(aggregate, input_types, place, heap)
