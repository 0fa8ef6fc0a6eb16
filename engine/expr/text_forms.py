"""The text form of every type, both ways, one raw value at a time (raw: engine/expr/columns.py).

Written once: casts, literals and results all read it. Dates and intervals have files of their own.
"""

import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from engine import types
from engine.collection import json
from engine.collection.value import Uuid
from engine.errors import InvalidArgument, InvalidText, OutOfRange, StringTooLong, Untranslatable
from engine.expr import acl, datetime_text
from engine.expr.interval_text import down_to, format_interval, parse_interval
from engine.expr.nested_text import format_nested, parse_nested
from engine.types import SqlType

RawValue: TypeAlias = Any
"""bool, int, float, str, bytes, Decimal or Interval: which one follows from the SQL type, unknown to pyright."""

DIGITS_MAX: Final = 39
"""Materialize's precision of numeric; more digits are an error, never rounded away silently before the point."""

NAME_BYTES_MAX: Final = 63

EXACT: Final = Context(prec=1000, rounding=ROUND_HALF_UP, Emax=999999, Emin=-999999)

INTEGER_RANGES: Final[Mapping[SqlType, tuple[int, int]]] = {
    types.SMALLINT: (-(1 << 15), (1 << 15) - 1),
    types.INTEGER: (-(1 << 31), (1 << 31) - 1),
    types.BIGINT: (-(1 << 63), (1 << 63) - 1),
    types.UINT2: (0, (1 << 16) - 1),
    types.UINT4: (0, (1 << 32) - 1),
    types.OID: (0, (1 << 32) - 1),
    **dict.fromkeys(types.REGISTERED, (0, (1 << 32) - 1)),
}

UNSIGNED_RANGES: Final[Mapping[SqlType, tuple[int, int]]] = dict.fromkeys(
    (types.UINT8, types.MZ_TIMESTAMP, types.XID8), (0, (1 << 64) - 1)
)
RANGES: Final = {**INTEGER_RANGES, **UNSIGNED_RANGES}
"""Of every type of whole numbers; those of INTEGER_RANGES fit an int64."""

TRUE_TEXTS: Final = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
FALSE_TEXTS: Final = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})
INTEGER_TEXT: Final = re.compile(r"[+-]?\d+")
SIGNED_NAN: Final = re.compile("[+-]nan", re.IGNORECASE)
FLOAT_TEXT: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?|nan", re.IGNORECASE | re.ASCII)


def parse(text: str, type: SqlType) -> RawValue:
    """The raw value of a text; modifiers are not applied. Raises a DataError with PostgreSQL's message."""
    if type.nesting is not None:
        return parse_nested(text, type, _parse_within)
    if type.interval_fields:
        return parse_interval(text, type.interval_fields)
    return PARSERS[type.plain](text)


def format(value: RawValue, type: SqlType) -> str:
    """The text of a raw value: CAST(x AS text)."""
    if type.nesting is not None:
        return format_nested(value, type, output)
    return FORMATTERS[type.plain](value)


def _parse_within(text: str, type: SqlType) -> RawValue:
    """A value inside another: its type's modifier is applied."""
    return fit(parse(text, type), type, explicit=True)


def output(value: RawValue, type: SqlType) -> str:
    """The text of a raw value inside another: there booleans are t and f, as PostgreSQL's output functions say."""
    return ("t" if value else "f") if type == types.BOOLEAN else format(value, type)


def _invalid(type: SqlType, text: str) -> InvalidText:
    return InvalidText(f'invalid input syntax for type {type.name}: "{text}"')


def parse_boolean(text: str) -> bool:
    """Any unambiguous beginning of true, false, yes, no, on, off; or 1, 0."""
    plain = text.strip().lower()
    if plain in TRUE_TEXTS:
        return True
    if plain in FALSE_TEXTS:
        return False
    raise _invalid(types.BOOLEAN, text)


def integer_parser(type: SqlType) -> Callable[[str], int]:
    """The parser of one integer type."""
    low, high = RANGES[type]

    def parse_integer(text: str) -> int:
        plain = text.strip()
        if len(plain) < 10 and plain.isascii() and plain.isdigit() and (value := int(plain)) <= high:
            return value
        if INTEGER_TEXT.fullmatch(plain) is None or not plain.isascii():
            raise _invalid(type, text)
        value = int(plain) if len(plain) < 4000 else 1 << 64
        if type == types.OID and -(1 << 31) <= value < 0:
            value += 1 << 32
        if not low <= value <= high:
            raise OutOfRange(f'value "{text}" is out of range for type {type.name}')
        return value

    return parse_integer


