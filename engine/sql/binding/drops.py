"""DROP: what goes, and in which order."""

from engine.catalog.catalog import DEFAULT_CLUSTER, DEFAULT_DATABASE
from engine.catalog.items import (
    Connection,
    DurableSubscription,
    Index,
    Item,
    MaterializedView,
    Secret,
    Sink,
    Source,
    SourceRelation,
    SystemRelation,
    Table,
    Type,
    View,
    kind,
)
from engine.errors import (
    DependentObjects,
    UndefinedDatabase,
    UndefinedSchema,
    UndefinedTable,
    WrongObjectType,
)
from engine.sql import bound, statements, syntax
from engine.sql.binding.context import Context
from engine.sql.binding.writing import article
from engine.sql.statement.parts import ObjectKind

KINDS: dict[ObjectKind, tuple[type[Item], ...]] = {
    ObjectKind.TABLE: (Table,),
    ObjectKind.SOURCE: (Source, SourceRelation),
    ObjectKind.VIEW: (View,),
    ObjectKind.MATERIALIZED_VIEW: (MaterializedView,),
    ObjectKind.INDEX: (Index,),
    ObjectKind.TYPE: (Type,),
    ObjectKind.SECRET: (Secret,),
    ObjectKind.CONNECTION: (Connection,),
    ObjectKind.SINK: (Sink,),
    ObjectKind.DURABLE_SUBSCRIPTION: (DurableSubscription,),
}


def is_kind(item: Item, kind_: ObjectKind) -> bool:
    """Whether statements about that kind of object are about this one."""
    if isinstance(item, SourceRelation):
        return kind(item) == str(kind_)
    return isinstance(item, KINDS.get(kind_, ()))


def drop(statement: statements.Drop, context: Context) -> bound.BoundDrop:
    if statement.kind is ObjectKind.SCHEMA:
        return _drop_schemas(statement, context)
    if statement.kind is ObjectKind.DATABASE:
        return _drop_databases(statement, context)
    roots: list[Item] = []
    missing: list[str] = []
    for name in statement.names:
        item = find(statement.kind, name, statement.if_exists, context)
        if item is None:
            missing.append(str(name))
            continue
        if isinstance(item, SourceRelation) and not item.create_sql:
            owner = context.catalog.items[item.source].name.item
            raise DependentObjects(
                f'cannot drop "{name}" because source "{owner}" feeds it',
                hint=f"Drop source {owner}.",
                position=name.at,
            )
        if isinstance(item, Index) and item.constraint:
            owner = context.catalog.items[item.on].name.item
            raise DependentObjects(
                f'cannot drop index "{name}" because constraint "{name}" on table "{owner}" requires it',
                hint=f"Drop table {owner}.",
                position=name.at,
            )
        roots.append(item)
    return bound.BoundDrop(statement.kind, context.catalog.drop_order(roots, statement.cascade), missing=tuple(missing))


def find(
    kind_: ObjectKind, name: syntax.Name, if_exists: bool, context: Context, also: tuple[type[Item], ...] = ()
) -> Item | None:
    """The item of that kind (or of those `also` allowed) and name; None where `if_exists` and there is none."""
    item = context.catalog.find(name.parts, context.path)
    if item is None:
        if not if_exists:
            _missing(kind_, name, context)
        return None
    if isinstance(item, SystemRelation):
        raise WrongObjectType(f'system relation "{name}" cannot be changed', position=name.at)
    if not is_kind(item, kind_) and not isinstance(item, also):
        raise WrongObjectType(
            f'"{name}" is not {article(str(kind_))}',
            hint=f"It is {article(kind(item))}: use {kind(item).upper()}.",
            position=name.at,
        )
    return item


def drop_clusters(statement: statements.DropClusters, context: Context) -> bound.BoundDropClusters:
    names: list[str] = []
    missing: list[str] = []
    for name in statement.names:
        if name in context.catalog.clusters or not statement.if_exists:
            names.append(context.catalog.cluster(name))
        else:
            missing.append(name)
        if name == DEFAULT_CLUSTER:
            raise WrongObjectType(f'cluster "{name}" is the one that there is: it cannot be dropped')
    return bound.BoundDropClusters(tuple(names), tuple(missing))


def _missing(kind_: ObjectKind, name: syntax.Name, context: Context) -> None:
    """The error of a name that is not there, with the nearest as a hint."""
    try:
        context.catalog.resolve(name.parts, context.path, name.at)
    except UndefinedTable as error:
        raise UndefinedTable(f'{kind_} "{name}" does not exist', hint=error.hint, position=name.at) from None


def _drop_schemas(statement: statements.Drop, context: Context) -> bound.BoundDrop:
    catalog = context.catalog
    pairs: list[tuple[str, str]] = []
    missing: list[str] = []
    roots: list[Item] = []
    for name in statement.names:
        try:
            pair = catalog.schema(name.parts, context.path, name.at)
        except UndefinedSchema:
            if not statement.if_exists:
                raise
            missing.append(str(name))
            continue
        if pair not in catalog.schemas:
            raise WrongObjectType(f'cannot drop system schema "{name}"', position=name.at)
        held = catalog.in_schema(*pair)
        if held and not statement.cascade:
            raise _not_empty(f'schema "{pair[1]}"', held[0], name.at)
        pairs.append(pair)
        roots.extend(held)
    order = catalog.drop_order(roots, statement.cascade)
    return bound.BoundDrop(statement.kind, order, tuple(pairs), missing=tuple(missing))


def _drop_databases(statement: statements.Drop, context: Context) -> bound.BoundDrop:
    catalog = context.catalog
    names: list[str] = []
    missing: list[str] = []
    roots: list[Item] = []
    for name in statement.names:
        try:
            names.append(catalog.database(name.parts[-1], name.at))
        except UndefinedDatabase:
            if not statement.if_exists:
                raise
            missing.append(str(name))
            continue
        if names[-1] == DEFAULT_DATABASE and names[-1] == context.path.database:
            raise WrongObjectType("cannot drop the currently open database", position=name.at)
        roots.extend(item for item in catalog.items.values() if item.name.database == names[-1])
    schemas = tuple(sorted(pair for pair in catalog.schemas if pair[0] in names))
    order = catalog.drop_order(roots, cascade=True)
    return bound.BoundDrop(statement.kind, order, schemas, tuple(names), tuple(missing))


def _not_empty(what: str, held: Item, at: int) -> DependentObjects:
    return DependentObjects(
        f"cannot drop {what} because other objects depend on it",
        detail=f'{kind(held)} "{held.name.item}" is in it',
        hint="Use DROP ... CASCADE to drop the dependent objects too.",
        position=at,
    )
