"""NEXMARK: persons, auctions and bids (nexmark.py), BATCH SIZE events a tick."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from engine.catalog.sources import GeneratorSource
from engine.connectors import nexmark
from engine.connectors.generated import Change, Clock, Table, Ticks, inserted

MAKERS: Final[Mapping[str, Callable[[Ticks], pa.Table]]] = {
    "person": nexmark.person, "auction": nexmark.auction, "bid": nexmark.bid,
}  # fmt: skip


class Nexmark:
    """See generated.Generator."""

    def __init__(self, description: GeneratorSource, clock: Clock) -> None:
        self.rows_per_tick = description.batch_size
        keys = {"person": ((0,),), "auction": ((0,),)}
        self.tables = {name: Table(of, True, keys.get(name, ())) for name, of in nexmark.TABLES.items()}

    def begin(self) -> Iterator[Mapping[str, pa.Table]]:
        """Nothing."""
        return iter(())

    def ticks(self, begin: int, end: int) -> Mapping[str, Change]:
        """The next events."""
        batch = self.rows_per_tick
        changes: dict[str, Change] = {}
        for name, make in MAKERS.items():
            first, last = (nexmark.count(name, at * batch) if at else 0 for at in (begin, end))
            if first < last:
                changes[name] = inserted(make(np.arange(first, last)))
        return changes
