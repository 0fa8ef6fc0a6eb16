"""One row per group: the key, then the aggregates.

Rule   out = -old +new row of each touched group whose row changed; a group with no rows has no row. A group whose
       result fails (a sum beyond its type) has an error instead of a row, and heals when the rows that cause it go.
State  groups by key, each with a row count and its accumulators side by side (engine/collection/groups.py); for
       min/max also their values (extremes.py), for the aggregates of whole groups their rows in order (spliced.py,
       keyed.py, whole_group.py); the row that each group shows, which is also what readers copy.
Cost   O(|delta|) a tick for what adds up, for min and max O(|delta|) on average and O(|delta| log n) at worst;
       O(|delta| log n) and the bytes of the results for string_agg, map_agg and the like; of the few that EXPLAIN
       calls touched groups (whole_group.py), the touched groups' rows.
From   Materialize's three kinds of reduction (accumulable, hierarchical, basic), in one operator with one group table.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from engine.collection.batch import Batch, Words, null_words
from engine.collection.groups import GroupTable, Ids
from engine.collection.heap import Heap, Marks
from engine.collection.wanted import ask
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.graph import Reduce
from engine.dataflow.operators.accumulators import IN_ORDER, Accumulators
from engine.dataflow.operators.extremes import Extreme
from engine.dataflow.operators.keyed import Keyed, in_order
from engine.dataflow.operators.spliced import Spliced
from engine.dataflow.operators.whole_group import WholeGroup
from engine.expr.aggregate import EXTREME, WHOLE_GROUP
from engine.kernels.accumulate import show_groups
from engine.kernels.changes import emit_changes, publish_rows
from engine.types import SqlType

SHOWN: Final = np.uint64(1)
"""Status of a group that has a row; 0: it has none; else the heap code of its error, plus 1."""


class ReduceOperator:
    """The operator of graph.Reduce. `monotonic`: no diff of the input is ever negative, so min/max keep one value."""

    def __init__(self, node: Reduce, input_types: Sequence[SqlType], heap: Heap, monotonic: bool = False) -> None:
        keys, aggregates = node.key, node.aggregates
        self.errors: Final = ErrorCounts()
        self._heap = heap
        self._columns = len(keys) + len(aggregates)
        self._types: Final = tuple(input_types[k] for k in keys) + tuple(a.type for a in aggregates)
        base = null_words(len(keys)) + len(keys) + 2
        self._sums: Final = Accumulators(aggregates, input_types, len(keys), base, monotonic, heap)
        self._extremes: Final[list[Extreme]] = []
        self._whole: Final[dict[int, Keyed | Spliced | WholeGroup]] = {}
        self._monotonic = monotonic
        for a, aggregate in enumerate(aggregates):
            if aggregate.kind in EXTREME:
                physical = input_types[aggregate.columns[0]].physical
                if not (monotonic and physical in IN_ORDER):
                    self._extremes.append(Extreme(aggregate, input_types, self._sums.places[a], heap))
            elif aggregate.kind in WHOLE_GROUP:
                self._whole[a] = in_order(aggregate, input_types, self._sums.places[a], heap)
        self._groups: Final = GroupTable(keys, len(input_types), self._sums.extra)
        self._width = null_words(self._columns) + self._columns
        self._rows: Words = np.zeros((len(self._groups.records), self._width + 1), np.uint64)
        self._published = 0
        self._staged: tuple[Ids, Words] | None = None

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        """-old +new of the touched groups. A tick is published before the next one is computed."""
        (batch,) = deltas
        assert self._staged is None
        assert not self._monotonic or batch.diffs.min(initial=0) >= 0, "a retraction from an append-only collection"
        groups, sums = self._groups, self._sums
        gids, touched = groups.assign(batch)
        records = groups.records
        if len(sums.program):
            sums.add(batch, gids, records, groups.used)
        for extreme in self._extremes:
            ask()
            extreme.add(batch, gids, groups)
        for whole in self._whole.values():
            whole.add(batch, gids, records)
        ask()
        shown = np.empty((len(touched), self._width + 1), np.uint64)
        later = np.empty((len(sums.aggregates), len(touched)), np.uint8)
        keys = len(groups.key)
        if show_groups(records, touched, keys, self._columns, sums.results, sums.errors, shown, later):
            self._show_later(touched, later, shown)
        if len(self._rows) < len(records):
            rows = np.zeros((len(records), self._width + 1), np.uint64)
            rows[: len(self._rows)] = self._rows
            self._rows = rows
        words, diffs, errors = emit_changes(
            touched, self._rows, shown, groups.key_width, groups.table, records, groups.head, groups.free
        )
        if errors:
            self._count_errors(self._rows[touched, -1], -1)
            self._count_errors(shown[:, -1], 1)
        self._staged = touched, shown
        return Batch(words, diffs, self._columns, True)

    def _show_later(self, touched: Ids, later: np.ndarray, shown: Words) -> None:
        """The results that kernels leave over."""
        for a in range(len(later)):
            rows = np.flatnonzero(later[a])
            rows = rows[shown[rows, -1] == SHOWN]
            if len(rows) == 0:
                continue
            if a in self._whole:
                self._whole[a].show(rows, touched[rows], self._sums.results[a], shown)
            else:
                self._sums.show_later(a, rows, touched[rows], self._groups.records, shown)

    def _count_errors(self, status: Words, diff: int) -> None:
        codes = status[status > SHOWN] - np.uint64(1)
        self.errors.add(codes, np.full(len(codes), diff, np.int64))

    def publish(self) -> None:
        """Readers see the rows of this tick."""
        if self._staged is not None:
            touched, shown = self._staged
            publish_rows(touched, self._rows, shown)
            self._published = self._groups.used
            self._staged = None
        self.errors.publish()

    def contents(self) -> Batch:
        """The rows of all groups. O(groups)."""
        rows = self._rows[: self._published]
        rows = rows[rows[:, -1] == SHOWN]
        words = np.ascontiguousarray(rows[:, :-1].T)
        return Batch(words, np.ones(len(rows), np.int64), self._columns, True)

    def rows(self) -> int:
        """Groups, those that have an error instead of a row among them."""
        return len(self._groups)

    def bytes_held(self) -> int:
        """Memory of the groups, of what they show, and of the values kept."""
        kept = [*self._extremes, *self._whole.values()]
        return self._groups.bytes_held() + self._rows.nbytes + sum(part.bytes_held() for part in kept)

    def mark(self, marks: Marks) -> None:
        """Keep the data of keys, of rows and of the values kept."""
        used, leading = self._groups.used, null_words(self._columns)
        for c, column_type in enumerate(self._types):
            if column_type.physical.on_heap:
                marks.words(column_type.physical, self._rows[:used, leading + c])
                if c < len(self._groups.key):
                    keys = null_words(len(self._groups.key)) + c
                    marks.words(column_type.physical, self._groups.records[:used, keys])
        marks.codes(self._sums.errors)
        self.errors.mark(marks)
        for extreme in self._extremes:
            extreme.mark(marks, self._groups)
        for whole in self._whole.values():
            whole.mark(marks)
