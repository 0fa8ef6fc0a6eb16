"""The log: what a data directory keeps. Catalog, table rows and source offsets of one tick commit in one transaction.

The file is SQLite's, in WAL mode with synchronous=FULL: a commit is one append and one fsync, and a process that is
killed between two of them leaves the earlier one. Rows are Arrow IPC streams, one record batch for each table and tick,
so neither the heap's codes nor the layout of words are on disk. Of a source the log has the rows up to its offsets, but
of a generator the offsets alone: it makes the same rows again. Of a sink the writes are what it wrote.

Each process that opens the directory is a life of its database. What is kept of a life is the last tick that it
committed and the first that the next one may use, so that of any time that it told somebody it is known what was there
then: what the log has now, less the writes that came later (`after`), as far back as they were not put together yet.

Everything here runs under the coordinator's tick lock.
"""

import fcntl
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import blake2b
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
CREATE TABLE writes (sequence INTEGER PRIMARY KEY, item INTEGER NOT NULL, rows BLOB NOT NULL,
                     timestamp INTEGER NOT NULL DEFAULT 0);
CREATE TABLE offsets (item INTEGER NOT NULL, partition TEXT NOT NULL, position INTEGER NOT NULL,
                      PRIMARY KEY (item, partition));
CREATE INDEX writes_of ON writes (item);
"""

FACTS: Final = "CREATE TABLE IF NOT EXISTS facts (kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key))"
"""What the catalog knows beside its items: roles, comments. A directory of before there were any has no such table."""

TIMED: Final = "ALTER TABLE writes ADD COLUMN timestamp INTEGER NOT NULL DEFAULT 0"
"""For a directory of before writes had their tick's."""

FOR_THE_OWNER: Final = 0o600
"""The mode of the file, which SQLite gives to those beside it: secrets and verifiers of passwords are in it."""

NOTHING: Final[Mapping[tuple[str, str], str | None]] = {}

PART_BYTES: Final = 256 << 20
"""About so much of one tick's rows is in one row of `writes`."""

TOLD: Final = "transaction"
DIGEST: Final = "digest"
"""The partitions under which a sink's last transaction is among the offsets, and what tells it from another's."""
NO_DIGEST: Final = -1
"""The one before it had been committed."""

TOPICS: Final = "topics"
"""The kind of facts that say which topics a sink tells, by its id: they are none any more when it goes."""

COMPACT_WRITES_MIN: Final = 1_000
"""Writes of one table from which opening it puts them together as one: reading a thousand small ones takes as long as
reading a million rows."""

APART_WRITES_MAX: Final = 20_000
"""Writes of one table that are left apart because somebody may ask what came after one of them: a second of reading."""

LIVES: Final = "life"
"""The kind of the facts about lives: by the name of each, what is known of its end."""

LIVES_MAX: Final = 100
"""Lives that are remembered."""

HORIZON: Final = "horizon"
"""The kind of the facts about tables whose writes up to some tick were put together: that tick, by the table."""

