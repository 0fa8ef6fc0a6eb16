"""ws /api/subscribe: `{"query": "SUBSCRIBE ..."}` in; the snapshot, each tick's changes and progress out.

The messages are schemas.SubscriptionMessage. Law: the socket holds one batch at a time; a client that reads slowly
makes the subscription merge its pending ticks, and one that leaves ends it.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket, WebSocketDisconnect, status
from pydantic import ValidationError

from app.routers.datums import description, rows
from app.routers.front import Front, TheFront
from app.schemas import ErrorBody, SubscribeRequest
from engine.database import Subscription, SubscriptionBatch
from engine.errors import InvalidParameter, SqlError

router = APIRouter()

CHANGES_MAX: Final = 10_000
"""Changes in one message: about a megabyte, which is what websocket clients take by default."""


@router.websocket("/api/subscribe")
async def subscribe(socket: WebSocket, front: TheFront) -> None:
    """One subscription a socket. Its errors come as a message, then the socket closes."""
    if not same_origin(socket):
        await socket.close(status.WS_1008_POLICY_VIOLATION)
        return
    await socket.accept()
    with suppress(WebSocketDisconnect, ConnectionError):
        try:
            request = request_of(await socket.receive_text())
            session = await front.in_thread(front.database.session)
            try:
                subscription = await front.in_thread(lambda: session.subscribe(request.query))
                await stream(socket, front, subscription)
            finally:
                await front.in_thread(session.close)
            await socket.send_text(encoded({"type": "end"}))
        except SqlError as error:
            await socket.send_text(encoded({"type": "error", "error": ErrorBody.of(error).json_object()}))
        await socket.close()


def same_origin(socket: WebSocket) -> bool:
    """A page of another site may not read this database through its visitor's browser. Programs send no Origin."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")


def request_of(text: str) -> SubscribeRequest:
    try:
        return SubscribeRequest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidParameter(f'the message is not {{"query": "SUBSCRIBE ..."}}: {place} {first["msg"]}') from None


async def stream(socket: WebSocket, front: Front, subscription: Subscription) -> None:
    """Send what the subscription gives until it ends or the client leaves. Raises the SqlError that ended it."""
    woken = asyncio.Event()
    loop = asyncio.get_running_loop()
    departure = asyncio.ensure_future(departed(socket, woken))

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            loop.call_soon_threadsafe(woken.set)

    marks = 2 if subscription.with_progress else 1
    first = True
    try:
        columns = subscription.columns[marks + 1 :]
        await socket.send_text(encoded({"type": "columns", "columns": description(columns)}))
        subscription.on_ready(wake)
        while not departure.done():
            woken.clear()
            batch = subscription.poll()
            if batch is not None:
                for message in await front.in_thread(lambda batch=batch, first=first: messages_of(batch, marks, first)):
                    await socket.send_text(message)
                first = first and batch.progressed
            elif subscription.ended:
                return
            else:
                await woken.wait()
    finally:
        subscription.on_ready(None)
        await front.in_thread(subscription.close)  # it waits for the tick under way
        departure.cancel()
        with suppress(asyncio.CancelledError, WebSocketDisconnect):
            await departure


async def departed(socket: WebSocket, woken: asyncio.Event) -> None:
    """Returns when the client leaves; what it sends meanwhile has no meaning yet and is dropped."""
    try:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        woken.set()


def messages_of(batch: SubscriptionBatch, marks: int, snapshot: bool) -> list[str]:
    """In a thread: one batch as messages of at most CHANGES_MAX changes."""
    if batch.progressed:
        return [encoded({"type": "progress", "timestamp": batch.timestamp})]
    return list(parts(batch, marks, snapshot))


def parts(batch: SubscriptionBatch, marks: int, snapshot: bool) -> Iterator[str]:
    text = batch.text()
    diffs = [int(diff) for diff in text[marks].to_pylist()]
    values = rows(batch.columns[marks + 1 :], text[marks + 1 :], batch.row_count)
    for start in range(0, len(diffs), CHANGES_MAX):
        end = min(start + CHANGES_MAX, len(diffs))
        changes = [{"diff": diffs[at], "row": values[at]} for at in range(start, end)]
        yield encoded(
            {
                "type": "changes",
                "timestamp": batch.timestamp,
                "snapshot": snapshot,
                "changes": changes,
                "more": end < len(diffs),
            }
        )


def encoded(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
