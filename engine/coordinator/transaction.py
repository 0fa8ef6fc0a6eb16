"""Transactions: reads at one tick, or writes that commit in one tick. Isolation is strict serializable.

A block begins undecided. Its first SELECT fixes the tick that all of its reads are as of; its first INSERT makes it one
of writes, which gather here and commit together. Reading after writing, and UPDATE, DELETE or INSERT ... SELECT in a
block, would have to see writes that are not there yet: they are refused. Changes of the catalog take effect at once.
"""

from dataclasses import dataclass, field

from engine.collection.batch import Batch
from engine.coordinator.result import Result
from engine.errors import ActiveTransaction, TransactionState


@dataclass(slots=True)
class Transaction:
    """`status` is pgwire's: I outside of a block, T inside, E inside a failed one."""

    status: str = "I"
    read_at: int | None = None  # the tick that reads of the block are as of
    held: int | None = None  # the oracle's token for it
    writes: list[tuple[int, Result]] = field(default_factory=list)  # by table; results, because a sweep must see them

    def fail(self) -> None:
        """A statement failed: in a block nothing but its end may follow."""
        if self.status == "T":
            self.status = "E"
            self.writes.clear()

    def clear(self) -> None:
        """The block has ended."""
        self.status, self.read_at, self.held = "I", None, None
        self.writes.clear()

    def check_usable(self) -> None:
        """Raises TransactionState in a failed block."""
        if self.status == "E":
            raise TransactionState(
                "current transaction is aborted, commands ignored until end of transaction block",
                hint="Send ROLLBACK.",
            )

    def check_reads(self) -> None:
        """Raises ActiveTransaction where a read would miss the block's own writes."""
        if self.writes:
            raise ActiveTransaction("a transaction that writes cannot read", hint="COMMIT first.")

    def check_writes(self, reads_too: bool, what: str) -> None:
        """Raises ActiveTransaction where a write does not fit the block."""
        if self.read_at is not None:
            raise ActiveTransaction("a transaction that reads cannot write", hint="COMMIT first.")
        if reads_too:
            raise ActiveTransaction(f"{what} cannot be run inside a transaction block", hint="COMMIT first.")

    def deltas(self) -> dict[int, Batch]:
        """The gathered writes by table."""
        parts: dict[int, list[Batch]] = {}
        for table, rows in self.writes:
            if rows.batch is not None:
                parts.setdefault(table, []).append(rows.batch)
        return {table: Batch.concat(batches) for table, batches in parts.items()}
