"""Sources, sinks, tables, views, indexes, connections and secrets: what makes one, and what is known of it."""

from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from app.schemas.connectors import Connection, Connector, Destination
from app.schemas.formats import ColumnSpec, Name, SinkFormat
from app.schemas.sql import ColumnDescription
from app.schemas.strict import Strict


class NewSource(Strict):
    name: Name
    connector: Connector
    columns: list[ColumnSpec] = Field(default=[], description="Where the input does not name them, or has no types")
    primary_key: list[str] = Field(default=[], description="Columns that whoever writes promises to be a key")
    timeline: str | None = Field(
        default=None, min_length=1, max_length=200,
        description="By default the clock's; what is read together is of one. Of a name: shared by who says the same",
    )  # fmt: skip
    own_timeline: bool = Field(default=False, description="Whether it shares its timeline with no other source")
    if_not_exists: bool = False

    @model_validator(mode="after")
    def one_timeline(self) -> Self:
        if self.timeline is not None and self.own_timeline:
            raise ValueError("timeline or own_timeline, not both")
        return self


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


class NewSink(Strict):
    """What becomes of a relation, told to a topic. `key` has to be shown unique by the query, unless not enforced."""

    name: Name
    relation: Name = Field(alias="from", description="The table, source or view that is written")
    connector: Destination
    format: SinkFormat
    key_format: SinkFormat | None = Field(default=None, description="Of the key; `format` is then of the value")
    key: list[str] | None = Field(default=None, min_length=1, max_length=1600)
    enforced: bool = Field(default=True, description="Whether the key has to be shown unique; else the sink stops "
                           "while a key has two rows")  # fmt: skip
    headers: str | None = Field(default=None, min_length=1, description="The column of the records' headers")
    envelope: Literal["upsert", "debezium"] = "debezium"
    snapshot: bool = Field(default=True, description="Write what is there already; else only what changes from now on")
    if_not_exists: bool = False


class NewConnection(Strict):
    """How to reach a broker or a registry. Nothing is connected to before it is used, or validated."""

    name: Name
    connection: Connection
    if_not_exists: bool = False


class NewSecret(Strict):
    """A value that others refer to by name. No reply, listing or error has it."""

    name: Name
    value: SecretStr = Field(max_length=1 << 20)
    base64: bool = Field(default=False, description="The value is bytes in base64; else it is text")
    if_not_exists: bool = False


class Hydration(BaseModel):
    """`rows_done` of the `rows_total` of the inputs went through; 0 of 0 waits for its inputs to be there."""

    rows_done: int
    rows_total: int


class SourceStatistics(BaseModel):
    """How far the source is. `rows` were decoded, `waiting` of them are in no tick yet; `offsets` by partition are
    those of the last rows that are in one; `bytes` were read of the input where that is counted."""

    rows: int
    bytes: int
    waiting: int
    finished: bool
    error: str | None
    offsets: dict[str, int]


class SinkStatistics(BaseModel):
    """What the sink has written since the server runs; `timestamp` is the tick that its topic is at."""

    transactions: int
    records: int
    bytes: int
    timestamp: int | None


class RelationStatistics(BaseModel):
    """`changes` counts the changes of its rows since the server runs: twice asked, a rate."""

    changes: int


class Object(BaseModel):
    """An object and its state. Times are ticks in milliseconds since 1970.

    `virtual`: a view that is computed when it is read. `hydrating`: being computed. `failed`: it cannot be read, and
    `error` says why. `starting`, `stalled`: its input cannot be read, or its topic be written, yet or at
    the moment. `finished`: its input is complete. `present`: a connection or a secret, which does nothing by itself.
    """

    id: int
    name: str = Field(description="What paths and SQL call it, qualified as far as it has to be", examples=["orders"])
    database: str
    schema_name: str = Field(alias="schema")
    item: str
    kind: Literal["table", "source", "view", "materialized view", "index", "sink", "connection", "secret"]
    status: Literal["running", "virtual", "hydrating", "failed", "starting", "stalled", "finished", "present"]
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
    on: str | None = Field(description="Of an index: the relation that it arranges; of a sink: the one that it writes")
    key: list[str] | None = Field(description="Of an index: the columns that it is arranged by")
    statistics: SourceStatistics | SinkStatistics | RelationStatistics | None


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
