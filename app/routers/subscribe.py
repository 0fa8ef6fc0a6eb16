"""ws /api/subscribe: many live subscriptions over one socket. The conversation is app/live/socket.py."""

from contextlib import suppress

from fastapi import APIRouter, WebSocket, WebSocketDisconnect, status

from app.live.socket import Conversation
from app.live.streams import TheStreams
from app.routers.access import role_of_socket
from engine.errors import SqlError

router = APIRouter()


@router.websocket("/api/subscribe")
async def subscribe(socket: WebSocket, streams: TheStreams) -> None:
    """The messages are schemas.live."""
    try:
        user = await role_of_socket(socket, streams.front)
    except SqlError:
        await socket.close(status.WS_1008_POLICY_VIOLATION)
        return
    await socket.accept()
    with suppress(WebSocketDisconnect, ConnectionError), streams.counted():
        await Conversation(socket, streams, user).run()
