"""Ticks and the log: what of a tick is kept, and how rows are written and read back.

A column of fixed width is its words; numeric is its text; the rest are the bytes behind their heap codes. So every
value comes back exactly, and no code of this process's heap is on disk.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from engine.catalog.catalog import Catalog
from engine.catalog.items import Item, Source, SourceRelation, Table
from engine.catalog.sources import is_kept
from engine.collection import numeric
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.durable.log import Log
from engine.types import Column, Physical, SqlType

DIFF: Final = "mz_diff"

BROKEN: Final = "broken"
"""The kind of the log's facts: the error that is read in place of a relation of a source, by the relation's id."""


def record(
    log: Log,
    catalog: Catalog,
    heap: Heap,
    timestamp: int,
    deltas: Mapping[int, Batch],
    offsets: Mapping[tuple[int, str], int],
    broken: Mapping[int, str | None],
) -> None:
    """Commit a tick to the log: the writes to durable tables and sources, the offsets of sources, and which relations
    hold what is not known any more, or what is known again."""
    writes: dict[int, pa.RecordBatch] = {}
    for id, batch in deltas.items():
        item = catalog.items[id]
        if is_durable(catalog, item):
            writes[id] = packed(batch, item.columns, heap)
    if writes or offsets:
        facts = {(BROKEN, str(id)): error for id, error in broken.items()}
        log.commit(timestamp, writes, offsets, facts)


def is_durable(catalog: Catalog, item: Item) -> bool:
    """Whether the log keeps an item's rows."""
    match item:
        case Table():
            return not item.temporary
        case Source():
            return is_kept(item.description)
        case SourceRelation():
            return is_durable(catalog, catalog.items[item.source])
        case _:
            return False


def packed(batch: Batch, columns: tuple[Column, ...], heap: Heap) -> pa.RecordBatch:
    """Changes of a table as the log keeps them: its columns, then the diff."""
    arrays = [_out(batch.vector(i), column.type, heap) for i, column in enumerate(columns)]
    names = [f"c{i}" for i in range(len(columns))]
    return pa.RecordBatch.from_arrays([*arrays, pa.array(batch.diffs)], names=[*names, DIFF])


def unpacked(rows: pa.RecordBatch, columns: tuple[Column, ...], heap: Heap) -> Batch:
    """The opposite of `packed`."""
    vectors = [_in(rows.column(i), column.type, heap) for i, column in enumerate(columns)]
    return Batch.from_vectors(vectors, rows.column(len(columns)).to_numpy().copy())


def _out(vector: Vector, type: SqlType, heap: Heap) -> pa.Array:
    words = np.ascontiguousarray(vector.words)
    if type.physical <= Physical.FLOAT:
        return pa.array(words, mask=vector.nulls)
    array = numeric.to_text(words, heap) if type.physical is Physical.DECIMAL else heap.decode(words)
    if vector.nulls is None:
        return array
    return array.take(pa.array(np.arange(len(words)), mask=vector.nulls))


def _in(array: pa.Array, type: SqlType, heap: Heap) -> Vector:
    nulls = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if type.physical <= Physical.FLOAT:
        return Vector(array.fill_null(0).to_numpy().copy(), nulls)
    if type.physical is Physical.DECIMAL:
        return Vector(numeric.from_text(array, heap)[0], nulls)
    return Vector(heap.intern_arrow(array), nulls)
