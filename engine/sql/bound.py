"""Bound statements: every name resolved, every expression typed; what the coordinator sequences.

`bind(statement, context)` (engine/sql/binder.py) makes one from each statement and changes nothing. Ids are the
catalog's.
"""

from typing import TypeAlias

from engine.sql.resolved.definitions import (
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
    BoundCreateTableAs,
    BoundCreateType,
    BoundCreateView,
    BoundCreateViews,
    BoundDrop,
    BoundDropClusters,
    BoundDropRoles,
    BoundRedefine,
    BoundRenameCluster,
    BoundReshape,
    BoundRetain,
    BoundTurn,
)
from engine.sql.resolved.rows import (
    BoundCopy,
    BoundCopyFrom,
    BoundDelete,
    BoundInsert,
    BoundMerge,
    BoundSelect,
    BoundSubscribe,
    BoundTruncate,
    BoundUpdate,
)
from engine.sql.resolved.session import (
    BoundDiscard,
    BoundExplain,
    BoundExplainTimestamp,
    BoundInert,
    BoundRaise,
    BoundSet,
    BoundShowVariable,
    BoundTransaction,
    BoundValidateConnection,
)

Bound: TypeAlias = (
    BoundSelect | BoundInsert | BoundDelete | BoundUpdate | BoundMerge | BoundTruncate
    | BoundCreateDatabase | BoundCreateSchema
    | BoundCreateTable | BoundCreateTableAs | BoundCreateView | BoundCreateViews
    | BoundCreateMaterializedView | BoundCreateIndex | BoundCreateSource | BoundCreateType | BoundDrop
    | BoundCreateSecret | BoundAlterSecret | BoundCreateConnection | BoundCreateSink | BoundCreateCopies
    | BoundValidateConnection
    | BoundCreateRole | BoundAlterRole | BoundAlterSystem | BoundDropRoles | BoundRedefine | BoundReshape
    | BoundRetain | BoundTurn
    | BoundComment | BoundCreateCluster | BoundRenameCluster | BoundDropClusters | BoundInert | BoundSubscribe
    | BoundExplain
    | BoundExplainTimestamp | BoundCopy | BoundCopyFrom | BoundShowVariable | BoundSet | BoundTransaction | BoundDiscard
    | BoundRaise | BoundCreateDurableSubscription | BoundAcknowledge
)  # fmt: skip
