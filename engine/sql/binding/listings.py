"""SHOW of objects as queries over system relations, written in SQL."""

from dataclasses import replace
from typing import Final

from engine.catalog.catalog import SYSTEM_DATABASE
from engine.catalog.items import Item, Source, kind
from engine.catalog.system.ids import object_id
from engine.errors import Unsupported, WrongObjectType
from engine.sql import dialect, syntax
from engine.sql.binding.context import Context
from engine.sql.binding.writing import text

RELATIONS: Final = {
    "tables": ("mz_tables", ""),
    "sources": ("mz_sources", "o.type"),
    "subsources": ("mz_sources", "o.type"),
    "materialized sources": ("mz_sources", "o.type"),
    "views": ("mz_views", ""),
    "materialized views": ("mz_materialized_views", "h.hydrated"),
    "secrets": ("mz_secrets", ""),
    "connections": ("mz_connections", "o.type"),
    "sinks": ("mz_sinks", "o.type"),
    "types": ("mz_types", ""),
    "durable subscriptions": ("mz_objects", "k.target, k.acknowledged_up_to, k.state"),
    "objects": ("mz_objects", "o.type"),
}
"""What lists the objects of one schema: the relation that they are in, and what is shown beside their names."""

OBJECTS: Final = """
SELECT o.name{column}{full} FROM mz_catalog.{relation} AS o JOIN mz_catalog.mz_schemas AS s ON o.schema_id = s.id
    LEFT JOIN mz_catalog.mz_databases AS d ON s.database_id = d.id
    {joins}
WHERE {condition}
"""
FULL: Final = ", s.name AS schema, o.id, {owner} AS owner, c.comment"
"""What FULL adds for the objects of a schema."""

OWNER: Final = "JOIN mz_catalog.mz_roles AS r ON o.owner_id = r.id"
COMMENT: Final = "LEFT JOIN mz_internal.mz_comments AS c ON c.id = o.id AND c.object_sub_id IS NULL"

HYDRATION: Final = "JOIN mz_internal.mz_hydration_statuses AS h ON h.object_id = o.id"

JOINS: Final = {
    "materialized views": HYDRATION,
    "durable subscriptions": "JOIN mz_internal.mz_durable_subscriptions AS k ON k.id = o.id",
}
"""What has the columns that are shown beside the names, where the relation has not."""

INDEXES: Final = """
SELECT i.name, o.name AS "on", string_agg(c.name, ', ' ORDER BY c.index_position) AS key, h.hydrated{full}
FROM mz_catalog.mz_indexes AS i JOIN mz_catalog.mz_objects AS o ON i.on_id = o.id
    JOIN mz_catalog.mz_index_columns AS c ON c.index_id = i.id
    JOIN mz_internal.mz_hydration_statuses AS h ON h.object_id = i.id
    JOIN mz_catalog.mz_schemas AS s ON o.schema_id = s.id
    LEFT JOIN mz_catalog.mz_databases AS d ON s.database_id = d.id
    LEFT JOIN mz_internal.mz_comments AS t ON t.id = i.id AND t.object_sub_id IS NULL
WHERE {condition} GROUP BY i.name, o.name, h.hydrated, s.name, i.id, t.comment
"""

COLUMNS: Final = """
SELECT m.name, m.nullable, m.type{full}, m.position FROM mz_catalog.mz_columns AS m
    LEFT JOIN mz_internal.mz_comments AS c ON c.id = m.id AND c.object_sub_id = m.position
WHERE m.id = {id}
"""

ELSEWHERE: Final = {
    "databases": """SELECT d.name{full} FROM mz_catalog.mz_databases AS d
        JOIN mz_catalog.mz_roles AS r ON d.owner_id = r.id
        LEFT JOIN mz_internal.mz_comments AS c ON c.id = d.id""",
    "roles": """SELECT d.name{full} FROM mz_catalog.mz_roles AS d JOIN mz_catalog.mz_roles AS r ON d.id = r.id
        LEFT JOIN mz_internal.mz_comments AS c ON c.id = d.id""",
    "clusters": """SELECT d.name, 'r1' AS replicas{full} FROM mz_catalog.mz_clusters AS d
        JOIN mz_catalog.mz_roles AS r ON d.owner_id = r.id
        LEFT JOIN mz_internal.mz_comments AS c ON c.id = d.id""",
    "cluster replicas": """SELECT k.name AS cluster, d.name AS replica, NULL::text AS size, true AS ready{full}
        FROM mz_catalog.mz_cluster_replicas AS d JOIN mz_catalog.mz_clusters AS k ON d.cluster_id = k.id
        JOIN mz_catalog.mz_roles AS r ON d.owner_id = r.id
        LEFT JOIN mz_internal.mz_comments AS c ON c.id = d.id""",
    "role membership": "SELECT role_id AS role, member, grantor FROM mz_catalog.mz_role_members",
    "default privileges": "SELECT * FROM mz_internal.mz_show_default_privileges",
    "privileges": """SELECT grantor, 'PUBLIC' AS grantee, name AS database, NULL::text AS schema, name,
        'database' AS object_type, privilege_type FROM mz_internal.mz_show_my_database_privileges""",
    "network policies": "SELECT ''::text AS name, ''::text AS rules, ''::text AS comment WHERE false",
}
"""What is in no schema."""

FULL_ELSEWHERE: Final = ", d.id, r.name AS owner, c.comment"


