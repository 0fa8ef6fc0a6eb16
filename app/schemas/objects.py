"""Sources, tables, views and indexes: what makes one, and what is known of it.

What makes a source is told apart by its connector's `type`, and how its bytes become rows by the format's.
"""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, Field, model_validator

from app.schemas.sql import ColumnDescription
from app.schemas.strict import Strict

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=400,
        description="name, schema.name or database.schema.name, exact; a part with a dot in it stands in double quotes",
        examples=["orders"],
    ),
]
SqlTypeName = Annotated[
    str, Field(max_length=200, description="A type of SQL", examples=["bigint", "numeric(12, 2)", "text[]"])
]


class ColumnSpec(Strict):
    """A column to make."""

    name: str = Field(min_length=1, max_length=200, examples=["id"])
    type: SqlTypeName
    nullable: bool = True
    default: str | None = Field(default=None, description="An expression of SQL; only in tables", examples=["now()"])


class JsonFormat(Strict):
    """One JSON object a line; members go to the columns of their names. Without columns: one column `data` jsonb."""

    type: Literal["json"]


class TextFormat(Strict):
    """Each line is a row of one column, `text`."""

    type: Literal["text"]


class BytesFormat(Strict):
    """Each line is a row of one column, `data` bytea."""

    type: Literal["bytes"]


class CsvFormat(Strict):
    """Records. Without a header the number of columns is given here or by the source's columns."""

    type: Literal["csv"]
    header: bool = Field(default=False, description="The first line names the columns")
    width: int | None = Field(default=None, ge=1, le=1600, description="How many columns, where there is no header")
    delimiter: str = Field(default=",", min_length=1, max_length=1)


class RegexFormat(Strict):
    """The groups of a match are columns, by their names if they have any."""

    type: Literal["regex"]
    pattern: str = Field(min_length=1, max_length=10_000, examples=["(?P<k>\\w+)=(?P<v>.*)"])


class AvroFormat(Strict):
    """Either the schema or the connection to a registry that has it."""

    type: Literal["avro"]
    definition: str | None = Field(default=None, alias="schema", min_length=1, description="The reader's, as JSON")
    registry: Name | None = None

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        return of_one(self, schema=self.definition, registry=self.registry)


class ProtobufFormat(Strict):
    """Either a FileDescriptorSet or the connection to a registry."""

    type: Literal["protobuf"]
    message: str | None = Field(default=None, min_length=1, max_length=400, examples=["shop.Order"])
    descriptors: str | None = Field(default=None, pattern="^([0-9a-fA-F]{2})+$", description="In hexadecimal")
    registry: Name | None = None

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        return of_one(self, descriptors=self.descriptors, registry=self.registry)


M = TypeVar("M", bound=Strict)


def of_one(model: M, **given: object) -> M:
    """The model, of which exactly one of these members is given."""
    if sum(bool(value) for value in given.values()) != 1:
        raise ValueError(f"exactly one of {' and '.join(given)} is needed")
    return model


Format = Annotated[JsonFormat | TextFormat | BytesFormat | CsvFormat, Field(discriminator="type")]
RecordFormat = Annotated[
    JsonFormat | TextFormat | BytesFormat | CsvFormat | RegexFormat | AvroFormat | ProtobufFormat,
    Field(discriminator="type"),
]


class FileConnector(Strict):
    """A file on the server."""

    type: Literal["file"]
    path: str = Field(min_length=1, max_length=4096, examples=["/data/orders.ndjson"])
    format: Format
    compression: Literal["none", "gzip"] = "none"
    tail: bool = Field(default=False, description="Go on reading what is appended")


class CounterGenerator(Strict):
    """1, 2, 3, ..."""

    type: Literal["counter"]
    tick_interval_ms: int = Field(default=1000, ge=1, le=86_400_000)
    max_cardinality: int | None = Field(default=None, ge=1, le=10_000_000, description="Keep only the last so many")


class AuctionGenerator(Strict):
    """Organizations, users, accounts, auctions and bids, each a table of its own in the source's schema."""

    type: Literal["auction"]
    tick_interval_ms: int = Field(default=1000, ge=1, le=86_400_000)
    max_cardinality: int | None = Field(default=None, ge=1, le=10_000_000)


class MarketingGenerator(Strict):
    """Customers, impressions, clicks, leads, coupons and conversion predictions, each a table of its own."""

    type: Literal["marketing"]
    tick_interval_ms: int = Field(default=1000, ge=1, le=86_400_000)


class TpchGenerator(Strict):
    """The eight tables of TPC-H; each tick an order goes and another comes."""

    type: Literal["tpch"]
    tick_interval_ms: int = Field(default=1000, ge=1, le=86_400_000)
    scale_factor: float = Field(default=0.01, gt=0, le=10, description="1 is a gigabyte of text")


class NexmarkGenerator(Strict):
    """The tables person, auction and bid."""

    type: Literal["nexmark"]
    tick_interval_ms: int = Field(default=1000, ge=1, le=86_400_000)
    batch_size: int = Field(default=50, ge=1, le=1_000_000, description="Events a tick")


class KeyValueGenerator(Strict):
    """`key`, `partition`, `offset` and `value`; all keys have a value from the beginning."""

    type: Literal["key value"]
    keys: int = Field(ge=1, le=100_000_000)
    tick_interval_ms: int = Field(default=1000, ge=1, le=86_400_000)
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


