"""CREATE SOURCE: a source is an item, its relations are collections, and a reader feeds them."""

from dataclasses import replace

from engine.catalog.items import Item, Role, Source, SourceRelation
from engine.cluster.command import CreateCollection
from engine.connectors.feed import ERRORS, SourceSpec
from engine.connectors.ingest import describe
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import enter, exists, new_id, types_of
from engine.coordinator.result import Result
from engine.sql.bound import BoundCreateSource


def create_source(coordinator: Coordinator, bound: BoundCreateSource, id: int | None = None) -> Result:
    """Makes the source and its relations, and starts to read. The input must be there: MissingFile, MalformedSource."""
    skipped = exists(coordinator, "CREATE SOURCE", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    feeds = describe(bound.description, bound.columns)
    own = next((feed for feed in feeds if feed.name == ""), None)
    id, durable = new_id(coordinator, id), id is None
    columns = () if own is None else own.columns
    append_only = own is None or own.append_only
    entries: list[Item] = [Source(id, bound.name, columns, bound.description, bound.create_sql, append_only)]
    spec = []
    for feed in feeds:
        if feed is own:
            spec.append((id, feed))
            continue
        role = Role.ERRORS if feed.name == ERRORS else Role.DATA
        name = f"{bound.name.item}_{ERRORS}" if feed.name == ERRORS else feed.name
        entries.append(
            SourceRelation(
                id + len(entries), replace(bound.name, item=name), feed.columns, id, role, feed.append_only, feed.keys
            )
        )
        spec.append((entries[-1].id, feed))
    enter(coordinator, entries, durable)
    offsets = {} if coordinator.log is None or durable else coordinator.log.offsets(id)
    for collection, feed in spec:
        command = CreateCollection(collection, types_of(feed.columns), feed.append_only, coordinator.options.history_ms)
        coordinator.send(command)
    coordinator.ingest.start(SourceSpec(id, bound.description, tuple(spec)), offsets)
    return Result("CREATE SOURCE")
