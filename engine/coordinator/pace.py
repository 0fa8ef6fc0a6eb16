"""How many rows of sources a tick takes: as many as the last ones say fit into its time, and no more than it may.

Law    after ticks whose rows cost the same each, a tick takes no longer than its time, if ROWS_MIN rows do not; it
       takes all that it may if they fit. One slow tick is believed at once; from small ticks it doubles, since a tick
       has costs that are not its rows'. So it does from the beginning, when nobody knows what a row costs.
"""

from typing import Final

from engine.connectors.ingest import ROWS_BEGIN

ROWS_MIN: Final = 256
"""Below that a tick's own cost, some 0.2 ms, would count."""


class Pace:
    """See above."""

    def __init__(self, rows_max: int, seconds_max: float) -> None:
        self._rows_max: Final = rows_max
        self._seconds_max: Final = seconds_max
        self.rows = min(rows_max, ROWS_BEGIN)

    def took(self, rows: int, seconds: float) -> None:
        """A tick with so many rows of sources is over."""
        if seconds > self._seconds_max:
            fitting = int(rows * self._seconds_max / seconds)
            self.rows = max(min(ROWS_MIN, self._rows_max), min(self.rows, fitting))
        elif rows * 2 >= self.rows:
            fitting = int(rows * self._seconds_max / max(seconds, 1e-6))
            self.rows = max(self.rows, min(self._rows_max, self.rows * 2, fitting))
