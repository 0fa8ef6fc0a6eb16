# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.
"""What a regular expression finds in a text: where it matches, what its groups hold, what lies between.

RE2 (by Arrow) is asked twice: once for the extents of all matches, and once a match for its groups. For the second
question the match is cut out with one character on either side, which is all that an assertion can see, and is bound to
its extents: so the groups are those of the match in its text. O(text) in all.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine import types
from engine.collection.nested import Array
from engine.errors import InvalidArgument, InvalidEscape
from engine.expr.columns import each
from engine.expr.functions.pattern import invalid, regex_of
from engine.expr.registry import Function
from engine.expr.text_forms import RawValue

WHOLE: Final = "whole"
UNREPLACED: Final = "replacement failed"
ASSERTING: Final = re.compile(r"\\[bBAz]|[$^]")
SEEING: Final = re.compile(r"\\[bBA]|\^")
"""Assertions that see what stands before."""


class Regex(NamedTuple):
    """An expression of RE2's and where its capturing groups open, in order, with their own names or ''."""

    expression: str
    groups: tuple[tuple[int, str], ...]

    @staticmethod
    def of(pattern: str, flags: str = "") -> "Regex":
        expression = regex_of(pattern, flags)
        return Regex(expression, tuple(_groups(expression)))

    def named(self) -> str:
        """The expression with every group named, as Arrow wants them: g0, g1, ..."""
        out = self.expression
        for number, (at, name) in reversed(list(enumerate(self.groups))):
            rest = out[at + 1 :].removeprefix(f"?P<{name}>") if name else out[at + 1 :]
            out = f"{out[: at + 1]}?P<g{number}>{rest}"
        return out


def _groups(regex: str) -> Iterator[tuple[int, str]]:
    at, inside = 0, False
    while at < len(regex):
        mark = regex[at]
        if mark == "\\":
            at += 1
        elif inside:
            inside = mark != "]"
        elif mark == "[":
            inside = True
            at += 1 if regex[at + 1 : at + 2] in ("]", "^") else 0
        elif mark == "(":
            name = re.match(r"\?P<(\w+)>", regex[at + 1 :])
            if name is not None or regex[at + 1 : at + 2] != "?":
                yield at, name[1] if name is not None else ""
        at += 1


def matches(text: str, regex: Regex, lead: int = 0) -> list[tuple[int, int]]:
    """Where the expression matches from place `lead` on, from left to right without overlaps: (start, end) of each.

    Arrow only replaces: each match is put between zeros, of which a text has none. What an assertion sees before the
    place is there: the letter before it, which is the first match.
    """
    expression = f"({regex.expression})"
    sees = lead > 0 and SEEING.search(regex.expression) is not None
    if sees:
        expression = rf"\A(?s:.)|{expression}"
    try:
        marked = pc.replace_substring_regex(pa.scalar(text[lead - sees :]), expression, "\x00\\1\x00").as_py()
    except pa.ArrowInvalid as error:
        raise invalid(error) from None
    found: list[tuple[int, int]] = []
    at = lead
    for number, piece in enumerate(marked.split("\x00")[2 * sees :]):
        if number % 2:
            found.append((at, at + len(piece)))
        at += len(piece)
    return _with_empty(text, regex.expression, found) if found and may_be_empty(regex.expression) else found


@lru_cache(maxsize=1024)
def may_be_empty(expression: str) -> bool:
    """Whether the expression matches nothing at all in some place. One that is none does not: who uses it says so."""
    try:
        empty = pc.match_substring_regex(pa.scalar(""), rf"\A(?:{expression})\z").as_py()
    except pa.ArrowInvalid:
        return False
    return empty or ASSERTING.search(expression) is not None


