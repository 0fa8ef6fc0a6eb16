"""Text to tokens, by PostgreSQL's lexical rules (manual, section 4.1).

One compiled pattern finds each token, so that a statement costs about a microsecond a token; what a pattern cannot say
(nested comments, dollar quotes, where an operator ends) is code beside it.
"""

import re
from enum import IntEnum
from typing import Final, NamedTuple

from engine.collection.wanted import ask
from engine.errors import InvalidEncoding, SyntaxError_


class Kind(IntEnum):
    WORD = 0  # an unquoted identifier or keyword, folded to lower case
    QUOTED = 1  # "identifier", as it stands
    STRING = 2
    NUMBER = 3
    PARAMETER = 4  # $n
    SYMBOL = 5  # an operator or punctuation
    END = 6


class Token(NamedTuple):
    """`key` is what grammar compares: the word, the symbol, or "" for a token that is no fixed text.

    `value` is the identifier, string, number or symbol that it means; `at` and `end` are positions from 1, `end`
    that after the last character.
    """

    kind: Kind
    key: str
    value: str
    at: int
    end: int


PATTERN: Final = re.compile(
    r"""
      (?P<space>    \s+ | --[^\n\r]* )
    | (?P<comment>  /\* )
    | (?P<escape>   [eE]'(?:[^'\\]|''|\\.)*' )
    | (?P<bytes>    [bBxX]'[^']*' )
    | (?P<word>     [A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]* )
    | (?P<number>   (?: \d+ (?: \.(?!\.)\d* )? | \.\d+ ) (?: [eE][+-]?\d+ )? (?P<junk>[A-Za-z_]\w*)? )
    | (?P<string>   '(?:[^']|'')*' )
    | (?P<quoted>   "(?:[^"]|"")*" )
    | (?P<param>    \$\d+ )
    | (?P<dollar>   \$(?:[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*)?\$ )
    | (?P<colons>   :: | := | => )
    | (?P<single>   [(),;.:\[\]{}] )
    | (?P<operator> [-+*/<>=~!@\#%^&|`?]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
ENDS_IN_SIGN: Final = frozenset("~!@#%^&|`?")
"""Only an operator with one of these may end in + or -; else the sign is an operator of its own (`a=-1`)."""

ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
ESCAPE: Final = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|''", re.DOTALL
)


TOKENS_UNASKED: Final = 1024
"""Found between two questions whether the statement is still wanted: a millisecond or two."""


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`, closed by one of kind END. Raises SyntaxError_ where no token starts. O(len(text))."""
    tokens: list[Token] = []
    add = tokens.append
    match = PATTERN.match
    offset, size = 0, len(text)
    while offset < size:
        if not len(tokens) % TOKENS_UNASKED:
            ask()
        found = match(text, offset)
        if found is None:
            raise _no_token(text, offset)
        end = found.end()
        at = offset + 1
        group = found.lastgroup
        if group == "word":
            word = found.group().lower()
            add(Token(Kind.WORD, word, word, at, end + 1))
        elif group == "single" or group == "colons":
            symbol = found.group()
            add(Token(Kind.SYMBOL, symbol, symbol, at, end + 1))
        elif group == "operator":
            symbol = _operator(found.group())
            end = offset + len(symbol)
            add(Token(Kind.SYMBOL, symbol, symbol, at, end + 1))
        elif group == "string":
            _string(tokens, text, found.group()[1:-1].replace("''", "'"), at, end + 1)
        elif group == "number":
            if found["junk"]:
                raise SyntaxError_(f'trailing junk after numeric literal at or near "{found.group()}"', position=at)
            add(Token(Kind.NUMBER, "", found.group(), at, end + 1))
        elif group == "comment":
            end = _comment(text, offset)
        elif group == "quoted":
            name = found.group()[1:-1].replace('""', '"')
            if not name:
                raise SyntaxError_('zero-length delimited identifier at or near """"', position=at)
            add(Token(Kind.QUOTED, "", name, at, end + 1))
        elif group == "escape":
            _string(tokens, text, _unescaped(found.group()[2:-1], at), at, end + 1)
        elif group == "param":
            add(Token(Kind.PARAMETER, "", found.group()[1:], at, end + 1))
        elif group == "dollar":
            tag = found.group()
            close = text.find(tag, end)
            if close < 0:
                raise SyntaxError_(f'unterminated dollar-quoted string at or near "{text[offset:]}"', position=at)
            add(Token(Kind.STRING, "", text[end:close], at, close + len(tag) + 1))
            end = close + len(tag)
        elif group == "bytes":
            raise SyntaxError_(f'bit string literals are not supported at or near "{found.group()}"', position=at)
        offset = end
    add(Token(Kind.END, "", "", size + 1, size + 1))
    return tokens


def _operator(run: str) -> str:
    """The operator that a run of operator characters begins with."""
    for comment in ("--", "/*"):
        start = run.find(comment)
        if start > 0:
            run = run[:start]
    while len(run) > 1 and run[-1] in "+-" and ENDS_IN_SIGN.isdisjoint(run):
        run = run[:-1]
    return run


def _string(tokens: list[Token], text: str, value: str, at: int, end: int) -> None:
    """Add a string; one that only white space with a line break parts from a string before it continues that."""
    if tokens and tokens[-1].kind is Kind.STRING:
        last = tokens[-1]
        between = text[last.end - 1 : at - 1]
        if "\n" in between and not between.strip():
            tokens[-1] = Token(Kind.STRING, "", last.value + value, last.at, end)
            return
    tokens.append(Token(Kind.STRING, "", value, at, end))


def _comment(text: str, offset: int) -> int:
    """The offset after the (nesting) comment that begins at `offset`."""
    depth, at = 1, offset + 2
    while depth:
        close = text.find("*/", at)
        if close < 0:
            raise SyntaxError_(f'unterminated /* comment at or near "{text[offset:]}"', position=offset + 1)
        opened = text.find("/*", at, close)
        if opened >= 0:
            depth, at = depth + 1, opened + 2
        else:
            depth, at = depth - 1, close + 2
    return at


def _unescaped(text: str, at: int) -> str:
    """What an escape string says. Octal and \\x escapes are bytes, which have to be UTF-8 together."""
    try:
        return ESCAPE.sub(_unescape, text).encode(errors="surrogateescape").decode()
    except UnicodeDecodeError:
        raise InvalidEncoding('invalid byte sequence for encoding "UTF8"', position=at) from None


def _unescape(found: "re.Match[str]") -> str:
    octal, short, four, eight, letter = found.groups()
    if letter is not None:
        return ESCAPES.get(letter, letter)
    digits = short or four or eight
    if octal is None and digits is None:
        return "'"
    code = int(octal, 8) & 255 if octal else int(digits, 16)
    if 0x80 <= code < 0x100 and (octal or short):
        return chr(0xDC00 + code)  # a byte, in the guise that encoding takes off again
    if code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise SyntaxError_(f'invalid Unicode escape value at or near "{found.group()}"')
    return chr(code)


def _no_token(text: str, offset: int) -> SyntaxError_:
    rest = text[offset:]
    first = rest[0]
    if first == "'" or rest[:2].lower() in ("e'", "b'", "x'"):
        what = "unterminated quoted string"
    elif first == '"':
        what = "unterminated quoted identifier"
    else:
        what, rest = "syntax error", first
    return SyntaxError_(f'{what} at or near "{rest}"', position=offset + 1)
