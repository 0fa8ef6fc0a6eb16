"""A few records of a topic, for whoever wants to see what is in it."""

import asyncio
from typing import Final

from engine.catalog.sources import KafkaSource
from engine.connectors.feed import Resolve
from engine.connectors.kafka.batches import Fetched, records_of
from engine.connectors.kafka.client import EARLIEST, Client

BYTES_MAX: Final = 1 << 20
RECORDS_MAX: Final = 1_000


def sample(description: KafkaSource, resolve: Resolve) -> list[bytes]:
    """The values of the first records of each partition. SourceError when they cannot be read."""

    async def read() -> list[Fetched]:
        client = Client(description.connection, resolve, description.client_id)
        try:
            topic = await client.topic(description.topic)
            begins = await client.offsets(description.topic, topic, dict.fromkeys(topic.leaders, EARLIEST))
            parts: list[Fetched] = []
            for partition, at in begins.items():
                node, wanted = topic.leaders[partition], [(partition, at)]
                answer = await client.fetch(
                    node, description.topic, wanted, description.read_committed, BYTES_MAX, wait_ms=0
                )
                parts += [part for part in answer.parts if part.data]
            return parts
        finally:
            await client.close()

    values = records_of(asyncio.run(read())).values
    return [values.get(row) for row in range(min(len(values), RECORDS_MAX)) if values.begins[row] >= 0]
