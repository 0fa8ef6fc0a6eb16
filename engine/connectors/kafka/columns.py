"""The columns of a Kafka source: of keys, of values, and what is known of a record beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from engine import types
from engine.catalog.sources import Debezium, Deduplication, KafkaSource, Metadata, OpenCdc, Upsert
from engine.connectors import cdc, debezium, formats
from engine.connectors.feed import ERRORS, SEEN, Feed, Resolve
from engine.connectors.files.roots import Roots
from engine.connectors.remembered import SEEN_COLUMNS
from engine.errors import InvalidParameter, MalformedSource
from engine.types import Column, SqlType

ERROR_COLUMNS: Final = (
    Column("partition", types.INTEGER, nullable=False),
    Column("offset", types.BIGINT, nullable=False),
    Column("key", types.BYTEA),
    Column("data", types.BYTEA),
    Column("reason", types.TEXT, nullable=False),
)
"""The error relation: which record is no row, its raw bytes, and why."""

HEADER: Final = types.record_of((("key", types.TEXT), ("value", types.BYTEA)))
TYPES: Final[dict[Metadata, SqlType]] = {
    Metadata.PARTITION: types.INTEGER,
    Metadata.OFFSET: types.BIGINT,
    Metadata.TIMESTAMP: types.TIMESTAMP,
    Metadata.HEADERS: types.list_of(HEADER),
}

INLINE_ERROR: Final = types.record_of((("description", types.TEXT), ("code", types.TEXT)))
"""The type of Materialize's inline error column."""


class Part(Enum):
    """What of a record a column comes from."""

    KEY = "key"
    VALUE = "value"
    ERROR = "error"
    PARTITION = "partition"
    OFFSET = "offset"
    TIMESTAMP = "timestamp"
    HEADERS = "headers"


@dataclass(frozen=True, slots=True)
class Layout:
    """The source's columns and where each comes from: (part, the column of the part).

    `key_columns` and `value_columns` are what the decoders make; `key` are the source's columns that are the key of its
    rows under UPSERT.
    """

    columns: tuple[Column, ...]
    places: tuple[tuple[Part, int], ...]
    key_columns: tuple[Column, ...]
    value_columns: tuple[Column, ...]
    key: tuple[int, ...]


def resolved(description: KafkaSource, resolve: Resolve, roots: Roots) -> KafkaSource:
    """The description with the schemas that files have, or a registry for the topic."""
    key, value = description.key_format, description.value_format
    if key is not None:
        key = formats.resolved(key, f"{description.topic}-key", resolve, roots)
    value = formats.resolved(value, f"{description.topic}-value", resolve, roots)
    return replace(description, key_format=key, value_format=value)


def layout(description: KafkaSource, declared: tuple[Column, ...] | None) -> Layout:
    """How the columns of a source come about."""
    envelope = description.envelope
    match envelope:
        case Debezium():
            values = debezium.columns_of(description.value_format, declared)
        case OpenCdc():
            values = cdc.columns_of(description.value_format)
        case _:
            values = formats.columns_of(description.value_format, declared, "data")
    keys: tuple[Column, ...] = ()
    asked = next((each for each in description.included if each.what is Metadata.KEY), None)
    upserts = isinstance(envelope, Upsert) or envelope == Debezium(upsert=True)
    if description.key_format is not None:
        keys = formats.columns_of(description.key_format, None, "key" if asked or not upserts else "key0")
        if asked is not None and asked.name is not None:
            if len(keys) != 1:
                raise InvalidParameter(
                    f"INCLUDE KEY AS needs a key of one column, but it has {len(keys)}", hint="Use INCLUDE KEY."
                )
            keys = (replace(keys[0], name=asked.name),)
    found: list[Column] = []
    places: list[tuple[Part, int]] = []

    def add(column: Column, part: Part, index: int) -> None:
        if any(column.name == other.name for other in found):
            raise InvalidParameter(
                f'column "{column.name}" would be there twice', hint="Name the included one: INCLUDE ... AS name."
            )
        found.append(column)
        places.append((part, index))

    key_at: list[int] = []
    if upserts and not isinstance(envelope, Debezium):
        for i, column in enumerate(keys):
            key_at.append(len(found))
            add(column, Part.KEY, i)
    elif upserts and asked is None:
        # A process that goes on with the rows has to find their keys in them.
        said = {(column.name, column.type) for column in values}
        for i, column in enumerate(keys):
            if (column.name, column.type) not in said:
                add(column, Part.KEY, i)
    of_key = {column.name: column for column in found}
    inline = envelope.inline if isinstance(envelope, Upsert) else None
    for i, column in enumerate(values):
        same = of_key.get(column.name)
        if same is not None and same.type == column.type:
            continue  # the key says it already, and of a tombstone it alone does
        add(replace(column, nullable=column.nullable or inline is not None), Part.VALUE, i)
    for each in description.included:
        if each.what is not Metadata.KEY:
            assert each.name is not None
            add(Column(each.name, TYPES[each.what], nullable=False), Part(each.what.value), 0)
        elif not (upserts and not isinstance(envelope, Debezium)):
            for i, column in enumerate(keys):
                add(replace(column, nullable=True), Part.KEY, i)
    if inline is not None:
        add(Column(inline, INLINE_ERROR), Part.ERROR, 0)
    return Layout(tuple(found), tuple(places), keys, values, tuple(key_at))


def describe(description: KafkaSource, declared: tuple[Column, ...] | None, key: Sequence[str]) -> tuple[Feed, ...]:
    """The relation of the source and that of its errors."""
    made = layout(description, declared)
    names = [column.name for column in made.columns]
    missing = next((name for name in key if name not in names), None)
    if missing is not None:
        raise MalformedSource(f'column "{missing}" named in key does not exist')
    unique = {made.key} if made.key else set()
    if key:
        unique.add(tuple(names.index(name) for name in key))
    grows = not isinstance(description.envelope, Upsert | Debezium | OpenCdc)
    feeds = (
        Feed("", made.columns, append_only=grows, keys=tuple(sorted(unique))),
        Feed(ERRORS, ERROR_COLUMNS, append_only=False),
    )
    if isinstance(description.envelope, Debezium) and description.envelope.deduplication is Deduplication.FULL:
        feeds += (Feed(SEEN, SEEN_COLUMNS, append_only=description.envelope.between is None),)
    return feeds
