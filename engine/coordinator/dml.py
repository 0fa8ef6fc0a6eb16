"""INSERT, UPDATE, DELETE and MERGE: a statement becomes one write, which commits in one tick.

What a statement reads it reads under the tick lock, so that nothing commits between its reads and its write. Constant
rows need no reads and go straight to the queue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.collection.batch import Batch
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.finishing import finish
from engine.coordinator.reads import Check
from engine.coordinator.result import Result
from engine.coordinator.snapshot import Snapshot, beneath
from engine.coordinator.ticks import Write
from engine.coordinator.upsert import resolved
from engine.errors import CardinalityViolation, NotNullViolation, UndefinedTable
from engine.plan.lower import with_finishing_as_topk
from engine.plan.relation import Constant, Finishing
from engine.sql.bound import BoundDelete, BoundInsert, BoundMerge, BoundUpdate
from engine.sql.resolved.rows import MergeAction
from engine.types import Column

BoundWrite = BoundInsert | BoundDelete | BoundUpdate | BoundMerge


@dataclass(frozen=True, slots=True)
class Change:
    """What a statement does to its table, how many rows its tag counts, and the rows of RETURNING."""

    delta: Batch
    rows: int
    returned: Batch | None


def is_blind(bound: BoundWrite) -> bool:
    """Whether the statement writes without reading: constant rows."""
    return (
        isinstance(bound, BoundInsert)
        and isinstance(bound.query.relation, Constant)
        and bound.query.finishing == Finishing()
        and bound.conflict is None
        and bound.answer is None
    )


def write(coordinator: Coordinator, bound: BoundWrite, check: Check) -> Result:
    """Commit a statement's changes; its tag counts the rows."""
    answer = Result("")
    snapshot = Snapshot(coordinator, check)

    def compute() -> Mapping[int, Batch]:
        nonlocal answer
        change = changes(snapshot, bound)
        answer = answered(coordinator, bound, change)
        return {bound.table: change.delta}

    if is_blind(bound):
        with coordinator.heap.pinned():
            queued = coordinator.ticks.put(Write(compute()))
        answer.timestamp = coordinator.ticks.commit(queued)
    else:
        # Before the tick lock is taken: what hydrates needs it to join.
        items = coordinator.catalog.items
        coordinator.wait_live(coordinator.holding_rows(beneath(items, bound.reads, items)), check)
        answer.timestamp = coordinator.ticks.commit_computed(compute)
    return answer


def write_all(coordinator: Coordinator, bounds: Sequence[BoundWrite], check: Check) -> int:
    """Commit the changes of statements about different tables in one tick; its timestamp."""
    snapshot = Snapshot(coordinator, check)
    return coordinator.ticks.commit_computed(lambda: {each.table: changes(snapshot, each).delta for each in bounds})


def answered(coordinator: Coordinator, bound: BoundWrite, change: Change) -> Result:
    """The answer to a statement: its tag, and the rows of RETURNING each by itself."""
    tagged = tag(bound, change.rows)
    if change.returned is None or isinstance(bound, BoundMerge):
        return Result(tagged, row_count=change.rows)
    types = tuple(column.type for column in bound.returning)
    rows = finish(change.returned, Finishing(), types, coordinator.heap, coordinator.options.result_rows_max)
    return coordinator.result(tagged, bound.returning, rows)


def changes(snapshot: Snapshot, bound: BoundWrite) -> Change:
    """What a statement does to its table, read by `snapshot`. With the heap pinned or under the tick lock: then nothing
    is swept meanwhile."""
    columns = snapshot.coordinator.tables.get(bound.table)
    if columns is None:
        raise UndefinedTable("the table that the statement writes to was dropped")
    width = len(columns)
    match bound:
        case BoundInsert():
            new = snapshot.rows(with_finishing_as_topk(bound.query))
            gone = None
            if bound.conflict is not None:
                check_not_null(new, columns)  # before a conflict drops the row or makes it another
                gone, new = resolved(snapshot, bound.table, bound.conflict, new, columns)
            check_not_null(new, columns)
            returned = None if bound.answer is None else snapshot.filled(bound.answer, new, columns)
            delta = new if gone is None else Batch.concat([gone.negate(), new]).consolidate()
            return Change(delta, int(new.diffs.sum()), returned)
        case BoundDelete():
            both = snapshot.rows(bound.relation)
            if bound.once:
                both = both.with_diffs(snapshot.counts(bound.table, both.project(range(width))))
            old = both.project(range(width))
            returned = both.project(range(width, both.columns)) if bound.returning else None
            return Change(old.negate(), int(old.diffs.sum()), returned)
        case BoundUpdate():
            both = snapshot.rows(bound.relation)
            if bound.once:
                both = both.with_diffs(snapshot.counts(bound.table, both.project(range(width))))
            old, new = both.project(range(width)), both.project(range(width, 2 * width))
            check_not_null(new, columns)
            returned = both.project(range(2 * width, both.columns)) if bound.returning else None
            delta = Batch.concat([old.negate(), new]).consolidate()
            return Change(delta, int(both.diffs.sum()), returned)
        case BoundMerge():
            return _merged(snapshot, bound, columns)


def _merged(snapshot: Snapshot, bound: BoundMerge, columns: Sequence[Column]) -> Change:
    """A row of the table may be changed once: all copies of one, by one row of the source."""
    width = len(columns)
    if bound.relation is None:
        return Change(Batch.empty(width), 0, None)
    rows = snapshot.rows(bound.relation).consolidate()
    rows = rows.take(rows.vector(0).words != MergeAction.NOTHING.value)
    action = rows.vector(0).words
    old = rows.project(range(1, 1 + width)).take(action != MergeAction.INSERT.value)
    new = rows.project(range(1 + width, 1 + 2 * width)).take(action != MergeAction.DELETE.value)
    check_not_null(new, columns)
    affected = old.consolidate()
    if np.any(affected.diffs > snapshot.counts(bound.table, affected)):
        raise CardinalityViolation(
            "MERGE command cannot affect row a second time",
            hint="Ensure that not more than one source row matches any one target row.",
        )
    return Change(Batch.concat([old.negate(), new]).consolidate(), int(rows.diffs.sum()), None)


def tag(bound: BoundWrite, rows: int) -> str:
    """PostgreSQL's command tag."""
    match bound:
        case BoundInsert():
            return f"INSERT 0 {rows}"
        case BoundDelete():
            return f"DELETE {rows}"
        case BoundUpdate():
            return f"UPDATE {rows}"
        case BoundMerge():
            return f"MERGE {rows}"


def check_not_null(batch: Batch, columns: Sequence[Column]) -> None:
    """Raises NotNullViolation for a NULL in a column that must not have one."""
    for i, column in enumerate(columns):
        if not column.nullable and np.any(batch.words[i >> 6] & np.uint64(1 << (i & 63))):
            raise NotNullViolation(f'null value in column "{column.name}" violates not-null constraint')
