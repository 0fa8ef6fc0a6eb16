"""COUNTER: 1, 2, 3, ...; of them the last MAX CARDINALITY."""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from engine.catalog.sources import GeneratorSource
from engine.connectors.generated import Change, Clock, Table, columns, window


class Counter:
    """See generated.Generator."""

    rows_per_tick = 1

    def __init__(self, description: GeneratorSource, clock: Clock) -> None:
        self._live = description.max_cardinality
        self.tables = {"": Table(columns("counter:bigint"), self._live is None, ((0,),))}

    def begin(self) -> Iterator[Mapping[str, pa.Table]]:
        """Nothing."""
        return iter(())

    def ticks(self, begin: int, end: int) -> Mapping[str, Change]:
        """A number a tick."""
        ticks, diffs = window(begin, end, self._live)
        return {"": (self.tables[""].of(ticks + 1), diffs)}
