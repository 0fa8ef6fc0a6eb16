"""The statements: what the dialect makes of a client's text, before any name is resolved.

`span` is the statement's own text (without the semicolon) and where it starts in what the client sent.
"""

from typing import TypeAlias

from engine.sql.statement.connectors import (
    AlterAddSubsources,
    AlterSecret,
    CreateConnection,
    CreateCopy,
    CreateSecret,
    CreateSink,
    CreateSource,
    CreateViews,
    ValidateConnection,
)
from engine.sql.statement.data import (
    Copy,
    CopyFrom,
    Delete,
    Insert,
    Merge,
    SelectStatement,
    Subscribe,
    Truncate,
    Update,
)
from engine.sql.statement.definitions import (
    Acknowledge,
    AlterRename,
    AlterRenameColumn,
    AlterRenameConstraint,
    AlterRetain,
    AlterRole,
    AlterSetSchema,
    AlterSinkFrom,
    AlterSwap,
    AlterSystem,
    AlterTable,
    ApplyReplacement,
    CommentOn,
    CreateCluster,
    CreateDatabase,
    CreateDurableSubscription,
    CreateIndex,
    CreateRole,
    CreateSchema,
    CreateTable,
    CreateTableAs,
    CreateType,
    CreateView,
    Drop,
    DropClusters,
    DropRoles,
    Inert,
)
from engine.sql.statement.session import (
    CloseCursor,
    Deallocate,
    Declare,
    Discard,
    Execute,
    Explain,
    ExplainAnalyze,
    ExplainTimestamp,
    Fetch,
    Prepare,
    Raise,
    SetVariable,
    ShowCreate,
    ShowObjects,
    ShowVariable,
    Transaction,
)

SessionStatement: TypeAlias = Prepare | Execute | Deallocate | Declare | Fetch | CloseCursor
"""What a session answers by itself: the names in them are its own."""


CatalogStatement: TypeAlias = (
    CreateDatabase | CreateSchema | CreateTable | CreateTableAs | CreateView | CreateIndex | CreateSource | CreateType
    | Drop | CreateSecret | AlterSecret | CreateConnection | CreateSink | AlterRename | AlterRenameColumn | AlterTable
    | AlterRenameConstraint | AlterSetSchema | AlterSwap | ApplyReplacement | AlterSinkFrom | AlterRetain | CommentOn
    | CreateCluster | DropClusters | CreateRole | AlterRole | AlterSystem | DropRoles | CreateCopy | AlterAddSubsources
    | CreateViews | CreateDurableSubscription | Acknowledge
)  # fmt: skip
"""What changes the catalog."""


Statement: TypeAlias = (
    SelectStatement | Insert | Update | Delete | Merge | Truncate
    | CatalogStatement | ValidateConnection | Inert | Subscribe
    | Explain | ExplainAnalyze | ExplainTimestamp | Copy | CopyFrom | ShowObjects | ShowCreate | ShowVariable
    | SetVariable | Transaction | Discard | Raise
    | SessionStatement
)  # fmt: skip