def _with_empty(text: str, expression: str, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The matches with the empty ones that follow right behind another: PostgreSQL has them, RE2 passes them over.

    Where one that is not empty ends and no other begins, the expression matches there if it matches what is empty
    between the letters on both sides.
    """
    ends = [end for (start, end), after in zip_longest(found, found[1:]) if start < end and (after or (-1,))[0] != end]
    pieces = pa.array([text[end - 1 : end + 1] for end in ends], pa.string())
    more = pc.match_substring_regex(pieces, rf"\A(?s:.)(?:{expression})(?s:.?)\z").to_pylist()
    return sorted([*found, *((end, end) for end, there in zip(ends, more, strict=True) if there)])


def groups(text: str, regex: Regex, start: int, end: int) -> list[str | None]:
    """What the groups hold in the match with those extents; NULL where one took no part."""
    lead, tail = min(start, 1), min(len(text) - end, 1)
    piece = text[start - lead : end + tail]
    bound = rf"\A(?s:.{{{lead}}})(?P<{WHOLE}>{regex.named()})(?s:.{{{tail}}})\z"
    spans = pc.extract_regex_span(pa.array([piece]), bound)[0].as_py()
    data = piece.encode()
    found: list[str | None] = []
    for number in range(len(regex.groups)):
        span = spans[f"g{number}"]
        found.append(None if span is None else data[span[0] : span[0] + span[1]].decode())
    return found


def _held(text: str, regex: Regex, start: int, end: int) -> list[str | None]:
    """The groups of a match, or all of it where the expression has none."""
    return groups(text, regex, start, end) if regex.groups else [text[start:end]]


def _not_global(name: str, flags: str) -> None:
    if "g" in flags:
        raise InvalidArgument(f'{name}() does not support the "global" option')


def _regexp_match(text: str, pattern: str, flags: str = "") -> RawValue:
    _not_global("regexp_match", flags)
    regex = Regex.of(pattern, flags)
    found = matches(text, regex)
    return Array.of(_held(text, regex, *found[0])) if found else None


def regexp_matches(text: str, pattern: str, flags: str = "") -> list[RawValue]:
    """The groups of the first match, with the flag g of each."""
    regex = Regex.of(pattern, flags)
    found = matches(text, regex)
    return [Array.of(_held(text, regex, *extents)) for extents in (found if "g" in flags else found[:1])]


def regexp_extract(text: str, regex: Regex) -> tuple[str | None, ...] | None:
    """The groups of the first match."""
    found = matches(text, regex)
    return tuple(groups(text, regex, *found[0])) if found else None


def split(text: str, pattern: str, flags: str = "") -> list[RawValue]:
    """The text between the matches; an empty match at either end of the text, or right behind another match, splits
    nothing, as in PostgreSQL."""
    _not_global("regexp_split", flags)
    parts: list[RawValue] = []
    at = before = 0
    for start, end in matches(text, Regex.of(pattern, flags)):
        if start < len(text) and end > before:
            parts.append(text[at:start])
            at = end
        before = end
    return [*parts, text[at:]]


def _replacement(text: str, groups: int) -> str:
    r"""PostgreSQL's replacement as RE2's: \& is the whole match, a group that is not there is empty."""

    def one(found: re.Match[str]) -> str:
        mark = found[1]
        if mark == "&":
            return "\\0"
        if mark and mark in "123456789":
            return f"\\{mark}" if int(mark) <= groups else ""
        return "\\\\" if mark in ("\\", "") else "\\\\" + mark

    return re.sub(r"\\(.|\Z)", one, text, flags=re.DOTALL)


def _regexp_replace(text: str, pattern: str, replacement: str, flags: str = "") -> str:
    regex = Regex.of(pattern, flags)
    every = None if "g" in flags else 1
    by = _replacement(replacement, len(regex.groups))
    if every is None and may_be_empty(regex.expression):
        return _replaced(text, regex, by, matches(text, regex))
    try:
        found = pc.replace_substring_regex(pa.scalar(text), regex.expression, by, max_replacements=every)
    except pa.ArrowInvalid as error:
        if UNREPLACED not in str(error):
            raise invalid(error) from None
        return _replaced(text, regex, by, matches(text, regex)[:1])
    return found.as_py()


def _replaced(text: str, regex: Regex, by: str, found: Sequence[tuple[int, int]]) -> str:
    """Those matches replaced, where Arrow cannot: it finds no empty match of an assertion again by itself, and none
    right behind another."""
    out: list[str] = []
    at = 0
    for start, end in found:
        held = [text[start:end], *groups(text, regex, start, end)]

        def part(mark: re.Match[str], held: list[str | None] = held) -> str:
            return (held[int(mark[1])] or "") if mark[1].isdigit() else mark[1]

        out += [text[at:start], re.sub(r"\\(.)", part, by)]
        at = end
    return "".join([*out, text[at:]])


def _substring(text: str, pattern: str) -> str | None:
    """The first group of the first match, or all of it."""
    regex = Regex.of(pattern)
    found = matches(text, regex)
    return _held(text, regex, *found[0])[0] if found else None


def _substring_similar(text: str, pattern: str, escape: str) -> str | None:
    return _substring(text, similar_regex(pattern, escape))


def _nth(found: Sequence[tuple[int, int]], number: int) -> tuple[int, int] | None:
    return found[number - 1] if 1 <= number <= len(found) else None


def _regexp_substr(text: str, pattern: str, start: int = 1, number: int = 1, flags: str = "") -> str | None:
    hit = _nth(_after(text, pattern, start, flags), number)
    return None if hit is None else text[slice(*hit)]


def _regexp_instr(text: str, pattern: str, start: int = 1, number: int = 1) -> int:
    hit = _nth(_after(text, pattern, start), number)
    return 0 if hit is None else hit[0] + 1


def _regexp_count(text: str, pattern: str, start: int = 1, flags: str = "") -> int:
    return len(_after(text, pattern, start, flags))


def _after(text: str, pattern: str, start: int, flags: str = "") -> list[tuple[int, int]]:
    """The matches in what of the text begins at position `start`, in places of the whole."""
    if start < 1:
        raise InvalidArgument(f'invalid value for parameter "start": {start}')
    _not_global("regexp_count", flags)
    lead = start - 1
    if lead > len(text):
        return []
    return matches(text, Regex.of(pattern, flags), lead)


def similar_regex(pattern: str, escape: str | None = "\\") -> str:
    """A pattern of SIMILAR TO (SQL:2003) as a regular expression of the whole text.

    % is any text, _ a character; | * + ? {m,n} ( ) and brackets as they are; the rest stands for itself. Between two
    escaped double quotes lies the part that substring() yields.
    """
    if escape and len(escape) > 1:
        raise InvalidEscape("invalid escape string", hint="Escape string must be empty or one character.")
    out = ["^(?:"]
    at, inside, quotes = 0, False, 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if escape and letter == escape:
            letter = pattern[at : at + 1]
            at += 1
            if letter == '"':
                quotes += 1
                if quotes == 1:  # as little as possible before the part
                    out = [".*?" if part == ".*" else part for part in out]
                out.append(")(" if quotes == 1 else ")(?:")
            else:
                out.append("\\" + letter)
        elif inside:
            inside = letter != "]"
            out.append("\\\\" if letter == "\\" else letter)
        elif letter == "[":
            inside = True
            out.append(letter)
        elif letter == "%":
            out.append(".*")
        elif letter == "_":
            out.append(".")
        elif letter == "(":
            out.append("(?:")
        elif letter in ".^$\\":
            out.append("\\" + letter)
        else:
            out.append(letter)
    return "".join(out) + ")$"


def _rows() -> Iterator[Function]:
    text, number = types.TEXT, types.INTEGER
    texts, pair = types.array_of(text), (types.TEXT, types.TEXT)
    for more in ((), (text,)):
        doc = "the groups of the first match, or all of it"
        yield each("regexp_match", (*pair, *more), texts, _regexp_match, doc, can_fail=True, gives_null=True)
        doc = "the parts between the matches of y"
        yield each("regexp_split_to_array", (*pair, *more), texts, lambda *given: Array.of(split(*given)), doc,
                   can_fail=True)  # fmt: skip
    for more in ((), (text,)):
        doc = "the first match of y in x (flag g: each) replaced by z"
        yield each("regexp_replace", (*pair, text, *more), text, _regexp_replace, doc, can_fail=True)
    doc = "the first group of the first match of the regular expression y, or all of it"
    yield each("substring", pair, text, _substring, doc, can_fail=True, gives_null=True)
    doc = 'what the SIMILAR TO pattern y with escape character z matches, or its part between #" and #"'
    yield each("substring", (text, text, text), text, _substring_similar, doc, can_fail=True, gives_null=True)
    for more in ((), (number,), (number, text)):
        doc = "how often the regular expression y matches in x"
        yield each("regexp_count", (*pair, *more), number, _regexp_count, doc, can_fail=True)
    for more in ((), (number,), (number, number)):
        doc = "where the regular expression y matches, 0: nowhere"
        yield each("regexp_instr", (*pair, *more), number, _regexp_instr, doc, can_fail=True)
    for more in ((), (number,), (number, number), (number, number, text)):
        doc = "what the regular expression y matches"
        yield each("regexp_substr", (*pair, *more), text, _regexp_substr, doc, can_fail=True, gives_null=True)
    for more in ((), (text,)):
        doc = "the SIMILAR TO pattern x as a regular expression"
        yield each("similar_to_escape", (text, *more), text, similar_regex, doc, can_fail=True)


FUNCTIONS: Final = tuple(_rows())
