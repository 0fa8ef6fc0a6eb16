"""CREATE and DROP: what each makes of a draft of the catalog, and what the worker is told once that is published."""

from collections.abc import Sequence

from engine.catalog.catalog import SYSTEM_DATABASE
from engine.catalog.items import (
    Index,
    Item,
    MaterializedView,
    QualifiedName,
    Table,
    Type,
    View,
    kind,
)
from engine.cluster.command import Arrange, CreateCollection, Maintain
from engine.coordinator.constraints import indexes_of
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.draft import Draft
from engine.coordinator.pipeline import dataflow
from engine.coordinator.reads import check_recorded
from engine.coordinator.replay import NEEDED
from engine.coordinator.result import Notice, Result
from engine.dataflow.graph import Changes, Plan, Refresh, Schedule, nodes
from engine.errors import DuplicateRelation, InvalidParameter
from engine.expr.datetime_text import format_timestamptz
from engine.plan.lower import with_finishing_as_topk
from engine.plan.relation import Get, Map, Relation
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
)
from engine.types import Column, SqlType


def create_database(draft: Draft, bound: BoundCreateDatabase) -> Result:
    if bound.if_not_exists and bound.name in draft.catalog.databases:
        return _skipped("CREATE DATABASE", f'database "{bound.name}" already exists, skipping', "42P04")
    draft.catalog = draft.catalog.create_database(bound.name)
    return Result("CREATE DATABASE")


def create_schema(draft: Draft, bound: BoundCreateSchema) -> Result:
    if bound.if_not_exists and (bound.database, bound.name) in draft.catalog.schemas:
        return _skipped("CREATE SCHEMA", f'schema "{bound.name}" already exists, skipping', "42P06")
    draft.catalog = draft.catalog.create_schema(bound.database, bound.name)
    return Result("CREATE SCHEMA")


