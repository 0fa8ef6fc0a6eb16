"""SQL's own spelling: identifiers and literals quoted and taken apart, and format(), which writes both."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from engine import types
from engine.collection.nested import Array
from engine.errors import InvalidArgument, NullNotAllowed
from engine.expr import text_forms
from engine.expr.columns import each, own
from engine.expr.keywords import COLUMN_WORDS, JOIN_WORDS, RESERVED
from engine.expr.registry import Function, Generic
from engine.expr.text_forms import RawValue
from engine.types import SqlType

SPEC: Final = re.compile(r"%(?:(\d+)\$)?(-?)(\d+|\*(?:(\d+)\$)?)?(.?)", re.DOTALL)
"""A place of format(): position, flag, width (perhaps an argument's), conversion."""

QUOTED: Final = RESERVED | JOIN_WORDS | COLUMN_WORDS
WIDTH_MAX: Final = 100 << 20


def quote_ident(name: str) -> str:
    """The name as SQL spells it: bare where that reads back the same."""
    plain = re.fullmatch("[a-z_][a-z0-9_]*", name) is not None and name not in QUOTED
    return name if plain else '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """The text as a string constant; one with backslashes in the escape form."""
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def parse_ident(text: str, strict: bool = True) -> list[str]:
    """The parts of a dotted name, folded unless they are quoted. Not `strict`: what follows the name is ignored."""

    def refused(detail: str = "") -> InvalidArgument:
        return InvalidArgument(f'string is not a valid identifier: "{text}"' + detail)

    parts: list[str] = []
    rest = text.lstrip()
    while True:
        if rest.startswith('"'):
            found = re.match(r'"((?:[^"]|"")*)"', rest)
            if found is None:
                raise refused(": String has unclosed double quotes.")
            if not found[1]:
                raise refused(": Quoted identifier must not be empty.")
            parts.append(found[1].replace('""', '"'))
        else:
            found = re.match(r"[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*", rest)
            if found is None:
                after = " after" if parts else " before"
                dot = parts or rest.startswith(".")
                raise refused(f': No valid identifier{after} ".".' if dot else "")
            parts.append(found[0].lower())
        rest = rest[found.end() :].lstrip()
        if not rest.startswith("."):
            break
        rest = rest[1:].lstrip()
    if rest and strict:
        raise refused()
    return parts


def _normalized(text: str, parts: int) -> list[str | None]:
    """A dotted name in so many parts, the leading ones NULL where it does not say."""
    found = parse_ident(text)
    if len(found) > parts:
        raise InvalidArgument(f'improper relation name (too many dotted names): "{text}"')
    return [None] * (parts - len(found)) + list[str | None](found)


def _quoted(kind: SqlType, write: Callable[[str], str]) -> Callable[[RawValue], str]:
    return lambda value: write(text_forms.format(value, kind))


def _quote_literal(parameters: tuple[SqlType, ...]) -> Function:
    return each("quote_literal", parameters, types.TEXT, _quoted(parameters[0], quote_literal))


def _quote_nullable(parameters: tuple[SqlType, ...]) -> Function:
    quote = _quoted(parameters[0], quote_literal)
    return own("quote_nullable", parameters, types.TEXT, lambda v: "NULL" if v is None else quote(v), never_null=True)


def _format(parameters: tuple[SqlType, ...]) -> Function:
    kinds = parameters[1:]

    def apply(template: str | None, *values: RawValue) -> str | None:
        if template is None:
            return None
        texts = [None if v is None else text_forms.output(v, kind) for v, kind in zip(values, kinds, strict=True)]
        return _filled(template, texts)

    return own("format", parameters, types.TEXT, apply, can_fail=True)


def _filled(template: str, texts: list[str | None]) -> str:
    """The template with its places filled, in order or by position."""
    last = 0

    def argument(position: str | None) -> str | None:
        nonlocal last
        last = last + 1 if position is None else int(position)
        if last == 0:
            raise InvalidArgument("format specifies argument 0, but arguments are numbered from 1")
        if last > len(texts):
            raise InvalidArgument("too few arguments for format()")
        return texts[last - 1]

    def place(found: re.Match[str]) -> str:
        position, flag, width, width_position, conversion = found.groups()
        if conversion == "%":
            return "%"
        size = 0
        if width is not None and width[0] == "*":
            size = int(text_forms.parse(argument(width_position) or "0", types.INTEGER))
        elif width is not None:
            size = int(width)
        if abs(size) > WIDTH_MAX:
            raise InvalidArgument("number is out of range")
        match conversion:
            case "s":
                text = argument(position) or ""
            case "I":
                value = argument(position)
                if value is None:
                    raise NullNotAllowed("null values cannot be formatted as an SQL identifier")
                text = quote_ident(value)
            case "L":
                value = argument(position)
                text = "NULL" if value is None else quote_literal(value)
            case "":
                raise InvalidArgument("unterminated format() type specifier")
            case _:
                raise InvalidArgument(f'unrecognized format() type specifier "{conversion}"')
        return text.ljust(abs(size)) if flag or size < 0 else text.rjust(size)

    return SPEC.sub(place, template)


def _rows() -> Iterator[Function]:
    text = types.TEXT
    texts = types.array_of(text)
    yield each("quote_ident", (text,), text, quote_ident, "as an SQL identifier")
    yield each("quote_literal", (text,), text, quote_literal, "as an SQL string literal")
    doc = "the parts of a dotted name; if z is false, what follows it is ignored"
    for more in ((), (types.BOOLEAN,)):
        yield each("parse_ident", (text, *more), texts, lambda *given: Array.of(parse_ident(*given)), doc,
                   can_fail=True)  # fmt: skip
    for name, parts, doc in (
        ("mz_normalize_object_name", 3, "database, schema and name; NULL for what it does not say"),
        ("mz_normalize_schema_name", 2, "database and schema; NULL for what it does not say"),
    ):
        yield each(name, (text,), texts, lambda value, parts=parts: Array.of(_normalized(value, parts)), doc,
                   can_fail=True)  # fmt: skip


FUNCTIONS: Final[tuple[Function | Generic, ...]] = (
    *_rows(),
    Generic("quote_literal", (types.ANYELEMENT,), _quote_literal, result="text", doc="as an SQL string literal"),
    Generic("quote_nullable", (types.ANY,), _quote_nullable, result="text",
            doc="as an SQL string literal; NULL as the word"),
    Generic("format", (types.TEXT, types.ANY), _format, variadic=True, least=0, result="text",
            doc="x with %s, %I (identifier) and %L (literal) standing for the other arguments"),
)  # fmt: skip
