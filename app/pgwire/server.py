"""The asyncio shell of pgwire: sockets, the sessions behind them, cancellation.

Law   The event loop never waits for the engine: statements run, and rows are encoded, in threads; the loop moves bytes.
      A client that vanishes is noticed while its statement runs or its subscription is quiet, and both end.
"""

import asyncio
import secrets
import socket
import struct
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final

from app.pgwire import messages
from app.pgwire.conversation import Conversation
from app.pgwire.forms import error_of, fatal
from app.pgwire.messages import CancelRequest, Message, ProtocolViolation, Startup, Terminate
from app.pgwire.protocol import Connection, State
from app.settings import Settings
from engine.database import Database, Session
from engine.errors import SqlError

READ_BYTES: Final = 1 << 16


class Peer:
    """One client's socket: what it sent, as messages; what it gets, as bytes; whether it is still there."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, settings: Settings) -> None:
        self.connection = Connection(settings.message_bytes_max)
        self.woken = asyncio.Event()
        """Set when bytes came, the client left, or `wake` was called; whoever waits clears it before it looks."""
        self.gone = False
        self.on_gone: Callable[[], None] = lambda: None
        self._reader = reader
        self._writer = writer
        self._taken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def pump(self) -> None:
        """Read until the client leaves. Pauses while more than a whole message waits to be taken."""
        with suppress(ConnectionError):
            while data := await self._reader.read(READ_BYTES):
                self.connection.receive(data)
                self.woken.set()
                while self.connection.buffered > self.connection.message_bytes_max + READ_BYTES:
                    self._taken.clear()
                    await self._taken.wait()
        self.gone = True
        self.woken.set()
        self.on_gone()

    async def message(self) -> Message | None:
        """The next message; None when the client said good-bye or left."""
        while True:
            self.woken.clear()
            message = self.connection.next()
            self._writer.write(self.connection.replies())
            self._taken.set()
            if message is not None or self.gone or self.connection.state is State.CLOSED:
                return message
            await self.woken.wait()

    def poll(self) -> Message | None:
        """The next message if it is there."""
        message = self.connection.next()
        self._taken.set()
        return message

    def wake(self) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            self._loop.call_soon_threadsafe(self.woken.set)

    async def send(self, data: bytes) -> None:
        """Waits while the client reads slower than we write; raises ConnectionError when it left."""
        self._writer.write(data)
        await self._writer.drain()


class Server:
    """Listens, and holds one Conversation a connection."""

    def __init__(self, database: Database, settings: Settings, threads: Executor) -> None:
        self._database = database
        self._settings = settings
        self._threads = threads
        self._conversations: dict[int, tuple[int, Conversation]] = {}
        """By process number: what a CancelRequest names, with the secret that it must know."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._processes = 0

    async def start(self, listening: socket.socket) -> None:
        self._server = await asyncio.start_server(self._connected, sock=listening)

    async def close(self) -> None:
        """Stop listening, and end every conversation; the statement that it runs is cancelled."""
        if self._server is not None:
            self._server.close()
        for _, conversation in self._conversations.values():
            conversation.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._settings.shutdown_seconds_max)

    @property
    def connections(self) -> int:
        return len(self._tasks)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "start_server runs its callback as a task"
        self._tasks.add(task)
        peer = Peer(reader, writer, self._settings)
        pump = asyncio.create_task(peer.pump())
        try:
            await self._serve(peer)
        except ProtocolViolation as violation:
            with suppress(ConnectionError):
                await peer.send(fatal(violation.sqlstate, str(violation)))
        except TimeoutError:
            with suppress(ConnectionError):
                await peer.send(fatal("08P01", "startup packet did not come in time (startup_seconds_max)"))
        except ConnectionError:
            pass  # the client left while we wrote: nobody is there to be told
        except asyncio.CancelledError:
            with suppress(ConnectionError):
                await peer.send(fatal("57P01", "terminating connection: the server is shutting down"))
        finally:
            self._tasks.discard(task)
            pump.cancel()
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await asyncio.gather(pump, writer.wait_closed(), return_exceptions=True)

    async def _serve(self, peer: Peer) -> None:
        async with asyncio.timeout(self._settings.startup_seconds_max):
            first = await peer.message()
        match first:
            case CancelRequest(process, secret):
                self._cancel(process, secret)
            case Startup():
                await self._converse(peer, first)
            case _:
                return

    def _cancel(self, process: int, secret: int) -> None:
        """A wrong secret is not answered either, so that nobody can try them out."""
        known = self._conversations.get(process)
        if known is not None and secrets.compare_digest(struct.pack(">i", known[0]), struct.pack(">i", secret)):
            known[1].cancel()

    async def _open(self, startup: Startup) -> Session:
        """The session that the startup packet asks for; SqlError if it cannot be had."""
        user = startup.parameters.get("user", "materialize")
        variables = variables_of(startup)
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: opened(self._database, user, variables)
        )

    async def _converse(self, peer: Peer, startup: Startup) -> None:
        if len(self._tasks) > self._settings.connections_max:
            limit = f"sorry, too many clients already (connections_max = {self._settings.connections_max})"
            await peer.send(fatal("53300", limit))
            return
        try:
            session = await self._open(startup)
        except SqlError as error:
            await peer.send(error_of(error, severity="FATAL"))
            return
        self._processes += 1
        process, secret = self._processes, secrets.randbits(31)
        conversation = Conversation(session, peer, self._threads, self._settings.reply_rows_max)
        self._conversations[process] = (secret, conversation)
        peer.on_gone = conversation.cancel
        try:
            key = messages.backend_key_data(process, secret)
            await peer.send(messages.AUTHENTICATION_OK + conversation.greeting(key))
            while (message := await peer.message()) is not None and not isinstance(message, Terminate):
                await conversation.answer(message)
        finally:
            del self._conversations[process]
            await conversation.close()


def opened(database: Database, user: str, variables: dict[str, str]) -> Session:
    """libpq names a database after the user if none is named: unless there is one, the default is meant."""
    session = database.session(user, variables)
    if variables.get("database") != user or (user,) in session.execute("SHOW DATABASES").rows():
        return session
    session.close()
    return database.session(user, {name: value for name, value in variables.items() if name != "database"})


def variables_of(startup: Startup) -> dict[str, str]:
    """Session variables of a startup packet: its own parameters, and `options` as '-c name=value --name=value'."""
    variables = {
        name: value
        for name, value in startup.parameters.items()
        if name not in ("user", "options", "replication") and not name.startswith("_pq_.")
    }
    words = startup.parameters.get("options", "").replace("-c ", "--").split()
    for word in words:
        name, _, value = word.removeprefix("-c").removeprefix("--").partition("=")
        variables[name.replace("-", "_")] = value
    return variables
