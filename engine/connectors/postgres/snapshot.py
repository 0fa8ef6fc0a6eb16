"""A slot, and tables as they were at the point where its stream begins.

CREATE_REPLICATION_SLOT ... USE_SNAPSHOT inside of a repeatable-read transaction: the transaction sees exactly what
committed before the slot's first change, so rows copied in it and changes from the slot are the whole, without overlap.
But for TRUNCATE and what rewrites a table: after them whoever sees an earlier state finds the table empty. So the
tables are locked against both, and if one of them came between the snapshot and the locks, it is all done again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.catalog.sources import PostgresSource
from engine.catalog.upstream import UpstreamTable
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors.postgres.changes import SLACK
from engine.connectors.postgres.columns import decoded
from engine.connectors.postgres.connection import Connection
from engine.connectors.postgres.quoting import literal, quoted
from engine.connectors.records import Spans
from engine.errors import InvalidText, SourceError
from engine.kernels import postgres as kernels

CHUNK_BYTES: Final = 8 << 20
"""Decoded at once: some tens of milliseconds."""


ATTEMPTS_MAX: Final = 20
"""How often a snapshot is taken anew because of tables that were truncated meanwhile."""

REWRITTEN: Final = """
SELECT c.oid FROM pg_class AS c
WHERE (c.oid IN ({oids}) OR c.oid IN (SELECT t.relid FROM pg_class AS r, pg_partition_tree(r.oid) AS t WHERE r.oid IN ({oids})))
    AND c.relfilenode <> 0 AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)
"""  # noqa: E501 - PostgreSQL does not mind
"""Tables whose file is another by now (the function says) than the transaction sees (the catalog says)."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a slot's stream begins: what committed before is in the snapshot, what commits there or later is not."""

    lsn: int


def begin(connection: Connection, slot: str, temporary: bool, tables: Iterable[UpstreamTable]) -> Point:
    """Make a slot, and see what was there at its point until `end`. It waits for transactions that are under way."""
    oids = ", ".join(["0", *(str(table.oid) for table in tables)])
    kind = "TEMPORARY LOGICAL" if temporary else "LOGICAL"
    for _ in range(ATTEMPTS_MAX):
        connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        (row,) = connection.query(f"CREATE_REPLICATION_SLOT {quoted(slot)} {kind} pgoutput USE_SNAPSHOT")
        assert row[1] is not None
        for (name,) in connection.query(f"SELECT oid::regclass FROM pg_class WHERE oid IN ({oids})"):
            connection.query(f"LOCK TABLE {name} IN ACCESS SHARE MODE")
        if not connection.query(REWRITTEN.format(oids=oids)):
            return Point(lsn_of(row[1]))
        connection.query("ROLLBACK")
        drop_slot(connection, slot)
    raise SourceError("some table is truncated or rewritten each time that the tables are to be copied")


def end(connection: Connection) -> None:
    """Everything was copied."""
    connection.query("COMMIT")


def lsn_of(text: str) -> int:
    """A position as PostgreSQL writes it: 16/B374D848."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def condition_of(connection: Connection, description: PostgresSource, table: UpstreamTable) -> str:
    """The rows that the publication has of the table."""
    if connection.version < 150_000:
        return ""
    rows = connection.query(
        "SELECT rowfilter FROM pg_publication_tables AS t JOIN pg_namespace AS n ON n.nspname = t.schemaname "
        "JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.tablename "
        f"WHERE t.pubname = {literal(description.publication)} AND c.oid = {table.oid}"
    )
    return f" WHERE {rows[0][0]}" if rows and rows[0][0] else ""


def copy(connection: Connection, description: PostgresSource, table: UpstreamTable, heap: Heap) -> Iterator[Batch]:
    """The rows of a table, some megabytes at a time. InvalidText for what a copy cannot hold."""
    where = condition_of(connection, description, table)
    columns = ", ".join(quoted(each.column.name) for each in table.columns)
    name = connection.query(f"SELECT {table.oid}::regclass")[0][0]  # it may have been renamed
    connection.begin_copy(f"COPY (SELECT {columns} FROM {name}{where}) TO STDOUT")
    data, rows, failed = bytearray(), 0, None
    for line in connection.copied():
        if failed is not None:
            continue  # the server sends all of it in any case
        data += line
        rows += 1
        if len(data) >= CHUNK_BYTES:
            try:
                yield batch(data, rows, table, heap)
            except InvalidText as error:
                failed = error
            data, rows = bytearray(), 0
    if failed is not None:
        raise failed
    if rows:
        yield batch(data, rows, table, heap)


def batch(data: bytearray, rows: int, table: UpstreamTable, heap: Heap) -> Batch:
    """Lines of COPY as insertions."""
    size = len(data)
    data += SLACK
    lines = np.frombuffer(data, np.uint8)
    shape = len(table.columns), rows
    begins, ends, nulls = np.empty(shape, np.int64), np.empty(shape, np.int64), np.zeros(shape, np.bool_)
    if kernels.rows_of_copy(lines, size, begins, ends, nulls) != rows:
        raise InvalidText("the server sent rows that are not of its columns")
    vectors = [
        decoded(each.column, Spans(lines, begins[i], ends[i]), nulls[i], heap) for i, each in enumerate(table.columns)
    ]
    return Batch.from_vectors(vectors, np.ones(rows, np.int64))


def drop_slot(connection: Connection, slot: str) -> None:
    """Forget a slot, if it is there. SourceError while somebody uses it."""
    connection.query(
        f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {literal(slot)}"
    )


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as it is. `lost`: the server has deleted what it was to be sent next."""

    confirmed: int
    lost: bool


def slot_of(connection: Connection, name: str) -> Slot | None:
    """The slot of that name, if there is one."""
    lost = "coalesce(wal_status = 'lost', false)" if connection.version >= 130_000 else "false"
    rows = connection.query(
        f"SELECT confirmed_flush_lsn, {lost} FROM pg_replication_slots WHERE slot_name = {literal(name)} "
        "AND plugin = 'pgoutput' AND database = current_database()"
    )
    return Slot(lsn_of(rows[0][0] or "0/0"), rows[0][1] == "t") if rows else None


def written(connection: Connection) -> int:
    """How far the server has written."""
    return lsn_of(connection.query("SELECT pg_current_wal_flush_lsn()")[0][0] or "0/0")
