"""Statements that show things, and those about the session: its variables, transactions, cursors."""

from dataclasses import dataclass
from enum import Enum

from engine.sql.statement.data import SelectStatement, Subscribe
from engine.sql.statement.definitions import CreateView
from engine.sql.statement.parts import AsOf, ObjectKind, Option, Span
from engine.sql.syntax import Name, Query


class Stage(Enum):
    """What EXPLAIN shows: the query after binding, after decorrelation, after optimisation, and as a dataflow."""

    RAW = "raw"
    DECORRELATED = "decorrelated"
    OPTIMIZED = "optimized"
    PHYSICAL = "physical"


class Form(Enum):
    """How EXPLAIN tells: as text, as text with all that is commonly wanted, or as JSON."""

    TEXT = "text"
    VERBOSE_TEXT = "verbose text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Explain:
    """`target` is a query, or the view or materialized view of that name, or an index of one, or a view that would be
    made. `replan`: as it would be planned at this moment, not as it runs."""

    stage: Stage
    target: Query | Name | CreateView
    span: Span
    form: Form = Form.TEXT
    options: tuple[Option, ...] = ()
    replan: bool = False


@dataclass(frozen=True, slots=True)
class ExplainTimestamp:
    """EXPLAIN TIMESTAMP FOR query: at what time it would read, and why."""

    query: Query
    as_of: AsOf | None
    span: Span
    form: Form = Form.TEXT


@dataclass(frozen=True, slots=True)
class ExplainAnalyze:
    """EXPLAIN ANALYZE {CPU | MEMORY | HINTS}, ... [WITH SKEW] FOR {INDEX | MATERIALIZED VIEW} name [AS SQL]."""

    what: tuple[str, ...]
    skew: bool
    kind: ObjectKind
    name: Name
    as_sql: bool
    span: Span


@dataclass(frozen=True, slots=True)
class ShowObjects:
    """SHOW OBJECTS | TABLES | ...: a query whose body is a syntax.Show."""

    query: Query
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
    """`values` is None for SET x TO DEFAULT and RESET x, of which the second `resets`. RESET ALL has the name "all"."""

    name: str
    values: tuple[str, ...] | None
    local: bool
    span: Span
    resets: bool = False


class TransactionVerb(Enum):
    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"
    SAVEPOINT = "SAVEPOINT"
    RELEASE = "RELEASE"
    ROLLBACK_TO = "ROLLBACK TO"


@dataclass(frozen=True, slots=True)
class Transaction:
    """`savepoint` is the name that the last three verbs have; `read_only` what BEGIN says, None where it does not."""

    verb: TransactionVerb
    span: Span
    savepoint: str = ""
    read_only: bool | None = None


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
class Raise:
    """RAISE [level] ['message']: a notice of that level, or an error."""

    level: str
    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH count FROM name WITH (options); `count` None: ALL. `moves`: MOVE, which goes on over rows unseen."""

    name: str
    count: int | None
    options: tuple[Option, ...]
    span: Span
    moves: bool = False


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """`name` None: ALL."""

    name: str | None
    span: Span