def parse_mz_timestamp(text: str) -> int:
    """Milliseconds since 1970, or the timestamp that is so many after it."""
    if INTEGER_TEXT.fullmatch(text.strip()) is not None:
        return integer_parser(types.MZ_TIMESTAMP)(text)
    milliseconds = datetime_text.parse_timestamptz(text) // 1000
    if milliseconds < 0:
        raise OutOfRange(f'value "{text}" is out of range for type mz_timestamp')
    return milliseconds


def parse_xid(type: SqlType) -> Callable[[str], int]:
    """The parser of numbers of 32 bits, which go around: -1 is the last."""

    def parse_number(text: str) -> int:
        if INTEGER_TEXT.fullmatch(text.strip()) is None or not text.isascii():
            raise _invalid(type, text)
        value = int(text) if len(text) < 4000 else 1 << 64
        if not -(1 << 31) <= value < 1 << 32:
            raise OutOfRange(f'value "{text}" is out of range for type {type.name}')
        return value & 0xFFFF_FFFF

    return parse_number


def parse_tid(text: str) -> int:
    """(block,offset), in 32 and in 16 bits."""
    found = re.fullmatch(r"\((\d{1,10}),(\d{1,5})\)", text, re.ASCII)
    if found is None or int(found[1]) >= 1 << 32 or int(found[2]) >= 1 << 16:
        raise _invalid(types.TID, text)
    return int(found[1]) << 16 | int(found[2])


def format_tid(value: int) -> str:
    return f"({value >> 16},{value & 0xFFFF})"


def parse_lsn(text: str) -> int:
    """The two halves in hexadecimal digits, a slash between them."""
    found = re.fullmatch(r"([0-9a-fA-F]{1,8})/([0-9a-fA-F]{1,8})", text)
    if found is None:
        raise _invalid(types.PG_LSN, text)
    return int(found[1], 16) << 32 | int(found[2], 16)


def format_lsn(value: int) -> str:
    return f"{value >> 32:X}/{value & 0xFFFF_FFFF:X}"


def parse_double(text: str) -> float:
    """A double, with infinity and NaN in any case."""
    return _float(text, types.DOUBLE)


def parse_real(text: str) -> float:
    """A double that is a float32."""
    wide = _float(text, types.REAL)
    message = f'"{text.strip()}" is out of range for type real'
    value = to_real(wide, message)
    if value == 0 and wide != 0:
        raise OutOfRange(message)
    return value


def _float(text: str, type: SqlType) -> float:
    plain = text.strip()
    found = FLOAT_TEXT.fullmatch(plain)
    if found is None and SIGNED_NAN.fullmatch(plain) is None:
        raise _invalid(type, text)
    value = float(plain)
    if found is None:
        return value
    if found[1] is not None and (math.isinf(value) or (value == 0 and re.search("[1-9]", plain.lower().split("e")[0]))):
        raise OutOfRange(f'"{text}" is out of range for type {type.name}')
    return value


