"""What a server has: is it one that can be followed, which tables does the publication have, what are they like.

All of it is asked when a source or a copy of a table is made, so that what is wrong is said by the statement that is
wrong; and again whenever the server says that a table has changed, and every now and then.
"""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final, NamedTuple

from engine import types
from engine.catalog.sources import PostgresSource
from engine.catalog.upstream import Selected, UpstreamColumn, UpstreamTable, Wanted
from engine.connectors.feed import Feed, Resolve
from engine.connectors.postgres.columns import type_of
from engine.connectors.postgres.connection import Bell, Connection
from engine.connectors.postgres.quoting import literal, quoted
from engine.errors import DuplicateRelation, InvalidParameter, SourceError, UndefinedColumn, UndefinedTable
from engine.types import Column

VERSION_MIN: Final = 120_000
PROGRESS_COLUMNS: Final = (Column("lsn", types.UINT8, nullable=False),)
"""The position in the server's log up to which everything has been applied."""

LISTS: Final = 150_000
"""From here on publications may have columns and conditions."""

TABLES: Final = """
SELECT n.nspname, c.relname, c.oid, concat_ws(' ', p.oid, p.xmin, {members}), c.relkind <> 'p' AND c.relreplident = 'f' OR c.relkind = 'p' AND NOT EXISTS (
           SELECT FROM pg_partition_tree(c.oid) AS t JOIN pg_class AS l ON l.oid = t.relid
           WHERE t.isleaf AND l.relreplident <> 'f')
FROM pg_publication AS p JOIN pg_publication_tables AS t ON t.pubname = p.pubname
    JOIN pg_namespace AS n ON n.nspname = t.schemaname JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.tablename
WHERE p.pubname = {publication} ORDER BY 1, 2
"""  # noqa: E501 - PostgreSQL does not mind

MEMBERS: Final = """
(SELECT string_agg(r.oid::text, ' ' ORDER BY r.oid) FROM pg_publication_rel AS r WHERE r.prpubid = p.oid
    AND (r.prrelid = c.oid OR r.prrelid IN (SELECT relid FROM pg_partition_ancestors(c.oid) AS a (relid))))
"""
SCHEMA_MEMBERS: Final = """
(SELECT string_agg(m.oid::text, ' ' ORDER BY m.oid) FROM pg_publication_namespace AS m
    WHERE m.pnpubid = p.oid AND m.pnnspid = c.relnamespace)
"""
"""What makes a table one of the publication: a row of its own in the catalog, which is another when it comes again."""

COLUMNS: Final = """
SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull,
    CASE WHEN y.typtype = 'd' THEN y.typbasetype ELSE a.atttypid END,
    CASE WHEN y.typtype = 'd' THEN y.typtypmod ELSE a.atttypmod END, format_type(a.atttypid, a.atttypmod)
FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
WHERE a.attrelid IN ({oids}) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY 1, 3
"""

KEYS: Final = """
SELECT c.conrelid, c.oid, array_to_string(c.conkey, ' ') FROM pg_constraint AS c
WHERE c.conrelid IN ({oids}) AND c.contype = 'p'
"""


@dataclass(frozen=True, slots=True)
class Published:
    """A table as the publication has it: `publication` is another once the publication was changed or made anew, or the
    table was taken out of it and put in again, as changes in between may not have been sent. `full`: its REPLICA
    IDENTITY."""

    schema: str
    name: str
    oid: int
    publication: int
    full: bool


def resolved(description: PostgresSource, resolve: Resolve) -> PostgresSource:
    """The source with what only the server knows, checked; one that was asked before is as it is."""
    if description.slot:
        return description
    bell = Bell()
    try:
        connection = Connection(description.connection, resolve, bell, replication=True)
        try:
            check_server(connection, description)
            identifier = connection.query("IDENTIFY_SYSTEM")[0][0]
        finally:
            connection.close()
    finally:
        bell.close()
    assert identifier is not None
    return replace(description, slot=f"tailrace_{secrets.token_hex(8)}", system=identifier)


def check_server(connection: Connection, description: PostgresSource) -> int:
    """The publication's OID. SourceError for a server, or a publication, that cannot be followed."""
    if connection.version < VERSION_MIN:
        raise SourceError("servers before PostgreSQL 12 cannot be followed", hint="Upgrade it.")
    (level,) = connection.query("SHOW wal_level")[0]
    if level != "logical":
        raise SourceError(
            f"the server's wal_level is {level}, which says too little to follow it",
            hint="Set wal_level = logical in postgresql.conf, and restart it.",
        )
    if connection.query("SHOW server_encoding")[0][0] == "SQL_ASCII":
        raise SourceError("the database has no encoding (SQL_ASCII): what its texts say is not known")
    name = description.publication
    found = connection.query(
        f"SELECT pubinsert, pubupdate, pubdelete, pubtruncate, oid FROM pg_publication WHERE pubname = {literal(name)}"
    )
    if not found:
        raise SourceError(
            f'publication "{name}" does not exist', hint=f"There: CREATE PUBLICATION {quoted(name)} FOR TABLE ...;"
        )
    kinds = ("insert", "update", "delete", "truncate")
    missing = [kind for kind, there in zip(kinds, found[0], strict=False) if there != "t"]
    if missing:
        raise SourceError(
            f'publication "{name}" does not publish {" and ".join(missing)}: what it says is not the whole truth',
            hint=f"There: ALTER PUBLICATION {quoted(name)} SET (publish = 'insert, update, delete, truncate');",
        )
    return int(found[0][4] or 0)


