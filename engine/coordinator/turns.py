"""Turns of the threads of a process in which somebody runs statement after statement and never waits.

The interpreter gives its lock to who has waited for 5 ms without a change. A statement lets go of it in each kernel for
some microseconds, and has it back before another thread is awake: none of them ever waits for 5 ms in a row, and so
readers of sources, ticks and hydrations may have no turn for minutes. A server's sessions wait for their clients, who
runs statements in a loop in this process does not.
"""

import time
from typing import Final

TURN_SECONDS: Final = 0.005
PAUSE_SECONDS: Final = 50e-6
"""The operating system makes it 100 us: others are awake by then, and who loops loses a fiftieth."""


class Turns:
    """Of one database. Safe in any thread: at worst two of them pause where one would do."""

    def __init__(self) -> None:
        self._paused = time.monotonic()

    def give(self) -> None:
        """Before a statement of a caller that may not wait for anything: let the others run, if it is time."""
        if time.monotonic() - self._paused > TURN_SECONDS:
            time.sleep(PAUSE_SECONDS)
            self._paused = time.monotonic()
