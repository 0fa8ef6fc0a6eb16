"""Each kind of source and of connection, and what its connector does for it: the one place that knows them all."""

from collections.abc import Mapping
from typing import Final, assert_never

from engine.catalog.connections import (
    AwsConnection,
    ConnectionDescription,
    GcsConnection,
    KafkaConnection,
    PostgresConnection,
    RegistryConnection,
)
from engine.catalog.sources import (
    Description,
    FileSource,
    GeneratorSource,
    KafkaSource,
    PostgresSource,
    WebhookSource,
)
from engine.catalog.upstream import Selected
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors import generator
from engine.connectors.feed import PROGRESS, Feed, Reader, Resolve, SourceSpec
from engine.connectors.files import columns as files
from engine.connectors.files.objects import check_store
from engine.connectors.files.reader import FileReader
from engine.connectors.files.roots import ANYWHERE, Roots
from engine.connectors.infer import inferred
from engine.connectors.kafka import columns as kafka_columns
from engine.connectors.kafka.client import check_brokers
from engine.connectors.kafka.reader import KafkaReader
from engine.connectors.kafka.sample import sample
from engine.connectors.postgres import upstream
from engine.connectors.postgres.connection import check_server
from engine.connectors.postgres.held import Room
from engine.connectors.postgres.reader import PostgresReader
from engine.connectors.registry import Registry
from engine.types import Column

AMPLE: Final = Room(1 << 30)
"""For rows that wait for the end of a transaction, where nobody says."""

NOTHING: Final[Mapping[int, str]] = {}


def resolved(
    description: Description, columns: tuple[Column, ...] | None, resolve: Resolve, roots: Roots = ANYWHERE,
    again: bool = False,
) -> tuple[Description, tuple[Column, ...] | None]:  # fmt: skip
    """The description, and the columns of its rows, with what only a registry, a file or a server knows filled in. Asks
    them, so never under the tick lock. `again`: the source was made before; a file that is gone since is waited for."""
    match description:
        case KafkaSource():
            return kafka_columns.resolved(description, resolve, roots), columns
        case FileSource():
            return files.resolved(description, columns, roots, resolve, again)
        case PostgresSource():
            return upstream.resolved(description, resolve), columns
        case _:
            return description, columns


def copies(description: Description, selected: Selected, resolve: Resolve) -> tuple[Feed, ...]:
    """The relations that are to be copies of tables of the source. Asks the server, so never under the tick lock."""
    assert isinstance(description, PostgresSource)
    return upstream.tables(description, selected, resolve)


def infer(description: Description, resolve: Resolve) -> tuple[Column, ...]:
    """The columns that a sample of the source's JSON has. Reads it, so never under the tick lock."""
    assert isinstance(description, KafkaSource)
    return inferred(sample(description, resolve))


def describe(
    description: Description, columns: tuple[Column, ...] | None, key: tuple[str, ...] = ()
) -> tuple[Feed, ...]:
    """The relations of a source that is to be created, as `resolved` gave it. `columns` is the declared list, or None
    where the connector knows them; `key` are columns said to be unique."""
    match description:
        case FileSource():
            assert columns is not None
            return files.feeds(description, columns)
        case GeneratorSource():
            return generator.describe(description)
        case KafkaSource():
            return kafka_columns.describe(description, columns, key)
        case WebhookSource():
            assert columns is not None
            return (Feed("", columns, append_only=True),)
        case PostgresSource():
            return (Feed(PROGRESS, upstream.PROGRESS_COLUMNS, append_only=False, keys=((),)),)
        case _:
            assert_never(description)


def open_reader(
    spec: SourceSpec,
    heap: Heap,
    offsets: Mapping[str, int],
    kept: Mapping[int, Batch],
    resolve: Resolve,
    roots: Roots = ANYWHERE,
    broken: Mapping[int, str] = NOTHING,
    room: Room = AMPLE,
) -> Reader:
    """A reader at the source's beginning, or where the log says that its rows have been kept up to.

    `offsets` are what the log has (a generator begins when that one did), `kept` the rows by collection, `broken` the
    collections that hold what is not known any more.
    """
    match spec.description:
        case FileSource():
            return FileReader(spec, spec.description, heap, offsets, roots, resolve)
        case GeneratorSource():
            return generator.GeneratorReader(spec, spec.description, heap, offsets)
        case KafkaSource():
            return KafkaReader(spec, spec.description, heap, offsets, kept, resolve, room.bytes_max)
        case WebhookSource():
            raise AssertionError("a webhook source is written to, and read by nobody")
        case PostgresSource():
            return PostgresReader(spec, spec.description, heap, offsets, broken, resolve, room)
        case _:
            assert_never(spec.description)


def check(connection: ConnectionDescription, resolve: Resolve) -> None:
    """SourceError when the other side cannot be reached and asked."""
    match connection:
        case KafkaConnection():
            check_brokers(connection, resolve)
        case RegistryConnection():
            Registry(connection, resolve).check()
        case AwsConnection() | GcsConnection():
            check_store(connection, resolve)
        case PostgresConnection():
            check_server(connection, resolve)
        case _:
            assert_never(connection)
