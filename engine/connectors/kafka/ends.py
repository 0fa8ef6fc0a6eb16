"""The topic in which Debezium says where transactions begin and end: read ahead of the records that wait for it.

It has one partition, or there would be no order of transactions. What is no statement stalls the source: without it
nobody can know what is whole.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from engine.catalog.sources import AvroFormat, TransactionTopic
from engine.collection.heap import Heap
from engine.collection.words import decode_column
from engine.connectors.feed import Resolve
from engine.connectors.formats import columns_of, decoder_of
from engine.connectors.kafka.batches import Records, records_of
from engine.connectors.kafka.client import EARLIEST, MOVED, OFFSET_OUT_OF_RANGE, Answer, Client, named
from engine.connectors.kafka.gathering import UPTO, End
from engine.errors import SourceError

BYTES_MAX: Final = 1 << 20
WAIT_MS: Final = 500
NEEDED: Final = ("status", "id", "data_collections")


class Ends:
    """ENDs from where another process was. All of it in the reader's loop."""

    def __init__(
        self, topic: TransactionTopic, heap: Heap, resolve: Resolve, client_id: str, kept: Mapping[str, int]
    ) -> None:
        self._topic = topic
        self._heap = heap
        self._resolve = resolve
        self._client = Client(topic.connection, resolve, client_id)
        self._kept = {name.partition("@")[2]: at for name, at in kept.items() if name.startswith(f"{UPTO}@")}
        self.topic_id = ""
        self._leader = -1
        self._at = 0
        self._asking: asyncio.Task[Answer] | None = None
        self._columns = columns_of(topic.format, None, "data") if isinstance(topic.format, AvroFormat) else ()
        self._decoder = decoder_of(topic.format, self._columns, heap, resolve) if self._columns else None

    async def look(self) -> tuple[Sequence[End], int]:
        """(ENDs that came, up to where the topic is read). Does not wait for any."""
        if self._leader < 0:
            await self._begin()
        if self._asking is None:
            wanted = [(0, self._at)]
            self._asking = asyncio.get_running_loop().create_task(
                self._client.fetch(self._leader, self._topic.topic, wanted, True, BYTES_MAX, WAIT_MS)
            )
        if not self._asking.done():
            await asyncio.sleep(0)
            return (), self._at
        answer, self._asking = self._asking.result(), None
        for code in answer.errors.values():
            if code not in MOVED:
                said = "no longer has what was not read" if code == OFFSET_OUT_OF_RANGE else named(code)
                raise SourceError(f'topic "{self._topic.topic}" of transactions cannot be read: {said}')
            self._leader = -1
        records = records_of([part for part in answer.parts if part.data])
        ends = self._ends(records)
        self._at = records.next.get(0, self._at)
        return ends, self._at

    async def close(self) -> None:
        """Let go of connections; it goes on from where it is."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        self._leader = -1
        await self._client.close()

    async def _begin(self) -> None:
        name = self._topic.topic
        topic = await self._client.topic(name)
        if len(topic.leaders) != 1:
            raise SourceError(f'topic "{name}" of transactions has {len(topic.leaders)} partitions: there is no order')
        if topic.leaders[0] < 0:
            raise SourceError(f'topic "{name}" of transactions has no leader')
        if (self.topic_id or next(iter(self._kept), topic.id)) != topic.id:
            raise SourceError(
                f'topic "{name}" of transactions is another one than before', hint="Drop the source and make it again."
            )
        if not self.topic_id:
            low = (await self._client.offsets(name, topic, {0: EARLIEST}))[0]
            self._at = self._kept.get(topic.id, low)
        self.topic_id, self._leader = topic.id, topic.leaders[0]

    def _ends(self, records: Records) -> list[End]:
        said = self._from_avro(records) if self._decoder is not None else self._from_json(records)
        found: list[End] = []
        for offset, (status, id, collections) in zip(records.offsets.tolist(), said, strict=True):
            if status == "END":
                counts = [count for name, count in collections or () if name == self._topic.collection]
                found.append(End(offset, id, sum(counts)))
        return found

    def _from_json(self, records: Records) -> list[tuple[str, str, Any]]:
        said: list[tuple[str, str, Any]] = []
        for row, offset in enumerate(records.offsets.tolist()):
            try:
                document = orjson.loads(records.values.get(row))
                document = document.get("payload") or document
                listed = document.get("data_collections") or ()
                collections = [(each["data_collection"], int(each["event_count"])) for each in listed]
                said.append((document["status"], str(document["id"]), collections))
            except (ValueError, KeyError, TypeError, AttributeError):
                self._refuse(offset)
        return said

    def _from_avro(self, records: Records) -> list[tuple[str, str, Any]]:
        assert self._decoder is not None
        decoded = self._decoder.decode(records.values)
        for row in decoded.failed:
            self._refuse(int(records.offsets[row]))
        names = [column.name for column in self._columns]
        at = [names.index(name) for name in NEEDED]
        columns = [decode_column(decoded.columns[i], self._columns[i].type, self._heap) for i in at]
        return list(zip(*columns, strict=True))  # pyright: ignore[reportReturnType] - the binder looked at their types

    def _refuse(self, offset: int) -> None:
        raise SourceError(
            f'record {offset} of topic "{self._topic.topic}" does not say that a transaction begins or ends',
            hint="Drop the source, or make the topic again.",
        )
