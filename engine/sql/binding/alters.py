"""ALTER ... RENAME, SWAP and SET: the same objects under other names or with other options.

A rename rewrites the statements that name the object: those of what depends on it too, for the log keeps nothing else.
Each is then bound again, and has to mean what it meant; where it does not (an alias of the new name takes its place, a
column is called after the table), the rename is refused. Ids do not change, so what is maintained goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from engine.catalog.catalog import DEFAULT_CLUSTER, DEFAULT_DATABASE, Catalog, Path, is_temporary
from engine.catalog.items import (
    Connection,
    DurableSubscription,
    Index,
    Item,
    MaterializedView,
    QualifiedName,
    Retaining,
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
    DuplicateObject,
    DuplicateRelation,
    InvalidParameter,
    SqlError,
    Unsupported,
    WrongObjectType,
)
from engine.plan.lower import with_finishing_as_topk
from engine.sql import bound, dialect, statements
from engine.sql.binding.connections import create_connection
from engine.sql.binding.context import Context
from engine.sql.binding.definitions import create_index, create_view, index_sql, name_in
from engine.sql.binding.drops import find
from engine.sql.binding.options import milliseconds, with_history
from engine.sql.binding.postgres import create_copy
from engine.sql.binding.sinks import create_sink
from engine.sql.binding.sources import create_source
from engine.sql.binding.subscriptions import create_durable_subscription
from engine.sql.binding.tables import create_table
from engine.sql.binding.writing import article, full
from engine.sql.statement.parts import ObjectKind, Option
from engine.sql.syntax import Name

Remade: TypeAlias = (
    bound.BoundCreateView
    | bound.BoundCreateMaterializedView
    | bound.BoundCreateTable
    | bound.BoundCreateSink
    | bound.BoundCreateDurableSubscription
)
"""What a statement has to mean again."""


def rename(statement: statements.AlterRename, context: Context) -> bound.BoundRedefine | bound.BoundRenameCluster:
    catalog, tag = context.catalog, f"ALTER {str(statement.kind).upper()}"
    match statement.kind:
        case ObjectKind.SCHEMA:
            pair = _schema(statement, context)
            return _schemas_renamed(tag, {pair: (pair[0], statement.new)}, context)
        case ObjectKind.DATABASE:
            old = catalog.database(statement.name.parts[-1], statement.name.at)
            if old in (DEFAULT_DATABASE, context.path.database):
                raise WrongObjectType("the current database and the default one keep their names")
            moved = {pair: (statement.new, pair[1]) for pair in catalog.schemas if pair[0] == old}
            return _schemas_renamed(tag, moved, context, (old, statement.new))
        case ObjectKind.CLUSTER:
            return _cluster_renamed(statement, context)
        case ObjectKind.ROLE:
            raise Unsupported(f"{tag} ... RENAME is not supported", position=statement.name.at)
        case _:
            pass
    # As in PostgreSQL, ALTER TABLE renames whatever pg_class has.
    relations = (View, MaterializedView, Index) if statement.kind is ObjectKind.TABLE else ()
    item = find(statement.kind, statement.name, statement.if_exists, context, relations)
    if item is None:
        return nothing(tag, statement.name, context)
    new = replace(item.name, item=statement.new)
    if new in catalog.names:
        raise DuplicateRelation(f'relation "{statement.new}" already exists', position=statement.name.end)
    return _items_renamed(tag, {_renamable(item): new}, context)


def _cluster_renamed(
    statement: statements.AlterRename, context: Context
) -> bound.BoundRedefine | bound.BoundRenameCluster:
    catalog, name = context.catalog, statement.name.parts[-1]
    if statement.if_exists and name not in catalog.clusters:
        return nothing("ALTER CLUSTER", statement.name, context)
    catalog.cluster(name, statement.name.at)
    if name not in catalog.clusters or name == DEFAULT_CLUSTER:
        raise WrongObjectType(f'cluster "{name}" is the one that there is: it keeps its name')
    if statement.new in catalog.clusters:
        raise DuplicateObject(f'cluster "{statement.new}" already exists')
    return bound.BoundRenameCluster(name, statement.new)


def nothing(tag: str, name: Name, context: Context) -> bound.BoundRedefine:
    """What IF EXISTS makes of a name that is not there."""
    notice = f'"{name}" does not exist, skipping'
    return bound.BoundRedefine(tag, (), context.catalog.databases, context.catalog.schemas, (notice,))


def set_schema(statement: statements.AlterSetSchema, context: Context) -> bound.BoundRedefine:
    """An object in another schema; its indexes and constraints go along, and what its source feeds."""
    catalog, tag = context.catalog, f"ALTER {str(statement.kind).upper()}"
    relations = (View, MaterializedView) if statement.kind is ObjectKind.TABLE else ()
    item = find(statement.kind, statement.name, statement.if_exists, context, relations)
    if item is None:
        return nothing(tag, statement.name, context)
    _renamable(item)
    if isinstance(item, Index):
        raise WrongObjectType(f'index "{item.name.item}" is in the schema of what it is on', position=statement.name.at)
    database, schema = catalog.schema(statement.schema.parts, context.path, statement.schema.at)
    if (database, schema) not in catalog.schemas:
        raise WrongObjectType(f'system schema "{statement.schema}" cannot be modified', position=statement.schema.at)
    if (database, schema) == (item.name.database, item.name.schema):
        return bound.BoundRedefine(tag, (), catalog.databases, catalog.schemas)
    fed = [each for each in catalog.dependents(item.id) if isinstance(each, SourceRelation) and not each.create_sql]
    indexes = [index for each in (item, *fed) for index in catalog.indexes(each.id)]
    names = {
        each.id: QualifiedName(database, schema, each.name.item)
        for each in (item, *fed, *indexes)
        if (each.name.database, each.name.schema) == (item.name.database, item.name.schema)
    }
    for name in names.values():
        if name in catalog.names:
            raise DuplicateRelation(f'relation "{name.item}" already exists in schema "{schema}"')
    return _items_renamed(tag, names, context)


def swap(statement: statements.AlterSwap, context: Context) -> bound.BoundRedefine:
    """Two objects of one kind and one schema take each other's name."""
    tag = f"ALTER {str(statement.kind).upper()}"
    if statement.kind is ObjectKind.SCHEMA:
        database, a = _schema(statement, context)
        _, b = context.catalog.schema((database, statement.other), context.path, statement.name.end)
        return _schemas_renamed(tag, {(database, a): (database, b), (database, b): (database, a)}, context)
    if statement.kind in (ObjectKind.DATABASE, ObjectKind.CLUSTER, ObjectKind.ROLE):
        raise Unsupported(f"{tag} ... SWAP is not supported", position=statement.name.at)
    one = find(statement.kind, statement.name, False, context)
    assert one is not None
    parts = (*statement.name.parts[:-1], statement.other)
    other = find(statement.kind, replace(statement.name, parts=parts), False, context)
    assert other is not None
    if (one.name.database, one.name.schema) != (other.name.database, other.name.schema):
        raise WrongObjectType("objects that swap their names must be in one schema", position=statement.name.at)
    return _items_renamed(tag, {_renamable(one): other.name, _renamable(other): one.name}, context)


