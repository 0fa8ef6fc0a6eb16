"""`$n` in a statement's text, replaced by literals: how values from a client's parameters enter SQL.

The text is read by the tokenizer, so a `$1` in a string, a name or a comment stays what it is. A string literal in SQL
is untyped until its context types it, which is just how PostgreSQL takes a parameter of unspecified type.
"""

from collections.abc import Sequence

from engine.errors import SqlError
from engine.sql.grammar.tokens import Kind, tokenize
from engine.types import BY_OID


class UndefinedParameter(SqlError):
    sqlstate = "42P02"


def literal(value: str | None, oid: int = 0) -> str:
    """The value as SQL. `oid` is its type; 0: left to the context."""
    if value is None:
        return "NULL"
    quoted = "'" + value.replace("'", "''") + "'"
    declared = BY_OID.get(oid)
    return quoted if declared is None or declared.name in ("text", "unknown") else f"CAST({quoted} AS {declared.name})"


def highest(sql: str) -> int:
    """The greatest n of all `$n`; 0 for none."""
    return max((int(token.value) for token in tokenize(sql) if token.kind is Kind.PARAMETER), default=0)


def inline(sql: str, literals: Sequence[str]) -> str:
    """`sql` with each `$n` replaced by the n-th of `literals`; UndefinedParameter where there is none. O(len(sql))."""
    pieces: list[str] = []
    end = 0
    for token in tokenize(sql):
        if token.kind is Kind.PARAMETER:
            number = int(token.value)
            if not 1 <= number <= len(literals):
                raise UndefinedParameter(f"there is no parameter ${number}", position=token.at)
            pieces += [sql[end : token.at - 1], literals[number - 1]]
            end = token.end - 1
    return "".join(pieces) + sql[end:]
