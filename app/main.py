"""The composition root: settings -> Database -> HTTP + pgwire, under one lifespan.

async with running(settings) as server: ...   # in this event loop
with in_background(settings) as server: ...   # in a thread of its own: the demo, and tests
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
import uvloop
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from app.access import problems
from app.access.guard import BodyLimit, Doors, Limits, Requests
from app.access.identity import Identity
from app.access.logs import counted
from app.front import Front
from app.live.streams import Streams
from app.pgwire.server import Server
from app.routers import access, changes, docs, objects, ops, rows, sql, subscribe, webhook
from app.settings import Address, SettingError, Settings
from engine.database import Database, Options
from engine.errors import SqlError

VERSION: Final = "0.1.0"
ROUTERS: Final = (sql, objects, rows, changes, subscribe, webhook, access, ops, docs)
STATIC: Final = Path(__file__).parent / "static"
CONSOLE: Final = Path(__file__).parent / "console"
"""What browsers fetch: the client for live views."""

PING_SECONDS: Final = 30.0
PONG_SECONDS: Final = 300.0
"""A websocket whose client answers no ping for so long is cut. A client that only reads slowly answers late: what it
has not read stands before the ping."""

HTTP_THREADS: Final = 64
"""Threads for HTTP requests and websockets beside one for each pgwire connection; a request beyond them waits."""


class AddressInUse(OSError):
    """A listening address that cannot be had; the message names its setting."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: where, and the database behind it."""

    database: Database
    pg: Address
    http: Address


def application(front: Front | None = None) -> FastAPI:
    """The HTTP routes. Without a `front` they only describe themselves, which is what the OpenAPI document needs."""
    app = FastAPI(
        title="Tailrace",
        version=VERSION,
        summary="Answers to SQL queries, kept up to date",
        docs_url=None,  # FastAPI's page loads its scripts from a CDN; ours is routers/docs.py
        redoc_url=None,
    )
    for module in ROUTERS:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    docs.mount(app)
    app.mount("/console", StaticFiles(directory=CONSOLE), name="console")
    app.add_api_route("/", console, include_in_schema=False)
    problems.install(app)
    if front is not None:
        app.state.front = front
        app.state.streams = Streams(front, asyncio.get_running_loop())
        guard(app, front.settings)
    return app


async def console() -> FileResponse:
    """The page at /."""
    return FileResponse(CONSOLE / "index.html")


def guard(app: FastAPI, settings: Settings) -> None:
    """What every request passes; the last added is the first passed."""
    app.add_middleware(BodyLimit, bytes_max=settings.message_bytes_max)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"],
            expose_headers=["*"],
        )  # fmt: skip
    app.add_middleware(
        Limits, per_second_max=settings.requests_per_second_max, running_max=settings.requests_per_client_max
    )  # fmt: skip
    app.add_middleware(Doors, hosts=settings.http_hosts, origins=settings.cors_origins)
    app.add_middleware(Requests)


class HttpServer(uvicorn.Server):
    """uvicorn inside our event loop: signals are the command line's, and `listening` tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def listen(address: Address, setting: str) -> socket.socket:
    """A listening socket; AddressInUse if the address cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=512)
    except OSError as error:
        raise AddressInUse(f"cannot listen on {address}: {error.strerror}; choose another with {setting}") from None


def address_of(listening: socket.socket) -> Address:
    host, port, *_ = listening.getsockname()
    return Address(host, port)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """A server for as long as the context lasts. Addresses are taken first: a port in use costs no start of an engine.

    Raises AddressInUse, SettingError for settings that do not go together, and SqlError for a data directory that
    cannot be opened.
    """
    refuse_strangers(settings)
    tls = tls_context(settings)
    with (
        listen(settings.pg_listen, "--pg-listen or TAILRACE_PG_LISTEN") as pg_socket,
        listen(settings.http_listen, "--http-listen or TAILRACE_HTTP_LISTEN") as http_socket,
    ):
        threads = ThreadPoolExecutor(settings.connections_max + HTTP_THREADS, thread_name_prefix="session")
        with opened(settings) as database, ExitStack() as kept:
            pg = Server(database, settings, threads, tls)
            lines = kept.enter_context(counted())
            front = Front(
                database, threads, settings, Identity(database, settings), lambda: [*pg.metrics(), *lines.metrics()]
            )  # fmt: skip
            app = application(front)
            http = HttpServer(http_config(app, settings))
            serving = asyncio.create_task(http.serve([http_socket]))
            await pg.start(pg_socket)
            await http.listening.wait()
            try:
                yield Running(database, address_of(pg_socket), address_of(http_socket))
            finally:
                await app.state.streams.close(settings.shutdown_seconds_max)
                http.should_exit = True
                await asyncio.gather(serving, pg.close())
        threads.shutdown(wait=False, cancel_futures=True)


def refuse_strangers(settings: Settings) -> None:
    """SettingError where anybody could come from anywhere."""
    if settings.auth != "trust" or settings.insecure_no_auth:
        return
    for name, address in (("pg_listen", settings.pg_listen), ("http_listen", settings.http_listen)):
        if not address.loopback:
            flag = "--" + name.replace("_", "-")
            raise SettingError(
                f"{flag} {address} is not loopback, and nobody would be asked for a password: "
                "set --auth scram-sha-256, or say --insecure-no-auth true"
            )


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What pgwire's TLS is made of; None: it has none. SettingError for files that are no certificate and key."""
    if settings.tls_mode == "disable" or (settings.tls_cert is None and settings.tls_mode == "allow"):
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        raise SettingError("--tls-cert and --tls-key are both needed for TLS")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["postgresql"])
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingError(f"--tls-cert {settings.tls_cert}, --tls-key {settings.tls_key}: {error}") from None
    return context


def opened(settings: Settings) -> Database:
    """The database, whose clients read and write files of this host below the settings' directories only."""
    data = settings.data_directory
    options = Options(
        roots=settings.file_roots or (Path.cwd(), *(() if data is None else (data,))),
        write_roots=settings.file_write_roots or (() if data is None else (data / "out",)),
        transaction_bytes_max=settings.transaction_bytes_max,
        source_errors_max=settings.source_errors_max,
    )
    return Database.in_memory(options) if data is None else Database.open(data, options)


def http_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="websockets-sansio",
        ws_max_size=settings.frame_bytes_max,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        lifespan="off",  # ours is `running`
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_seconds_max,
    )


@contextmanager
def in_background(settings: Settings) -> Iterator[Running]:
    """A server in a thread of its own, for as long as the context lasts. Raises what `running` raises."""
    started: Future[tuple[Running, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with running(settings) as server:
            started.set_result((server, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            uvloop.run(serve())
        except (OSError, SqlError, SettingError) as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="server")
    thread.start()
    try:
        server, loop, stop = started.result()
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join()
