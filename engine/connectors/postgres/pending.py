"""What a reader is to give next: rows by relation, and what becomes of relations, up to a position.

The reader's thread fills it; the ticking thread looks at its heap codes when it sweeps (`mark`), so what both see is
guarded by `lock`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.types import Column


@dataclass(slots=True, eq=False)
class Block:
    """`rows` by collection; the rest is what feed.Decoded says."""

    rows: dict[int, list[Batch]] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    began: set[int] = field(default_factory=set)
    cleared: set[int] = field(default_factory=set)
    broken: dict[int, str] = field(default_factory=dict)


class Pending:
    """The block that is being made, and the one that was given last."""

    def __init__(self, columns: Mapping[int, tuple[Column, ...]]) -> None:
        self._columns: Final = columns
        self.lock: Final = Lock()
        self.block = Block()
        self._given: dict[int, list[Batch]] = {}

    def reset(self) -> None:
        """What was gathered comes again."""
        with self.lock:
            self.block = Block()

    def passed_on(self) -> None:
        """By now what was given is where somebody else marks it."""
        with self.lock:
            self._given = {}

    def add(self, id: int, batches: list[Batch]) -> None:
        """More rows of a relation."""
        with self.lock:
            self.block.rows.setdefault(id, []).extend(batches)

    def settle(self) -> float:
        """Rows that came and went again within the block go: what part of the rows is left. O(rows)."""
        before = after = 0
        for id, rows in self.block.rows.items():
            net = Batch.concat(rows).consolidate() if rows else None
            before += sum(map(len, rows))
            after += 0 if net is None else len(net)
            with self.lock:
                self.block.rows[id] = [] if net is None else [net]
        return after / before if before else 0.0

    def drop(self, id: int) -> None:
        """No rows of a relation after all."""
        with self.lock:
            self.block.rows.pop(id, None)

    def clear(self, id: int) -> None:
        """The relation is without the rows that it had."""
        self.drop(id)
        self.block.cleared.add(id)

    def taken(self) -> tuple[Block, dict[int, Batch]]:
        """The block, whole, and its rows; another one begins."""
        block = self.block
        deltas = {id: Batch.concat(rows) for id, rows in block.rows.items() if rows}
        with self.lock:
            self._given, self.block = {id: [batch] for id, batch in deltas.items()}, Block()
        return block, deltas

    def mark(self, marks: Marks, beside: Mapping[int, list[Batch]]) -> None:
        """The heap codes that it holds, and those of rows `beside` it. With the lock."""
        for rows in (self.block.rows, self._given, beside):
            for id, batches in rows.items():
                for batch in batches:
                    for i, column in enumerate(self._columns[id]):
                        marks.words(column.type.physical, batch.vector(i).words)
