"""CREATE SOURCE: a source is an item, its relations are collections, and a reader feeds them.

Whoever asks a registry or opens a file may wait long, so that comes first, without the tick lock (`prepare`); what it
found is written into the statement that the log keeps, so that a restart needs nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from engine.catalog.catalog import Catalog
from engine.catalog.connections import SecretRef
from engine.catalog.items import Item, QualifiedName, Role, Source, SourceRelation
from engine.catalog.sources import (
    AvroFormat,
    CsvFormat,
    Description,
    FileSource,
    Format,
    GeneratorSource,
    KafkaSource,
    OcfFormat,
    ParquetFormat,
    PostgresSource,
    ProtobufFormat,
    WebhookSource,
    is_kept,
)
from engine.catalog.upstream import NOTHING_SELECTED
from engine.cluster.command import CreateCollection
from engine.collection.batch import Batch
from engine.connectors.feed import ERRORS, PROGRESS, SEEN, Feed, SourceSpec
from engine.connectors.kinds import copies, describe, infer, resolved
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import exists, history_of, types_of
from engine.coordinator.draft import Draft
from engine.coordinator.feeding import refeed, resume
from engine.coordinator.record import BROKEN, unpacked
from engine.coordinator.result import Result
from engine.coordinator.secrets import KIND as SECRET
from engine.coordinator.ticks import NOTHING_BROKEN
from engine.durable.log import Log
from engine.sql.binding.options import source_sql
from engine.sql.binding.postgres import copy_sql, details_of
from engine.sql.binding.writing import full, quoted, text, type_sql
from engine.sql.bound import BoundCreateCopies, BoundCreateSource
from engine.types import TEXT, Column

ROLES: Final = {ERRORS: Role.ERRORS, PROGRESS: Role.PROGRESS, SEEN: Role.SEEN}
"""Feeds that are about the source; they bear its name before their own."""

SINCE: Final = "since"
"""The kind of the log's facts: the time at which a source of Kafka begins that said one before it was made."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source as it will be: its schemas known, its relations, and the statement that makes it again."""

    description: Description
    columns: tuple[Column, ...] | None
    feeds: tuple[Feed, ...]
    create_sql: str
    copies: tuple[Feed, ...] = ()  # those of its feeds that are items of their own


def prepare(coordinator: Coordinator, bound: BoundCreateSource, again: bool = False) -> Prepared:
    """Asks registries, files and servers. The input must be there (MissingFile, MalformedSource, SourceError), unless
    the source is made `again`."""
    description, columns = resolved(bound.description, bound.columns, coordinator.resolve, coordinator.roots, again)
    feeds = describe(description, columns, bound.key)
    wanted: tuple[Feed, ...] = ()
    if isinstance(description, PostgresSource) and description.selected != NOTHING_SELECTED:
        wanted = copies(description, description.selected, coordinator.resolve)
    return Prepared(description, columns, feeds, _seeded(bound, description, columns), wanted)


def printed(coordinator: Coordinator, bound: BoundCreateSource) -> Result:
    """The statement of FORMAT JSON INFER with the columns of a sample: one row, nothing is made."""
    assert bound.infer is not None
    columns = infer(bound.description, coordinator.resolve)
    at, begin, end = bound.infer
    listed = ", ".join(f"{quoted(column.name)} {type_sql(column.type)}" for column in columns)
    sql = f"{bound.create_sql[:at]} ({listed}){bound.create_sql[at:begin]}{bound.create_sql[end:]}"
    return coordinator.rows("CREATE SOURCE", (Column("create_sql", TEXT, nullable=False),), [(sql,)])


def _seeded(bound: BoundCreateSource, description: Description, columns: tuple[Column, ...] | None) -> str:
    """The statement with the schemas that a registry had, what the first file said, what a server is known by."""
    sql = bound.create_sql
    if isinstance(description, FileSource):
        return _told(bound, description, columns)
    if isinstance(description, PostgresSource) and description != bound.description:
        behind = source_sql(bound.history_ms, bound.timeline)
        sql = sql.removesuffix(behind).removesuffix(")")
        return f"{sql}, DETAILS {text(details_of(description))}){behind}"
    if not isinstance(description, KafkaSource):
        return sql
    for at, end, of_key, of_value in sorted(bound.seeds, reverse=True):
        parts = [_seed("KEY", description.key_format)] if of_key else []
        parts += [_seed("VALUE", description.value_format)] if of_value else []
        said = f" SEED {' '.join(part for part in parts if part)}"
        if at < end:  # FILE 'path'
            said = _schema(description.value_format if of_value else description.key_format)
        sql = f"{sql[:at]}{said}{sql[end:]}"
    return sql


