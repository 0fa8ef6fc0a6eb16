"""What window functions take from the order of values, and from whole frames: the places of data among all that are
there, and aggregates that are put together anew for each distinct frame."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.batch import Batch, Words
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.dataflow.graph import Aggregate, Order
from engine.dataflow.operators.keyed import in_order
from engine.dataflow.operators.window_frames import Positions, Ranges
from engine.expr.aggregate import Kind
from engine.expr.window import WindowCall
from engine.kernels.accumulate import TARGET
from engine.kernels.compare import order_prefix
from engine.kernels.frames import sort_words
from engine.types import Physical, SqlType

Mask = NDArray[np.bool_]
EXACT: Final = frozenset({Physical.BOOLEAN, Physical.SIGNED, Physical.FLOAT})
"""Layouts whose order prefix is the order."""


def null_of(vector: Vector) -> Mask:
    """Where it is NULL."""
    return np.zeros(len(vector), np.bool_) if vector.nulls is None else vector.nulls


def order_of(columns: Sequence[Vector], physical: Physical, heap: Heap) -> tuple[Words, list[Positions]]:
    """The distinct values of those columns in their order, and the place of each datum among them; of a NULL, 0."""
    there = np.concatenate([~null_of(column) for column in columns])
    distinct, which = np.unique(np.concatenate([column.words for column in columns])[there], return_inverse=True)
    view = heap.view()
    prefixes = order_prefix(int(physical), distinct, *view)
    order = np.argsort(prefixes) if physical in EXACT else sort_words(int(physical), distinct, prefixes, *view)
    places = np.empty(len(distinct), np.int64)
    places[order] = np.arange(len(distinct))
    every = np.zeros(len(there), np.int64)
    every[there] = places[which.ravel()]
    return distinct[order], np.split(every, len(columns))


def of_frames(
    call: WindowCall, kind: Kind, ranges: Ranges, counted: Mask, columns: Sequence[Vector], row: Sequence[SqlType],
    heap: Heap,
) -> Vector:  # fmt: skip
    """string_agg and its like: every distinct frame is a group, its rows in the order within the call, then the
    window's. `counted`: the rows that FILTER lets through. O(rows of all frames)."""
    frames, which = np.unique(np.concatenate(ranges), axis=1, return_inverse=True)
    pieces, count = len(frames) // 2, frames.shape[1]
    begin, end = frames[:pieces].ravel(), frames[pieces:].ravel()
    sizes = end - begin
    at = np.repeat(begin - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
    groups = np.repeat(np.tile(np.arange(count, dtype=np.int32), pieces), sizes)
    at, groups = at[counted[at]], groups[counted[at]]
    read = [*call.columns, *(column for column, _, _ in call.within)]
    vectors = [*(columns[column].take(at) for column in read), whole(at)]
    width = len(call.columns)
    order = [Order(width + i, descending, first) for i, (_, descending, first) in enumerate(call.within)]
    aggregate = Aggregate(kind, tuple(range(width)), call.type, (*order, Order(len(read))))
    kinds = [*(row[column] for column in read), types.BIGINT]
    group = in_order(aggregate, kinds, 0, heap)
    records = np.zeros((count, 3), np.uint64)
    if len(at):
        group.add(Batch.from_vectors(vectors, np.ones(len(at), np.int64)), groups, records)
    shown = np.zeros((count, 3), np.uint64)  # NULL bit, value, status
    shown[:, 2] = 1
    every = np.arange(count)
    result = np.zeros(6, np.int64)
    result[TARGET] = 1
    group.show(every, every.astype(np.int32), result, shown)
    shown = shown[which.ravel()]
    errors = np.where(shown[:, 2] > 1, shown[:, 2] - np.uint64(1), np.uint64(0))
    return Vector(np.ascontiguousarray(shown[:, 1]), shown[:, 0] != 0, errors)


def whole(numbers: Positions) -> Vector:
    """bigint values."""
    return Vector(np.ascontiguousarray(numbers).view(np.uint64))
