"""What a data directory holds, put back: the catalog by its statements, rows by their writes.

Of sources the log has the rows and the offsets of the same ticks, so a source goes on where it stood, and what the
broker or a rotation has deleted since is still there. Generators are told how far they came and make the same rows
again.
"""

import sys
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from engine.catalog.catalog import DEFAULT_DATABASE, Catalog, Path
from engine.catalog.items import MaterializedView, Source
from engine.catalog.sources import PostgresSource
from engine.catalog.system.oids import OID
from engine.coordinator import ddl, replay
from engine.coordinator.clusters import restore_clusters
from engine.coordinator.comments import restore_comments
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.draft import NEXT_ID, ORDER, TURNED, Draft
from engine.coordinator.feeding import resume
from engine.coordinator.record import is_durable, packed
from engine.coordinator.replay import Replay
from engine.coordinator.roles import restore_roles
from engine.coordinator.secrets import create_connection, create_secret, restore_secrets
from engine.coordinator.sinks import create_sink
from engine.coordinator.sources import (
    create_copies,
    create_source,
    first_of,
    prepare,
    prepare_copies,
    put_back,
    total,
)
from engine.coordinator.subscribing import create_durable_subscription
from engine.coordinator.system_variables import restore_system
from engine.durable.log import APART_WRITES_MAX, Item, Log
from engine.errors import SqlError
from engine.sql.binder import bind
from engine.sql.binding.context import Context
from engine.sql.bound import (
    BoundCreateConnection,
    BoundCreateCopies,
    BoundCreateDurableSubscription,
    BoundCreateIndex,
    BoundCreateMaterializedView,
    BoundCreateSecret,
    BoundCreateSink,
    BoundCreateSource,
    BoundCreateTable,
    BoundCreateType,
    BoundCreateView,
)
from engine.sql.dialect import parse
from engine.sql.statements import Statement


def restore(coordinator: Coordinator, log: Log) -> None:
    """Bring back all that the log has. Before any session; raises SqlError when a statement cannot be run again."""
    coordinator.oids.restore(log.facts(OID))
    coordinator.catalog = with_schemas(coordinator.catalog, log.schemas())
    restore_roles(coordinator, log)
    restore_system(coordinator, log)
    restore_secrets(coordinator, log)
    coordinator.durable.restore(log)
    # Nothing depends on a sink, which may be from a relation that is younger (ALTER SINK ... SET FROM).
    order = log.facts(ORDER[0]).get(ORDER[1], "").split()
    place = {int(id): number for number, id in enumerate(order)}
    items = sorted(
        log.items(), key=lambda each: (each.sql.startswith("CREATE SINK "), place.get(each.id, len(place)), each.id)
    )
    made = [(item, parse(item.sql)[0]) for item in items]
    refreshed = replay.last_refreshes(log, [(item.id, statement) for item, statement in made], coordinator.oracle.last)
    wanted = replay.horizon(log, [statement for _, statement in made], refreshed)
    with coordinator.ticks.lock if wanted is not None else nullcontext():  # no tick of this life before what was
        if wanted is not None:
            coordinator.replay = Replay(log, wanted, len(items), refreshed, coordinator.oracle.last)
        with coordinator.ingest.assembling():
            for item, statement in made:
                restore_item(coordinator, log, item, statement)
        turned = {int(id): int(tick) for id, tick in log.facts(TURNED).items()}
        views = [item for id in turned if isinstance(item := coordinator.catalog.items[id], MaterializedView)]
        coordinator.catalog = coordinator.catalog.redefined(replace(view, turned=turned[view.id]) for view in views)
        for relation in coordinator.catalog.items.values():
            if isinstance(relation, Source) and isinstance(relation.description, PostgresSource):
                resume(coordinator, relation)
        restore_clusters(coordinator, log)
        restore_comments(coordinator, log)
        next_id = int(log.facts(NEXT_ID[0]).get(NEXT_ID[1], 0))
        coordinator.catalog = replace(coordinator.catalog, next_id=max(next_id, coordinator.catalog.next_id))
        if coordinator.replay is not None:
            replay.run(coordinator, log)
            coordinator.replay = None
    with coordinator.ticks.lock:
        coordinator.durable.restored()
        put_together(coordinator, log, wanted)


