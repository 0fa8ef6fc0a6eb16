"""The state of the demo's screen: the answers of the views, which cells changed, rows a second, freshness."""

from collections import deque
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Final

from app.cli.live.views import FRESHNESS, ROWS, VIEWS, View
from engine.database import Database, Session

MARKED_SECONDS: Final = 1.0
"""How long a changed cell stays marked: long enough to be seen."""

RATE_SECONDS: Final = 3.0
"""The window over which rows a second are counted."""

Row = tuple[str | None, ...]


@dataclass(slots=True)
class Watched:
    """One view on the screen: its rows as text, and when each cell last changed (monotonic seconds)."""

    view: View
    rows: list[Row] = field(default_factory=list[Row])
    changed: dict[tuple[Row, int], float] = field(default_factory=dict[tuple[Row, int], float])
    """By row key and column. A new row changes in all its columns."""

    def show(self, rows: list[Row], now: float) -> None:
        before = {row[: self.view.key]: row for row in self.rows}
        whole = set(self.rows)
        for row in rows:
            key = self.key_of(row)
            known = before.get(key) if self.view.key else (row if row in whole else None)
            for column, value in enumerate(row):
                if known is None or known[column] != value:
                    self.changed[key, column] = now if self.rows else 0.0
        self.rows = rows
        self.changed = {cell: at for cell, at in self.changed.items() if now - at <= MARKED_SECONDS}

    def key_of(self, row: Row) -> Row:
        return row[: self.view.key] if self.view.key else row

    def marked(self, row: Row, column: int, now: float) -> bool:
        return now - self.changed.get((self.key_of(row), column), 0.0) <= MARKED_SECONDS


class Watch:
    """Asks the database and remembers. Used by one thread."""

    def __init__(self, database: Database) -> None:
        self._session: Session = database.session()
        self._freshness = database.subscribe(FRESHNESS)
        self._counts: deque[tuple[float, int]] = deque()
        self.views = [Watched(view) for view in VIEWS]
        self.orders = 0
        self.rows = 0
        self.freshness_ms: float | None = None
        """From the moment an order was written to the file to the moment its effect reached a subscriber."""

    def look(self) -> None:
        """Bring the state up to date with the views' answers."""
        now = monotonic()
        for watched in self.views:
            result = self._session.execute(watched.view.query)
            columns = [column.to_pylist() for column in result.text()]
            watched.show(list(zip(*columns, strict=True)), now)
        self.rows = int(str(self._session.execute(ROWS).rows()[0][0]))
        self._counts.append((now, self.rows))
        while now - self._counts[0][0] > RATE_SECONDS:
            self._counts.popleft()

    def wait(self, seconds: float) -> None:
        """Follow the arrival of orders for so long: each is timed when it comes, not when the screen is drawn."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            if self._freshness.wait(left) and (batch := self._freshness.poll()) is not None:
                for change in batch.changes():
                    if change.diff > 0 and change.row[1] is not None:
                        self.orders, newest = int(str(change.row[0])), int(str(change.row[1]))
                        self.freshness_ms = time() * 1000 - newest

    @property
    def rows_per_second(self) -> float:
        (first, before), (last, after) = self._counts[0], self._counts[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def close(self) -> None:
        self._freshness.close()
        self._session.close()
