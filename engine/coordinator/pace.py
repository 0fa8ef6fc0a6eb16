"""How many rows of sources a tick takes: as many as the last ones say fit into its time and its bytes.

Law    after ticks whose rows cost the same each, a tick takes no longer than its time and makes no more than its bytes,
       if ROWS_MIN rows do not; it takes all that it may if they fit. One tick that went beyond is believed at once;
       from small ticks it grows by GROWTH, since a tick has costs that are not its rows'. So it does from ROWS_BEGIN
       when nobody knows what a row costs: at the beginning, and whenever there is another view, of which a row may
       make a thousand. While views are being built, of which nobody knows that yet, ROWS_BUILDING is the most: what
       was read when one of them joins goes into ticks in the pieces in which it was read.
"""

from typing import Final

from engine.connectors.feed import ROWS_BEGIN

ROWS_MIN: Final = 256
"""Below that a tick's own cost, some 0.2 ms, would count."""

ROWS_BUILDING: Final = 4_096
"""Of which a tick's own cost is a twentieth where views do little with a row."""

GROWTH: Final = 16
"""From a thousand rows to all in three ticks. What they cost says how far, before that."""


class Pace:
    """See above."""

    def __init__(self, rows_max: int, seconds_max: float, bytes_max: int) -> None:
        self._rows_max: Final = rows_max
        self._seconds_max: Final = seconds_max
        self._bytes_max: Final = bytes_max
        self.rows = min(rows_max, ROWS_BEGIN)

    def took(self, rows: int, seconds: float, made: int) -> None:
        """A tick with so many rows of sources is over; its operators made so many bytes."""
        load = max(seconds / self._seconds_max, made / self._bytes_max, 1e-9)
        fitting = int(rows / load)
        if load > 1:
            self.rows = max(min(ROWS_MIN, self._rows_max), min(self.rows, fitting))
        elif rows * 2 >= self.rows:
            self.rows = max(self.rows, min(self._rows_max, self.rows * GROWTH, fitting))

    def building(self) -> None:
        """There is going to be another view."""
        self.rows = min(self.rows, ROWS_BUILDING)

    def unknown(self) -> None:
        """There is another view: what a row costs is not known any more."""
        self.rows = min(self.rows, ROWS_BEGIN)
