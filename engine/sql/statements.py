"""The statements: what the dialect makes of a client's text, before any name is resolved.

`span` is the statement's own text (without the semicolon) and where it starts in what the client sent.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from engine.catalog.sources import (
    BytesFormat,
    Compression,
    CsvFormat,
    Envelope,
    HeaderColumn,
    HeaderFilter,
    Included,
    JsonFormat,
    Part,
    RegexFormat,
    TextFormat,
    WebhookBody,
)  # fmt: skip
from engine.sql.syntax import Expression, FromItem, Name, OrderItem, Query, SelectItem, TypeName


@dataclass(frozen=True, slots=True)
class Span:
    """`start` is the position of the first character of `text` in the client's text, from 1."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class AsOf:
    """`AS OF [AT LEAST] timestamp`."""

    timestamp: Expression
    at_least: bool


OptionValue: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Option:
    """`NAME = value` of a WITH or a parenthesised list; the name in lower case, words joined by blanks.

    `value` is a string, number, boolean or word as Python has it, several of them, or the Name of a secret; None when
    only the name stands there.
    """

    name: str
    value: OptionValue | tuple[OptionValue, ...] | Name | None
    at: int


class ObjectKind(Enum):
    """What DROP, SHOW and error messages call an object."""

    DATABASE = "database"
    SCHEMA = "schema"
    TABLE = "table"
    SOURCE = "source"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    INDEX = "index"
    TYPE = "type"
    CLUSTER = "cluster"
    ROLE = "role"
    SECRET = "secret"
    CONNECTION = "connection"
    SINK = "sink"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class SelectStatement:
    """SELECT, VALUES, TABLE or WITH."""

    query: Query
    as_of: AsOf | None
    span: Span


