"""ALTER and COMMENT ON, and the names of the one cluster: changes of what is there, in the draft of a catalog."""

from dataclasses import replace
from typing import TypeGuard

from engine.catalog.items import Index, Item, Retaining, Sink, Source, SourceRelation, Table
from engine.cluster.command import Retain
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import history_of
from engine.coordinator.draft import Draft
from engine.coordinator.result import Notice, Result
from engine.durable.log import Log
from engine.sql.bound import (
    BoundComment,
    BoundCreateCluster,
    BoundDropClusters,
    BoundInert,
    BoundRedefine,
    BoundRenameCluster,
    BoundRetain,
)
from engine.sql.statement.definitions import Reason

COMMENT = "comment"
CLUSTER = "cluster"
"""Kinds of the log's facts: texts by their subject, and names."""


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
    coordinator.constraints.keep(table.id, table.columns, table.keys)


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


def comment(draft: Draft, bound: BoundComment) -> Result:
    kind, name, column = bound.subject
    draft.fact({(COMMENT, f"{kind} {column} {name}"): bound.text})
    draft.catalog = draft.catalog.commented(bound.subject, bound.text)
    return Result("COMMENT")


def create_cluster(draft: Draft, bound: BoundCreateCluster) -> Result:
    if bound.exists:
        return Result("CREATE CLUSTER", notices=(Notice(f'cluster "{bound.name}" already exists, skipping'),))
    draft.fact({(CLUSTER, bound.name): ""})
    draft.catalog = replace(draft.catalog, clusters=draft.catalog.clusters | {bound.name})
    return Result("CREATE CLUSTER", notices=(Notice(Reason.CLUSTERS.value),))


def rename_cluster(draft: Draft, bound: BoundRenameCluster) -> Result:
    draft.fact({(CLUSTER, bound.name): None, (CLUSTER, bound.new): ""})
    clusters = draft.catalog.clusters - {bound.name} | {bound.new}
    draft.catalog = replace(draft.catalog, clusters=clusters)
    text = draft.catalog.comments.get(("cluster", bound.name, 0))
    if text is not None:
        comment(draft, BoundComment(("cluster", bound.name, 0), None))
        comment(draft, BoundComment(("cluster", bound.new, 0), text))
    return Result("ALTER CLUSTER")


def drop_clusters(draft: Draft, bound: BoundDropClusters) -> Result:
    draft.fact({(CLUSTER, name): None for name in bound.names})
    draft.catalog = replace(draft.catalog, clusters=draft.catalog.clusters - frozenset(bound.names))
    notices = tuple(Notice(f'cluster "{name}" does not exist, skipping') for name in bound.missing)
    return Result("DROP CLUSTER", notices=notices)


def inert(bound: BoundInert) -> Result:
    """Accepted, for clients that send it as a matter of course; that it does nothing is said."""
    return Result(bound.tag, notices=(Notice(f"{bound.tag} has no effect: {bound.reason.value}", "WARNING", "01000"),))


def restore_facts(coordinator: Coordinator, log: Log) -> None:
    """The comments and the names of the cluster that the log has. After the items: those that went took theirs."""
    catalog = coordinator.catalog
    catalog = replace(catalog, clusters=catalog.clusters | log.facts(CLUSTER).keys())
    for subject, text in log.facts(COMMENT).items():
        kind, column, name = subject.split(" ", 2)
        if kind != "item" or int(name) in catalog.items:
            catalog = catalog.commented((kind, name, int(column)), text)
    coordinator.catalog = catalog
