"""What a system relation is: a name, columns, and a function from the catalog and the runtime to rows.

    CATALOG   changes with the catalog and with nothing else
    RUNTIME   changes by itself: it is asked when it is read, and once a second while somebody subscribes to it
    SESSION   differs between sessions: each statement has its own rows, and nothing can keep them up to date

A relation that is `scoped` shows what belongs to the session's database, as PostgreSQL's catalogs do, and the system's
own: its last column, which no query can name, is that database, or NULL.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, Protocol, TypeAlias

from engine import types
from engine.catalog.catalog import SYSTEM_DATABASE, Catalog, Path
from engine.catalog.items import Item
from engine.catalog.system.oids import Oids
from engine.expr.scalar import Value
from engine.types import Column, SqlType

Datum: TypeAlias = "Value | list[int] | list[str]"
Row = tuple[Datum, ...]


@dataclass(frozen=True, slots=True)
class StatementState:
    """A statement that runs or has run: `kind` in lower case, `sql` without secrets; `error` of one that failed."""

    id: int
    session: int
    application: str
    kind: str
    sql: str
    began: datetime
    finished: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class SessionState:
    """An open session: its number, user, database, application_name, and when it began; `block` is pgwire's letter for
    its transaction, `last` the statement that it runs or ran last; a `guest` was let in without being a role."""

    id: int
    user: str
    database: str
    application: str
    began: datetime
    block: str
    last: StatementState | None
    guest: bool


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """An open subscription: its number, the collections it reads, what waits for its reader, and when it began."""

    id: int
    session: int | None
    reads: frozenset[int]
    pending_rows: int
    began: datetime


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition of a source: records and bytes read by this process, records that did not decode.

    `position` is the offset to be read next, `committed` the one that ticks have come to, `known` the one that the next
    record to be written will have.
    """

    partition: str
    records: int
    bytes: int
    errors: int
    position: int
    committed: int
    known: int
    records_per_second: float


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far a source is: rows read, of them not in a tick yet, and what is wrong.

    `state` is one of starting, running, stalled and finished, since `since`.
    """

    rows: int
    waiting: int
    state: str
    since: datetime
    error: str | None
    hint: str | None
    partitions: tuple[PartitionState, ...]
    errors_let_go: int


@dataclass(frozen=True, slots=True)
class SinkState:
    """What a sink has written since the process began, and what is wrong. `state` is one of starting, running and
    stalled, since `since`; `timestamp` (ms) is the tick that its topic is at, 0 when that is not known."""

    state: str
    since: datetime
    error: str | None
    hint: str | None
    transactions: int
    records: int
    bytes: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class DurableState:
    """What the reader of a durable subscription has: every change before `acknowledged` (ms; None: it is hydrating), as
    it said `since_ms` ago; `lag_ms` is from there to the present. `state` is one of hydrating, idle, reading and
    expired."""

    state: str
    acknowledged: int | None
    since_ms: int
    lag_ms: int | None


LockKey: TypeAlias = tuple[str, int, int, int]
"""What an advisory lock is on: a database, and a bigint in halves (and 1), or two integers (and 2), as in pg_locks."""


@dataclass(frozen=True, slots=True)
class LockState:
    """An advisory lock that a session holds, or, not `granted`, waits for."""

    session: int
    key: LockKey
    shared: bool
    granted: bool


class Locks(Protocol):
    """The advisory locks of a session."""

    def take(self, key: LockKey, *, shared: bool, of_transaction: bool, wait: bool) -> bool: ...
    def give(self, key: LockKey, *, shared: bool) -> bool: ...
    def end(self) -> None: ...


@dataclass(frozen=True, slots=True)
class OperatorState:
    """A running operator: its line in a physical plan, the operators that it reads, what it and the arrangements of its
    output hold, how many changes it gave, how long its steps took, and the collections and indexes that it is."""

    id: int
    plan: str
    inputs: tuple[int, ...]
    rows: int
    bytes: int
    changes: int
    elapsed_ns: int
    exports: tuple[int, ...]
    durations: tuple[tuple[int, int], ...]  # (up to so many ns, steps that took no longer)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What only the workers and sessions know. Mappings are by the id of a collection or an index."""

    hydrated: Mapping[int, bool] = field(default_factory=dict)
    rows: Mapping[int, int] = field(default_factory=dict)
    bytes: Mapping[int, int] = field(default_factory=dict)
    progress: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # rows hydrated, of how many; (0, 0) waits
    frontiers: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # since, upper (ms)
    history_ms: int = 0  # what of their past those keep that do not say
    refreshes: Mapping[int, tuple[int | None, int | None]] = field(default_factory=dict)  # the last, the next (ms)
    sources: Mapping[int, SourceState] = field(default_factory=dict)
    sinks: Mapping[int, SinkState] = field(default_factory=dict)
    durable: Callable[[], Iterable[tuple[int, DurableState]]] = tuple  # durable subscriptions, by id
    sessions: Callable[[], Iterable[SessionState]] = tuple
    subscriptions: Callable[[], Iterable[SubscriptionState]] = tuple
    cancel: Callable[[int], bool] = lambda _: False  # the statement that a session runs; whether there is that session
    terminate: Callable[[int], bool] = lambda _: False  # a session; whether there is that session
    locks: Callable[[], Iterable[LockState]] = tuple
    blocking: Callable[[int], list[int]] = lambda _: []  # the sessions that a session waits for
    peeks: Callable[[], Iterable[tuple[int, int]]] = tuple  # (up to so many ns, peeks that took no longer)
    operators: Callable[[], Iterable[OperatorState]] = tuple  # inputs before what reads them
    statements: Callable[[], Iterable[StatementState]] = tuple  # the last ones, oldest first
    hydration_ns: Mapping[int, int] = field(default_factory=dict)  # how long what has hydrated took
    parks: Callable[[], Iterable[tuple[int, int]]] = tuple  # (up to so many ns, waits for work that took no longer)
    metrics: Callable[[], Iterable[tuple[str, Mapping[str, str], float]]] = tuple  # of /metrics
    wall_ms: Callable[[], int] = lambda: 0
    notices: Callable[[], Iterable[tuple[int, str, str, str]]] = tuple  # object, kind, message, hint
    began: datetime = datetime(1970, 1, 1)
    identity: str = ""  # the database's, for as long as it is
    oids: Oids = field(default_factory=Oids)


