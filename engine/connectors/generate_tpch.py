"""TPCH: the eight tables of TPC-H at a scale; then each tick takes one order away with its lines, and places another.

Orders take turns: tick n replaces order n mod their number, by its next generation (tpch.py).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from engine.catalog.sources import GeneratorSource
from engine.connectors import tpch
from engine.connectors.generated import Change, Clock, Table

ORDERS_AT_ONCE: Final = 10_000
ROWS_AT_ONCE: Final = 50_000


class Tpch:
    """See generated.Generator."""

    rows_per_tick = 10

    def __init__(self, description: GeneratorSource, clock: Clock) -> None:
        self._scale = tpch.Scale(description.scale_factor)
        changing = ("orders", "lineitem")
        self.tables = {name: Table(of, name not in changing, (tpch.KEYS[name],)) for name, of in tpch.TABLES.items()}

    def begin(self) -> Iterator[Mapping[str, pa.Table]]:
        """All tables; an order and its lines are in the same block."""
        for name, (make, keys) in tpch.STATIC.items():
            first, end = keys(self._scale)
            for begin in range(first, end, ROWS_AT_ONCE):
                yield {name: make(np.arange(begin, min(begin + ROWS_AT_ONCE, end)), self._scale)}
        for begin in range(0, self._scale.orders, ORDERS_AT_ONCE):
            keys = tpch.order_key(np.arange(begin, min(begin + ORDERS_AT_ONCE, self._scale.orders)))
            yield {"orders": tpch.orders(keys, self._scale), "lineitem": tpch.lineitem(keys, self._scale)}

    def ticks(self, begin: int, end: int) -> Mapping[str, Change]:
        """Orders replaced."""
        generation, index = np.divmod(np.arange(begin, end), self._scale.orders)
        keys = tpch.order_key(index)
        changes: dict[str, Change] = {}
        for name, make in (("orders", tpch.orders), ("lineitem", tpch.lineitem)):
            old, new = make(keys, self._scale, generation), make(keys, self._scale, generation + 1)
            rows = pa.concat_tables([old.unify_dictionaries(), new.unify_dictionaries()])
            changes[name] = rows, np.repeat(np.array([-1, 1], np.int64), [len(old), len(new)])
        return changes