def create_table(draft: Draft, bound: BoundCreateTable, id: int | None = None) -> Result:
    """`id` is what the log says it was; None: a new one."""
    skipped = exists(draft, "CREATE TABLE", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    coordinator, count = draft.coordinator, 1 + len(bound.keys)
    item = Table(
        draft.new_id(id, count), bound.name, bound.columns, bound.create_sql, bound.temporary, bound.keys,
        bound.defaults, bound.depends_on, bound.history_ms, bound.default_texts,
    )  # fmt: skip
    indexes = indexes_of(item)
    for index in indexes:
        exists(draft, "", index.name, False)
    coordinator.tables[item.id] = item.columns
    coordinator.constraints.keep(item)
    rows, types = Get(item.id, item.name.item, item.columns), types_of(item.columns)
    plain = [index for index in indexes if not index.expressions]
    computed = [
        (index, dataflow(with_expressions(rows, index), draft.catalog, coordinator.options))
        for index in indexes
        if index.expressions
    ]

    def make() -> None:
        history_ms = history_of(coordinator, item.history_ms)
        awaits, keys = item.id in draft.filled, tuple(index.key for index in plain)
        made = tuple(Maintain(index.id, plan, (index.key,), history_ms) for index, plan in computed)
        coordinator.send(CreateCollection(item.id, types, False, history_ms, awaits, keys, made))
        coordinator.send(*(Arrange(index.id, item.id, types, index.key, history_ms) for index in plain))

    draft.enter([item, *indexes], make)
    return Result("CREATE TABLE")


def create_type(draft: Draft, bound: BoundCreateType, id: int | None = None) -> Result:
    """A name for a type: nothing below the catalog knows of it."""
    skipped = exists(draft, "CREATE TYPE", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    item = Type(draft.new_id(id), bound.name, bound.type, bound.depends_on, bound.create_sql)
    draft.enter([item])
    return Result("CREATE TYPE")


def create_view(draft: Draft, bound: BoundCreateView, id: int | None = None) -> Result:
    """A name for a query; nothing is computed until something reads or indexes it."""
    skipped = _replaced(draft, "CREATE VIEW", bound.name, bound.replaces, bound.if_not_exists)
    if skipped is not None:
        return skipped
    item = View(
        draft.new_id(id), bound.name, bound.columns, with_finishing_as_topk(bound.query), bound.depends_on,
        bound.create_sql, bound.temporary,
    )  # fmt: skip
    draft.enter([item])
    return Result("CREATE VIEW")


def create_materialized_view(draft: Draft, bound: BoundCreateMaterializedView, id: int | None = None) -> Result:
    """Returns as soon as the view is in the catalog; it hydrates in the background unless it is small."""
    skipped = _replaced(draft, "CREATE MATERIALIZED VIEW", bound.name, bound.replaces, bound.if_not_exists)
    if skipped is not None:
        return skipped
    item = MaterializedView(
        draft.new_id(id), bound.name, bound.columns, bound.relation, bound.depends_on, bound.create_sql,
        bound.history_ms, bound.schedule, bound.replacement_for,
    )  # fmt: skip
    coordinator = draft.coordinator
    plan = dataflow(bound.relation, draft.catalog, coordinator.options)
    if id is None:
        need(draft, item, plan)
    if bound.schedule is not None:
        plan = _refreshed(draft, plan, item, bound.schedule, bound.since, again=id is not None)
    history_ms = history_of(coordinator, bound.history_ms)
    draft.enter([item], lambda: coordinator.send(Maintain(item.id, plan, (), history_ms)))
    return Result("CREATE MATERIALIZED VIEW")


def _refreshed(
    draft: Draft, plan: Plan, item: MaterializedView, schedule: Schedule, since: int, again: bool
) -> Refresh:
    """The plan as of its refreshes. A view that begins `again`, with the server, is as of the last one that there was;
    where what it read then is not known any more it is refreshed now."""
    if again:
        assert draft.coordinator.replay is not None, "what is refreshed wants the past"
        return Refresh(plan, item.id, schedule, since, draft.coordinator.replay.resumes(draft.catalog, item))
    late = next((at for at in schedule.at if at < since), None)
    if late is not None:
        raise InvalidParameter(
            f"REFRESH AT {format_timestamptz(late * 1000)} is in the past",
            hint="What the inputs were then is not known. REFRESH AT CREATION refreshes now.",
        )
    return Refresh(plan, item.id, schedule, since)


def need(draft: Draft, item: Item, plan: Plan) -> None:
    """What CHANGES tells an item has to be known, and to stay so over a restart."""
    check_recorded(draft.coordinator, plan)
    since = changes_since(plan)
    if since is not None:
        draft.fact({(NEEDED, str(item.id)): str(since)})


def changes_since(plan: Plan) -> int | None:
    """Since when a plan reads CHANGES; None: it does not."""
    return min((part.as_of for part in nodes(plan) if isinstance(part, Changes)), default=None)


def create_index(draft: Draft, bound: BoundCreateIndex, id: int | None = None) -> Result:
    """Arranges a collection by a key. The first index of a plain view makes it a maintained collection; one with
    expressions is a collection of its own, which has them computed."""
    skipped = exists(draft, "CREATE INDEX", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    coordinator, on = draft.coordinator, draft.catalog.items[bound.on]
    history_ms = history_of(coordinator, bound.history_ms)
    item = Index(
        draft.new_id(id), bound.name, bound.on, bound.key, bound.create_sql, False, bound.history_ms, bound.expressions
    )
    plan = None
    if item.expressions or isinstance(on, View):
        rows = ticking(on.relation) if isinstance(on, View) else Get(on.id, on.name.item, on.columns)
        plan = dataflow(with_expressions(rows, item), draft.catalog, coordinator.options)
        if id is None:
            need(draft, item, plan)

    def make() -> None:
        if plan is not None and item.expressions:
            coordinator.send(Maintain(item.id, plan, (item.key,), history_ms))
            return
        if plan is not None and on.id not in coordinator.maintained():
            coordinator.send(Maintain(on.id, plan, (bound.key,), history_ms))
        coordinator.send(Arrange(item.id, on.id, types_of(on.columns), item.key, history_ms))

    draft.enter([item], make)
    return Result("CREATE INDEX")


def with_expressions(rows: Relation, index: Index) -> Relation:
    """The rows of an index's relation as the index has them."""
    return Map(rows, tuple(each.scalar for each in index.expressions)) if index.expressions else rows


def drop(draft: Draft, bound: BoundDrop) -> Result:
    """Items in the binder's order (dependents first), then the schemas and databases that are empty by then."""
    draft.drop(bound.items)
    catalog = draft.catalog
    for database, schema in bound.schemas:
        catalog = catalog.drop_schema(database, schema)
    for database in bound.databases:
        catalog = catalog.drop_database(database)
    draft.catalog = catalog
    notices = tuple(Notice(f'{bound.kind} "{name}" does not exist, skipping') for name in bound.missing)
    return Result(f"DROP {str(bound.kind).upper()}", notices=notices)


def drop_temporary(draft: Draft, schema: str) -> None:
    """Forget all that a session has made for itself."""
    items = draft.catalog.in_schema(SYSTEM_DATABASE, schema)
    draft.drop(draft.catalog.drop_order(items, cascade=True))


def history_of(coordinator: Coordinator, history_ms: int | None) -> int:
    """How much of its past an item keeps: what it says, or else the setting."""
    return coordinator.options.history_ms if history_ms is None else history_ms


def types_of(columns: Sequence[Column]) -> tuple[SqlType, ...]:
    return tuple(column.type for column in columns)


def exists(draft: Draft, tag: str, name: QualifiedName, if_not_exists: bool) -> Result | None:
    """The answer of CREATE ... IF NOT EXISTS when there is one of that name; DuplicateRelation without the clause."""
    existing = draft.catalog.named(name)
    if existing is None:
        return None
    message = f'{kind(existing)} "{name.item}" already exists'
    if not if_not_exists:
        raise DuplicateRelation(message)
    return _skipped(tag, f"{message}, skipping", DuplicateRelation.sqlstate)


def _replaced(draft: Draft, tag: str, name: QualifiedName, replaces: int | None, if_not_exists: bool) -> Result | None:
    """As `_exists`; with OR REPLACE the old one goes first, if nothing depends on it."""
    if replaces is not None:
        old = draft.catalog.items[replaces]
        draft.drop(draft.catalog.drop_order([old], cascade=False))
    return exists(draft, tag, name, if_not_exists)


def _skipped(tag: str, message: str, sqlstate: str) -> Result:
    return Result(tag, notices=(Notice(message, sqlstate=sqlstate),))
