"""Bound statements: every name resolved, every expression typed; what the coordinator sequences.

`bind(statement, context)` (engine/sql/binder.py) makes one from each statement and changes nothing. Ids are the
catalog's. A form that creates an item holds all of the item but its id.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from engine.catalog.connections import ConnectionDescription, StoreConnection
from engine.catalog.items import Item, QualifiedName, UniqueKey
from engine.catalog.roles import Role
from engine.catalog.sinks import KafkaSink
from engine.catalog.sources import Compression, Description
from engine.catalog.upstream import Selected, UpstreamTable
from engine.dataflow.graph import Order, Plan
from engine.plan.explaining.options import Shown
from engine.plan.relation import BoundScalar, Query, Relation
from engine.sql.statement.definitions import Reason
from engine.sql.statement.parts import ObjectKind
from engine.sql.statement.session import Stage, TransactionVerb
from engine.types import Column, SqlType


@dataclass(frozen=True, slots=True)
class BoundAsOf:
    """A timestamp in milliseconds; with `at_least` the first one not before it that can be read."""

    timestamp: int
    at_least: bool


@dataclass(frozen=True, slots=True)
class BoundSelect:
    """Run `query` once. `columns` name and type what comes out (after `query.finishing.project`).

    `reads` are the ids of the items named, views included. `unsettled`: what is the moment's (parameters, session
    functions, system relations) is still to be put in (binding/settling.py); so in the other statements.
    """

    query: Query
    columns: tuple[Column, ...]
    reads: frozenset[int]
    as_of: BoundAsOf | None = None
    unsettled: bool = False
    plan: Plan | None = None  # its dataflow, where it was planned before
    assigned: tuple[tuple[str, str, bool], ...] = ()  # variables that it assigns by set_config(), and whether LOCAL
    pauses: tuple[float, ...] = ()  # seconds that it waits before it runs, by mz_sleep()


@dataclass(frozen=True, slots=True)
class Over:
    """A relation over rows that only running the statement gives: they are its Local(`id`)."""

    id: int
    relation: Relation


@dataclass(frozen=True, slots=True)
class BoundConflict:
    """ON CONFLICT. `keys` are the sets of columns (in ascending order) in which a row that is there is in the way.

    `update` is over rows of the old row's columns and then the excluded row's; it has a row of the old row's columns
    and then the new row's for each that is to be updated. None: DO NOTHING.
    """

    keys: tuple[tuple[int, ...], ...]
    update: Over | None


@dataclass(frozen=True, slots=True)
class BoundInsert:
    """Insert the rows of `query`, which has exactly the table's columns. When `query.relation` is a Constant its rows
    are the rows to insert, cast and complete: nothing is left to evaluate. `answer` is RETURNING, over the new rows."""

    table: int
    query: Query
    reads: frozenset[int]
    conflict: BoundConflict | None = None
    answer: Over | None = None
    returning: tuple[Column, ...] = ()
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class BoundDelete:
    """Delete the rows of `relation`: rows of the table, with their multiplicities, then the columns of RETURNING.

    `once`: a row may come for many of its copies or for one, and goes with all of its copies.
    """

    table: int
    relation: Relation
    reads: frozenset[int]
    once: bool = False
    returning: tuple[Column, ...] = ()
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class BoundTruncate:
    """The rows of several tables go, in one tick. No two are of one table."""

    deletes: tuple[BoundDelete, ...]


@dataclass(frozen=True, slots=True)
class BoundUpdate:
    """Each row of `relation` is the old row's columns, the new row's, and those of RETURNING. `once` as in a DELETE."""

    table: int
    relation: Relation
    reads: frozenset[int]
    once: bool = False
    returning: tuple[Column, ...] = ()
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class BoundCreateDatabase:
    name: str
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class BoundCreateSchema:
    database: str
    name: str
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class BoundCreateTable:
    """`defaults` and `default_texts` as in the catalog's Table; `depends_on` the types of its columns."""

    name: QualifiedName
    columns: tuple[Column, ...]
    keys: tuple[UniqueKey, ...]
    defaults: tuple[BoundScalar, ...]
    temporary: bool
    if_not_exists: bool
    create_sql: str
    depends_on: frozenset[int] = frozenset()
    history_ms: int | None = None
    default_texts: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class BoundCreateTableAs:
    """A table, and the query whose rows it begins with if it is `filled`."""

    table: BoundCreateTable
    rows: BoundSelect
    filled: bool


