"""What differs between statements: the session's functions, functions that read the catalog, and what of a system
relation a session sees.

In a bound view they stay what they are (a call, a Get); `settle` puts in their place what they are in one statement:
constants, functions of this catalog, the rows of the session's database. What is kept up to date cannot have them:
`refuse` says so.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, cast

from engine import types
from engine.catalog.system import functions
from engine.catalog.system.answers.locks import LOCKING
from engine.catalog.system.definition import Changes, Definition
from engine.catalog.system.registry import BY_ID as SYSTEM
from engine.collection.value import Interval, Plain
from engine.errors import DataError, InvalidParameter, Unsupported
from engine.expr import overload
from engine.expr.columns import each, own
from engine.expr.functions.chance import SEED_BITS, SOURCES, drawn
from engine.expr.functions.system import UNMATERIALIZABLE
from engine.expr.literal import literal_of_raw
from engine.expr.registry import Function, OnNull
from engine.expr.scalar import Call, Literal, Logic, Ref, Value
from engine.plan.relation import BoundScalar, Constant, Filter, Get, Project, Relation
from engine.plan.rules.fold import folded
from engine.plan.scalars import conjuncts, is_plain
from engine.plan.temporal import bounds, is_now
from engine.sql.binding.clock import CLOCKS
from engine.sql.binding.context import Context
from engine.sql.binding.tree import rewrite
from engine.sql.parameters import number_of
from engine.sql.shown import pretty_sql, redact_sql
from engine.types import SqlType

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
VERSION: Final = "PostgreSQL 15.0 (Tailrace 0.1)"
"""What version() says: clients read the dialect and the level of the catalog from it."""
MZ_VERSION: Final = "v0.130.0 (tailrace 0.1.0)"
"""The version of Materialize whose clients find here what they ask for, and that of this system."""

WRITTEN: Final = {"pretty_sql": pretty_sql, "redact_sql": redact_sql}
"""Functions of SQL as text."""
OF_CONSTANTS: Final = frozenset({"set_config", "mz_sleep", "pg_sleep", *LOCKING})
"""Functions that do something once, before their statement runs."""
PLAIN: Final = bool | int | float | str | Decimal
"""Values that are the same inside the engine and outside."""
NUMBER_BITS: Final = 62
"""Of the number that tells one call of chance from another."""
FILTER: Final = "A conjunct of WHERE may compare it, moved by a constant of days or less, with a timestamp."

SESSION_FUNCTIONS: Final = {row.name: row for row in UNMATERIALIZABLE}
"""Functions without arguments whose value is the statement's, by name."""


def milliseconds_of(context: Context) -> int:
    """When the statement began, as a tick."""
    return (context.now - EPOCH) // timedelta(milliseconds=1)


def value(name: str, context: Context) -> Plain:
    """What a session function yields in a statement."""
    match name:
        case "now" | "current_timestamp" | "transaction_timestamp" | "statement_timestamp" | "clock_timestamp":
            return context.now
        case "mz_now" | "mz_logical_timestamp":
            if context.read_at is not None:
                return context.read_at
            return milliseconds_of(context) if context.tick is None else context.tick()
        case "mz_uptime":
            return Interval(0, 0, round((context.now.timestamp() - context.runtime.began.timestamp()) * 1_000_000))
        case "localtimestamp":
            return context.now.astimezone(UTC).replace(tzinfo=None)
        case "current_date":
            return context.now.astimezone(UTC).date()
        case "current_time" | "localtime":
            return context.now.astimezone(UTC).time()
        case "current_user" | "current_role" | "user":
            return context.user
        case "session_user":
            return context.session_user
        case "current_database" | "current_catalog":
            return context.path.database
        case "current_schema":
            return context.path.schemas[0] if context.path.schemas else None
        case "version":
            return VERSION
        case _:
            assert name == "mz_version"
            return MZ_VERSION


def settle(relation: Relation, context: Context, *, goes_on: bool = False) -> Relation:
    """The relation with what the session's functions, system relations and parameters are in this statement; mz_now()
    stays in one that goes on."""

    values = None if context.parameters is None else context.parameters.values

    def constant(scalar: BoundScalar) -> BoundScalar:
        if not isinstance(scalar, Call) or not scalar.function.volatile:
            return scalar
        number = number_of(scalar)
        if number is not None and values is not None:
            return values[number - 1]
        if goes_on and is_now(scalar):
            return scalar
        if scalar.function.name in SOURCES and not scalar.arguments:
            function = drawn(scalar.function.name, scalar.type, context.draw(SEED_BITS))
            return Call(function, (Literal(context.draw(NUMBER_BITS), types.BIGINT),), scalar.type)
        if scalar.function.name in SESSION_FUNCTIONS and not scalar.arguments:
            return Literal(value(scalar.function.name, context), scalar.type)
        return answered(scalar, context)

    return rewrite(relation, lambda node: seen(node, context), constant)


