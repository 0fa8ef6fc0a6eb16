"""ON CONFLICT: which of the rows to insert are in the way of others, and what becomes of these.

Rule   a row conflicts when a row that is there (or, for DO NOTHING, one before it in the statement) has its key; a key
       with a NULL in it conflicts with none. DO NOTHING drops it; DO UPDATE takes the row that is there away and puts
       what SET makes of the two in its place.
Cost   O(rows inserted) probes of the key's index, whatever the table holds.
"""

import numpy as np
from numpy.typing import NDArray

from engine.catalog.items import Index
from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch, null_words
from engine.coordinator.snapshot import Snapshot
from engine.errors import CardinalityViolation
from engine.kernels.rows import take_rows
from engine.sql.resolved.rows import BoundConflict
from engine.types import Column


def resolved(
    snapshot: Snapshot, table: int, conflict: BoundConflict, new: Batch, columns: tuple[Column, ...]
) -> tuple[Batch, Batch]:
    """(rows that go, rows that come) when `new` is inserted."""
    rows, width = each(new), new.columns
    none = Batch.empty(width)
    indexes = snapshot.arbiters(table, conflict.keys)
    if conflict.update is None:
        for index in indexes:
            rows = rows.take(~_conflicts(snapshot, index, snapshot.indexed(rows, index))[0])
        for index in indexes:
            rows = _first(snapshot.indexed(rows, index), index.key).project(range(width))
        return none, rows
    (index,) = indexes
    key, rows = index.key, snapshot.indexed(rows, index)
    if len(_first(rows, key)) < len(rows):
        raise CardinalityViolation(
            "ON CONFLICT DO UPDATE command cannot affect row a second time",
            hint="Two of the rows to insert have the same key: insert one of them.",
        )
    hit, there = _conflicts(snapshot, index, rows)
    if not hit.any():
        return none, rows.project(range(width))
    held = Arrangement(rows.columns, key)
    held.apply(there)
    beside = np.array([*(-1 - c for c in range(width)), *range(width)], np.int64)
    pairs = held.join(key, rows.take(hit), np.array(key, np.int64), beside)
    both = each(snapshot.filled(conflict.update, pairs, columns * 2))
    fresh = rows.take(~hit).project(range(width))
    after = both.project(range(width, 2 * width))
    return both.project(range(width)), Batch.concat([fresh, after]) if len(fresh) else after


def _conflicts(snapshot: Snapshot, index: Index, rows: Batch) -> tuple[NDArray[np.bool_], Batch]:
    """Which of the rows have a key that a row of the table has, and those rows of the table; all as the index has
    them."""
    if not len(rows):
        return np.zeros(0, bool), Batch.empty(rows.columns)
    key = index.key
    keys, full = _keys(rows, key)
    distinct = keys.take(full).consolidate()
    there = snapshot.lookup(index, Batch(distinct.words, np.ones(len(distinct), np.int64), len(key), True))
    held = Arrangement(len(key), range(len(key)))
    held.apply(Batch(there.key_words(key), there.diffs, len(key)))
    return (held.counts(keys) > 0) & full, there


def _keys(rows: Batch, key: tuple[int, ...]) -> tuple[Batch, NDArray[np.bool_]]:
    """The rows cut down to a key, and which of them have no NULL in it."""
    words = rows.key_words(key)
    full = np.logical_not(words[: null_words(len(key))].any(axis=0))
    return Batch(words, rows.diffs, len(key)), full


def _first(rows: Batch, key: tuple[int, ...]) -> Batch:
    """The rows without those that have the key of one before them."""
    cut, full = _keys(rows, key)
    _, at = np.unique(cut.words.T, axis=0, return_index=True)
    kept = ~full
    kept[at] = True
    return rows.take(kept)


def each(rows: Batch) -> Batch:
    """Each row by itself, with diff 1."""
    if np.all(rows.diffs == 1):
        return rows
    picked = np.repeat(np.arange(len(rows)), rows.diffs)
    return Batch(take_rows(rows.words, picked), np.ones(len(picked), np.int64), rows.columns)
