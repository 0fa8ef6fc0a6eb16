"""Transactions that only read: what would write is refused with 25006, as in PostgreSQL; not so temporary tables."""

from collections.abc import Sequence
from typing import Protocol

from engine.catalog.catalog import is_temporary
from engine.catalog.items import Item
from engine.coordinator import dml
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.transaction import Transaction
from engine.errors import ReadOnlyTransaction
from engine.sql.bound import (
    Bound,
    BoundCopyFrom,
    BoundDelete,
    BoundInsert,
    BoundMerge,
    BoundTruncate,
    BoundUpdate,
)


class Writer(Protocol):
    """The client that a statement is of."""

    @property
    def transaction(self) -> Transaction: ...
    def variable_of(self, key: str) -> str: ...


def reads_only(client: Writer) -> bool:
    """Whether the client's transaction refuses to write."""
    said = client.transaction.read_only
    return client.variable_of("default_transaction_read_only") == "on" if said is None else said


def refuse_read_only(client: Writer, what: str, tables: Sequence[Item | None] = ()) -> None:
    """Raises ReadOnlyTransaction where the transaction only reads; but temporary tables may be written to."""
    if not reads_only(client) or (tables and all(table and is_temporary(table.name) for table in tables)):
        return
    raise ReadOnlyTransaction(
        f"cannot execute {what} in a read-only transaction", hint="Write in a transaction that is READ WRITE."
    )


def refuse_write(coordinator: Coordinator, client: Writer, bound: Bound) -> None:
    """The same for a statement that writes to tables."""
    match bound:
        case BoundInsert() | BoundUpdate() | BoundDelete() | BoundMerge():
            what, tables = dml.tag(bound, 0).split()[0], [bound.table]
        case BoundCopyFrom():
            what, tables = "COPY FROM", [bound.table]
        case BoundTruncate():
            what, tables = "TRUNCATE", [each.table for each in bound.deletes]
        case _:
            return
    items = client.transaction.catalog(coordinator).items
    refuse_read_only(client, what, [items.get(table) for table in tables])
