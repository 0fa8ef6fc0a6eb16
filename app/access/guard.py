"""ASGI middleware, outermost first: Requests (ids and the access log), Doors (hosts and origins), Limits (per client),
BodyLimit. Each says in its docstring what it lets through."""

import logging
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from app.access.problems import problem

LOG: Final = logging.getLogger("tailrace.access")
REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""That of the request which the running code belongs to, for log lines."""
GIVEN_ID: Final = re.compile(r"[\w.:-]{1,64}", re.ASCII)
"""A client's own request id is kept if it is one: what is logged is never a client's free text."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CLIENTS_MAX: Final = 10_000
"""Clients whose rate is remembered; beyond them the one that was quiet for longest is forgotten."""


class Requests:
    """Gives each request an id, its own or a new one, returns it as X-Request-Id, and logs the request when it is done:
    method, path without query, status, milliseconds, client. Never a header, never a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        token = REQUEST_ID.set(request_id)
        begin, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            match message["type"]:
                case "http.response.start":
                    status = message["status"]
                    MutableHeaders(scope=message)["X-Request-Id"] = request_id
                case "websocket.accept":
                    status = 101
                case "websocket.close":
                    status = status or 403
                case _:
                    pass
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            if LOG.isEnabledFor(logging.INFO):
                about = {
                    "method": scope.get("method", "WEBSOCKET"),
                    "path": scope["path"],
                    "status": status,
                    "ms": round(1000 * (time.perf_counter() - begin), 1),
                    "client": client_of(scope),
                }
                LOG.info("%(method)s %(path)s %(status)s %(ms)s ms", about, extra={"about": about})
            REQUEST_ID.reset(token)


class Doors:
    """Lets through what was meant for this server by whoever sent it.

    A host that is neither an address nor localhost nor among `hosts` may be a page's own name pointed at this machine,
    and is refused. So is what a page of another origin asks for, if it changes something or is a websocket, unless the
    origin is among `origins`. Programs send no Origin.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], origins: Collection[str]) -> None:
        self._app: Final = app
        self._hosts: Final = frozenset(host.lower() for host in hosts)
        self._origins: Final = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            reason = self._refusal(scope)
            if reason is not None:
                await refuse(scope, receive, send, 403, reason)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._knows(host):
            return f"this server is not called {host!r}; the setting http_hosts names it"
        checked = scope["type"] == "websocket" or scope["method"] not in SAFE
        if origin is None or not checked or origin in self._origins or urlsplit(origin).netloc == host:
            return None
        return "a page of another origin may not do this; the setting cors_origins allows origins"

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name == "localhost" or name in self._hosts or "*" in self._hosts:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


@dataclass(slots=True)
class _Client:
    """How much a client may still ask for at time `at`, and what of its is under way."""

    left: float
    at: float
    running: int = 0


class Limits:
    """Lets through so many requests a second and so many at once, streams included, of one client address. 429 for
    more, with Retry-After. A burst of two seconds is allowed."""

    def __init__(
        self, app: ASGIApp, per_second_max: int, running_max: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._app: Final = app
        self._rate: Final = per_second_max
        self._running_max: Final = running_max
        self._now: Final = now
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        client = self._client(client_of(scope))
        if client.left < 1:
            reason = f"more than requests_per_second_max, {self._rate}, requests a second"
            await refuse(scope, receive, send, 429, reason)
            return
        if client.running >= self._running_max:
            reason = f"more than requests_per_client_max, {self._running_max}, requests and streams at once"
            await refuse(scope, receive, send, 429, reason)
            return
        client.left -= 1
        client.running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            client.running -= 1

    def _client(self, name: str) -> _Client:
        now = self._now()
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = _Client(2.0 * self._rate, now)
            idle = (known for known, other in self._clients.items() if not other.running and known != name)
            if len(self._clients) > CLIENTS_MAX and (quiet := next(idle, None)) is not None:
                del self._clients[quiet]
        self._clients.move_to_end(name)
        client.left = min(2.0 * self._rate, client.left + (now - client.at) * self._rate)
        client.at = now
        return client


class BodyLimit:
    """Lets through bodies of at most `bytes_max` bytes: 413 by the declared length before anything is read, or else as
    soon as it is longer."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app: Final = app
        self._bytes_max: Final = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        received = int(declared) if declared.isdigit() else 0

        async def counted() -> Message:
            nonlocal received
            if received > self._bytes_max:
                raise HTTPException(413, f"the body is longer than message_bytes_max, {self._bytes_max} bytes")
            message = await receive()
            if b"content-length" not in headers:
                received += len(message.get("body", b""))
            return message

        await self._app(scope, counted, send)


def client_of(scope: Scope) -> str:
    """The address of the other end of the connection."""
    client = scope.get("client")
    return client[0] if client else "unknown"


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
    """Answer instead of the app."""
    if scope["type"] == "websocket":
        await WebSocketClose(code=1008)(scope, receive, send)
        return
    headers = {"Retry-After": "1"} if status == 429 else None
    reply = problem(status, reason, scope.get("state", {}).get("request_id"), headers=headers)
    await reply(scope, receive, send)
