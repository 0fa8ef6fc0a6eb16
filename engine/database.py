"""The one door to the engine: Database, Session, Result, Subscription.

db = Database.in_memory()
db.execute("CREATE TABLE t (k text, v bigint)")
db.execute("CREATE MATERIALIZED VIEW s AS SELECT k, sum(v) FROM t GROUP BY k")
db.write("t", [("a", 1), ("b", 2)])
db.execute("SELECT * FROM s").rows()
for change in db.subscribe("SUBSCRIBE s"): ...
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from engine.catalog.items import QualifiedName
from engine.catalog.roles import Role, Verifier
from engine.catalog.system.registry import initial
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.describe import Description, Operator, Readable, description, descriptions, operators, readable
from engine.coordinator.envelope import Keyed, keyed
from engine.coordinator.load import Form, load
from engine.coordinator.lookups import Busy
from engine.coordinator.metrics import Metric, metrics
from engine.coordinator.options import Options
from engine.coordinator.portals import Portal
from engine.coordinator.prepared import Prepared
from engine.coordinator.recovery import restore
from engine.coordinator.result import CopyOut, Notice, Result
from engine.coordinator.resume import Following
from engine.coordinator.session import Session
from engine.coordinator.subscription import Change, Subscription, SubscriptionBatch
from engine.coordinator.webhook import receive
from engine.coordinator.write import Rows, write
from engine.durable.log import Log
from engine.errors import LimitExceeded, SqlError
from engine.sql.resolved.rows import CopyForm

__all__ = [
    "Busy", "Change", "CopyForm", "CopyOut", "Database", "Description", "Following", "Form", "Keyed", "Metric",
    "Notice", "Operator", "Options", "Portal", "Prepared", "QualifiedName", "Readable", "Result", "Role", "Session",
    "Subscription", "SubscriptionBatch", "Verifier", "keyed",
]  # fmt: skip

DEFAULT: Final = Options()


class Database:
    """One Tailrace: a catalog, its collections, and the threads of its sources. Every method is safe in any thread."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator: Final = coordinator
        self._sessions: set[Session] = set()
        self._lock: Final = threading.Lock()
        self._closed = False
        coordinator.metrics = self.metrics
        coordinator.ticks.run(idle=True)  # every answer is of a tick, so there is one before the first question
        self._begin: Final = coordinator.maintained()

    @classmethod
    def in_memory(cls, options: Options = DEFAULT) -> Self:
        """A database that ends with the process."""
        return cls(Coordinator(options, initial(), None))

    @classmethod
    def open(cls, directory: str | Path, options: Options = DEFAULT) -> Self:
        """The database kept in `directory`, which is made if need be. One process at a time: a second one gets
        SourceError. Returns when the catalog is there; `ready` tells when the views are."""
        log = Log(Path(directory))
        coordinator = Coordinator(options, initial(), log)
        try:
            restore(coordinator, log)
        except BaseException:
            coordinator.close()
            raise
        return cls(coordinator)

    def session(self, user: str = "materialize", variables: Mapping[str, str] | None = None) -> Session:
        """A new session. LimitExceeded beyond Options.sessions_max; InvalidParameter for a bad variable."""
        with self._lock:
            self._refuse_if_closed()
            if len(self._sessions) >= self._coordinator.options.sessions_max:
                raise LimitExceeded(
                    f"too many sessions: sessions_max is {self._coordinator.options.sessions_max}",
                    hint="Close sessions that are not used, or raise it.",
                )
            role = self.credentials(user)
            begins = {} if role is None else role.settings
            session = Session(self._coordinator, user, {**begins, **(variables or {})}, self._sessions.discard)
            self._sessions.add(session)
        return session

    def credentials(self, role: str) -> Role | None:
        """What tells whether somebody is that role: `login`, and the `verifier` of its password (None: it has none, so
        no password is right). None where there is no such role: nobody is, and a front end must not tell which."""
        return self._coordinator.catalog.roles.get(role)

    def execute(self, sql: str) -> Result:
        """Run the statements in a session of their own; the answer of the last. Raises SqlError."""
        session = self.session()
        try:
            return session.execute(sql)
        finally:
            session.close()

    def subscribe(self, sql: str) -> Subscription:
        """A subscription in a session of its own: see Session.subscribe."""
        session = self.session()
        try:
            return session.subscribe(sql)
        finally:
            session.release()

    def write(self, table: str, rows: Rows, diffs: NDArray[np.int64] | Sequence[int] | None = None) -> int:
        """Add rows to a table (or with negative `diffs` take them away) in one tick, without SQL; its timestamp in ms.

        `table` is a name as SQL has it, `a`, `s.a` or `d.s.a`. `rows` has the table's columns in order: tuples, or
        Arrow of types that cast to the table's. `diffs` is int64[n], by default all 1. When this returns, every read
        sees the rows. Atomic: a NULL in a NOT NULL column fails it whole (NotNullViolation), and so does taking away
        rows that are not there (ConstraintViolation).
        """
        return write(self._coordinator, table, rows, diffs)

    def load(self, table: Sequence[str], data: bytes, form: Form) -> tuple[int, int]:
        """Insert rows that are written as JSON, CSV or an Arrow stream, in one tick; (rows, its timestamp in ms).

        `table` are the parts of its name as they are, [[database,] schema,] table. Columns go by name; what a row does
        not give takes its DEFAULT. Atomic: a row that does not fit fails all.
        """
        return load(self._coordinator, table, data, form)

    def webhook(self, source: Sequence[str], headers: Sequence[tuple[str, bytes]], body: bytes) -> tuple[int, int]:
        """Commit what a request for a webhook source brings, if its CHECK lets it in; (rows, their tick's timestamp).

        `source` are the parts of its name. UndefinedTable for no such source, InvalidAuthorization for a header that
        comes twice, InvalidParameter for a body that is not of the format or a failed CHECK.
        """
        return receive(self._coordinator, source, headers, body)

    def describe(self, name: Sequence[str]) -> Description:
        """What is known of an item, by the parts of its name. UndefinedTable for none."""
        return description(self._coordinator, name)

    def operators(self, name: Sequence[str]) -> list[Operator]:
        """The running dataflow of a relation, inputs first."""
        return operators(self._coordinator, name)

    def readable(self, name: Sequence[str]) -> Readable:
        """What a query of a relation is made from, and the version of its contents; waits for nothing."""
        return readable(self._coordinator, name)

    def items(self, *kinds: str) -> list[Description]:
        """The users' items of these kinds ("table", "source", "view", "materialized view", "index"), by name."""
        return descriptions(self._coordinator, kinds)

    def reach(self, timestamp: int) -> int:
        """How many ms it takes until every answer can be of `timestamp` or later; at 0 every one is."""
        return self._coordinator.reach(timestamp)

    def metrics(self) -> list[Metric]:
        """(name, labels, value) of every counter and gauge; docs/metrics.md says which are counters."""
        return [*metrics(self._coordinator), ("tailrace_sessions", {}, float(len(self._sessions)))]

    @property
    def ready(self) -> bool:
        """Whether every view and index that was there at the start has hydrated."""
        present = self._coordinator.catalog.items.keys()
        return all(self._coordinator.is_live(id) for id in self._begin if id in present)

    def close(self) -> None:
        """End sources, sessions and subscriptions. What was acknowledged is kept. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            sessions = list(self._sessions)
        for session in sessions:
            session.terminate()  # all of them first: closing one may wait for what another runs
        for session in sessions:
            session.close()
        self._coordinator.close()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise SqlError("the database is closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
