"""Sources, sinks, connections and secrets."""

from dataclasses import dataclass
from typing import TypeAlias

from engine.catalog.sources import (
    BytesFormat,
    Compression,
    CsvFormat,
    Envelope,
    HeaderColumn,
    HeaderFilter,
    Included,
    JsonFormat,
    ParquetFormat,
    Part,
    RegexFormat,
    TextFormat,
    WebhookBody,
)
from engine.sql.statement.parts import ColumnDefinition, KeyConstraint, Option, Span
from engine.sql.syntax import Expression, Name


@dataclass(frozen=True, slots=True)
class FromFile:
    """FROM FILE 'path' [COMPRESSION {NONE | GZIP | ZSTD}]. `path` may be the URL of an object store."""

    path: str
    compression: Compression
    at: int


@dataclass(frozen=True, slots=True)
class FromGenerator:
    """FROM LOAD GENERATOR kind (options) [FOR ALL TABLES]: `kind` in lower case."""

    kind: str
    options: tuple[Option, ...]
    for_all_tables: bool
    at: int


@dataclass(frozen=True, slots=True)
class FromKafka:
    """FROM KAFKA BROKER 'h:p, ..' TOPIC 't', or CONNECTION name (options), one of which is TOPIC."""

    connection: Name | None
    brokers: tuple[str, ...]
    topic: str | None
    options: tuple[Option, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Given:
    """{HEADERS | BODY | SECRET name} [AS name] [BYTES]: what a CHECK sees, and what it calls it."""

    what: Part | Name
    name: str
    binary: bool
    at: int


@dataclass(frozen=True, slots=True)
class FromWebhook:
    """FROM WEBHOOK BODY FORMAT f [INCLUDE ...] [CHECK ([WITH (given, ...)] condition)]."""

    body: WebhookBody
    headers: HeaderFilter | None
    named: tuple[HeaderColumn, ...]
    given: tuple[Given, ...]
    condition: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class Strategy:
    """{KEY | VALUE} STRATEGY {LATEST | ID n | INLINE 'schema'}: which schema the data are read as."""

    id: int | None = None
    inline: str | None = None


@dataclass(frozen=True, slots=True)
class FromPostgres:
    """FROM POSTGRES CONNECTION {name | 'key=value ..'}, then (options) [FOR {TABLES (name [AS alias], ...)
    | ALL TABLES | SCHEMAS (names)}], or PUBLICATION 'p': all tables, each `behind` the source's name."""

    connection: Name | str
    options: tuple[Option, ...]
    tables: tuple[tuple[Name, str | None], ...]
    every: bool
    schemas: tuple[str, ...]
    behind: bool
    at: int


@dataclass(frozen=True, slots=True)
class RegistryClause:
    """CONFLUENT SCHEMA REGISTRY {CONNECTION name | 'url' [WITH (options)]} [KEY STRATEGY ..] [VALUE STRATEGY ..]
    [SEED ...], a seed as (message, schema). `end` is where a SEED would stand.
    """

    connection: Name | None
    url: str | None
    options: tuple[Option, ...]
    key_strategy: Strategy
    value_strategy: Strategy
    key_seed: tuple[str, str] | None
    value_seed: tuple[str, str] | None
    at: int
    end: int


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """SCHEMA FILE 'path': a file of the server, whose contents take the place of FILE 'path', from `at` to `end`."""

    path: str
    at: int
    end: int


@dataclass(frozen=True, slots=True)
class AvroClause:
    """AVRO USING SCHEMA {'schema' | FILE 'path'}, or what a registry has. `written`: the (options) of a sink behind it,
    of which [KEY | VALUE] DOC ON {TYPE t | COLUMN t.c} = 'text' has the values (t, 'c', 'text'), or (t, '', 'text').
    """

    schema: str | SchemaFile | None
    registry: RegistryClause | None
    framed: bool
    at: int
    written: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtobufClause:
    """PROTOBUF [MESSAGE 'm'] USING SCHEMA {'hexadecimal FileDescriptorSet' | FILE 'path'}, or what a registry has."""

    message: str | None
    schema: str | SchemaFile | None
    registry: RegistryClause | None
    at: int


@dataclass(frozen=True, slots=True)
class OcfClause:
    """AVRO OCF [USING SCHEMA 'schema']: the reader's."""

    schema: str | None
    at: int


FormatClause: TypeAlias = (
    JsonFormat | TextFormat | BytesFormat | CsvFormat | RegexFormat | AvroClause | OcfClause | ParquetFormat
    | ProtobufClause
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TransactionClause:
    """TRANSACTION METADATA (SOURCE name, COLLECTION 'name') of Debezium's envelope."""

    source: Name
    collection: str


@dataclass(frozen=True, slots=True)
class CreateSource:
    """`columns` is () without a list; `format` is None for generators and webhooks. `key` is a promise, not checked.

    `infer` is where INFER stands: the columns are to be found in a sample, and the statement is printed, not run.
    `says_no` is where it would say what its first file does: the names of a header, or the schema of AVRO OCF.
    """

    name: Name
    columns: tuple[ColumnDefinition, ...]
    key: KeyConstraint | None
    connector: FromFile | FromGenerator | FromKafka | FromWebhook | FromPostgres
    key_format: FormatClause | None
    format: FormatClause | None
    included: tuple[Included, ...]
    envelope: Envelope
    materialized: bool
    if_not_exists: bool
    options: tuple[Option, ...]
    infer: tuple[int, int] | None
    says_no: int | None
    transactions: TransactionClause | None
    span: Span


@dataclass(frozen=True, slots=True)
class CreateSecret:
    """`value` is a constant expression. Nothing may print `span`."""

    name: Name
    value: Expression
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class AlterSecret:
    """ALTER SECRET name AS value. Nothing may print `span`."""

    name: Name
    value: Expression
    if_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CreateConnection:
    """`kind` in lower case: kafka, confluent schema registry. `beside` are the options of WITH, behind the others."""

    name: Name
    kind: str
    options: tuple[Option, ...]
    beside: tuple[Option, ...]
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class IntoKafka:
    """INTO KAFKA BROKER 'h:p' TOPIC 't', or CONNECTION name (options). `config` are the pairs of TOPIC CONFIG."""

    connection: Name | None
    brokers: tuple[str, ...]
    topic: str | None
    options: tuple[Option, ...]
    partition_by: Expression | None
    config: tuple[tuple[str, str], ...]
    at: int


@dataclass(frozen=True, slots=True)
class ConsistencyClause:
    """CONSISTENCY (TOPIC t [FORMAT f])."""

    topic: str
    format: FormatClause | None


@dataclass(frozen=True, slots=True)
class CreateSink:
    """`key` is None without one; `enforced`: it is to be proven. `envelope` in lower case."""

    name: Name
    on: Name
    into: IntoKafka
    key: tuple[str, ...] | None
    enforced: bool
    headers: str | None
    key_format: FormatClause | None
    format: FormatClause
    envelope: str
    if_not_exists: bool
    options: tuple[Option, ...]
    consistency: ConsistencyClause | None
    span: Span


@dataclass(frozen=True, slots=True)
class ValidateConnection:
    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class CreateCopy:
    """CREATE TABLE name FROM SOURCE source (REFERENCE upstream), or CREATE SUBSOURCE name OF SOURCE ...: one more table
    that a source copies. `details` is what the table was like when it was asked about."""

    name: Name
    source: Name
    reference: Name
    details: str | None
    options: tuple[Option, ...]
    is_table: bool
    if_not_exists: bool
    span: Span


@dataclass(frozen=True, slots=True)
class AlterAddSubsources:
    """ALTER SOURCE name ADD SUBSOURCE upstream [AS alias], ... [WITH (options)]."""

    name: Name
    tables: tuple[tuple[Name, str | None], ...]
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CreateViews:
    """CREATE [MATERIALIZED] VIEWS FROM SOURCE source [(upstream [AS name], ...)]; without a list, of all its tables."""

    source: Name
    tables: tuple[tuple[Name, Name | None], ...]
    materialized: bool
    if_not_exists: bool
    span: Span
