"""The log: what a data directory keeps. Catalog, table rows and source offsets of one tick commit in one transaction.

The file is SQLite's, in WAL mode with synchronous=FULL: a commit is one append and one fsync, and a process that is
killed between two of them leaves the earlier one. Rows are Arrow IPC streams, one record batch for each table and tick,
so neither the heap's codes nor the layout of words are on disk. Contents of sources are not kept: their files are, and
an append-only source is read again from its beginning; the offsets tell how far the last process came. Of a sink the
writes are what it wrote.

Everything here runs under the coordinator's tick lock.
"""

import fcntl
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from engine.errors import SourceError

FORMAT: Final = 1
"""Raised when a file that an older version wrote would be misread."""

SCHEMA: Final = """
CREATE TABLE meta (format INTEGER NOT NULL, clock INTEGER NOT NULL);
CREATE TABLE schemas (database TEXT NOT NULL, schema TEXT NOT NULL);
CREATE TABLE catalog (item INTEGER PRIMARY KEY, sql TEXT NOT NULL);
CREATE TABLE writes (sequence INTEGER PRIMARY KEY, item INTEGER NOT NULL, rows BLOB NOT NULL);
CREATE TABLE offsets (item INTEGER NOT NULL, partition TEXT NOT NULL, position INTEGER NOT NULL,
                      PRIMARY KEY (item, partition));
CREATE INDEX writes_of ON writes (item);
"""

FACTS: Final = "CREATE TABLE IF NOT EXISTS facts (kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key))"
"""What the catalog knows beside its items: roles, comments. A directory of before there were any has no such table."""

FOR_THE_OWNER: Final = 0o600
"""The mode of the file, which SQLite gives to those beside it: secrets and verifiers of passwords are in it."""

NOTHING: Final[Mapping[tuple[str, str], str | None]] = {}

TOLD: Final = "transaction"
"""The partition under which a sink's last transaction is among the offsets."""

COMPACT_WRITES_MIN: Final = 1_000
"""Writes of one table from which opening it puts them together as one: reading a thousand small ones takes as long as
reading a million rows."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the catalog: its id and the statement that makes it."""

    id: int
    sql: str


