"""The messages of ws /api/subscribe, and of GET /api/views/{name}/changes.

A client subscribes under an `id` of its own and gets `subscribed`, then `changes`: all changes of one time together,
the snapshot first. A message with a `token` completes that time: the state behind it is the view as of `timestamp`, and
the token is what to resume from. `reset`: a token could not be resumed from, drop the state, a snapshot follows.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from app.schemas.errors import ErrorBody
from app.schemas.sql import ColumnDescription
from app.schemas.strict import Strict

Mode = Literal["diff", "upsert", "debezium"]
Format = Literal["json", "arrow"]

Id = Annotated[str, Field(min_length=1, max_length=200, description="The client's name for the subscription")]
Token = Annotated[
    str,
    Field(max_length=128, description="Opaque: what to resume from", examples=["4f5d2c1b0a998877.1795341600000.Zk3x"]),
]


class Subscribe(Strict):
    """Begin a subscription, or with `resume` go on with one. Either `view` or `query` is given."""

    type: Literal["subscribe"]
    id: Id
    view: str | None = Field(
        default=None, description="A relation: name, schema.name or database.schema.name", examples=["v"]
    )
    query: str | None = Field(
        default=None,
        description="A SELECT, or a SUBSCRIBE, whose SNAPSHOT, AS OF and UP TO say how it begins and ends; progress is "
        "always told, and `mode` takes the place of ENVELOPE",
        examples=["SELECT * FROM v WHERE k = 1"],
    )
    mode: Mode = Field(
        default="diff", description="Rows with counts, or by key: the row after, or the rows before and after"
    )
    key: list[str] | None = Field(
        default=None, description="Columns in which no two rows agree; by default those that are known to be such"
    )
    format: Format = Field(default="json", description="Changes as JSON, or in binary frames as Arrow IPC streams")
    resume: Token | None = Field(default=None, description="The last token of an earlier subscription of the same")


class Unsubscribe(Strict):
    """End a subscription for good: it cannot be resumed."""

    type: Literal["unsubscribe"]
    id: Id


class Acknowledge(Strict):
    """Everything up to `timestamp` is kept safe: the server may forget how it came about."""

    type: Literal["ack"]
    id: Id
    timestamp: int = Field(ge=0)


class Authenticate(Strict):
    """The first message of a client that cannot set headers: a role and its password, or a bearer token."""

    type: Literal["auth"]
    user: str | None = None
    password: str | None = None
    token: str | None = None


Request = Annotated[Subscribe | Unsubscribe | Acknowledge | Authenticate, Field(discriminator="type")]
REQUEST: TypeAdapter[Subscribe | Unsubscribe | Acknowledge | Authenticate] = TypeAdapter(Request)


class Subscribed(BaseModel):
    """`key` names the columns of the key, null where none is known. `resumed`: true, what follows goes on behind the
    token; false, a `reset` follows; null, there was no token."""

    type: Literal["subscribed"]
    id: Id
    columns: list[ColumnDescription]
    key: list[str] | None
    mode: Mode
    resumed: bool | None
    heartbeat_ms: int = Field(
        description="Something comes at least so often; twice as long without is a dead connection"
    )


class Reset(BaseModel):
    """What the client holds is worth nothing: a snapshot follows."""

    type: Literal["reset"]
    id: Id
    reason: str


class Change(BaseModel):
    """Mode diff: `diff` copies of `row` came, or (negative) went. Values are as in the rows of /api/sql."""

    diff: int
    row: list[Any]


class Upsert(BaseModel):
    """Mode upsert: the row that has the key from this time on, or null: none has. `key_violation`: several have."""

    state: Literal["upsert", "delete", "key_violation"]
    key: list[Any]
    row: list[Any] | None


class Debezium(BaseModel):
    """Mode debezium: the row that had the key before this time, and the one that has it after."""

    state: Literal["insert", "upsert", "delete", "key_violation"]
    key: list[Any]
    before: list[Any] | None
    after: list[Any] | None


class Changes(BaseModel):
    """All or, with `more`, the next part of the changes of one time, or of several that a slow reader gets at once.

    `progress` and `token` come with the last part: then everything up to and including `progress` is told.
    """

    type: Literal["changes"]
    id: Id
    timestamp: int = Field(description="Milliseconds since 1970; the state behind the last part is true at it")
    snapshot: bool
    changes: list[Change] | list[Upsert] | list[Debezium]
    more: bool
    progress: int | None
    token: Token | None = None


class Progress(BaseModel):
    """Nothing has changed up to and including `timestamp`."""

    type: Literal["progress"]
    id: Id
    timestamp: int
    token: Token


class Heartbeat(BaseModel):
    """The connection lives, though nothing is subscribed to."""

    type: Literal["heartbeat"]


class Authenticated(BaseModel):
    type: Literal["authenticated"]
    user: str


class Failed(BaseModel):
    """With `id`, the end of that subscription (a view that has an error can be subscribed to again, with the last
    token, when it has healed); without, what is wrong with a message of the client."""

    type: Literal["error"]
    id: Id | None = None
    error: ErrorBody


class Ended(BaseModel):
    """The subscription came to its end: unsubscribed, or its UP TO."""

    type: Literal["end"]
    id: Id


class Goodbye(BaseModel):
    """The server shuts down: connect again after `reconnect_ms`, and resume."""

    type: Literal["goodbye"]
    reconnect_ms: int


Message = Annotated[
    Subscribed | Reset | Changes | Progress | Heartbeat | Authenticated | Failed | Ended | Goodbye,
    Field(discriminator="type"),
]