def _told(bound: BoundCreateSource, description: FileSource, columns: tuple[Column, ...] | None) -> str:
    """The statement of a source of files with the names of their header, their Avro schema, their columns."""
    sql, format = bound.create_sql, description.format
    assert isinstance(bound.description, FileSource)
    if format != bound.description.format:
        ((at, _, _, _),) = bound.seeds
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
            return f"{of} SCHEMA {_schema(format)}"
        case ProtobufFormat():
            return f"{of} MESSAGE {text(format.message)} SCHEMA {_schema(format)}"
        case _:
            return ""


def _schema(format: Format | None) -> str:
    match format:
        case AvroFormat():
            return text(format.schema)
        case ProtobufFormat():
            return f"'\\x{format.descriptors.hex()}'"
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
    source_id = draft.new_id(id, 1 + len(feeds) + len(prepared.copies))
    facts: dict[tuple[str, str], str | None] = {}
    if isinstance(description, PostgresSource):
        description, facts = _with_own_secret(coordinator, source_id, description)
    columns, append_only, keys = ((), True, ()) if own is None else (own.columns, own.append_only, own.keys)
    source = Source(
        source_id, bound.name, columns, description, prepared.create_sql, append_only, keys, bound.depends_on,
        bound.history_ms, bound.timeline,
    )  # fmt: skip
    if isinstance(description, KafkaSource) and description.start_ms is not None and description.start_ms < 0:
        since = coordinator.log.facts(SINCE).get(str(source_id)) if restored and coordinator.log is not None else None
        if since is None:
            since = str(max(0, coordinator.oracle.wall_ms() + description.start_ms))
        facts[SINCE, str(source_id)] = since
        description = replace(description, start_ms=int(since))
    entries: list[Item] = [source]
    spec: list[tuple[int, Feed]] = []
    for feed in feeds:
        if feed is own:
            spec.append((source_id, feed))
            continue
        role = ROLES.get(feed.name, Role.DATA)
        name = replace(bound.name, item=f"{bound.name.item}_{feed.name}" if feed.name in ROLES else feed.name)
        at = source_id + len(entries)
        entries.append(
            SourceRelation(
                at, name, feed.columns, source_id, role, feed.append_only, feed.keys, history_ms=bound.history_ms
            )
        )
        spec.append((at, feed))
    made: list[SourceRelation] = []
    for feed in prepared.copies:
        name = replace(bound.name, item=feed.name)
        exists(draft, "", name, False)
        at = source_id + len(entries) + len(made)
        made.append(copy_of(at, name, bound.name, source_id, feed, False, bound.history_ms))

    def make() -> None:
        history_ms = history_of(coordinator, bound.history_ms)
        for collection, feed in spec:
            awaits = isinstance(description, GeneratorSource)
            coordinator.send(CreateCollection(collection, types_of(feed.columns), feed.append_only, history_ms, awaits))
        offsets: dict[str, int] = {}
        kept: dict[int, Batch] = {}
        if coordinator.log is not None and restored:
            offsets = coordinator.log.offsets(source_id)
            if is_kept(description):
                kept = {at: contents(coordinator, coordinator.log, at, feed.columns) for at, feed in spec}
                first = kept
                if coordinator.replay is not None:
                    first = {at: first_of(coordinator, coordinator.log, at, feed.columns) for at, feed in spec}
                put_back(coordinator, {at: rows for at, rows in first.items() if len(rows)})
        if isinstance(description, WebhookSource):
            coordinator.tables[source_id] = columns
            coordinator.ingest.stand(source_id)
        elif isinstance(description, PostgresSource):
            for item in made:
                await_copy(coordinator, item, began=False)
            if not restored:  # else its tables have yet to come out of the log
                resume(coordinator, source)
        else:
            coordinator.ingest.start(SourceSpec(source_id, description, tuple(spec), prepared.columns), offsets, kept)

    draft.enter([*entries, *made], make, {} if restored else facts)
    return Result("CREATE SOURCE")


def _with_own_secret(
    coordinator: Coordinator, id: int, description: PostgresSource
) -> tuple[PostgresSource, dict[tuple[str, str], str | None]]:
    """A source whose statement had a password: it is kept as a secret is, under the source's id, and what the log is to
    know of that. The statement that makes it again does not have it."""
    to = description.connection
    facts: dict[tuple[str, str], str | None] = {}
    if isinstance(to.password, str):
        coordinator.secrets[id] = to.password.encode()
        facts[SECRET, str(id)] = coordinator.secrets[id].hex()
    if id not in coordinator.secrets:
        return description, facts
    return replace(description, connection=replace(to, password=SecretRef(id))), facts


