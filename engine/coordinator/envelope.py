"""Changes of one time, told by key: what a subscriber holds that keeps one row a key.

Rule   of a key's changes at one time: a row that comes where one goes is an upsert, one that comes alone an insert, one
       that goes alone a delete. Anything else means that the key is none: key_violation.
Cost   O(n log n) of the changes; no state: what was there before the time is what goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch


class KeyState(Enum):
    """What became of a key. For the envelope UPSERT an insert is an upsert."""

    INSERT = "insert"
    UPSERT = "upsert"
    DELETE = "delete"
    KEY_VIOLATION = "key_violation"


@dataclass(frozen=True, slots=True, eq=False)
class Keyed:
    """One entry a key, as row numbers of the batch: some row with the key, the row that goes, the one that comes (-1:
    none, and for a violation neither)."""

    states: list[KeyState]
    rows: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


def keyed(batch: Batch, key: Sequence[int]) -> Keyed:
    """The changes of a consolidated batch by key, in the order of each key's first row."""
    n = len(batch)
    words = np.ascontiguousarray(batch.key_words(key).T)
    if words.shape[1] and n > 1:
        _, first, group = np.unique(words, axis=0, return_index=True, return_inverse=True)
        group = group.reshape(-1)
    else:
        first, group = np.zeros(min(n, 1), np.int64), np.zeros(n, np.int64)
    groups = len(first)
    come, go = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    before, after = np.full(groups, -1, np.int64), np.full(groups, -1, np.int64)
    plus, minus = np.flatnonzero(batch.diffs > 0), np.flatnonzero(batch.diffs < 0)
    np.add.at(come, group[plus], batch.diffs[plus])
    np.add.at(go, group[minus], -batch.diffs[minus])
    after[group[plus]], before[group[minus]] = plus, minus
    broken = (come > 1) | (go > 1)
    before[broken] = after[broken] = -1
    order = np.argsort(first, kind="stable")
    states = [_state(int(come[g]), int(go[g])) for g in order.tolist()]
    return Keyed(states, first[order].astype(np.int64), before[order], after[order])


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
