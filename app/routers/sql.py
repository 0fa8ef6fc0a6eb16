"""POST /api/sql and ws /api/experimental/sql: statements in, results out, in the shapes of Materialize's APIs."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Response, WebSocket, WebSocketDisconnect

from app.data.reply import Streamed
from app.data.results import reply, variables_of
from app.front import TheFront
from app.live.sqlsocket import Dialogue
from app.live.streams import TheStreams
from app.routers.access import AUTHORIZED, TheRole, role_of_socket
from app.routers.parameters import AtLeast
from app.schemas.errors import PROBLEMS
from app.schemas.sql import ExtendedRequest, SimpleRequest, SqlReply
from engine.errors import SqlError

router = APIRouter(tags=["sql"])


@router.post(
    "/api/sql",
    operation_id="execute_sql",
    summary="Run SQL statements",
    response_model=SqlReply,
    responses=PROBLEMS,
    dependencies=AUTHORIZED,
)
async def execute_sql(
    body: SimpleRequest | ExtendedRequest,
    front: TheFront,
    role: TheRole,
    options: Annotated[
        str | None,
        Query(description="Session variables, as a JSON object of strings", examples=['{"application_name": "me"}']),
    ] = None,
    at_least: AtLeast = None,
) -> Response:
    """Statements run in order and stop at the first error, which is the last result.

    COPY and SUBSCRIBE are not for HTTP: a subscription is `ws /api/subscribe`.
    """
    variables = variables_of(options)
    await front.reach(at_least)
    session = await front.in_thread(lambda: front.database.session(role, variables))
    pieces = reply(session, body, front.settings.reply_rows_max)
    return Streamed(front, pieces, "application/json", cancel=session.cancel, close=session.close)


@router.websocket("/api/experimental/sql")
async def converse_sql(socket: WebSocket, streams: TheStreams) -> None:
    """The messages are those of Materialize's websocket API: app/live/sqlsocket.py."""
    try:
        user = await role_of_socket(socket, streams.front)
    except SqlError:
        await socket.close(1008)
        return
    await socket.accept()
    with suppress(WebSocketDisconnect, ConnectionError), streams.counted():
        await Dialogue(socket, streams, user).run()
