"""Where rows come from and go to: connectors by their `type`, and what connections are made of.

Every option that SQL has is here with its default, so that the OpenAPI document shows it.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.schemas.formats import FileFormat, Name, RecordFormat, of_one
from app.schemas.strict import Strict


class FileConnector(Strict):
    """Files on the server or of an object store: one, those of a directory, or those that match a pattern."""

    type: Literal["file"]
    path: str = Field(
        min_length=1, max_length=4096, examples=["/data/orders.ndjson", "/var/log/*.log", "s3://bucket/in/*.parquet"]
    )
    connection: Name | None = Field(default=None, description="How to reach the store of an s3:// or gs:// path")
    format: FileFormat
    compression: Literal["by name", "none", "gzip", "zstd"] = Field(
        default="by name", description="By name: .gz is gzip, .zst is zstd"
    )
    tail: bool = Field(default=False, description="Go on reading: what is appended, and files that come")
    discover_interval_ms: int | None = Field(
        default=None, ge=1, le=86_400_000,
        description="With tail: between two looks for files; by default 10 s of a store, else as often as costs little",
    )  # fmt: skip
    file_column: str | None = Field(
        default=None, min_length=1, max_length=200, description="A column of this name has each row's file"
    )

    @model_validator(mode="after")
    def followed(self) -> Self:
        if self.discover_interval_ms is not None and not self.tail:
            raise ValueError("discover_interval_ms is for tail")
        return self


class Generator(Strict):
    """What all load generators have: rows are a function of the tick that they belong to."""

    tick_interval_ms: int = Field(
        default=1000, ge=0, le=86_400_000, description="0: flat out, as fast as ticks of the database take it"
    )
    as_of: int = Field(default=0, ge=0, le=2**53, description="The ticks before this one come at once")
    up_to: int | None = Field(
        default=None, ge=0, le=2**53, description="There is no tick of this number: then the source is complete"
    )


class CounterGenerator(Generator):
    """1, 2, 3, ..."""

    type: Literal["counter"]
    max_cardinality: int | None = Field(default=None, ge=1, le=10_000_000, description="Keep only the last so many")


class AuctionGenerator(Generator):
    """Organizations, users, accounts, auctions and bids, each a table of its own in the source's schema."""

    type: Literal["auction"]
    max_cardinality: int | None = Field(default=None, ge=1, le=10_000_000)


class MarketingGenerator(Generator):
    """Customers, impressions, clicks, leads, coupons and conversion predictions, each a table of its own."""

    type: Literal["marketing"]


class TpchGenerator(Generator):
    """The eight tables of TPC-H; each tick an order goes and another comes."""

    type: Literal["tpch"]
    scale_factor: float = Field(default=0.01, gt=0, le=10, description="1 is a gigabyte of text")


class NexmarkGenerator(Generator):
    """The tables person, auction and bid."""

    type: Literal["nexmark"]
    batch_size: int = Field(default=50, ge=1, le=1_000_000, description="Events a tick")


class KeyValueGenerator(Generator):
    """`key`, `partition`, `offset` and `value`; all keys have a value from the beginning."""

    type: Literal["key value"]
    keys: int = Field(ge=1, le=100_000_000)
    batch_size: int = Field(default=1, ge=1, le=1_000_000, description="Updates a tick")
    partitions: int = Field(default=1, ge=1, le=10_000)
    snapshot_rounds: int = Field(default=1, ge=1, le=1_000)
    value_size: int = Field(default=16, ge=1, le=1 << 20, description="Bytes")
    seed: int = Field(default=0, ge=0, le=2**53)
    upsert: bool = Field(default=False, description="One row a key; else every update is a row")


class IncludedColumn(Strict):
    """What a record has beside its value."""

    what: Literal["key", "partition", "offset", "timestamp", "headers"]
    name: str | None = Field(default=None, min_length=1, max_length=200, description="By default its own")


