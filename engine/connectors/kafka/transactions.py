"""The transactions of one producer, as requests to brokers.

Law: only the latest to open a name writes under it, and what an earlier one left open is over by then. Records are sent
one batch a partition at a time with numbers of their own, so an answer that was lost or late puts none of them there
twice. An error that passes by itself (a leader moved, a replica is away, the last transaction is still being closed) is
waited out up to PATIENCE_SECONDS; any other is a SourceError, after which this is good for nothing.

A broker aborts a transaction that is not over within the time that was asked for when the name was opened, and lets
nobody ask for more than its limit. So what is wanted is asked for, or as much of it as is allowed; and after a
transaction that took longer `wanted_ms` is what the next to open the name should want.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest

from engine.connectors.kafka.client import LEADER_NOT_AVAILABLE, MOVED, NONE, UNKNOWN_TOPIC, Client, Topic, named
from engine.connectors.kafka.outgoing import OutBatch, Packing, Producer
from engine.errors import SourceError

PATIENCE_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = (0.001, 0.5)
"""Between two attempts: the first, and what doubling ends at."""

PRODUCE_MS: Final = 15_000
"""How long a leader may wait for the other replicas."""
ALL_REPLICAS: Final = -1

STEP_MS: Final = 1000
"""How exactly the longest time is found that brokers allow a transaction to take."""
MORE: Final = 4
"""How many times as long a transaction may take after one that took too long."""

LOADING, NO_COORDINATOR, NOT_COORDINATOR, CONCURRENT, NOT_ATTEMPTED = 14, 15, 16, 51, 55
ELSEWHERE: Final = frozenset({NO_COORDINATOR, NOT_COORDINATOR})
CLOSING: Final = ELSEWHERE | {LOADING, CONCURRENT, 7}
"""What a coordinator says that passes by itself."""

NOT_ALLOWED: Final = 29
TOO_LONG: Final = 50
TOO_LARGE: Final = frozenset({10, 18})
DUPLICATE: Final = 46
ABORTED: Final = frozenset({47, 48, 90})
"""What they say of a transaction that was aborted because it took too long, as of one that another writer ended."""
KEY_BYTES_SHOWN: Final = 100
AWAY: Final = MOVED | {7, 13, 19, 20}
"""What a leader says that passes by itself: it moved, timed out, or lacks replicas (min.insync.replicas)."""

MEANINGS: Final = {
    19: "fewer replicas are in sync than the topic's min.insync.replicas",
    20: "fewer replicas are in sync than the topic's min.insync.replicas",
    29: "the connection's user may not write to the topic",
    31: "the connection's user may not write with sequence numbers (IDEMPOTENT_WRITE on the cluster)",
    47: "another writer has taken this sink over",
    49: "the brokers have forgotten this sink's transactions (transactional.id.expiration.ms)",
    50: "the brokers allow no transaction as long as {timeout} s (transaction.max.timeout.ms)",
    53: "the connection's user may not use the transactional id",
    90: "another writer has taken this sink over",
}


class Transactions:
    """One producer. `since` is when the brokers began to owe an answer, `trouble` what they said instead of it."""

    def __init__(self, client: Client, name: str, timeout_ms: int) -> None:
        self._client = client
        self._name = name
        self._timeout_ms = timeout_ms
        self._limited = False  # whether more was wanted than brokers allow
        self._begun: float | None = None  # when the transaction that is open was begun
        self._coordinator: int | None = None
        self._topics: dict[str, Topic] = {}
        self._added: set[tuple[str, int]] = set()
        self._producer = Producer(-1, -1)
        self.since: float | None = None
        self.trouble: str | None = None

    @property
    def wanted_ms(self) -> int:
        """How long a transaction should be allowed to be: longer than this one's, if that took longer."""
        return MORE * self._timeout_ms if self._outlived else self._timeout_ms

    @property
    def _outlived(self) -> bool:
        """Whether the open transaction has taken longer than it may, so that it was or will be aborted."""
        return self._begun is not None and 1000 * (time.monotonic() - self._begun) >= self._timeout_ms

    async def open(self) -> Producer:
        """Be the only one of the name."""

        async def attempt() -> int:
            node = await self._coordinating()
            code = await self._init(node, self._timeout_ms)
            if code == TOO_LONG:  # which is said before all else
                self._timeout_ms, self._limited = await self._longest(node, self._timeout_ms), True
                code = await self._init(node, self._timeout_ms)
            return code

        await self._settled(attempt, CLOSING, "the brokers do not let us write")
        return self._producer

    async def _init(self, node: int, timeout_ms: int) -> int:
        answer = await self._client.ask(node, InitProducerIdRequest(self._name, timeout_ms))
        self._producer = Producer(answer.producer_id, answer.producer_epoch)
        return answer.error_code

    async def _longest(self, node: int, refused_ms: int) -> int:
        """How long a transaction may take at most, which no client is told."""
        allowed_ms = 0
        while refused_ms - allowed_ms > STEP_MS:
            middle = (allowed_ms + refused_ms) // 2
            if await self._init(node, middle) == TOO_LONG:
                refused_ms = middle
            else:
                allowed_ms = middle
        return max(allowed_ms, STEP_MS)

    async def send(self, batches: Sequence[OutBatch], packing: Packing) -> None:
        """Returns when the brokers have them. Batches of one partition arrive in their order."""
        await self._add({batch.place for batch in batches})
        waiting: dict[tuple[str, int], deque[OutBatch]] = {}
        for batch in batches:
            waiting.setdefault(batch.place, deque()).append(batch)

        async def attempt() -> int:
            """One batch of each partition. The code of some that was not taken; NONE: all were."""
            code = NONE
            for batch, found, said in await self._produced([queue[0] for queue in waiting.values()]):
                queue = waiting[batch.place]
                if found in TOO_LARGE and len(batch.rows) > 1:
                    queue.popleft()
                    queue.extendleft(reversed(packing.split(batch)))
                elif found in (NONE, DUPLICATE):
                    queue.popleft()
                    if not queue:
                        del waiting[batch.place]
                elif found in AWAY:
                    code = found
                    self._topics.pop(batch.topic, None)
                else:
                    raise SourceError(f'topic "{batch.topic}" takes no record: {self._refusal(found, batch, said)}')
            return code

        while waiting:
            await self._settled(attempt, AWAY, "the records are not taken")

    async def commit(self) -> None:
        """What was sent since the last one is seen, all of it at once."""

        async def attempt() -> int:
            node = await self._coordinating()
            request = EndTxnRequest(self._name, self._producer.id, self._producer.epoch, True)
            return (await self._client.ask(node, request)).error_code

        await self._settled(attempt, CLOSING, "the brokers do not commit")
        self._added.clear()
        self._begun = None

    async def _add(self, places: Iterable[tuple[str, int]]) -> None:
        """The coordinator hears of a partition before its leader gets records of the transaction."""
        topics: dict[str, list[int]] = {}
        for topic, partition in sorted(set(places) - self._added):
            topics.setdefault(topic, []).append(partition)
        if not topics:
            return

        self._begun = self._begun or time.monotonic()

        async def attempt() -> int:
            node = await self._coordinating()
            request = AddPartitionsToTxnRequest(
                self._name, self._producer.id, self._producer.epoch, [*topics.items()]
            )  # fmt: skip
            answer = await self._client.ask(node, request)
            # One that is wrong keeps the others from being tried: what is wrong comes first.
            codes = [(code, name) for name, partitions in answer.errors for _, code in partitions if code != NONE]
            code, name = min(codes, key=lambda said: said[0] == NOT_ATTEMPTED, default=(NONE, ""))
            if code == NOT_ALLOWED:
                raise SourceError(f'topic "{name}" takes no record: {self._meaning(code)}')
            if code == UNKNOWN_TOPIC:  # which a coordinator may say of a topic that it has not heard of yet
                for topic in topics:
                    await self._client.topic(topic)
            return code

        await self._settled(attempt, CLOSING | {UNKNOWN_TOPIC}, "the transaction cannot begin")
        self._added |= {(topic, partition) for topic, partitions in topics.items() for partition in partitions}

    async def _produced(self, batches: Sequence[OutBatch]) -> list[tuple[OutBatch, int, str | None]]:
        """What became of each: its code, and what the broker has to say of it."""
        by_node: dict[int, list[OutBatch]] = {}
        for topic in {batch.topic for batch in batches} - self._topics.keys():
            self._topics[topic] = await self._client.topic(topic)
        for batch in batches:
            by_node.setdefault(self._topics[batch.topic].leaders.get(batch.partition, -1), []).append(batch)
        absent = [(batch, LEADER_NOT_AVAILABLE, None) for batch in by_node.pop(-1, [])]
        found = await asyncio.gather(*(self._produce(node, part) for node, part in by_node.items()))
        return absent + [each for part in found for each in part]

    async def _produce(self, node: int, batches: Sequence[OutBatch]) -> list[tuple[OutBatch, int, str | None]]:
        topics: dict[str, list[tuple[int, bytes]]] = {}
        for batch in batches:
            topics.setdefault(batch.topic, []).append((batch.partition, batch.data))
        request = ProduceRequest(self._name, ALL_REPLICAS, PRODUCE_MS, [*topics.items()])
        answer = await self._client.ask(node, request)
        codes = {
            (topic, partition): (code, rest[-1] if rest and isinstance(rest[-1], str) else None)
            for topic, partitions in answer.topics
            for partition, code, *rest in partitions
        }
        return [(batch, *codes[batch.place]) for batch in batches]

    async def _coordinating(self) -> int:
        if self._coordinator is None:
            self._coordinator = await self._client.coordinator(self._name)
        return self._coordinator

    async def _settled(self, attempt: Callable[[], Awaitable[int]], passing: frozenset[int], what: str) -> None:
        """Attempt it until no error that passes comes of it. SourceError when one stays, or another came."""
        begun = time.monotonic()
        self.since = self.since or begun
        pause, longest = PAUSE_SECONDS
        while (code := await attempt()) != NONE:
            reason = self._meaning(code)
            if code not in passing or time.monotonic() - begun > PATIENCE_SECONDS:
                raise SourceError(f"{what}: {reason}")
            if code in ELSEWHERE:
                self._coordinator = None
            self.trouble = f"{what}: {reason}"
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
        self.since = self.trouble = None

    def _meaning(self, code: int) -> str:
        if code in ABORTED and self._outlived:
            took = f"the transaction took longer than {self._timeout_ms / 1000:.0f} s"
            limit = ", which is all that the brokers allow (transaction.max.timeout.ms)"
            return took + (limit if self._limited else ", and may take longer the next time")
        return MEANINGS.get(code, named(code)).format(timeout=self._timeout_ms // 1000)

    def _refusal(self, code: int, batch: OutBatch, said: str | None) -> str:
        if code not in TOO_LARGE:
            return (None if code in ABORTED else said) or self._meaning(code)
        row = int(batch.rows[0])
        key = batch.records.keys.get(row)[:KEY_BYTES_SHOWN].decode(errors="backslashreplace")
        whose = f" of key {key}" if batch.records.keys.begins[row] >= 0 else ""
        return f"that{whose} has {len(batch.data)} bytes, more than the topic's max.message.bytes"
