"""The shapes of JSON requests and replies. Those of /api/sql are Materialize's, so that its clients work."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import SqlError


class Strict(BaseModel):
    """A request: what it does not know it refuses, so that a misspelt key is told and not ignored."""

    model_config = ConfigDict(extra="forbid")


class SimpleRequest(Strict):
    """Statements in one text, in one implicit transaction."""

    query: str = Field(examples=["SELECT 1; SELECT 2"])


class ParameterizedQuery(Strict):
    """One statement; `$n` in it is the n-th of `params`, as text or null."""

    query: str = Field(examples=["SELECT $1 + 1"])
    params: list[str | None] = []


class ExtendedRequest(Strict):
    """Statements with parameters, one after the other."""

    queries: list[ParameterizedQuery]


class SubscribeRequest(Strict):
    """The first message of a websocket."""

    query: str = Field(examples=["SUBSCRIBE v", "SUBSCRIBE (SELECT * FROM v) WITH (SNAPSHOT = false, PROGRESS)"])


class ColumnDescription(BaseModel):
    name: str
    type_oid: int
    type_len: int
    type_mod: int


class RowDescription(BaseModel):
    columns: list[ColumnDescription]


class NoticeBody(BaseModel):
    message: str
    code: str | None = None
    severity: str
    detail: str | None = None
    hint: str | None = None


class ErrorBody(BaseModel):
    """`code` is the SQLSTATE; `position` counts characters of the statements' text from 1."""

    message: str
    code: str
    detail: str | None = None
    hint: str | None = None
    position: int | None = None

    @classmethod
    def of(cls, error: SqlError) -> "ErrorBody":
        """The one place where an error becomes JSON."""
        return cls(
            message=error.message,
            code=error.sqlstate,
            detail=error.detail,
            hint=error.hint,
            position=error.position,
        )

    def json_object(self) -> dict[str, Any]:
        """Without the keys that have nothing to say."""
        return self.model_dump(exclude_none=True)


class RowsResult(BaseModel):
    """Numbers are strings, because JSON's are doubles; booleans and jsonb are JSON's own; the rest is text."""

    tag: str
    rows: list[list[Any]]
    desc: RowDescription
    notices: list[NoticeBody]


class OkResult(BaseModel):
    ok: str
    notices: list[NoticeBody]


class ErrorResult(BaseModel):
    """The last result: nothing behind the failed statement runs."""

    error: ErrorBody
    notices: list[NoticeBody]


class SqlReply(BaseModel):
    """One result a statement, in order."""

    results: list[RowsResult | OkResult | ErrorResult]


class ErrorReply(BaseModel):
    error: ErrorBody


class Status(BaseModel):
    status: Literal["ok", "hydrating"]


class SubscriptionStart(BaseModel):
    """The first message to a subscriber."""

    type: Literal["columns"]
    columns: list[ColumnDescription]


class ChangeBody(BaseModel):
    """`diff` copies of `row` came, or (negative) went. Values are as in RowsResult."""

    diff: int
    row: list[Any]


class SubscriptionChanges(BaseModel):
    """All or, with `more`, the next part of the changes of one time. The snapshot comes first and is `snapshot`."""

    type: Literal["changes"]
    timestamp: int
    snapshot: bool
    changes: list[ChangeBody]
    more: bool


class SubscriptionProgress(BaseModel):
    """No more changes with times below `timestamp` will come."""

    type: Literal["progress"]
    timestamp: int


class SubscriptionError(BaseModel):
    """The last message: why the subscription ended."""

    type: Literal["error"]
    error: ErrorBody


class SubscriptionEnd(BaseModel):
    """The last message of a subscription that came to its end."""

    type: Literal["end"]


SubscriptionMessage = Annotated[
    SubscriptionStart | SubscriptionChanges | SubscriptionProgress | SubscriptionError | SubscriptionEnd,
    Field(discriminator="type"),
]
