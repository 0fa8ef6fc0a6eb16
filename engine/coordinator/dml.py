"""INSERT, UPDATE and DELETE: a statement becomes one write, which commits in one tick.

What a statement reads it reads under the tick lock, so that nothing commits between its reads and its write. Constant
rows need no reads and go straight to the queue.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.collection.batch import Batch
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.reads import Check, rows_of
from engine.coordinator.result import Result
from engine.coordinator.ticks import Write
from engine.errors import NotNullViolation, UndefinedTable
from engine.plan.lower import with_finishing_as_topk
from engine.plan.relation import Constant, Finishing
from engine.sql.bound import BoundDelete, BoundInsert, BoundUpdate
from engine.types import Column

BoundWrite = BoundInsert | BoundDelete | BoundUpdate


def is_blind(bound: BoundWrite) -> bool:
    """Whether the statement writes without reading: constant rows."""
    return (
        isinstance(bound, BoundInsert)
        and isinstance(bound.query.relation, Constant)
        and bound.query.finishing == Finishing()
    )


def write(coordinator: Coordinator, bound: BoundWrite, check: Check) -> Result:
    """Commit a statement's changes; its tag counts the rows."""
    rows = 0

    def compute() -> Mapping[int, Batch]:
        nonlocal rows
        delta, rows = changes(coordinator, bound, check)
        return {bound.table: delta}

    if is_blind(bound):
        with coordinator.heap.pinned():
            queued = coordinator.ticks.put(Write(compute()))
        timestamp = coordinator.ticks.commit(queued)
    else:
        timestamp = coordinator.ticks.commit_computed(compute)
    return Result(tag(bound, rows), timestamp=timestamp, row_count=rows)


def changes(coordinator: Coordinator, bound: BoundWrite, check: Check) -> tuple[Batch, int]:
    """What a statement does to its table as of now, and how many rows it counts. With the heap pinned or under the tick
    lock: then nothing is swept meanwhile."""
    columns = coordinator.tables.get(bound.table)
    if columns is None:
        raise UndefinedTable("the table that the statement writes to was dropped")
    match bound:
        case BoundInsert():
            new = rows_of(coordinator, with_finishing_as_topk(bound.query), check)
            check_not_null(new, columns)
            return new, int(new.diffs.sum())
        case BoundDelete():
            old = rows_of(coordinator, bound.relation, check)
            return old.negate(), int(old.diffs.sum())
        case BoundUpdate():
            both = rows_of(coordinator, bound.relation, check)
            width = len(columns)
            old, new = both.project(range(width)), both.project(range(width, 2 * width))
            check_not_null(new, columns)
            return Batch.concat([old.negate(), new]).consolidate(), int(both.diffs.sum())


def tag(bound: BoundWrite, rows: int) -> str:
    """PostgreSQL's command tag."""
    match bound:
        case BoundInsert():
            return f"INSERT 0 {rows}"
        case BoundDelete():
            return f"DELETE {rows}"
        case BoundUpdate():
            return f"UPDATE {rows}"


def check_not_null(batch: Batch, columns: Sequence[Column]) -> None:
    """Raises NotNullViolation for a NULL in a column that must not have one."""
    for i, column in enumerate(columns):
        if not column.nullable and np.any(batch.words[i >> 6] & np.uint64(1 << (i & 63))):
            raise NotNullViolation(f'null value in column "{column.name}" violates not-null constraint')
