"""Tables of a database that a source copies: which ones a statement asks for, and what they were like then."""

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from engine import types
from engine.errors import InvalidParameter
from engine.types import Column


@dataclass(frozen=True, slots=True)
class UpstreamColumn:
    """A column of a table upstream: its number there never is another's, its type is known by OID and modifier.
    `column` is what becomes of it here."""

    number: int
    type: int
    modifier: int
    column: Column


@dataclass(frozen=True, slots=True)
class UpstreamTable:
    """A table of a PostgreSQL database as it was when its relation here was made: later ones are compared with it.

    `columns` are those that are copied; `key` are places among them, of the primary key whose OID is `key_oid` (0:
    there is none that is copied). `published` tells how the publication had it from how it
    may have it later. `token` is what the relation is called
    among the source's offsets, since the same table may be copied again.
    """

    schema: str
    name: str
    oid: int
    columns: tuple[UpstreamColumn, ...]
    key: tuple[int, ...]
    key_oid: int
    published: int
    token: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One table that is to be copied: its name upstream, () the schema if it may be any, and the relation's name."""

    schema: str | None
    table: str
    alias: str


@dataclass(frozen=True, slots=True)
class Selected:
    """Which tables a statement asks for: those `wanted`, or all (of `schemas`, if it names some); and which columns of
    them, as (schema or None, table, column), are copied as text or not at all. The relation of one of all is called as
    the table, behind a `prefix`."""

    wanted: tuple[Wanted, ...] = ()
    every: bool = False
    schemas: tuple[str, ...] = ()
    as_text: tuple[tuple[str | None, str, str], ...] = ()
    excluded: tuple[tuple[str | None, str, str], ...] = ()
    prefix: str = ""


NOTHING_SELECTED: Final = Selected()


def table_details(table: UpstreamTable) -> str:
    """The table as the log keeps it."""
    columns = [
        [each.column.name, each.number, each.type, each.modifier, each.column.type.oid, list(each.column.type.modifier),
         each.column.nullable]
        for each in table.columns
    ]  # fmt: skip
    return json.dumps(
        {"schema": table.schema, "name": table.name, "oid": table.oid, "columns": columns, "key": list(table.key),
         "key_oid": table.key_oid, "published": table.published, "token": table.token},
        ensure_ascii=False,
    )  # fmt: skip


def table_of(details: str) -> UpstreamTable:
    """What `table_details` wrote. InvalidParameter for anything else."""
    try:
        given: Any = json.loads(details)
        columns = tuple(
            UpstreamColumn(
                number, type, modifier, Column(name, replace(types.BY_OID[ours], modifier=tuple(own)), nullable)
            )
            for name, number, type, modifier, ours, own, nullable in given["columns"]
        )
        return UpstreamTable(
            given["schema"], given["name"], given["oid"], columns, tuple(given["key"]), given["key_oid"],
            given["published"], given["token"],
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise InvalidParameter("DETAILS is what SHOW CREATE shows, and nothing else") from None
