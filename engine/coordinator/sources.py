"""CREATE SOURCE: a source is an item, its relations are collections, and a reader feeds them.

Whoever asks a registry or opens a file may wait long, so that comes first, without the tick lock (`prepare`); what it
found is written into the statement that the log keeps, so that a restart needs nobody.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from engine.catalog.items import Item, Role, Source, SourceRelation
from engine.catalog.sources import (
    AvroFormat,
    CsvFormat,
    Description,
    FileSource,
    Format,
    KafkaSource,
    OcfFormat,
    ParquetFormat,
    ProtobufFormat,
    WebhookSource,
    is_kept,
)
from engine.cluster.command import CreateCollection
from engine.collection.batch import Batch
from engine.connectors.feed import ERRORS, PROGRESS, Feed, SourceSpec
from engine.connectors.ingest import describe, infer, resolved
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import exists, types_of
from engine.coordinator.draft import Draft
from engine.coordinator.record import unpacked
from engine.coordinator.result import Result
from engine.durable.log import Log
from engine.sql.binding.writing import full, quoted, text, type_sql
from engine.sql.bound import BoundCreateSource
from engine.types import TEXT, Column

ROLES: Final = {ERRORS: Role.ERRORS, PROGRESS: Role.PROGRESS}
"""Feeds that are about the source; they bear its name before their own."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source as it will be: its schemas known, its relations, and the statement that makes it again."""

    description: Description
    columns: tuple[Column, ...] | None
    feeds: tuple[Feed, ...]
    create_sql: str


def prepare(coordinator: Coordinator, bound: BoundCreateSource, again: bool = False) -> Prepared:
    """Asks registries and files. The input must be there (MissingFile, MalformedSource, SourceError), unless the source
    is made `again`."""
    description, columns = resolved(bound.description, bound.columns, coordinator.resolve, coordinator.roots, again)
    feeds = describe(description, columns, bound.key)
    return Prepared(description, columns, feeds, _seeded(bound, description, columns))


def printed(coordinator: Coordinator, bound: BoundCreateSource) -> Result:
    """The statement of FORMAT JSON INFER with the columns of a sample: one row, nothing is made."""
    assert bound.infer is not None
    columns = infer(bound.description, coordinator.resolve)
    at, begin, end = bound.infer
    listed = ", ".join(f"{quoted(column.name)} {type_sql(column.type)}" for column in columns)
    sql = f"{bound.create_sql[:at]} ({listed}){bound.create_sql[at:begin]}{bound.create_sql[end:]}"
    return coordinator.rows("CREATE SOURCE", (Column("create_sql", TEXT, nullable=False),), [(sql,)])


def _seeded(bound: BoundCreateSource, description: Description, columns: tuple[Column, ...] | None) -> str:
    """The statement with the schemas that a registry had, and what the first file said."""
    sql = bound.create_sql
    if isinstance(description, FileSource):
        return _told(bound, description, columns)
    if not isinstance(description, KafkaSource):
        return sql
    for at, of_key, of_value in sorted(bound.seeds, reverse=True):
        parts = [_seed("KEY", description.key_format)] if of_key else []
        parts += [_seed("VALUE", description.value_format)] if of_value else []
        sql = f"{sql[:at]} SEED {' '.join(part for part in parts if part)}{sql[at:]}"
    return sql


def _told(bound: BoundCreateSource, description: FileSource, columns: tuple[Column, ...] | None) -> str:
    """The statement of a source of files with the names of their header, their Avro schema, their columns."""
    sql, format = bound.create_sql, description.format
    assert isinstance(bound.description, FileSource)
    if format != bound.description.format:
        ((at, _, _),) = bound.seeds
        said = f" USING SCHEMA {text(format.schema)}" if isinstance(format, OcfFormat) else ""
        if isinstance(format, CsvFormat):
            said = f" ({', '.join(map(quoted, format.names))})"
        sql = f"{sql[:at]}{said}{sql[at:]}"
    if bound.columns is None and isinstance(format, ParquetFormat) and columns is not None:
        at = len(f"CREATE SOURCE {full(bound.name)}")
        sql = f"{sql[:at]} ({', '.join(f'{quoted(each.name)} {type_sql(each.type)}' for each in columns)}){sql[at:]}"
    return sql


def _seed(of: str, format: Format | None) -> str:
    match format:
        case AvroFormat():
            return f"{of} SCHEMA {text(format.schema)}"
        case ProtobufFormat():
            return f"{of} MESSAGE {text(format.message)} SCHEMA '\\x{format.descriptors.hex()}'"
        case _:
            return ""


def create_source(draft: Draft, bound: BoundCreateSource, prepared: Prepared, id: int | None = None) -> Result:
    """A source and its relations, which starts to read when it is published. `id` is what the log says it was."""
    skipped = exists(draft, "CREATE SOURCE", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    description, feeds = prepared.description, prepared.feeds
    own = next((feed for feed in feeds if feed.name == ""), None)
    coordinator, restored = draft.coordinator, id is not None
    source_id = draft.new_id(id, 1 + len(feeds))
    columns, append_only, keys = ((), True, ()) if own is None else (own.columns, own.append_only, own.keys)
    source = Source(
        source_id, bound.name, columns, description, prepared.create_sql, append_only, keys, bound.depends_on
    )
    entries: list[Item] = [source]
    spec: list[tuple[int, Feed]] = []
    for feed in feeds:
        if feed is own:
            spec.append((source_id, feed))
            continue
        role = ROLES.get(feed.name, Role.DATA)
        name = replace(bound.name, item=f"{bound.name.item}_{feed.name}" if feed.name in ROLES else feed.name)
        at = source_id + len(entries)
        entries.append(SourceRelation(at, name, feed.columns, source_id, role, feed.append_only, feed.keys))
        spec.append((at, feed))

    def make() -> None:
        history_ms = coordinator.options.history_ms
        for collection, feed in spec:
            coordinator.send(CreateCollection(collection, types_of(feed.columns), feed.append_only, history_ms))
        offsets: dict[str, int] = {}
        kept: dict[int, Batch] = {}
        if coordinator.log is not None and restored:
            offsets = coordinator.log.offsets(source_id)
            if is_kept(description):
                kept = {at: contents(coordinator, coordinator.log, at, feed.columns) for at, feed in spec}
                coordinator.ticks.restore({at: rows for at, rows in kept.items() if len(rows)})
        if isinstance(description, WebhookSource):
            coordinator.tables[source_id] = columns
            coordinator.ingest.stand(source_id)
        else:
            coordinator.ingest.start(SourceSpec(source_id, description, tuple(spec), prepared.columns), offsets, kept)

    draft.enter(entries, make)
    return Result("CREATE SOURCE")


def contents(coordinator: Coordinator, log: Log, id: int, columns: tuple[Column, ...]) -> Batch:
    """The rows that the log has of a collection."""
    return total(coordinator, log.writes(id), columns)


def total(coordinator: Coordinator, writes: Iterable[pa.RecordBatch], columns: tuple[Column, ...]) -> Batch:
    """What writes of the log come to."""
    parts = [unpacked(rows, columns, coordinator.heap) for rows in writes]
    return Batch.concat(parts).consolidate() if parts else Batch.empty(len(columns))
