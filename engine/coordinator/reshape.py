"""ALTER TABLE that changes rows, or what is promised of them: the table is made anew, and what depends on it follows.

    the rows of the old table, as the new one has them      read as of the transaction's tick
    the old table and all above it leave the draft          with their ids
    the new table, and all above it again                   bound against the draft, with ids of their own
    the rows                                                a write of the transaction, to the new table

So it is a CREATE TABLE AS, DROP and CREATE VIEW in one transaction and commits as those would: at one tick, with the
log, or not at all. Others read the old table until then. Cost: O(rows), and what depends on it hydrates again.
"""

from engine.catalog.catalog import Catalog
from engine.catalog.items import Index, Item, Table
from engine.coordinator.changes import drafted
from engine.coordinator.comments import comment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.dml import check_not_null
from engine.coordinator.draft import Draft
from engine.coordinator.reads import Check
from engine.coordinator.result import Notice, Result
from engine.coordinator.transaction import Transaction
from engine.errors import DependentObjects, NotNullViolation, SerializationFailure
from engine.sql.binding.context import Context
from engine.sql.binding.dependents import Moved, again, unmoved
from engine.sql.bound import BoundComment, BoundReshape

TAG = "ALTER TABLE"


def reshape(
    coordinator: Coordinator, block: Transaction, bound: BoundReshape, context: Context, check: Check
) -> Result:
    """Under the tick lock. Outside of a block it is one by itself, which begins anew where others wrote meanwhile."""
    if block.status != "I":
        return _reshape(coordinator, block, bound, context, check)
    while True:
        coordinator.ticks.run_queued()
        block.begin(implicit=True)
        answer = _reshape(coordinator, block, bound, context, check)
        try:
            block.end(coordinator, True)
        except SerializationFailure:
            continue
        return answer


def _reshape(
    coordinator: Coordinator, block: Transaction, bound: BoundReshape, context: Context, check: Check
) -> Result:
    with coordinator.heap.pinned():
        snapshot = block.snapshot(coordinator, check, frozenset({bound.old}))
        rows = snapshot.rows(bound.rows)
        try:
            check_not_null(rows, bound.table.columns)
        except NotNullViolation as error:
            raise NotNullViolation(f'relation "{bound.table.name.item}" has rows that cannot be kept: {error.message}',
                                   hint="UPDATE them first, or give the column a DEFAULT.") from None  # fmt: skip
        draft = block.drafted(coordinator)
        made = _made_anew(draft, bound, context)
        block.writes.pop(bound.old, None)
        block.write(coordinator, made.id, rows)
    return Result(TAG, notices=tuple(Notice(text) for text in bound.notices))


def _made_anew(draft: Draft, bound: BoundReshape, context: Context) -> Table:
    """The table in the place of the old one, and what depends on it; the table."""
    before = draft.catalog
    old = before.items[bound.old]
    assert isinstance(old, Table)
    above = [before.items[id] for id in before.above([old.id]) if id != old.id]
    draft.drop(before.drop_order([old], cascade=True))
    drafted(draft, bound.table)
    table = draft.catalog.named(old.name)
    assert isinstance(table, Table)
    moved = {old.id: Moved(old, table, bound.places)}
    lost: dict[int, DependentObjects] = {}
    for item in above:
        if _goes_along(item, bound):
            continue
        if item.depends_on & lost.keys():
            lost[item.id] = DependentObjects("")
            continue
        try:
            found = again(item, before, draft.catalog, moved, context)
        except DependentObjects as error:
            lost[item.id] = error
            continue
        drafted(draft, found)
        new = draft.catalog.named(item.name)
        assert new is not None
        moved[item.id] = unmoved(item, new)
    if lost and not bound.cascade:
        first = next(iter(lost.values()))
        raise DependentObjects(
            f'cannot alter table "{old.name.item}": {first.message}',
            detail=first.detail,
            hint="DROP the dependent objects first; DROP COLUMN ... CASCADE drops them too.",
        )
    _comment(draft, before, moved)
    return table


def _goes_along(item: Item, bound: BoundReshape) -> bool:
    """An index of the table that is its constraint's, or of a column that goes."""
    if not isinstance(item, Index) or item.on != bound.old:
        return False
    columns = {column for column in item.key if column < len(bound.places)}
    for each in item.expressions:
        columns |= each.scalar.reads
    return item.constraint or any(bound.places[column] is None for column in columns)


def _comment(draft: Draft, before: Catalog, moved: dict[int, Moved]) -> None:
    """The comments on what was made again go on."""
    for (kind, name, column), text in before.comments.items():
        move = moved.get(int(name)) if kind == "item" else None
        if move is None:
            continue
        place = move.places[column - 1] if column else -1
        if place is not None:
            comment(draft, BoundComment(("item", str(move.new.id), place + 1), text))
