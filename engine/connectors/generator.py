"""The reader of load generators: which ticks are due, and their rows as batches. The generators are generate_*.py."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from engine import types
from engine.catalog.sources import GeneratorSource
from engine.collection.arrow import from_arrow
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.vector import Vector
from engine.connectors.feed import PROGRESS, ROWS_BEGIN, Decoded, Feed, Progress, SourceSpec, Unattended
from engine.connectors.generate_auction import Auction
from engine.connectors.generate_counter import Counter
from engine.connectors.generate_key_value import KeyValue
from engine.connectors.generate_marketing import Marketing
from engine.connectors.generate_nexmark import Nexmark
from engine.connectors.generate_tpch import Tpch
from engine.connectors.generated import Clock, Generator
from engine.errors import InvalidParameter, SourceError
from engine.types import Column

BLOCK_ROWS: Final = 50_000
"""About how many rows are in one block; a generator that is behind makes several blocks."""

KINDS: Final[Mapping[str, Callable[[GeneratorSource, Clock], Generator]]] = {
    "counter": Counter, "auction": Auction, "marketing": Marketing, "tpch": Tpch, "key value": KeyValue,
    "nexmark": Nexmark,
}  # fmt: skip

TICK: Final = "tick"
"""Among the offsets: how many ticks there were."""

PROGRESS_COLUMNS: Final = (Column("offset", types.BIGINT, nullable=False),)
"""How many ticks there were."""


def generator_of(description: GeneratorSource, clock: Clock) -> Generator:
    """InvalidParameter for a kind that there is not."""
    if description.kind not in KINDS:
        raise InvalidParameter(
            f'unknown load generator "{description.kind}"', hint=f"There are {', '.join(KINDS).upper()}."
        )
    return KINDS[description.kind](description, clock)


def describe(description: GeneratorSource) -> tuple[Feed, ...]:
    """The feeds of a generator, its progress the last; InvalidParameter for a kind that there is not."""
    tables = generator_of(description, Clock(0, description.tick_ms)).tables
    feeds = [Feed(name, table.columns, table.grows, table.keys) for name, table in tables.items()]
    return (*feeds, Feed(PROGRESS, PROGRESS_COLUMNS, append_only=False, keys=((),)))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class GeneratorReader(Unattended):
    """Reader of one generator; see feed.Reader for the protocol.

    `offsets` of an earlier process make it repeat that one's ticks at once, from the same start. Its relations begin
    when that is done, and what is there before the first tick, and the ticks before AS OF: whoever reads them sees all
    of it. TICK INTERVAL '0s' is flat out: as fast as the ticks take it.
    """

    def __init__(
        self,
        spec: SourceSpec,
        description: GeneratorSource,
        heap: Heap,
        offsets: Mapping[str, int],
        clock_ms: Callable[[], int] = _now_ms,
    ) -> None:
        self._of = description
        self._ids = {feed.name: id for id, feed in spec.feeds}
        self._types = {feed.name: [column.type for column in feed.columns] for _, feed in spec.feeds}
        self._heap = heap
        self._clock_ms = clock_ms
        self._start_ms = offsets.get("start_ms", clock_ms())
        self._generator = generator_of(description, Clock(self._start_ms, description.tick_ms, description.as_of))
        self._before: Iterator[Mapping[str, pa.Table]] | None = self._generator.begin()
        self._ticks = 0
        self._begins_at = max(offsets.get(TICK, 0), description.as_of)
        if description.up_to is not None:
            self._begins_at = min(self._begins_at, description.up_to)
        self._begun = False
        self._progress: Final = Progress(TICK)
        self._block_rows = ROWS_BEGIN
        self._measured = clock_ms(), 0
        self._told: int | None = None

    @property
    def finished(self) -> bool:
        """Whether UP TO is reached."""
        return self._before is None and self._of.up_to is not None and self._ticks >= self._of.up_to

    retry_seconds: float = 1.0
    complaint: SourceError | None = None

    @property
    def idle_seconds(self) -> float:
        """Until the next tick is due."""
        due_ms = self._start_ms + (self._ticks - self._of.as_of + 1) * self._of.tick_ms
        return max(0.001, (due_ms - self._clock_ms()) / 1000)

    def pace(self, rows: int) -> None:
        self._block_rows = min(rows, BLOCK_ROWS)

    def poll(self) -> Decoded | None:
        self._measure()
        if self._before is not None:
            tables = next(self._before, None)
            if tables is not None:
                return self._decoded({name: (rows, np.ones(len(rows), np.int64)) for name, rows in tables.items()})
            self._before = None
        end = min(self._due(), self._ticks + max(1, self._block_rows // self._generator.rows_per_tick))
        if end <= self._ticks:
            return None if self._begun else self._decoded({})
        begin, self._ticks = self._ticks, end
        return self._decoded(self._generator.ticks(begin, end))

    def _measure(self) -> None:
        """The rate of the last second, once a second; and how many ticks there should be."""
        (then, records), now = self._measured, self._clock_ms()
        if now >= then + 1000:
            self._progress.records_per_second = (self._progress.records - records) * 1000 / (now - then)
            self._measured = now, self._progress.records
        if self._of.tick_ms:
            self._progress.known = max(self._ticks, self._due())

    def _due(self) -> int:
        """Ticks that should have been by now: those before AS OF, and those that were already, at once; none from UP TO
        on."""
        if self._of.tick_ms:
            due = max(self._begins_at, self._of.as_of + (self._clock_ms() - self._start_ms) // self._of.tick_ms)
        else:
            due = self._ticks + BLOCK_ROWS
        return due if self._of.up_to is None else min(due, self._of.up_to)

    def _decoded(self, changes: Mapping[str, tuple[pa.Table, np.ndarray]]) -> Decoded:
        deltas: dict[int, Batch] = {}
        for name, (rows, diffs) in changes.items():
            if len(rows):
                deltas[self._ids[name]] = Batch.from_vectors(from_arrow(rows, self._types[name], self._heap), diffs)
        count = sum(map(len, deltas.values()))
        deltas[self._ids[PROGRESS]] = self._progressed()
        at = self._progress
        at.position, at.records = self._ticks, at.records + count
        at.known = max(at.known, self._ticks)
        if self._before is not None or self._ticks < self._begins_at:
            return Decoded(deltas, count, {})
        began = frozenset(() if self._begun else self._ids.values())
        self._begun = True
        return Decoded(deltas, count, {TICK: self._ticks, "start_ms": self._start_ms}, began)

    def _progressed(self) -> Batch:
        """The row of the progress relation moves on."""
        told, self._told = self._told, self._ticks
        if told == self._told:
            return Batch.empty(1)
        rows = [self._told] if told is None else [self._told, told]
        diffs = np.array([1, -1][: len(rows)], np.int64)
        return Batch.from_vectors([Vector(np.array(rows, np.int64).view(np.uint64))], diffs)

    def progress(self) -> Mapping[str, Progress]:
        """Its ticks are a partition's offsets. That of flat out has no lag: no tick is due before it is made."""
        return {TICK: self._progress}

    def interrupt(self) -> None:
        """A poll never waits."""

    def mark(self, marks: Marks) -> None:
        """Nothing is held from one poll to the next."""

    def close(self) -> None:
        """It holds nothing."""
