"""The reader protocol: how a source's bytes become deltas of collections, off the tick.

    describe (kinds.py)      CREATE SOURCE asks which relations the source fills: `Feed`s
    SourceSpec               the source in the catalog: its description, and each feed with its collection's id
    Reader.poll -> Decoded   one block: deltas by collection, and the offsets that the source has then reached

A block is decoded and interned in the reader's thread, so that a tick only has to add deltas up. What does not decode
is a row of the feed named "errors" with its place and bytes; it is never dropped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from engine.catalog.connections import Setting
from engine.catalog.sources import Debezium, Description, KafkaSource
from engine.catalog.upstream import UpstreamTable
from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.errors import SourceError
from engine.types import Column

Resolve = Callable[[Setting], str]
"""The value of a setting: a secret's, a file's, or itself. SourceError when it cannot be read."""

PROGRESS: Final = "progress"
"""The feed that says how far a source is (the catalog calls it <source>_progress)."""
ROWS_BEGIN: Final = 1_024
"""Of the first tick, and of what is read for it: tens of MiB where a view makes a thousand rows of each, four ticks
from all where views do little."""
ERRORS: Final = "errors"
SEEN: Final = "seen"
"""The feed of what deduplication remembers."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One relation that a source fills.

    `name` is "" for the relation that bears the source's own name, "errors" for its error relation (the catalog calls
    it <source>_errors), "seen" for what deduplication remembers, else the name of a subsource. `keys` are column sets
    whose values no two rows share. `upstream` is the table that it is a copy of, if it is one; then it is complete once
    that was copied, not before.
    """

    name: str
    columns: tuple[Column, ...]
    append_only: bool
    keys: tuple[tuple[int, ...], ...] = ()
    upstream: UpstreamTable | None = None


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source as the catalog has it: `feeds` are what `describe` gave, each with the id of its collection. `declared`
    are the columns that CREATE SOURCE lists; None: it lists none."""

    id: int
    description: Description
    feeds: tuple[tuple[int, Feed], ...]
    declared: tuple[Column, ...] | None = None

    @property
    def group(self) -> tuple[tuple[str, ...], str] | None:
        """What sources have in common whose transactions come together: the topic of them, and its brokers."""
        envelope = self.description.envelope if isinstance(self.description, KafkaSource) else None
        if not isinstance(envelope, Debezium) or envelope.transactions is None:
            return None
        return envelope.transactions.connection.brokers, envelope.transactions.topic

    def collection(self, name: str) -> int:
        """The collection of the feed of that name."""
        return next(id for id, feed in self.feeds if feed.name == name)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One block of input. It goes into one tick whole, so `offsets` are true of what was committed.

    `deltas` has no empty batch; `rows` is the sum of their lengths; `offsets` is by partition (files/kept.py has those
    of files; a generator "tick").

    From this block on collections may be complete that were awaited (`began`), be without the rows that they had before
    it (`cleared`; the deltas come after that), or be `broken`: what they hold is not known any more, and why:
    '<sqlstate> <message>'; None: it is known again.

    With it the source has all that the upstream's transactions before `upto` did, where they come together
    (together.py); None: it is no part of one.
    """

    deltas: Mapping[int, Batch]
    rows: int
    offsets: Mapping[str, int]
    began: frozenset[int] = frozenset()
    cleared: frozenset[int] = frozenset()
    broken: Mapping[int, str | None] = field(default_factory=dict)
    upto: int | None = None


@dataclass(slots=True)
class Progress:
    """How far one partition is. Its reader's thread alone writes to it."""

    partition: str
    records: int = 0  # read so far by this process
    bytes: int = 0  # of them
    errors: int = 0  # of them, records that did not decode
    position: int = 0  # the offset to be read next
    known: int = 0  # the offset that the next record to be written will have
    records_per_second: float = 0.0  # of the last whole second


class Unattended:
    """What readers have in common whose other side keeps nothing for them."""

    def pace(self, rows: int) -> None:
        """What is read comes in pieces of its own."""

    def committed(self, offsets: Mapping[str, int]) -> None:
        """Nobody is told."""

    def keep_alive(self) -> None:
        """Nobody hangs up."""

    def forget(self) -> None:
        """Nothing was done there."""


class Reader(Protocol):
    """One source being read. Only its own thread calls it, but for `mark`."""

    @property
    def finished(self) -> bool:
        """Whether nothing will come any more (the end of a file that is not tailed, a generator at its limit)."""
        ...

    @property
    def idle_seconds(self) -> float:
        """How long to wait before the next poll when the last one gave nothing."""
        ...

    @property
    def retry_seconds(self) -> float:
        """How long to wait before the next poll when the last one failed."""
        ...

    @property
    def complaint(self) -> SourceError | None:
        """What is wrong though reading goes on: a file, or a table, among others."""
        ...

    def poll(self) -> Decoded | None:
        """The next block, or None when there is nothing for now. Raises SourceError when the input cannot be read."""
        ...

    def progress(self) -> Mapping[str, Progress]:
        """By the partition's name in `Decoded.offsets`; empty for a source without partitions."""
        ...

    def interrupt(self) -> None:
        """Have a poll that waits end soon: nobody wants it any more. From any thread."""
        ...

    def committed(self, offsets: Mapping[str, int]) -> None:
        """What came up to there will not be asked for again: it is in the log, if there is one. From any thread."""
        ...

    def pace(self, rows: int) -> None:
        """More rows than that in a block make a tick too long; fewer are fine. From any thread."""
        ...

    def keep_alive(self) -> None:
        """Its last block still waits for room. Called now and then, so that the other side does not hang up."""
        ...

    def forget(self) -> None:
        """The source is no more: undo what was done for it at the other side. After the last poll, before `close`."""
        ...

    def mark(self, marks: Marks) -> None:
        """Keep the heap codes that it holds from one poll to the next. Called from the ticking thread."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