class UpstreamTransactions(Strict):
    """What a transaction of the upstream did is one tick, over all sources that name the same topic."""

    source: Name = Field(description="The source of the topic in which Debezium says which transactions there are")
    collection: str = Field(
        min_length=1, max_length=400, description="What Debezium calls the table", examples=["public.orders"]
    )


class KafkaConnector(Strict):
    """A topic, through a connection or in the open from brokers."""

    type: Literal["kafka"]
    connection: Name | None = None
    brokers: list[str] = Field(default=[], max_length=100, examples=[["b1:9092", "b2:9092"]])
    topic: str = Field(min_length=1, max_length=249, examples=["orders"])
    key_format: RecordFormat | None = Field(default=None, description="Of the key; `format` is then of the value")
    format: RecordFormat
    include: list[IncludedColumn] = Field(default=[], max_length=5)
    envelope: Literal["none", "upsert", "debezium", "debezium upsert", "materialize"] = "none"
    inline_errors: str | None = Field(
        default=None, min_length=1, max_length=200,
        description="With envelope upsert: the column that says why a value did not decode; else such a key has no row",
    )  # fmt: skip
    start_offsets: list[Annotated[int, Field(ge=0, le=2**53)]] = Field(
        default=[], max_length=10_000, description="By partition; the others begin at 0"
    )
    start_timestamp_ms: int | None = Field(
        default=None, ge=-(2**53), le=2**53, description="Begin at this time; negative: so long ago"
    )
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed"
    deduplication: Literal["none", "ordered", "full", "full_in_range"] | None = Field(
        default=None,
        description="With envelope debezium, by what changes are known that were sent again: their place in the "
        "upstream's log (the default), all that were seen, in a range of times these; none: every record is applied",
    )
    deduplication_start: str | None = Field(
        default=None, max_length=40, examples=["2022-05-01 12:30:00"],
        description="Of full_in_range: from this time of records on, in UTC",
    )  # fmt: skip
    deduplication_end: str | None = Field(default=None, max_length=40, description="Of full_in_range: up to this time")
    deduplication_pad_start: str | None = Field(
        default=None, max_length=40,
        description="Of full_in_range: from this time on what is seen is remembered; by default an hour before",
    )  # fmt: skip
    transactions: UpstreamTransactions | None = Field(default=None, description="With envelope debezium")
    enable_auto_commit: bool = Field(
        default=False, description="Tell a group of consumers how far the source is, for those who watch groups"
    )
    group_id_prefix: str = Field(default="", max_length=249, description="How the name of that group begins")
    topic_metadata_refresh_interval_ms: int = Field(
        default=10_000, ge=0, le=3_600_000, description="Between two looks for new partitions"
    )
    fetch_message_max_bytes: int = Field(default=16 << 20, ge=1, le=1 << 30, description="Of one answer of a broker")
    client_id: str = Field(default="tailrace", min_length=1, max_length=249)

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        if self.inline_errors is not None and self.envelope != "upsert":
            raise ValueError("inline_errors is for envelope upsert")
        if (self.deduplication is not None or self.transactions is not None) and self.envelope != "debezium":
            raise ValueError("deduplication and transactions are for envelope debezium")
        times = (self.deduplication_start, self.deduplication_end, self.deduplication_pad_start)
        if self.deduplication == "full_in_range" and None in times[:2]:
            raise ValueError("full_in_range needs deduplication_start and deduplication_end")
        if self.deduplication != "full_in_range" and any(time is not None for time in times):
            raise ValueError("a range of deduplication is for full_in_range")
        return of_one(self, connection=self.connection, brokers=self.brokers)


class NamedHeader(Strict):
    """A column of a header; null where a request has none."""

    header: str = Field(min_length=1, max_length=200, examples=["x-kind"])
    column: str = Field(min_length=1, max_length=200, examples=["kind"])
    binary: bool = False


