"""Numbers that look random and are a function of what asks for them: splitmix64 of (what, key) is the whole dice.

So every generated row is a function of its key alone: any part of a data set can be made at any time, in any order,
again and again, and nothing is kept.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow.compute import call_function

Keys = NDArray[np.int64]


def draw(key: Keys, what: int, below: int | Keys) -> Keys:
    """A number in 0..below-1 for each key, another for each `what`."""
    with np.errstate(over="ignore"):
        x = key.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(what * 0x632BE59BD9B4E019 & (1 << 64) - 1)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) % np.asarray(below, np.uint64)).astype(np.int64)


def between(key: Keys, what: int, least: int, most: int) -> Keys:
    """A number in least..most for each key."""
    return least + draw(key, what, most - least + 1)


def pick(key: Keys, what: int, choices: Sequence[str]) -> pa.DictionaryArray:
    """One of the choices for each key."""
    return chosen(draw(key, what, len(choices)), choices)


def chosen(at: Keys, choices: Sequence[str]) -> pa.DictionaryArray:
    """Choice number `at` for each key."""
    return pa.DictionaryArray.from_arrays(pa.array(at, pa.int32()), pa.array(choices, pa.string()))


def words(key: Keys, what: int, choices: Sequence[str], count: int, separator: str = " ") -> pa.Array:
    """`count` of the choices for each key, each drawn by itself."""
    parts = [pick(key, what + i, choices) for i in range(count)]
    return joined(parts, separator)


def joined(parts: Sequence[pa.Array | str], separator: str) -> pa.Array:
    """The parts of each row as one text; a part that is one text stands in every row."""
    return call_function("binary_join_element_wise", [*map(_text, parts), pa.scalar(separator)])


def _text(part: pa.Array | str) -> pa.Array | pa.Scalar:
    return pa.scalar(part) if isinstance(part, str) else part.cast(pa.string())


def numbered(prefix: str, key: Keys, width: int) -> pa.Array:
    """The prefix and the key, with zeros in front up to `width` digits."""
    digits = np.char.zfill(key.astype(np.str_), width)
    return joined([prefix, pa.array(digits)], "")


def decimal(hundredths: Keys, precision: int = 15) -> pa.Array:
    """Hundredths as decimals of scale 2."""
    halves = np.empty((len(hundredths), 2), np.int64)
    halves[:, 0] = hundredths
    halves[:, 1] = hundredths >> 63
    return pa.Array.from_buffers(pa.decimal128(precision, 2), len(hundredths), [None, pa.py_buffer(halves)])
