"""Statements that read: SELECT, SUBSCRIBE, COPY."""

from engine.errors import InvalidParameter, Unsupported
from engine.sql import bound, statements, syntax
from engine.sql.binding.clock import ticking
from engine.sql.binding.context import Context
from engine.sql.binding.copying import copy_file
from engine.sql.binding.queries import Queries
from engine.sql.binding.session import refuse, settle
from engine.sql.binding.subscriptions import envelope, flags_of, using, within
from engine.sql.resolved.rows import BoundAsOf, FileKind
from engine.sql.scope import Around
from engine.sql.statement.data import Using
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
    if isinstance(statement.target, Using):
        return using(statement, statement.target, context)
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
    flags = flags_of(statement.options, {"snapshot": True, "progress": False})
    as_of = time_of(statement.as_of, context)
    up_to = None if statement.up_to is None else timestamp(statement.up_to, context, "UP TO")
    if as_of is not None and up_to is not None and up_to <= as_of.timestamp:
        raise InvalidParameter(f"UP TO {up_to} must be after AS OF {as_of.timestamp}")
    by_key = None if statement.envelope is None else envelope(statement.envelope, columns)
    return bound.BoundSubscribe(
        relation,
        columns,
        frozenset(binder.reads),
        flags["snapshot"],
        flags["progress"],
        as_of,
        up_to,
        binder.unsettled,
        by_key,
        tuple(within(item, columns) for item in statement.within),
    )


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


def timestamp(node: Expression, context: Context, clause: str = "AS OF") -> int:
    """The constant of AS OF or UP TO, in milliseconds since 1970."""
    return Queries(context).timestamp(node, clause)
