"""Names, types and constants written as SQL: what the statements that the log keeps are made of."""

from engine import types
from engine.catalog.items import QualifiedName
from engine.types import SqlType


def quoted(name: str) -> str:
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
    return str(type_)
