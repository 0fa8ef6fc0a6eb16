"""The text forms of arrays, lists, maps and records, over those of what is in them.

{1,NULL,"a b"} · {{1,2},{3,4}} · {a=>1,"b c"=>NULL} · (1,,"a b")

From  array_in, array_out, record_in and record_out of PostgreSQL; lists and maps as Materialize writes them.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, TypeAlias

from engine.collection.nested import Array
from engine.collection.value import Range
from engine.errors import InvalidText, Unsupported
from engine.expr.ranges import EMPTY, made
from engine.types import VECTORS, Nesting, SqlType

RawValue: TypeAlias = Any
"""As in text_forms.py."""
Parse: TypeAlias = Callable[[str, SqlType], RawValue]
Format: TypeAlias = Callable[[RawValue, SqlType], str]

BRACED: Final = (Nesting.ARRAY, Nesting.LIST, Nesting.MAP)
QUOTED: Final = re.compile(r'[{}\\",\s]|=>|^null$|^$', re.IGNORECASE)
"""What has to stand in quotes as an element."""
QUOTED_FIELD: Final = re.compile(r'[()\\",\s]|^$')
BOUNDS: Final = re.compile(r"\s*(\[\s*[+-]?\d+\s*(:\s*[+-]?\d+\s*)?\]\s*)+=")
QUOTED_BOUND: Final = re.compile(r'[()\[\]\\",\s]')
BOUND_TEXT: Final = r'((?:"(?:[^"\\]|\\.|"")*"|\\.|[^"\\,()\[\]])*)'
RANGE: Final = re.compile(rf"\s*([\[(]){BOUND_TEXT},{BOUND_TEXT}([\])])\s*", re.DOTALL)
BOUND_PARTS: Final = re.compile(r'"(?:[^"\\]|\\.|"")*"|\\.|[^"\\]', re.DOTALL)
DIMENSIONS_MAX: Final = 6
"""PostgreSQL's MAXDIM."""
DEPTH_MAX: Final = 200
"""Levels of a text, those of empty arrays included; each is a call deep."""


def parse_nested(text: str, type: SqlType, parse: Parse) -> RawValue:
    """The raw value of a text; `parse` reads what is within. Raises InvalidText (22P02)."""
    if type.nesting is Nesting.RECORD:
        return _Record(text, type).read(parse)
    if type.nesting is Nesting.RANGE:
        return parse_range(text, type.within, parse)
    if type in VECTORS:
        items = tuple(parse(part, type.within) for part in text.split())
        return Array((len(items),) if items else (), items)
    return _Braces(text, type).read(parse)


def format_nested(raw: RawValue, type: SqlType, format: Format) -> str:
    """The text of a raw value."""
    if type.nesting is Nesting.RECORD:
        fields = zip(raw, type.fields, strict=True)
        return "(" + ",".join("" if item is None else _field(format(item, kind)) for item, (_, kind) in fields) + ")"
    element = type.within
    if type.nesting is Nesting.RANGE:
        return format_range(raw, element, format)

    def shown(item: RawValue) -> str:
        if item is None:
            return "NULL"
        text = format(item, element)
        if element.nesting in BRACED and type.nesting is not Nesting.ARRAY:
            return text  # in an array a brace opens a dimension, so what is in it is quoted
        bare = type.nesting is not Nesting.ARRAY and text.lower() == "null" and text != "NULL"
        return text if bare else _escaped(text)

    if type.nesting is Nesting.MAP:
        return "{" + ",".join(f"{_escaped(key)}=>{shown(item)}" for key, item in raw.items()) + "}"
    if type.nesting is Nesting.LIST:
        return "{" + ",".join(map(shown, raw)) + "}"
    if type in VECTORS:
        return " ".join(map(shown, raw.items))
    return _braced(list(map(shown, raw.items)), raw.dims) if raw.dims else "{}"


def format_range(raw: Range, element: SqlType, format: Format) -> str:
    """[1,5) · (,"2020-01-01 00:00:00"] · empty"""
    if raw.empty:
        return "empty"
    lower, upper = ("" if bound is None else _bound(format(bound, element)) for bound in (raw.lower, raw.upper))
    return f"{'[' if raw.lower_inc else '('}{lower},{upper}{']' if raw.upper_inc else ')'}"


def _bound(text: str) -> str:
    if text and QUOTED_BOUND.search(text) is None:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'


