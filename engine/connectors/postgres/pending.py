"""What a reader is to give next: rows by relation, and what becomes of relations, up to a position.

The reader's thread fills it; the ticking thread looks at its heap codes when it sweeps (`mark`), so what both see is
guarded by a lock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.connectors.postgres.held import Held, Room
from engine.types import Column


@dataclass(slots=True, eq=False)
class Block:
    """`rows` by collection; the rest is what feed.Decoded says."""

    rows: dict[int, Held] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    began: set[int] = field(default_factory=set)
    cleared: set[int] = field(default_factory=set)
    broken: dict[int, str | None] = field(default_factory=dict)


class Pending:
    """The block that is being made, the one that was given last, and rows of relations that begin in a later one.

    What takes long calls `between` now and then.
    """

    def __init__(self, columns: Mapping[int, tuple[Column, ...]], room: Room, between: Callable[[], None]) -> None:
        self._columns: Final = columns
        self._room: Final = room
        self._between: Final = between
        self._lock: Final = Lock()
        self.block = Block()
        self._later: dict[int, Held] = {}
        self._given: dict[int, Batch] = {}

    def reset(self) -> None:
        """What was gathered comes again."""
        with self._lock:
            self.block, self._later = Block(), {}

    def passed_on(self) -> None:
        """By now what was given is where somebody else marks it."""
        with self._lock:
            self._given = {}

    def add(self, id: int, batch: Batch) -> None:
        """More rows of a relation."""
        self._held(self.block.rows, id).add(batch)

    def add_later(self, id: int, batch: Batch) -> None:
        """More rows of a relation that `begin` is told of."""
        self._held(self._later, id).add(batch)
        self.relieve()

    def begin(self, id: int, anew: bool) -> None:
        """The relation has from this block on the rows that were kept for later; if `anew` none of those before."""
        with self._lock:
            self.block.began.add(id)
            if anew:
                self.block.rows.pop(id, None)
                self.block.cleared.add(id)
            rows = self._later.pop(id, None)
            if rows is not None:
                self.block.rows[id] = rows

    def relieve(self) -> None:
        """Once more is in memory than there is room for, what came and went again goes; of what is left then, the
        largest to disk until half of the room is free. DiskFull if there is none either."""
        if self._bytes <= self._room.bytes_max:
            return
        for held in self.block.rows.values():
            held.settle()
            self._between()
        while self._bytes > self._room.bytes_max // 2:
            max((*self.block.rows.values(), *self._later.values()), key=lambda held: held.bytes).spill(self._between)

    def drop(self, id: int) -> None:
        """No rows of a relation after all."""
        with self._lock:
            self.block.rows.pop(id, None)
            self._later.pop(id, None)

    def clear(self, id: int) -> None:
        """The relation is without the rows that it had."""
        self.drop(id)
        self.block.cleared.add(id)

    def taken(self) -> tuple[Block, dict[int, Batch]]:
        """The block, whole, and its rows; another one begins."""
        block = self.block
        whole = {id: held.whole(self._between) for id, held in block.rows.items()}
        deltas = {id: batch for id, batch in whole.items() if len(batch)}
        with self._lock:
            self._given, self.block = deltas, Block()
        return block, deltas

    def mark(self, marks: Marks) -> None:
        """Keep the heap codes that it holds."""
        with self._lock:
            for held in (*self.block.rows.values(), *self._later.values()):
                held.mark(marks)
            for id, batch in self._given.items():
                batch.mark(marks, [column.type for column in self._columns[id]])

    @property
    def _bytes(self) -> int:
        return sum(held.bytes for held in (*self.block.rows.values(), *self._later.values()))

    def _held(self, among: dict[int, Held], id: int) -> Held:
        held = among.get(id)
        if held is None:
            held = Held(self._columns[id], self._room, self._lock)
            with self._lock:
                among[id] = held
        return held
