"""The one door to the engine: Database, Session, Result, Subscription.

    db = Database.in_memory()
    db.execute("CREATE TABLE t (k text, v bigint)")
    db.execute("CREATE MATERIALIZED VIEW s AS SELECT k, sum(v) FROM t GROUP BY k")
    db.write("t", [("a", 1), ("b", 2)])
    db.execute("SELECT * FROM s").rows()
    for change in db.subscribe("SUBSCRIBE s"): ...
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.coordinator.options import Options
from engine.coordinator.result import CopyOut, Notice, Result
from engine.coordinator.session import Session
from engine.coordinator.subscription import Change, Subscription, SubscriptionBatch
from engine.expr.scalar import Value

__all__ = ["Change", "CopyOut", "Database", "Notice", "Options", "Result", "Session", "Subscription", "SubscriptionBatch"]

Rows = pa.Table | pa.RecordBatch | Sequence[tuple[Value, ...]]


class Database:
    """One Tailrace: a catalog, its collections, and the threads of its sources. Every method is safe in any thread."""

    @classmethod
    def in_memory(cls, options: Options = Options()) -> Self:
        """A database that ends with the process."""
        raise NotImplementedError

    @classmethod
    def open(cls, directory: str | Path, options: Options = Options()) -> Self:
        """The database kept in `directory`, which is made if need be. One process at a time: a second one gets
        SourceError. Returns when the catalog is there; `ready` tells when the views are."""
        raise NotImplementedError

    def session(self, user: str = "materialize", variables: Mapping[str, str] | None = None) -> Session:
        """A new session. LimitExceeded beyond Options.sessions_max; InvalidParameter for a bad variable."""
        raise NotImplementedError

    def execute(self, sql: str) -> Result:
        """Run the statements in a session of their own; the answer of the last. Raises SqlError."""
        raise NotImplementedError

    def subscribe(self, sql: str) -> Subscription:
        """A subscription in a session of its own: see Session.subscribe."""
        raise NotImplementedError

    def write(self, table: str, rows: Rows, diffs: NDArray[np.int64] | Sequence[int] | None = None) -> int:
        """Add rows to a table (or with negative `diffs` take them away) in one tick, without SQL; its timestamp in ms.

        `rows` has the table's columns in order: tuples, or Arrow of types that cast to the table's. `diffs` is int64[n],
        by default all 1. When this returns, every read sees the rows. Atomic: a NULL in a NOT NULL column fails it whole
        (NotNullViolation), and so does taking away rows that are not there (ConstraintViolation).
        """
        raise NotImplementedError

    def metrics(self) -> list[tuple[str, dict[str, str], float]]:
        """(name, labels, value) of every counter and gauge; names end in their unit, counters in _total."""
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        """Whether every view and index that was there at the start has hydrated."""
        raise NotImplementedError

    def close(self) -> None:
        """End sources, sessions and subscriptions. What was acknowledged is kept. Idempotent."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
