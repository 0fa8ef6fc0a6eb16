"""POST /api/sql: statements in, results out, in the shapes of Materialize's HTTP API."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.data.datums import description, rows
from app.front import TheFront
from app.routers.access import AUTHORIZED, TheRole
from app.schemas.errors import PROBLEMS, ErrorBody
from app.schemas.sql import ExtendedRequest, SimpleRequest, SqlReply
from engine.database import CopyOut, Notice, Result, Session, Subscription
from engine.errors import InvalidParameter, SqlError, Unsupported

router = APIRouter(tags=["sql"], dependencies=AUTHORIZED)


@router.post(
    "/api/sql",
    operation_id="execute_sql",
    summary="Run SQL statements",
    response_model=SqlReply,
    responses=PROBLEMS,
)
async def execute_sql(
    body: SimpleRequest | ExtendedRequest,
    front: TheFront,
    role: TheRole,
    request: Request,
    options: Annotated[str | None, Query(description="Session variables, as a JSON object of strings")] = None,
) -> Response:
    """Statements run in order and stop at the first error, which is the last result.

    COPY and SUBSCRIBE are not for HTTP: a subscription is `ws /api/subscribe`.
    """
    session = await front.in_thread(lambda: front.database.session(role, variables_of(options)))
    work = asyncio.ensure_future(front.in_thread(lambda: reply(session, body)))
    departure = asyncio.ensure_future(departed(request))
    try:
        await asyncio.wait((work, departure), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            session.cancel()
        return Response(await work, media_type="application/json")
    finally:
        departure.cancel()
        with suppress(asyncio.CancelledError):
            await departure
        await front.in_thread(session.close)


async def departed(request: Request) -> None:
    """Returns when the client leaves: its query is then cancelled."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def variables_of(options: str | None) -> dict[str, str]:
    if options is None:
        return {}
    try:
        variables = json.loads(options)
    except ValueError as error:
        raise InvalidParameter(f"options is not JSON: {error}") from None
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise InvalidParameter("options is a JSON object of strings")
    return variables


def reply(session: Session, body: SimpleRequest | ExtendedRequest) -> bytes:
    """In a thread: the results of all statements up to the first error, as JSON."""
    results: list[dict[str, Any]] = []
    try:
        results.extend(result_of(answer) for answer in answers(session, body))
    except SqlError as error:
        results.append({"error": ErrorBody.of(error).json_object(), "notices": []})
    return json.dumps({"results": results}, ensure_ascii=False, separators=(",", ":")).encode()


def answers(session: Session, body: SimpleRequest | ExtendedRequest) -> Iterator[Result | Subscription | CopyOut]:
    if isinstance(body, SimpleRequest):
        yield from session.run(body.query)
    else:
        for statement in body.queries:
            yield from session.run(statement.query, statement.params)


def result_of(answer: Result | Subscription | CopyOut) -> dict[str, Any]:
    """One element of `results`."""
    if not isinstance(answer, Result):
        if isinstance(answer, Subscription):
            answer.close()
        elif isinstance(answer.source, Subscription):
            answer.source.close()
        raise Unsupported(
            "COPY and SUBSCRIBE are not supported over /api/sql", hint="Subscribe over ws /api/subscribe."
        )
    notices = [notice_object(notice) for notice in answer.notices]
    if answer.batch is None:
        return {"ok": answer.tag, "notices": notices}
    return {
        "tag": answer.tag,
        "rows": rows(answer.columns, answer.text(), answer.row_count),
        "desc": {"columns": description(answer.columns)},
        "notices": notices,
    }


def notice_object(notice: Notice) -> dict[str, str]:
    body = {"message": notice.message, "code": notice.sqlstate, "severity": notice.severity}
    more = {"detail": notice.detail, "hint": notice.hint}
    return body | {key: value for key, value in more.items() if value is not None}
