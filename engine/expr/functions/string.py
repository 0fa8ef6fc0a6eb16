# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.
"""Strings: Unicode code points, 1-based positions, PostgreSQL's edge cases. Each distinct argument is seen once."""

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine import types
from engine.collection.vector import Vector
from engine.errors import (
    InvalidArgument,
    InvalidUnicodeEscape,
    NoCharacter,
    OutOfRange,
    SubstringError,
    UndefinedFunction,
)
from engine.expr.columns import FEW_ROWS, arrow, distinct, each
from engine.expr.functions.text_casts import to_text
from engine.expr.registry import Function, Generic, OnNull
from engine.types import Nesting, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

LENGTH_MAX: Final = 100 << 20
"""Bytes that repeat, lpad and rpad may make: a limit against one row that takes all the memory."""


UNICODE_ESCAPE: Final = re.compile(
    r"\\(?:(?P<digits>[0-9A-Fa-f]{4}|\+[0-9A-Fa-f]{6}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})|\\|)"
)


def _bounded(size: int) -> None:
    if size > LENGTH_MAX:
        raise OutOfRange("requested length too large")


def _substring(text: str | bytes, start: int, length: int | None = None) -> str | bytes:
    if length is None:
        return text[max(0, start - 1) :]
    if length < 0:
        raise SubstringError("negative substring length not allowed")
    return text[max(0, start - 1) : max(0, start - 1 + length)]


def _left(text: str, n: int) -> str:
    return text[:n]


def _right(text: str, n: int) -> str:
    if n >= 0:
        return text[max(0, len(text) - n) :]
    return text[-n:]


