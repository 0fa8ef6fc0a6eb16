"""ALTER ... SET (RETAIN HISTORY FOR ...): how much of their past objects keep."""

from dataclasses import replace
from typing import TypeGuard

from engine.catalog.items import Index, Item, Retaining, Source, SourceRelation
from engine.cluster.command import Retain
from engine.coordinator.ddl import history_of
from engine.coordinator.draft import Draft
from engine.coordinator.result import Notice, Result
from engine.sql.bound import BoundRetain


def retain(draft: Draft, bound: BoundRetain) -> Result:
    if bound.id is None:
        return Result(bound.tag, notices=(Notice("there is no such object, skipping"),))
    coordinator, item = draft.coordinator, draft.catalog.items[bound.id]
    assert isinstance(item, Retaining)
    along = [other for other in draft.catalog.items.values() if _goes_along(other, item.id)]
    changed = [replace(each, history_ms=bound.history_ms) for each in (item, *along)]
    changed[0] = replace(changed[0], create_sql=bound.create_sql)
    draft.catalog = draft.catalog.redefined(changed)
    history_ms = history_of(coordinator, bound.history_ms)
    held = [each.id for each in changed if not isinstance(each, Source) or each.columns]
    draft.later(item.id, lambda: coordinator.send(*(Retain(id, history_ms) for id in held)))
    return Result(bound.tag)


def _goes_along(item: Item, id: int) -> TypeGuard[Index | SourceRelation]:
    """Whether an item has the history of another: a relation of a source, the index of a constraint."""
    match item:
        case Index():
            return item.constraint and item.on == id
        case SourceRelation():
            return item.source == id and not item.create_sql
        case _:
            return False
