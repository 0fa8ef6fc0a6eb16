"""The shop's events into Kafka, for ever, or so many of them: python -m examples.shop.producer [--events N].

Every event is a function of its number, and every partition has its events in their order, so a run goes on where the
one before ended, however that did: nothing is missing and nothing comes twice. Of ten events six are clicks, three
orders, and one changes a customer, told as Debezium tells it: the row before and the row after.
"""

import argparse
import asyncio
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, Final
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

CUSTOMERS: Final = 200
CITIES: Final = ("Basel", "Bern", "Chur", "Genève", "Lugano", "Luzern", "St. Gallen", "Zürich")
ITEMS: Final = {
    "apron": 29,
    "bread knife": 45,
    "colander": 18,
    "dutch oven": 189,
    "espresso pot": 39,
    "french press": 49,
}
TOPICS: Final = ("customers", "orders", "clicks")
PARTITIONS: Final = 3
PAGES: Final = ("home", "search", "item", "basket", "checkout")
CLICKS, ORDERS = 6, 9
"""Of ten events those below the first are clicks, below the second orders."""
SEED: Final = 8


def customer(id: int, moves: int) -> dict[str, Any]:
    """A customer who has moved so often."""
    dice = Random(f"{SEED} customer {id} {moves}")
    return {
        "id": id,
        "name": f"customer {id}",
        "city": dice.choice(CITIES),
        "level": ["new", "silver", "gold"][min(moves, 2)],
    }


def events(begin: int = 0) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """(topic, key, value) from event `begin` on; first, from 0, every customer as created."""
    moves = [0] * CUSTOMERS
    if begin == 0:
        for id in range(CUSTOMERS):
            yield "customers", b"%d" % id, {"before": None, "after": customer(id, 0), "op": "c", "ts_ms": 0}
    number = begin
    while True:
        dice = Random(f"{SEED} event {number}")
        who, kind = dice.randrange(CUSTOMERS), number % 10
        at = int(time.time() * 1000)
        if kind < CLICKS:
            yield "clicks", b"%d" % who, {"id": number, "customer": who, "page": dice.choice(PAGES), "at": at}
        elif kind < ORDERS:
            item = dice.choice(list(ITEMS))
            quantity = dice.randint(1, 4)
            order = {"id": number, "customer": who, "item": item, "quantity": quantity, "price": ITEMS[item], "at": at}
            yield "orders", b"%d" % number, order
        else:
            before = customer(who, moves[who])
            moves[who] += 1
            yield (
                "customers",
                b"%d" % who,
                {"before": before, "after": customer(who, moves[who]), "op": "u", "ts_ms": at},
            )
        number += 1


async def create_topics(broker: str) -> None:
    """The topics, unless they are there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        missing = [topic for topic in TOPICS if topic not in await admin.list_topics()]
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in missing])
    finally:
        await admin.close()


async def written(broker: str) -> Counter[tuple[str, int]]:
    """How many records each partition has: the first so many of its events, for they come in their order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker)
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for topic in TOPICS for partition in range(PARTITIONS)]
        return Counter({tuple(place): end for place, end in (await consumer.end_offsets(places)).items()})
    finally:
        await consumer.stop()


async def produce(broker: str, rate: float, count: int | None) -> None:
    """Send `count` events (None: without end), `rate` a second, from the first on that is not there yet."""
    await create_topics(broker)
    there = await written(broker)
    producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=5, enable_idempotence=True)
    await producer.start()
    try:
        start, sent = time.monotonic(), 0
        for number, (topic, key, value) in enumerate(events()):
            partition = crc32(key) % PARTITIONS
            if there[topic, partition]:
                there[topic, partition] -= 1
                if number % 1000 == 0:
                    await asyncio.sleep(0)
                continue
            if sent == count:
                break
            await producer.send(topic, json.dumps(value).encode(), key=key, partition=partition)
            sent += 1
            ahead = (sent - CUSTOMERS) / rate - (time.monotonic() - start)
            if ahead > 0:
                await asyncio.sleep(ahead)
    finally:
        await producer.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", default=os.environ.get("BROKER", "127.0.0.1:9092"))
    parser.add_argument("--rate", type=float, default=float(os.environ.get("RATE", "200")), help="events a second")
    parser.add_argument("--events", type=int, default=None, help="so many, then end")
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a topic that is new has no leader for a moment
    asyncio.run(produce(options.broker, options.rate, options.events))


if __name__ == "__main__":
    main()
