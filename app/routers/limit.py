"""A limit on bodies: refused by their declared length before they are read, or else as soon as they are longer."""

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware. 413 for a body of more than `bytes_max` bytes; at most that much is ever buffered."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self.app = app
        self.bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        received = int(declared) if declared.isdigit() else 0

        async def counted() -> Message:
            nonlocal received
            if received > self.bytes_max:
                raise HTTPException(413, f"the body is longer than message_bytes_max, {self.bytes_max} bytes")
            message = await receive()
            if b"content-length" not in headers:
                received += len(message.get("body", b""))
            return message

        await self.app(scope, counted, send)