@dataclass(frozen=True, slots=True)
class BoundCreateView:
    """`replaces` is the id of the view that OR REPLACE drops first."""

    name: QualifiedName
    query: Query
    columns: tuple[Column, ...]
    depends_on: frozenset[int]
    temporary: bool
    if_not_exists: bool
    replaces: int | None
    create_sql: str


@dataclass(frozen=True, slots=True)
class BoundCreateMaterializedView:
    """`relation` holds the ORDER BY ... LIMIT of the query, if any, as a TopK: nothing is left to finish."""

    name: QualifiedName
    relation: Relation
    columns: tuple[Column, ...]
    depends_on: frozenset[int]
    if_not_exists: bool
    replaces: int | None
    history_ms: int | None
    create_sql: str


@dataclass(frozen=True, slots=True)
class BoundCreateIndex:
    name: QualifiedName
    on: int
    key: tuple[int, ...]
    if_not_exists: bool
    create_sql: str
    history_ms: int | None = None


@dataclass(frozen=True, slots=True)
class BoundCreateSource:
    """`columns` is None where only the connector knows them: the header of a CSV file, the tables of a generator.

    `key` are declared columns that no two rows share. `seeds` are where in `create_sql` the schemas go that a registry
    has: (offset, whether it is of the key's format, of the value's). `infer`: only print the statement, with the
    columns of a sample: (where they go, where INFER begins, where it ends).
    """

    name: QualifiedName
    description: Description
    columns: tuple[Column, ...] | None
    key: tuple[str, ...]
    depends_on: frozenset[int]
    if_not_exists: bool
    create_sql: str
    seeds: tuple[tuple[int, bool, bool], ...] = ()
    infer: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class BoundCreateCopies:
    """More tables that a source copies, in the schema of `name`; a single one may have that name. `made` is what the
    one was like when it was asked about; None: it is to be asked about."""

    source: int
    name: QualifiedName
    selected: Selected
    is_table: bool
    made: UpstreamTable | None
    if_not_exists: bool
    tag: str


@dataclass(frozen=True, slots=True)
class BoundCreateSink:
    """`relation` and its `columns` are what of `on` is written."""

    name: QualifiedName
    on: int
    description: KafkaSink
    relation: Relation
    columns: tuple[Column, ...]
    depends_on: frozenset[int]
    if_not_exists: bool
    create_sql: str


@dataclass(frozen=True, slots=True)
class BoundCreateSecret:
    """`create_sql` is without the value."""

    name: QualifiedName
    value: bytes
    if_not_exists: bool
    create_sql: str


@dataclass(frozen=True, slots=True)
class BoundCreateConnection:
    name: QualifiedName
    description: ConnectionDescription
    depends_on: frozenset[int]
    if_not_exists: bool
    create_sql: str


@dataclass(frozen=True, slots=True)
class BoundValidateConnection:
    connection: int


@dataclass(frozen=True, slots=True)
class BoundCreateType:
    name: QualifiedName
    type: SqlType
    depends_on: frozenset[int]
    if_not_exists: bool
    create_sql: str


@dataclass(frozen=True, slots=True)
class BoundDrop:
    """`items` in the order in which they go: dependents before what they depend on. () when IF EXISTS found nothing."""

    kind: ObjectKind
    items: tuple[int, ...]
    schemas: tuple[tuple[str, str], ...] = ()  # (database, schema) that go after the items
    databases: tuple[str, ...] = ()  # that go last
    missing: tuple[str, ...] = ()  # names that IF EXISTS passed over


@dataclass(frozen=True, slots=True)
class BoundCreateRole:
    """`password` is to become the role's verifier; None leaves the role's own. `exists`: IF NOT EXISTS found one."""

    role: Role
    password: str | None
    exists: bool


@dataclass(frozen=True, slots=True)
class BoundAlterRole:
    """The role as it is to be, but for its password and for a variable's value (None: the default again)."""

    role: Role
    password: str | None
    setting: tuple[str, str | None] | None


@dataclass(frozen=True, slots=True)
class BoundDropRoles:
    names: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BoundRedefine:
    """These items are called, or made, as they say here; the databases and schemas are these."""

    tag: str
    items: tuple[Item, ...]
    databases: frozenset[str]
    schemas: frozenset[tuple[str, str]]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BoundRetain:
    """How much of its past an item keeps, None: as much as the setting says. `id` None: IF EXISTS found nothing."""

    tag: str
    id: int | None
    history_ms: int | None
    create_sql: str