def copy_of(
    id: int, name: QualifiedName, source_name: QualifiedName, source: int, feed: Feed, is_table: bool,
    history_ms: int | None,
) -> SourceRelation:  # fmt: skip
    """The relation that is a copy of a table."""
    assert feed.upstream is not None
    return SourceRelation(
        id, name, feed.columns, source, Role.TABLE if is_table else Role.DATA, False, feed.keys,
        copy_sql(name, source_name, is_table, feed.upstream, history_ms), feed.upstream, history_ms,
    )  # fmt: skip


def await_copy(coordinator: Coordinator, item: SourceRelation, began: bool) -> None:
    """The collection of a copy. Unless it began already, whoever reads it waits until the table was copied."""
    coordinator.send(
        CreateCollection(
            item.id, types_of(item.columns), False, history_of(coordinator, item.history_ms), awaits=not began
        )
    )


def prepare_copies(coordinator: Coordinator, catalog: Catalog, bound: BoundCreateCopies) -> tuple[Feed, ...]:
    """What the tables are like. Asks the server."""
    source = catalog.items[bound.source]
    assert isinstance(source, Source)
    if bound.made is None:
        return copies(source.description, bound.selected, coordinator.resolve)
    columns = tuple(each.column for each in bound.made.columns)
    return (Feed(bound.name.item, columns, False, (bound.made.key,) if bound.made.key else (), bound.made),)


def create_copies(draft: Draft, bound: BoundCreateCopies, feeds: tuple[Feed, ...], id: int | None = None) -> Result:
    """More tables of a source that runs: each is complete from the tick on at which its rows join the others."""
    source, coordinator = draft.catalog.items[bound.source], draft.coordinator
    assert isinstance(source, Source)
    first = draft.new_id(id, len(feeds))
    made: list[SourceRelation] = []
    for feed in feeds:
        name = replace(bound.name, item=feed.name)
        skipped = exists(draft, bound.tag, name, bound.if_not_exists)
        if skipped is not None:
            return skipped
        at = first + len(made)
        made.append(copy_of(at, name, source.name, source.id, feed, bound.is_table, bound.history_ms))

    def make() -> None:
        for item in made:
            if id is None:
                await_copy(coordinator, item, began=False)
            else:
                restore_copy(coordinator, item)
        if id is None:
            refeed(coordinator, source.id)

    draft.enter(made, make)
    return Result(bound.tag)


def restore_copy(coordinator: Coordinator, item: SourceRelation) -> None:
    """A copy as the log has it: its rows, or the error that stands in their place, or neither if it never began."""
    assert coordinator.log is not None
    assert item.upstream is not None
    await_copy(coordinator, item, began=item.upstream.token in coordinator.log.offsets(item.source))
    error = coordinator.log.facts(BROKEN).get(str(item.id))
    rows = first_of(coordinator, coordinator.log, item.id, item.columns)
    if len(rows) or error is not None:
        put_back(coordinator, {item.id: rows} if len(rows) else {}, {} if error is None else {item.id: error})


def put_back(coordinator: Coordinator, deltas: Mapping[int, Batch], broken: Mapping[int, str] = NOTHING_BROKEN) -> None:
    """Rows that the log has, which is told nothing of them."""
    replay = coordinator.replay
    at = coordinator.oracle.next() if replay is None else replay.next()
    coordinator.ticks.replay(at, deltas, broken)


def first_of(coordinator: Coordinator, log: Log, id: int, columns: tuple[Column, ...]) -> Batch:
    """The rows of a collection before what is replayed of it."""
    until = None if coordinator.replay is None else coordinator.replay.first_rows(id)
    return total(coordinator, log.first(id, until), columns)


def contents(coordinator: Coordinator, log: Log, id: int, columns: tuple[Column, ...]) -> Batch:
    """The rows that the log has of a collection."""
    return total(coordinator, log.writes(id), columns)


def total(coordinator: Coordinator, writes: Iterable[pa.RecordBatch], columns: tuple[Column, ...]) -> Batch:
    """What writes of the log come to."""
    parts = [unpacked(rows, columns, coordinator.heap) for rows in writes]
    return Batch.concat(parts).consolidate() if parts else Batch.empty(len(columns))