@dataclass(frozen=True, slots=True)
class Insert:
    """`columns` is () when no list was given."""

    table: Name
    alias: str | None
    columns: tuple[str, ...]
    query: Query | None  # None: DEFAULT VALUES
    conflict: "OnConflict | None"
    returning: tuple[SelectItem, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class OnConflict:
    """ON CONFLICT [(columns) | ON CONSTRAINT name] DO {NOTHING | UPDATE SET ... [WHERE ...]}.

    `columns` is () without a list; `assignments` is None for DO NOTHING.
    """

    columns: tuple[str, ...]
    constraint: str | None
    assignments: tuple[tuple[Name, Expression], ...] | None
    where: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class Update:
    table: Name
    alias: str | None
    assignments: tuple[tuple[Name, Expression], ...]
    from_: tuple[FromItem, ...]
    where: Expression | None
    returning: tuple[SelectItem, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Delete:
    table: Name
    alias: str | None
    using: tuple[FromItem, ...]
    where: Expression | None
    returning: tuple[SelectItem, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class KeyConstraint:
    """[CONSTRAINT name] {PRIMARY KEY | UNIQUE} (columns)."""

    name: str | None
    columns: tuple[str, ...]
    primary: bool
    at: int


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    name: str
    type: TypeName
    not_null: bool
    default: Expression | None
    default_sql: str
    keys: tuple[KeyConstraint, ...]  # on this column alone
    at: int


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
class CreateView:
    """CREATE [OR REPLACE] [TEMPORARY] [MATERIALIZED] VIEW. `columns` renames the query's; () keeps them."""

    name: Name
    columns: tuple[str, ...]
    query: Query
    materialized: bool
    replace: bool
    temporary: bool
    if_not_exists: bool
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """CREATE INDEX [name] ON object [(expressions)]; DEFAULT INDEX when `keys` is None."""

    name: str | None
    on: Name
    keys: tuple[Expression, ...] | None
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
class FromFile:
    """FROM FILE 'path' [COMPRESSION {NONE | GZIP}]."""

    path: str
    compression: Compression


@dataclass(frozen=True, slots=True)
class FromGenerator:
    """FROM LOAD GENERATOR kind (options) [FOR ALL TABLES]: `kind` in lower case."""

    kind: str
    options: tuple[Option, ...]
    for_all_tables: bool
    at: int


@dataclass(frozen=True, slots=True)
class FromKafka:
    """FROM KAFKA BROKER 'h:p, ..' TOPIC 't', or CONNECTION name (options), one of which is TOPIC."""

    connection: Name | None
    brokers: tuple[str, ...]
    topic: str | None
    options: tuple[Option, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Given:
    """{HEADERS | BODY | SECRET name} [AS name] [BYTES]: what a CHECK sees, and what it calls it."""

    what: Part | Name
    name: str
    binary: bool
    at: int


@dataclass(frozen=True, slots=True)
class FromWebhook:
    """FROM WEBHOOK BODY FORMAT f [INCLUDE ...] [CHECK ([WITH (given, ...)] condition)]."""

    body: WebhookBody
    headers: HeaderFilter | None
    named: tuple[HeaderColumn, ...]
    given: tuple[Given, ...]
    condition: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class RegistryClause:
    """CONFLUENT SCHEMA REGISTRY {CONNECTION name | 'url' [WITH (options)]} [SEED ...], a seed as (message, schema).

    `end` is where a SEED would stand.
    """

    connection: Name | None
    url: str | None
    options: tuple[Option, ...]
    key_seed: tuple[str, str] | None
    value_seed: tuple[str, str] | None
    at: int
    end: int


@dataclass(frozen=True, slots=True)
class AvroClause:
    """AVRO USING SCHEMA 'schema', or what a registry has."""

    schema: str | None
    registry: RegistryClause | None
    framed: bool
    at: int


@dataclass(frozen=True, slots=True)
class ProtobufClause:
    """PROTOBUF [MESSAGE 'm'] USING SCHEMA 'hexadecimal FileDescriptorSet', or what a registry has."""

    message: str | None
    schema: str | None
    registry: RegistryClause | None
    at: int


FormatClause: TypeAlias = (
    JsonFormat | TextFormat | BytesFormat | CsvFormat | RegexFormat | AvroClause | ProtobufClause
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CreateSource:
    """`columns` is () without a list; `format` is None for generators and webhooks. `key` is a promise, not checked.

    `infer` is where INFER stands: the columns are to be found in a sample, and the statement is printed, not run.
    """

    name: Name
    columns: tuple[ColumnDefinition, ...]
    key: KeyConstraint | None
    connector: FromFile | FromGenerator | FromKafka | FromWebhook
    key_format: FormatClause | None
    format: FormatClause | None
    included: tuple[Included, ...]
    envelope: Envelope
    materialized: bool
    if_not_exists: bool
    options: tuple[Option, ...]
    infer: tuple[int, int] | None
    span: Span


@dataclass(frozen=True, slots=True)
class CreateSecret:
    """`value` is a constant expression. Nothing may print `span`."""

    name: Name
    value: Expression
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CreateConnection:
    """`kind` in lower case: kafka, confluent schema registry."""

    name: Name
    kind: str
    options: tuple[Option, ...]
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class IntoKafka:
    """INTO KAFKA BROKER 'h:p' TOPIC 't', or CONNECTION name (options). `config` are the pairs of TOPIC CONFIG."""

    connection: Name | None
    brokers: tuple[str, ...]
    topic: str | None
    options: tuple[Option, ...]
    partition_by: Expression | None
    config: tuple[tuple[str, str], ...]
    at: int


@dataclass(frozen=True, slots=True)
class CreateSink:
    """`key` is None without one; `enforced`: it is to be proven. `envelope` in lower case."""

    name: Name
    on: Name
    into: IntoKafka
    key: tuple[str, ...] | None
    enforced: bool
    headers: str | None
    key_format: FormatClause | None
    format: FormatClause
    envelope: str
    if_not_exists: bool
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ValidateConnection:
    name: Name
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


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE or TAIL; `target` is an object's name or a query. `within` is WITHIN TIMESTAMP ORDER BY."""

    target: Name | Query
    options: tuple[Option, ...]
    as_of: AsOf | None
    up_to: Expression | None
    span: Span
    envelope: "EnvelopeClause | None" = None
    within: tuple[OrderItem, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvelopeClause:
    """ENVELOPE {UPSERT | DEBEZIUM} (KEY (columns))."""

    debezium: bool
    key: tuple[str, ...]
    at: int


class Stage(Enum):
    """What EXPLAIN shows: the query after binding, after decorrelation, after optimisation, and as a dataflow."""

    RAW = "raw"
    DECORRELATED = "decorrelated"
    OPTIMIZED = "optimized"
    PHYSICAL = "physical"


@dataclass(frozen=True, slots=True)
class Explain:
    """`target` is a query, or the view or materialized view of that name, or an index of one."""

    stage: Stage
    target: Query | Name
    span: Span


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY (query | SUBSCRIBE ...) TO STDOUT [WITH (FORMAT ...)]."""

    statement: "SelectStatement | Subscribe"
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CopyFrom:
    """COPY table [(columns)] FROM STDIN [WITH (options)]; `columns` is () without a list."""

    table: Name
    columns: tuple[str, ...]
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ShowObjects:
    """SHOW OBJECTS | TABLES | ..., as `what` in lower case, [FROM name] [LIKE pattern | WHERE condition]."""

    what: str
    from_: Name | None
    like: str | None
    where: Expression | None
    span: Span


@dataclass(frozen=True, slots=True)
class ShowCreate:
    kind: ObjectKind
    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class ShowVariable:
    """`name` in lower case; "all" for SHOW ALL."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class SetVariable:
    """`values` is None for SET x TO DEFAULT and RESET x. RESET ALL has the name "all"."""

    name: str
    values: tuple[str, ...] | None
    local: bool
    span: Span


class TransactionVerb(Enum):
    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"
    SAVEPOINT = "SAVEPOINT"
    RELEASE = "RELEASE"
    ROLLBACK_TO = "ROLLBACK TO"


@dataclass(frozen=True, slots=True)
class Transaction:
    """`savepoint` is the name that the last three verbs have."""

    verb: TransactionVerb
    span: Span
    savepoint: str = ""


@dataclass(frozen=True, slots=True)
class Discard:
    what: str
    span: Span


@dataclass(frozen=True, slots=True)
class Prepare:
    """PREPARE name [(types)] AS body. The body is text with `$n` in it, `types` the text of the first ones' types."""

    name: str
    types: tuple[str, ...]
    body: str
    span: Span


@dataclass(frozen=True, slots=True)
class Execute:
    """EXECUTE name [(arguments)]: the text of the expressions."""

    name: str
    arguments: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Deallocate:
    """`name` None: ALL."""

    name: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Declare:
    """DECLARE name [BINARY] CURSOR [WITH HOLD] FOR a query or a subscription."""

    name: str
    statement: "SelectStatement | Subscribe"
    span: Span
    binary: bool = False
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH count FROM name WITH (options); `count` None: ALL."""

    name: str
    count: int | None
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """`name` None: ALL."""

    name: str | None
    span: Span


SessionStatement: TypeAlias = Prepare | Execute | Deallocate | Declare | Fetch | CloseCursor
"""What a session answers by itself: the names in them are its own."""

CatalogStatement: TypeAlias = (
    CreateDatabase | CreateSchema | CreateTable | CreateView | CreateIndex | CreateSource | CreateType | Drop
    | CreateSecret | CreateConnection | CreateSink | AlterRename | AlterSwap | AlterRetain | CommentOn | CreateCluster
    | DropClusters | CreateRole | AlterRole | DropRoles
)  # fmt: skip
"""What changes the catalog."""

Statement: TypeAlias = (
    SelectStatement | Insert | Update | Delete | CatalogStatement | ValidateConnection | Inert | Subscribe | Explain
    | Copy | CopyFrom | ShowObjects | ShowCreate | ShowVariable | SetVariable | Transaction | Discard
    | SessionStatement
)  # fmt: skip
