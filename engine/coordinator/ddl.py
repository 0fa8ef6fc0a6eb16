"""CREATE and DROP: each is one change of the catalog, of the log and of what the worker holds, under the tick lock."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.catalog.catalog import SYSTEM_DATABASE, Catalog, is_temporary
from engine.catalog.items import (
    Connection,
    Index,
    Item,
    MaterializedView,
    QualifiedName,
    Secret,
    Sink,
    Source,
    Table,
    Type,
    View,
    kind,
)
from engine.cluster.command import Arrange, CreateCollection, Drop, Maintain
from engine.coordinator.constraints import by
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.pipeline import dataflow
from engine.coordinator.result import Notice, Result
from engine.durable.log import NOTHING
from engine.durable.log import Item as LogItem
from engine.errors import DuplicateRelation
from engine.plan.lower import with_finishing_as_topk
from engine.sql.binding.clock import ticking
from engine.sql.bound import (
    BoundCreateDatabase,
    BoundCreateIndex,
    BoundCreateMaterializedView,
    BoundCreateSchema,
    BoundCreateTable,
    BoundCreateType,
    BoundCreateView,
    BoundDrop,
)  # fmt: skip
from engine.types import Column, SqlType

NEXT_ID = "catalog", "next id"
"""The fact of the log that keeps an id from coming again: what somebody knows of a dropped item is of no other."""


def create_database(coordinator: Coordinator, bound: BoundCreateDatabase) -> Result:
    if bound.if_not_exists and bound.name in coordinator.catalog.databases:
        return _skipped("CREATE DATABASE", f'database "{bound.name}" already exists, skipping', "42P04")
    _schemas_change(coordinator, coordinator.catalog.create_database(bound.name))
    return Result("CREATE DATABASE")


def create_schema(coordinator: Coordinator, bound: BoundCreateSchema) -> Result:
    if bound.if_not_exists and (bound.database, bound.name) in coordinator.catalog.schemas:
        return _skipped("CREATE SCHEMA", f'schema "{bound.name}" already exists, skipping', "42P06")
    _schemas_change(coordinator, coordinator.catalog.create_schema(bound.database, bound.name))
    return Result("CREATE SCHEMA")


def create_table(coordinator: Coordinator, bound: BoundCreateTable, id: int | None = None) -> Result:
    """`id` is what the log says it was; None: a new one."""
    skipped = exists(coordinator, "CREATE TABLE", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    item = Table(
        new_id(coordinator, id), bound.name, bound.columns, bound.create_sql, bound.temporary, bound.keys,
        bound.defaults, bound.depends_on, bound.history_ms, bound.default_texts,
    )  # fmt: skip
    arranged = [Index(item.id + n, replace(item.name, item=key.name), item.id, by(key), "", True)
                for n, key in enumerate(item.keys, 1)]  # fmt: skip
    for index in arranged:
        exists(coordinator, "", index.name, False)
    enter(coordinator, [item, *arranged], durable=id is None)
    coordinator.tables[item.id] = item.columns
    coordinator.constraints.keep(item.id, item.columns, item.keys)
    history_ms = history_of(coordinator, item.history_ms)
    coordinator.send(CreateCollection(item.id, types_of(item.columns), False, history_ms))
    coordinator.send(*(Arrange(i.id, item.id, types_of(item.columns), i.key, history_ms) for i in arranged))
    return Result("CREATE TABLE")


def create_type(coordinator: Coordinator, bound: BoundCreateType, id: int | None = None) -> Result:
    """A name for a type: nothing below the catalog knows of it."""
    skipped = exists(coordinator, "CREATE TYPE", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    item = Type(new_id(coordinator, id), bound.name, bound.type, bound.depends_on, bound.create_sql)
    enter(coordinator, [item], durable=id is None)
    return Result("CREATE TYPE")


def create_view(coordinator: Coordinator, bound: BoundCreateView, id: int | None = None) -> Result:
    """A name for a query; nothing is computed until something reads or indexes it."""
    skipped = _replaced(coordinator, "CREATE VIEW", bound.name, bound.replaces, bound.if_not_exists)
    if skipped is not None:
        return skipped
    item = View(
        new_id(coordinator, id), bound.name, bound.columns, with_finishing_as_topk(bound.query), bound.depends_on,
        bound.create_sql, bound.temporary,
    )  # fmt: skip
    enter(coordinator, [item], durable=id is None)
    return Result("CREATE VIEW")


def create_materialized_view(
    coordinator: Coordinator, bound: BoundCreateMaterializedView, id: int | None = None
) -> Result:
    """Returns as soon as the view is in the catalog; it hydrates in the background unless it is small."""
    skipped = _replaced(coordinator, "CREATE MATERIALIZED VIEW", bound.name, bound.replaces, bound.if_not_exists)
    if skipped is not None:
        return skipped
    item = MaterializedView(
        new_id(coordinator, id), bound.name, bound.columns, bound.relation, bound.depends_on, bound.create_sql,
        bound.history_ms,
    )  # fmt: skip
    plan = dataflow(bound.relation, coordinator.catalog, coordinator.options)
    enter(coordinator, [item], durable=id is None)
    history_ms = history_of(coordinator, bound.history_ms)
    coordinator.send(Maintain(item.id, plan, (), history_ms))
    return Result("CREATE MATERIALIZED VIEW")


def create_index(coordinator: Coordinator, bound: BoundCreateIndex, id: int | None = None) -> Result:
    """Arranges a collection by a key. The first index of a plain view makes it a maintained collection."""
    skipped = exists(coordinator, "CREATE INDEX", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    catalog, history_ms = coordinator.catalog, history_of(coordinator, bound.history_ms)
    on = catalog.items[bound.on]
    if isinstance(on, View) and not catalog.indexes(on.id):
        plan = dataflow(ticking(on.relation), catalog, coordinator.options)
        coordinator.send(Maintain(on.id, plan, (bound.key,), history_ms))
    item = Index(new_id(coordinator, id), bound.name, bound.on, bound.key, bound.create_sql, False, bound.history_ms)
    enter(coordinator, [item], durable=id is None)
    coordinator.send(Arrange(item.id, on.id, types_of(on.columns), item.key, history_ms))
    return Result("CREATE INDEX")


def drop(coordinator: Coordinator, bound: BoundDrop) -> Result:
    """Items in the binder's order (dependents first), then the schemas and databases that are empty by then."""
    drop_items(coordinator, bound.items)
    catalog = coordinator.catalog
    for database, schema in bound.schemas:
        catalog = catalog.drop_schema(database, schema)
    for database in bound.databases:
        catalog = catalog.drop_database(database)
    if catalog is not coordinator.catalog:
        _schemas_change(coordinator, catalog)
    notices = tuple(Notice(f'{bound.kind} "{name}" does not exist, skipping') for name in bound.missing)
    return Result(f"DROP {str(bound.kind).upper()}", notices=notices)


