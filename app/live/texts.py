"""What a websocket's client says: text frames, and nothing else."""

from collections.abc import AsyncIterator

from fastapi import WebSocket, status


async def texts(socket: WebSocket) -> AsyncIterator[str]:
    """Each text frame until the client leaves. A binary frame ends the connection: nobody here reads such."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        text = message.get("text")
        if text is None:
            await socket.close(status.WS_1003_UNSUPPORTED_DATA)
            return
        yield text