def parse_range(text: str, element: SqlType, parse: Parse) -> Range:
    """The range of a text. Raises InvalidText, and DataError where its bounds are in the wrong order."""
    if text.strip().lower() == "empty":
        return EMPTY
    found = RANGE.fullmatch(text)
    if found is None:
        raise InvalidText(f'malformed range literal: "{text}"')
    bounds = (None if part == "" else parse(_unquoted(part), element) for part in (found[2], found[3]))
    lower, upper = bounds
    return made(lower, upper, found[1] == "[", found[4] == "]", element)


def _unquoted(text: str) -> str:
    """The text of a bound: quotes anywhere in it, in them "" for one, a backslash before what is meant as it is."""
    return "".join(
        part[1:-1].replace('""', '"')
        if part.startswith('"') and not part.startswith("\\")
        else part[-1:]
        if part.startswith("\\")
        else part
        for part in BOUND_PARTS.findall(text)
    )


def _braced(items: Sequence[str], dims: tuple[int, ...]) -> str:
    if len(dims) == 1:
        return "{" + ",".join(items) + "}"
    step = len(items) // dims[0]
    return "{" + ",".join(_braced(items[i * step : (i + 1) * step], dims[1:]) for i in range(dims[0])) + "}"


def _escaped(text: str) -> str:
    if QUOTED.search(text) is None:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _field(text: str) -> str:
    if QUOTED_FIELD.search(text) is None:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'


class _Level:
    """One pair of braces of an array's text."""

    __slots__ = ("items",)

    def __init__(self, items: list[RawValue]) -> None:
        self.items = items


