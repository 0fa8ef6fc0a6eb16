"""Hash functions that Python does not bring along, as their definitions give them: for values, not for the data path.

Who needs the same number as another system (a Kafka partitioner, a checksum in a file) needs exactly these.
"""

from functools import cache
from typing import Final

MASK32: Final = (1 << 32) - 1
MASK64: Final = (1 << 64) - 1

CASTAGNOLI: Final = 0x82F63B78
"""CRC-32C's polynomial, reversed."""


@cache
def _castagnoli_table() -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720, appendix B.4). O(bytes)."""
    table = _castagnoli_table()
    value = MASK32
    for byte in data:
        value = table[(value ^ byte) & 255] ^ value >> 8
    return value ^ MASK32


MURMUR_SEED: Final = 0x9747B28C
MURMUR: Final = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """MurmurHash2 (Appleby, 2008) as Kafka's partitioner takes it: 32 bits, signed. O(bytes)."""
    value = MURMUR_SEED ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        part = int.from_bytes(data[at : at + 4], "little") * MURMUR & MASK32
        part = (part ^ part >> 24) * MURMUR & MASK32
        value = value * MURMUR & MASK32 ^ part
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * MURMUR & MASK32
    value = (value ^ value >> 13) * MURMUR & MASK32
    value ^= value >> 15
    return value - (1 << 32) if value >> 31 else value


SEA_STATE: Final = (0x16F11FE89B0D677C, 0xB480A793D8E6C86C, 0x6FE2E5AAF078EBC9, 0x14F994A4C5259381)
SEA: Final = 0x6EED0E9DA4D94A4F


def _diffuse(value: int) -> int:
    value = value * SEA & MASK64
    value ^= (value >> 32) >> (value >> 60)
    return value * SEA & MASK64


def seahash(data: bytes) -> int:
    """SeaHash (2016) with its default seeds: 64 bits, unsigned. O(bytes)."""
    a, b, c, d = SEA_STATE
    for at in range(0, len(data), 8):
        a, b, c, d = b, c, d, _diffuse(a ^ int.from_bytes(data[at : at + 8], "little"))
    return _diffuse(a ^ b ^ c ^ d ^ len(data))
