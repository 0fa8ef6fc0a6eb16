"""Statements about what there is: CREATE, DROP, ALTER, roles; and those that mean nothing here."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from engine.sql.statement.data import EnvelopeClause, SelectStatement
from engine.sql.statement.parts import ColumnDefinition, KeyConstraint, ObjectKind, Option, Span
from engine.sql.syntax import Expression, Name, OrderItem, Query, TypeName


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    name: str
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CreateSchema:
    name: Name
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CreateTable:
    """`keys` has the columns' own too."""

    name: Name
    columns: tuple[ColumnDefinition, ...]
    keys: tuple[KeyConstraint, ...]
    temporary: bool
    if_not_exists: bool
    span: Span
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateTableAs:
    """CREATE TABLE name [(columns)] AS query [WITH [NO] DATA]. `columns` renames the query's; () keeps them."""

    name: Name
    columns: tuple[str, ...]
    statement: SelectStatement
    filled: bool
    temporary: bool
    if_not_exists: bool
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CreateView:
    """CREATE [OR REPLACE] [TEMPORARY] [MATERIALIZED] VIEW, or CREATE REPLACEMENT MATERIALIZED VIEW ... FOR. `columns`
    renames the query's; () keeps them. `recursive`: the query may read the view, as a WITH RECURSIVE of that name."""

    name: Name
    columns: tuple[str, ...]
    query: Query
    materialized: bool
    replace: bool
    temporary: bool
    if_not_exists: bool
    options: tuple[Option, ...]
    span: Span
    replacement_for: Name | None = None
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class CreateDurableSubscription:
    """CREATE DURABLE SUBSCRIPTION name {ON object | AS query}. `within` is WITHIN TIMESTAMP ORDER BY."""

    name: Name
    target: Name | Query
    envelope: EnvelopeClause | None
    within: tuple[OrderItem, ...]
    if_not_exists: bool
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """ACKNOWLEDGE DURABLE SUBSCRIPTION name UP TO timestamp."""

    name: Name
    up_to: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """CREATE INDEX [name] ON object [(expressions)]; DEFAULT INDEX when `keys` is None. Keys with their texts."""

    name: str | None
    on: Name
    keys: tuple[tuple[Expression, str], ...] | None
    if_not_exists: bool
    span: Span
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateType:
    """CREATE TYPE name AS LIST (...) | MAP (...) | (columns): `base` is "list" or "map", with options, or "" for a
    composite type with its columns."""

    name: Name
    base: str
    options: "tuple[tuple[str, TypeName], ...]"
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Drop:
    kind: ObjectKind
    names: tuple[Name, ...]
    if_exists: bool
    cascade: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CreateRole:
    """`user`: CREATE USER, who may log in. Options that say yes or no are booleans, PASSWORD is a text or None."""

    name: str
    options: tuple[Option, ...]
    user: bool
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class AlterRole:
    """`setting` is a variable and what sessions of the role begin with; a value None takes it back."""

    name: str
    options: tuple[Option, ...]
    setting: tuple[str, str | None] | None
    span: Span


@dataclass(frozen=True, slots=True)
class AlterSystem:
    """ALTER SYSTEM {SET variable = value | RESET variable | RESET ALL}: `name` "all" is every one; a value None takes
    it back."""

    name: str
    value: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class DropRoles:
    names: tuple[str, ...]
    if_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class AlterRename:
    """ALTER kind name RENAME TO new."""

    kind: ObjectKind
    name: Name
    new: str
    if_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class AlterRenameColumn:
    """ALTER kind name RENAME [COLUMN] column TO new. `at` is where the column is named."""

    kind: ObjectKind
    name: Name
    column: str
    new: str
    if_exists: bool
    at: int
    span: Span


@dataclass(frozen=True, slots=True)
class AddColumn:
    column: ColumnDefinition
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class DropColumn:
    name: str
    if_exists: bool
    cascade: bool
    at: int


@dataclass(frozen=True, slots=True)
class SetNotNull:
    """ALTER COLUMN name {SET | DROP} NOT NULL."""

    name: str
    not_null: bool
    at: int


@dataclass(frozen=True, slots=True)
class SetDefault:
    """ALTER COLUMN name SET DEFAULT expression; None: DROP DEFAULT."""

    name: str
    default: Expression | None
    default_sql: str
    at: int


@dataclass(frozen=True, slots=True)
class SetType:
    """ALTER COLUMN name [SET DATA] TYPE type [USING expression]; None: the value, cast."""

    name: str
    type: TypeName
    using: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class AddConstraint:
    key: KeyConstraint


@dataclass(frozen=True, slots=True)
class DropConstraint:
    name: str
    if_exists: bool
    at: int


TableAction: TypeAlias = AddColumn | DropColumn | SetNotNull | SetDefault | SetType | AddConstraint | DropConstraint


@dataclass(frozen=True, slots=True)
class AlterTable:
    """ALTER TABLE name action [, ...]: all of them, or none."""

    name: Name
    actions: tuple[TableAction, ...]
    if_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class AlterRenameConstraint:
    """ALTER TABLE name RENAME CONSTRAINT constraint TO new; `at` is where the constraint stands."""

    name: Name
    constraint: str
    new: str
    if_exists: bool
    at: int
    span: Span


@dataclass(frozen=True, slots=True)
class AlterSetSchema:
    kind: ObjectKind
    name: Name
    schema: Name
    if_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class ApplyReplacement:
    """ALTER MATERIALIZED VIEW name APPLY REPLACEMENT replacement."""

    name: Name
    replacement: Name
    if_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class AlterSwap:
    """ALTER kind name SWAP WITH other, which is in the same schema."""

    kind: ObjectKind
    name: Name
    other: str
    span: Span


@dataclass(frozen=True, slots=True)
class AlterRetain:
    """ALTER kind name {SET | RESET} (RETAIN HISTORY ...)."""

    kind: ObjectKind
    name: Name
    options: tuple[Option, ...]
    reset: bool
    if_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class AlterSinkFrom:
    """ALTER SINK name SET FROM relation."""

    name: Name
    relation: Name
    if_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CommentOn:
    """COMMENT ON kind name IS text; `column`: the last part of the name is a column. `text` None takes it away."""

    kind: ObjectKind
    name: Name
    column: bool
    text: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class CreateCluster:
    name: str
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class DropClusters:
    names: tuple[str, ...]
    if_exists: bool
    span: Span


class Reason(Enum):
    """Why a statement that is accepted does nothing."""

    PRIVILEGES = "privileges are not enforced: every role that may log in may read and change everything"
    CLUSTERS = "there is one cluster: its other names and its replicas are names only"
    CHANNELS = "nothing is ever notified"
    ENABLED = "every index is maintained from its creation on"


@dataclass(frozen=True, slots=True)
class Inert:
    """What clients of Materialize send and what means nothing here: GRANT, ALTER CLUSTER, ... `tag` says which."""

    tag: str
    reason: Reason
    span: Span
