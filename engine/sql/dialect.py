"""Text to statements: the door of the grammar.

The grammar is written out (engine/sql/grammar) where DESIGN 7 has sqlglot, because it was measured: sqlglot 30 takes
190 µs for `SELECT id, v FROM t WHERE id = 1` and 160 µs for a one-row INSERT, this grammar 45 and 35. sqlglot reads
`a IS DISTINCT FROM b = c` and `-2 ^ 2` with other precedence than PostgreSQL, accepts GROUP BY of nothing, `a < b < c`,
`FROM from x` and `* EXCEPT (a)`, rewrites functions and JSON paths by name, and keeps no position of an operator, a
keyword or a typed literal, which errors have to point at.
"""

import sys
from typing import Final

from engine.sql.grammar.commands import Commands
from engine.sql.statements import Statement
from engine.sql.syntax import Expression, Query, TypeName

FRAMES: Final = 30_000
"""Python frames that a statement of NESTING_MAX levels takes in the passes that recurse over it, and some more. They
are on the heap; what of them is on the C stack was measured (grammar/cursor.py)."""

sys.setrecursionlimit(max(FRAMES, sys.getrecursionlimit()))  # here, for whoever has a statement has come by


def parse(text: str) -> list[Statement]:
    """The statements of `text`, parted by semicolons. Positions count characters of `text` from 1.

    Raises SyntaxError_ (42601) with the position of the token that does not fit, Unsupported (0A000) for known syntax
    that is not run, LimitExceeded (53400) for nesting that is too deep. O(len(text)).
    """
    return Commands(text).statements()


def parse_query(text: str) -> Query:
    """One query: what SHOW is made of."""
    commands = Commands(text)
    query = commands.query()
    if not commands.ended:
        commands.fail()
    return query


def parse_type(text: str) -> TypeName:
    """One type name."""
    commands = Commands(text)
    name = commands.type_name()
    if not commands.ended:
        commands.fail()
    return name


def parse_expression(text: str) -> Expression:
    """One expression."""
    commands = Commands(text)
    expression = commands.expression()
    if not commands.ended:
        commands.fail()
    return expression
