"""Errors as replies: application/problem+json, whatever went wrong and wherever.

One function maps an error of the engine to a status; one each for what FastAPI and Starlette raise.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from app.schemas.errors import Problem, status_of
from engine.errors import SqlError

MEDIA_TYPE: Final = "application/problem+json"
LOG: Final = logging.getLogger("tailrace.http")


def problem(
    status: int,
    detail: str,
    request_id: str | None,
    *,
    sqlstate: str | None = None,
    hint: str | None = None,
    position: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A reply that says what was wrong."""
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, sqlstate=sqlstate, hint=hint, position=position,
        request_id=request_id,
    )  # fmt: skip
    return Response(body.model_dump_json(exclude_none=True), status, headers, MEDIA_TYPE)


def of(error: SqlError, request_id: str | None) -> Response:
    """The engine refused it."""
    status = status_of(error.sqlstate)
    detail = error.message if error.detail is None else f"{error.message}: {error.detail}"
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Basic realm="tailrace", charset="UTF-8", Bearer'
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = "1"
    return problem(
        status, detail, request_id, sqlstate=error.sqlstate, hint=error.hint, position=error.position, headers=headers
    )  # fmt: skip


def id_of(request: Request) -> str | None:
    return getattr(request.state, "request_id", None)


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, SqlError), "it is registered for SqlError"
    return of(error, id_of(request))


async def malformed(request: Request, error: Exception) -> Response:
    """A body that is no JSON, or not of a request's shape; a parameter that is none: the first thing that is wrong."""
    assert isinstance(error, RequestValidationError), "it is registered for RequestValidationError"
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return problem(400, f"malformed request: {place}: {first['msg']}", id_of(request))


async def failed(request: Request, error: Exception) -> Response:
    """No such path, no such method, too long a body."""
    assert isinstance(error, HTTPException), "it is registered for HTTPException"
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(methods(request)))
    return problem(error.status_code, str(error.detail), id_of(request), headers=headers)


def methods(request: Request) -> set[str]:
    """What the path takes: each method has a route of its own."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


async def broken(request: Request, error: Exception) -> Response:
    """Our bug. The client is told as much, the log has it."""
    LOG.error("internal error", exc_info=error)
    return problem(500, "internal error", id_of(request), sqlstate="XX000", hint="The log of the server has it.")


def install(app: FastAPI) -> None:
    """Every error of the app becomes a problem."""
    app.add_exception_handler(SqlError, refused)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, failed)
    app.add_exception_handler(Exception, broken)
