"""Sources whose relations come and go while they run: what their reader is to feed, as the catalog has it."""

from engine.catalog.items import Role, Source, SourceRelation
from engine.connectors.feed import PROGRESS, Feed, SourceSpec
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.record import BROKEN


def spec_of(coordinator: Coordinator, source: Source) -> SourceSpec:
    """The source with the copies of tables that there are."""
    feeds: list[tuple[int, Feed]] = []
    for item in coordinator.catalog.dependents(source.id):
        if isinstance(item, SourceRelation) and item.role is Role.PROGRESS:
            feeds.append((item.id, Feed(PROGRESS, item.columns, item.append_only, item.keys)))
        elif isinstance(item, SourceRelation):
            feeds.append((item.id, Feed(item.name.item, item.columns, item.append_only, item.keys, item.upstream)))
    return SourceSpec(source.id, source.description, tuple(feeds))


def resume(coordinator: Coordinator, source: Source) -> None:
    """Begin to read a source, or go on where the log says that it stood."""
    offsets: dict[str, int] = {}
    broken: dict[int, str] = {}
    if coordinator.log is not None:
        offsets = coordinator.log.offsets(source.id)
        broken = {int(id): error for id, error in coordinator.log.facts(BROKEN).items()}
    coordinator.ingest.start(spec_of(coordinator, source), offsets, {}, broken)


def refeed(coordinator: Coordinator, id: int) -> None:
    """The source's relations are others than before: read on with those. Under the tick lock."""
    source = coordinator.catalog.items.get(id)
    if isinstance(source, Source):
        coordinator.ingest.restart(spec_of(coordinator, source))
