"""The writer of the demo: appends orders to a newline-delimited JSON file, as another program would."""

import json
import random
import threading
from pathlib import Path
from time import time
from typing import Final, Self

BATCHES_PER_SECOND: Final = 10
ORDERS_PER_BATCH: Final = 20
"""200 orders a second: enough that the eye sees tables move, few enough that it can follow."""


class Feed:
    """A thread that appends to a copy of `seed` at `path` while the context lasts."""

    def __init__(self, seed: Path, path: Path) -> None:
        self._path = path
        lines = seed.read_text()
        self._path.write_text(lines)
        self._orders = [json.loads(line) for line in lines.splitlines()]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, name="feed")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        chance = random.Random(1)
        at = len(self._orders)
        with self._path.open("a") as out:
            while not self._ended.wait(1 / BATCHES_PER_SECOND):
                placed = int(time() * 1000)
                for _ in range(ORDERS_PER_BATCH):
                    at += 1
                    out.write(json.dumps(self._order(chance, at, placed)) + "\n")
                out.flush()

    def _order(self, chance: random.Random, at: int, placed: int) -> dict[str, object]:
        """One of the seed's orders, placed anew. Prices rise slowly, or the largest orders would all be old ones."""
        seed = chance.choice(self._orders)
        price = round(seed["price"] * chance.uniform(0.9, 1.1) * (1 + at / 20_000), 2)
        return seed | {"id": at, "quantity": chance.randint(1, 12), "price": price, "placed": placed}
