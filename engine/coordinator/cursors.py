"""A session's own names: prepared statements, and cursors over queries and subscriptions.

A prepared statement is kept as text; EXECUTE puts its arguments in the places of `$n` and runs that. A cursor over a
query runs it at the first FETCH and gives it out in pieces; one over a subscription gives what has come, and waits for
it as long as its FETCH says. Cursors live as long as their transaction.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from engine.collection.batch import Batch
from engine.collection.value import Value
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.result import CopyOut, Result
from engine.coordinator.subscription import Subscription
from engine.errors import (
    DuplicateCursor,
    DuplicateStatement,
    InvalidParameter,
    SyntaxError_,
    UndefinedCursor,
    UndefinedStatement,
)
from engine.expr.interval_text import parse_interval
from engine.sql.dialect import parse
from engine.sql.parameters import highest, inline
from engine.sql.statements import Declare, Execute, Fetch, Prepare, SelectStatement, Statement, Subscribe

Answer = Result | Subscription | CopyOut
WAIT_SECONDS: Final = 0.05
"""How often a FETCH that waits looks whether it was cancelled."""


@dataclass(slots=True)
class Cursor:
    """`answer` comes with the first FETCH; of a result `sent` rows are out, of a subscription `pending` are to come."""

    statement: SelectStatement | Subscribe
    answer: Answer | None = None
    sent: int = 0
    pending: deque[tuple[Value, ...]] = field(default_factory=deque)


class Names:
    """The prepared statements and the cursors of one session. `run` runs a statement of it, `check` raises when the
    running statement is cancelled."""

    def __init__(self, coordinator: Coordinator, run: Callable[[Statement], Answer], check: Callable[[], None]) -> None:
        self._coordinator = coordinator
        self._run = run
        self._check = check
        self._prepared: dict[str, Prepare] = {}
        self._cursors: dict[str, Cursor] = {}

    def prepare(self, statement: Prepare) -> Result:
        if statement.name in self._prepared:
            raise DuplicateStatement(f'prepared statement "{statement.name}" already exists')
        bodies = parse(inline(statement.body, ["NULL"] * highest(statement.body)))
        assert len(bodies) == 1
        self._prepared[statement.name] = statement
        return Result("PREPARE")

    def expanded(self, statement: Execute) -> Statement:
        """What EXECUTE runs. Positions in its errors are those in the text with the arguments in it."""
        prepared = self._prepared.get(statement.name)
        if prepared is None:
            raise UndefinedStatement(f'prepared statement "{statement.name}" does not exist')
        wanted = max(highest(prepared.body), len(prepared.types))
        if len(statement.arguments) != wanted:
            raise SyntaxError_(
                f'wrong number of parameters for prepared statement "{statement.name}"',
                detail=f"Expected {wanted} parameters but got {len(statement.arguments)}.",
            )
        given = [text if simple(text) else f"({text})" for text in statement.arguments]
        for i, type in enumerate(prepared.types):
            given[i] = f"CAST({given[i]} AS {type})"
        (found,) = parse(inline(prepared.body, given))
        return found

    def deallocate(self, name: str | None) -> Result:
        if name is None:
            self._prepared.clear()
            return Result("DEALLOCATE ALL")
        if self._prepared.pop(name, None) is None:
            raise UndefinedStatement(f'prepared statement "{name}" does not exist')
        return Result("DEALLOCATE")

    def declare(self, statement: Declare) -> Result:
        if statement.name in self._cursors:
            raise DuplicateCursor(f'cursor "{statement.name}" already exists')
        cursor = self._cursors[statement.name] = Cursor(statement.statement)
        if isinstance(statement.statement, Subscribe):
            cursor.answer = self._run(statement.statement)
        return Result("DECLARE CURSOR")

    def fetch(self, statement: Fetch) -> Result:
        cursor = self._cursors.get(statement.name)
        if cursor is None:
            raise UndefinedCursor(f'cursor "{statement.name}" does not exist')
        seconds = timeout(statement)
        if cursor.answer is None:
            cursor.answer = self._run(cursor.statement)
        if isinstance(cursor.answer, Subscription):
            return self._changes(cursor, cursor.answer, statement.count, seconds)
        result = cursor.answer
        assert isinstance(result, Result)
        assert result.batch is not None
        end = result.row_count if statement.count is None else min(result.row_count, cursor.sent + statement.count)
        rows = result.batch.take(np.arange(cursor.sent, end))
        cursor.sent = end
        return self._coordinator.result(f"FETCH {len(rows)}", result.columns, rows, timestamp=result.timestamp)

    def _changes(self, cursor: Cursor, changes: Subscription, count: int | None, seconds: float | None) -> Result:
        """What has come, up to `count` rows. Without a timeout it waits for a row; with one, for `count` of them."""
        until = None if seconds is None else time.monotonic() + seconds
        while not changes.ended:
            batch = changes.poll()
            if batch is not None:
                cursor.pending.extend(batch.rows())
                continue
            if (count is not None and len(cursor.pending) >= count) or (until is None and cursor.pending):
                break
            left = WAIT_SECONDS if until is None else until - time.monotonic()
            if left <= 0:
                break
            changes.wait(min(left, WAIT_SECONDS))
            self._check()
        n = len(cursor.pending) if count is None else min(count, len(cursor.pending))
        rows = [cursor.pending.popleft() for _ in range(n)]
        if not rows:
            nothing = Batch.empty(len(changes.columns))
            return self._coordinator.result("FETCH 0", changes.columns, nothing)
        return self._coordinator.rows(f"FETCH {n}", changes.columns, rows)

    def close(self, name: str | None) -> Result:
        found = list(self._cursors) if name is None else [name]
        for each in found:
            cursor = self._cursors.pop(each, None)
            if cursor is None:
                raise UndefinedCursor(f'cursor "{each}" does not exist')
            if isinstance(cursor.answer, Subscription):
                cursor.answer.close()
        return Result("CLOSE CURSOR ALL" if name is None else "CLOSE CURSOR")


def simple(text: str) -> bool:
    """Whether a constant needs no parentheses: an untyped literal stays one."""
    return text.startswith("'") or text.isdigit() or text.upper() == "NULL"


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