class Log:
    """One open data directory. Raises SourceError when another process has it or it cannot be written."""

    def __init__(self, directory: Path) -> None:
        self.directory: Final = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock_file = (directory / "lock").open("a")
            path = directory / "tailrace.db"
            path.touch(FOR_THE_OWNER)
            path.chmod(FOR_THE_OWNER)
        except OSError as error:
            raise SourceError(f"data directory {str(directory)!r} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock_file.close()
            raise SourceError(f"data directory {str(directory)!r} is in use by another process") from None
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                self._db.executescript(f"BEGIN;{SCHEMA}INSERT INTO meta VALUES ({FORMAT}, 0);COMMIT;")
            self._db.execute(FACTS)
            (found,) = self._db.execute("SELECT format FROM meta").fetchone()
        except sqlite3.Error as error:
            self.close()
            raise SourceError(f"data directory {str(directory)!r} cannot be read: {error}") from None
        if found != FORMAT:
            self.close()
            raise SourceError(f"data directory {str(directory)!r} has format {found}; this version reads {FORMAT}")

    def items(self) -> list[Item]:
        """The catalog in the order of its creation."""
        return [Item(id, sql) for id, sql in self._db.execute("SELECT item, sql FROM catalog ORDER BY item")]

    def schemas(self) -> list[tuple[str, str]] | None:
        """The (database, schema) pairs, a database without any as (database, ""); None before they were first kept."""
        return self._db.execute("SELECT database, schema FROM schemas").fetchall() or None

    def facts(self, kind: str) -> dict[str, str]:
        """What is kept of one kind, by key."""
        return dict(self._db.execute("SELECT key, value FROM facts WHERE kind = ?", (kind,)).fetchall())

    def change(
        self,
        *,
        create: Sequence[Item] = (),
        drop: Sequence[int] = (),
        schemas: Sequence[tuple[str, str]] | None = None,
        facts: Mapping[tuple[str, str], str | None] = NOTHING,
    ) -> None:
        """One change of the catalog in one transaction: items that go, with all they hold, and items that come (or
        are called or defined otherwise); facts by (kind, key), None for one that is none any more."""
        with self._transaction():
            for id in drop:
                for table in ("catalog", "writes", "offsets"):
                    self._db.execute(f"DELETE FROM {table} WHERE item = ?", (id,))
            self._db.executemany(
                "INSERT INTO catalog VALUES (?, ?) ON CONFLICT DO UPDATE SET sql = excluded.sql",
                [(item.id, item.sql) for item in create],
            )
            self._db.executemany(
                "DELETE FROM facts WHERE kind = ? AND key = ?", [at for at, value in facts.items() if value is None]
            )
            self._db.executemany(
                "INSERT INTO facts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                [(*at, value) for at, value in facts.items() if value is not None],
            )
            if schemas is not None:
                self._db.execute("DELETE FROM schemas")
                self._db.executemany("INSERT INTO schemas VALUES (?, ?)", schemas)

    def commit(
        self, timestamp: int, writes: Mapping[int, pa.RecordBatch], offsets: Mapping[tuple[int, str], int]
    ) -> None:
        """One tick: the changes of tables by id (the last column is the diff) and the sources' offsets."""
        with self._transaction():
            self._db.execute("UPDATE meta SET clock = ?", (timestamp,))
            self._db.executemany(
                "INSERT INTO writes (item, rows) VALUES (?, ?)", [(id, _pack(rows)) for id, rows in writes.items()]
            )
            self._db.executemany(
                "INSERT INTO offsets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position",
                [(id, partition, position) for (id, partition), position in offsets.items()],
            )

    def tell(self, id: int, number: int, rows: pa.RecordBatch) -> None:
        """What a sink is about to write (the last column is the diff), as its transaction `number`."""
        with self._transaction():
            self._db.execute("INSERT INTO writes (item, rows) VALUES (?, ?)", (id, _pack(rows)))
            self._number(id, number)

    def untell(self, id: int, number: int) -> None:
        """The last of what a sink was to write was not written: `number` is the one before."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM writes WHERE sequence = (SELECT max(sequence) FROM writes WHERE item = ?)", (id,)
            )
            self._number(id, number)

    def told(self, id: int) -> int:
        """The number of a sink's last transaction, committed or not; 0: none."""
        return self.offsets(id).get(TOLD, 0)

    def _number(self, id: int, number: int) -> None:
        self._db.execute(
            "INSERT INTO offsets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position",
            (id, TOLD, number),
        )

    def clock(self) -> int:
        """The timestamp of the last tick that committed, in ms."""
        return self._db.execute("SELECT clock FROM meta").fetchone()[0]

    def offsets(self, id: int) -> dict[str, int]:
        """How far each partition of a source was read."""
        return dict(self._db.execute("SELECT partition, position FROM offsets WHERE item = ?", (id,)).fetchall())

    def writes(self, id: int) -> Iterator[pa.RecordBatch]:
        """Every change of a table in order, the diff in the last column."""
        for (rows,) in self._db.execute("SELECT rows FROM writes WHERE item = ? ORDER BY sequence", (id,)):
            with pa.ipc.open_stream(rows) as reader:
                yield from reader

    def should_compact(self, id: int) -> bool:
        """Whether a table's writes are many enough to be put together."""
        (count,) = self._db.execute("SELECT count(*) FROM writes WHERE item = ?", (id,)).fetchone()
        return count >= COMPACT_WRITES_MIN

    def compact(self, id: int, contents: pa.RecordBatch) -> None:
        """Replace a table's writes by its contents (the last column is the count)."""
        with self._transaction():
            self._db.execute("DELETE FROM writes WHERE item = ?", (id,))
            self._db.execute("INSERT INTO writes (item, rows) VALUES (?, ?)", (id, _pack(contents)))

    def close(self) -> None:
        """Checkpoint and let go of the directory. Idempotent."""
        self._db.close()
        self._lock_file.close()

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK when the body fails."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _pack(rows: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return sink.getvalue().to_pybytes()
