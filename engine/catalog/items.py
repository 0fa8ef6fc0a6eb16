"""The items of the catalog: what CREATE makes and names resolve to.

    Item
    ├── Table              rows come from INSERT, UPDATE, DELETE
    ├── Source             rows come from a connector; one with `columns` is itself a relation (files, webhooks)
    ├── SourceRelation     a relation fed by a source: a table of a generator, its errors, its progress
    ├── View               a name for a query
    ├── MaterializedView   a query whose answer is kept up to date
    ├── Type               a name for a list, a map or a record
    ├── Index              an arrangement of a relation by some of its columns
    ├── Secret             a name for a value that is never shown
    ├── Connection         how to reach a broker, a registry, ...
    ├── Sink               tells a topic the changes of a relation
    ├── DurableSubscription  tells one reader the changes of a relation, from where it acknowledged them
    └── SystemRelation     rows are computed from the catalog and the runtime when a query reads it

Items are values: a change of the catalog makes another catalog with other items. `create_sql` with every name qualified
is all that the durable log needs to make the item again; ids stay what they were.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from engine.catalog.connections import ConnectionDescription
from engine.catalog.sinks import KafkaSink
from engine.catalog.sources import Description
from engine.catalog.upstream import UpstreamTable
from engine.dataflow.graph import Order, Schedule
from engine.expr.scalar import Scalar
from engine.plan.relation import BoundScalar, Relation
from engine.types import Column, SqlType


@dataclass(frozen=True, slots=True, order=True)
class QualifiedName:
    """The full name of an item."""

    database: str
    schema: str
    item: str

    def __str__(self) -> str:
        parts = (self.database, self.schema, self.item) if self.database else (self.schema, self.item)
        return ".".join(parts)


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """PRIMARY KEY or UNIQUE: no two rows agree in these columns, unless one of them is NULL."""

    name: str
    columns: tuple[int, ...]
    primary: bool


@dataclass(frozen=True, slots=True)
class Table:
    """`defaults` are the columns' DEFAULTs, of the columns' types; () when every one is NULL. `default_texts` are what
    was written for them, by column; () when there are none."""

    id: int
    name: QualifiedName
    columns: tuple[Column, ...]
    create_sql: str
    temporary: bool = False
    keys: tuple[UniqueKey, ...] = ()
    defaults: tuple[BoundScalar, ...] = ()
    depends_on: frozenset[int] = frozenset()  # the types of its columns
    history_ms: int | None = None  # RETAIN HISTORY FOR; None: the setting
    default_texts: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """`columns` is () when the source's rows are in its SourceRelations only."""

    id: int
    name: QualifiedName
    columns: tuple[Column, ...]
    description: Description
    create_sql: str
    append_only: bool = True
    keys: tuple[tuple[int, ...], ...] = ()  # column sets whose values no two rows share
    depends_on: frozenset[int] = frozenset()  # the connections that it reads through, their secrets
    history_ms: int | None = None  # RETAIN HISTORY FOR, of it and of its relations; None: the setting
    timeline: str | None = None  # of timelines.py: the one that was given; None: the clock's


class Role(Enum):
    """What a source feeds into a relation."""

    DATA = "subsource"
    TABLE = "table"  # the same, made by CREATE TABLE ... FROM SOURCE
    ERRORS = "errors"
    PROGRESS = "progress"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class SourceRelation:
    """Created and dropped with `source`, so it has no SQL of its own; but for a copy of a table, which is `upstream`.
    `keys` are unique column sets. `history_ms` is the source's, unless it has SQL of its own."""

    id: int
    name: QualifiedName
    columns: tuple[Column, ...]
    source: int
    role: Role
    append_only: bool = False
    keys: tuple[tuple[int, ...], ...] = ()
    create_sql: str = ""
    upstream: UpstreamTable | None = None
    history_ms: int | None = None

    @property
    def depends_on(self) -> frozenset[int]:
        return frozenset({self.source})


@dataclass(frozen=True, slots=True)
class View:
    """`relation` is bound (not decorrelated) and inlined where the view is read."""

    id: int
    name: QualifiedName
    columns: tuple[Column, ...]
    relation: Relation
    depends_on: frozenset[int]
    create_sql: str
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class MaterializedView:
    id: int
    name: QualifiedName
    columns: tuple[Column, ...]
    relation: Relation
    depends_on: frozenset[int]
    create_sql: str
    history_ms: int | None = None
    schedule: Schedule | None = None  # when it is refreshed; None: at every tick
    replaces: int | None = None  # the view whose place it may take; nothing can depend on it meanwhile
    turned: int = 0  # the last tick at which another query answered for it


@dataclass(frozen=True, slots=True)
class Type:
    """Another name of `type`: values of it are values of the type that it is made of."""

    id: int
    name: QualifiedName
    type: SqlType
    depends_on: frozenset[int]
    create_sql: str

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class KeyExpression:
    """A scalar over the columns of a relation, and what was written for it."""

    scalar: Scalar
    text: str


