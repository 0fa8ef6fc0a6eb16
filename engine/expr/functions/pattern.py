# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.
"""LIKE and regular expressions. Matching is RE2's (linear time, by Arrow), told PostgreSQL's dialect.

A pattern that RE2 refuses (back-references, look-ahead) is an error: a regular expression from a query must not be able
to stop the engine.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine import types
from engine.collection.vector import Vector
from engine.errors import DataError, InvalidArgument, InvalidEscape, InvalidRegex
from engine.expr.columns import Codes, distinct, each, texts
from engine.expr.registry import Function, Kernel
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Match = Callable[[pa.Array, str], pa.Array]
"""(texts, pattern) -> booleans. Raises a DataError for a pattern that is none."""

ESCAPES: Final = {"y": r"\b", "Y": r"\B", "Z": r"\z", "e": r"\x1b", "0": r"\x00"}
"""Escapes of PostgreSQL's that RE2 spells otherwise."""
LETTERS: Final = (
    r"\\[wd]|\[(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[A-Za-z0-9_])+\]|\((?:\?:)?[A-Za-z0-9_]+(?:\|[A-Za-z0-9_]+)*\)"
)
BEFORE_WORD: Final = re.compile(rf"(?:[A-Za-z0-9_]|{LETTERS})(?![*?{{])")
BEHIND_WORD: Final = re.compile(rf"(?:(?:^|[^\\A-Za-z0-9_])[A-Za-z0-9_]+|(?:^|[^\\])(?:{LETTERS}))\+?$")
"""What a pattern goes on with, or has come to, where a letter or digit of a word is sure to stand."""
CODE: Final = r"(?P<code>u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})"
CODE_POINT: Final = re.compile(CODE)
BRACKET_PART: Final = re.compile(r"\[(?P<mark>[.=])(?P<letter>.)(?P=mark)\]|\[:\w+:\]|\\" + CODE + r"|\\.|.", re.DOTALL)
"""What stands within brackets: a collating element or an equivalence class (of one letter, in the C locale), a class,
an escape, a letter."""
BOUND: Final = re.compile(r"\{\d+(,\d*)?\}")

REGEX_LENGTH_MAX: Final = 1 << 18
"""Characters: RE2 needs minutes to refuse one of 60 MB, and its automata are bounded at 8 MB anyway."""


@lru_cache(maxsize=1024)
def like_pattern(pattern: str, fold: bool) -> str:
    """A LIKE pattern (escaped by backslash) as a regular expression."""
    out: list[str] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "%":
            out.append(".*")
        elif letter == "_":
            out.append(".")
        elif letter == "\\":
            escaped = next(letters, None)
            if escaped is None:
                raise InvalidEscape("LIKE pattern must not end with escape character")
            out.append(re.escape(escaped))
        else:
            out.append(re.escape(letter))
    return f"(?s{'i' if fold else ''})^{''.join(out)}$"


def _like(fold: bool) -> Match:
    def match(array: pa.Array, pattern: str) -> pa.Array:
        expression = like_pattern(pattern, fold)
        inner = pattern.strip("%")
        if not fold and not set(inner) & set("%_\\"):  # the common forms are plain searches
            starts, ends = pattern.startswith("%"), pattern.endswith("%")
            if not pattern.strip("%") and pattern:
                return pa.array(np.ones(len(array), np.bool_))
            if starts and ends:
                return pc.match_substring(array, inner)
            if ends:
                return pc.starts_with(array, inner)
            if starts:
                return pc.ends_with(array, inner)
            return pc.equal(array, pa.scalar(inner, pa.large_string()))
        return pc.match_substring_regex(array, expression)

    return match


def regex_of(pattern: str, flags: str = "") -> str:
    """PostgreSQL's regular expression as RE2's: the dot takes newlines, ^ and $ only the ends, unless flags say."""
    if len(pattern) > REGEX_LENGTH_MAX:
        raise InvalidRegex(f"invalid regular expression: it has {len(pattern)} characters, at most {REGEX_LENGTH_MAX}")
    if pattern.startswith("***="):
        pattern = re.escape(pattern[4:])
    options = "s"
    for flag in flags:
        match flag:
            case "i":
                options += "i"
            case "c":
                options = options.replace("i", "")
            case "n" | "m":
                options = options.replace("s", "") + "m"
            case "w":  # only ^ and $ mind newlines
                options += "m"
            case "p":  # only the dot minds them
                options = options.replace("s", "")
            case "q":
                pattern = re.escape(pattern)
            case "g" | "s" | "e" | "t":
                pass
            case _:
                raise InvalidArgument(f'invalid regular expression option: "{flag}"')
    pattern = _translated(pattern)
    return f"(?{options}){pattern}" if options else pattern


