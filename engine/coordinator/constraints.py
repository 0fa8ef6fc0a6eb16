"""PRIMARY KEY and UNIQUE: a write that would break one is refused before its tick.

Rule   a write may raise the number of rows with a key from 0 to 1, never beyond; a key with a NULL in it is free. What
       counts is the write's sum, so an UPDATE may swap two keys.
State  none of its own: each key is an index of the table, which look-ups and joins share.
Cost   O(rows written) probes, some 20 µs for one row and key.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from engine.catalog.items import UniqueKey
from engine.collection.batch import Batch, null_words
from engine.collection.heap import Heap
from engine.coordinator.result import Result
from engine.dataflow.circuit import Circuit
from engine.errors import SqlError, UniqueViolation
from engine.types import Column


def by(key: UniqueKey) -> tuple[int, ...]:
    """The columns that the key's index is arranged by: two keys on the same columns share one."""
    return tuple(sorted(key.columns))


class Constraints:
    """The keys of every table that has some, and their check. Under the tick lock."""

    def __init__(self, circuit: Circuit, heap: Heap) -> None:
        self._circuit: Final = circuit
        self._heap: Final = heap
        self._keys: Final[dict[int, tuple[UniqueKey, ...]]] = {}
        self._columns: Final[dict[int, tuple[Column, ...]]] = {}

    def keep(self, id: int, columns: tuple[Column, ...], keys: tuple[UniqueKey, ...]) -> None:
        """Table `id` has these keys from here on."""
        if keys:
            self._keys[id], self._columns[id] = keys, columns

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
            for key in self._keys[id]:
                error = self._broken(id, key, deltas[id])
                if error is not None:
                    return error
        return None

    def _broken(self, id: int, key: UniqueKey, delta: Batch) -> SqlError | None:
        columns = by(key)
        change = Batch(delta.key_words(columns), delta.diffs, len(columns)).consolidate()
        full = ~change.words[: null_words(len(columns))].any(axis=0)
        added = change.take((change.diffs > 0) & full)
        if not len(added):
            return None
        there = self._circuit.present(id, columns, added.words) if self._circuit.has(id) else False
        taken = (added.diffs > 1) | there
        if not taken.any():
            return None
        first = Batch(added.words, np.ones(len(added), np.int64), len(columns)).take(taken.nonzero()[0][:1])
        names = [self._columns[id][c] for c in columns]
        texts = [column[0].as_py() for column in Result("", tuple(names), batch=first, heap=self._heap).text()]
        shown = {column: text for column, text in zip(columns, texts, strict=True)}
        return UniqueViolation(
            f'duplicate key value violates unique constraint "{key.name}"',
            detail=f"Key ({', '.join(self._columns[id][c].name for c in key.columns)})="
            f"({', '.join(shown[c] for c in key.columns)}) already exists.",
        )
