"""SHOW: queries over system relations, written in SQL."""

from dataclasses import replace
from typing import Final

from engine.catalog.catalog import SYSTEM_DATABASE
from engine.catalog.items import Item, SystemRelation, kind
from engine.catalog.system.ids import object_id
from engine.errors import Unsupported, WrongObjectType
from engine.sql import bound, dialect, statements, syntax
from engine.sql.binding.context import Context
from engine.sql.binding.drops import KINDS
from engine.sql.binding.reads import query
from engine.sql.binding.writing import text

IN_SCHEMA: Final = {
    "tables": "SELECT o.name FROM mz_catalog.mz_tables AS o WHERE {schema}",
    "sources": "SELECT o.name, o.type FROM mz_catalog.mz_sources AS o WHERE {schema}",
    "views": "SELECT o.name FROM mz_catalog.mz_views AS o WHERE {schema}",
    "materialized views": """SELECT o.name, h.hydrated FROM mz_catalog.mz_materialized_views AS o
        JOIN mz_internal.mz_hydration_statuses AS h ON h.object_id = o.id WHERE {schema}""",
    "secrets": "SELECT o.name FROM mz_catalog.mz_secrets AS o WHERE {schema}",
    "connections": "SELECT o.name, o.type FROM mz_catalog.mz_connections AS o WHERE {schema}",
    "sinks": "SELECT o.name, o.type FROM mz_catalog.mz_sinks AS o WHERE {schema}",
    "objects": "SELECT o.name, o.type FROM mz_catalog.mz_objects AS o WHERE {schema}",
}
"""What lists the objects of one schema: FROM names it, or else the first of the search path."""

INDEXES: Final = """
    SELECT i.name, o.name AS "on", string_agg(c.name, ', ' ORDER BY c.index_position) AS key, h.hydrated
    FROM mz_catalog.mz_indexes AS i JOIN mz_catalog.mz_objects AS o ON i.on_id = o.id
        JOIN mz_catalog.mz_index_columns AS c ON c.index_id = i.id
        JOIN mz_internal.mz_hydration_statuses AS h ON h.object_id = i.id
    WHERE {condition} GROUP BY i.name, o.name, h.hydrated
"""
SCHEMA: Final = """o.schema_id IN (SELECT s.id FROM mz_catalog.mz_schemas AS s
    LEFT JOIN mz_catalog.mz_databases AS d ON s.database_id = d.id
    WHERE s.name = {name} AND coalesce(d.name, '') = {database})
"""


def show(statement: statements.ShowObjects, context: Context) -> bound.BoundSelect:
    """The objects of a kind, filtered and in the order of their names."""
    node = dialect.parse_query(f"SELECT * FROM ({_listing(statement, context)}) AS shown")
    body = node.body
    assert isinstance(body, syntax.Select)
    if statement.like is not None:
        body = replace(body, where=dialect.parse_expression(f"name LIKE {text(statement.like)}"))
    elif statement.where is not None:
        body = replace(body, where=statement.where)
    order = () if statement.what == "columns" else (syntax.OrderItem(syntax.Number("1", 1), False, None),)
    if statement.what == "columns":
        body = replace(body, items=tuple(syntax.SelectItem(syntax.ColumnName((n,), 1), None) for n in COLUMNS))
        order = (syntax.OrderItem(syntax.ColumnName(("position",), 1), False, None),)
    return query(replace(node, body=body, order=order), context)


COLUMNS: Final = ("name", "nullable", "type")


def _listing(statement: statements.ShowObjects, context: Context) -> str:
    what = statement.what
    match what:
        case "databases":
            return "SELECT name FROM mz_catalog.mz_databases"
        case "schemas":
            database = statement.from_.parts[-1] if statement.from_ else context.path.database
            context.catalog.database(database, statement.from_.at if statement.from_ else None)
            return f"""SELECT s.name FROM mz_catalog.mz_schemas AS s
                LEFT JOIN mz_catalog.mz_databases AS d ON s.database_id = d.id
                WHERE d.name = {text(database)} OR s.database_id IS NULL"""
        case "columns":
            assert statement.from_ is not None
            item = context.catalog.resolve(statement.from_.parts, context.path, statement.from_.at)
            id_ = text(object_id(item.id))
            return f"SELECT name, nullable, type, position FROM mz_catalog.mz_columns WHERE id = {id_}"
        case "indexes":
            condition = _schema(None, context)
            if statement.from_ is not None:
                item = context.catalog.resolve(statement.from_.parts, context.path, statement.from_.at)
                condition = f"o.id = {text(object_id(item.id))}"
            return INDEXES.format(condition=condition)
        case _ if what in IN_SCHEMA:
            return IN_SCHEMA[what].format(schema=_schema(statement.from_, context))
        case _:
            raise Unsupported(f"SHOW {what.upper()} is not supported")


def _schema(name: syntax.Name | None, context: Context) -> str:
    """The condition that an object is in a schema."""
    if name is not None:
        database, schema = context.catalog.schema(name.parts, context.path, name.at)
    else:
        database, schema = context.path.database, context.path.schemas[0] if context.path.schemas else ""
    return SCHEMA.format(name=text(schema), database=text("" if database == SYSTEM_DATABASE else database))


def show_create(statement: statements.ShowCreate, context: Context) -> bound.BoundSelect:
    """One row: the full name, and the statement that makes the object again."""
    name = statement.name
    item = context.catalog.resolve(name.parts, context.path, name.at)
    if statement.kind not in KINDS or not isinstance(item, KINDS[statement.kind]) or isinstance(item, SystemRelation):
        raise WrongObjectType(f'"{name}" is not a {statement.kind}', hint=f"It is a {kind(item)}.", position=name.at)
    return _created(item, context)


def _created(item: Item, context: Context) -> bound.BoundSelect:
    sql = item.create_sql
    return query(dialect.parse_query(f"SELECT {text(str(item.name))} AS name, {text(sql)} AS create_sql"), context)