def _lpad(text: str, length: int, fill: str = " ") -> str:
    _bounded(length)
    missing = length - len(text)
    if missing <= 0 or not fill:
        return text[: max(0, length)]
    return (fill * (missing // len(fill) + 1))[:missing] + text


def _rpad(text: str, length: int, fill: str = " ") -> str:
    _bounded(length)
    missing = length - len(text)
    if missing <= 0 or not fill:
        return text[: max(0, length)]
    return text + (fill * (missing // len(fill) + 1))[:missing]


def _repeat(text: str, times: int) -> str:
    _bounded(len(text) * times)
    return text * max(0, times)


def _split_part(text: str, delimiter: str, field: int) -> str:
    if field == 0:
        raise InvalidArgument("field position must not be zero")
    parts = text.split(delimiter) if delimiter else [text]
    index = field - 1 if field > 0 else len(parts) + field
    return parts[index] if 0 <= index < len(parts) else ""


def _strpos(text: str, part: str) -> int:
    return text.find(part) + 1


def _replace(text: str, old: str, new: str) -> str:
    return text.replace(old, new) if old else text


def _overlay(text: str, new: str, start: int, length: int | None = None) -> str:
    if start <= 0:
        raise SubstringError("negative substring length not allowed")
    count = len(new) if length is None else length
    return text[: start - 1] + new + text[max(0, start - 1 + count) :]


def _translate(text: str, old: str, new: str) -> str:
    table: dict[int, str | None] = {}
    for index, letter in enumerate(old):
        table.setdefault(ord(letter), new[index] if index < len(new) else None)
    return text.translate(table)


def _initcap(text: str) -> str:
    out: list[str] = []
    inside = False
    for letter in text:
        out.append(letter.lower() if inside else letter.upper())
        inside = letter.isalnum()
    return "".join(out)


def _ascii(text: str) -> int:
    return ord(text[0]) if text else 0


def _chr(code: int) -> str:
    if code < 0:
        raise InvalidArgument("character number must be positive")
    if code == 0:
        raise NoCharacter("null character not permitted")
    if code > 0x10FFFF:
        raise NoCharacter(f"requested character too large for encoding: {code}")
    if 0xD800 <= code < 0xE000:
        raise NoCharacter(f"requested character not valid for encoding: {code}")
    return chr(code)


def _to_hex(value: int) -> str:
    return f"{value & 0xFFFFFFFFFFFFFFFF:x}"


def _to_hex32(value: int) -> str:
    return f"{value & 0xFFFFFFFF:x}"


def _joined(a: pa.Array, b: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(a, b, pa.scalar("", pa.large_string()))


def _joined_bytes(a: pa.Array, b: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(a, b, pa.scalar(b"", pa.large_binary()))


def _text_join(parameters: tuple[SqlType, ...]) -> Function:
    """text || anything that is no array: the other side by its text form."""
    if any(kind.nesting is Nesting.ARRAY for kind in parameters):
        raise UndefinedFunction(
            f"operator does not exist: {parameters[0].name} || {parameters[1].name}",
            hint="Cast the array to text, or the text to the array's elements.",
        )

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        columns, inverse = distinct([vector.words for vector in vectors])
        parts = [to_text(Vector(words), kind, context) for words, kind in zip(columns, parameters, strict=True)]
        words = context.heap.intern_arrow(_joined(*parts))
        return Vector(words if inverse is None else words[inverse])

    return Function("||", parameters, types.TEXT, kernel)


def _output(vector: Vector, kind: SqlType, context: "Context") -> pa.LargeStringArray:
    """What concat takes for the text of a value: booleans by their letter."""
    whole = to_text(vector, kind, context)
    return pc.utf8_slice_codeunits(whole, 0, 1) if kind == types.BOOLEAN else whole


def _concat(separated: bool) -> Callable[[tuple[SqlType, ...]], Function]:
    """concat(...) and concat_ws(separator, ...): the text forms joined, NULLs left out."""
    name = "concat_ws" if separated else "concat"

    def instantiate(parameters: tuple[SqlType, ...]) -> Function:
        def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
            parts = [_output(vector, kind, context) for vector, kind in zip(vectors, parameters, strict=True)]
            between: pa.Array | pa.Scalar = parts.pop(0) if separated else pa.scalar("", pa.large_string())
            if parts:  # Arrow's join drops a row whose parts are all null
                absent = reduce(pc.and_, (pc.is_null(part) for part in parts))
                parts[0] = pc.if_else(absent, pa.scalar("", pa.large_string()), parts[0])
            joined = pc.binary_join_element_wise(*parts, between, null_handling="skip")
            nulls = vectors[0].nulls if separated else None
            return Vector(context.heap.intern_arrow(joined), nulls)

        return Function(name, parameters, types.TEXT, kernel, OnNull.OWN, never_null=not separated)

    return instantiate


def _slices(kind: SqlType) -> Iterator[Function]:
    for name in ("substring", "substr"):
        doc = "from position x on, at most so many"
        yield each(name, (kind, types.INTEGER), kind, _substring, doc)
        yield each(name, (kind, types.INTEGER, types.INTEGER), kind, _substring, doc, can_fail=True)


def _concatenate(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    """text || text and bytea || bytea: of one kind as bytes, so one kernel serves both."""
    columns, inverse = distinct([vector.words for vector in vectors])
    heap = context.heap
    if len(columns[0]) < FEW_ROWS:
        pairs = zip(columns[0].tolist(), columns[1].tolist(), strict=True)
        words = np.array([heap.intern(heap.get(a) + heap.get(b)) for a, b in pairs], np.uint64)
    else:
        words = heap.intern_arrow(_joined_bytes(heap.decode(columns[0]), heap.decode(columns[1])))
    return Vector(words if inverse is None else words[inverse])


def _normalize(value: str, form: str) -> str:
    match form.upper():
        case "NFC" | "NFD" | "NFKC" | "NFKD" as known:
            return unicodedata.normalize(known, value)
        case _:
            raise InvalidArgument(f"invalid normalization form: {form}")


def _is_normalized(value: str, form: str = "NFC") -> bool:
    return _normalize(value, form) == value


def _unescaped(value: str) -> str:
    """Characters in place of their code points; two that are a surrogate pair are one character."""

    def letter(found: re.Match[str]) -> str:
        digits = found["digits"]
        if digits is None:
            if found.group() == "\\\\":
                return "\\"
            raise InvalidUnicodeEscape("invalid Unicode escape")
        code = int(digits.lstrip("+uU"), 16)
        if code == 0 or code > sys.maxunicode:
            raise InvalidArgument(f"invalid Unicode code point: {digits.lstrip('+uU')}")
        return chr(code)

    text = UNICODE_ESCAPE.sub(letter, value)
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise InvalidUnicodeEscape("invalid Unicode surrogate pair") from None


def _rows() -> Iterator[Function]:
    text, number, data = types.TEXT, types.INTEGER, types.BYTEA
    for kind in (text, data):
        yield Function("||", (kind, kind), kind, _concatenate, doc="concatenation")
    for name in ("length", "char_length", "character_length"):
        yield arrow(name, (text,), number, pc.utf8_length, "how many characters")
    yield arrow("length", (data,), number, pc.binary_length, "how many bytes")
    for kind in (text, data):
        yield arrow("octet_length", (kind,), number, pc.binary_length, "how many bytes")
        yield arrow("bit_length", (kind,), number, lambda a: pc.multiply(pc.binary_length(a), 8), "how many bits")
        yield from _slices(kind)
    yield arrow("lower", (text,), text, pc.utf8_lower, "in lower case")
    yield arrow("upper", (text,), text, pc.utf8_upper, "in upper case")
    for more in ((), (text,)):
        doc = "whether it is in Unicode normal form y, or NFC"
        yield each("is_normalized", (text, *more), types.BOOLEAN, _is_normalized, doc, can_fail=True)
    doc = "with characters in place of their code points: \\\\0061, \\\\+000061, \\\\u0061, \\\\U00000061"
    yield each("unistr", (text,), text, _unescaped, doc, can_fail=True)
    doc = "in Unicode normal form y: NFC, NFD, NFKC or NFKD"
    yield each("normalize", (text, text), text, _normalize, doc, can_fail=True)
    yield each("initcap", (text,), text, _initcap, "each word capitalised")
    for name, strip, sides in (
        ("btrim", str.strip, "both ends"),
        ("ltrim", str.lstrip, "the start"),
        ("rtrim", str.rstrip, "the end"),
    ):
        yield each(name, (text,), text, lambda value, strip=strip: strip(value, " "), f"blanks off {sides}")
        yield each(
            name, (text, text), text, lambda value, letters, strip=strip: strip(value, letters),
            f"those characters off {sides}",
        )  # fmt: skip
    yield each("replace", (text, text, text), text, _replace, "every occurrence of y replaced by z")
    yield each("overlay", (text, text, number), text, _overlay, "part of x from a position replaced", can_fail=True)
    yield each("overlay", (text, text, number, number), text, _overlay, "part of x replaced", can_fail=True)
    yield each("translate", (text, text, text), text, _translate, "characters of y replaced by those of z")
    yield each("left", (text, number), text, _left, "the first n characters, or all but the last -n")
    yield each("right", (text, number), text, _right, "the last n characters, or all but the first -n")
    for name, pad in (("lpad", _lpad), ("rpad", _rpad)):
        yield each(name, (text, number), text, pad, "padded with blanks, or cut, to n characters", can_fail=True)
        yield each(name, (text, number, text), text, pad, "padded with a fill, or cut", can_fail=True)
    yield each("repeat", (text, number), text, _repeat, "n times", can_fail=True)
    yield each("reverse", (text,), text, lambda value: value[::-1], "backwards")
    yield each("split_part", (text, text, number), text, _split_part, "the nth field; from the end if n < 0",
               can_fail=True)  # fmt: skip
    for name in ("strpos", "position"):
        yield each(name, (text, text), number, _strpos, "where y first occurs in x, 0: nowhere")
    yield each("position", (data, data), number, _strpos, "where y first occurs in x, 0: nowhere")
    for name in ("starts_with", "^@"):
        yield each(name, (text, text), types.BOOLEAN, str.startswith, "whether x begins with y")
    yield each("ascii", (text,), number, _ascii, "code point of the first character, 0: none")
    yield each("chr", (number,), text, _chr, "the character of a code point", can_fail=True)
    yield each("to_hex", (number,), text, _to_hex32, "hexadecimal digits")
    yield each("to_hex", (types.BIGINT,), text, _to_hex, "hexadecimal digits")


FUNCTIONS: Final[tuple[Function | Generic, ...]] = (
    *_rows(),
    Generic("||", (types.TEXT, types.ANY), _text_join, result="text",
            doc="concatenation with a text form"),
    Generic("||", (types.ANY, types.TEXT), _text_join, result="text",
            doc="concatenation with a text form"),
    Generic("concat", (types.ANY,), _concat(False), variadic=True, result="text",
            doc="the text forms joined, NULLs left out"),
    Generic("concat_ws", (types.TEXT, types.ANY), _concat(True), variadic=True, result="text",
            doc="the text forms joined by a separator, NULLs left out"),
)  # fmt: skip
