"""An error as JSON. One table maps SQLSTATEs to HTTP statuses."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field

from engine.errors import SqlError

STATUSES: Final[Mapping[str, int]] = {
    "22": 422,  # a value that the operation cannot take, or a view with a row that failed
    "22023": 400,
    "23": 409,
    "28": 401,
    "2BP01": 409,
    "3D000": 404,
    "3F000": 404,
    "40001": 409,
    "42501": 403,
    "42704": 404,
    "42710": 409,
    "42P01": 404,
    "42P03": 409,
    "42P05": 409,
    "42P07": 409,
    "53": 503,
    "53400": 429,
    "57014": 408,
    "57P03": 503,
    "58": 422,  # a file or broker that the request names cannot be read
    "XX": 500,
}
"""HTTP status by SQLSTATE or, where the code has no row, by its class. All other classes: 400."""


def status_of(sqlstate: str) -> int:
    return STATUSES.get(sqlstate, STATUSES.get(sqlstate[:2], 400))


class ErrorBody(BaseModel):
    """`code` is the SQLSTATE; `position` counts characters of the statements' text from 1."""

    message: str = Field(examples=['relation "nowhere" does not exist'])
    code: str = Field(examples=["42P01"])
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


class Problem(BaseModel):
    """An error of HTTP (RFC 9457). `title` names the kind, `detail` says what was wrong with this request; `sqlstate`,
    `hint` and `position` are there when the engine refused it. `position` counts characters of the SQL from 1."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=['relation "nowhere" does not exist'])
    sqlstate: str | None = Field(default=None, examples=["42P01"])
    hint: str | None = Field(default=None, examples=['Perhaps you meant "nowhere_else".'])
    position: int | None = None
    request_id: str | None = Field(default=None, description="That of the reply's X-Request-Id, and of the log line")


PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in {
        400: "The request makes no sense",
        401: "It did not say, or not show, who it is of",
        403: "A page of another origin, or another host name, or a role that may not",
        404: "There is no such object",
        408: "It took too long, and was cancelled",
        409: "It conflicts with what is there",
        413: "The body is longer than message_bytes_max",
        422: "A value does not fit, or a row of the view failed to evaluate",
        429: "More than the server's limits allow at the moment",
        503: "The server cannot at the moment",
    }.items()
}
"""The replies of every operation that a route's own are added to."""
