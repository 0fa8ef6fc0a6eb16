"""Chance: values that differ from row to row and from run to run.

Like the session's functions they are only named here. A statement puts a seed in the place of each call that it makes,
so that evaluation stays a function of its input: `drawn` makes the function that draws from a seed, row after row.
Nothing that is kept up to date can call them.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Final

import numpy as np

from engine import types
from engine.collection.vector import Vector
from engine.expr.columns import Codes
from engine.expr.registry import Function, Kernel
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

SEED_BITS: Final = 256
"""Of the chance that a statement puts in the place of a call: what a uuid has to hide."""


def _unsubstituted(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    raise AssertionError("a call of chance is given its seed before anything is evaluated")


def _numbers(seed: int) -> Callable[["Context", int], Codes]:
    """Doubles of 53 bits from 0 (inclusive) to 1 (exclusive)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return lambda context, n: generator.random(n).view(np.uint64)


def _uuids(seed: int) -> Callable[["Context", int], Codes]:
    """Version 4: 122 bits that nobody foresees who does not know the seed. 1 us a row."""
    key, numbers = seed.to_bytes(SEED_BITS // 8, "little"), count()

    def drawn() -> bytes:
        data = bytearray(blake2b(next(numbers).to_bytes(8, "little"), key=key, digest_size=16).digest())
        data[6] = data[6] & 0x0F | 0x40
        data[8] = data[8] & 0x3F | 0x80
        return bytes(data)

    return lambda context, n: context.heap.intern_many([drawn() for _ in range(n)])


SOURCES: Final = {"random": _numbers, "gen_random_uuid": _uuids, "uuid_generate_v4": _uuids}


def drawn(name: str, result: SqlType, seed: int) -> Function:
    """The function that draws a value for each row. Its argument, a number of this call alone, tells it from others."""
    draw = SOURCES[name](seed)

    def of_rows(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        return Vector(draw(context, len(vectors[0].words)))

    kernel: Kernel = of_rows
    return Function(name, (types.BIGINT,), result, kernel, never_null=True, volatile=True, of=seed)


FUNCTIONS: Final = (
    Function("random", (), types.DOUBLE, _unsubstituted, volatile=True, never_null=True,
             doc="a number from 0 to 1, 1 excluded; another one for each row"),
    *(
        Function(name, (), types.UUID, _unsubstituted, volatile=True, never_null=True,
                 doc="a uuid of chance (version 4); another one for each row")
        for name in ("gen_random_uuid", "uuid_generate_v4")
    ),
)  # fmt: skip
