"""What is constant in one statement and differs between statements: the session's functions and system relations.

In a bound view they stay what they are (a call, a Get); `settle` puts the moment's constants in their place when a
statement reads them. What is kept up to date cannot have them: `refuse` says so.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from engine import types
from engine.catalog.items import SystemRelation
from engine.catalog.system import rows
from engine.collection.value import Plain
from engine.collection.vector import Vector
from engine.errors import Unsupported
from engine.expr.registry import Function
from engine.expr.scalar import Call, Literal
from engine.plan.relation import BoundScalar, Constant, Filter, Get, Relation
from engine.plan.scalars import conjuncts
from engine.plan.temporal import bounds, is_now
from engine.sql.binding.context import Context
from engine.sql.binding.tree import rewrite
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context as Evaluation

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
VERSION: Final = "PostgreSQL 15.0 (Tailrace 0.1)"
"""What version() says: clients read the dialect and the level of the catalog from it."""


def _never(context: "Evaluation", arguments: Sequence[Vector], result: SqlType) -> Vector:
    raise AssertionError("a session function is replaced by its value before anything is evaluated")


def _function(name: str, result: SqlType, doc: str) -> Function:
    return Function(name, (), result, _never, volatile=True, never_null=True, doc=doc)


SESSION_FUNCTIONS: Final = {
    row.name: row
    for row in (
        _function("now", types.TIMESTAMPTZ, "when the statement began"),
        _function("current_timestamp", types.TIMESTAMPTZ, "when the statement began"),
        _function("transaction_timestamp", types.TIMESTAMPTZ, "when the statement began"),
        _function("statement_timestamp", types.TIMESTAMPTZ, "when the statement began"),
        _function("localtimestamp", types.TIMESTAMP, "when the statement began, in UTC"),
        _function("current_date", types.DATE, "the day when the statement began, in UTC"),
        _function("current_time", types.TIME, "the time of day when the statement began, in UTC"),
        _function("localtime", types.TIME, "the time of day when the statement began, in UTC"),
        _function("current_user", types.TEXT, "the user of the session"),
        _function("current_role", types.TEXT, "the user of the session"),
        _function("session_user", types.TEXT, "the user of the session"),
        _function("user", types.TEXT, "the user of the session"),
        _function("current_database", types.TEXT, "the database of the session"),
        _function("current_catalog", types.TEXT, "the database of the session"),
        _function("current_schema", types.TEXT, "the first schema of the search path"),
        _function("mz_now", types.NUMERIC, "the time that the statement reads as of, in ms; see temporal filters"),
        _function("mz_logical_timestamp", types.NUMERIC, "the same, by its older name"),
        _function("version", types.TEXT, "the version that clients go by"),
        _function("mz_version", types.TEXT, "the version of Tailrace"),
    )
}
"""Functions without arguments whose value is the statement's, by name."""


def value(name: str, context: Context) -> Plain:
    """What a session function yields in a statement."""
    match name:
        case "now" | "current_timestamp" | "transaction_timestamp" | "statement_timestamp":
            return context.now
        case "mz_now" | "mz_logical_timestamp":
            return Decimal((context.now - EPOCH) // timedelta(milliseconds=1))
        case "localtimestamp":
            return context.now.astimezone(UTC).replace(tzinfo=None)
        case "current_date":
            return context.now.astimezone(UTC).date()
        case "current_time" | "localtime":
            return context.now.astimezone(UTC).time()
        case "current_user" | "current_role" | "session_user" | "user":
            return context.user
        case "current_database" | "current_catalog":
            return context.path.database
        case "current_schema":
            return context.path.schemas[0] if context.path.schemas else None
        case "version":
            return VERSION
        case _:
            assert name == "mz_version"
            return "v0.1.0 (tailrace)"


def settle(relation: Relation, context: Context) -> Relation:
    """The relation with the moment's constants in the place of session functions and system relations."""

    def settled(node: Relation) -> Relation:
        if isinstance(node, Get):
            item = context.catalog.items[node.id]
            if isinstance(item, SystemRelation):
                found = tuple((row, 1) for row in rows(item, context.catalog, context.runtime))
                return Constant(found, tuple(column.type for column in item.columns))
        return node

    def constant(scalar: BoundScalar) -> BoundScalar:
        if isinstance(scalar, Call) and scalar.function.name in SESSION_FUNCTIONS and not scalar.arguments:
            return Literal(value(scalar.function.name, context), scalar.type)
        return scalar

    return rewrite(relation, settled, constant)


def without_temporal(node: Relation) -> Relation:
    """A filter without the conjuncts that are temporal filters."""
    if not isinstance(node, Filter):
        return node
    return replace(node, predicates=tuple(p for p in conjuncts(node.predicates) if bounds(p) is None))


def refuse(relation: Relation, context: Context, what: str) -> None:
    """Raise Unsupported if the relation cannot be kept up to date by `what`."""

    def check(node: Relation) -> Relation:
        if isinstance(node, Get) and isinstance(context.catalog.items[node.id], SystemRelation):
            raise Unsupported(f"{what} cannot read the system relation {node.name}")
        return node

    def check_scalar(scalar: BoundScalar) -> BoundScalar:
        if is_now(scalar):
            raise Unsupported(
                f"{what} can compare mz_now() in a conjunct of WHERE or HAVING only",
                hint="Write mz_now() alone on one side of =, <, <=, > or >=, or as the subject of BETWEEN.",
            )
        if isinstance(scalar, Call) and scalar.function.volatile:
            raise Unsupported(
                f"{what} cannot call {scalar.function.name}()",
                detail="Its value changes without a change of any input.",
                hint="A plain view can.",
            )
        return scalar

    rewrite(rewrite(relation, without_temporal), check, check_scalar)