def retain(statement: statements.AlterRetain, context: Context) -> bound.BoundRetain:
    """SET (RETAIN HISTORY FOR 'x') and RESET; logical_compaction_window is its older name."""
    tag = f"ALTER {str(statement.kind).upper()}"
    for option in statement.options:
        if option.name not in ("retain history", "logical compaction window"):
            raise InvalidParameter(f'unrecognized option "{option.name}"', position=option.at)
    item = find(statement.kind, statement.name, statement.if_exists, context)
    if item is None:
        return bound.BoundRetain(tag, None, None, "")
    if isinstance(item, SourceRelation) and not item.create_sql:
        source = context.catalog.items[item.source].name.item
        raise WrongObjectType(
            f'the history of "{statement.name}" is that of its source', hint=f'ALTER SOURCE "{source}" SET (...)',
            position=statement.name.at,
        )  # fmt: skip
    if not isinstance(item, Retaining) or not item.create_sql:
        raise WrongObjectType(f"the history of {article(kind(item))} cannot be set", position=statement.name.at)
    history = None if statement.reset else milliseconds(statement.options[-1])
    if isinstance(item, Source | SourceRelation):
        return bound.BoundRetain(tag, item.id, history, with_history(item.create_sql, history))
    options = () if history is None else (Option("retain history", f"{history} ms", statement.name.at),)
    (made,) = dialect.parse(item.create_sql)
    inside = replace(context, path=Path(), uses=[], fixed=[])
    match made:
        case statements.CreateView():
            text = create_view(replace(made, options=(*_others(made.options), *options)), inside).create_sql
        case statements.CreateTable():
            text = create_table(replace(made, options=options), inside).create_sql
        case statements.CreateIndex():
            text = create_index(replace(made, options=options), inside).create_sql
        case _:
            raise AssertionError(f"{item.create_sql} has no options")
    return bound.BoundRetain(tag, item.id, history, text)


