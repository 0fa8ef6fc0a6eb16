"""A slot, and tables as they were at the point where its stream begins.

CREATE_REPLICATION_SLOT ... USE_SNAPSHOT inside of a repeatable-read transaction: the transaction sees exactly what
committed before the slot's first change, so rows copied in it and changes from the slot are the whole, without overlap.
But for TRUNCATE and what rewrites a table: after them whoever sees an earlier state finds the table empty. So the
tables are locked against both, and if one of them came between the snapshot and the locks, it is all done again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.catalog.sources import PostgresSource
from engine.catalog.upstream import UpstreamTable
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors.postgres.changes import SLACK
from engine.connectors.postgres.columns import decoded
from engine.connectors.postgres.connection import Busy, Connection
from engine.connectors.postgres.quoting import literal, quoted
from engine.connectors.postgres.upstream import LISTS, Compared, compared
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
    """Where a slot's stream begins: what committed before is in the snapshot, what commits there or later is not; what
    the tables were like there, and of which only the rows are published that a condition says, by OID."""

    lsn: int
    found: Compared
    conditions: Mapping[int, str]


def begin(
    connection: Connection, description: PostgresSource, slot: str, temporary: bool, tables: Sequence[UpstreamTable]
) -> Point:
    """Make a slot, and see what was there at its point until `end`. It waits for transactions that are under way.

    Whoever waits for one lock and has another can be in the way of somebody who has them in another order, and the
    server ends one of the two. So only the first lock is waited for, and what needs locks of its own is asked before.
    """
    oids = ", ".join(["0", *(str(table.oid) for table in tables)])
    kind = "TEMPORARY LOGICAL" if temporary else "LOGICAL"
    for _ in range(ATTEMPTS_MAX):
        connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        (row,) = connection.query(f"CREATE_REPLICATION_SLOT {quoted(slot)} {kind} pgoutput USE_SNAPSHOT")
        assert row[1] is not None
        found = compared(connection, description.publication, tables)
        conditions = _conditions(connection, description)
        if _lock(connection, oids) and not connection.query(REWRITTEN.format(oids=oids)):
            return Point(lsn_of(row[1]), found, conditions)
        connection.query("ROLLBACK")
        drop_slot(connection, slot)
    raise SourceError("some table is locked, truncated or rewritten each time that the tables are to be copied")


def _lock(connection: Connection, oids: str) -> bool:
    """Nobody truncates or rewrites the tables until `end`; False: somebody may be about to."""
    names = connection.query(f"SELECT oid::regclass FROM pg_class WHERE oid IN ({oids})")
    for i, (name,) in enumerate(names):
        try:
            connection.query(f"LOCK TABLE {name} IN ACCESS SHARE MODE{' NOWAIT' if i else ''}")
        except Busy:
            return False
    return True


def end(connection: Connection) -> None:
    """Everything was copied."""
    connection.query("COMMIT")


def lsn_of(text: str) -> int:
    """A position as PostgreSQL writes it: 16/B374D848."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def _conditions(connection: Connection, description: PostgresSource) -> dict[int, str]:
    """The rows that the publication has of tables, where not all, by OID."""
    if connection.version < LISTS:
        return {}
    rows = connection.query(
        "SELECT c.oid, t.rowfilter FROM pg_publication_tables AS t JOIN pg_namespace AS n ON n.nspname = t.schemaname "
        "JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.tablename "
        f"WHERE t.pubname = {literal(description.publication)} AND t.rowfilter IS NOT NULL"
    )
    return {int(oid or 0): f" WHERE {condition}" for oid, condition in rows}


def copy(connection: Connection, point: Point, table: UpstreamTable, heap: Heap) -> Iterator[Batch]:
    """The rows of a table, some megabytes at a time. InvalidText for what a copy cannot hold."""
    where = point.conditions.get(table.oid, "")
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
