"""Prepared statements: parsed and bound once, run many times.

Rule  What a statement is bound to is kept until the catalog or the names it was resolved by change; its parameters'
      values are put in when it runs. What has nothing of the moment in it keeps its dataflow too, and a
      look-up by key keeps its plan and takes the values as keys (engine/coordinator/lookups.py).
Law   A statement means the same each time: when a change of the catalog gave it other columns, it is an error (0A000).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from engine import types
from engine.catalog.catalog import Catalog, Path
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.envelope import columns_by_key
from engine.coordinator.explain import TIMESTAMP_COLUMN, plan_column
from engine.coordinator.lookups import KeyedSelect, keyed_select
from engine.coordinator.pipeline import dataflow
from engine.coordinator.variables import variable
from engine.errors import SqlError, SyntaxError_, Unsupported
from engine.expr.scalar import Literal
from engine.sql import statements
from engine.sql.binder import bind
from engine.sql.binding.context import Context
from engine.sql.bound import (
    Bound,
    BoundCopy,
    BoundDelete,
    BoundExplain,
    BoundExplainTimestamp,
    BoundInsert,
    BoundSelect,
    BoundShowVariable,
    BoundSubscribe,
    BoundUpdate,
)
from engine.sql.dialect import parse
from engine.sql.parameters import Parameters, literals
from engine.sql.statements import Statement
from engine.types import Column, SqlType

Columns = tuple[Column, ...]

BOUND = (
    statements.SelectStatement | statements.Insert | statements.Update | statements.Delete | statements.Subscribe
    | statements.Merge | statements.Acknowledge
    | statements.Explain | statements.ExplainTimestamp | statements.ExplainAnalyze | statements.ShowObjects
    | statements.ShowCreate | statements.ShowVariable
)  # fmt: skip
"""What is bound when it is prepared: it may have parameters, and its columns are told before it runs."""

KEPT = statements.SelectStatement | statements.Insert | statements.Update | statements.Delete | statements.Merge
"""Whose bound form is used again."""


@dataclass(slots=True)
class Prepared:
    """`parameters` are the types of `$1`, `$2`...; `columns` is None where no rows come.

    `statement` is None for an empty text.
    """

    sql: str
    statement: Statement | None
    declared: tuple[SqlType | None, ...]
    parameters: tuple[SqlType, ...] = ()
    columns: Columns | None = None
    keyed: KeyedSelect | None = None
    immediate: bool = False
    """Whether a parameter stands where only a constant may: then each run binds anew."""
    _bound: Bound | None = field(default=None, repr=False)
    _catalog: Catalog | None = field(default=None, repr=False)
    _path: Path | None = field(default=None, repr=False)

    def prepare(
        self, coordinator: Coordinator, context: Context, columns_of: Callable[[Statement], Columns | None]
    ) -> None:
        """Find the parameters' types and the columns. `columns_of` knows those of a session's own statements."""
        statement = self.statement
        if isinstance(statement, statements.Declare | statements.Copy | statements.CreateTableAs):
            parameters = Parameters(self.declared)
            bind(inner(statement), replace(context, parameters=parameters))
            self.parameters = parameters.known()
        elif isinstance(statement, BOUND):
            self._bind(statement, coordinator, context)
        elif statement is not None:
            self.parameters = tuple(kind for kind in self.declared if kind is not None)
            self.columns = columns_of(statement)

    def values(self, given: Sequence[str | bytes | None]) -> Parameters:
        """The parameters with the values that a client gives, as text or in the binary format."""
        return self.given(literals(given, self.parameters))

    def given(self, values: tuple[Literal, ...]) -> Parameters:
        return Parameters(self.parameters, values)

    def bound(self, coordinator: Coordinator, context: Context) -> Bound:
        """What the statement is bound to at this moment, the moment itself (binding.settling) not put in."""
        assert self.statement is not None
        if self._bound is not None and self._fresh(context.catalog, context.path):
            return self._bound
        if not isinstance(self.statement, KEPT):
            return bind(self.statement, context)
        before = self.columns
        if self.immediate:
            found = bind(self.statement, context)
            self.columns = columns_of_bound(found)
        else:
            found = self._bind(self.statement, coordinator, replace(context, parameters=Parameters(self.parameters)))
        if _shape(before) != _shape(self.columns):
            self.columns, self._bound, self.keyed = before, None, None
            raise Unsupported("cached plan must not change result type", hint="Prepare the statement again.")
        return found

    def look_up(self, catalog: Catalog, path: Path) -> KeyedSelect | None:
        """The look-up that the statement is, if it is one and nothing has changed since it was planned."""
        return self.keyed if self.keyed is not None and self._fresh(catalog, path) else None

    def _fresh(self, catalog: Catalog, path: Path) -> bool:
        return self._catalog is catalog and (self._path is path or self._path == path)

    def _bind(self, statement: Statement, coordinator: Coordinator, context: Context) -> Bound:
        parameters = context.parameters or Parameters(self.declared)
        found = bind(statement, replace(context, parameters=parameters))
        self.parameters = parameters.known()
        self.columns = columns_of_bound(found)
        self._bound = self.keyed = None
        self.immediate = parameters.immediate
        if isinstance(statement, KEPT) and not self.immediate:
            if isinstance(found, BoundSelect):
                self.keyed = keyed_select(coordinator, found)
                if not found.unsettled:
                    found = replace(found, plan=dataflow(found.query.relation, context.catalog, coordinator.options))
            self._bound, self._catalog, self._path = found, context.catalog, context.path
        return found


def _shape(columns: Columns | None) -> object:
    return None if columns is None else [(column.name, column.type) for column in columns]


def inner(
    statement: statements.Declare | statements.Copy | statements.CreateTableAs,
) -> statements.SelectStatement | statements.Subscribe:
    """The query or subscription within a statement."""
    return statement.statement


def prepared(sql: str, declared: Sequence[SqlType | None]) -> Prepared:
    """The one statement of a text, not bound yet. Raises SqlError."""
    parsed = parse(sql)
    if len(parsed) > 1:
        raise SyntaxError_("cannot insert multiple commands into a prepared statement")
    return Prepared(sql, parsed[0] if parsed else None, tuple(declared))


def declared_types(oids: Sequence[int]) -> list[SqlType | None]:
    """The types that a client names by OID; 0 and unknown (705) leave it to the context."""
    found: list[SqlType | None] = []
    for number, oid in enumerate(oids, 1):
        kind = types.BY_OID.get(oid)
        if oid not in (0, types.UNKNOWN.oid) and kind is None:
            raise UndefinedParameterType(f"parameter ${number} has a type with OID {oid}, which does not exist")
        found.append(None if kind == types.UNKNOWN else kind)
    return found


class UndefinedParameterType(SqlError):
    sqlstate = "42704"


def columns_of_bound(bound: Bound) -> Columns | None:
    """The columns of the rows that a bound statement answers with; None: no rows."""
    match bound:
        case BoundSelect(columns=columns):
            return columns
        case BoundInsert() | BoundUpdate() | BoundDelete():
            return bound.returning or None
        case BoundSubscribe():
            return subscribed(bound)
        case BoundCopy():
            return None
        case BoundExplain():
            return (plan_column(bound),)
        case BoundExplainTimestamp():
            return (TIMESTAMP_COLUMN,)
        case BoundShowVariable(name="all"):
            return tuple(Column(name, types.TEXT, False) for name in ("name", "setting", "description"))
        case BoundShowVariable(name=name):
            return (Column(variable(name).name.lower(), types.TEXT, False),)
        case _:
            return None


def subscribed(bound: BoundSubscribe) -> Columns:
    """All columns of a subscription: the mz_ ones, then the query's; or those of its envelope."""
    lead = [Column("mz_timestamp", types.NUMERIC, False)]
    if bound.progress:
        lead.append(Column("mz_progressed", types.BOOLEAN, False))
    if bound.envelope is not None:
        return (*lead, *columns_by_key(bound.envelope, bound.columns))
    return (*lead, Column("mz_diff", types.BIGINT, bound.progress), *bound.columns)
