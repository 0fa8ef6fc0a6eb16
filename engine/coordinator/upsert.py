"""ON CONFLICT: which of the rows to insert are in the way of others, and what becomes of these.

Rule   a row conflicts when a row that is there (or, for DO NOTHING, one before it in the statement) has its key; a key
       with a NULL in it conflicts with none. DO NOTHING drops it; DO UPDATE takes the row that is there away and puts
       what SET makes of the two in its place.
Cost   O(rows inserted) probes of the key's index, whatever the table holds.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
    rows = each(new)
    none = Batch.empty(rows.columns)
    if conflict.update is None:
        for key in conflict.keys:
            rows = rows.take(~_conflicts(snapshot, table, key, rows)[0])
        return none, _first(rows, conflict.keys)
    (key,) = conflict.keys
    if len(_first(rows, [key])) < len(rows):
        raise CardinalityViolation(
            "ON CONFLICT DO UPDATE command cannot affect row a second time",
            hint="Two of the rows to insert have the same key: insert one of them.",
        )
    hit, there = _conflicts(snapshot, table, key, rows)
    if not hit.any():
        return none, rows
    width = rows.columns
    held = Arrangement(width, key)
    held.apply(there)
    beside = np.array([*(-1 - c for c in range(width)), *range(width)], np.int64)
    pairs = held.join(key, rows.take(hit), np.array(key, np.int64), beside)
    both = each(snapshot.filled(conflict.update, pairs, columns * 2))
    fresh = rows.take(~hit)
    after = both.project(range(width, 2 * width))
    return both.project(range(width)), Batch.concat([fresh, after]) if len(fresh) else after


def _conflicts(snapshot: Snapshot, table: int, key: tuple[int, ...], rows: Batch) -> tuple[NDArray[np.bool_], Batch]:
    """Which of the rows have a key that a row of the table has, and those rows of the table."""
    if not len(rows):
        return np.zeros(0, bool), Batch.empty(rows.columns)
    keys, full = _keys(rows, key)
    distinct = keys.take(full).consolidate()
    there = snapshot.lookup(table, key, Batch(distinct.words, np.ones(len(distinct), np.int64), len(key), True))
    held = Arrangement(len(key), range(len(key)))
    held.apply(Batch(there.key_words(key), there.diffs, len(key)))
    return (held.counts(keys) > 0) & full, there


def _keys(rows: Batch, key: tuple[int, ...]) -> tuple[Batch, NDArray[np.bool_]]:
    """The rows cut down to a key, and which of them have no NULL in it."""
    words = rows.key_words(key)
    full = np.logical_not(words[: null_words(len(key))].any(axis=0))
    return Batch(words, rows.diffs, len(key)), full


def _first(rows: Batch, keys: Sequence[tuple[int, ...]]) -> Batch:
    """The rows without those that have a key of one before them."""
    for key in keys:
        cut, full = _keys(rows, key)
        _, at = np.unique(cut.words.T, axis=0, return_index=True)
        kept = ~full
        kept[at] = True
        rows = rows.take(kept)
    return rows


def each(rows: Batch) -> Batch:
    """Each row by itself, with diff 1."""
    if np.all(rows.diffs == 1):
        return rows
    picked = np.repeat(np.arange(len(rows)), rows.diffs)
    return Batch(take_rows(rows.words, picked), np.ones(len(picked), np.int64), rows.columns)