def seen(node: Relation, context: Context) -> Relation:
    """What a session sees of a system relation: the rows of its own, or those of its database."""
    definition = SYSTEM.get(node.id) if isinstance(node, Get) else None
    if definition is None or not isinstance(node, Get):
        return node
    if definition.of_session is not None:
        found = tuple((cast("tuple[Value, ...]", row), 1) for row in definition.of_session(context))
        return Constant(found, tuple(column.type for column in definition.columns))
    if not definition.scoped or len(node.columns) == len(definition.held):
        return node
    return _of_database(node, definition, context)


def _of_database(node: Get, definition: Definition, context: Context) -> Relation:
    width = len(definition.columns)
    database = Ref(width, types.TEXT, True)
    mine = overload.call("=", database, Literal(context.path.database, types.TEXT))
    every = overload.call("is_null", database)
    held = Filter(replace(node, columns=definition.held), (Logic(False, (every, mine)),))
    return Project(held, tuple(range(width)))


def answered(call: Call, context: Context) -> BoundScalar:
    """The call of a function that reads the catalog, as one of this catalog: a constant if its arguments are."""
    function = call.function
    if function.name in WRITTEN:
        answer, of = WRITTEN[function.name], None
    else:
        found = functions.answer(function.name, function.parameters, function.result, context)
        if found is None:
            return call
        answer, of = found
    arguments = [folded(argument) if is_plain(argument) else argument for argument in call.arguments]
    given = [argument.value for argument in arguments if isinstance(argument, Literal)]
    plain = function.on_null is OnNull.OWN or all(isinstance(value, PLAIN) for value in given)
    if plain and len(given) == len(call.arguments):
        try:
            return literal_of_raw(answer(*given), call.type)
        except DataError:
            pass  # it is an error only of the rows that ask
    if function.name in OF_CONSTANTS:
        raise InvalidParameter(f"the arguments of {function.name}() must be constants")
    make = own if function.on_null is OnNull.OWN else _fallible
    made = make(function.name, function.parameters, function.result, answer)
    return replace(call, function=replace(made, of=of))


def _fallible(name: str, parameters: tuple[SqlType, ...], result: SqlType, answer: functions.Answer) -> Function:
    return each(name, parameters, result, answer, can_fail=True, gives_null=True)


def with_values(relation: Relation, context: Context) -> Relation:
    """The relation with the parameters' values alone put in: what goes on reading may still ask for mz_now()."""
    values = None if context.parameters is None else context.parameters.values
    if values is None:
        return relation

    def value(scalar: BoundScalar) -> BoundScalar:
        number = number_of(scalar)
        return scalar if number is None else values[number - 1]

    return rewrite(relation, lambda node: node, value)


def without_temporal(node: Relation) -> Relation:
    """A filter without the conjuncts that are temporal filters."""
    if not isinstance(node, Filter):
        return node
    return replace(node, predicates=tuple(p for p in conjuncts(node.predicates) if bounds(p) is None))


def refuse(relation: Relation, what: str, of_session: bool = False) -> None:
    """Raise Unsupported if the relation cannot be kept up to date by `what`; one `of_session` ends with its session, so
    it may read what the session's database has."""

    def check(node: Relation) -> Relation:
        definition = SYSTEM.get(node.id) if isinstance(node, Get) else None
        if definition is None or not isinstance(node, Get):
            return node
        if definition.changes is Changes.SESSION or (definition.scoped and not of_session):
            raise Unsupported(
                f"{what} cannot read {node.name}",
                detail="What it shows depends on the session.",
                hint="The relations of mz_catalog and mz_internal are the same in every session.",
            )
        return node

    def check_scalar(scalar: BoundScalar) -> BoundScalar:
        if is_now(scalar):
            raise Unsupported(
                f"{what} can compare mz_now() in a conjunct of WHERE or HAVING only",
                hint="Write mz_now() alone on one side of =, <, <=, > or >=, or as the subject of BETWEEN.",
            )
        if isinstance(scalar, Call) and scalar.function.volatile and number_of(scalar) is None:
            raise Unsupported(
                f"{what} cannot call {scalar.function.name}()",
                detail="Its value changes without a change of any input.",
                hint=f"A plain view can. {FILTER}" if scalar.function.name in CLOCKS else "A plain view can.",
            )
        return scalar

    rewrite(rewrite(relation, without_temporal), check, check_scalar)