class WebhookConnector(Strict):
    """Requests to /api/webhook. Columns `body`, `headers` if asked for, and those of named headers."""

    type: Literal["webhook"]
    body: Literal["json", "json array", "text", "bytes"]
    headers: bool = Field(default=False, description="A column `headers`, a map of text")
    headers_only: list[str] = Field(default=[], max_length=100, description="These alone; else all")
    headers_but: list[str] = Field(default=[], max_length=100, description="But for these")
    named: list[NamedHeader] = Field(default=[], max_length=100)
    check: str | None = Field(
        default=None,
        min_length=1,
        description="SQL: [WITH (HEADERS, BODY, SECRET name)] condition, which a request must pass",
        examples=[
            "WITH (HEADERS, BODY, SECRET hook) "
            "constant_time_eq(decode(headers->'x-signature', 'base64'), hmac(body, hook, 'sha256'))"
        ],
    )


class UpstreamTable(Strict):
    """A table of the publication, and what its copy is called."""

    table: str = Field(min_length=1, max_length=200, examples=["orders"])
    schema_: str | None = Field(default=None, alias="schema", min_length=1, max_length=200, examples=["public"])
    name: str | None = Field(default=None, min_length=1, max_length=200, description="By default the table's")


class UpstreamColumn(Strict):
    """A column of a table of the publication."""

    table: str = Field(min_length=1, max_length=200, examples=["orders"])
    column: str = Field(min_length=1, max_length=200, examples=["state"])
    schema_: str | None = Field(default=None, alias="schema", min_length=1, max_length=200, examples=["public"])


class PostgresConnector(Strict):
    """Tables of a PostgreSQL database, followed by its logical replication. Those of `tables` or `schemas`; without
    both all of the publication."""

    type: Literal["postgres"]
    connection: Name
    publication: str = Field(min_length=1, max_length=63, examples=["tailrace"])
    tables: list[UpstreamTable] = Field(default=[], max_length=10_000)
    schemas: list[Annotated[str, Field(min_length=1, max_length=63)]] = Field(default=[], max_length=1_000)
    text_columns: list[UpstreamColumn] = Field(
        default=[], max_length=10_000, description="Copied as text: of types that there are none of here"
    )
    exclude_columns: list[UpstreamColumn] = Field(default=[], max_length=10_000, description="Not copied")

    @model_validator(mode="after")
    def not_both(self) -> Self:
        if self.tables and self.schemas:
            raise ValueError("tables or schemas, not both")
        return self


Connector = Annotated[
    FileConnector
    | KafkaConnector
    | PostgresConnector
    | WebhookConnector
    | CounterGenerator
    | AuctionGenerator
    | MarketingGenerator
    | TpchGenerator
    | NexmarkGenerator
    | KeyValueGenerator,
    Field(discriminator="type"),
]


class JsonOutput(Strict):
    """A document of JSON a record."""

    type: Literal["json"]


class AvroMarks(Strict):
    """The schema is registered under the topic's name."""

    type: Literal["avro"]
    registry: Name


class Consistency(Strict):
    """Another topic that is told where each transaction begins and ends, in the transaction itself."""

    topic: str = Field(min_length=1, max_length=249, examples=["totals-transactions"])
    format: Annotated[JsonOutput | AvroMarks, Field(discriminator="type")] | None = Field(
        default=None, description="By default the value's, which then is JSON or Avro"
    )


class Destination(Strict):
    """A topic that a sink writes. `partitions`, `replication` and `config` are for one that is not there yet."""

    type: Literal["kafka"]
    connection: Name | None = None
    brokers: list[str] = Field(default=[], max_length=100, examples=[["b1:9092", "b2:9092"]])
    topic: str = Field(min_length=1, max_length=249, examples=["totals"])
    progress_topic: str | None = Field(
        default=None, min_length=1, max_length=249, description="By default topic-progress"
    )
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"
    partition_by: str | None = Field(
        default=None, min_length=1, description="SQL: an integer of key columns; by default the hash of the key"
    )
    partitions: int | None = Field(default=None, ge=1, le=100_000, description="By default 1")
    replication: int | None = Field(default=None, ge=1, le=1000, description="By default 3, or as many as brokers")
    config: dict[str, str] = Field(default={}, max_length=100, examples=[{"cleanup.policy": "compact"}])
    client_id: str = Field(default="tailrace", min_length=1, max_length=249)
    transactional_id_prefix: str = Field(default="tailrace", min_length=1, max_length=200)
    consistency: Consistency | None = None

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        if self.connection is None and (self.partition_by is not None or self.config):
            raise ValueError("partition_by and config need a connection")
        return of_one(self, connection=self.connection, brokers=self.brokers)