class _Braces:
    """A reader of arrays, lists and maps."""

    def __init__(self, text: str, type: SqlType) -> None:
        self.text = text
        self.type = type
        self.at = 0
        self.folds = type.nesting is Nesting.ARRAY  # only there is NULL one in lower case too

    def fail(self, detail: str) -> NoReturn:
        if self.type.nesting is Nesting.ARRAY:
            raise InvalidText(f'malformed array literal: "{self.text}"', detail=detail)
        raise InvalidText(f'invalid input syntax for type {self.type.name}: "{self.text}"', detail=detail)

    def read(self, parse: Parse) -> RawValue:
        if self.type.nesting is Nesting.ARRAY and BOUNDS.match(self.text):
            raise Unsupported("arrays with lower bounds are not supported: leave out [...]=")
        found = self.value(self.type, parse, 0)
        self.blank()
        if self.at < len(self.text):
            self.fail("Junk after closing right brace.")
        return found

    def value(self, type: SqlType, parse: Parse, depth: int) -> RawValue:
        if depth > DEPTH_MAX:
            self.fail(f"More than {DEPTH_MAX} levels.")
        element = type.within
        if type.nesting is Nesting.ARRAY:
            return self.array(element, parse)
        if type.nesting is Nesting.LIST:
            return self.sequence(lambda: self.element(element, parse, depth))
        pairs = dict(self.sequence(lambda: self.pair(element, parse, depth)))
        return {key: pairs[key] for key in sorted(pairs, key=str.encode)}

    def array(self, element: SqlType, parse: Parse) -> Array:
        flat: list[RawValue] = [self.level(element, parse, 0)]
        dims: list[int] = []
        while flat and isinstance(flat[0], _Level):
            sizes = {len(part.items) if isinstance(part, _Level) else -1 for part in flat}
            dims.append(sizes.pop())
            if sizes or dims[-1] < 0:
                self.fail("Multidimensional arrays must have sub-arrays with matching dimensions.")
            flat = [item for part in flat for item in part.items]
        if any(isinstance(part, _Level) for part in flat):
            self.fail("Multidimensional arrays must have sub-arrays with matching dimensions.")
        if flat and len(dims) > DIMENSIONS_MAX:
            self.fail(f"The number of array dimensions exceeds the maximum allowed ({DIMENSIONS_MAX}).")
        return Array(tuple(dims), tuple(flat)) if flat else Array((), ())

    def level(self, element: SqlType, parse: Parse, depth: int) -> _Level:
        if depth > DEPTH_MAX:
            self.fail(f"More than {DEPTH_MAX} levels.")

        def one() -> RawValue:
            self.blank()
            if self.peek() == "{":
                return self.level(element, parse, depth + 1)
            return self.element(element, parse, depth)

        return _Level(self.sequence(one))

    def sequence(self, one: Callable[[], RawValue]) -> list[RawValue]:
        """{x, ...}"""
        self.blank()
        if self.peek() != "{":
            self.fail('Array value must start with "{" or dimension information.')
        self.at += 1
        found: list[RawValue] = []
        self.blank()
        if self.peek() == "}":
            self.at += 1
            return found
        while True:
            found.append(one())
            self.blank()
            mark = self.peek()
            self.at += 1
            if mark == "}":
                return found
            if mark != ",":
                self.fail(f'Unexpected "{mark}" character.' if mark else "Unexpected end of input.")

    def pair(self, element: SqlType, parse: Parse, depth: int) -> tuple[str, RawValue]:
        key, quoted = self.word("=>")
        if not (quoted or key):
            self.fail("A key is missing.")
        self.blank()
        if not self.text.startswith("=>", self.at):
            self.fail('Expected "=>".')
        self.at += 2
        return key, self.element(element, parse, depth)

    def element(self, type: SqlType, parse: Parse, depth: int) -> RawValue:
        self.blank()
        if self.peek() == "{" and type.nesting in BRACED:
            return self.value(type, parse, depth + 1)
        word, quoted = self.word(None)
        if not quoted and (word == "NULL" or (self.folds and word.lower() == "null")):
            return None
        if not (quoted or word):
            self.fail(f'Unexpected "{self.peek()}" character.')
        return parse(word, type)

    def word(self, stop: str | None) -> tuple[str, bool]:
        """A bare or quoted text, and whether some of it was quoted."""
        self.blank()
        text = self.text
        out: list[str] = []
        solid = 0  # how many of them trailing blanks must leave
        closed = quoted = False
        while self.at < len(text):
            mark = text[self.at]
            if mark == '"':
                if self.folds and (quoted or solid):
                    self.fail("Incorrectly quoted array element.")
                closed = quoted = True
                out.append(self.quotation())
                solid = len(out)
                continue
            if mark in ",{}" or (stop is not None and text.startswith(stop, self.at)):
                break
            if closed and self.folds and not mark.isspace():
                self.fail("Incorrectly quoted array element.")
            if mark == "\\":
                self.at += 1
                quoted = True
            out.append(self.peek())
            self.at += 1
            if not mark.isspace():
                solid = len(out)
        return "".join(out[:solid]), quoted

    def quotation(self) -> str:
        """The text between quotes, where a backslash takes the meaning from what follows."""
        out: list[str] = []
        self.at += 1
        while self.peek() != '"':
            if self.peek() == "\\":
                self.at += 1
            if not self.peek():
                self.fail("Unexpected end of input.")
            out.append(self.peek())
            self.at += 1
        self.at += 1
        return "".join(out)

    def blank(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]


class _Record:
    """A reader of records."""

    def __init__(self, text: str, type: SqlType) -> None:
        self.text = text
        self.type = type

    def fail(self, detail: str) -> NoReturn:
        raise InvalidText(f'malformed record literal: "{self.text}"', detail=detail)

    def read(self, parse: Parse) -> tuple[RawValue, ...]:
        text, fields = self.text.strip(), self.type.fields
        if not (text.startswith("(") and text.endswith(")") and len(text) > 1):
            self.fail("Missing left or right parenthesis.")
        words = self.words(text[1:-1]) if fields else []
        if len(words) != len(fields):
            self.fail("Too few columns." if len(words) < len(fields) else "Too many columns.")
        return tuple(None if word is None else parse(word, kind) for word, (_, kind) in zip(words, fields, strict=True))

    def words(self, text: str) -> list[str | None]:
        """The texts between the commas; nothing at all is NULL."""
        words: list[str | None] = []
        out: list[str] = []
        given = inside = False
        at = 0
        while at < len(text):
            mark = text[at]
            if mark == "," and not inside:
                words.append("".join(out) if given else None)
                out, given = [], False
                at += 1
                continue
            given = True
            if mark == "\\" and at + 1 < len(text):
                at += 1
                out.append(text[at])
            elif mark == '"' and inside and text[at + 1 : at + 2] == '"':
                out.append('"')
                at += 1
            elif mark == '"':
                inside = not inside
            else:
                out.append(mark)
            at += 1
        if inside:
            self.fail("Unexpected end of input.")
        words.append("".join(out) if given else None)
        return words