def put_together(coordinator: Coordinator, log: Log, wanted: int | None) -> None:
    """Old writes of each collection become one; those that somebody may ask for the changes since stay apart."""
    horizon = log.clock() - max(coordinator.options.resume_ms_max, coordinator.options.history_ms)
    asked = replay.kept_apart(coordinator.catalog, log)
    for item in coordinator.catalog.items.values():
        until, apart_max = horizon, APART_WRITES_MAX
        if item.id in asked and wanted is not None:
            until, apart_max = min(until, wanted), sys.maxsize
        last = log.to_compact(item.id, until, apart_max) if is_durable(coordinator.catalog, item) else None
        if last is not None:
            rows = total(coordinator, log.until(item.id, last), item.columns)
            log.compact(item.id, last, packed(rows, item.columns, coordinator.heap))


def with_schemas(catalog: Catalog, schemas: list[tuple[str, str]] | None) -> Catalog:
    """The catalog with these databases (as (name, "")) and schemas instead of the default ones."""
    if schemas is None:
        return catalog
    for database in sorted({name for name, _ in schemas} - {DEFAULT_DATABASE}):
        catalog = catalog.create_database(database)
    for pair in sorted(catalog.schemas):
        if pair not in schemas:
            catalog = catalog.drop_schema(*pair)
    for database, schema in schemas:
        if schema and (database, schema) not in catalog.schemas:
            catalog = catalog.create_schema(database, schema)
    return catalog if (DEFAULT_DATABASE, "") in schemas else catalog.drop_database(DEFAULT_DATABASE)


def restore_item(coordinator: Coordinator, log: Log, item: Item, statement: Statement) -> None:
    """Run one statement of the catalog again, under the id that it had."""
    now = datetime.fromtimestamp(coordinator.oracle.wall_ms() / 1000, UTC)
    context = Context(coordinator.catalog, Path(), now=now, runtime=coordinator.runtime(), restoring=True)
    try:
        bound = bind(statement, context)
        draft = Draft(coordinator, durable=False)
        match bound:
            case BoundCreateTable():
                ddl.create_table(draft, bound, item.id)
            case BoundCreateView():
                ddl.create_view(draft, bound, item.id)
            case BoundCreateMaterializedView():
                ddl.create_materialized_view(draft, bound, item.id)
            case BoundCreateType():
                ddl.create_type(draft, bound, item.id)
            case BoundCreateIndex():
                ddl.create_index(draft, bound, item.id)
            case BoundCreateSource():
                create_source(draft, bound, prepare(coordinator, bound, again=True), item.id)
            case BoundCreateCopies():
                create_copies(draft, bound, prepare_copies(coordinator, coordinator.catalog, bound), item.id)
            case BoundCreateSecret():
                create_secret(draft, bound, item.id)
            case BoundCreateSink():
                create_sink(draft, bound, item.id)
            case BoundCreateDurableSubscription():
                create_durable_subscription(draft, bound, item.id)
            case BoundCreateConnection():
                create_connection(draft, bound, item.id)
            case _:
                raise AssertionError(f"the log has a statement that makes no item: {item.sql}")
        draft.publish()
        if isinstance(bound, BoundCreateTable):
            restore_rows(coordinator, log, item.id)
    except SqlError as error:
        error.detail = f"while restoring: {item.sql}"
        raise


def restore_rows(coordinator: Coordinator, log: Log, id: int) -> None:
    """A table's writes, as one write. They are in the log: it is told nothing."""
    rows = first_of(coordinator, log, id, coordinator.tables[id])
    if len(rows):
        put_back(coordinator, {id: rows})
