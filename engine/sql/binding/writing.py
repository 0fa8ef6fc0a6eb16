"""Names, types and constants written as SQL: what the statements that the log keeps are made of."""

import re
from typing import Final

from engine import types
from engine.catalog.items import QualifiedName
from engine.sql.grammar.cursor import KEY_WORDS
from engine.types import Nesting, SqlType

PLAIN: Final = re.compile(r"[a-z_][a-z0-9_$]*")


def quoted(name: str) -> str:
    """A name as SQL reads it: in quotes where it is a key word, or would be folded."""
    if PLAIN.fullmatch(name) and name not in KEY_WORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """`value` as a constant of SQL."""
    return "'" + value.replace("'", "''") + "'"


def full(name: QualifiedName) -> str:
    """A name that means the same whatever the search path."""
    parts = (name.database, name.schema, name.item) if name.database else (name.schema, name.item)
    return ".".join(map(quoted, parts))


def type_sql(type_: SqlType) -> str:
    """A type as SQL reads it."""
    if type_.plain == types.TIMESTAMPTZ and type_.modifier:
        return f"timestamp({type_.modifier[0]}) with time zone"
    match type_.nesting:
        case None | Nesting.RANGE:
            return str(type_)
        case Nesting.RECORD:
            return f"struct<{', '.join(f'{quoted(name)} {type_sql(kind)}' for name, kind in type_.fields)}>"
        case Nesting.ARRAY:
            return f"{type_sql(type_.within)}[]"
        case Nesting.LIST:
            return f"{type_sql(type_.within)} list"
        case Nesting.MAP:
            return f"map[text=>{type_sql(type_.within)}]"


def article(words: str) -> str:
    """The words with their article."""
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"