def to_real(value: float, message: str = "value out of range: overflow") -> float:
    """The nearest float32; raises OutOfRange when a finite value has none."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        raise OutOfRange(message) from None


def format_double(value: float) -> str:
    """The shortest digits that read back the same; an exponent from 1e+15 and below 1e-04 on."""
    return _float_text(repr(value), value, 15)


REAL_ABOVE: Final = 2.0**128 - 2.0**103
"""From here on a number is nearer to what would come after the largest float32 than to that."""


def format_real(value: float) -> str:
    """The shortest digits that read back the same float32; an exponent from 1e+06 on."""
    if value == 0 or math.isinf(value) or math.isnan(value):
        return _float_text(repr(value), value, 6)
    for precision in range(1, 10):
        text = f"{value:.{precision}g}"
        if abs(float(text)) < REAL_ABOVE and struct.unpack("<f", struct.pack("<f", float(text)))[0] == value:
            return _float_text(text, value, 6)
    return _float_text(f"{value:.9g}", value, 6)


def _float_text(digits: str, value: float, exponent_min: int) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    _, parts, exponent = Decimal(digits).normalize().as_tuple()
    assert isinstance(exponent, int)
    sign = "-" if value < 0 else ""
    text = "".join(map(str, parts))
    point = len(text) + exponent  # the value is 0.text * 10^point
    if not -4 <= point - 1 < exponent_min:
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        return f"{sign}{text[0]}{fraction}e{'-' if point < 1 else '+'}{abs(point - 1):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{text}"
    if len(text) <= point:
        return f"{sign}{text}{'0' * (point - len(text))}"
    return f"{sign}{text[:point]}.{text[point:]}"


def parse_numeric(text: str) -> Decimal:
    """A decimal of at most 39 digits, an infinity or NaN."""
    plain = text.strip()
    if FLOAT_TEXT.fullmatch(plain) is None:
        raise _invalid(types.NUMERIC, text)
    try:
        return fit_numeric(Decimal(plain))
    except InvalidOperation:
        raise _invalid(types.NUMERIC, text) from None


def fit_numeric(value: Decimal) -> Decimal:
    """The value in at most 39 digits: excess digits after the point are rounded; before it, 22003."""
    if not value.is_finite():
        return value
    if value.adjusted() >= DIGITS_MAX:
        raise OutOfRange("numeric field overflow")
    places = min(DIGITS_MAX, DIGITS_MAX - 1 - value.adjusted()) if value else 0
    _, _, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if -exponent > places:
        value = value.quantize(Decimal(1).scaleb(-places), context=EXACT)
    return value


def with_scale(value: Decimal, precision: int, scale: int) -> Decimal:
    """numeric(precision, scale); raises OutOfRange of an infinity and of too many digits before the point."""
    if value.is_nan():
        return value
    if value.is_infinite():
        raise OutOfRange(
            f"numeric field overflow: a field with precision {precision}, scale {scale} cannot hold an infinite value"
        )
    rounded = value.quantize(Decimal(1).scaleb(-scale), context=EXACT)
    if rounded and rounded.adjusted() >= precision - scale:
        raise OutOfRange("numeric field overflow")
    return rounded


def format_numeric(value: Decimal) -> str:
    """Plain digits without trailing zeros after the point."""
    if not value.is_finite():
        return str(value)
    if not value:
        return "0"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_bytea(text: str) -> bytes:
    r"""\x and hex digits, or the escape form: \\ and \ooo."""
    if text.startswith("\\x"):
        return hex_bytes(text[2:])
    out = bytearray()
    at = 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif text[at + 1 : at + 2] == "\\":
            out += b"\\"
            at += 2
        elif re.fullmatch("[0-3][0-7][0-7]", text[at + 1 : at + 4]):
            out.append(int(text[at + 1 : at + 4], 8))
            at += 4
        else:
            raise InvalidText("invalid input syntax for type bytea")
    return bytes(out)


def hex_bytes(text: str) -> bytes:
    """The bytes of hexadecimal digits, blanks between them allowed."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        strange = next((letter for letter in text if letter not in "0123456789abcdefABCDEF \n\r\t"), None)
        reason = "data: odd number of digits" if strange is None else f'digit: "{strange}"'
        raise InvalidArgument(f"invalid hexadecimal {reason}") from None


def parse_uuid(text: str) -> bytes:
    """32 hex digits, in groups of four by hyphens if at all, in braces if at all."""
    plain = text.strip()
    if plain.startswith("{") and plain.endswith("}"):
        plain = plain[1:-1]
    if re.fullmatch(r"[0-9a-fA-F]{4}(-?[0-9a-fA-F]{4}){7}", plain) is None:
        raise _invalid(types.UUID, text)
    return bytes.fromhex(plain.replace("-", ""))


ZERO_ESCAPE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def parse_json(text: str) -> str:
    """Canonical text of a JSON text."""
    try:
        found = json.canonical(text.encode()).decode()
    except ValueError:
        raise InvalidText(f'invalid input syntax for type json: "{text[:100]}"') from None
    if ZERO_ESCAPE.search(found) is not None:
        raise Untranslatable("unsupported Unicode escape sequence", detail="\\u0000 cannot be converted to text.")
    return found