def tables(description: PostgresSource, selected: Selected, resolve: Resolve) -> tuple[Feed, ...]:
    """The copies that are to be made. Asks the server: SourceError, UndefinedTable, InvalidParameter."""
    bell = Bell()
    try:
        connection = Connection(description.connection, resolve, bell)
        try:
            check_server(connection, description)
            return _tables(connection, description, selected)
        finally:
            connection.close()
    finally:
        bell.close()


def _tables(connection: Connection, description: PostgresSource, selected: Selected) -> tuple[Feed, ...]:
    there = published(connection, description.publication)
    chosen: list[tuple[str, Published]] = []
    for wanted in selected.wanted:
        chosen.append((wanted.alias, _found(wanted, there, description.publication)))
    if selected.every:
        for schema in selected.schemas:
            if all(each.schema != schema for each in there):
                raise UndefinedTable(f'publication "{description.publication}" has no table of schema "{schema}"')
        of = [each for each in there if not selected.schemas or each.schema in selected.schemas]
        chosen = [(selected.prefix + each.name, each) for each in of]
        if not chosen:
            raise UndefinedTable(f'publication "{description.publication}" has no tables')
    names = [alias for alias, _ in chosen]
    for alias in names:
        if names.count(alias) > 1:
            raise DuplicateRelation(
                f'two of the tables would be called "{alias}"', hint=f"FOR TABLES (schema.{alias} AS other_name, ...)"
            )
    short = [each for _, each in chosen if not each.full]
    if short:
        missing = ", ".join(f"{each.schema}.{each.name}" for each in short)
        raise InvalidParameter(
            f"REPLICA IDENTITY of {missing} is not FULL: updates and deletions would not tell which row it was",
            hint="There: " + " ".join(
                f"ALTER TABLE {quoted(each.schema)}.{quoted(each.name)} REPLICA IDENTITY FULL;" for each in short
            ),
        )  # fmt: skip
    listed = _lists(connection, description.publication)
    made = describe(connection, [each for _, each in chosen], selected, listed)
    _check_named(selected, made.values())
    return tuple(_feed(alias, made[each.oid]) for alias, each in chosen)


def _feed(alias: str, table: UpstreamTable) -> Feed:
    columns = tuple(each.column for each in table.columns)
    return Feed(alias, columns, False, (table.key,) if table.key else (), table)


def published(connection: Connection, publication: str) -> list[Published]:
    """The publication's tables."""
    members = MEMBERS if connection.version < LISTS else f"{MEMBERS}, {SCHEMA_MEMBERS}"
    rows = connection.query(TABLES.format(publication=literal(publication), members=members))
    return [
        Published(schema or "", name or "", int(oid or 0), _digest(state or ""), full == "t")
        for schema, name, oid, state, full in rows
    ]


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())


def _found(wanted: Wanted, there: Sequence[Published], publication: str) -> Published:
    found = [each for each in there if each.name == wanted.table and wanted.schema in (None, each.schema)]
    name = wanted.table if wanted.schema is None else f"{wanted.schema}.{wanted.table}"
    if not found:
        raise UndefinedTable(
            f'publication "{publication}" has no table "{name}"',
            hint=f"There: ALTER PUBLICATION {quoted(publication)} ADD TABLE ...;",
        )
    if len(found) > 1:
        schemas = ", ".join(each.schema for each in found)
        raise InvalidParameter(f'table "{name}" is ambiguous: there is one in {schemas}', hint="Name the schema too.")
    return found[0]


def _lists(connection: Connection, publication: str) -> dict[int, frozenset[str]]:
    """The columns that the publication has of tables, by OID; a table that is not there has all."""
    if connection.version < LISTS:
        return {}
    rows = connection.query(
        "SELECT c.oid, array_to_json(t.attnames) FROM pg_publication_tables AS t JOIN pg_namespace AS n "
        "ON n.nspname = t.schemaname JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.tablename "
        f"WHERE t.pubname = {literal(publication)}"
    )
    return {int(oid): frozenset(json.loads(names)) for oid, names in rows if oid is not None and names is not None}


