"""The names of the one cluster."""

from dataclasses import replace
from typing import Final

from engine.coordinator.comments import comment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.draft import Draft
from engine.coordinator.result import Notice, Result
from engine.durable.log import Log
from engine.sql.bound import BoundComment, BoundCreateCluster, BoundDropClusters, BoundRenameCluster
from engine.sql.statement.definitions import Reason

KIND: Final = "cluster"
"""The kind of the log's facts: names."""


def create_cluster(draft: Draft, bound: BoundCreateCluster) -> Result:
    if bound.exists:
        return Result("CREATE CLUSTER", notices=(Notice(f'cluster "{bound.name}" already exists, skipping'),))
    draft.fact({(KIND, bound.name): ""})
    draft.catalog = replace(draft.catalog, clusters=draft.catalog.clusters | {bound.name})
    return Result("CREATE CLUSTER", notices=(Notice(Reason.CLUSTERS.value),))


def rename_cluster(draft: Draft, bound: BoundRenameCluster) -> Result:
    draft.fact({(KIND, bound.name): None, (KIND, bound.new): ""})
    clusters = draft.catalog.clusters - {bound.name} | {bound.new}
    draft.catalog = replace(draft.catalog, clusters=clusters)
    text = draft.catalog.comments.get(("cluster", bound.name, 0))
    if text is not None:
        comment(draft, BoundComment(("cluster", bound.name, 0), None))
        comment(draft, BoundComment(("cluster", bound.new, 0), text))
    return Result("ALTER CLUSTER")


def drop_clusters(draft: Draft, bound: BoundDropClusters) -> Result:
    draft.fact({(KIND, name): None for name in bound.names})
    draft.catalog = replace(draft.catalog, clusters=draft.catalog.clusters - frozenset(bound.names))
    notices = tuple(Notice(f'cluster "{name}" does not exist, skipping') for name in bound.missing)
    return Result("DROP CLUSTER", notices=notices)


def restore_clusters(coordinator: Coordinator, log: Log) -> None:
    """The names that the log has."""
    catalog = coordinator.catalog
    coordinator.catalog = replace(catalog, clusters=catalog.clusters | log.facts(KIND).keys())
