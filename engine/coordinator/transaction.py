"""Transactions: reads at one tick, writes that commit in one tick. Isolation is strict serializable.

A block's first read fixes the tick that all of its reads are as of; what it writes gathers here, and its own reads see
it (engine/coordinator/snapshot.py). At the end the writes commit together if nothing that the block read has changed
since that tick; else the block fails with 40001, and the client runs it again. A block that only writes never fails so;
one that only reads does where others have dropped, or made anew, what it reads next. Changes of the catalog are a draft
(engine/coordinator/draft.py) that nobody else sees and that is published with the writes, in one transaction of the
log; it fails with 40001 where others changed the same.

A savepoint is what was written and drafted up to it: values, so keeping one costs a dictionary.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from engine.catalog.catalog import Catalog
from engine.collection.batch import Batch
from engine.coordinator.advisory import Holder, Taken
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.draft import Draft, State
from engine.coordinator.reads import Check
from engine.coordinator.result import Result
from engine.coordinator.snapshot import Snapshot, beneath
from engine.coordinator.variables import Assigned, Settings
from engine.errors import (
    ActiveTransaction,
    NoTransaction,
    SerializationFailure,
    TransactionState,
    UndefinedSavepoint,
)


@dataclass(frozen=True, slots=True)
class Savepoint:
    """A name, and what was written, drafted, assigned and locked before it."""

    name: str
    writes: Mapping[int, Result]
    draft: State | None
    assigned: Assigned
    locks: dict[Taken, int]


@dataclass(slots=True)
class Transaction:
    """`status` is pgwire's: I outside of a block, T inside, E inside a failed one. `implicit`: the block is that of a
    text of several statements."""

    settings: Settings  # the session's variables, whose assignments end with the block
    locks: Holder  # its advisory locks, of which some are the block's
    status: str = "I"
    implicit: bool = False
    read_at: int | None = None  # the tick that reads of the block are as of
    held: int | None = None  # the oracle's token for it
    read_only: bool | None = None  # whether it refuses to write; None: as default_transaction_read_only says
    number: int | None = None  # what txid_current() says, if it was asked
    read: set[int] = field(default_factory=set)  # ids of what the block has read: no views, but what is beneath them
    writes: dict[int, Result] = field(default_factory=dict)  # by table; results, because a sweep must see them
    draft: Draft | None = None  # what the block changes of the catalog
    savepoints: list[Savepoint] = field(default_factory=list)

    def begin(self, implicit: bool = False, read_only: bool | None = None) -> None:
        """A block begins."""
        self.status, self.implicit, self.read_only = "T", implicit, read_only

    def restrict(self, read_only: bool) -> None:
        """SET TRANSACTION READ ONLY, or READ WRITE, which is too late once the block has read."""
        if self.status == "I" or self.implicit:
            return  # it would be of the transaction that this statement is
        if not read_only and self.read_only and self.read:
            raise ActiveTransaction("transaction read-write mode must be set before any query")
        self.read_only = read_only

    def fail(self) -> None:
        """A statement failed: in a block nothing but its end may follow."""
        if self.status == "T":
            self.status = "E"
            self.writes.clear()
            self.locks.end_transaction()

    def catalog(self, coordinator: Coordinator) -> Catalog:
        """What there is for the block's statements."""
        return coordinator.catalog if self.draft is None else self.draft.catalog

    def drafted(self, coordinator: Coordinator) -> Draft:
        """The draft of the block, begun if there is none. Under the tick lock."""
        if self.draft is None:
            self.draft = Draft(coordinator)
        return self.draft

    def end(self, coordinator: Coordinator, commits: bool) -> int | None:
        """The block ends; the timestamp of its writes. SerializationFailure or ConstraintViolation: nothing is done."""
        committed = False
        try:
            at = self._commit(coordinator) if commits else None
            committed = commits
            return at
        finally:
            self.clear(coordinator, committed)

    def _commit(self, coordinator: Coordinator) -> int | None:
        deltas = self.own()
        if self.draft is not None and not self.draft.is_empty:
            return self._publish(coordinator, self.draft, deltas)
        if not any(map(len, deltas.values())):
            return None
        return coordinator.ticks.commit_computed(lambda: self._checked(coordinator, deltas))

    def _publish(self, coordinator: Coordinator, draft: Draft, written: Mapping[int, Batch]) -> int | None:
        """The draft and the writes, all or nothing: what could refuse either is asked before."""
        with coordinator.ticks.lock:
            coordinator.ticks.run_queued()
            catalog = draft.merged()
            deltas = {table: delta for table, delta in written.items() if table in catalog.items and len(delta)}
            self._checked(coordinator, deltas)
            error = coordinator.constraints.violation(deltas)
            if error is not None:
                raise error
            with coordinator.logged_together():
                draft.publish(deltas)
                at = coordinator.ticks.commit_ahead(deltas) if deltas else None
                if at is not None:
                    draft.filled_at(at)
                return at

    def clear(self, coordinator: Coordinator, committed: bool = False) -> None:
        """The block has ended."""
        self.settings.end(committed)
        self.locks.end_transaction()
        if self.held is not None:
            coordinator.oracle.release(self.held)
        self.status, self.implicit, self.read_at, self.held, self.read_only = "I", False, None, None, None
        self.number = None
        self.read.clear()
        self.writes.clear()
        self.savepoints.clear()
        if self.draft is not None:
            self.draft.discard()
            self.draft = None

    def save(self, name: str) -> None:
        """SAVEPOINT: a name for the writes so far."""
        self.check_usable()
        self._check_block("SAVEPOINT")
        drafted = None if self.draft is None else self.draft.state
        self.savepoints.append(Savepoint(name, dict(self.writes), drafted, self.settings.state, self.locks.state))

    def release(self, name: str) -> None:
        """RELEASE: forget the last savepoint of that name, and those after it; what was written stays."""
        self.check_usable()
        self._check_block("RELEASE SAVEPOINT")
        del self.savepoints[self._savepoint(name) :]

    def return_to(self, name: str) -> None:
        """ROLLBACK TO: the writes as they were at that savepoint, which stays. A failed block goes on from there."""
        self._check_block("ROLLBACK TO SAVEPOINT")
        at = self._savepoint(name)
        del self.savepoints[at + 1 :]
        self.writes = dict(self.savepoints[at].writes)
        self.settings.return_to(self.savepoints[at].assigned)
        if self.status == "T":
            self.locks.return_to(self.savepoints[at].locks)
        if self.draft is not None:
            self.draft.return_to(self.savepoints[at].draft)
        self.status = "T"

    def _check_block(self, what: str) -> None:
        if self.status == "I" or self.implicit:
            raise NoTransaction(f"{what} can only be used in transaction blocks", hint="BEGIN first.")

    def _savepoint(self, name: str) -> int:
        found = [at for at, known in enumerate(self.savepoints) if known.name == name]
        if not found:
            raise UndefinedSavepoint(f'savepoint "{name}" does not exist')
        return found[-1]

    def check_usable(self) -> None:
        """Raises TransactionState in a failed block."""
        if self.status == "E":
            raise TransactionState(
                "current transaction is aborted, commands ignored until end of transaction block",
                hint="Send ROLLBACK.",
            )

    def snapshot(self, coordinator: Coordinator, check: Check, reads: frozenset[int]) -> Snapshot:
        """What a statement of the block reads these items by."""
        reads = self.beneath(coordinator, reads)
        known = coordinator.holding_rows(reads)  # not what it has drafted
        coordinator.wait_live(known, check)
        if reads and self.read_at is None:
            self._read_at(coordinator)
        circuit = coordinator.cluster.worker.circuit
        if self.read_at is not None and any(circuit.has(id) and circuit.since(id) > self.read_at for id in known):
            raise made_anew()
        self.read |= known
        if self.draft is None:
            return Snapshot(coordinator, check, self.read_at, self.own())
        return Snapshot(coordinator, check, self.read_at, self.own(), self.draft.catalog, self.draft.made)

    def tick(self, coordinator: Coordinator, check: Check, reads: frozenset[int], at_least: int | None) -> int:
        """The tick that the block reads at, for a statement that asks for it before it reads these items: mz_now(). It
        is the present, or where there is `at_least`, the first one since then that can be read."""
        if self.read_at is None:
            known = coordinator.holding_rows(self.beneath(coordinator, reads))
            coordinator.wait_live(known, check)
            present = coordinator.oracle.wall_ms()
            worker = coordinator.cluster.worker
            if worker.upper < present and (at_least is None or worker.upper < at_least <= present):
                coordinator.ticks.run(idle=True)
            self._read_at(coordinator, known, at_least)
        assert self.read_at is not None
        return self.read_at

    def _read_at(
        self, coordinator: Coordinator, known: frozenset[int] = frozenset(), at_least: int | None = None
    ) -> None:
        circuit = coordinator.cluster.worker.circuit
        with circuit.publish_lock:  # no tick may be published in between: it would not know that its histories are held
            self.read_at = coordinator.cluster.worker.upper
            if at_least is not None and known:
                first = max([at_least, *(circuit.since(id) for id in known if circuit.has(id))])
                self.read_at = min(self.read_at, first)
            self.held = coordinator.oracle.hold(self.read_at)

    def beneath(self, coordinator: Coordinator, reads: frozenset[int]) -> frozenset[int]:
        """The items whose contents a statement of the block reads that names these."""
        return beneath(self.catalog(coordinator).items, reads, coordinator.catalog.items, self.writes.keys())

    def write(self, coordinator: Coordinator, table: int, delta: Batch) -> None:
        """A statement of the block changes a table. Raises UniqueViolation where that is clear by now."""
        before = self.writes.get(table)
        if before is not None and before.batch is not None:
            delta = Batch.concat([before.batch, delta]).consolidate()
        with still_there(coordinator, table):
            error = coordinator.constraints.violation({table: delta})
            if error is not None:
                raise error
            self.writes[table] = coordinator.result("", coordinator.tables[table], delta)

    def own(self) -> dict[int, Batch]:
        """The gathered writes by table."""
        return {table: rows.batch for table, rows in self.writes.items() if rows.batch is not None}

    def _checked(self, coordinator: Coordinator, deltas: Mapping[int, Batch]) -> Mapping[int, Batch]:
        """The writes, if nothing that was read has changed. Under the tick lock, with nothing queued."""
        if not deltas.keys() <= coordinator.tables.keys():
            raise made_anew()
        circuit = coordinator.cluster.worker.circuit
        for id in self.read:
            assert self.read_at is not None
            if id not in coordinator.catalog.items or circuit.changes(id, self.read_at):
                item = coordinator.catalog.items.get(id)
                raise made_anew() if item is None else failure(f'"{item.name.item}" has changed')
        return deltas


@contextmanager
def still_there(coordinator: Coordinator, table: int) -> Iterator[None]:
    """While a block looks at a table, which it does without the tick lock, others may drop it: SerializationFailure."""
    try:
        yield
    except KeyError:
        if table in coordinator.tables:
            raise
        raise made_anew() from None


def made_anew() -> SerializationFailure:
    """Others have changed what there is."""
    return failure("What it reads or writes to was dropped, or made anew,")


def failure(what: str) -> SerializationFailure:
    return SerializationFailure(
        "could not serialize access due to concurrent update",
        detail=f"{what} since the transaction began.",
        hint="Run the transaction again.",
    )
