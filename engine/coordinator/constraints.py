"""PRIMARY KEY and UNIQUE: a write that would break one is refused before its tick.

Rule   a write may raise the number of rows with a key from 0 to 1, never beyond; a key with a NULL in it is free. What
       counts is the write's sum, so an UPDATE may swap two keys.
State  none of its own: each key is an index of the table, which look-ups and joins share. Keys are told apart as SQL
       compares them: 0 and -0 are one, and so are '1 month' and '30 days'.
Cost   O(rows written) probes, some 20 µs for one row and key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

import numpy as np

from engine.catalog.items import Index, KeyExpression, Table, UniqueKey
from engine.collection.batch import Batch, null_words
from engine.collection.heap import Heap
from engine.coordinator.result import Result
from engine.dataflow.circuit import Circuit
from engine.dataflow.reading import with_key
from engine.errors import SqlError, UniqueViolation
from engine.expr.evaluate import Context, evaluate
from engine.expr.scalar import Ref, Scalar
from engine.sql.binding.keys import as_key
from engine.types import Column


def indexes_of(table: Table) -> tuple[Index, ...]:
    """The index of each of the table's constraints. Where equal values of a column may be different words, its index
    computes what they are compared by. Two keys on the same columns share one arrangement."""
    return tuple(_index(table, key, table.id + n) for n, key in enumerate(table.keys, 1))


def _index(table: Table, key: UniqueKey, id: int) -> Index:
    width, place, computed = len(table.columns), list[int](), list[KeyExpression]()
    for at in sorted(key.columns):
        column = table.columns[at]
        ref = Ref(at, column.type, column.nullable)
        compared = as_key(ref)
        place.append(at if compared is ref else width + len(computed))
        if compared is not ref:
            computed.append(KeyExpression(cast("Scalar", compared), column.name))
    name = replace(table.name, item=key.name)
    return Index(id, name, table.id, tuple(place), "", True, table.history_ms, tuple(computed))


def indexed(rows: Batch, index: Index, heap: Heap) -> Batch:
    """A table's rows as the index has them: what it computes stands behind. With the heap pinned or under the tick
    lock."""
    if not index.expressions:
        return rows
    context, columns = Context(heap), rows.vectors()
    computed = [evaluate(each.scalar, columns, len(rows), context) for each in index.expressions]
    return Batch.from_vectors([*columns, *computed], rows.diffs)


class Constraints:
    """The keys of every table that has some, and their check. Under the tick lock."""

    def __init__(self, circuit: Circuit, heap: Heap) -> None:
        self._circuit: Final = circuit
        self._heap: Final = heap
        self._keys: Final[dict[int, tuple[tuple[UniqueKey, Index], ...]]] = {}
        self._columns: Final[dict[int, tuple[Column, ...]]] = {}

    def keep(self, table: Table) -> None:
        """The table has these keys from here on."""
        if table.keys:
            self._keys[table.id] = tuple(zip(table.keys, indexes_of(table), strict=True))
            self._columns[table.id] = table.columns

    def index(self, id: int, columns: tuple[int, ...]) -> Index:
        """The index of the table's constraint on these columns, in ascending order."""
        return next(index for key, index in self._keys[id] if tuple(sorted(key.columns)) == columns)

    def forget(self, id: int) -> None:
        """The table is dropped."""
        self._keys.pop(id, None)
        self._columns.pop(id, None)

    def bind(self, ids: Sequence[int]) -> bool:
        """Whether a write to one of these tables has to be checked against all that was written before."""
        return not self._keys.keys().isdisjoint(ids)

    def violation(self, deltas: Mapping[int, Batch]) -> SqlError | None:
        """The error of a write against the published contents."""
        for id in self._keys.keys() & deltas.keys():
            for key, index in self._keys[id]:
                error = self._broken(key, index, deltas[id])
                if error is not None:
                    return error
        return None

    def _broken(self, key: UniqueKey, index: Index, delta: Batch) -> SqlError | None:
        delta, by, collection = indexed(delta, index, self._heap), index.key, index.collection
        change = Batch(delta.key_words(by), delta.diffs, len(by)).consolidate()
        full = ~change.words[: null_words(len(by))].any(axis=0)
        added = change.take((change.diffs > 0) & full)
        if not len(added):
            return None
        there = self._circuit.present(collection, by, added.words) if self._circuit.has(collection) else False
        taken = (added.diffs > 1) | there
        if not taken.any():
            return None
        rows = with_key(delta.take(delta.diffs > 0), by, added.take(taken.nonzero()[0][:1]).words)
        columns = self._columns[index.on]
        first = rows.take(np.arange(len(rows)) == len(rows) - 1).project(range(len(columns)))
        texts = [column[0].as_py() for column in Result("", columns, batch=first, heap=self._heap).text()]
        return UniqueViolation(
            f'duplicate key value violates unique constraint "{key.name}"',
            detail=f"Key ({', '.join(columns[c].name for c in key.columns)})="
            f"({', '.join(texts[c] for c in key.columns)}) already exists.",
        )
