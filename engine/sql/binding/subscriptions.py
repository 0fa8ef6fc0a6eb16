"""Durable subscriptions: what is told and how, whose reader goes on, what is acknowledged."""

from collections.abc import Sequence

from engine.catalog.catalog import is_temporary
from engine.catalog.items import ByKey, DurableSubscription, kind
from engine.dataflow.graph import Order
from engine.errors import (
    AmbiguousColumn,
    DuplicateColumn,
    InvalidParameter,
    InvalidTableDefinition,
    SyntaxError_,
    UndefinedColumn,
    Unsupported,
)
from engine.plan.relation import Get
from engine.sql import bound, statements, syntax
from engine.sql.binding.clock import ticking
from engine.sql.binding.context import Context
from engine.sql.binding.definitions import with_full_names
from engine.sql.binding.drops import find
from engine.sql.binding.options import instant_ms, milliseconds
from engine.sql.binding.queries import Queries
from engine.sql.binding.select import ordering
from engine.sql.binding.session import refuse
from engine.sql.binding.writing import full
from engine.sql.scope import Around
from engine.sql.statement.data import EnvelopeClause, Using
from engine.sql.statement.parts import ObjectKind, Option
from engine.types import Column


def create_durable_subscription(
    statement: statements.CreateDurableSubscription, context: Context
) -> bound.BoundCreateDurableSubscription:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    binder = Queries(context)
    on = None
    if isinstance(statement.target, syntax.Name):
        item = binder.item(statement.target)
        on, relation, told = item.id, binder.read(item, statement.target.at), item.columns
    else:
        sub = binder.derived(statement.target, Around(None, {}))
        relation, told = sub.relation, tuple(sub.columns)
    relation = ticking(relation)
    refuse(relation, "a durable subscription")
    used = next((use.item for use in context.uses if is_temporary(use.item.name)), None)
    if used is not None:
        raise InvalidTableDefinition(
            f'durable subscription "{name.item}" cannot read the temporary {kind(used)} "{used.name.item}"',
            hint="It outlives the session.", position=statement.name.at,
        )  # fmt: skip
    acknowledge_ms = start = None
    for option in statement.options:
        match option.name, option.value:
            case "acknowledge within", str():
                acknowledge_ms = milliseconds(option)
            case "start at", int() | str() if not isinstance(option.value, bool):
                start = _start(option, on)
            case _:
                raise InvalidParameter(
                    f'unrecognized option "{option.name}" of a durable subscription, or no value of it',
                    hint="There are ACKNOWLEDGE WITHIN 'interval' and START AT timestamp.", position=option.at,
                )  # fmt: skip
    text = with_full_names(statement.span, statement.name.end, context)
    return bound.BoundCreateDurableSubscription(
        name, on, relation, told, frozenset(binder.reads | binder.types), statement.if_not_exists,
        f"CREATE DURABLE SUBSCRIPTION {full(name)}{text}", acknowledge_ms,
        None if statement.envelope is None else envelope(statement.envelope, told),
        tuple(within(item, told) for item in statement.within), start,
    )  # fmt: skip


def _start(option: Option, on: int | None) -> int:
    if on is None:
        raise Unsupported(
            "START AT of a query is not supported: what its answer was before is not known",
            hint="CREATE MATERIALIZED VIEW ... WITH (RETAIN HISTORY FOR ...), and the subscription ON that.",
            position=option.at,
        )
    return option.value if isinstance(option.value, int) else instant_ms(str(option.value), option.at)


def acknowledge(statement: statements.Acknowledge, context: Context) -> bound.BoundAcknowledge:
    item = find(ObjectKind.DURABLE_SUBSCRIPTION, statement.name, False, context)
    assert item is not None
    return bound.BoundAcknowledge(item.id, Queries(context).timestamp(statement.up_to, "UP TO"))


def using(statement: statements.Subscribe, target: Using, context: Context) -> bound.BoundSubscribe:
    """SUBSCRIBE USING: the subscription says all but how this reader wants it."""
    item = find(ObjectKind.DURABLE_SUBSCRIPTION, target.name, False, context)
    assert isinstance(item, DurableSubscription)
    said = {"AS OF": statement.as_of, "ENVELOPE": statement.envelope, "WITHIN TIMESTAMP ORDER BY": statement.within}
    for clause, value in said.items():
        if value:
            raise SyntaxError_(
                f"{clause} cannot be said of SUBSCRIBE USING DURABLE SUBSCRIPTION",
                hint="It goes on from where it was acknowledged, and tells as CREATE DURABLE SUBSCRIPTION says.",
                position=target.name.at,
            )
    flags = flags_of(statement.options, {"reset": False, "progress": False})
    up_to = None if statement.up_to is None else Queries(context).timestamp(statement.up_to, "UP TO")
    relation = Get(item.id, str(item.name), item.told)
    return bound.BoundSubscribe(
        relation, item.told, frozenset({item.id}), True, flags["progress"], None, up_to, False, item.envelope,
        item.within, item.id, flags["reset"],
    )  # fmt: skip


def flags_of(options: Sequence[Option], known: dict[str, bool]) -> dict[str, bool]:
    """The options of a SUBSCRIBE, over the values that these have where nothing is said."""
    flags = dict(known)
    for option in options:
        if option.name not in flags:
            raise InvalidParameter(f'unrecognized SUBSCRIBE option "{option.name}"', position=option.at)
        if not (option.value is None or isinstance(option.value, bool)):
            raise InvalidParameter(f"{option.name.upper()} is either true or false", position=option.at)
        flags[option.name] = option.value is None or option.value
    return flags


def envelope(clause: EnvelopeClause, columns: Sequence[Column]) -> ByKey:
    key: list[int] = []
    for name in clause.key:
        index = _output(name, columns, clause.at)
        if index in key:
            raise DuplicateColumn(f'column "{name}" appears twice in the key of the envelope', position=clause.at)
        key.append(index)
    return ByKey(tuple(key), clause.debezium)


def within(item: syntax.OrderItem, columns: Sequence[Column]) -> Order:
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