def drop_temporary(coordinator: Coordinator, schema: str) -> None:
    """Forget all that a session has made for itself. A session that made nothing waits for no tick: only it could."""
    if not coordinator.catalog.in_schema(SYSTEM_DATABASE, schema):
        return
    with coordinator.ticks.lock:
        items = coordinator.catalog.in_schema(SYSTEM_DATABASE, schema)
        drop_items(coordinator, coordinator.catalog.drop_order(items, cascade=True))


def drop_items(coordinator: Coordinator, ids: Sequence[int]) -> None:
    """Forget these items, dependents before what they depend on, and free what only they used."""
    if not ids:
        return
    catalog = coordinator.catalog
    gone = [catalog.items[id] for id in ids]
    for item in gone:
        if isinstance(item, Source):
            coordinator.ingest.stop(item.id)
        if isinstance(item, Sink):
            coordinator.sinks.stop(item.id)
    coordinator.catalog = catalog.drop(ids)
    if coordinator.log is not None:
        values: dict[tuple[str, str], str | None] = {NEXT_ID: str(catalog.next_id)}
        values |= {(word, str(item.id)): None for item in gone if (word := kind(item)) in ("secret", "sink")}
        coordinator.log.change(drop=ids, facts=values)
    for item in gone:
        _free(coordinator, catalog, item)
    coordinator.forget(ids)


