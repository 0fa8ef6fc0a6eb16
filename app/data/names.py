"""A relation's name in a path or a message: name, schema.name or database.schema.name.

Names are exact, not folded to lower case as in SQL; a part that has a dot in it stands in double quotes.
"""

import re
from typing import Final

from engine.errors import InvalidParameter

PART: Final = re.compile(r'"((?:[^"]|"")*)"(\.|\Z)|([^."]+)(\.|\Z)')


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of the name. InvalidParameter for what is no name."""
    parts: list[str] = []
    at = 0
    while True:
        found = PART.match(name, at)
        if found is None or len(parts) == 3:
            raise InvalidParameter(
                f"{name!r} is no name of a relation",
                hint='It is name, schema.name or database.schema.name; "a.b" quotes.',
            )
        quoted, dot, plain, other_dot = found.groups()
        parts.append(plain if quoted is None else quoted.replace('""', '"'))
        at = found.end()
        if not (dot or other_dot):
            return tuple(parts)


def quoted(*parts: str) -> str:
    """The name as SQL has it, whatever is in it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(text: str) -> str:
    """A string of SQL. InvalidParameter for a NUL character."""
    if "\0" in text:
        raise InvalidParameter("text has no NUL characters")
    return "'" + text.replace("'", "''") + "'"