def describe(
    connection: Connection, tables: Sequence[Published], selected: Selected, listed: Mapping[int, frozenset[str]]
) -> dict[int, UpstreamTable]:
    """What the tables are like, by OID. InvalidParameter for a column that cannot be copied."""
    oids = ", ".join(str(each.oid) for each in tables)
    rows = connection.query(COLUMNS.format(oids=oids))
    keys = {
        int(oid or 0): (int(key or 0), columns or "") for oid, key, columns in connection.query(KEYS.format(oids=oids))
    }
    made: dict[int, UpstreamTable] = {}
    for table in tables:
        columns = [
            _column(table, row, selected)
            for row in rows
            if int(row[0] or 0) == table.oid
            and (table.oid not in listed or row[1] in listed[table.oid])
            and not _named(selected.excluded, table, row[1])
        ]
        if not columns:
            raise InvalidParameter(f"table {table.schema}.{table.name} has no column that is to be copied")
        key_oid, numbers = keys.get(table.oid, (0, ""))
        places = {each.number: place for place, each in enumerate(columns)}
        key = tuple(places[int(number)] for number in numbers.split() if int(number) in places)
        if len(key) < len(numbers.split()):
            key, key_oid = (), 0
        made[table.oid] = UpstreamTable(
            table.schema, table.name, table.oid, tuple(columns), key, key_oid if key else 0, table.publication,
            secrets.token_hex(4),
        )  # fmt: skip
    return made


def _column(table: Published, row: Sequence[str | None], selected: Selected) -> UpstreamColumn:
    _, name, number, type_oid, modifier, not_null, base, base_modifier, text = row
    assert name is not None
    if _named(selected.as_text, table, name):
        type = types.TEXT
    else:
        type = type_of(int(base or 0), int(base_modifier or -1))
    if type is None:
        at = f"{table.schema}.{table.name}.{name}"
        raise InvalidParameter(
            f"column {at} has type {text}, which there is none of here",
            hint=f"Copy it as text with TEXT COLUMNS ({at}), or leave it out with EXCLUDE COLUMNS ({at}).",
        )
    column = Column(name, type, not_null != "t")
    return UpstreamColumn(int(number or 0), int(type_oid or 0), int(modifier or -1), column)


def _named(columns: Iterable[tuple[str | None, str, str]], table: Published, name: str | None) -> bool:
    return any(column == name and of == table.name and schema in (None, table.schema) for schema, of, column in columns)


def _check_named(selected: Selected, tables: Iterable[UpstreamTable]) -> None:
    """UndefinedColumn for one of TEXT COLUMNS that no table has."""
    there = {(table.schema, table.name, each.column.name) for table in tables for each in table.columns}
    for schema, table, column in selected.as_text:
        if not any(known[1:] == (table, column) and schema in (None, known[0]) for known in there):
            raise UndefinedColumn(
                f'TEXT COLUMNS names "{table}.{column}", which is none of the columns that are copied'
            )


class Compared(NamedTuple):
    """By the tokens of tables: which of their copies cannot be kept as they are, and why; and how the publication has
    the others."""

    lost: dict[str, str]
    published: dict[str, int]


def compared(connection: Connection, publication: str, tables: Sequence[UpstreamTable]) -> Compared:
    """Tables as they are with what they were."""
    if not tables:
        return Compared({}, {})
    there = {each.oid: each for each in published(connection, publication)}
    oids = ", ".join(str(each.oid) for each in tables)
    columns = {
        (int(row[0] or 0), int(row[2] or 0)): (row[1], int(row[3] or 0), int(row[4] or -1))
        for row in connection.query(COLUMNS.format(oids=oids))
    }
    keys = {int(key or 0) for _, key, _ in connection.query(KEYS.format(oids=oids))}
    alive = {int(oid or 0) for (oid,) in connection.query(f"SELECT oid FROM pg_class WHERE oid IN ({oids})")}
    listed = _lists(connection, publication)
    found: dict[str, str] = {}
    for table in tables:
        now = there.get(table.oid)
        if table.oid not in alive:
            found[table.token] = "it was dropped"
        elif now is None:
            found[table.token] = f'it is not in publication "{publication}" any more'
        elif not now.full:
            found[table.token] = "its REPLICA IDENTITY is not FULL any more"
        elif table.key_oid and table.key_oid not in keys:
            found[table.token] = "its primary key was dropped"
        else:
            for column in table.columns:
                name, *type = columns.get((table.oid, column.number), (None,))
                if name != column.column.name:
                    found[table.token] = f'its column "{column.column.name}" was dropped or renamed'
                elif type != [column.type, column.modifier]:
                    found[table.token] = f'the type of its column "{name}" was changed'
                elif table.oid in listed and name not in listed[table.oid]:
                    found[table.token] = f'its column "{name}" is not in publication "{publication}" any more'
    tokens = {table.token: there[table.oid].publication for table in tables if table.oid in there}
    return Compared(found, tokens)