def _others(options: Sequence[Option]) -> tuple[Option, ...]:
    return tuple(option for option in options if option.name != "retain history")


def _schema(statement: statements.AlterRename | statements.AlterSwap, context: Context) -> tuple[str, str]:
    pair = context.catalog.schema(statement.name.parts, context.path, statement.name.at)
    if pair not in context.catalog.schemas:
        raise WrongObjectType(f'system schema "{statement.name}" cannot be renamed', position=statement.name.at)
    return pair


def _renamable(item: Item) -> int:
    fed = isinstance(item, SourceRelation) and not item.create_sql
    if fed or isinstance(item, SystemRelation) or is_temporary(item.name):
        raise WrongObjectType(f'{kind(item)} "{item.name.item}" cannot be renamed')
    if isinstance(item, Index) and item.constraint:
        raise WrongObjectType(f'index "{item.name.item}" is called as its constraint')
    return item.id


def _schemas_renamed(
    tag: str,
    moved: Mapping[tuple[str, str], tuple[str, str]],
    context: Context,
    database: tuple[str, str] | None = None,
) -> bound.BoundRedefine:
    catalog = context.catalog
    databases = catalog.databases
    if database is not None:
        old, new = database
        if new in databases:
            raise DuplicateObject(f'database "{new}" already exists')
        databases = databases - {old} | {new}
    kept = catalog.schemas - moved.keys()
    for source, target in moved.items():
        if target in kept or target == source:
            raise DuplicateObject(f'schema "{target[1]}" already exists')
    names = {
        item.id: QualifiedName(*moved[item.name.database, item.name.schema], item.name.item)
        for item in catalog.items.values()
        if (item.name.database, item.name.schema) in moved
    }
    return _items_renamed(tag, names, context, databases, kept | frozenset(moved.values()))


def _items_renamed(
    tag: str,
    names: Mapping[int, QualifiedName],
    context: Context,
    databases: frozenset[str] | None = None,
    schemas: frozenset[tuple[str, str]] | None = None,
) -> bound.BoundRedefine:
    """The items under their new names, and what depends on them."""
    old = context.catalog
    databases, schemas = databases or old.databases, schemas or old.schemas
    renamed = [replace(old.items[id_], name=name) for id_, name in names.items()]
    new = replace(old, databases=databases, schemas=schemas).redefined(renamed)
    changed: list[Item] = []
    for id_ in old.above(names):
        item = _rebound(old.items[id_], names, old, new, context)
        changed.append(item)
        new = new.redefined([item])
    return bound.BoundRedefine(tag, tuple(changed), databases, schemas)


def _rebound(item: Item, names: Mapping[int, QualifiedName], old: Catalog, new: Catalog, context: Context) -> Item:
    """The item with its statement rewritten; DependentObjects where that would mean something else."""
    name = names.get(item.id, item.name)
    if not item.create_sql:
        return replace(item, name=name)
    before = replace(context, catalog=old, path=Path(), uses=[], fixed=[])
    (made,) = dialect.parse(item.create_sql)
    if isinstance(item, Index):
        on = new.items[item.on]
        return replace(item, name=name, create_sql=index_sql(replace(item, name=name), on))
    assert isinstance(made, statements.CreateView | statements.CreateTable | statements.CreateSource
                      | statements.CreateType | statements.CreateSecret | statements.CreateConnection
                      | statements.CreateSink | statements.CreateCopy
                      | statements.CreateDurableSubscription)  # fmt: skip
    _bound(made, before)
    edits = [(made.name.at, made.name.end, full(name))]
    edits += [(u.name.at, u.name.end, name_in(u, names[u.item.id])) for u in before.uses if u.item.id in names]
    sql = item.create_sql
    for at, end, text in sorted(set(edits), reverse=True):
        sql = sql[: at - 1] + text + sql[end - 1 :]
    try:
        (again,) = dialect.parse(sql)
        assert isinstance(again, type(made))
        found = _bound(again, replace(context, catalog=new, path=Path(), uses=[], fixed=[]))
    except SqlError as error:
        raise _ambiguous(item, error.message) from None
    return _same(item, name, sql, found)


