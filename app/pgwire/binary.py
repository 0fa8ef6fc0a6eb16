"""Parameters in the binary format -> the text of the same datum, by the type that the client declared.

From  PostgreSQL's *_recv functions: integers and floats in network order, dates and times counted from 2000-01-01,
      numeric as digits of base 10,000.
"""

import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from engine import types
from engine.errors import SqlError, Unsupported


class InvalidBinary(SqlError):
    sqlstate = "22P03"


def unpacked(layout: str) -> Callable[[bytes], str]:
    return lambda data: str(struct.unpack(layout, data)[0])


def float_text(layout: str) -> Callable[[bytes], str]:
    """Python's shortest form; `inf` and `nan` are spelled so that a cast reads them."""
    return lambda data: str(struct.unpack(layout, data)[0]).replace("inf", "Infinity").replace("nan", "NaN")


def timestamp_text(data: bytes) -> str:
    (microseconds,) = struct.unpack(">q", data)
    return str(datetime(2000, 1, 1) + timedelta(microseconds=microseconds))


def date_text(data: bytes) -> str:
    (days,) = struct.unpack(">i", data)
    return str(date(2000, 1, 1) + timedelta(days=days))


def time_text(data: bytes) -> str:
    (microseconds,) = struct.unpack(">q", data)
    return str((datetime(2000, 1, 1) + timedelta(microseconds=microseconds)).time())


def interval_text(data: bytes) -> str:
    microseconds, days, months = struct.unpack(">qii", data)
    return f"{months} months {days} days {Decimal(microseconds).scaleb(-6):f} seconds"


def numeric_text(data: bytes) -> str:
    """int16 count, weight of the first digit, sign, digits after the point; then digits of base 10,000."""
    count, weight, sign, scale = struct.unpack(">hhHh", data[:8])
    if sign == 0xC000:
        return "NaN"
    digits = struct.unpack(f">{count}h", data[8:])
    number = sum((Decimal(digit).scaleb(4 * (weight - place)) for place, digit in enumerate(digits)), Decimal(0))
    return f"{'-' if sign == 0x4000 else ''}{number:.{scale}f}"


TEXT_OF: Final[Mapping[int, Callable[[bytes], str]]] = {
    types.BOOLEAN.oid: lambda data: "true" if struct.unpack(">?", data)[0] else "false",
    types.SMALLINT.oid: unpacked(">h"),
    types.INTEGER.oid: unpacked(">i"),
    types.BIGINT.oid: unpacked(">q"),
    types.OID.oid: unpacked(">I"),
    types.REAL.oid: float_text(">f"),
    types.DOUBLE.oid: float_text(">d"),
    types.NUMERIC.oid: numeric_text,
    types.TEXT.oid: bytes.decode,
    types.VARCHAR.oid: bytes.decode,
    types.CHAR.oid: bytes.decode,
    types.UNKNOWN.oid: bytes.decode,
    0: bytes.decode,
    types.BYTEA.oid: lambda data: "\\x" + data.hex(),
    types.DATE.oid: date_text,
    types.TIME.oid: time_text,
    types.TIMESTAMP.oid: timestamp_text,
    types.TIMESTAMPTZ.oid: lambda data: timestamp_text(data) + "+00",
    types.INTERVAL.oid: interval_text,
    types.UUID.oid: lambda data: str(UUID(bytes=data)),
    types.JSONB.oid: lambda data: data[1:].decode(),  # behind the version byte
}


def parameter_text(data: bytes, oid: int) -> str:
    """The text of one binary parameter. Unsupported for a type that is not here, InvalidBinary for bytes not of it."""
    read = TEXT_OF.get(oid)
    if read is None:
        raise Unsupported(f"binary parameters of type OID {oid} are not supported", hint="Send it as text.")
    try:
        return read(data)
    except (struct.error, ValueError, OverflowError):
        raise InvalidBinary(f"incorrect binary data format in a parameter of type OID {oid}") from None
