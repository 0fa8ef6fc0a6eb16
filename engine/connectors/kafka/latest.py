"""What stands for each key of an upserting source: its row, or why its last value is none.

Memory: the row and the key's words, some 40 bytes more, by key that has a row. A group's id (collection/groups.py)
indexes the arrays here; a key without row has no id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, null_words
from engine.collection.groups import GroupTable
from engine.collection.heap import Marks
from engine.collection.vector import Vector
from engine.types import Column


@dataclass(frozen=True, slots=True, eq=False)
class Last:
    """The keys of a block, each once: its group, and the row of the block that has its last word."""

    groups: NDArray[np.int32]
    rows: NDArray[np.int64]


class Latest:
    """See the file's head. `last` and `become` are called in turn, for one block after another."""

    NONE: Final = 0
    ROW: Final = 1
    ERROR: Final = 2

    def __init__(self, key: Sequence[Column], columns: Sequence[Column]) -> None:
        self._key = tuple(key)
        self._columns = tuple(columns)
        self._leading = null_words(len(columns))
        self._width = self._leading + len(columns)
        self._groups = GroupTable(range(len(key)), len(key), 0)
        self._state = np.zeros(0, np.uint8)
        self._rows = np.zeros((0, self._width), np.uint64)
        self._last = np.zeros(0, np.int64)
        self._errors: dict[int, Batch] = {}

    def __len__(self) -> int:
        """How many keys have something."""
        return len(self._groups)

    def last(self, keys: Sequence[Vector], n: int) -> Last:
        """The last row of each key among n rows."""
        batch = Batch.from_vectors(keys, np.ones(n, np.int64))
        groups, touched = self._groups.assign(batch)
        capacity = len(self._groups.records)
        if capacity > len(self._state):
            self._state = _grown(self._state, capacity)
            self._rows = _grown(self._rows, capacity)
            self._last = _grown(self._last, capacity)
        self._last[groups] = np.arange(n)  # of equal indexes the last one's value stays
        touched = touched.copy()
        return Last(touched, self._last[touched])

    def become(self, last: Last, state: NDArray[np.uint8], rows: Batch, errors: Batch) -> tuple[Batch, Batch]:
        """(changes of the rows, of the errors) when each key's state and row are these.

        `rows` has one row a key, in their order; `errors` one a key whose state is ERROR, in their order.
        """
        groups = last.groups
        before = self._state[groups]
        old = self._rows[groups]
        new = np.ascontiguousarray(rows.words.T)
        same = (before == self.ROW) & (state == self.ROW) & (old == new).all(axis=1)
        gone = np.flatnonzero((before == self.ROW) & ~same)
        come = np.flatnonzero((state == self.ROW) & ~same)
        words = np.ascontiguousarray(np.concatenate([old[gone], new[come]]).T)
        diffs = np.repeat(np.array([-1, 1], np.int64), [len(gone), len(come)])
        change = Batch(words, diffs, len(self._columns))
        error_change = self._become_errors(groups, before, state, errors)
        new[state != self.ROW] = 0
        self._rows[groups] = new
        self._state[groups] = state
        self._groups.records[groups, self._groups.key_width] = (state != self.NONE).astype(np.uint64)
        self._groups.settle(groups)
        return change, error_change

    def _become_errors(
        self, groups: NDArray[np.int32], before: NDArray[np.uint8], state: NDArray[np.uint8], errors: Batch
    ) -> Batch:
        changes: list[Batch] = []
        for group in groups[before == self.ERROR].tolist():
            mended = self._errors.pop(group)
            changes.append(Batch(mended.words, -mended.diffs, mended.columns))
        for place, group in enumerate(groups[state == self.ERROR].tolist()):
            self._errors[group] = errors.take(np.array([place]))
            changes.append(self._errors[group])
        return Batch.concat(changes) if changes else Batch.empty(errors.columns)

    def restore(self, keys: Sequence[Vector], rows: Batch) -> None:
        """Keys and their rows, which no key has more than one of."""
        last = self.last(keys, len(rows))
        state = np.full(len(last.rows), self.ROW, np.uint8)
        self.become(last, state, rows.take(last.rows), Batch.empty(0))

    def restore_errors(self, keys: Sequence[Vector], errors: Batch) -> None:
        """Keys and their errors."""
        last = self.last(keys, len(errors))
        state = np.full(len(last.rows), self.ERROR, np.uint8)
        blank = Batch(np.zeros((self._width, len(last.rows)), np.uint64), np.ones(len(last.rows), np.int64),
                      len(self._columns))  # fmt: skip
        self.become(last, state, blank, errors.take(last.rows))

    def mark(self, marks: Marks) -> None:
        """Keep the codes of rows, keys and errors."""
        live = np.flatnonzero(self._state)
        for i, column in enumerate(self._columns):
            marks.words(column.type.physical, self._rows[live, self._leading + i])
        leading = null_words(len(self._key))
        for i, column in enumerate(self._key):
            marks.words(column.type.physical, self._groups.records[live, leading + i])
        for error in self._errors.values():
            for c in (2, 3, 4):
                marks.codes(error.vector(c).words)

    def bytes_held(self) -> int:
        """Memory of its arrays."""
        return self._groups.bytes_held() + self._state.nbytes + self._rows.nbytes + self._last.nbytes


def _grown(array: NDArray, length: int) -> NDArray:
    grown = np.zeros((length, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
