"""Values of plain types within nested ones (collection/nested.py), as bytes that compare as the values do.

A writer appends a value to bytes; a reader takes (data, offset) and gives the value there and the offset behind it.
"""

import struct
from decimal import Decimal
from typing import Final

from engine.collection.value import Interval

SIGN: Final = 1 << 63
ALL: Final = (1 << 64) - 1
DAY: Final = 86_400_000_000
NEGATIVE_INFINITY, NEGATIVE, ZERO, POSITIVE, INFINITY, NAN = range(6)
EXPONENT_BIAS: Final = 1 << 15
FLIP: Final = bytes(255 - i for i in range(256))


def write_bytes(raw: bytes, out: bytearray) -> None:
    """Text and bytes: 00 escaped as 00 FF, closed by 00 00."""
    out += raw.replace(b"\x00", b"\x00\xff") if 0 in raw else raw
    out += b"\x00\x00"


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """The bytes."""
    end = data.index(0, at)
    while data[end + 1] == 0xFF:
        end = data.index(0, end + 2)
    return data[at:end].replace(b"\x00\xff", b"\x00"), end + 2


def read_text(data: bytes, at: int) -> tuple[str, int]:
    """The text."""
    found, at = read_bytes(data, at)
    return found.decode(), at


def write_float(raw: float, out: bytearray) -> None:
    """Eight bytes: -0 before 0; all NaN are one and the last."""
    bits = 0x7FF8 << 48 if raw != raw else int.from_bytes(struct.pack(">d", raw), "big")
    out += (~bits & ALL if bits & SIGN else bits | SIGN).to_bytes(8, "big")


def read_float(data: bytes, at: int) -> tuple[float, int]:
    """The double."""
    bits = int.from_bytes(data[at : at + 8], "big")
    bits = bits ^ SIGN if bits & SIGN else ~bits & ALL
    return struct.unpack(">d", bits.to_bytes(8, "big"))[0], at + 8


def write_decimal(raw: Decimal, out: bytearray) -> None:
    """Sign, exponent of the first digit, digits without trailing zeros; of a negative number flipped."""
    if raw.is_nan():
        out.append(NAN)
    elif raw.is_infinite():
        out.append(NEGATIVE_INFINITY if raw < 0 else INFINITY)
    elif raw == 0:
        out.append(ZERO)
    else:
        digits = bytes(48 + digit for digit in raw.as_tuple().digits).lstrip(b"0").rstrip(b"0")
        body = (raw.adjusted() + EXPONENT_BIAS).to_bytes(2, "big") + digits + b"\x00"
        out.append(NEGATIVE if raw < 0 else POSITIVE)
        out += body.translate(FLIP) if raw < 0 else body


def read_decimal(data: bytes, at: int) -> tuple[Decimal, int]:
    """The number."""
    kind = data[at]
    at += 1
    if kind == ZERO:
        return Decimal(0), at
    if kind == NAN:
        return Decimal("NaN"), at
    if kind in (INFINITY, NEGATIVE_INFINITY):
        return Decimal("Infinity" if kind == INFINITY else "-Infinity"), at
    end = data.index(0xFF if kind == NEGATIVE else 0, at + 2)
    body = data[at:end].translate(FLIP) if kind == NEGATIVE else data[at:end]
    exponent = int.from_bytes(body[:2], "big") - EXPONENT_BIAS - (len(body) - 3)
    digits = [digit - 48 for digit in body[2:]]
    if exponent > 0:
        digits, exponent = digits + [0] * exponent, 0
    return Decimal((int(kind == NEGATIVE), digits, exponent)), end + 1


def write_interval(raw: Interval, out: bytearray) -> None:
    """Its length as days (30 to a month) and the rest of a day, then months and days: as kernels/compare.py orders."""
    over, rest = divmod(raw.microseconds, DAY)
    length = raw.months * 30 + raw.days + over
    bias = 1 << 31
    out += struct.pack(">QQII", length + SIGN, rest, raw.months + bias, raw.days + bias)


def read_interval(data: bytes, at: int) -> tuple[Interval, int]:
    """The interval."""
    length, rest, months, days = struct.unpack_from(">QQII", data, at)
    bias = 1 << 31
    months, days = months - bias, days - bias
    return Interval(months, days, (length - SIGN - months * 30 - days) * DAY + rest), at + 24
