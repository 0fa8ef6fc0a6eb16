"""What happens to the rows of a top-level SELECT outside the dataflow: sorted, cut, projected, each row by itself."""

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.collection.wanted import ask
from engine.dataflow.graph import Order
from engine.errors import DataError, LimitExceeded
from engine.expr.evaluate import Context
from engine.expr.functions.comparable import comparable, ordered_by_key
from engine.expr.functions.intervals import lengths
from engine.expr.functions.planner import MINUS_ZERO
from engine.kernels.compare import order_prefix
from engine.kernels.frames import sort_words
from engine.kernels.rows import take_rows
from engine.plan.relation import Finishing
from engine.types import Physical, SqlType

Words = NDArray[np.uint64]


def finish(batch: Batch, finishing: Finishing, types: tuple[SqlType, ...], heap: Heap, rows_max: int | None) -> Batch:
    """The rows of an answer in their order, each by itself with diff 1. O(n log n) with an ORDER BY, else O(n).

    LimitExceeded when they are more than `rows_max`; DataError when a row counts below zero, which only rows taken away
    that never were can cause.
    """
    if len(batch) and int(batch.diffs.min()) < 0:
        raise DataError("invalid data in source: a row was retracted more often than it was inserted")
    whole = np.all(batch.diffs == 1)
    total = len(batch) if whole else int(batch.diffs.sum())
    end = total if finishing.limit is None else min(total, finishing.offset + finishing.limit)
    if rows_max is not None and end - finishing.offset > rows_max:
        raise LimitExceeded(
            f"the result has {end - finishing.offset} rows, more than result_rows_max ({rows_max})",
            hint="Use LIMIT, SUBSCRIBE, or raise result_rows_max.",
        )
    order = sort(batch, finishing.order, types, heap) if finishing.order else None
    ask()
    if not whole:
        rows = np.arange(len(batch)) if order is None else order
        order = np.repeat(rows, batch.diffs[rows])
    if finishing.offset or end < total:
        order = np.arange(total) if order is None else order
        order = order[finishing.offset : end]
    if order is not None:
        words = take_rows(batch.words, np.ascontiguousarray(order, np.int64))
        batch = Batch(words, np.ones(len(order), np.int64), batch.columns)
    return batch if finishing.project is None else batch.project(finishing.project)


def sort(batch: Batch, order: tuple[Order, ...], types: tuple[SqlType, ...], heap: Heap) -> NDArray[np.int64]:
    """The row numbers in order; ties in the order they have."""
    keys: list[NDArray] = []
    for item in order:
        ask()
        vector = batch.vector(item.column)
        rank = ranks(vector.words, types[item.column], heap)
        if item.descending:
            rank = ~rank
        if vector.nulls is not None:
            keys.append(~vector.nulls if item.nulls_first else vector.nulls)
            rank = np.where(vector.nulls, np.uint64(0), rank)
        keys.append(rank)
    ask()
    return np.lexsort(keys[::-1])  # its last key is the first to sort by


def ranks(words: Words, type: SqlType, heap: Heap) -> Words:
    """Numbers that are in the order of the words' values, equal where the values are. O(n), or O(n log n)."""
    words, physical = np.ascontiguousarray(words), type.physical
    if type.nesting is not None and ordered_by_key(type):
        words = comparable(type).kernel(Context(heap), (Vector(words),), type).words
    if physical is Physical.FLOAT:
        words = np.where(words == MINUS_ZERO, np.uint64(0), words)
    if physical is Physical.INTERVAL:
        _, rank = np.unique(np.stack(lengths(words, heap), axis=1), axis=0, return_inverse=True)
        return rank.reshape(-1).astype(np.uint64)
    if physical <= Physical.FLOAT:
        return order_prefix(int(physical), words, *heap.view())
    distinct, which = np.unique(words, return_inverse=True)
    ask()
    if physical is Physical.BYTES:
        order = pc.call_function("sort_indices", [heap.decode(distinct)]).to_numpy().astype(np.int64)
    else:
        view = heap.view()
        order = sort_words(int(physical), distinct, order_prefix(int(physical), distinct, *view), *view)
    rank = np.empty(len(distinct), np.uint64)
    rank[order] = np.arange(len(distinct), dtype=np.uint64)
    return rank[which]
