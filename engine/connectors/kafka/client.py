"""Connections to brokers: what leads which partition, where offsets are, and fetches.

aiokafka's connections carry the bytes (TLS, SASL, request versions); metadata and retries are ours, so that nothing
runs behind the reader's back.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest

from engine.catalog.connections import KafkaConnection, Setting
from engine.connectors.feed import Resolve
from engine.connectors.kafka.batches import Fetched
from engine.connectors.kafka.kerberos import Login, login_of
from engine.connectors.kafka.metadata import MetadataRequest
from engine.connectors.oauth import token_of
from engine.connectors.tls import tls_context
from engine.errors import SourceError

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
"""What goes wrong is the source's status; the library would log each attempt again."""

REQUEST_MS: Final = 20_000
CONNECT_SECONDS_MAX: Final = 10.0

NONE, OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, NOT_LEADER = 0, 1, 3, 5, 6
MOVED: Final = frozenset({UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, NOT_LEADER, 9, 56, 72, 74, 75, 76, 100, 103})
"""Errors of a partition after which new metadata may help."""

GROUPS, TRANSACTIONS = 0, 1
"""What a coordinator is looked up for."""
COORDINATOR_COMES: Final = frozenset({14, 15})
"""Errors of a look-up that pass: the broker loads, or the topic of transactions is being made."""
COORDINATOR_PAUSE_SECONDS: Final = 0.05
COORDINATOR_SECONDS_MAX: Final = 20.0

EARLIEST, LATEST = -2, -1
"""Times that stand for the ends of a partition."""


