"""ALTER of names, and of what a sink is from: the same objects, otherwise called; and statements that mean nothing."""

from dataclasses import replace

from engine.catalog.items import Sink, Table
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.draft import Draft
from engine.coordinator.result import Notice, Result
from engine.sql.bound import (
    BoundInert,
    BoundRedefine,
)


def redefine(draft: Draft, bound: BoundRedefine) -> Result:
    """Items under their new names, and sinks from other relations; what else is computed does not change."""
    draft.rename(replace(draft.catalog.redefined(bound.items), databases=bound.databases, schemas=bound.schemas))
    for item in bound.items:
        if isinstance(item, Table):
            draft.later(item.id, lambda table=item: _known_as(draft.coordinator, table))
        elif isinstance(item, Sink):
            draft.later(item.id, lambda sink=item: draft.coordinator.sinks.redefine(sink))
    return Result(bound.tag, notices=tuple(map(Notice, bound.notices)))


def _known_as(coordinator: Coordinator, table: Table) -> None:
    """Errors of writes name its columns."""
    coordinator.tables[table.id] = table.columns
    coordinator.constraints.keep(table)


def inert(bound: BoundInert) -> Result:
    """Accepted, for clients that send it as a matter of course; that it does nothing is said."""
    return Result(bound.tag, notices=(Notice(f"{bound.tag} has no effect: {bound.reason.value}", "WARNING", "01000"),))