@dataclass(frozen=True, slots=True)
class Index:
    """`key` are columns of the relation `on`, and behind them its `expressions`: an index that has some is a collection
    by itself, of the relation's rows with these behind. One of a constraint is made and dropped with its table, so it
    has no SQL of its own."""

    id: int
    name: QualifiedName
    on: int
    key: tuple[int, ...]
    create_sql: str
    constraint: bool = False
    history_ms: int | None = None
    expressions: tuple[KeyExpression, ...] = ()

    @property
    def depends_on(self) -> frozenset[int]:
        return frozenset({self.on})

    @property
    def collection(self) -> int:
        """What the index arranges: its relation, or the collection that it is by itself."""
        return self.id if self.expressions else self.on

    def shown(self, width: int) -> tuple[int, ...]:
        """The key as who reads the catalog sees it, given how many columns the relation has: a constraint is on
        columns, whatever is computed of one so that equal values are equal words."""
        if not self.constraint:
            return self.key
        return tuple(
            column if column < width else min(self.expressions[column - width].scalar.reads) for column in self.key
        )

    def keyed(self, columns: Sequence[Column]) -> tuple[Column, ...]:
        """The columns of the key, given the relation's; an expression is called as it is written."""
        computed = (Column(each.text, each.scalar.type) for each in self.expressions)
        row = (*columns, *computed)
        return tuple(row[column] for column in self.shown(len(columns)))

    def written(self, columns: Sequence[Column], quote: Callable[[str], str]) -> str:
        """The key in SQL."""
        width = len(columns)
        return ", ".join(
            quote(columns[column].name) if column < width else self.expressions[column - width].text
            for column in self.shown(width)
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Secret:
    """The value is with the coordinator; `create_sql` does not have it."""

    id: int
    name: QualifiedName
    create_sql: str

    @property
    def depends_on(self) -> frozenset[int]:
        return frozenset()

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Connection:
    """`depends_on` are its secrets."""

    id: int
    name: QualifiedName
    description: ConnectionDescription
    depends_on: frozenset[int]
    create_sql: str

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Sink:
    """`relation` is what of `on` is written, its columns `written`: those of `on`, and perhaps the partition behind."""

    id: int
    name: QualifiedName
    on: int
    description: KafkaSink
    relation: Relation
    written: tuple[Column, ...]
    depends_on: frozenset[int]
    create_sql: str

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class ByKey:
    """Changes told by `key`, columns of what is told; `debezium`: with the row before each."""

    key: tuple[int, ...]
    debezium: bool


@dataclass(frozen=True, slots=True)
class DurableSubscription:
    """`relation` is what is told, its columns `told`; `on` the object that it is all of, None: it is a query's answer.
    It is a collection by itself, which shares its operator with whatever else is the same. `within` orders the changes
    of one time: over the columns, and mz_diff behind them."""

    id: int
    name: QualifiedName
    on: int | None
    relation: Relation
    told: tuple[Column, ...]
    depends_on: frozenset[int]
    create_sql: str
    acknowledge_ms: int | None = None  # ACKNOWLEDGE WITHIN; None: the setting
    envelope: ByKey | None = None
    within: tuple[Order, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class SystemRelation:
    """Its rows come from engine/catalog/system by its id; `doc` says what they are."""

    id: int
    name: QualifiedName
    columns: tuple[Column, ...]
    doc: str = ""

    @property
    def depends_on(self) -> frozenset[int]:
        return frozenset()

    @property
    def create_sql(self) -> str:
        return ""


Item: TypeAlias = (
    Table | Source | SourceRelation | View | MaterializedView | Type | Index | Secret | Connection | Sink
    | DurableSubscription | SystemRelation
)  # fmt: skip

Retaining: TypeAlias = Table | Source | SourceRelation | MaterializedView | Index
"""Items that may say how much of their past can be read."""


def below(items: Mapping[int, Item], ids: Iterable[int]) -> Iterator[Item]:
    """The items of these ids and all that they depend on, each once."""
    waiting = [id for id in ids if id in items]
    seen = set(waiting)
    while waiting:
        item = items[waiting.pop()]
        yield item
        new = {id for id in item.depends_on - seen if id in items}
        seen |= new
        waiting += new


def kind(item: Item) -> str:
    """What the item is called in messages, in SHOW OBJECTS and in mz_objects."""
    match item:
        case Table():
            return "table"
        case SourceRelation(role=Role.TABLE):
            return "table"
        case Source() | SourceRelation():
            return "source"
        case View():
            return "view"
        case MaterializedView():
            return "materialized view"
        case Type():
            return "type"
        case Index():
            return "index"
        case Secret():
            return "secret"
        case Connection():
            return "connection"
        case Sink():
            return "sink"
        case DurableSubscription():
            return "durable subscription"
        case SystemRelation():
            return "table"
