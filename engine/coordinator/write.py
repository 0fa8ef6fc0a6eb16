"""Writes without SQL: rows in, one tick. The way of programs that feed tables, so it costs little beside the operators:
tuples are encoded one datum at a time, Arrow a column at a time, and nothing is parsed or planned."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.catalog.items import Table, kind
from engine.collection.arrow import from_arrow
from engine.collection.batch import Batch, null_words
from engine.collection.value import Value
from engine.collection.words import encode
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.dml import check_not_null
from engine.coordinator.ticks import Write
from engine.errors import DataError, InvalidParameter, WrongObjectType
from engine.expr.evaluate import Context, evaluate
from engine.expr.functions.casts import cast_function
from engine.expr.scalar import Call, Ref
from engine.expr.text_forms import RANGES
from engine.types import CastContext, Column, SqlType

Rows: TypeAlias = pa.Table | pa.RecordBatch | Sequence[tuple[Value, ...]]


def write(coordinator: Coordinator, table: str, rows: Rows, diffs: NDArray[np.int64] | Sequence[int] | None) -> int:
    """Commit rows to a table; the tick's timestamp. See Database.write."""
    item = coordinator.named(table)
    if not isinstance(item, Table):
        raise WrongObjectType(f'{kind(item)} "{table}" is not a table', hint="Only tables can be written to.")
    n = len(rows) if isinstance(rows, Sequence) else rows.num_rows
    counts = np.ones(n, np.int64) if diffs is None else np.array(diffs, np.int64)
    if len(counts) != n:
        raise InvalidParameter(f"{n} rows have {len(counts)} diffs")
    ticks = coordinator.ticks
    with coordinator.heap.pinned():
        batch = taken(coordinator, rows, item.columns, counts)
        check = diffs is not None and n > 0 and bool(counts.min() <= 0)
        queued = ticks.put(Write({item.id: batch.with_diffs(counts) if check else batch}, check))
    return ticks.commit(queued)


def taken(coordinator: Coordinator, rows: Rows, columns: tuple[Column, ...], counts: NDArray[np.int64]) -> Batch:
    """The rows as a batch that the table can take."""
    if isinstance(rows, Sequence):
        batch = encoded(coordinator, rows, columns, counts)
    else:
        if rows.num_columns != len(columns):
            raise InvalidParameter(f"the table has {len(columns)} columns, the rows {rows.num_columns}")
        vectors = from_arrow(rows, [column.type for column in columns], coordinator.heap)
        batch = Batch.from_vectors(vectors, counts)
    batch = modified(coordinator, batch, columns)
    check_not_null(batch, columns)
    return batch


def encoded(
    coordinator: Coordinator, rows: Sequence[tuple[Value, ...]], columns: tuple[Column, ...], counts: NDArray[np.int64]
) -> Batch:
    """Tuples as a batch. 1 µs a datum. InvalidParameter for a row of another length or a value of another type."""
    heap, leading = coordinator.heap, null_words(len(columns))
    words = np.zeros((leading + len(columns), len(rows)), np.uint64)
    for r, row in enumerate(rows):
        if len(row) != len(columns):
            raise InvalidParameter(f"row {r} has {len(row)} values, the table {len(columns)} columns")
        for c, (value, column) in enumerate(zip(row, columns, strict=True)):
            try:
                word, is_null = encode(value, column.type, heap)
                if value is not None and not fits(value, column.type):
                    raise ValueError("it is out of the type's range")
            except (TypeError, AttributeError, ValueError, OverflowError) as error:
                message = f'{value!r} does not fit column "{column.name}" of type {column.type}'
                raise InvalidParameter(message, detail=str(error)) from None
            if is_null:
                words[c >> 6, r] |= np.uint64(1 << (c & 63))
            else:
                words[leading + c, r] = word
    return Batch(words, counts, len(columns))


def modified(coordinator: Coordinator, batch: Batch, columns: tuple[Column, ...]) -> Batch:
    """The rows cast to what the columns' declarations say beyond their types: numeric(p, s), varchar(n), char(n)."""
    declared = {i: column.type for i, column in enumerate(columns) if column.type != column.type.plain}
    if not declared:
        return batch
    vectors = batch.vectors()
    for i, type in declared.items():
        cast = cast_function(type.plain, type, CastContext.ASSIGNMENT)
        assert cast is not None
        expression = Call(cast, (Ref(0, type.plain),), type)
        vectors[i] = evaluate(expression, [vectors[i]], len(batch), Context(coordinator.heap))
        errors = vectors[i].errors
        if errors is not None and errors.any():
            raise DataError.of(coordinator.heap.get(int(errors[errors != 0][0])).decode())
    return Batch.from_vectors(vectors, batch.diffs)


def fits(value: Value, type: SqlType) -> bool:
    """Whether an integer is in its type's range; any other value has been encoded, so it is."""
    if type.plain not in RANGES or not isinstance(value, int):
        return True
    low, high = RANGES[type.plain]
    return low <= value <= high
