"""Of each group the rows from `offset` on, at most `limit`, in order; with the peers of the last of them, or so many
groups of peers, where that is asked.

Rule   out = the change of first(offset + limit) less the change of first(offset), per touched group; without a limit
       the delta less the change of first(offset). Ties are broken by the whole row's content, so the same rows always
       give the same result; a row of multiplicity m counts as m rows. With ties first(k) is every row before which
       fewer than k others stand that the order tells from it; where peers are counted once, fewer than k groups.
State  all rows by (group, order) in one B+tree (engine/collection/ordered.py), and how often each row is shown.
Cost   O(|delta| log n + touched groups x (log n + limit)) a tick, whatever the size of the groups and the offset;
       with ties offset and limit are walked over, and the limit is what they make of it: the rows that a group shows.
From   McSherry, Materialize's TopK; here with the k-set read from an ordered index instead of a tree of reductions.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, null_words
from engine.collection.groups import GroupTable, Ids
from engine.collection.heap import Heap, Marks
from engine.collection.ordered import OrderedRows
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.graph import Ties, TopK
from engine.kernels import ordered_changes
from engine.kernels.memory import doubled
from engine.types import SqlType

WALKED: Final = {
    Ties.CUT: ordered_changes.CUT, Ties.WHOLE: ordered_changes.WHOLE, Ties.COUNTED: ordered_changes.COUNTED,
}  # fmt: skip
"""What the kernel calls them."""


class TopKOperator:
    """The operator of graph.TopK."""

    def __init__(self, node: TopK, input_types: Sequence[SqlType], heap: Heap) -> None:
        self.errors: Final = ErrorCounts()
        self._columns = len(input_types)
        self._width = null_words(self._columns) + self._columns
        self._offset, self._limit = node.offset, -1 if node.limit is None else node.limit
        self._ties = ordered_changes.CUT if node.limit is None else WALKED[node.ties]
        self._types: Final = input_types
        self._groups: Final = GroupTable(node.group, self._columns, 1)
        self._place = self._groups.key_width + 2
        order = [(o.column, o.descending, o.nulls_first) for o in node.order]
        self._rows: Final = OrderedRows(range(self._columns), input_types, order, heap)
        self._shown: NDArray[np.int64] = np.zeros(len(self._rows.store.words), np.int64)
        self._staged: tuple[Ids, NDArray[np.int64]] | None = None

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        """The change of the shown rows. A tick is published before the next one is computed."""
        batch = deltas[0].consolidate()  # a row that goes and comes back would change slots, and be told as two changes
        assert self._staged is None
        groups, rows = self._groups, self._rows
        gids, touched = groups.assign(batch)
        touched = touched.copy()
        old_slots, old_takes, _ = self._window(touched)
        rows.add(batch, None, gids, groups.records, self._place)
        new_slots, new_takes, _ = self._window(touched)
        slots = np.concatenate([old_slots, new_slots])
        takes = np.concatenate([-old_takes, new_takes])
        order = np.argsort(slots, kind="stable")
        slots, takes = slots[order], takes[order]
        # A slot occurs at most twice: once before, once after.
        first = np.ones(len(slots), np.bool_)
        first[1:] = slots[1:] != slots[:-1]
        begins = np.flatnonzero(first)
        change = np.add.reduceat(takes, begins) if len(begins) else takes
        changed = change != 0
        slots, change = slots[begins][changed], change[changed]
        words = np.ascontiguousarray(rows.store.words[slots, : self._width].T)
        self._staged = slots, change
        groups.settle(touched)
        return Batch(words, change, self._columns, True)

    def _window(self, groups: Ids) -> tuple[Ids, NDArray[np.int64], NDArray[np.int64]]:
        """The shown rows of those groups by what the tree holds: (slots, how often, bounds)."""
        return self._rows.walk(groups, self._offset, self._limit, self._ties)

    def publish(self) -> None:
        """Readers see the rows of this tick; rows that are gone give up their slots."""
        if self._staged is not None:
            slots, change = self._staged
            while len(self._shown) < len(self._rows.store.words):
                self._shown = doubled(self._shown)
            self._shown[slots] += change
            self._rows.settle()
            self._staged = None
        self.errors.publish()

    def contents(self) -> Batch:
        """The shown rows. O(rows held)."""
        shown = self._shown
        slots = np.flatnonzero(shown)
        words = np.ascontiguousarray(self._rows.store.words[slots, : self._width].T)
        return Batch(words, shown[slots], self._columns, True)

    def rows(self) -> int:
        """O(rows held)."""
        return int(np.count_nonzero(self._shown))

    def bytes_held(self) -> int:
        """Memory of groups, rows and what is shown of them."""
        return self._groups.bytes_held() + self._rows.bytes_held() + self._shown.nbytes

    def mark(self, marks: Marks) -> None:
        """Keep the rows' data, group keys among them."""
        self._rows.mark(marks)
        leading = null_words(len(self._groups.key))
        for k, column in enumerate(self._groups.key.tolist()):
            if self._types[column].physical.on_heap:
                keys = self._groups.records[: self._groups.used, leading + k]
                marks.words(self._types[column].physical, keys)
