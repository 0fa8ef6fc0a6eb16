"""What sessions have run: the last statements of all of them, and the one that each runs or ran last.

Bounds  STATEMENTS_MAX statements, SQL_MAX characters of each. Look-ups by key that are answered on the event loop are
        not among them: they are counted (mz_query_count).
"""

import itertools
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from engine.catalog.system.definition import StatementState
from engine.sql.redaction import masked

STATEMENTS_MAX: Final = 1_000
"""An hour of somebody who looks around, ten seconds of a busy client."""
SQL_MAX: Final = 4_096


def word_of(statement: type) -> str:
    """What a statement is, in lower case."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", statement.__name__.removesuffix("Statement")).lower()


@dataclass(slots=True)
class Run:
    """One run of a statement. Its session changes it, once, when it has ended."""

    id: int
    session: int
    application: str
    kind: type
    sql: str
    began: datetime
    finished: datetime | None = None
    error: str | None = None


class Activity:
    """The last runs of statements. Adding one costs about two microseconds, in any thread."""

    def __init__(self) -> None:
        self._runs: deque[Run] = deque(maxlen=STATEMENTS_MAX)
        self._ids = itertools.count(1)

    def begin(self, session: int, application: str, kind: type, sql: str) -> Run:
        run = Run(next(self._ids), session, application, kind, sql[:SQL_MAX], datetime.now(UTC))
        self._runs.append(run)
        return run

    def states(self) -> Iterator[StatementState]:
        """Oldest first."""
        return map(shown, tuple(self._runs))


def shown(run: Run) -> StatementState:
    """The run as system relations have it: without the secrets of its text."""
    return StatementState(
        run.id, run.session, run.application, word_of(run.kind), masked(run.sql), run.began, run.finished, run.error
    )