class FromSecret(Strict):
    """The value of a secret of the catalog."""

    secret: Name


class FromFile(Strict):
    """What is in a file of the server, below its `file_roots`."""

    file: str = Field(min_length=1, max_length=4096, examples=["certificates/kafka.pem"])


Hidden = FromSecret | FromFile
"""A value that is never in the open: it would be in the catalog for all to see."""
Given = str | FromSecret | FromFile
"""A value that may be in the open."""


class TlsSettings(Strict):
    """PEM text each. Without `authority` the system's are trusted; `certificate` and `key` say who we are."""

    authority: Given | None = None
    certificate: Given | None = None
    key: Hidden | None = None
    key_password: FromSecret | None = None


class KerberosSettings(Strict):
    """Who we are to a realm: `keytab` has the keys of `principal`; brokers are `service`/host."""

    principal: str = Field(min_length=1, max_length=1024, examples=["tailrace@EXAMPLE.COM"])
    keytab: Hidden
    service: str | None = Field(default=None, min_length=1, max_length=255, description="By default kafka")


class SaslSettings(Strict):
    """How we say who we are. OAUTHBEARER takes a token, or asks `token_url` for one; GSSAPI takes `kerberos`."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"]
    username: Given | None = None
    password: FromSecret | None = None
    token: FromSecret | None = None
    token_url: str | None = Field(default=None, min_length=1, max_length=4096)
    kerberos: KerberosSettings | None = None


class KafkaConnection(Strict):
    """Brokers. `tls` null: in the open."""

    type: Literal["kafka"]
    brokers: list[str] = Field(min_length=1, max_length=100, examples=[["b1:9092", "b2:9092"]])
    tls: TlsSettings | None = None
    sasl: SaslSettings | None = None


class RegistryConnection(Strict):
    """A schema registry that speaks Confluent's protocol."""

    type: Literal["confluent schema registry"]
    url: str = Field(min_length=1, max_length=4096, examples=["http://registry:8081"])
    username: Given | None = None
    password: FromSecret | None = None
    tls: TlsSettings | None = None


class AwsConnection(Strict):
    """S3, or what speaks its protocol at `endpoint`. Without keys requests are anonymous."""

    type: Literal["aws"]
    access_key_id: Given | None = None
    secret_access_key: FromSecret | None = None
    token: FromSecret | None = None
    region: str | None = Field(default=None, min_length=1, max_length=100, description="By default us-east-1")
    endpoint: str | None = Field(default=None, min_length=1, max_length=4096, examples=["http://minio:9000"])


class GcsConnection(Strict):
    """Google Cloud Storage. Without a token requests are anonymous."""

    type: Literal["gcs"]
    access_token: FromSecret | None = None
    endpoint: str | None = Field(default=None, min_length=1, max_length=4096)


class PostgresConnection(Strict):
    """A database. `ssl_mode` is libpq's sslmode: verify-full where `tls` says something, else prefer."""

    type: Literal["postgres"]
    host: str = Field(min_length=1, max_length=1000, examples=["db.example.com"])
    port: int = Field(default=5432, ge=1, le=65_535)
    database: str = Field(min_length=1, max_length=63, examples=["shop"])
    user: Given
    password: FromSecret | None = None
    ssl_mode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = None
    tls: TlsSettings | None = None


Connection = Annotated[
    KafkaConnection | RegistryConnection | AwsConnection | GcsConnection | PostgresConnection,
    Field(discriminator="type"),
]
