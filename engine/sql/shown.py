"""SQL shown again: pretty_sql() lays it out in lines, redact_sql() hides its constants: by tokens, once it is read.

Law: what comes out has the tokens that went in, in their order; pretty_sql changes only blanks, comments and the case
of key words, redact_sql only constants.
"""

from collections.abc import Iterator
from typing import Final

from engine.expr.keywords import words
from engine.sql.dialect import parse
from engine.sql.grammar.cursor import KEY_WORDS
from engine.sql.grammar.tokens import Kind, Token, tokenize

REDACTED: Final = "'<REDACTED>'"
WIDTH: Final = 100
INDENT: Final = "    "

CLAUSES: Final = words(
    """select from where group having order limit offset union intersect except window qualify values set returning
    fetch on join left right full inner cross natural"""
)
"""Words that begin a line of what is too long for one."""
JOINS: Final = words("left right full inner cross natural join outer")
CLOSED: Final = frozenset({".", "(", "[", "::", ":"})
"""Symbols that nothing is put behind."""
OPENED: Final = frozenset({".", ")", "]", ",", ";", "::", "[", ":"})
"""Symbols that nothing is put before."""
UPPER: Final = (
    KEY_WORDS | CLAUSES | words("by asc desc nulls first last over partition with recursive view materialized index")
)


def redact_sql(text: str) -> str:
    """The statements with their constants hidden. Raises SyntaxError_ where they cannot be read."""
    parse(text)
    out: list[str] = []
    at = 1
    for token in tokenize(text):
        if token.kind in (Kind.STRING, Kind.NUMBER):
            out += (text[at - 1 : token.at - 1], REDACTED)
            at = token.end
    return "".join((*out, text[at - 1 :]))


def pretty_sql(text: str, width: int = WIDTH) -> str:
    """The statements in lines of at most `width` characters, as far as that goes; each ends in a semicolon."""
    parse(text)
    tokens = [token for token in tokenize(text) if token.kind is not Kind.END]
    statements: list[list[Token]] = [[]]
    for token in tokens:
        if token.key == ";":
            statements.append([])
        else:
            statements[-1].append(token)
    return "\n".join(f"{_laid_out(part, text, width)};" for part in statements if part)


def _laid_out(tokens: list[Token], text: str, width: int) -> str:
    flat = _joined(tokens, text)
    if len(flat) <= width:
        return flat
    return "\n".join(_lines(tokens, text, width, ""))


def _lines(tokens: list[Token], text: str, width: int, indent: str) -> Iterator[str]:
    """One line a clause; a clause that is too long has what stands in its parentheses, or its items, in lines below."""
    for clause in _clauses(tokens):
        flat = _joined(clause, text)
        if len(indent) + len(flat) <= width:
            yield indent + flat
            continue
        open_ = next((i for i, token in enumerate(clause) if token.key == "(" and _closes(clause, i) - i > 1), None)
        commas = _commas(clause)
        if commas:
            yield indent + _joined(clause[:1], text)
            for item in _split(clause[1:]):
                yield from _lines(item, text, width, indent + INDENT)
        elif open_ is not None:
            close = _closes(clause, open_)
            yield indent + _joined(clause[: open_ + 1], text)
            yield from _lines(clause[open_ + 1 : close], text, width, indent + INDENT)
            yield indent + _joined(clause[close:], text)
        else:
            yield indent + flat


def _clauses(tokens: list[Token]) -> Iterator[list[Token]]:
    """The parts that begin with a word of CLAUSES outside of parentheses."""
    part: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.key in "([") - (token.key in ")]") if token.key else 0
        begins = depth == 0 and token.kind is Kind.WORD and token.key in CLAUSES
        if begins and part and not (part[-1].key in JOINS and token.key in JOINS) and part[-1].key != ".":
            yield part
            part = []
        part.append(token)
    if part:
        yield part


def _commas(tokens: list[Token]) -> bool:
    return len(list(_split(tokens))) > 1


def _split(tokens: list[Token]) -> Iterator[list[Token]]:
    """The items between the commas outside of parentheses, each with its comma."""
    part: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.key in "([") - (token.key in ")]") if token.key else 0
        part.append(token)
        if depth == 0 and token.key == ",":
            yield part
            part = []
    if part:
        yield part


def _closes(tokens: list[Token], open_: int) -> int:
    """Where the parenthesis that opens at `open_` closes; the end if it does not."""
    depth = 0
    for i in range(open_, len(tokens)):
        depth += (tokens[i].key == "(") - (tokens[i].key == ")")
        if depth == 0:
            return i
    return len(tokens)


def _joined(tokens: list[Token], text: str) -> str:
    """The tokens on one line, key words in upper case."""
    out: list[str] = []
    before: Token | None = None
    for token in tokens:
        shown = text[token.at - 1 : token.end - 1]
        is_key = token.kind is Kind.WORD and token.key in UPPER and (before is None or before.key != ".")
        if before is not None and not _touches(before, token):
            out.append(" ")
        out.append(shown.upper() if is_key else shown)
        before = token
    return "".join(out)


def _touches(before: Token, token: Token) -> bool:
    if before.key in CLOSED or token.key in OPENED:
        return True
    return token.key == "(" and before.end == token.at
