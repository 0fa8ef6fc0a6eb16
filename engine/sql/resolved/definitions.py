"""Bound statements that change what there is. A form that creates an item holds all of the item but its id."""

from dataclasses import dataclass

from engine.catalog.connections import ConnectionDescription
from engine.catalog.items import ByKey, Item, KeyExpression, QualifiedName, UniqueKey
from engine.catalog.roles import Role
from engine.catalog.sinks import KafkaSink
from engine.catalog.sources import Description
from engine.catalog.upstream import Selected, UpstreamTable
from engine.dataflow.graph import Order, Schedule
from engine.plan.relation import BoundScalar, Query, Relation
from engine.sql.resolved.rows import BoundSelect
from engine.sql.statement.parts import ObjectKind
from engine.types import Column, SqlType


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
    schedule: Schedule | None = None  # when it is refreshed; None: at every tick
    since: int = 0  # when it is made, in ms
    replacement_for: int | None = None


@dataclass(frozen=True, slots=True)
class BoundCreateViews:
    """All of them or none."""

    views: tuple[BoundCreateView | BoundCreateMaterializedView, ...]
    tag: str


@dataclass(frozen=True, slots=True)
class BoundCreateIndex:
    name: QualifiedName
    on: int
    key: tuple[int, ...]
    if_not_exists: bool
    create_sql: str
    history_ms: int | None = None
    expressions: tuple[KeyExpression, ...] = ()


@dataclass(frozen=True, slots=True)
class BoundCreateDurableSubscription:
    """As the catalog's DurableSubscription; `start` is what START AT says."""

    name: QualifiedName
    on: int | None
    relation: Relation
    told: tuple[Column, ...]
    depends_on: frozenset[int]
    if_not_exists: bool
    create_sql: str
    acknowledge_ms: int | None
    envelope: ByKey | None
    within: tuple[Order, ...]
    start: int | None


@dataclass(frozen=True, slots=True)
class BoundAcknowledge:
    """All changes before `up_to` are acknowledged."""

    id: int
    up_to: int


@dataclass(frozen=True, slots=True)
class BoundCreateSource:
    """`columns` is None where only the connector knows them: the header of a CSV file, the tables of a generator.

    `key` are declared columns that no two rows share. `seeds` are where in `create_sql` the schemas go that a registry
    or a file has: (begin, end, whether it is of the key's format, of the value's). `infer`: only print the statement,
    with the columns of a sample: (where they go, where INFER begins, where it ends).
    """

    name: QualifiedName
    description: Description
    columns: tuple[Column, ...] | None
    key: tuple[str, ...]
    depends_on: frozenset[int]
    if_not_exists: bool
    create_sql: str
    seeds: tuple[tuple[int, int, bool, bool], ...] = ()
    infer: tuple[int, int, int] | None = None
    history_ms: int | None = None
    timeline: str | None = None


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
    history_ms: int | None = None


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
class BoundAlterSecret:
    """`secret` None: there is none of the name, and IF EXISTS."""

    secret: int | None
    name: str
    value: bytes


@dataclass(frozen=True, slots=True)
class BoundCreateConnection:
    name: QualifiedName
    description: ConnectionDescription
    depends_on: frozenset[int]
    if_not_exists: bool
    create_sql: str


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
class BoundAlterSystem:
    """A variable (or "all") and what sessions begin with; None: its own default."""

    name: str
    value: str | None


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
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BoundTurn:
    """Materialized view `target` is what its replacement `other` is, which goes. `items` are the target and what
    depends on it, as they will be."""

    target: int
    other: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class BoundReshape:
    """Table `old` becomes `table`, whose rows are those of `rows`. `places` says for each column of the old one which
    it is of the new, None: it is gone. What depends on it is made again; what cannot be, is dropped with `cascade`, and
    without is an error."""

    old: int
    table: BoundCreateTable
    rows: Relation
    places: tuple[int | None, ...]
    cascade: bool
    notices: tuple[str, ...]


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
class BoundRenameCluster:
    name: str
    new: str


@dataclass(frozen=True, slots=True)
class BoundDropClusters:
    names: tuple[str, ...]
    missing: tuple[str, ...]
