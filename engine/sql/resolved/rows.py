"""Bound statements that read and write rows."""

from dataclasses import dataclass
from enum import Enum

from engine.catalog.connections import StoreConnection
from engine.catalog.items import ByKey
from engine.catalog.sources import Compression
from engine.dataflow.graph import Order, Plan
from engine.plan.relation import Query, Relation
from engine.types import Column


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


class MergeAction(Enum):
    """What MERGE does with a row: the first column of its rows."""

    NOTHING = 0  # but its condition was asked
    INSERT = 1
    UPDATE = 2
    DELETE = 3


@dataclass(frozen=True, slots=True)
class BoundMerge:
    """Each row of `relation` (None: no clause does anything) is an action, the table's row that goes (NULLs but for an
    UPDATE and a DELETE) and the one that comes (NULLs but for an INSERT and an UPDATE)."""

    table: int
    relation: Relation | None
    reads: frozenset[int]
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
class BoundSubscribe:
    """`columns` are the query's own, without mz_timestamp, mz_progressed and mz_diff. `relation` is complete: the
    query's ORDER BY ... LIMIT is a TopK in it. `within` orders the changes of one time: over the columns, and mz_diff
    behind them. `durable` is the subscription that is used, `resets`: from anew."""

    relation: Relation
    columns: tuple[Column, ...]
    reads: frozenset[int]
    snapshot: bool
    progress: bool
    as_of: BoundAsOf | None
    up_to: int | None
    unsettled: bool = False
    envelope: ByKey | None = None
    within: tuple[Order, ...] = ()
    durable: int | None = None
    resets: bool = False


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
