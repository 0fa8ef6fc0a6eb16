"""ALTER and COMMENT ON, and the names of the one cluster: changes of what is there, in the catalog and in the log."""

from dataclasses import replace

from engine.catalog.items import Index, MaterializedView, Table
from engine.cluster.command import Retain
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import history_of
from engine.coordinator.result import Notice, Result
from engine.durable.log import Item as LogItem
from engine.durable.log import Log
from engine.sql.bound import (
    BoundComment,
    BoundCreateCluster,
    BoundDropClusters,
    BoundInert,
    BoundRedefine,
    BoundRetain,
)  # fmt: skip
from engine.sql.statement.definitions import Reason

COMMENT = "comment"
CLUSTER = "cluster"
"""Kinds of the log's facts: texts by their subject, and names."""


def redefine(coordinator: Coordinator, bound: BoundRedefine) -> Result:
    """Items under their new names; what is computed does not change."""
    catalog = replace(coordinator.catalog.redefined(bound.items), databases=bound.databases, schemas=bound.schemas)
    coordinator.oids.renamed(coordinator.catalog, catalog)
    if coordinator.log is not None:
        kept = [LogItem(item.id, item.create_sql) for item in bound.items if item.create_sql]
        schemas = [*((name, "") for name in bound.databases), *bound.schemas]
        coordinator.log.change(create=kept, schemas=schemas, facts=coordinator.oids.facts(catalog))
    coordinator.catalog = catalog
    return Result(bound.tag, notices=tuple(Notice(f'"{name}" does not exist, skipping') for name in bound.missing))


def retain(coordinator: Coordinator, bound: BoundRetain) -> Result:
    if bound.id is None:
        return Result(bound.tag, notices=(Notice("there is no such object, skipping"),))
    item = coordinator.catalog.items[bound.id]
    assert isinstance(item, Table | MaterializedView | Index)
    if coordinator.log is not None and not (isinstance(item, Table) and item.temporary):
        coordinator.log.change(create=[LogItem(item.id, bound.create_sql)])
    item = replace(item, history_ms=bound.history_ms, create_sql=bound.create_sql)
    coordinator.catalog = coordinator.catalog.redefined([item])
    coordinator.send(Retain(item.id, history_of(coordinator, bound.history_ms)))
    return Result(bound.tag)


def comment(coordinator: Coordinator, bound: BoundComment) -> Result:
    if coordinator.log is not None:
        kind, name, column = bound.subject
        coordinator.log.change(facts={(COMMENT, f"{kind} {column} {name}"): bound.text})
    coordinator.catalog = coordinator.catalog.commented(bound.subject, bound.text)
    return Result("COMMENT")


def create_cluster(coordinator: Coordinator, bound: BoundCreateCluster) -> Result:
    if bound.exists:
        return Result("CREATE CLUSTER", notices=(Notice(f'cluster "{bound.name}" already exists, skipping'),))
    if coordinator.log is not None:
        coordinator.log.change(facts={(CLUSTER, bound.name): ""})
    catalog = coordinator.catalog
    coordinator.catalog = replace(catalog, clusters=catalog.clusters | {bound.name})
    return Result("CREATE CLUSTER", notices=(Notice(Reason.CLUSTERS.value),))


def drop_clusters(coordinator: Coordinator, bound: BoundDropClusters) -> Result:
    if coordinator.log is not None:
        coordinator.log.change(facts={(CLUSTER, name): None for name in bound.names})
    catalog = coordinator.catalog
    coordinator.catalog = replace(catalog, clusters=catalog.clusters - frozenset(bound.names))
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
