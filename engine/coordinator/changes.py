"""What changes the catalog: from the bound statement to the draft of it."""

from typing import TypeAlias

from engine.coordinator import alter, clusters, ddl, roles
from engine.coordinator.comments import comment
from engine.coordinator.draft import Draft
from engine.coordinator.replacing import turn
from engine.coordinator.result import Result
from engine.coordinator.retention import retain
from engine.coordinator.secrets import alter_secret, create_connection, create_secret
from engine.coordinator.sinks import create_sink
from engine.coordinator.sources import create_copies, create_source, prepare, prepare_copies
from engine.coordinator.subscribing import acknowledge, create_durable_subscription
from engine.coordinator.system_variables import alter_system
from engine.coordinator.transaction import Transaction
from engine.sql.bound import (
    BoundAcknowledge,
    BoundAlterRole,
    BoundAlterSecret,
    BoundAlterSystem,
    BoundComment,
    BoundCreateCluster,
    BoundCreateConnection,
    BoundCreateCopies,
    BoundCreateDatabase,
    BoundCreateDurableSubscription,
    BoundCreateIndex,
    BoundCreateMaterializedView,
    BoundCreateRole,
    BoundCreateSchema,
    BoundCreateSecret,
    BoundCreateSink,
    BoundCreateSource,
    BoundCreateTable,
    BoundCreateType,
    BoundCreateView,
    BoundCreateViews,
    BoundDrop,
    BoundDropClusters,
    BoundDropRoles,
    BoundRedefine,
    BoundRenameCluster,
    BoundRetain,
    BoundTurn,
)

BoundChange: TypeAlias = (
    BoundCreateDatabase | BoundCreateSchema | BoundCreateTable | BoundCreateView | BoundCreateMaterializedView
    | BoundCreateIndex | BoundCreateType | BoundCreateSource | BoundCreateSecret | BoundCreateConnection
    | BoundAlterSecret | BoundAlterSystem | BoundCreateSink | BoundDrop | BoundCreateRole | BoundAlterRole
    | BoundDropRoles | BoundRedefine | BoundRetain | BoundTurn | BoundComment | BoundCreateCluster
    | BoundRenameCluster | BoundDropClusters | BoundCreateCopies | BoundCreateViews
    | BoundCreateDurableSubscription | BoundAcknowledge
)  # fmt: skip


def change(block: Transaction, draft: Draft, bound: BoundChange) -> Result:
    """Change a draft; outside of a block it is published at once, in a block with the rest of it."""
    answer = drafted(draft, bound)
    if block.status == "I":
        draft.publish()
    return answer


def drafted(draft: Draft, bound: BoundChange) -> Result:
    """Change a draft as a statement says."""
    match bound:
        case BoundCreateDatabase():
            return ddl.create_database(draft, bound)
        case BoundCreateSchema():
            return ddl.create_schema(draft, bound)
        case BoundCreateTable():
            return ddl.create_table(draft, bound)
        case BoundCreateView():
            return ddl.create_view(draft, bound)
        case BoundCreateMaterializedView():
            return ddl.create_materialized_view(draft, bound)
        case BoundCreateViews():
            made = [drafted(draft, view) for view in bound.views]
            return Result(bound.tag, notices=tuple(notice for each in made for notice in each.notices))
        case BoundCreateIndex():
            return ddl.create_index(draft, bound)
        case BoundCreateType():
            return ddl.create_type(draft, bound)
        case BoundCreateSource():
            return create_source(draft, bound, prepare(draft.coordinator, bound))
        case BoundCreateCopies():
            return create_copies(draft, bound, prepare_copies(draft.coordinator, draft.catalog, bound))
        case BoundCreateSecret():
            return create_secret(draft, bound)
        case BoundAlterSecret():
            return alter_secret(draft, bound)
        case BoundCreateConnection():
            return create_connection(draft, bound)
        case BoundCreateSink():
            return create_sink(draft, bound)
        case BoundCreateDurableSubscription():
            return create_durable_subscription(draft, bound)
        case BoundAcknowledge():
            return acknowledge(draft, bound)
        case BoundDrop():
            return ddl.drop(draft, bound)
        case BoundCreateRole():
            return roles.create_role(draft, bound)
        case BoundAlterRole():
            return roles.alter_role(draft, bound)
        case BoundAlterSystem():
            return alter_system(draft, bound)
        case BoundDropRoles():
            return roles.drop_roles(draft, bound)
        case BoundRedefine():
            return alter.redefine(draft, bound)
        case BoundRetain():
            return retain(draft, bound)
        case BoundTurn():
            return turn(draft, bound)
        case BoundComment():
            return comment(draft, bound)
        case BoundCreateCluster():
            return clusters.create_cluster(draft, bound)
        case BoundRenameCluster():
            return clusters.rename_cluster(draft, bound)
        case BoundDropClusters():
            return clusters.drop_clusters(draft, bound)
