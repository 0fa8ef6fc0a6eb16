"""COPY ... FROM STDIN: the client's data become rows, which an INSERT casts to the table's types.

The formats are PostgreSQL's: in text a backslash escapes, in CSV a quoted field is never NULL and may hold line ends.
"""

import re
from collections.abc import Iterator
from typing import Final

from engine.coordinator.copy_binary import in_binary
from engine.errors import MalformedCopy
from engine.plan.relation import Constant, Let, Query
from engine.sql.bound import BoundCopyFrom, BoundInsert, CopyForm

ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)


def insertion(bound: BoundCopyFrom, data: bytes) -> BoundInsert:
    """The INSERT of all rows in the data. MalformedCopy for a row of another width or bytes that are not UTF-8."""
    rows = in_binary(data, bound.given) if bound.form.binary else in_words(data, bound.form, len(bound.given))
    given = Constant(tuple((row, 1) for row in rows), tuple(column.type for column in bound.given))
    return BoundInsert(bound.table, Query(Let(bound.rows.id, given, bound.rows.relation), bound.names), frozenset())


def in_words(data: bytes, form: CopyForm, width: int) -> list[tuple[str | None, ...]]:
    """Rows of the text and the CSV format."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedCopy(f'invalid byte sequence for encoding "UTF8": {error.reason}') from None
    rows = list(in_csv(text, form) if form.quote else in_text(text, form))
    if form.header:
        del rows[:1]
    for number, row in enumerate(rows, 1 + form.header):
        if len(row) != width:
            problem = "extra data after last expected column" if len(row) > width else "missing data for column"
            raise MalformedCopy(problem, detail=f"line {number} has {len(row)} columns, not {width}")
    return rows


def in_text(text: str, form: CopyForm) -> Iterator[tuple[str | None, ...]]:
    """Rows of the text format."""
    field = re.compile(rf"((?:[^\\{re.escape(form.delimiter)}]|\\.)*)({re.escape(form.delimiter)}|\Z)", re.DOTALL)
    lines = re.findall(r"((?:[^\\\n]|\\(?s:.))*)(?:\r?\n|\Z)", text) if "\\\n" in text else text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    for raw in lines:
        line = raw.removesuffix("\r")
        if line == "\\.":
            return
        fields = [m.group(1) for m in _fields(field, line)] if "\\" in line else line.split(form.delimiter)
        yield tuple(None if item == form.null else unescaped(item) for item in fields)


def _fields(field: re.Pattern[str], line: str) -> Iterator[re.Match[str]]:
    at = 0
    while True:
        found = field.match(line, at)
        if found is None:
            raise MalformedCopy("a line ends in a backslash")
        yield found
        if not found.group(2):
            return
        at = found.end()


def unescaped(item: str) -> str:
    if "\\" not in item:
        return item

    def meant(found: re.Match[str]) -> str:
        sixteen, eight, other = found.groups()
        if other is not None:
            return ESCAPES.get(other, other)
        return chr(int(sixteen, 16)) if sixteen else chr(int(eight, 8))

    return ESCAPE.sub(meant, item)


def in_csv(text: str, form: CopyForm) -> Iterator[tuple[str | None, ...]]:
    """Rows of the CSV format."""
    assert form.quote is not None
    quote, escape, delimiter = re.escape(form.quote), re.escape(form.escape), re.escape(form.delimiter)
    inside = rf"(?:{escape}[{quote}{escape}]|[^{quote}])*"
    field = re.compile(rf"(?:{quote}({inside}){quote}|([^{delimiter}{quote}\r\n]*))({delimiter}|\r?\n|\Z)", re.DOTALL)
    plain = re.compile(rf"{escape}([{quote}{escape}])")
    at, row = 0, list[str | None]()
    while at < len(text) or row:
        found = field.match(text, at)
        if found is None:
            raise MalformedCopy("unterminated CSV quoted field")
        quoted, bare, end = found.groups()
        if quoted is None and not row and bare == "\\.":
            return
        row.append((None if bare == form.null else bare) if quoted is None else plain.sub(r"\1", quoted))
        at = found.end()
        if end != form.delimiter:
            yield tuple(row)
            row = []
