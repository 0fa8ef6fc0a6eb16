"""The shapes of JSON requests and replies. Those of /api/sql are Materialize's, so that its clients work."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.schemas.errors import ErrorBody
from app.schemas.strict import Strict


class SimpleRequest(Strict):
    """Statements in one text, in one implicit transaction."""

    query: str = Field(examples=["SELECT 1; SELECT 2"])


class ParameterizedQuery(Strict):
    """One statement; `$n` in it is the n-th of `params`, as text or null."""

    query: str = Field(examples=["SELECT $1 + 1"])
    params: list[str | None] = Field(default=[])


class ExtendedRequest(Strict):
    """Statements with parameters, one after the other."""

    queries: list[ParameterizedQuery]


class Credentials(Strict):
    """The first frame of ws /api/experimental/sql: a role and its password or a bearer token, and session variables."""

    user: str | None = None
    password: str | None = None
    token: str | None = None
    options: dict[str, str] = Field(default={})


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


AT = (
    "The tick that was read, or that took what was written; absent of what does neither. Ours: "
    "Materialize's results have none"
)


class RowsResult(BaseModel):
    """Numbers are strings, because JSON's are doubles; booleans and jsonb are JSON's own; the rest is text."""

    tag: str
    rows: list[list[Any]]
    desc: RowDescription
    notices: list[NoticeBody]
    timestamp: int | None = Field(default=None, description=AT)


class OkResult(BaseModel):
    ok: str
    notices: list[NoticeBody]
    timestamp: int | None = Field(default=None, description=AT)


class ErrorResult(BaseModel):
    """The last result: nothing behind the failed statement runs."""

    error: ErrorBody
    notices: list[NoticeBody]


class SqlReply(BaseModel):
    """One result a statement, in order."""

    results: list[RowsResult | OkResult | ErrorResult]


class Parameter(BaseModel):
    name: str
    value: str


class BackendKey(BaseModel):
    conn_id: int
    secret_key: int


class CommandStart(BaseModel):
    """`is_streaming`: rows come until the subscription or the connection ends."""

    has_rows: bool
    is_streaming: bool


class ParameterStatus(BaseModel):
    """A session variable, after the first frame."""

    type: Literal["ParameterStatus"]
    payload: Parameter


class BackendKeyData(BaseModel):
    type: Literal["BackendKeyData"]
    payload: BackendKey


class ReadyForQuery(BaseModel):
    """The last frame of each answer: outside (I), in (T), or in a failed (E) transaction."""

    type: Literal["ReadyForQuery"]
    payload: Literal["I", "T", "E"]


class NoticeFrame(BaseModel):
    type: Literal["Notice"]
    payload: NoticeBody


class CommandStarting(BaseModel):
    type: Literal["CommandStarting"]
    payload: CommandStart


class RowsFrame(BaseModel):
    """The columns of the rows that follow."""

    type: Literal["Rows"]
    payload: RowDescription


class RowFrame(BaseModel):
    """Values as in RowsResult."""

    type: Literal["Row"]
    payload: list[Any]


class CommandComplete(BaseModel):
    type: Literal["CommandComplete"]
    payload: str = Field(examples=["SELECT 1"])


class ErrorFrame(BaseModel):
    """Nothing behind the failed statement runs."""

    type: Literal["Error"]
    payload: ErrorBody
