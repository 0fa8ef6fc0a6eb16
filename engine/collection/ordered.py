"""Entries of all groups in order: one B+tree (engine/kernels/ordered.py) and the rows that its entries stand for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch, Words, null_words
from engine.collection.groups import Ids
from engine.collection.heap import Heap, Marks, View
from engine.collection.wanted import ask
from engine.kernels import ordered as kernels
from engine.kernels import ordered_bulk, ordered_changes, ordered_ranks, ordered_regions
from engine.kernels.memory import doubled
from engine.types import SqlType

NODES_MIN: Final = 2 * kernels.NODES_SPARE
SLOTS_MIN: Final = 64
BULK_MIN: Final = 4096
"""From so many rows on, and when they are no fewer than what is there, sorting all anew beats inserting each."""
Direction: TypeAlias = tuple[int, bool, bool]
"""(column, descending, NULLs first)."""
Regions: TypeAlias = tuple[Ids, NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]
"""(slots, counts, regions, inside): see engine/kernels/ordered_regions.py."""


class Tree:
    """The nodes of a B+tree. 560 bytes a node of at most 32 entries; grown by doubling."""

    def __init__(self, weighed: bool) -> None:
        self.nodes: NDArray[np.int64] = np.zeros((NODES_MIN, kernels.META + 2 * kernels.B), np.int64)
        self.nodes[0, : kernels.META] = (0, -1, -1, -1, 0, 0)
        self.head: Final = np.array([0, 1, -1, 0, 0, weighed], np.int64)
        self.scratch: Final = np.zeros((4, kernels.BLOCK), np.int64)

    def grow(self) -> None:
        """Room for twice as many nodes."""
        self.nodes = doubled(self.nodes)

    def bulk(self, n: int) -> bool:
        """Whether n more entries are better loaded with all the others than inserted."""
        return n >= BULK_MIN and n >= self.head[kernels.ENTRIES]

    def load(
        self, gids: Ids, prefixes: NDArray[np.int64], loads: NDArray[np.int64], groups: int, store: "Store", view: View,
        records: Words, at: int,
    ) -> Ids:  # fmt: skip
        """Make the tree anew of its entries and these: the slots of rows that went."""
        if self.head[kernels.ENTRIES]:
            held = ordered_bulk.read_tree(self.nodes, self.head)
            ask()
            gids = np.concatenate([held[0], gids])
            prefixes = np.concatenate([held[1], prefixes])
            loads = np.concatenate([held[2], loads])
        n = len(gids)
        ask()
        p, x, bounds = ordered_bulk.sort_entries(gids, prefixes, loads, groups, store.words, store.spec, *view)
        room = n // kernels.BULK_FILL + n // (kernels.BULK_FILL * (kernels.BULK_FILL - 2)) + NODES_MIN
        if len(self.nodes) < room:
            self.nodes = np.zeros((room, self.nodes.shape[1]), np.int64)
        ask()
        gone = np.empty(n, np.int32)
        went = ordered_bulk.build_tree(
            p, x, bounds, gone, self.nodes, self.head, store.words, store.spec, *view, store.free, store.head, records,
            at,
        )  # fmt: skip
        return gone[:went].copy()

    def bytes_held(self) -> int:
        """Memory of its arrays."""
        return self.nodes.nbytes + self.scratch.nbytes


class Store:
    """Rows by slot, each with its multiplicity in the last word, before it its weight if rows have weights. `spec`: in
    which order the tree compares them."""

    def __init__(self, width: int, spec: NDArray[np.int64], weighed: bool) -> None:
        self.words: Words = np.zeros((SLOTS_MIN, width + weighed + 1), np.uint64)
        self.spec: Final = spec
        self.free: Ids = np.empty(SLOTS_MIN, np.int32)
        self.head: Final = np.zeros(2, np.int64)

    def reserve(self, n: int) -> None:
        """Make sure that n slots are free."""
        while len(self.words) - self.head[0] + self.head[1] < n:
            ask()
            self.words, self.free = doubled(self.words), doubled(self.free)

    @property
    def used(self) -> int:
        """All slots are below this."""
        return int(self.head[0])

    def release(self, slots: Ids) -> None:
        """Give slots back, their rows blanked so that nothing keeps what they referred to."""
        self.words[slots] = 0
        at = int(self.head[1])
        self.free[at : at + len(slots)] = slots
        self.head[1] += len(slots)

    def bytes_held(self) -> int:
        """Memory of its arrays."""
        return self.words.nbytes + self.free.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Coming:
    """Rows in slots of their own, on their way into the order: groups, order prefixes, slots, diffs."""

    gids: Ids
    prefixes: NDArray[np.int64]
    slots: Ids
    diffs: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Coming":
        """Those rows of them."""
        return Coming(self.gids[rows], self.prefixes[rows], self.slots[rows], self.diffs[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Reaching:
    """How far a row looks: see engine/kernels/ordered_regions.py, walk_regions."""

    back: int
    ahead: int
    peers: int
    spans: NDArray[np.int64]
    skips: NDArray[np.int64]


class OrderedRows:
    """Rows by group, in an order that depends on nothing but their content: `order`, then every column.

    1. A slot holds one distinct row of one group; its multiplicity is the last word, which may be negative.
    2. Slots whose count became 0 are in `gone` and keep their row until `settle`.
    3. A row weighs as often as it is there, times a weight of its own if `weighed`; `places`, `weights` and `at` say
       what is where by weight.
    """

    def __init__(
        self,
        picked: Sequence[int],
        input_types: Sequence[SqlType],
        order: Sequence[Direction],
        heap: Heap,
        weighed: bool = False,
    ) -> None:
        self.picked: Final = np.array(picked, np.int64)
        self._types: Final = [input_types[c] for c in picked]
        self._nulls = null_words(len(input_types))
        self.leading: Final = null_words(len(picked))
        self._heap = heap
        self._peers = len(order)
        ordered = {column for column, _, _ in order}
        rest = [(c, False, False) for c in range(len(picked)) if c not in ordered]
        spec = [
            [self.leading + c, c >> 6, c & 63, int(self._types[c].physical), descending, nulls_first]
            for c, descending, nulls_first in [*order, *rest]
        ]
        # A row of no columns is compared by its (absent) content: equal to every other.
        self._tree: Final = Tree(weighed)
        width = max(1, self.leading + len(picked))
        self.store: Final = Store(width, np.array(spec or [[0, 0, 0, 0, 0, 0]], np.int64), weighed)
        self._gone: list[Ids] = []
        self._change: NDArray[np.int64] = np.zeros(0, np.int64)
        self._marks: NDArray[np.uint8] = np.zeros(0, np.uint8)

    def add(self, batch: Batch, rows: NDArray[np.int64] | None, gids: Ids, records: Words, at: int) -> None:
        """Add rows (None: all) of a batch to their groups; records[group, at] counts the entries. O(log n) a row."""
        words, diffs = batch.words, batch.diffs
        if rows is not None:
            words, diffs, gids = np.ascontiguousarray(words[:, rows]), diffs[rows], gids[rows]
        coming = self.coming(words, diffs, gids)
        if self.bulk(len(diffs)):
            self.load(coming, records, at)
        else:
            self.enter(coming, records, at)

    def load(self, coming: "Coming", records: Words, at: int) -> None:
        """`enter` by sorting everything anew. O(n log n)."""
        store, slots = self.store, coming.slots.astype(np.int64)
        store.words[slots, -1] = coming.diffs.view(np.uint64)
        gone = self._tree.load(coming.gids, coming.prefixes, slots, len(records), store, self._heap.view(), records, at)
        self._gone.append(gone)

    def bulk(self, n: int) -> bool:
        """Whether `add` sorts everything anew for n more rows."""
        return self._tree.bulk(n)

    def coming(
        self, words: Words, diffs: NDArray[np.int64], gids: Ids, weights: NDArray[np.int64] | None = None
    ) -> "Coming":
        """Those rows put into slots of their own; `enter` brings them into the order. O(rows)."""
        n, store = len(diffs), self.store
        store.reserve(n)
        slots, prefixes = np.empty(n, np.int32), np.empty(n, np.int64)
        ask()
        ordered_changes.store_rows(
            words, self.picked, self._nulls, slots, prefixes, store.words, store.spec, *self._heap.view(), store.free,
            store.head,
        )  # fmt: skip
        if weights is not None:
            store.words[slots, -2] = weights.view(np.uint64)
        return Coming(gids, prefixes, slots, diffs)

    def enter(self, coming: "Coming", records: Words, at: int) -> None:
        """Add rows to their groups; records[group, at] counts the entries. O(log n) a row."""
        n, tree, store, done = len(coming.diffs), self._tree, self.store, 0
        gone = np.empty(n, np.int32)
        while True:
            ask()
            done = ordered_changes.update_rows(
                coming.gids, coming.prefixes, coming.slots, coming.diffs, done, gone, tree.nodes, tree.head,
                store.words, store.spec, *self._heap.view(), store.free, store.head, records, at, tree.scratch,
            )  # fmt: skip
            if done == n:
                break
            tree.grow()
        gone = gone[gone >= 0]
        if len(gone):
            self._gone.append(gone)

    def regions(self, coming: "Coming", reaching: "Reaching", runs: int, stretch: NDArray[np.int64]) -> Regions:
        """What lies around rows that come and go, sorted by group: those that come have entered, the others not yet.

        See engine/kernels/ordered_regions.py for the arguments and what is found.
        """
        tree, store, n = self._tree, self.store, len(coming.diffs)
        if len(self._change) < len(store.words):
            self._change = np.zeros(len(store.words), np.int64)
            self._marks = np.zeros(len(store.words), np.uint8)
        found, leaves, places = np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n, np.int64)
        ordered_regions.locate_rows(
            coming.gids, coming.prefixes, coming.slots, coming.diffs, runs != 0, self._change, self._marks, found,
            leaves, places, tree.nodes, tree.head, store.words, store.spec, *self._heap.view(),
        )  # fmt: skip
        around = ordered_regions.walk_regions(
            coming.gids, found, leaves, places, stretch, self._change, self._marks, reaching.back, reaching.ahead,
            reaching.peers, reaching.spans, reaching.skips, runs, tree.nodes, store.words, store.spec,
            *self._heap.view(),
        )  # fmt: skip
        found = found[found >= 0]
        self._change[found] = 0
        self._marks[found] = 0
        return around

    def walk(
        self, gids: Ids, offset: int, limit: int, ties: int = ordered_changes.CUT
    ) -> tuple[Ids, NDArray[np.int64], NDArray[np.int64]]:
        """Of each group the rows from `offset` on, at most `limit` (-1: all), in order: (slots, how often, bounds).
        `ties`: see engine/kernels/ordered_changes.py, of rows that are equal by `order`."""
        ask()
        store = self.store
        return ordered_changes.walk_groups(
            gids, offset, limit, ties, self._peers, self._tree.nodes, self._tree.head, store.words, store.spec,
            *self._heap.view(),
        )  # fmt: skip

    def places(self, coming: "Coming") -> tuple[NDArray[np.int64], Ids]:
        """Where rows are among those of their groups, or would be: see engine/kernels/ordered_ranks.py, place_rows."""
        tree, store = self._tree, self.store
        return ordered_ranks.place_rows(
            coming.gids, coming.prefixes, coming.slots, tree.nodes, tree.head, store.words, store.spec,
            *self._heap.view(),
        )  # fmt: skip

    def weights(self, gids: Ids) -> NDArray[np.int64]:
        """What the rows of each group weigh. O(log n) a group."""
        return ordered_ranks.weigh_groups(gids, self._tree.nodes, self._tree.head, self.store.words)

    def at(self, gids: Ids, before: NDArray[np.int64]) -> Ids:
        """The row of each group that has so much of the group before it, by slot. O(log n) a row."""
        return ordered_ranks.rows_behind(gids, before, self._tree.nodes, self._tree.head, self.store.words)

    def settle(self) -> None:
        """Nobody reads the rows that went any more."""
        for gone in self._gone:
            self.store.release(gone)
        self._gone = []

    def bytes_held(self) -> int:
        """Memory of tree and store."""
        return self._tree.bytes_held() + self.store.bytes_held() + self._change.nbytes + self._marks.nbytes

    def mark(self, marks: Marks) -> None:
        """Keep the rows' data."""
        for c, column_type in enumerate(self._types):
            if column_type.physical.on_heap:
                marks.words(column_type.physical, self.store.words[: self.store.used, self.leading + c])
