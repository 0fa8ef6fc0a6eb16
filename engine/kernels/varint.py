# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Integers of as many bytes as they need: what Avro and Kafka's record batches are made of."""

import numpy as np
from numba.extending import register_jitable


@register_jitable
def varint(data, at, end):
    """(value, position behind it) of a zigzag varint; the position is -1 when it runs out of data."""
    value, shift = np.uint64(0), np.uint64(0)
    while at < end and shift < np.uint64(70):
        b = np.uint64(data[at])
        at += 1
        value |= (b & np.uint64(127)) << shift
        if b < np.uint64(128):
            return np.int64(value >> np.uint64(1)) ^ -np.int64(value & np.uint64(1)), at
        shift += np.uint64(7)
    return np.int64(0), -1
