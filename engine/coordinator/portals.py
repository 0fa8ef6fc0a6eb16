"""Portals: statements with their parameters' values, run or running. A cursor is one, whether SQL or a client made it.

A portal over a query runs it once and gives it out in pieces; one over a subscription gives what has come, and waits
for it as long as FETCH says. What a portal holds is words, never values or text: pieces are made when asked for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from engine.collection.batch import Batch
from engine.coordinator.prepared import Columns, Prepared
from engine.coordinator.result import CopyOut, Result
from engine.coordinator.subscription import Subscription
from engine.errors import InvalidParameter, ObjectNotInState
from engine.expr.interval_text import parse_interval
from engine.sql.parameters import Parameters
from engine.sql.statement.session import Fetch

Answer = Result | Subscription | CopyOut
WAIT_SECONDS: Final = 0.05
"""How often a FETCH that waits looks whether it was cancelled."""


@dataclass(slots=True, eq=False)
class Portal:
    """`answer` comes when it first runs; of a result, `sent` rows are out; of a subscription, `pending` are to come.

    `formats` are those that the client asked for, one a column, or one for all, or none: text. `hold`: it outlives its
    transaction.
    """

    prepared: Prepared
    parameters: Parameters
    formats: tuple[int, ...] = ()
    hold: bool = False
    answer: Answer | None = None
    sent: int = 0
    pending: list[Batch] = field(default_factory=list)

    @property
    def columns(self) -> Columns | None:
        return self.prepared.columns

    @property
    def streams(self) -> bool:
        """Whether it is over a subscription."""
        source = self.answer.source if isinstance(self.answer, CopyOut) else self.answer
        return isinstance(source, Subscription)

    def piece(self, count: int | None) -> Result:
        """The next `count` rows (None: all that are left) of a result, as a result of their own."""
        result = self.answer
        assert isinstance(result, Result)
        if result.batch is None:
            raise ObjectNotInState("the portal cannot be run again: its statement has been executed")
        end = result.row_count if count is None else min(result.row_count, self.sent + count)
        found = result.slice(self.sent, end)
        self.sent = end
        return found

    def close(self) -> None:
        source = self.answer.source if isinstance(self.answer, CopyOut) else self.answer
        if isinstance(source, Subscription):
            source.close()


class Makes(Protocol):
    """Makes a result of rows (Coordinator.result)."""

    def __call__(self, tag: str, columns: Columns, batch: Batch) -> Result: ...


def changes(portal: Portal, source: Subscription, fetch: Fetch, check: Callable[[], None], make: Makes) -> Result:
    """What has come, up to the FETCH's rows. Without a timeout it waits for a row; with one, for that many of them."""
    seconds, count = timeout(fetch), fetch.count
    until = None if seconds is None else time.monotonic() + seconds
    have = sum(map(len, portal.pending))
    while not source.ended:
        if count is not None and have >= count:
            break
        batch = source.poll()
        if batch is not None:
            rows = batch.result().batch
            assert rows is not None
            portal.pending.append(rows)
            have += len(rows)
            continue
        if until is None and have:
            break
        left = WAIT_SECONDS if until is None else until - time.monotonic()
        if left <= 0:
            break
        source.wait(min(left, WAIT_SECONDS))
        check()
    rows = Batch.concat([Batch.empty(len(source.columns)), *portal.pending])
    n = len(rows) if count is None else min(count, len(rows))
    portal.pending = [rows.take(np.arange(n, len(rows)))] if n < len(rows) else []
    return make(f"FETCH {n}", source.columns, rows if n == len(rows) else rows.take(np.arange(n)))


def timeout(statement: Fetch) -> float | None:
    """WITH (timeout = '1s') in seconds; None without one."""
    seconds = None
    for option in statement.options:
        if option.name != "timeout" or option.value is None:
            raise InvalidParameter(f'unrecognized FETCH option "{option.name}"', position=option.at)
        interval = parse_interval(str(option.value))
        seconds = interval.days * 86_400 + interval.microseconds / 1e6
        if interval.months or seconds < 0:
            raise InvalidParameter("timeout must not be negative and without months", position=option.at)
    return seconds
