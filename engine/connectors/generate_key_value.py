"""KEY VALUE: values that are replaced, for benchmarks of upserts and large states.

Every key has a value from the beginning, SNAPSHOT ROUNDS times over; then each tick brings BATCH SIZE updates. Update u
is of key (a u + c) mod KEYS with a prime to KEYS, so all keys take turns in an order that looks random, and the value
that an update replaces is that of update u - KEYS: nothing needs to be kept.
"""

from collections.abc import Iterator, Mapping
from math import gcd
from typing import Final

import numpy as np
import pyarrow as pa

from engine.catalog.sources import GeneratorSource
from engine.connectors.dice import draw
from engine.connectors.generated import Change, Clock, Table, Ticks, columns, inserted

ROWS_AT_ONCE: Final = 1 << 16
STRIDE: Final = 0.6180339887
"""Golden section: neighbours in time are far apart in the keys."""


class KeyValue:
    """See generated.Generator. Columns key, partition, value; the offset is how many updates its partition had."""

    def __init__(self, description: GeneratorSource, clock: Clock) -> None:
        self._of = description
        self._keys = description.keys
        step = max(1, int(self._keys * STRIDE))
        while gcd(step, self._keys) != 1:
            step += 1
        self._step = step
        self.rows_per_tick = description.batch_size
        self.tables = {
            "": Table(
                columns("key:bigint partition:bigint offset:bigint value:bytea"), not description.upsert,
                ((0,),) if description.upsert else ((1, 2),),
            )
        }  # fmt: skip

    def begin(self) -> Iterator[Mapping[str, pa.Table]]:
        """All keys; without the envelope UPSERT, as often as there are rounds."""
        updates = self._keys * self._of.snapshot_rounds
        for first in range(updates - self._keys if self._of.upsert else 0, updates, ROWS_AT_ONCE):
            yield {"": self._rows(np.arange(first, min(first + ROWS_AT_ONCE, updates)))}

    def ticks(self, begin: int, end: int) -> Mapping[str, Change]:
        """The next updates, and with the envelope UPSERT those that they replace."""
        ahead, batch = self._keys * self._of.snapshot_rounds, self._of.batch_size
        updates = np.arange(ahead + begin * batch, ahead + end * batch)
        if not self._of.upsert:
            return {"": inserted(self._rows(updates))}
        both = np.concatenate([updates, updates - self._keys])
        return {"": (self._rows(both), np.repeat(np.array([1, -1], np.int64), len(updates)))}

    def _rows(self, updates: Ticks) -> pa.Table:
        key = updates % self._keys * self._step % self._keys
        partition = key % self._of.partitions
        # A partition has every key that is congruent to it; a round brings each of them once.
        size = (self._keys - 1 - partition) // self._of.partitions + 1
        rank = key // self._of.partitions
        offset = updates // self._keys * size + rank
        return self.tables[""].of(key, partition, offset, self._values(updates))

    def _values(self, updates: Ticks) -> pa.Array:
        """VALUE SIZE bytes each."""
        size, words = self._of.value_size, -(-self._of.value_size // 8)
        seed = updates * words + self._of.seed
        drawn = np.stack([draw(seed + i, 600, 1 << 62) for i in range(words)], axis=1)
        data = np.ascontiguousarray(drawn.view(np.uint8).reshape(len(updates), -1)[:, :size])
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(updates), [None, pa.py_buffer(data)]).cast(
            pa.binary()
        )