def _bound(statement: statements.Statement, context: Context) -> Remade | None:
    match statement:
        case statements.CreateView():
            return create_view(statement, context)
        case statements.CreateTable():
            return create_table(statement, context)
        case statements.CreateSource():
            create_source(statement, context)
        case statements.CreateConnection():
            create_connection(statement, context)
        case statements.CreateCopy():
            create_copy(statement, context)
        case statements.CreateSink():
            return create_sink(statement, context)
        case statements.CreateDurableSubscription():
            return create_durable_subscription(statement, context)
        case _:
            pass
    return None


def _same(
    item: Item,
    name: QualifiedName,
    sql: str,
    found: Remade | None,
) -> Item:
    """The item as it is bound again, if it is the same."""
    match item, found:
        case View(), bound.BoundCreateView():
            relation = with_finishing_as_topk(found.query)
            if relation != item.relation or found.columns != item.columns:
                raise _ambiguous(item, "it would mean something else")
            return replace(item, name=name, relation=relation, create_sql=sql)
        case MaterializedView(), bound.BoundCreateMaterializedView():
            if found.relation != item.relation or found.columns != item.columns:
                raise _ambiguous(item, "it would mean something else")
            return replace(item, name=name, relation=found.relation, create_sql=sql)
        case Table(), bound.BoundCreateTable():
            if found.columns != item.columns:
                raise _ambiguous(item, "it would have other columns")
            return replace(item, name=name, create_sql=sql)
        case Sink(), bound.BoundCreateSink():
            if found.columns != item.written:
                raise _ambiguous(item, "it would write other columns")
            return replace(item, name=name, relation=found.relation, create_sql=sql)
        case DurableSubscription(), bound.BoundCreateDurableSubscription():
            if found.relation != item.relation or found.told != item.told:
                raise _ambiguous(item, "it would tell something else")
            return replace(item, name=name, relation=found.relation, create_sql=sql)
        case Source() | SourceRelation() | Type() | Secret() | Connection(), _:
            return replace(item, name=name, create_sql=sql)
        case _:
            raise AssertionError(f"{sql} makes another kind of item than {item}")


def _ambiguous(item: Item, why: str) -> DependentObjects:
    return DependentObjects(
        f'renaming conflict: {kind(item)} "{item.name.item}" uses names that would become ambiguous',
        detail=why,
        hint=f"Choose another name, or make {kind(item)} {item.name.item} anew with an alias.",
    )


def comment(statement: statements.CommentOn, context: Context) -> bound.BoundComment:
    subject = _subject(statement, context)
    return bound.BoundComment(subject, statement.text)


def _subject(statement: statements.CommentOn, context: Context) -> tuple[str, str, int]:
    """What the comment is on: see Catalog.comments."""
    catalog, name = context.catalog, statement.name
    match statement.kind:
        case ObjectKind.DATABASE:
            return ("database", catalog.database(name.parts[-1], name.at), 0)
        case ObjectKind.SCHEMA:
            return ("schema", ".".join(catalog.schema(name.parts, context.path, name.at)), 0)
        case ObjectKind.ROLE:
            return ("role", catalog.role(name.parts[-1], name.at).name, 0)
        case ObjectKind.CLUSTER:
            return ("cluster", catalog.cluster(name.parts[-1], name.at), 0)
        case _ if not statement.column:
            item = find(statement.kind, name, False, context)
            assert item is not None
            return ("item", str(item.id), 0)
        case _:
            pass
    if len(name.parts) < 2:
        raise WrongObjectType("a comment on a column names its relation: COMMENT ON COLUMN t.c", position=name.at)
    item = context.resolve(replace(name, parts=name.parts[:-1]))
    return ("item", str(item.id), catalog.column(item, name.parts[-1], name.at) + 1)