class Surroundings(Protocol):
    """What a statement stands in, as far as system functions and session relations ask."""

    @property
    def catalog(self) -> Catalog: ...
    @property
    def path(self) -> Path: ...
    @property
    def user(self) -> str: ...
    @property
    def guest(self) -> bool: ...
    @property
    def variables(self) -> Mapping[str, str]: ...
    @property
    def runtime(self) -> Runtime: ...
    @property
    def session(self) -> int: ...
    @property
    def assigned(self) -> list[tuple[str, str, bool]]: ...
    @property
    def pauses(self) -> list[float]: ...
    @property
    def transaction(self) -> Callable[[], int]: ...
    @property
    def locks(self) -> Locks | None: ...


class Changes(Enum):
    CATALOG = "catalog"
    RUNTIME = "runtime"
    SESSION = "session"


Rows = Callable[[Catalog, Runtime], Iterable[Row]]
SessionRows = Callable[[Surroundings], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Definition:
    """`oid` is PostgreSQL's own where it has the relation; `rows` or, of a SESSION relation, `of_session` is there."""

    schema: str
    name: str
    oid: int
    columns: tuple[Column, ...]
    doc: str
    rows: Rows | None
    changes: Changes = Changes.CATALOG
    scoped: bool = False
    of_session: SessionRows | None = None

    @property
    def held(self) -> tuple[Column, ...]:
        """The columns of the collection: those, and where it is scoped the database."""
        return (*self.columns, DATABASE) if self.scoped else self.columns


DATABASE: Final = Column("mz_database", types.TEXT)
"""The database that a row of a scoped relation belongs to."""

SPELLINGS: Final[Mapping[str, SqlType]] = {
    **types.ALIASES,
    "char": types.INTERNAL_CHAR,
    "int2vector": types.INT2VECTOR,
    "oidvector": types.OIDVECTOR,
    "name": types.TEXT,
}
"""Types by PostgreSQL's own names. Its `name` is text here; node trees and the like are text too."""


def define(
    schema: str,
    name: str,
    oid: int,
    text: str,
    doc: str,
    rows: Rows,
    *,
    changes: Changes = Changes.CATALOG,
    scoped: bool = False,
) -> Definition:
    """A relation whose columns are `text`: `oid oid!, relname name!, relchecks int2! = 0, reloptions text[] = null`.

    `!` is for a column that is never NULL; one with a value has it in every row, and `rows` leaves it out.
    """
    columns, filled = shape(text)

    def whole(catalog: Catalog, runtime: Runtime) -> Iterable[Row]:
        return map(filled, rows(catalog, runtime))

    return Definition(schema, name, oid, columns, doc, whole, changes, scoped)


def shape(text: str) -> tuple[tuple[Column, ...], Callable[[Row], Row]]:
    """The columns that a text spells, and what puts the constant ones into a row."""
    columns: list[Column] = []
    constant: dict[int, Datum] = {}
    for at, part in enumerate(text.split(",")):
        spelled, _, value = part.partition("=")
        name, kind = spelled.split()
        bare = kind.removesuffix("!")
        element = SPELLINGS[bare.removesuffix("[]")]
        columns.append(Column(name, types.array_of(element) if bare.endswith("[]") else element, kind == bare))
        if value:
            constant[at] = _constant(value.strip(), columns[-1].type)
    if not constant:
        return tuple(columns), lambda row: row
    given = [at for at in range(len(columns)) if at not in constant]
    template: list[Datum] = [constant.get(at) for at in range(len(columns))]

    def filled(row: Row) -> Row:
        whole = template.copy()
        for at, value in zip(given, row[: len(given)], strict=True):
            whole[at] = value
        return (*whole, *row[len(given) :])

    return tuple(columns), filled


def _constant(text: str, type: SqlType) -> Value:
    if text == "null":
        return None
    if type == types.BOOLEAN:
        return text == "true"
    if type.category is types.Category.STRING:
        return text.strip("'")
    return float(text) if type.physical is types.Physical.FLOAT else int(text)


def database_of(item: Item) -> str | None:
    """The last value of a scoped row: where the item is; NULL for the system's and for temporary ones."""
    return None if item.name.database == SYSTEM_DATABASE else item.name.database
