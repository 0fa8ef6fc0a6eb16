"""Statements that read: SELECT, SUBSCRIBE, COPY."""

from collections.abc import Sequence

from engine.dataflow.graph import Order
from engine.errors import (
    AmbiguousColumn,
    DuplicateColumn,
    InvalidParameter,
    UndefinedColumn,
    Unsupported,
)
from engine.sql import bound, statements, syntax
from engine.sql.binding.clock import ticking
from engine.sql.binding.context import Context
from engine.sql.binding.copying import copy_file
from engine.sql.binding.queries import Queries
from engine.sql.binding.select import ordering
from engine.sql.binding.session import refuse, settle
from engine.sql.resolved.rows import BoundAsOf, BoundEnvelope, FileKind
from engine.sql.scope import Around
from engine.sql.statement.data import EnvelopeClause
from engine.sql.statement.parts import AsOf
from engine.sql.syntax import Expression
from engine.types import Column


def select(statement: statements.SelectStatement, context: Context) -> bound.BoundSelect:
    return query(statement.query, context, statement.as_of)


def query(node: syntax.Query, context: Context, at: AsOf | None = None) -> bound.BoundSelect:
    """A query to run once."""
    binder = Queries(context)
    found, columns = binder.top(node)
    return bound.BoundSelect(found, columns, frozenset(binder.reads), time_of(at, context), binder.unsettled)


def subscribe(statement: statements.Subscribe, context: Context) -> bound.BoundSubscribe:
    binder = Queries(context)
    if isinstance(statement.target, syntax.Name):
        item = binder.item(statement.target)
        relation, columns = binder.read(item, statement.target.at), item.columns
    else:
        sub = binder.derived(statement.target, Around(None, {}))
        relation, columns = sub.relation, sub.columns
    relation = ticking(relation)
    refuse(relation, "SUBSCRIBE", of_session=True)
    relation = settle(relation, context, goes_on=True)
    flags = {"snapshot": True, "progress": False}
    for option in statement.options:
        if option.name not in flags:
            raise InvalidParameter(f'unrecognized SUBSCRIBE option "{option.name}"', position=option.at)
        if not (option.value is None or isinstance(option.value, bool)):
            raise InvalidParameter(f"{option.name.upper()} is either true or false", position=option.at)
        flags[option.name] = option.value is None or option.value
    as_of = time_of(statement.as_of, context)
    up_to = None if statement.up_to is None else timestamp(statement.up_to, context)
    if as_of is not None and up_to is not None and up_to <= as_of.timestamp:
        raise InvalidParameter(f"UP TO {up_to} must be after AS OF {as_of.timestamp}")
    envelope = None if statement.envelope is None else _envelope(statement.envelope, columns)
    within = tuple(_within(item, columns) for item in statement.within)
    return bound.BoundSubscribe(
        relation,
        columns,
        frozenset(binder.reads),
        flags["snapshot"],
        flags["progress"],
        as_of,
        up_to,
        binder.unsettled,
        envelope,
        within,
    )


def _envelope(clause: EnvelopeClause, columns: Sequence[Column]) -> BoundEnvelope:
    key: list[int] = []
    for name in clause.key:
        index = _output(name, columns, clause.at)
        if index in key:
            raise DuplicateColumn(f'column "{name}" appears twice in the key of the envelope', position=clause.at)
        key.append(index)
    return BoundEnvelope(tuple(key), clause.debezium)


def _within(item: syntax.OrderItem, columns: Sequence[Column]) -> Order:
    """An item of WITHIN TIMESTAMP ORDER BY: a column, or mz_diff."""
    node = item.expression
    if not isinstance(node, syntax.ColumnName) or len(node.parts) != 1:
        raise Unsupported(
            "an expression in WITHIN TIMESTAMP ORDER BY is not supported",
            hint="Order by columns of the query, and by mz_diff.", position=node.at,
        )  # fmt: skip
    name = node.parts[0]
    return ordering(len(columns) if name == "mz_diff" else _output(name, columns, node.at), item)


def _output(name: str, columns: Sequence[Column], at: int) -> int:
    found = [i for i, column in enumerate(columns) if column.name == name]
    if len(found) != 1:
        error = UndefinedColumn if not found else AmbiguousColumn
        word = "does not exist" if not found else "is ambiguous"
        raise error(f'column "{name}" {word} in what is subscribed to', position=at)
    return found[0]


def copy(statement: statements.Copy, context: Context) -> bound.BoundCopy:
    inner = statement.statement
    form, file = copy_file(statement.path, statement.at, statement.options, context)
    if isinstance(inner, statements.Subscribe):
        if file is not None:
            raise Unsupported("COPY (SUBSCRIBE ...) TO a file would never end", position=statement.at)
        return bound.BoundCopy(subscribe(inner, context), form)
    if file is not None and file.kind is FileKind.AVRO:
        raise Unsupported("COPY TO writes CSV, TEXT, BINARY, JSON and PARQUET", position=statement.at)
    return bound.BoundCopy(select(inner, context), form, file)


def columns_of(node: syntax.Query, context: Context) -> tuple[Column, ...]:
    """The output columns of a query."""
    return Queries(context).top(node)[1]


def time_of(node: AsOf | None, context: Context) -> BoundAsOf | None:
    return None if node is None else BoundAsOf(timestamp(node.timestamp, context), node.at_least)


def timestamp(node: Expression, context: Context) -> int:
    """The constant of AS OF or UP TO, in milliseconds since 1970."""
    return Queries(context).timestamp(node)
