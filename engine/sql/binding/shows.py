"""SHOW as a statement: a query over system relations, or over the statement that makes an object again."""

from typing import Final

from engine.catalog.items import SystemRelation, kind
from engine.errors import WrongObjectType
from engine.sql import bound, dialect, statements
from engine.sql.binding.context import Context
from engine.sql.binding.drops import is_kind
from engine.sql.binding.reads import query
from engine.sql.binding.writing import quoted, text
from engine.sql.statement.parts import ObjectKind

CREATED: Final = "SELECT {} AS name, {} AS create_sql"


def show(statement: statements.ShowObjects, context: Context) -> bound.BoundSelect:
    """The objects of a kind, filtered and in the order of their names."""
    return query(statement.query, context)


def show_create(statement: statements.ShowCreate, context: Context) -> bound.BoundSelect:
    """One row: the full name, and the statement that makes the object again."""
    name = statement.name
    if statement.kind is ObjectKind.CLUSTER:
        cluster = context.catalog.cluster(str(name), name.at)
        return query(
            dialect.parse_query(CREATED.format(text(cluster), text(f"CREATE CLUSTER {quoted(cluster)}"))), context
        )
    item = context.catalog.resolve(name.parts, context.path, name.at)
    if not is_kind(item, statement.kind) or isinstance(item, SystemRelation):
        raise WrongObjectType(f'"{name}" is not a {statement.kind}', hint=f"It is a {kind(item)}.", position=name.at)
    sql = item.create_sql
    return query(dialect.parse_query(CREATED.format(text(str(item.name)), text(sql))), context)