def listing(show: syntax.Show, context: Context) -> syntax.Query:
    """The query that a SHOW stands for."""
    node = dialect.parse_query(f"SELECT * FROM ({_sql(show, context)}) AS shown")
    body = node.body
    assert isinstance(body, syntax.Select)
    if show.like is not None:
        column = {"cluster replicas": "replica", "role membership": "role", "default privileges": "object_owner"}
        name = column.get(show.what, "name")
        body = replace(body, where=dialect.parse_expression(f"{name} LIKE {text(show.like)}"))
    elif show.where is not None:
        body = replace(body, where=show.where)
    by: syntax.Expression = syntax.Number("1", 1)
    if show.what == "columns":
        names = ("name", "nullable", "type", *(("comment",) if show.full else ()))
        body = replace(body, items=tuple(syntax.SelectItem(syntax.ColumnName((n,), 1), None) for n in names))
        by = syntax.ColumnName(("position",), 1)
    return replace(node, body=body, order=(syntax.OrderItem(by, False, None),))


def _sql(show: syntax.Show, context: Context) -> str:
    what = show.what
    if show.cluster is not None:
        context.catalog.cluster(show.cluster, show.at)
    match what:
        case "schemas":
            return _schemas(show, context)
        case "columns":
            name = show.from_ or show.on
            assert name is not None
            item = context.catalog.resolve(name.parts, context.path, name.at)
            return COLUMNS.format(id=text(object_id(item.id)), full=", c.comment" if show.full else "")
        case "indexes":
            full = ", s.name AS schema, i.id, t.comment" if show.full else ""
            return INDEXES.format(condition=_indexed(show, context), full=full)
        case _ if what in RELATIONS:
            return _objects(show, context)
        case _:
            if show.from_ is not None or (show.on is not None and what not in FOR_A_ROLE):
                raise Unsupported(f"SHOW {what.upper()} FROM is not supported", position=show.at)
            full = FULL_ELSEWHERE if show.full else ""
            found = ELSEWHERE[what].format(full=full)
            conditions = [] if show.of is None else [f"object_type = {text(show.of)}"]
            if show.on is not None:
                role = context.catalog.role(str(show.on), show.on.at)
                conditions.append(f"{FOR_A_ROLE[what]} = {text(role.name)}")
            return f"SELECT * FROM ({found}) AS o WHERE {' AND '.join(conditions)}" if conditions else found


FOR_A_ROLE: Final = {"role membership": "member", "default privileges": "grantee", "privileges": "grantee"}
"""What SHOW ... FOR a role lists, and the column that has it."""


def _schemas(show: syntax.Show, context: Context) -> str:
    database = show.from_.parts[-1] if show.from_ else context.path.database
    context.catalog.database(database, show.from_.at if show.from_ else None)
    full = ", s.id, r.name AS owner, c.comment" if show.full else ""
    where = "" if show.extended else f"WHERE d.name = {text(database)} OR s.database_id IS NULL"
    return f"""SELECT s.name{full} FROM mz_catalog.mz_schemas AS s JOIN mz_catalog.mz_roles AS r ON s.owner_id = r.id
        LEFT JOIN mz_catalog.mz_databases AS d ON s.database_id = d.id
        LEFT JOIN mz_internal.mz_comments AS c ON c.id = s.id {where}"""


def _objects(show: syntax.Show, context: Context) -> str:
    relation, column = RELATIONS[show.what]
    condition = _schema(show, context)
    if show.what == "subsources":
        condition += " AND o.type IN ('subsource', 'progress', 'errors')"
    if show.on is not None:
        if show.what not in ("tables", "subsources"):
            raise Unsupported(f"SHOW {show.what.upper()} ON is not supported", position=show.on.at)
        item = context.catalog.resolve(show.on.parts, context.path, show.on.at)
        if not isinstance(item, Source):
            raise WrongObjectType(f'"{show.on}" is not a source', hint=f"It is a {kind(item)}.", position=show.on.at)
        relation = "mz_sources"
        condition = f"o.source_id = {text(object_id(item.id))}"
    owned = show.what != "types"
    joins = [JOINS[show.what]] if show.what in JOINS else []
    if show.full:
        joins += [OWNER, COMMENT] if owned else [COMMENT]
    return OBJECTS.format(
        relation=relation,
        column=f", {column}" if column else "",
        full=FULL.format(owner="r.name" if owned else "NULL::text") if show.full else "",
        joins=" ".join(joins),
        condition=condition,
    ).strip()


def _indexed(show: syntax.Show, context: Context) -> str:
    """Which indexes: ON a relation, or FROM one (as it was before), or FROM a schema."""
    name = show.on or show.from_
    if name is None:
        return _schema(show, context)
    item: Item | None = context.catalog.find(name.parts, context.path)
    if item is None and show.on is None and _is_schema(name, context):
        return _schema(show, context)
    item = context.catalog.resolve(name.parts, context.path, name.at)
    return f"o.id = {text(object_id(item.id))}"


def _is_schema(name: syntax.Name, context: Context) -> bool:
    pair = (context.path.database, *name.parts) if len(name.parts) == 1 else name.parts
    return pair in context.catalog.schemas


def _schema(show: syntax.Show, context: Context) -> str:
    """The condition that an object is in a schema: FROM names it, or else it is the first of the search path."""
    if show.from_ is not None:
        database, schema = context.catalog.schema(show.from_.parts, context.path, show.from_.at)
    elif show.extended:
        return f"(d.name = {text(context.path.database)} OR s.database_id IS NULL)"
    else:
        database, schema = context.path.database, context.path.schemas[0] if context.path.schemas else ""
    within = text("" if database == SYSTEM_DATABASE else database)
    return f"s.name = {text(schema)} AND coalesce(d.name, '') = {within}"