class KafkaConnector(Strict):
    """A topic, through a connection (CREATE CONNECTION) or in the open from brokers."""

    type: Literal["kafka"]
    connection: Name | None = None
    brokers: list[str] = Field(default=[], max_length=100, examples=[["b1:9092", "b2:9092"]])
    topic: str = Field(min_length=1, max_length=249, examples=["orders"])
    key_format: RecordFormat | None = Field(default=None, description="Of the key; `format` is then of the value")
    format: RecordFormat
    include: list[IncludedColumn] = Field(default=[], max_length=5)
    envelope: Literal["none", "upsert", "debezium", "debezium upsert"] = "none"
    start_offsets: list[Annotated[int, Field(ge=0, le=2**53)]] = Field(
        default=[], max_length=10_000, description="By partition; the others begin at 0"
    )
    start_timestamp_ms: int | None = Field(
        default=None, ge=-(2**53), le=2**53, description="Begin at this time; negative: so long ago"
    )
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed"

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
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


Connector = Annotated[
    FileConnector
    | KafkaConnector
    | WebhookConnector
    | CounterGenerator
    | AuctionGenerator
    | MarketingGenerator
    | TpchGenerator
    | NexmarkGenerator
    | KeyValueGenerator,
    Field(discriminator="type"),
]


class NewSource(Strict):
    name: Name
    connector: Connector
    columns: list[ColumnSpec] = Field(default=[], description="Where the input does not name them, or has no types")
    if_not_exists: bool = False


class NewTable(Strict):
    name: Name
    columns: list[ColumnSpec] = Field(min_length=1, max_length=1600)
    primary_key: list[str] = Field(default=[], description="Columns in which no two rows agree")
    if_not_exists: bool = False


class NewView(Strict):
    name: Name
    query: str = Field(min_length=1, description="A SELECT", examples=["SELECT k, sum(v) AS total FROM t GROUP BY k"])
    materialized: bool = Field(default=True, description="Keep the answer up to date; else it is a name for the query")
    retain_history_ms: int | None = Field(
        default=None, ge=1, description="How far back AS OF can read; only of a materialized view"
    )
    if_not_exists: bool = False


class NewIndex(Strict):
    name: str | None = Field(default=None, min_length=1, max_length=200, description="By default made of the others")
    on: Name
    key: list[str] | None = Field(
        default=None, min_length=1, description="Expressions of SQL; by default a key that is known, or all columns"
    )
    if_not_exists: bool = False


class Hydration(BaseModel):
    """`rows_done` of the `rows_total` of the inputs went through; 0 of 0 waits for its inputs to be there."""

    rows_done: int
    rows_total: int


class SourceStatistics(BaseModel):
    """How far the source is. `rows` were decoded, `waiting` of them are in no tick yet; `offsets` by partition are
    those of the last rows that are in one."""

    rows: int
    waiting: int
    finished: bool
    error: str | None
    offsets: dict[str, int]


class Object(BaseModel):
    """An object and its state. Times are ticks in milliseconds since 1970.

    `virtual`: a view that is computed when it is read. `hydrating`: being computed. `failed`: it cannot be read, and
    `error` says why. `stalled`: its input cannot be read at the moment. `finished`: its input is complete.
    """

    id: int
    name: str = Field(description="What paths and SQL call it, qualified as far as it has to be", examples=["orders"])
    database: str
    schema_name: str = Field(alias="schema")
    item: str
    kind: Literal["table", "source", "view", "materialized view", "index", "sink"]
    status: Literal["running", "virtual", "hydrating", "failed", "stalled", "finished"]
    error: str | None
    columns: list[ColumnDescription]
    types: list[str] = Field(description="The columns' types as SQL writes them")
    keys: list[list[str]] = Field(description="Sets of columns in which no two rows agree")
    create_sql: str
    hydration: Hydration | None
    frontier: int | None = Field(description="Complete up to and including this tick")
    since: int | None = Field(description="The earliest tick that as_of can read")
    changed: int | None = Field(description="The last tick at which it changed, or the first that it was there at")
    rows: int | None = Field(description="Distinct rows held")
    bytes: int | None = Field(description="Memory held, what is shared with others included")
    depends_on: list[str]
    used_by: list[str]
    on: str | None = Field(description="Of an index: the relation that it arranges")
    key: list[str] | None = Field(description="Of an index: the columns that it is arranged by")
    statistics: SourceStatistics | None


class Operator(BaseModel):
    """An operator of a running dataflow."""

    id: int
    name: str = Field(examples=["Reduce"])
    text: str = Field(description="Its line of EXPLAIN", examples=["Reduce key=(#0) aggregates=[sum(#1)]"])
    inputs: list[int] = Field(description="The ids of the operators that it reads")
    rows: int = Field(description="Rows of its state and its output's arrangements")
    bytes: int
    changes: int = Field(description="Changes of its output since it runs: twice asked, a rate")
    used_by: list[str] = Field(description="All relations that it is part of: it runs once for them all")


class Dataflow(BaseModel):
    """What computes a relation, inputs first. Empty for a view that is computed when it is read."""

    operators: list[Operator]


class Objects(BaseModel):
    """By name."""

    items: list[Object]