@dataclass(frozen=True, slots=True)
class Topic:
    """`leaders` by partition; -1: none at the moment."""

    id: str
    leaders: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one broker sent: partitions with data, and the error codes of others."""

    parts: Sequence[Fetched]
    errors: Mapping[int, int]


class _Token(AbstractTokenProvider):
    """aiokafka's way to ask for a token."""

    def __init__(self, get: Callable[[], str]) -> None:
        self._get = get

    async def token(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - it is awaited
        return await asyncio.get_running_loop().run_in_executor(None, self._get)


class Client:
    """One cluster. Every method raises SourceError when no broker answers as it should."""

    def __init__(self, connection: KafkaConnection, resolve: Resolve, client_id: str = "tailrace") -> None:
        self._connection = connection
        self._resolve = resolve
        self._client_id = client_id
        self._hosts: dict[int, tuple[str, int]] = {}
        self._connected: dict[int, AIOKafkaConnection] = {}
        self._bootstrap: AIOKafkaConnection | None = None
        self._groups: dict[str, int] = {}  # who keeps which

    async def topic(self, name: str) -> Topic:
        """Where the partitions of a topic are. SourceError when there is none of that name."""
        found = await self.find(name)
        if found is None:
            raise SourceError(f'topic "{name}" does not exist', hint=f"Brokers: {self._names()}.")
        return found

    async def find(self, name: str) -> Topic | None:
        """The same; None where there is none. One that we may not know of is a SourceError."""
        response = await self._ask_any(MetadataRequest(name))
        for code, topic, topic_id, _, partitions, *_ in response.topics:
            if topic == name and code != UNKNOWN_TOPIC:
                if code not in (NONE, LEADER_NOT_AVAILABLE):
                    raise SourceError(f'topic "{name}" cannot be read: {named(code)}')
                return Topic(topic_id.hex(), {partition[1]: partition[2] for partition in partitions})
        return None

    async def check(self) -> None:
        """SourceError when no broker can be reached and asked."""
        await self._ask_any(MetadataRequest(None))

    async def offsets(self, name: str, topic: Topic, times: Mapping[int, int]) -> dict[int, int]:
        """The first offset of each partition at or after a time in ms, EARLIEST or LATEST; -1: there is none."""
        found: dict[int, int] = {}
        for node in {topic.leaders[partition] for partition in times}:
            if node < 0:
                raise SourceError(f'a partition of topic "{name}" has no leader')
            mine = [(partition, time) for partition, time in times.items() if topic.leaders[partition] == node]
            response = await self.ask(node, OffsetRequest(-1, 0, [(name, mine)]))
            for _, partitions in response.topics:
                for partition, code, _, offset in partitions:
                    if code != NONE:
                        raise SourceError(f'partition {partition} of topic "{name}" has no offsets: {named(code)}')
                    found[partition] = offset
        return found

    async def fetch(
        self, node: int, name: str, wanted: Sequence[tuple[int, int]], committed: bool, bytes_max: int, wait_ms: int
    ) -> Answer:
        """Records from (partition, offset) on of partitions that `node` leads; it waits for some up to `wait_ms`."""
        request = FetchRequest(
            wait_ms, 1, bytes_max, int(committed), [(name, [(partition, at, bytes_max) for partition, at in wanted])]
        )
        response = await self.ask(node, request)
        parts: list[Fetched] = []
        errors: dict[int, int] = {}
        asked = dict(wanted)
        for _, partitions in response.topics:
            for partition, code, high, _, _, aborted, *_, data in partitions:
                if code != NONE:
                    errors[partition] = code
                else:
                    pairs = [(producer, first) for producer, first in aborted or ()] if committed else []
                    parts.append(Fetched(partition, asked[partition], high, pairs, data or b""))
        return Answer(parts, errors)

    async def close(self) -> None:
        """Let go of all connections; the next request makes new ones."""
        connections = [*self._connected.values()]
        if self._bootstrap is not None:
            connections.append(self._bootstrap)
        self._connected.clear()
        self._bootstrap = None
        for connection in connections:
            closed = connection.close()
            if closed is not None:
                await asyncio.wait([closed], timeout=1)

    async def _ask_any(self, request: Request) -> Any:  # noqa: ANN401 - aiokafka does not say
        """The answer of whichever broker answers, the one that did before first."""
        if self._bootstrap is None or not self._bootstrap.connected():
            reasons: list[str] = []
            for broker in self._connection.brokers:
                host, _, port = broker.rpartition(":")
                try:
                    self._bootstrap = await self._connect(host.strip("[]"), int(port))
                    break
                except SourceError as error:
                    reasons.append(error.message)
            else:
                raise SourceError("; ".join(reasons))
        response = await self._sent(self._bootstrap, request)
        if response.API_KEY == MetadataRequest.API_KEY:
            self._hosts = {node: (host, port) for node, host, port, *_ in response.brokers}
        return response

    async def commit(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Tell the group of consumers, which nobody is a member of, up to where a topic was read."""
        if group not in self._groups:
            self._groups[group] = await self.coordinator(group, GROUPS)
        told = [(partition, at, "") for partition, at in offsets.items()]
        response = await self.ask(self._groups[group], OffsetCommitRequest(group, -1, "", -1, [(topic, told)]))
        for _, partitions in response.topics:
            for partition, code in partitions:
                if code != NONE:
                    self._groups.pop(group, None)  # another broker may keep it by now
                    raise SourceError(f'group "{group}" is not told of partition {partition}: {named(code)}')

    async def coordinator(self, name: str, kind: int = TRANSACTIONS) -> int:
        """The broker that keeps the transactions or the group of that name; it can be asked from here on."""
        deadline = time.monotonic() + COORDINATOR_SECONDS_MAX
        while True:
            answer = await self._ask_any(FindCoordinatorRequest(name, kind))
            if answer.error_code == NONE:
                self._hosts[answer.coordinator_id] = (answer.host, answer.port)
                return answer.coordinator_id
            if answer.error_code not in COORDINATOR_COMES or time.monotonic() > deadline:
                raise SourceError(
                    f"no broker keeps our {'transactions' if kind else 'group'}: {named(answer.error_code)}"
                )
            await asyncio.sleep(COORDINATOR_PAUSE_SECONDS)

    async def ask(self, node: int, request: Request) -> Any:  # noqa: ANN401 - nor here
        """The answer of one broker, which metadata or a coordinator has named."""
        connection = self._connected.get(node)
        if connection is None or not connection.connected():
            if node not in self._hosts:
                raise SourceError(f"broker {node} is not there")
            connection = self._connected[node] = await self._connect(*self._hosts[node])
        return await self._sent(connection, request)

    async def _sent(self, connection: AIOKafkaConnection, request: Request) -> Any:  # noqa: ANN401
        where = f"broker {connection.host}:{connection.port}"
        try:
            return await connection.send(request)
        except TimeoutError:
            connection.close()
            raise SourceError(f"{where} does not answer") from None
        except KafkaError as error:
            raise SourceError(f"{where}: {reason_of(error)}") from None

    async def _connect(self, host: str, port: int) -> AIOKafkaConnection:
        try:
            return await asyncio.wait_for(
                create_conn(
                    host, port, client_id=self._client_id, request_timeout_ms=REQUEST_MS,
                    **security_of(self._connection, self._resolve),
                ),
                CONNECT_SECONDS_MAX,
            )  # fmt: skip
        except TimeoutError:
            raise SourceError(f"broker {host}:{port} does not answer") from None
        except ssl.SSLError as error:
            raise SourceError(f"broker {host}:{port}: TLS failed: {error.reason or error}") from None
        except OSError as error:
            raise SourceError(f"broker {host}:{port} cannot be reached: {error.strerror or error}") from None
        except KafkaError as error:
            raise SourceError(f"broker {host}:{port}: {reason_of(error)}") from None

    def _names(self) -> str:
        return ", ".join(self._connection.brokers)


def security_of(connection: KafkaConnection, resolve: Resolve) -> dict[str, Any]:
    """aiokafka's arguments for TLS and SASL, of connections, producers and admin clients alike."""
    tls, sasl = connection.tls, connection.sasl
    provider: _Token | Login | None = None
    if sasl is not None and sasl.kerberos is not None:
        provider = login_of(sasl.kerberos, resolve)
    elif sasl is not None and sasl.mechanism == "OAUTHBEARER":
        provider = _Token(lambda: token_of(sasl, resolve))

    def value(setting: Setting | None) -> str | None:
        return None if setting is None else resolve(setting)

    return {
        "security_protocol": ("SASL_" if sasl else "") + ("SSL" if tls else "PLAINTEXT"),
        "ssl_context": None if tls is None else tls_context(tls, resolve),
        "sasl_mechanism": "PLAIN" if sasl is None else sasl.mechanism,
        "sasl_plain_username": value(None if sasl is None else sasl.username),
        "sasl_plain_password": value(None if sasl is None else sasl.password),
        "sasl_oauth_token_provider": provider,
    }


def check_brokers(connection: KafkaConnection, resolve: Resolve) -> None:
    """SourceError when no broker can be reached and asked."""

    async def run() -> None:
        client = Client(connection, resolve)
        try:
            await client.check()
        finally:
            await client.close()

    asyncio.run(run())


def named(code: int) -> str:
    """An error of the protocol in words."""
    error = for_code(code)
    return f"{str(error.message).lower().replace('_', ' ')} ({code})"


def reason_of(error: KafkaError) -> str:
    """The library's message without its class's number."""
    return " ".join(str(part) for part in error.args) or type(error).__name__