def fit_text(text: str, type: SqlType, explicit: bool) -> str:
    """A text as varchar(n) or char(n): cut when cast explicitly, else 22001 for more than blanks beyond n."""
    if type.plain == types.CHAR:
        text = text.rstrip(" ")
    if not type.modifier or len(text) <= type.modifier[0]:
        return text
    limit = type.modifier[0]
    if not explicit and text[limit:].strip(" "):
        raise StringTooLong(f"value too long for type {type.name}({limit})")
    return text[:limit].rstrip(" ") if type.plain == types.CHAR else text[:limit]


def parse_name(text: str) -> str:
    """As much of the text as 63 bytes hold."""
    return text.encode()[:NAME_BYTES_MAX].decode(errors="ignore")


def identity(text: str) -> str:
    """Strings are their own text."""
    return text


PARSERS: Final[Mapping[SqlType, Callable[[str], RawValue]]] = {
    types.BOOLEAN: parse_boolean,
    **{kind: integer_parser(kind) for kind in RANGES},
    types.MZ_TIMESTAMP: parse_mz_timestamp,
    types.REAL: parse_real,
    types.DOUBLE: parse_double,
    types.NUMERIC: parse_numeric,
    types.TEXT: identity,
    types.VARCHAR: identity,
    types.CHAR: identity,
    types.INTERNAL_CHAR: lambda text: text[:1],
    types.NAME: parse_name,
    types.UNKNOWN: identity,
    types.BYTEA: parse_bytea,
    types.DATE: datetime_text.parse_date,
    types.TIME: datetime_text.parse_time,
    types.TIMESTAMP: datetime_text.parse_timestamp,
    types.TIMESTAMPTZ: datetime_text.parse_timestamptz,
    types.INTERVAL: parse_interval,
    types.UUID: parse_uuid,
    types.JSONB: parse_json,
    types.XID: parse_xid(types.XID),
    types.CID: parse_xid(types.CID),
    types.TID: parse_tid,
    types.PG_LSN: parse_lsn,
    types.ACLITEM: acl.canonical,
    types.MZ_ACLITEM: acl.canonical_by_id,
}

FORMATTERS: Final[Mapping[SqlType, Callable[[RawValue], str]]] = {
    types.BOOLEAN: lambda value: "true" if value else "false",
    **{kind: str for kind in RANGES},
    types.REAL: format_real,
    types.DOUBLE: format_double,
    types.NUMERIC: format_numeric,
    types.TEXT: identity,
    types.VARCHAR: identity,
    types.CHAR: identity,
    types.INTERNAL_CHAR: identity,
    types.NAME: identity,
    types.UNKNOWN: identity,
    types.BYTEA: lambda value: f"\\x{value.hex()}",
    types.DATE: datetime_text.format_date,
    types.TIME: datetime_text.format_time,
    types.TIMESTAMP: datetime_text.format_timestamp,
    types.TIMESTAMPTZ: datetime_text.format_timestamptz,
    types.INTERVAL: format_interval,
    types.UUID: lambda value: str(Uuid(bytes=value)),
    types.JSONB: identity,
    types.XID: str,
    types.CID: str,
    types.TID: format_tid,
    types.PG_LSN: format_lsn,
    **dict.fromkeys(types.SPELLED, identity),
}


def fit(raw: RawValue, type: SqlType, explicit: bool) -> RawValue:
    """A raw value under the type's modifier: numeric(p, s), varchar(n), timestamp(p)..."""
    if not type.modifier and type.plain != types.CHAR:
        return raw
    match type.plain:
        case types.NUMERIC:
            precision, scale = (*type.modifier, 0)[:2]
            return with_scale(raw, precision, scale)
        case types.VARCHAR | types.CHAR:
            return fit_text(raw, type, explicit)
        case types.TIME | types.TIMESTAMP | types.TIMESTAMPTZ:
            return round_micros(raw, type.modifier[0])
        case types.INTERVAL:
            kept = down_to(raw, type.interval_fields.split(" ")[-1])
            return replace(kept, microseconds=round_micros(kept.microseconds, type.modifier[0]))
        case _:
            return raw


def round_micros(micros: int, places: int) -> int:
    """Rounded to so many places of a second, halves away from zero."""
    unit = 10 ** max(0, 6 - places)
    return (abs(micros) + unit // 2) // unit * unit * (1 if micros >= 0 else -1)
