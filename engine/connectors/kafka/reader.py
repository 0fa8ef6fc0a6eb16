"""A topic being read: a fetch is always under way while the last one is decoded.

Law: a block that `poll` gives has every record of its partitions between the offsets before and the offsets with it,
decoded or among the errors. Whoever commits block and offsets together can be killed at any time and goes on without a
record missing or applied twice.

Partitions are asked for at their leaders, all of one broker's in one request. What moves (leaders, new partitions, a
topic made again) is found out by asking for metadata, every `refresh_ms` and whenever a broker says that it must. What
fails is a SourceError: everything is let go of, and the next poll begins with new connections.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Final, NamedTuple

import numpy as np

from engine.catalog.sources import Debezium, KafkaSource
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.connectors.debezium import Seen, TransactionDecoder
from engine.connectors.feed import ERRORS, ROWS_BEGIN, SEEN, Decoded, Progress, Resolve, SourceSpec, Unattended
from engine.connectors.kafka.batches import Records, records_of
from engine.connectors.kafka.client import EARLIEST, LATEST, MOVED, OFFSET_OUT_OF_RANGE, Answer, Client, Topic, named
from engine.connectors.kafka.columns import ERROR_COLUMNS, layout
from engine.connectors.kafka.ends import Ends
from engine.connectors.kafka.envelopes import envelope_of
from engine.connectors.kafka.gathering import Step, Transactions
from engine.connectors.kafka.partitions import (
    OVER,
    READ,
    Partition,
    kept_named,
    kept_offsets,
    kept_seen,
    name_of,
    owner,
    seen_offsets,
)
from engine.connectors.kafka.waits import Waits
from engine.connectors.remembered import SEEN_COLUMNS, Remembered
from engine.errors import SourceError

WAIT_MS: Final = 500
"""How long a broker may keep a request when it has nothing; it answers at once when something comes."""

FETCH_BYTES_MIN: Final = 64 << 10
"""Of one answer, however slow ticks are."""

FETCH_BYTES_BEGIN: Final = 1 << 20
"""The same of the first, when nobody knows what a record takes."""

POLL_SECONDS: Final = 0.05
"""How long a poll waits for an answer: what dropping a source has to wait for."""

TELL_SECONDS: Final = 1.0
"""Between two commits to the group of consumers."""

LEADERLESS_SECONDS: Final = 0.5
"""Between two looks for a leader that a partition has lost."""


class _Transactions(NamedTuple):
    """What a source has whose changes come by transactions of the upstream."""

    ends: Ends
    gate: Transactions
    which: TransactionDecoder


class KafkaReader(Unattended):
    """Reader of one topic; see feed.Reader for the protocol."""

    idle_seconds: float = 0.0
    retry_seconds: float = 1.0
    finished: bool = False

    def __init__(
        self,
        spec: SourceSpec,
        description: KafkaSource,
        heap: Heap,
        offsets: Mapping[str, int],
        kept: Mapping[int, Batch],
        resolve: Resolve,
        transaction_bytes_max: int,
    ) -> None:
        self._spec = spec
        self._description = description
        self._kept_offsets = dict(offsets)
        self._rows_id, self._errors_id = spec.collection(""), spec.collection(ERRORS)
        self._client = Client(description.connection, resolve, description.client_id)
        self._loop = asyncio.new_event_loop()
        self._lock = Lock()  # of the envelope's state, between polls and sweeps
        self._seen = Seen()
        self._seen_id = next((id for id, feed in spec.feeds if feed.name == SEEN), None)
        self._remembered: Remembered | None = None
        if self._seen_id is not None:
            assert isinstance(description.envelope, Debezium)
            self._remembered = Remembered(description.envelope.between, heap)
            self._remembered.restore(kept.get(self._seen_id, Batch.empty(len(SEEN_COLUMNS))))
        made = layout(description, spec.declared)
        self._envelope = envelope_of(description, made, heap, resolve, self._seen, self._remembered, offsets)
        empty = Batch.empty(len(made.columns)), Batch.empty(len(ERROR_COLUMNS))
        self._envelope.restore(kept.get(self._rows_id, empty[0]), kept.get(self._errors_id, empty[1]))
        self._transactions: _Transactions | None = None
        self._waits: Waits | None = None
        if isinstance(description.envelope, Debezium) and description.envelope.transactions is not None:
            topic = description.envelope.transactions
            self._waits = Waits(topic)
            self._transactions = _Transactions(
                Ends(topic, heap, resolve, description.client_id, offsets),
                Transactions(topic.collection, offsets, transaction_bytes_max),
                TransactionDecoder(description.value_format, heap, resolve),
            )
        self._topic: Topic | None = None
        self._topic_id = ""
        self._partitions: dict[int, Partition] = {}
        self._resumed: dict[int, int] = {}  # by partition, where another process would go on after the last block
        self._read: dict[int, int] = {}  # by partition, how far another process was: what failed before that is known
        self._fetching: dict[int, asyncio.Task[Answer]] = {}  # by broker
        self._first: dict[int, int] = {}  # by broker, the partition that the last request began with
        self._measured_at = time.monotonic()
        self._measured: dict[int, int] = {}  # by partition, the records of then
        self._untold: SourceError | None = None  # why the group was not told the last time
        self._to_tell: dict[int, int] = {}  # by partition, what the group of consumers has not been told
        self._tell_at = 0.0
        self._rows_wanted = ROWS_BEGIN
        self._row_bytes = 0.0  # of the last fetch: records as they are sent
        self._fetched: Records | None = None  # what was fetched and is to be decoded next, in pieces that ticks take
        self._refresh_at = 0.0
        self._started = False
        self._polling: asyncio.Task[Decoded | None] | None = None

    @property
    def upto(self) -> int:
        """What upstream transactions before that did has been given out, where they come together; else 0."""
        return 0 if self._transactions is None else self._transactions.gate.upto

    @property
    def complaint(self) -> SourceError | None:
        """What is wrong though reading goes on: others wait for a transaction, or a group cannot be told."""
        return (None if self._waits is None else self._waits.complaint()) or self._untold

    def poll(self) -> Decoded | None:
        self._polling = self._loop.create_task(self._poll())
        try:
            return self._loop.run_until_complete(self._polling)
        except asyncio.CancelledError:
            return None
        except SourceError:
            self._loop.run_until_complete(self._let_go())
            raise

    def committed(self, offsets: Mapping[str, int]) -> None:
        self._to_tell |= kept_offsets(offsets, self._topic_id)

    def pace(self, rows: int) -> None:
        self._rows_wanted = rows

    def interrupt(self) -> None:
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(lambda: self._polling and self._polling.cancel())

    def progress(self) -> Mapping[str, Progress]:
        return {name_of(each.number, self._topic_id): each.progress for each in tuple(self._partitions.values())}

    def mark(self, marks: Marks) -> None:
        with self._lock:
            self._envelope.mark(marks)

    def close(self) -> None:
        self._loop.run_until_complete(self._let_go())
        self._loop.close()

    def _measure(self) -> None:
        """The rates of the last second, once a second."""
        now = time.monotonic()
        seconds = now - self._measured_at
        if seconds < 1:
            return
        self._measured_at = now
        for each in self._partitions.values():
            before = self._measured.get(each.number, 0)
            each.progress.records_per_second = (each.progress.records - before) / seconds
            self._measured[each.number] = each.progress.records

    async def _poll(self) -> Decoded | None:
        self._measure()
        if self._topic is None or time.monotonic() >= self._refresh_at:
            begun = await self._refresh()
            if begun is not None:
                return begun
        if self._description.group_prefix is not None and time.monotonic() >= self._tell_at:
            await self._tell(self._description.group_prefix)
        if self._transactions is not None:
            settled = await self._settled(self._transactions)
            if settled is not None:
                return settled
        self._ask()
        if self._fetched is not None:
            return await self._piece(self._fetched)
        if not self._fetching:
            await asyncio.sleep(POLL_SECONDS)
            return None
        done, _ = await asyncio.wait(self._fetching.values(), timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        answers: list[Answer] = []
        for node in [node for node, task in self._fetching.items() if task in done]:
            answers.append(self._fetching.pop(node).result())
        if not answers:
            return None
        for answer in answers:
            self._check(answer)
        parts = [part for answer in answers for part in answer.parts if part.partition in self._partitions]
        for part in parts:
            self._partitions[part.partition].progress.known = part.high_watermark
        parts = [part for part in parts if part.data]
        if not parts:
            return None
        records = records_of(parts)
        for number, at in records.next.items():
            self._partitions[number].next = at
        if len(records):
            self._row_bytes = sum(len(part.data) for part in parts) / len(records)
        self._ask()
        return await self._piece(records)

    async def _piece(self, records: Records) -> Decoded:
        """The block of the first records, no more than a tick takes."""
        self._fetched = None
        if len(records) > self._rows_wanted:
            records, self._fetched = records.cut(self._rows_wanted)
        await asyncio.sleep(0)  # the requests leave before the decoding begins
        free = records if self._transactions is None else self._held(self._transactions, records)
        return self._decoded(free, records)

    def _counted(self, records: Records) -> None:
        for number, at in records.next.items():
            progress = self._partitions[number].progress
            mine = int((records.partitions == number).sum())
            progress.position = at
            progress.records += mine
            progress.bytes += int(self._row_bytes * mine)

    async def _tell(self, prefix: str) -> None:
        """Tell the group how far the source is, once a second. Reading goes on when it cannot be told."""
        self._tell_at = time.monotonic() + TELL_SECONDS
        told, self._to_tell = self._to_tell, {}
        if not told:
            return
        group = f"{prefix}materialize-{self._spec.id}-{self._description.topic}"
        try:
            await self._client.commit(group, self._description.topic, told)
            self._untold = None
        except SourceError as error:
            self._to_tell = told | self._to_tell
            self._untold = error

    async def _settled(self, transactions: "_Transactions") -> Decoded | None:
        """The block of the next transactions, if they are whole."""
        gate = transactions.gate
        gate.hear(*await transactions.ends.look())
        step = gate.step()
        if self._waits is not None:
            self._waits.look(gate.awaited if step is None else None)
        return None if step is None else self._decoded(step.records, Records.together([]), step)

    def _held(self, transactions: "_Transactions", records: Records) -> Records:
        """The records of no transaction that no process has read; the others wait for the end of theirs."""
        with self._lock:
            given = np.flatnonzero(records.values.begins >= 0)
            ids, orders = transactions.which.decode(records.values.take(given))
        transactions.gate.hold(records.take(given), ids, orders)
        free = np.ones(len(records), np.bool_)
        free[given] = [id is None for id in ids]
        read = [self._read.get(number, 0) for number in records.partitions.tolist()]
        return records.take(np.flatnonzero(free & (records.offsets >= np.array(read, np.int64))))

    def _decoded(self, records: Records, read: Records, step: Step | None = None) -> Decoded:
        """The block of some records. `read` were read just then: the same, where none waits."""
        with self._lock:
            changes = self._envelope.apply(records)
            held, kept = self._envelope.held(), self._envelope.kept()
        self._counted(read)
        if self._transactions is not None:
            gate = self._transactions.gate
            if step is not None:
                gate.give(step)
            held, kept = gate.held(), gate.kept(self._transactions.ends.topic_id)
        for number, refused in changes.refused.items():
            self._partitions[number].progress.errors += refused
        deltas = {self._rows_id: changes.rows, self._errors_id: self._unknown(changes.errors)}
        if self._seen_id is not None and changes.seen is not None:
            deltas[self._seen_id] = changes.seen
        deltas = {id: batch for id, batch in deltas.items() if len(batch)}
        offsets = self._moved(held) | dict(kept)
        for number in read.next if self._transactions is None else self._partitions:
            offsets |= seen_offsets(number, self._seen.written(number), self._topic_id)
        if self._remembered is not None:
            offsets |= {f"{OVER}/{name_of(number, self._topic_id)}": 1 for number in self._remembered.over}
        return Decoded(
            deltas, sum(len(batch) for batch in deltas.values()), offsets, upto=None if step is None else step.upto
        )

    def _moved(self, held: Mapping[int, int]) -> dict[str, int]:
        """Where another process would go on, of the partitions where that was elsewhere before, and how far they were
        read where that is behind it."""
        moved: dict[str, int] = {}
        for each in self._partitions.values():
            name, end = name_of(each.number, self._topic_id), each.progress.position
            at = min(end, held.get(each.number, end))
            if self._resumed.get(each.number) != at:
                moved[name] = self._resumed[each.number] = at
            if at < end:
                moved[f"{READ}/{name}"] = end
        return moved

    def _unknown(self, errors: Batch) -> Batch:
        """Without those of records that another process has read."""
        if not self._read or not len(errors) or self._transactions is not None:
            return errors
        partitions, offsets = (errors.vector(i).words.view(np.int64) for i in range(2))
        read = np.array([self._read.get(number, 0) for number in partitions.tolist()], np.int64)
        return errors.take(np.flatnonzero(offsets >= read))

    def _ask(self) -> None:
        """Have a request under way at each broker that leads a partition of ours."""
        if self._transactions is not None and self._transactions.gate.ahead:
            return
        wanted: dict[int, list[tuple[int, int]]] = {}
        for each in self._partitions.values():
            if each.leader >= 0 and each.leader not in self._fetching:
                wanted.setdefault(each.leader, []).append((each.number, each.next))
            elif each.leader < 0:
                self._refresh_at = min(self._refresh_at, time.monotonic() + LEADERLESS_SECONDS)
        description = self._description
        wanted_bytes = max(FETCH_BYTES_MIN, int(self._rows_wanted * self._row_bytes))
        bytes_max = min(description.fetch_bytes_max, wanted_bytes if self._row_bytes else FETCH_BYTES_BEGIN)
        for node, partitions in wanted.items():
            # A broker fills an answer in the order of the request: another partition is first each time.
            first = next((at for at, (number, _) in enumerate(partitions) if number > self._first.get(node, -1)), 0)
            partitions = partitions[first:] + partitions[:first]
            self._first[node] = partitions[0][0]
            self._fetching[node] = self._loop.create_task(
                self._client.fetch(
                    node,
                    description.topic,
                    partitions,
                    description.read_committed,
                    bytes_max,
                    WAIT_MS,
                )
            )

    def _check(self, answer: Answer) -> None:
        """Look again at what moved; SourceError for what is gone."""
        for number, code in answer.errors.items():
            if code in MOVED:
                self._refresh_at = 0.0
            elif code == OFFSET_OUT_OF_RANGE:
                each = self._partitions[number]
                raise SourceError(
                    f'partition {number} of topic "{self._description.topic}" no longer has offset {each.next}',
                    detail="The broker deleted records before they were read, or lost some that it had.",
                    hint="Drop the source and create it again to begin at what is there.",
                )
            else:
                raise SourceError(
                    f'partition {number} of topic "{self._description.topic}" cannot be read: {named(code)}'
                )

    async def _refresh(self) -> Decoded | None:
        """Ask for metadata: leaders, new partitions, another topic of the name. The first time, and whenever there is
        something new, the block is the offsets where reading begins."""
        description = self._description
        topic = await self._client.topic(description.topic)
        self._refresh_at = time.monotonic() + max(description.refresh_ms, 100) / 1000
        if topic.id != self._topic_id:
            self._fetched = None
            self._partitions.clear()
            self._resumed.clear()
            with self._lock:
                self._envelope.forget()
            if self._transactions is not None:
                self._transactions.gate.forget()
            for task in self._fetching.values():
                task.cancel()
            self._fetching.clear()
            self._seen.restart(kept_seen(self._kept_offsets, topic.id))
            if self._remembered is not None:
                self._remembered.restart(topic.id, kept_named(OVER, self._kept_offsets, topic.id))
            self._read = kept_named(READ, self._kept_offsets, topic.id)
        again = self._started and topic.id != self._topic_id
        self._topic, self._topic_id = topic, topic.id
        for number, leader in topic.leaders.items():
            if number in self._partitions:
                self._partitions[number].leader = leader
        mine = [n for n in topic.leaders if owner(self._spec.id, n, 1) == 0]
        new = [number for number in mine if number not in self._partitions]
        if not new:
            return None
        kept = kept_offsets(self._kept_offsets, topic.id)
        unknown = [number for number in new if number not in kept]
        begins = await self._begins(topic, unknown, later=again) if unknown else {}
        for number in new:
            at = kept[number] if number in kept else begins[number]
            self._partitions[number] = Partition(number, topic.leaders[number], at)
        self._started = True
        self._kept_offsets |= {name_of(number, topic.id): at for number, at in begins.items()}
        if not begins:
            return None
        return Decoded({}, 0, {name_of(number, topic.id): at for number, at in begins.items()})

    async def _begins(self, topic: Topic, numbers: list[int], later: bool) -> dict[int, int]:
        """Where to begin with partitions that were never read. `later`: the topic was made anew: at its beginning."""
        description = self._description
        low = await self._client.offsets(description.topic, topic, dict.fromkeys(numbers, EARLIEST))
        if later:
            return low
        if description.start_ms is not None and not any(
            name.partition("@")[2] == topic.id for name in self._kept_offsets
        ):
            times = dict.fromkeys(numbers, description.start_ms)
            found = await self._client.offsets(description.topic, topic, times)
            if any(at < 0 for at in found.values()):
                ends = await self._client.offsets(description.topic, topic, dict.fromkeys(numbers, LATEST))
                found = {number: ends[number] if at < 0 else at for number, at in found.items()}
            return found
        given = dict(enumerate(description.start_offsets))
        return {number: max(low[number], given.get(number, 0)) for number in numbers}

    async def _let_go(self) -> None:
        self._fetched = None
        tasks = list(self._fetching.values())
        self._fetching.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._transactions is not None:
            await self._transactions.ends.close()
        await self._client.close()
        self._topic = None
        for each in self._partitions.values():
            each.next = each.progress.position