@dataclass(frozen=True, slots=True)
class BoundComment:
    """`subject` as in Catalog.comments; `text` None takes the comment away."""

    subject: tuple[str, str, int]
    text: str | None


@dataclass(frozen=True, slots=True)
class BoundCreateCluster:
    name: str
    exists: bool


@dataclass(frozen=True, slots=True)
class BoundDropClusters:
    names: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BoundInert:
    tag: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class BoundSubscribe:
    """`columns` are the query's own, without mz_timestamp, mz_progressed and mz_diff. `relation` is complete: the
    query's ORDER BY ... LIMIT is a TopK in it. `within` orders the changes of one time: over the columns, and mz_diff
    behind them."""

    relation: Relation
    columns: tuple[Column, ...]
    reads: frozenset[int]
    snapshot: bool
    progress: bool
    as_of: BoundAsOf | None
    up_to: int | None
    unsettled: bool = False
    envelope: "BoundEnvelope | None" = None
    within: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class BoundEnvelope:
    """Changes told by `key`, columns of the query."""

    key: tuple[int, ...]
    debezium: bool


@dataclass(frozen=True, slots=True)
class BoundExplain:
    """The stage of a query. For a view `query.relation` is the view's. `runs` is the id of what is maintained, where
    its dataflow as it runs is asked for."""

    stage: Stage
    query: Query
    shown: Shown = field(default_factory=Shown)
    as_json: bool = False
    runs: int | None = None


@dataclass(frozen=True, slots=True)
class BoundExplainTimestamp:
    """`reads` are the ids of the items named, views included."""

    relation: Relation
    reads: frozenset[int]
    as_of: BoundAsOf | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class BoundCopy:
    """`file` is None for STDOUT."""

    statement: "BoundSelect | BoundSubscribe"
    form: "CopyForm"
    file: "CopyFile | None" = None


@dataclass(frozen=True, slots=True)
class BoundCopyFrom:
    """The client, or a file, gives rows of `given`, of the columns' types. `rows` makes the table's rows of them."""

    table: int
    name: str
    given: tuple[Column, ...]
    rows: Over
    form: "CopyForm"
    unsettled: bool = False
    file: "CopyFile | None" = None


class FileKind(Enum):
    """What COPY reads and writes in files."""

    ROWS = "rows"  # text, csv, binary: as CopyForm says
    JSON = "json"  # an object a line
    PARQUET = "parquet"
    AVRO = "avro"  # object containers, to be read


@dataclass(frozen=True, slots=True)
class CopyFile:
    """A path of the server or the URL of an object store. `packed` is the compression within Parquet."""

    path: str
    kind: FileKind
    compression: Compression
    connection: StoreConnection | None
    packed: str = "snappy"


@dataclass(frozen=True, slots=True)
class CopyForm:
    """How rows are written in COPY's data. `quote` is None in the text format. In the binary one no other counts."""

    delimiter: str
    null: str
    quote: str | None
    escape: str
    header: bool
    binary: bool = False


@dataclass(frozen=True, slots=True)
class BoundShowVariable:
    """`name` "all" shows them all."""

    name: str


@dataclass(frozen=True, slots=True)
class BoundSet:
    """`value` None sets the default again; `name` "all" is RESET ALL."""

    name: str
    value: str | None
    local: bool


@dataclass(frozen=True, slots=True)
class BoundTransaction:
    verb: TransactionVerb
    savepoint: str = ""
    read_only: bool | None = None


@dataclass(frozen=True, slots=True)
class BoundDiscard:
    what: str


Bound: TypeAlias = (
    BoundSelect | BoundInsert | BoundDelete | BoundUpdate | BoundTruncate | BoundCreateDatabase | BoundCreateSchema
    | BoundCreateTable | BoundCreateTableAs | BoundCreateView
    | BoundCreateMaterializedView | BoundCreateIndex | BoundCreateSource | BoundCreateType | BoundDrop
    | BoundCreateSecret | BoundCreateConnection | BoundCreateSink | BoundCreateCopies | BoundValidateConnection
    | BoundCreateRole | BoundAlterRole | BoundDropRoles | BoundRedefine | BoundRetain
    | BoundComment | BoundCreateCluster | BoundDropClusters | BoundInert | BoundSubscribe | BoundExplain
    | BoundExplainTimestamp | BoundCopy | BoundCopyFrom | BoundShowVariable | BoundSet | BoundTransaction | BoundDiscard
)  # fmt: skip
