"""Changes of one time, told by key: what a subscriber holds that keeps one row a key; or told in an order.

Rule   of a key's changes at one time: a row that comes where one goes is an upsert, one that comes alone an insert, one
       that goes alone a delete. Anything else means that the key is none: key_violation.
Cost   O(n) of the changes; no state: what was there before the time is what goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.catalog.items import ByKey
from engine.collection.batch import Batch
from engine.collection.groups import GroupTable
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.collection.words import vector_of
from engine.coordinator.finishing import sort
from engine.dataflow.graph import Order
from engine.types import Column, SqlType


class KeyState(Enum):
    """What became of a key. For the envelope UPSERT an insert is an upsert."""

    INSERT = "insert"
    UPSERT = "upsert"
    DELETE = "delete"
    KEY_VIOLATION = "key_violation"


@dataclass(frozen=True, slots=True, eq=False)
class Keyed:
    """One entry a key: how many rows come and go; and as row numbers of the batch some row with the key, the row that
    goes, the one that comes (-1: none, and for a violation neither)."""

    come: NDArray[np.int64]
    go: NDArray[np.int64]
    rows: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]

    @property
    def states(self) -> list[KeyState]:
        """What became of each."""
        return [_state(come, go) for come, go in zip(self.come.tolist(), self.go.tolist(), strict=True)]


def keyed(batch: Batch, key: Sequence[int]) -> Keyed:
    """The changes of a consolidated batch by key, in the order of each key's first row. O(n)."""
    n = len(batch)
    group, _ = GroupTable(key, batch.columns, 0).assign(batch)  # ids in the order of first rows: nothing was freed
    groups = int(group.max(initial=-1)) + 1
    first = np.empty(groups, np.int64)
    first[group[::-1]] = np.arange(n - 1, -1, -1)
    come, go = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    before, after = np.full(groups, -1, np.int64), np.full(groups, -1, np.int64)
    plus, minus = np.flatnonzero(batch.diffs > 0), np.flatnonzero(batch.diffs < 0)
    np.add.at(come, group[plus], batch.diffs[plus])
    np.add.at(go, group[minus], -batch.diffs[minus])
    after[group[plus]], before[group[minus]] = plus, minus
    broken = (come > 1) | (go > 1)
    before[broken] = after[broken] = -1
    return Keyed(come, go, first, before, after)


class Telling(Protocol):
    """How a subscription tells the changes of one time as rows."""

    @property
    def by_key(self) -> bool:
        """Whether mz_state, the first of the columns, stands in the place of mz_diff."""
        ...

    def columns(self, own: Sequence[Column]) -> tuple[Column, ...]:
        """The columns of its rows, by those of the query."""
        ...

    def told(self, batch: Batch) -> Batch:
        """The rows; where they are not by key, their diffs are the changes'."""
        ...


def columns_by_key(by: ByKey, own: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of what is told by key, by those of the query."""
    rest = [column for i, column in enumerate(own) if i not in by.key]
    values = [Column(column.name, column.type) for column in rest]
    if by.debezium:
        values = [Column(f"{when}_{c.name}", c.type) for when in ("before", "after") for c in rest]
    return (Column("mz_state", types.TEXT), *(own[i] for i in by.key), *values)


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """ENVELOPE UPSERT: the key and the row that holds from now on; ENVELOPE DEBEZIUM: the row before it too."""

    by: ByKey
    heap: Heap

    @property
    def by_key(self) -> bool:
        return True

    def columns(self, own: Sequence[Column]) -> tuple[Column, ...]:
        return columns_by_key(self.by, own)

    def told(self, batch: Batch) -> Batch:
        key, debezium = self.by.key, self.by.debezium
        changes = keyed(batch, key)
        states = [state.value for state in changes.states]
        if not debezium:
            states = ["upsert" if state == "insert" else state for state in states]
        rest = [i for i in range(batch.columns) if i not in key]
        vectors = [vector_of([*states], types.TEXT, self.heap)]
        vectors += [batch.vector(i).take(changes.rows) for i in key]
        for rows in (changes.before, changes.after) if debezium else (changes.after,):
            vectors += [_taken(batch.vector(i), rows) for i in rest]
        return Batch.from_vectors(vectors, np.ones(len(states), np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """WITHIN TIMESTAMP ORDER BY: `order` is over the columns, of `types`, and mz_diff behind them."""

    order: tuple[Order, ...]
    types: tuple[SqlType, ...]
    heap: Heap

    @property
    def by_key(self) -> bool:
        return False

    def columns(self, own: Sequence[Column]) -> tuple[Column, ...]:
        return tuple(own)

    def told(self, batch: Batch) -> Batch:
        diffs = Vector(batch.diffs.view(np.uint64), None)
        beside = Batch.from_vectors([*batch.vectors(), diffs], batch.diffs)
        return batch.take(sort(beside, self.order, (*self.types, types.BIGINT), self.heap))


def _taken(vector: Vector, rows: NDArray[np.int64]) -> Vector:
    """The rows of a vector, NULL for -1."""
    none = rows < 0
    found = vector.take(np.where(none, 0, rows)) if len(vector) else vector
    nulls = none if found.nulls is None else found.nulls | none
    return Vector(np.where(nulls, np.uint64(0), found.words), nulls)


def _state(come: int, go: int) -> KeyState:
    match come, go:
        case 1, 0:
            return KeyState.INSERT
        case 1, 1:
            return KeyState.UPSERT
        case 0, 1:
            return KeyState.DELETE
        case _:
            return KeyState.KEY_VIOLATION