def _free(coordinator: Coordinator, before: Catalog, item: Item) -> None:
    """Undo what making the item did below the catalog. `before` is the catalog with it."""
    match item:
        case Source() if not item.columns:
            return
        case Secret():
            del coordinator.secrets[item.id]
            return
        case Connection() | Type() | Sink():
            return
        case Index():
            coordinator.send(Drop(item.id))
            on = before.items[item.on]
            if isinstance(on, View) and not coordinator.catalog.indexes(on.id):
                coordinator.end_subscriptions(on.id)
                coordinator.send(Drop(on.id))
                coordinator.forget([on.id])
            return
        case Source():
            coordinator.tables.pop(item.id, None)
        case Table():
            coordinator.tables.pop(item.id)
            coordinator.constraints.forget(item.id)
        case _:
            pass
    coordinator.end_subscriptions(item.id)
    if not isinstance(item, View):
        coordinator.send(Drop(item.id))


def history_of(coordinator: Coordinator, history_ms: int | None) -> int:
    """How much of its past an item keeps: what it says, or else the setting."""
    return coordinator.options.history_ms if history_ms is None else history_ms


def types_of(columns: Sequence[Column]) -> tuple[SqlType, ...]:
    return tuple(column.type for column in columns)


def new_id(coordinator: Coordinator, id: int | None) -> int:
    """The id for a new item; in a replay of the log, the one that it had."""
    if id is None:
        return coordinator.catalog.next_id
    coordinator.catalog = replace(coordinator.catalog, next_id=max(id, coordinator.catalog.next_id))
    return id


def enter(
    coordinator: Coordinator,
    new: Sequence[Item],
    durable: bool,
    facts: Mapping[tuple[str, str], str | None] = NOTHING,
) -> None:
    """Put items into the catalog, and into the log those that have a statement of their own, with facts of theirs."""
    catalog = coordinator.catalog
    for item in new:
        catalog = catalog.create(item)
    if coordinator.log is not None and durable:
        kept = [item for item in new if item.create_sql and not is_temporary(item.name)]
        coordinator.log.change(create=[LogItem(item.id, item.create_sql) for item in kept], facts=facts)
    coordinator.catalog = catalog


def _schemas_change(coordinator: Coordinator, catalog: Catalog) -> None:
    if coordinator.log is not None:
        schemas = [*((name, "") for name in catalog.databases), *catalog.schemas]
        coordinator.log.change(schemas=schemas, facts=coordinator.oids.facts(catalog))
    coordinator.catalog = catalog


def exists(coordinator: Coordinator, tag: str, name: QualifiedName, if_not_exists: bool) -> Result | None:
    """The answer of CREATE ... IF NOT EXISTS when there is one of that name; DuplicateRelation without the clause."""
    existing = coordinator.catalog.named(name)
    if existing is None:
        return None
    message = f'{kind(existing)} "{name.item}" already exists'
    if not if_not_exists:
        raise DuplicateRelation(message)
    return _skipped(tag, f"{message}, skipping", DuplicateRelation.sqlstate)


def _replaced(
    coordinator: Coordinator, tag: str, name: QualifiedName, replaces: int | None, if_not_exists: bool
) -> Result | None:
    """As `_exists`; with OR REPLACE the old one goes first, if nothing depends on it."""
    if replaces is not None:
        old = coordinator.catalog.items[replaces]
        drop_items(coordinator, coordinator.catalog.drop_order([old], cascade=False))
    return exists(coordinator, tag, name, if_not_exists)


def _skipped(tag: str, message: str, sqlstate: str) -> Result:
    return Result(tag, notices=(Notice(message, sqlstate=sqlstate),))
