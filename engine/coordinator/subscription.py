"""Subscriptions: a bounded queue of changes between the ticks and one subscriber."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

import pyarrow as pa

from engine.collection.batch import Batch
from engine.errors import SqlError
from engine.expr.scalar import Value
from engine.types import Column


class Change(NamedTuple):
    """One change of the subscribed relation: `diff` copies of `row` came (or, negative, went) at `timestamp` (ms).

    A progress mark has `progressed` set, diff 0 and row (): no more changes with times below `timestamp` will come.
    """

    timestamp: int
    diff: int
    row: tuple[Value, ...]
    progressed: bool = False


class SubscriptionBatch:
    """All changes of one time (the snapshot, one tick, or several ticks merged), or one progress mark.

    `timestamp` is in ms. `columns` are those of the Subscription: mz_timestamp numeric, with PROGRESS also
    mz_progressed boolean, mz_diff bigint, then the query's columns. `progressed` batches hold exactly one row, the mark,
    whose other columns are NULL. `diffs` is int64[n].
    """

    timestamp: int
    progressed: bool
    columns: tuple[Column, ...]
    row_count: int

    def changes(self) -> list[Change]:
        """The changes as tuples."""
        raise NotImplementedError

    def rows(self) -> list[tuple[Value, ...]]:
        """The rows over all of `columns`, the mz_ ones first."""
        raise NotImplementedError

    def arrow(self) -> pa.Table:
        """The same as an Arrow table."""
        raise NotImplementedError

    def text(self) -> list[pa.LargeStringArray]:
        """The same as text per column, as `Result.text`."""
        raise NotImplementedError


class Subscription:
    """The changes of a query's answer, from a snapshot on, each tick's as one batch, in order of time.

    Never loses a change and never slows a tick: what a slow subscriber has not taken yet is merged to net changes.
    Iterating waits for changes and ends when the subscription does (`close`, the relation dropped, or, by raising its
    SqlError, when the relation has an error). Not iterating: `poll` takes what is there, `on_ready` tells when to.
    """

    columns: tuple[Column, ...]
    """What comes: mz_timestamp, with PROGRESS mz_progressed, mz_diff, then the query's columns."""

    with_progress: bool

    def poll(self) -> SubscriptionBatch | None:
        """The next batch without waiting; None when there is none (see `ended`). Raises the error that ended it, after
        all the batches before it were taken."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds (None: for ever) until `poll` has something to say. Whether it has."""
        raise NotImplementedError

    def on_ready(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` when `poll` turns from having nothing to having something (also: the end). It runs in the
        thread that ticks, so it may only wake somebody (loop.call_soon_threadsafe). At once, if there is something."""
        raise NotImplementedError

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more: poll gives None for ever."""
        raise NotImplementedError

    @property
    def error(self) -> SqlError | None:
        """Why it ended, if by an error."""
        raise NotImplementedError

    def close(self) -> None:
        """End it. Idempotent."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Change]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
