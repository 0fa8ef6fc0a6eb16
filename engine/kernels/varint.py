# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Integers of as many bytes as they need: what Avro and Kafka's record batches are made of."""

import numpy as np
from numba.extending import register_jitable

VARINT_BYTES_MAX = 10


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


@register_jitable
def zigzag(value):
    """A number as what is written seven bits a byte, the low ones first: small ones stay small, whatever their sign."""
    return np.uint64((value << np.int64(1)) ^ (value >> np.int64(63)))


@register_jitable
def varint_size(value):
    """Bytes of a number written."""
    rest = zigzag(value)
    size = 1
    while rest > np.uint64(127):
        rest >>= np.uint64(7)
        size += 1
    return size


@register_jitable
def put_varint(out, at, value):
    """The position behind the number, written."""
    rest = zigzag(value)
    while rest > np.uint64(127):
        out[at] = np.uint8(rest & np.uint64(127)) | np.uint8(128)
        rest >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(rest)
    return at + 1
