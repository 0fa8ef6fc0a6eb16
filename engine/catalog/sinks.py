"""What a sink writes and where: the description that CREATE SINK leaves in the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from engine.catalog.connections import KafkaConnection, RegistryConnection
from engine.catalog.sources import BytesFormat, JsonFormat, TextFormat


@dataclass(frozen=True, slots=True)
class AvroOutput:
    """Avro with the registry's header. `fullname` is what the schema's record is called.

    `compatibility` is the level that the registry holds the subject to; None leaves it as it is. `null_defaults`: the
    default of fields that may be NULL is null. `doc` is of the row, `column_docs` are by the names of its columns.
    """

    registry: RegistryConnection
    fullname: str
    compatibility: str | None = None
    null_defaults: bool = False
    doc: str | None = None
    column_docs: Mapping[str, str] = field(default_factory=dict)


OutputFormat: TypeAlias = JsonFormat | TextFormat | BytesFormat | AvroOutput


@dataclass(frozen=True, slots=True)
class Consistency:
    """CONSISTENCY: the topic that is told where transactions begin and end, in JSON or Avro."""

    topic: str
    format: JsonFormat | AvroOutput


class OutputEnvelope(Enum):
    """UPSERT: the row of a key, or no value when there is none. DEBEZIUM: the row before and after."""

    UPSERT = "upsert"
    DEBEZIUM = "debezium"


@dataclass(frozen=True, slots=True)
class KafkaSink:
    """`key` and `headers` are columns of what is written; a record's partition is its own last column if `partitioned`.

    `partitions`, `replication` and `config` are for a topic that is not there yet: None is one, and up to three. What
    brokers know the sink by begins with `transactional_prefix`. `snapshot`: whether what was there when the sink was
    made is written too.
    """

    connection: KafkaConnection
    topic: str
    progress_topic: str
    envelope: OutputEnvelope
    key: tuple[int, ...] | None
    key_format: OutputFormat | None
    value_format: OutputFormat
    headers: int | None = None
    partitioned: bool = False
    compression: str = "lz4"
    partitions: int | None = None
    replication: int | None = None
    config: tuple[tuple[str, str], ...] = ()
    snapshot: bool = True
    client_id: str = "tailrace"
    transactional_prefix: str = "tailrace"
    consistency: Consistency | None = None
