"""Where a statement ends in what was typed: at a semicolon outside of quotes and comments."""

import re
from typing import Final

TOKEN: Final = re.compile(
    r"""
      --[^\n]*                                    # a comment to the end of its line
    | /\*(?:.*?\*/|.*\Z)                          # a comment, perhaps open (nested ones end at the first close)
    | [eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)             # quotes, perhaps open
    | '(?:[^']|'')*(?:'|\Z)
    | "(?:[^"]|"")*(?:"|\Z)
    | \$(?P<tag>[A-Za-z_]\w*)?\$(?:.*?\$(?(tag)(?P=tag))\$|.*\Z)
    | (?P<end>;)
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


def split(text: str) -> tuple[list[str], str]:
    """The statements that are complete, with their semicolons, and what stands behind them."""
    statements: list[str] = []
    start = 0
    for token in TOKEN.finditer(text):
        if token["end"]:
            statements.append(text[start : token.end()].strip())
            start = token.end()
    return [statement for statement in statements if statement != ";"], text[start:]
