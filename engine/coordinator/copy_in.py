"""COPY ... FROM STDIN: the client's data become rows as they come, and commit in one tick when the last is there.

Law   Nothing is applied before all of it is: an error, or a client that gives up, leaves the table as it was. Until
      then the rows are held as words, and the data are not held at all.
Cost  O(bytes); 8 bytes a datum are held, and each distinct text once.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NoReturn

import numpy as np

from engine.collection.batch import Batch
from engine.collection.vector import Vector
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.copy_cut import Block, Cutter, shown
from engine.coordinator.copy_values import Fields, column_of
from engine.coordinator.reads import Check
from engine.coordinator.result import Result
from engine.coordinator.ticks import Write
from engine.coordinator.transaction import Transaction
from engine.errors import DataError, LimitExceeded, NotNullViolation, SqlError, UndefinedTable
from engine.expr.evaluate import Context, evaluate
from engine.expr.scalar import Scalar
from engine.plan.relation import Map, Project, Relation
from engine.plan.scalars import is_plain
from engine.sql.bound import BoundCopyFrom
from engine.types import Column

HELD_BYTES_MAX: Final = 1 << 30
"""Of the words of one COPY's rows: they are held until the last has come."""


def copy_from(
    coordinator: Coordinator, block: Transaction, bound: BoundCopyFrom, chunks: Iterable[bytes], check: Check
) -> Result:
    """Insert the rows that the chunks hold, in the transaction if there is one. Raises what is wrong with the first bad
    row, and what `chunks` raises."""
    columns = coordinator.tables.get(bound.table)
    if columns is None:
        raise UndefinedTable("the table that the statement writes to was dropped")
    return inserted(coordinator, block, bound, len(columns), batches(coordinator, bound, columns, chunks, check))


def inserted(
    coordinator: Coordinator, block: Transaction, bound: BoundCopyFrom, width: int, parts: Iterable[Result]
) -> Result:
    """Insert the rows of all parts, in the transaction if there is one."""
    # Results, because a sweep must see the rows: the heap is pinned only while some of them are read.
    held, size = list[Result](), 0
    for batch in parts:
        held.append(batch)
        assert batch.batch is not None
        size += batch.batch.words.nbytes
        if size > HELD_BYTES_MAX:
            raise LimitExceeded(f"the rows of one COPY have more than {HELD_BYTES_MAX} bytes", hint="Send it in parts.")
    with coordinator.heap.pinned():
        rows = Batch.concat([Batch.empty(width), *(part.batch for part in held if part.batch is not None)])
        held.clear()
        answer = Result(f"COPY {len(rows)}", row_count=len(rows))
        if block.status == "I":
            queued = coordinator.ticks.put(Write({bound.table: rows}))
        else:
            block.write(coordinator, bound.table, rows)
            return answer
    answer.timestamp = coordinator.ticks.commit(queued)
    return answer


def batches(
    coordinator: Coordinator, bound: BoundCopyFrom, columns: tuple[Column, ...], chunks: Iterable[bytes], check: Check
) -> Iterator[Result]:
    """The table's rows, some at a time."""
    cutter = Cutter(bound.form, bound.name, tuple(column.name for column in bound.given))
    scalars, picked = computed(bound.rows.relation, len(bound.given))
    context = Context(coordinator.heap)
    for block in cutter.blocks(chunks):
        check()
        n = len(block.lines)
        with coordinator.heap.pinned():
            vectors = [column_of(block, i, cutter, given, context) for i, given in enumerate(bound.given)]
            for scalar in scalars:
                vectors.append(evaluate(scalar, vectors, n, context))
            row = [vectors[i] for i in picked]
            refuse(coordinator, block, cutter, row, columns)
            yield coordinator.result("", columns, Batch.from_vectors(row, np.ones(n, np.int64)))


def computed(relation: Relation, width: int) -> tuple[Sequence[Scalar], Sequence[int]]:
    """The table's row over the `width` columns given: what is computed behind them, and which of all are taken."""
    columns: Sequence[int] | None = None
    if isinstance(relation, Project):
        relation, columns = relation.input, relation.columns
    scalars = [scalar for scalar in relation.scalars if is_plain(scalar)] if isinstance(relation, Map) else []
    assert not isinstance(relation, Map) or len(scalars) == len(relation.scalars), "a settled row is plain"
    return scalars, range(width + len(scalars)) if columns is None else columns


def refuse(
    coordinator: Coordinator, block: Block, cutter: Cutter, row: Sequence[Vector], columns: Sequence[Column]
) -> None:
    """Raises for the first row that failed in some column, or has no value where it must have one."""
    found: list[tuple[int, int, int]] = []
    """(row, place of the column among those given, column)"""
    for i, (vector, column) in enumerate(zip(row, columns, strict=True)):
        place = cutter.names.index(column.name) if column.name in cutter.names else len(cutter.names)
        if vector.errors is not None and vector.errors.any():
            found.append((int(np.flatnonzero(vector.errors)[0]), place, i))
        if vector.nulls is not None and not column.nullable and vector.nulls.any():
            found.append((int(np.flatnonzero(vector.nulls)[0]), len(cutter.names) + 1, i))
    if not found:
        return
    at, place, i = min(found)
    if place > len(cutter.names):
        message = f'null value in column "{columns[i].name}" violates not-null constraint'
        raise NotNullViolation(message, where=cutter.where(int(block.lines[at]), None, line_of(block, at, cutter)))
    errors = row[i].errors
    assert errors is not None
    error = DataError.of(coordinator.heap.get(int(errors[at])).decode())
    blame(error, block, at, cutter, columns[i].name, place)


def blame(error: SqlError, block: Block, row: int, cutter: Cutter, name: str, place: int) -> NoReturn:
    """Raises the error with the line, the column and the text that it is about."""
    value = None
    if place < len(cutter.names) and not cutter.form.binary:
        one = Block(
            block.data, block.begins[row : row + 1], block.ends[row : row + 1], block.marks[row : row + 1],
            block.lines[row : row + 1],
        )  # fmt: skip
        (value,) = Fields(one, place, cutter).raw().to_pylist() or [None]
    error.where = cutter.where(int(block.lines[row]), name, None if value is None else shown(value))
    raise error


def line_of(block: Block, row: int, cutter: Cutter) -> str | None:
    """The row as it was sent."""
    if cutter.form.binary or not cutter.names:
        return None
    return shown(block.data[int(block.begins[row, 0]) : int(block.ends[row, -1])].tobytes())
