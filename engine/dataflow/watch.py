"""Whether an answer is still wanted: what whoever asked for it says while it is computed."""

from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")


class Watch:
    """Here it always is. Others raise when it is not."""

    def check(self) -> None:
        """Raises when the answer is not wanted any more. Called between steps, from any thread."""

    @property
    def too_long(self) -> bool:
        """Whether the last step took so long that shorter ones are better."""
        return False

    def run(self, work: Callable[[], T], rows: int | None) -> T:
        """One step over so many rows (None: however long it takes). It may be left behind, so what it writes to is
        nobody else's."""
        return work()


ALWAYS: Final = Watch()
