"""Places in a log: pg_lsn counts bytes, and the difference of two is how many lie between.

Of transactions, commands and rows (xid, cid, xid8, tid) there are only comparisons: comparison.py; an xid is compared
with an integer too, by its 32 bits.
"""

from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from engine import types
from engine.errors import InvalidArgument, UnsupportedValue
from engine.expr.columns import each
from engine.expr.registry import Function
from engine.expr.text_forms import EXACT

LSN_MAX: Final = (1 << 64) - 1


def _moved(by: int) -> Callable[[int, Decimal], int]:
    """A place so many bytes farther (1) or nearer (-1), halves of a byte rounded away from zero."""

    def move(place: int, bytes: Decimal) -> int:
        if bytes.is_nan():
            raise UnsupportedValue(f"cannot {'add NaN to' if by > 0 else 'subtract NaN from'} pg_lsn")
        exact = EXACT.add(Decimal(place), bytes if by > 0 else bytes.copy_negate())
        moved = int(exact.to_integral_value(ROUND_HALF_UP)) if exact.is_finite() else -1
        if not 0 <= moved <= LSN_MAX:
            raise InvalidArgument("pg_lsn out of range")
        return moved

    return move


XID_OF: Final = each("xid", (types.INTEGER,), types.XID, lambda number: number & 0xFFFF_FFFF)
"""What an integer is beside the number of a transaction. No query can call it."""


def _rows() -> Iterator[Function]:
    number, place = types.NUMERIC, types.PG_LSN
    forward, back = _moved(1), _moved(-1)
    doc = "how many bytes lie between"
    yield each("-", (place, place), number, lambda a, b: Decimal(a - b), doc)
    yield each("pg_wal_lsn_diff", (place, place), number, lambda a, b: Decimal(a - b), doc)
    yield each("+", (place, number), place, forward, "so many bytes farther", can_fail=True)
    yield each("+", (number, place), place, lambda a, b: forward(b, a), "so many bytes farther", can_fail=True)
    yield each("-", (place, number), place, back, "so many bytes nearer", can_fail=True)


FUNCTIONS: Final = tuple(_rows())
