"""System relations as collections of the worker: there from the first time that somebody reads one.

A read brings the relations that it reads to the catalog of the moment, in one tick, and then is a read like any other;
when nothing has changed since the last one, that is a comparison of two references. What a subscription or a
materialized view reads is brought there by itself: after a change of the catalog at once, and what only the workers
know every `progress_ms`. So an idle catalog costs nothing per tick, and one that nobody reads nothing at all.

Cost of a change: the rows of the relations that are there are made anew and compared, about 1 ms per 1,000 rows.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import pyarrow as pa

from engine.catalog.catalog import FIRST_USER_ID, Catalog
from engine.catalog.system.definition import Changes, Datum, Definition, Row, Runtime
from engine.catalog.system.registry import BY_ID
from engine.cluster.command import CreateCollection
from engine.collection.batch import Batch
from engine.collection.value import Value
from engine.collection.vector import Vector
from engine.collection.words import vector_of
from engine.coordinator.ticks import Write
from engine.types import Category, Column, Physical

if TYPE_CHECKING:
    from engine.collection.heap import Heap
    from engine.coordinator.coordinator import Coordinator


class SystemCollections:
    """Which system relations are there, as of which catalog, and who watches them. Changes under the tick lock."""

    def __init__(self, coordinator: "Coordinator", runtime: Callable[[], Runtime]) -> None:
        self._coordinator: Final = coordinator
        self._runtime: Final = runtime
        self._shown: dict[int, Catalog] = {}  # the relations that are there, and the catalog whose rows they hold
        self._watched: dict[int, set[int]] = {}  # what a view (by id) or a subscription (by -request) reads of them
        self._asked_ms = 0  # when the runtime was last asked for those who watch

    def refresh(self, ids: Iterable[int]) -> None:
        """Bring the system relations among `ids` to the present. Returns with them published."""
        wanted = [id for id in ids if id < FIRST_USER_ID]
        if self._watched and self._behind():
            wanted += self._watched_ids()
        catalog = self._coordinator.catalog
        if not all(self._shown.get(id) is catalog and self._is_catalog(id) for id in wanted):
            self._bring(wanted)

    def watch(self, watcher: int, ids: Iterable[int]) -> None:
        """Keep what of `ids` is a system relation up to date for a view or a subscription. Under the tick lock."""
        found = {id for id in ids if id < FIRST_USER_ID}
        if found:
            self.refresh(found)
            self._watched[watcher] = found

    def leave(self, watcher: int) -> None:
        """It is gone."""
        self._watched.pop(watcher, None)

    def take_over(self, watcher: int, other: int) -> None:
        """It reads what the other read, which is gone."""
        self.leave(watcher)
        if other in self._watched:
            self._watched[watcher] = self._watched.pop(other)

    @property
    def watched(self) -> bool:
        return bool(self._watched)

    def follow(self) -> None:
        """For those who watch: the catalog if it has changed, the runtime if it was not asked for a while."""
        if not self._watched:
            return
        now = self._coordinator.oracle.wall_ms()
        due = now - self._asked_ms >= self._coordinator.options.progress_ms
        if due:
            self._asked_ms = now
        if due or self._behind():
            self._bring(self._watched_ids())

    def _watched_ids(self) -> list[int]:
        return [id for ids in self._watched.values() for id in ids]

    def _behind(self) -> bool:
        catalog = self._coordinator.catalog
        return any(self._shown.get(id) is not catalog for id in self._watched_ids())

    def _bring(self, wanted: Sequence[int]) -> None:
        """One tick with the changes of all relations that are not those of the present catalog."""
        coordinator = self._coordinator
        with coordinator.ticks.lock:
            catalog, runtime = coordinator.catalog, self._runtime()
            stale = {id for id, shown in self._shown.items() if shown is not catalog and self._is_catalog(id)}
            due = stale.union(id for id in wanted if not self._is_catalog(id) or id not in self._shown)
            for id in due - self._shown.keys():
                types = tuple(column.type for column in BY_ID[id].held)
                coordinator.send(CreateCollection(id, types, False, coordinator.options.history_ms))
            with coordinator.heap.pinned():
                deltas = {id: self._change(BY_ID[id], catalog, runtime) for id in sorted(due)}
                changed = {id: delta for id, delta in deltas.items() if len(delta)}
                write = coordinator.ticks.put(Write(changed)) if changed else None
            if write is not None:
                coordinator.ticks.commit(write)
            for id in due:
                self._shown[id] = catalog

    def rows(self, id: int, catalog: Catalog) -> Batch:
        """The rows of a system relation in a catalog that is not published. The heap is pinned."""
        definition = BY_ID[id]
        assert definition.rows is not None
        return batch_of(list(definition.rows(catalog, self._runtime())), definition.held, self._coordinator.heap)

    @staticmethod
    def _is_catalog(id: int) -> bool:
        return BY_ID[id].changes is Changes.CATALOG

    def _change(self, definition: Definition, catalog: Catalog, runtime: Runtime) -> Batch:
        """What makes the collection's present rows those of the catalog. The heap is pinned."""
        assert definition.rows is not None
        rows = batch_of(list(definition.rows(catalog, runtime)), definition.held, self._coordinator.heap)
        before = self._coordinator.cluster.worker.circuit.contents(definition.oid)
        return Batch.concat([rows, before.negate()]).consolidate()


def batch_of(rows: Sequence[Row], columns: Sequence[Column], heap: "Heap") -> Batch:
    """Rows as a batch, each once; a column at a time where that is quicker."""
    vectors = [_vector([row[at] for row in rows], column, heap) for at, column in enumerate(columns)]
    return Batch.from_vectors(vectors, np.ones(len(rows), np.int64))


def _vector(values: list[Datum], column: Column, heap: "Heap") -> Vector:
    type = column.type
    absent = np.array([value is None for value in values], np.bool_) if column.nullable else None
    nulls = absent if absent is not None and absent.any() else None
    if type.nesting is None and type.category is Category.STRING:
        words = heap.intern_arrow(pa.array([value or "" for value in values], pa.large_string()))
        return Vector(words if nulls is None else np.where(nulls, np.uint64(0), words), nulls)
    if type.physical is Physical.BOOLEAN or (type.physical is Physical.SIGNED and type.category is Category.NUMERIC):
        return Vector(np.array([value or 0 for value in values], np.int64).view(np.uint64), nulls)
    return vector_of(cast("list[Value]", values), type, heap)
