"""Bound statements that change no rows and nothing in the catalog: plans, variables, transactions."""

from dataclasses import dataclass, field

from engine.dataflow.graph import Schedule
from engine.plan.explaining.options import Shown
from engine.plan.relation import Query, Relation
from engine.sql.resolved.rows import BoundAsOf
from engine.sql.statement.definitions import Reason
from engine.sql.statement.session import Stage, TransactionVerb


@dataclass(frozen=True, slots=True)
class BoundInert:
    tag: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class BoundExplain:
    """The stage of a query. For a view `query.relation` is the view's, and `schedule` when it is refreshed. `runs` is
    the id of what is maintained, where its dataflow as it runs is asked for."""

    stage: Stage
    query: Query
    shown: Shown = field(default_factory=Shown)
    as_json: bool = False
    runs: int | None = None
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class BoundExplainTimestamp:
    """`reads` are the ids of the items named, views included."""

    relation: Relation
    reads: frozenset[int]
    as_of: BoundAsOf | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class BoundShowVariable:
    """`name` "all" shows them all."""

    name: str


@dataclass(frozen=True, slots=True)
class BoundSet:
    """`value` None sets the default again, for RESET (`resets`) or SET; `name` "all" is RESET ALL."""

    name: str
    value: str | None
    local: bool
    resets: bool = False


@dataclass(frozen=True, slots=True)
class BoundTransaction:
    verb: TransactionVerb
    savepoint: str = ""
    read_only: bool | None = None


@dataclass(frozen=True, slots=True)
class BoundRaise:
    """A notice of that level; "ERROR": an error."""

    level: str
    message: str


@dataclass(frozen=True, slots=True)
class BoundDiscard:
    what: str


@dataclass(frozen=True, slots=True)
class BoundValidateConnection:
    connection: int