@lru_cache(maxsize=1024)
def _translated(pattern: str) -> str:
    """The pattern in RE2's spelling; InvalidRegex for a brace that opens no bound, which RE2 takes for a letter."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\":
            code = CODE_POINT.match(pattern, at + 1)
            if code is not None:
                out.append(f"\\x{{{code.group()[1:]}}}")
                at = code.end()
                continue
            escape = pattern[at + 1 : at + 2]
            if escape in ("m", "M"):
                _end_of_word(pattern, at, out)
                at += 2
                continue
            out.append(ESCAPES.get(escape, "\\" + escape))
            at += 2
        elif letter == "[":
            at = _bracket(pattern, at, out)
        else:
            if letter == "{" and pattern[at + 1 : at + 2].isdigit() and BOUND.match(pattern, at) is None:
                raise InvalidRegex("invalid regular expression: braces {} not balanced")
            out.append(letter)
            at += 1
    return "".join(out)


def _end_of_word(pattern: str, at: int, out: list[str]) -> None:
    r"""\m and \M, a word's beginning and end: RE2's \b, where a letter of the word must stand on the one side."""
    begins = pattern[at + 1] == "m"
    stands = BEFORE_WORD.match(pattern, at + 2) if begins else BEHIND_WORD.search(pattern[:at])
    if stands is None:
        side = "before" if begins else "behind"
        raise InvalidRegex(
            rf"invalid regular expression: \{pattern[at + 1]} must stand {side} a letter or digit, or \w",
            hint=r"\y is either end of a word.",
        )
    out.append(r"\b")


def _bracket(pattern: str, at: int, out: list[str]) -> int:
    """A bracket expression from `at` on, translated onto `out`: where it ends."""
    out.append("[")
    at += 1
    if pattern[at : at + 1] == "^":
        out.append("^")
        at += 1
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        part = BRACKET_PART.match(pattern, at)
        assert part is not None
        if part["letter"] is not None:
            out.append(re.escape(part["letter"]))
        elif part["code"] is not None:
            out.append(f"\\x{{{part['code'][1:]}}}")
        else:
            out.append(part.group())
        at = part.end()
    out.append("]" if at < len(pattern) else "")
    return at + 1


def _regex(flags: str) -> Match:
    def match(array: pa.Array, pattern: str) -> pa.Array:
        return _matched(array, regex_of(pattern, flags))

    return match


def _matched(array: pa.Array, expression: str) -> pa.Array:
    try:
        return pc.match_substring_regex(array, expression)
    except pa.ArrowInvalid as error:
        raise invalid(error) from None


def invalid(error: pa.ArrowInvalid) -> InvalidRegex:
    """RE2's complaint as an error of the query's."""
    reason = str(error).removeprefix("Invalid regular expression: ")
    return InvalidRegex(f"invalid regular expression: {reason}")


def _by_pattern(match: Match, negated: bool) -> Kernel:
    """One search a distinct pattern, over the distinct texts beside it."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        (subjects, patterns), inverse = distinct([vectors[0].words, vectors[1].words])
        found = np.zeros(len(subjects), np.bool_)
        errors: Codes | None = None
        for code in _distinct_codes(patterns):
            rows = np.flatnonzero(patterns == code)
            pattern = context.heap.get(int(code)).decode()
            try:
                hits = match(texts(subjects[rows], context), pattern)
            except DataError as error:
                errors = np.zeros(len(subjects), np.uint64) if errors is None else errors
                errors[rows] = context.error(error.sqlstate, error.message)
                continue
            found[rows] = hits.to_numpy(zero_copy_only=False) != negated
        out = Vector(found.astype(np.uint64), None, errors)
        return out if inverse is None else out.take(inverse)

    return kernel


def _distinct_codes(codes: Codes) -> NDArray[np.uint64]:
    return codes[:1] if len(codes) == 1 else np.unique(codes)


def _like_escape(pattern: str, escape: str) -> str:
    """The pattern with its own escape character, rewritten to backslash."""
    if len(escape) > 1:
        raise InvalidEscape("invalid escape string", hint="Escape string must be empty or one character.")
    if escape == "\\":
        return pattern
    out: list[str] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == escape:
            escaped = next(letters, None)
            if escaped is None:
                raise InvalidEscape("LIKE pattern must not end with escape character")
            out.append("\\" + escaped)
        else:
            out.append("\\\\" if letter == "\\" else letter)
    return "".join(out)


def _regexp_like(text: str, pattern: str, flags: str = "") -> bool:
    if "g" in flags:
        raise InvalidArgument('regexp_like() does not support the "global" option')
    return _matched(pa.array([text], pa.large_string()), regex_of(pattern, flags))[0].as_py()


def _rows() -> Iterator[Function]:
    text, pair = types.TEXT, (types.TEXT, types.TEXT)
    for names, match, negated, doc in (
        (("~~", "like"), _like(False), False, "x LIKE y: % is any text, _ any character, \\ escapes"),
        (("!~~", "notlike"), _like(False), True, "x NOT LIKE y"),
        (("~~*", "ilike"), _like(True), False, "x ILIKE y: LIKE without case"),
        (("!~~*", "notilike"), _like(True), True, "x NOT ILIKE y"),
        (("~",), _regex(""), False, "whether the regular expression y matches in x"),
        (("~*",), _regex("i"), False, "~ without case"),
        (("!~",), _regex(""), True, "not ~"),
        (("!~*",), _regex("i"), True, "not ~*"),
    ):
        for name in names:
            yield Function(name, pair, types.BOOLEAN, _by_pattern(match, negated), can_fail=True, doc=doc)
    doc = "a LIKE pattern with escape character y, rewritten to backslash"
    yield each("like_escape", pair, text, _like_escape, doc, can_fail=True)
    doc = "whether the regular expression y matches in x"
    yield each("regexp_like", pair, types.BOOLEAN, _regexp_like, doc, can_fail=True)
    yield each("regexp_like", (text, text, text), types.BOOLEAN, _regexp_like, doc, can_fail=True)


FUNCTIONS: Final = tuple(_rows())
