"""The asyncio shell of pgwire: sockets, the sessions behind them, cancellation.

Law   The event loop never waits for the engine: statements run, and rows are encoded, in threads; the loop moves bytes,
      and answers look-ups that need not wait. A client that vanishes is noticed while its statement runs or its
      subscription is quiet, and both end.
"""

import asyncio
import secrets
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from app.pgwire import messages
from app.pgwire.admission import admit
from app.pgwire.conversation import Conversation
from app.pgwire.forms import error_of, fatal
from app.pgwire.messages import (
    PROTOCOL_3_2,
    CancelRequest,
    Message,
    ProtocolViolation,
    SslRequest,
    Startup,
    Terminate,
)
from app.pgwire.peer import Peer, Reply
from app.pgwire.protocol import Connection
from app.settings import Settings
from engine.database import Database, Metric, Session
from engine.errors import InvalidAuthorization, SqlError

READ_BYTES: Final = 1 << 16
SHUTTING_DOWN: Final = "terminating connection: the server is shutting down"
TERMINATED: Final = "terminating connection due to administrator command"
KEY_BYTES: Final = 32
"""Of a cancel key in protocol 3.2, as PostgreSQL's; in 3.0 there is room for four."""


class Server:
    """Listens, and holds one Conversation a connection."""

    def __init__(
        self, database: Database, settings: Settings, threads: Executor, tls: ssl.SSLContext | None = None
    ) -> None:
        self._database = database
        self._settings = settings
        self._threads = threads
        self._tls = tls
        self._conversations: dict[int, tuple[bytes, Conversation]] = {}
        """By process number: what a CancelRequest names, with the secret that it must know."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._peers: set[Peer] = set()
        self._rows_sent = self._bytes_sent = 0  # to clients that left
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._peer, sock=listening)

    async def close(self) -> None:
        """Stop listening, and end every conversation; the statement that it runs fails, and none begins after it."""
        if self._server is not None:
            self._server.close()
        for _, conversation in self._conversations.values():
            conversation.end()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._settings.shutdown_seconds_max)
        for peer in self._peers:  # whose statement is in a tick, which is not given up half-way
            peer.write(fatal("57P01", SHUTTING_DOWN))
            peer.close()
        await asyncio.sleep(0)  # in which they leave

    def metrics(self) -> list[Metric]:
        """What was sent to clients, as Materialize counts it."""
        conversations = [conversation for _, conversation in tuple(self._conversations.values())]
        rows = self._rows_sent + sum(conversation.rows_sent for conversation in conversations)
        sent = self._bytes_sent + sum(peer.bytes_sent for peer in tuple(self._peers))
        return [
            ("mz_pg_sent_rows", {}, float(rows)),
            ("mz_pg_sent_bytes", {}, float(sent)),
            ("tailrace_pg_connections", {}, float(self.connections)),
        ]

    @property
    def connections(self) -> int:
        return len(self._tasks)

    def _peer(self) -> Peer:
        limit = self._settings.message_bytes_max
        return Peer(Connection(limit, self._tls is not None), self._connected, limit + READ_BYTES)

    async def _connected(self, peer: Peer) -> None:
        task = asyncio.current_task()
        assert task is not None, "a peer serves in a task"
        self._tasks.add(task)
        self._peers.add(peer)
        try:
            await self._serve(peer)
        except ProtocolViolation as violation:
            peer.write(fatal(violation.sqlstate, str(violation)))
        except InvalidAuthorization as error:
            peer.write(error_of(error, severity="FATAL"))
        except TimeoutError:
            peer.write(fatal("08P01", "startup packet did not come in time (startup_seconds_max)"))
        except ConnectionError:
            pass  # the client left while we wrote: nobody is there to be told
        except asyncio.CancelledError as error:
            said = error.args[0] if error.args else SHUTTING_DOWN
            peer.write(fatal("57P01", said))
        finally:
            self._tasks.discard(task)
            self._peers.discard(peer)
            self._bytes_sent += peer.bytes_sent
            peer.close()

    async def _serve(self, peer: Peer) -> None:
        async with asyncio.timeout(self._settings.startup_seconds_max):
            first = await peer.message()
            if isinstance(first, SslRequest):
                assert self._tls is not None, "the protocol grants it only then"
                await peer.encrypt(self._tls)
                first = await peer.message()
            match first:
                case CancelRequest(process, secret):
                    self._cancel(process, secret)
                    return
                case Startup():
                    admitted = await self._admitted(peer, first)
                case _:
                    return
        await self._converse(peer, first, admitted)

    def _cancel(self, process: int, secret: bytes) -> None:
        """A wrong secret is not answered either, so that nobody can try them out."""
        known = self._conversations.get(process)
        if known is not None and secrets.compare_digest(known[0], secret):
            known[1].cancel()

    @staticmethod
    def _terminator(conversation: Conversation) -> Callable[[], object]:
        """What ends a conversation, from any thread."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None, "a peer converses in a task"

        def terminate() -> None:
            conversation.cancel()
            task.cancel(TERMINATED)

        return lambda: loop.call_soon_threadsafe(terminate)

    async def _admitted(self, peer: Peer, startup: Startup) -> bytes:
        """What is still to be sent to a client that has proven who it is. Raises InvalidAuthorization."""
        if self._settings.tls_mode == "require" and not peer.encrypted:
            raise InvalidAuthorization("TLS is required (tls_mode)", hint="Connect with sslmode=require.")

        async def ask(question: bytes) -> Message | None:
            await peer.send(question)
            return await peer.message()

        user = user_of(startup)
        return await admit(self._database, self._settings, self._threads, user, peer.encrypted, ask)

    async def _open(self, startup: Startup) -> Session:
        """The session that the startup packet asks for; SqlError if it cannot be had."""
        variables = variables_of(startup)
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: opened(self._database, user_of(startup), variables)
        )

    async def _converse(self, peer: Peer, startup: Startup, admitted: bytes) -> None:
        if len(self._tasks) > self._settings.connections_max:
            limit = f"sorry, too many clients already (connections_max = {self._settings.connections_max})"
            await peer.send(fatal("53300", limit))
            return
        try:
            session = await self._open(startup)
        except SqlError as error:
            await peer.send(error_of(error, severity="FATAL"))
            return
        process = session.number  # what pg_backend_pid() says too
        secret = secrets.token_bytes(KEY_BYTES if peer.connection.version >= PROTOCOL_3_2 else 4)
        conversation = Conversation(session, peer, self._threads, self._settings.reply_rows_max)
        self._conversations[process] = (secret, conversation)
        peer.on_gone = conversation.cancel
        session.on_terminate = self._terminator(conversation)
        try:
            peer.connection.admitted()
            key = messages.backend_key_data(process, secret)
            await peer.send(admitted + messages.AUTHENTICATION_OK + conversation.greeting(key))
            peer.at_once = conversation.at_once
            while True:
                try:
                    async with asyncio.timeout(session.idle_seconds_max):
                        message = await peer.message()
                except TimeoutError:
                    said = "terminating connection due to idle-in-transaction timeout"
                    await peer.send(fatal("25P03", f"{said} (idle_in_transaction_session_timeout)"))
                    return
                if message is None or isinstance(message, Terminate):
                    return
                await conversation.answer(message)
        finally:
            peer.at_once = lambda _: Reply.ELSEWHERE
            del self._conversations[process]
            self._rows_sent += conversation.rows_sent
            await conversation.close()


def user_of(startup: Startup) -> str:
    return startup.parameters.get("user", "materialize")


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
