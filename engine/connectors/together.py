"""Sources that come to the same transactions: how far all of them can be taken in one tick.

Law    what a transaction did in several sources is in one tick: a tick takes a transaction of all its members or of
       none. A member that has more than the others waits; one that is behind (it was made later) catches up first.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Member(NamedTuple):
    """A source: `taken` is up to where its transactions are in ticks, `steps` are (up to where, rows so far) of the
    blocks that wait, in their order."""

    taken: int
    steps: Sequence[tuple[int, int]]


def cut(members: Sequence[Member], rows_max: int) -> int | None:
    """Up to where to take them: the farthest place at which each member stops or that it is past, of those within
    `rows_max` rows if there is one, else the nearest; None: there is none."""
    stops = sorted({upto for member in members for upto, _ in member.steps})
    found: int | None = None
    for stop in stops:
        rows = 0
        for taken, steps in members:
            here = next((sum_ for upto, sum_ in steps if upto == stop), None)
            if here is None and taken < stop:
                break
            rows += here or 0
        else:
            if found is None or rows <= rows_max:
                found = stop
    return found