IDENTITY: Final = "identity", "database"
"""The fact that tells this database from all others."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the catalog: its id and the statement that makes it."""

    id: int
    sql: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A life that is over: the last tick that it committed, and the first of the life after it."""

    clock: int
    next: int


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
            if "timestamp" not in [row[1] for row in self._db.execute("PRAGMA table_info(writes)")]:
                self._db.execute(TIMED)
            (found,) = self._db.execute("SELECT format FROM meta").fetchone()
        except sqlite3.Error as error:
            self.close()
            raise SourceError(f"data directory {str(directory)!r} cannot be read: {error}") from None
        if found != FORMAT:
            self.close()
            raise SourceError(f"data directory {str(directory)!r} has format {found}; this version reads {FORMAT}")
        self.life: Final = secrets.token_urlsafe(6)
        self.recorded = self.clock()  # the last tick that committed
        self.commits = self.commit_ns = self.bytes_written = 0  # of ticks, since it is open

    def begin(self, first: int) -> str:
        """This process's life begins: `first` is a tick that no other life has used or will. The database's name."""
        lives = self.facts(LIVES)
        kind, key = IDENTITY
        identity = self.facts(kind).get(key, secrets.token_hex(8))
        facts: dict[tuple[str, str], str | None] = {IDENTITY: identity, (LIVES, self.life): ""}
        for life, end in lives.items():
            if not end:
                facts[LIVES, life] = f"{self.clock()} {first}"
        over = sorted((int(end.split()[1]), life) for life, end in lives.items() if end)
        facts |= {(LIVES, life): None for _, life in over[: len(over) - LIVES_MAX]}
        self.change(facts=facts)
        return identity

    def ended(self, life: str) -> Ended | None:
        """What is known of a life that is over; None: nothing."""
        said = self.facts(LIVES).get(life)
        return Ended(*map(int, said.split())) if said else None

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
                self._db.execute("DELETE FROM facts WHERE kind IN (?, ?) AND key = ?", (HORIZON, TOPICS, str(id)))
            self._db.executemany(
                "INSERT INTO catalog VALUES (?, ?) ON CONFLICT DO UPDATE SET sql = excluded.sql",
                [(item.id, item.sql) for item in create],
            )
            self._state(facts)
            if schemas is not None:
                self._db.execute("DELETE FROM schemas")
                self._db.executemany("INSERT INTO schemas VALUES (?, ?)", schemas)

    def together(self) -> AbstractContextManager[None]:
        """What is written within is there whole after a crash, or not at all."""
        return self._transaction()

    def commit(
        self,
        timestamp: int,
        writes: Mapping[int, pa.RecordBatch],
        offsets: Mapping[tuple[int, str], int],
        facts: Mapping[tuple[str, str], str | None] = NOTHING,
    ) -> None:
        """One tick: the changes of tables by id (the last column is the diff), the sources' offsets, facts as in
        `change`."""
        began = time.perf_counter_ns()
        packed = [(id, part, timestamp) for id, rows in writes.items() for part in _parts(rows)]
        with self._transaction():
            self._db.execute("UPDATE meta SET clock = ?", (timestamp,))
            self._db.executemany("INSERT INTO writes (item, rows, timestamp) VALUES (?, ?, ?)", packed)
            self._state(facts)
            self._db.executemany(
                "INSERT INTO offsets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position",
                [(id, partition, position) for (id, partition), position in offsets.items()],
            )
        self.recorded = timestamp
        self.commits += 1
        self.commit_ns += time.perf_counter_ns() - began
        self.bytes_written += sum(len(rows) for _, rows, _ in packed)

    def size(self) -> int:
        """Bytes of its files."""
        return sum(path.stat().st_size for path in self.directory.glob("tailrace.db*"))

    def tell(self, id: int, number: int, rows: pa.RecordBatch) -> None:
        """What a sink is about to write (the last column is the diff), as its transaction `number`."""
        data = _pack(rows)
        with self._transaction():
            self._db.execute("INSERT INTO writes (item, rows) VALUES (?, ?)", (id, data))
            self._number(id, number, int.from_bytes(blake2b(data, digest_size=7).digest()))

    def untell(self, id: int, number: int) -> None:
        """The last of what a sink was to write was not written: `number` is the one before."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM writes WHERE sequence = (SELECT max(sequence) FROM writes WHERE item = ?)", (id,)
            )
            self._number(id, number, NO_DIGEST)

    def told(self, id: int) -> tuple[int, int]:
        """The number of a sink's last transaction, committed or not (0: none), and the digest of what it wrote."""
        offsets = self.offsets(id)
        return offsets.get(TOLD, 0), offsets.get(DIGEST, NO_DIGEST)

    def _number(self, id: int, number: int, digest: int) -> None:
        self._db.executemany(
            "INSERT INTO offsets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position",
            [(id, TOLD, number), (id, DIGEST, digest)],
        )

    def _state(self, facts: Mapping[tuple[str, str], str | None]) -> None:
        self._db.executemany(
            "DELETE FROM facts WHERE kind = ? AND key = ?", [at for at, value in facts.items() if value is None]
        )
        self._db.executemany(
            "INSERT INTO facts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [(*at, value) for at, value in facts.items() if value is not None],
        )

    def clock(self) -> int:
        """The timestamp of the last tick that committed, in ms."""
        return self._db.execute("SELECT clock FROM meta").fetchone()[0]

    def reach(self, timestamp: int) -> None:
        """The life ends: ticks up to there have been, also those that wrote nothing."""
        self._db.execute("UPDATE meta SET clock = max(clock, ?)", (timestamp,))

    def offsets(self, id: int) -> dict[str, int]:
        """How far each partition of a source was read."""
        return dict(self._db.execute("SELECT partition, position FROM offsets WHERE item = ?", (id,)).fetchall())

    def writes(self, id: int) -> Iterator[pa.RecordBatch]:
        """Every change of a table in order, the diff in the last column."""
        for (rows,) in self._db.execute("SELECT rows FROM writes WHERE item = ? ORDER BY sequence", (id,)):
            with pa.ipc.open_stream(rows) as reader:
                yield from reader

    def first(self, id: int, until: int | None) -> Iterator[pa.RecordBatch]:
        """As `writes`, those of ticks up to `until`; None: all."""
        if until is None:
            yield from self.writes(id)
            return
        found = self._db.execute(
            "SELECT rows FROM writes WHERE item = ? AND timestamp <= ? ORDER BY sequence", (id, until)
        )
        for (rows,) in found:
            with pa.ipc.open_stream(rows) as reader:
                yield from reader

    def later(self, id: int, after: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """(tick, changes) of a table's writes of ticks after `after`, in order."""
        found = self._db.execute(
            "SELECT timestamp, rows FROM writes WHERE item = ? AND timestamp > ? ORDER BY sequence", (id, after)
        )
        for at, rows in found:
            with pa.ipc.open_stream(rows) as reader:
                yield from ((at, batch) for batch in reader)

    def after(self, id: int, timestamp: int) -> Iterator[pa.RecordBatch] | None:
        """The changes of a table at ticks after `timestamp`, newest first; None where they were put together with those
        before."""
        if timestamp < int(self.facts(HORIZON).get(str(id), 0)):
            return None
        return self._after(id, timestamp)

    def _after(self, id: int, timestamp: int) -> Iterator[pa.RecordBatch]:
        found = self._db.execute("SELECT rows, timestamp FROM writes WHERE item = ? ORDER BY sequence DESC", (id,))
        for rows, at in found:
            if at <= timestamp:
                return
            with pa.ipc.open_stream(rows) as reader:
                yield from reader

    def to_compact(self, id: int, horizon: int, apart_max: int) -> int | None:
        """The write up to which a table's are to be put together: those of ticks up to `horizon`, and of later ones
        what is more than `apart_max`. None: they are too few."""
        (last, count) = self._db.execute(
            "SELECT max(sequence), count(*) FROM writes WHERE item = ? AND timestamp <= ?", (id, horizon)
        ).fetchone()
        found = self._db.execute(
            "SELECT sequence FROM writes WHERE item = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?",
            (id, apart_max),
        ).fetchone()
        if found is not None and (last is None or found[0] > last):
            return found[0]
        return last if count >= COMPACT_WRITES_MIN else None

    def until(self, id: int, sequence: int) -> Iterator[pa.RecordBatch]:
        """The changes of a table up to one of its writes, as `writes`."""
        for (rows,) in self._db.execute(
            "SELECT rows FROM writes WHERE item = ? AND sequence <= ? ORDER BY sequence", (id, sequence)
        ):
            with pa.ipc.open_stream(rows) as reader:
                yield from reader

    def compact(self, id: int, sequence: int, contents: pa.RecordBatch) -> None:
        """Replace a table's writes up to one of them by what they come to (the last column is the count)."""
        with self._transaction():
            (at,) = self._db.execute("SELECT timestamp FROM writes WHERE sequence = ?", (sequence,)).fetchone()
            found = self._db.execute(
                "SELECT sequence FROM writes WHERE item = ? AND sequence <= ? ORDER BY 1 DESC", (id, sequence)
            ).fetchall()
            self._db.execute("DELETE FROM writes WHERE item = ? AND sequence <= ?", (id, sequence))
            self._db.executemany(
                "INSERT INTO writes (sequence, item, rows, timestamp) VALUES (?, ?, ?, ?)",
                [(place, id, part, at) for (place,), part in zip(found, _parts(contents, len(found)), strict=False)],
            )
            self._state({(HORIZON, str(id)): str(at)})

    def close(self) -> None:
        """Checkpoint and let go of the directory. Idempotent."""
        self._db.close()
        self._lock_file.close()

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK when the body fails. One within another is part of that."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._inner = False

    def __enter__(self) -> None:
        self._inner = self._db.in_transaction
        if not self._inner:
            self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._inner:
            self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _parts(rows: pa.RecordBatch, parts_max: int = sys.maxsize) -> list[bytes]:
    """The rows packed, large ones in several parts: a value of SQLite has at most a gigabyte."""
    step = max(1, len(rows) * PART_BYTES // max(1, rows.nbytes), -(-len(rows) // parts_max))
    return [_pack(rows.slice(begin, step)) for begin in range(0, max(1, len(rows)), step)]


def _pack(rows: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return sink.getvalue().to_pybytes()
