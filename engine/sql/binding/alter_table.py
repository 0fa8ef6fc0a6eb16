"""ALTER TABLE: another statement that makes the table, and the rows of the old one as rows of the new.

What only the statement says (a column's name, its default) is put in its place. Whatever changes the rows, or what is
promised of them, makes the table anew under its name: with another id, so that it is a new collection, which takes
the old one's rows at one tick. What depends on it follows: see dependents.py.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine.catalog.catalog import Path, is_temporary
from engine.catalog.items import Index, Item, KeyExpression, MaterializedView, Table, View, kind
from engine.errors import (
    CannotCoerce,
    DuplicateColumn,
    DuplicateObject,
    DuplicateRelation,
    InvalidTableDefinition,
    SqlError,
    TypeMismatch,
    UndefinedColumn,
    UndefinedObject,
    Unsupported,
    WrongObjectType,
)
from engine.expr.scalar import Literal, Ref
from engine.plan.lower import with_finishing_as_topk
from engine.plan.relation import BoundScalar, Get
from engine.sql import bound, dialect
from engine.sql.binding.alters import nothing
from engine.sql.binding.applying import cast, located
from engine.sql.binding.context import Context
from engine.sql.binding.definitions import create_view, holds_query, index_sql
from engine.sql.binding.dependents import Moved, again, lost, unmoved
from engine.sql.binding.drops import find
from engine.sql.binding.options import ASSERTED
from engine.sql.binding.place import Place
from engine.sql.binding.queries import Queries
from engine.sql.binding.select import projected
from engine.sql.binding.session import settle
from engine.sql.binding.tables import create_table
from engine.sql.binding.writing import quoted, type_sql
from engine.sql.scope import Around, Range, Scope, ScopeColumn
from engine.sql.statement.definitions import (
    AddColumn,
    AddConstraint,
    AlterRenameColumn,
    AlterRenameConstraint,
    AlterTable,
    CreateTable,
    CreateView,
    DropColumn,
    DropConstraint,
    SetDefault,
    SetNotNull,
    SetType,
    TableAction,
)
from engine.sql.statement.parts import KeyConstraint, ObjectKind
from engine.types import CastContext, Column

TAG = "ALTER TABLE"


class Shape:
    """A table's columns and constraints between two actions. `places` are by the table's columns as they were."""

    def __init__(self, made: CreateTable, width: int) -> None:
        self.columns = list(made.columns)
        self.keys = list(made.keys)
        self.names: list[str | None] = [column.name for column in made.columns]  # of each old one; None: it is gone
        self.converted: dict[str, SetType] = {}  # the columns that are of another type, by their names
        self.cascade = False
        self.reshapes = False  # whether the rows change, or what is promised of them
        self.notices: list[str] = []
        assert len(self.names) == width

    def take(self, action: TableAction, table: str) -> None:
        match action:
            case AddColumn():
                self._add(action, table)
            case DropColumn():
                self._drop(action, table)
            case SetNotNull():
                self._set_not_null(action, table)
            case SetDefault():
                at = self._place(action.name, action.at, table)
                self.columns[at] = replace(self.columns[at], default=action.default, default_sql=action.default_sql)
            case SetType():
                self._set_type(action, table)
            case AddConstraint():
                self.keys.append(action.key)
                self.reshapes = True
            case DropConstraint():
                self._drop_constraint(action, table)

    def _place(self, name: str, at: int, table: str) -> int:
        for place, column in enumerate(self.columns):
            if column.name == name:
                return place
        raise UndefinedColumn(f'column "{name}" of relation "{table}" does not exist', position=at)

    def _add(self, action: AddColumn, table: str) -> None:
        column = action.column
        if any(known.name == column.name for known in self.columns):
            message = f'column "{column.name}" of relation "{table}" already exists'
            if not action.if_not_exists:
                raise DuplicateColumn(message, position=column.at)
            self.notices.append(f"{message}, skipping")
            return
        self.columns.append(column)
        self.keys += column.keys
        self.reshapes = True

    def _drop(self, action: DropColumn, table: str) -> None:
        if action.if_exists and all(column.name != action.name for column in self.columns):
            self.notices.append(f'column "{action.name}" of relation "{table}" does not exist, skipping')
            return
        place = self._place(action.name, action.at, table)
        if len(self.columns) == 1:
            raise Unsupported("a table without columns is not supported", position=action.at,
                              hint="DROP TABLE, or add another column first.")  # fmt: skip
        del self.columns[place]
        self.keys = [key for key in self.keys if action.name not in key.columns]
        self.names = [None if name == action.name else name for name in self.names]
        self.cascade = self.cascade or action.cascade
        self.reshapes = True

    def _set_not_null(self, action: SetNotNull, table: str) -> None:
        at = self._place(action.name, action.at, table)
        if not action.not_null and any(key.primary and action.name in key.columns for key in self.keys):
            raise InvalidTableDefinition(f'column "{action.name}" is in a primary key', position=action.at)
        if self.columns[at].not_null is not action.not_null:
            self.columns[at] = replace(self.columns[at], not_null=action.not_null)
            self.reshapes = True

    def _set_type(self, action: SetType, table: str) -> None:
        at = self._place(action.name, action.at, table)
        if action.name in self.converted:
            raise Unsupported(f'cannot alter type of column "{action.name}" twice', position=action.at)
        if action.name not in self.names:
            hint = "ADD COLUMN it of that type."
            raise Unsupported(f'column "{action.name}" has no values to convert', hint=hint, position=action.at)
        self.columns[at] = replace(self.columns[at], type=action.type)
        self.converted[action.name] = action
        self.reshapes = True

    def _drop_constraint(self, action: DropConstraint, table: str) -> None:
        kept = [key for key in self.keys if key.name != action.name]
        if len(kept) == len(self.keys):
            message = f'constraint "{action.name}" of relation "{table}" does not exist'
            if not action.if_exists:
                raise UndefinedObject(message, position=action.at)
            self.notices.append(f"{message}, skipping")
            return
        self.keys = kept
        self.reshapes = True

    def places(self) -> tuple[int | None, ...]:
        now = {column.name: place for place, column in enumerate(self.columns)}
        return tuple(None if name is None else now[name] for name in self.names)


def alter_table(statement: AlterTable, context: Context) -> bound.BoundReshape | bound.BoundRedefine:
    table = find(ObjectKind.TABLE, statement.name, statement.if_exists, context)
    if table is None:
        return nothing(TAG, statement.name, context)
    if not isinstance(table, Table):
        raise WrongObjectType(f'the columns of "{statement.name}" are those of its source', position=statement.name.at)
    made = _made(table)
    shape = Shape(made, len(table.columns))
    for action in statement.actions:
        shape.take(action, table.name.item)
    changed = replace(made, columns=tuple(shape.columns), keys=tuple(shape.keys))
    found = create_table(changed, _inside(context))
    if not shape.reshapes:
        return _said_otherwise(table, found, context, tuple(shape.notices))
    relation = Get(table.id, str(table.name), table.columns)
    defaults = found.defaults or tuple(Literal(None, column.type) for column in found.columns)
    given: list[BoundScalar] = list(defaults)
    for old, new in enumerate(shape.places()):
        if new is not None:
            action = shape.converted.get(found.columns[new].name)
            given[new] = _value(table, old, found.columns[new], action, context)
    rows = settle(projected(relation, len(table.columns), given), context)
    return bound.BoundReshape(table.id, found, rows, shape.places(), shape.cascade, tuple(shape.notices))


def _value(table: Table, place: int, column: Column, action: SetType | None, context: Context) -> BoundScalar:
    """What a column of the new table has, over a row of the old one."""
    old = table.columns[place]
    value: BoundScalar = Ref(place, old.type, old.nullable)
    if action is None:
        return value
    if action.using is not None:
        binder = Queries(context)
        star = tuple(ScopeColumn(c.name, i, c.type, c.nullable) for i, c in enumerate(table.columns))
        ranges = (Range(table.name.item, (table.name.database, table.name.schema), star),)
        value = binder.scalar(action.using, Place(Scope(star, ranges, len(star), Around(None, {})), "USING"))
        if holds_query(value):
            raise Unsupported("cannot use subquery in transform expression", position=action.using.at)
    try:
        return located(action.at, cast, value, column.type, CastContext.ASSIGNMENT)
    except (TypeMismatch, CannotCoerce):
        kind = type_sql(column.type)
        if action.using is None:
            message = f'column "{column.name}" cannot be cast automatically to type {kind}'
            hint = f'Write "USING {quoted(column.name)}::{kind}".'
        else:
            message = f'result of USING clause for column "{column.name}" cannot be cast automatically to type {kind}'
            hint = "Add an explicit cast."
        raise TypeMismatch(message, hint=hint, position=action.at) from None


def rename_constraint(statement: AlterRenameConstraint, context: Context) -> bound.BoundRedefine:
    """A key under another name, and the index that it has."""
    catalog = context.catalog
    table = find(ObjectKind.TABLE, statement.name, statement.if_exists, context)
    if table is None:
        return nothing(TAG, statement.name, context)
    keys = table.keys if isinstance(table, Table) else ()
    if not isinstance(table, Table) or all(key.name != statement.constraint for key in keys):
        raise UndefinedObject(
            f'constraint "{statement.constraint}" for table "{table.name.item}" does not exist', position=statement.at
        )
    if any(key.name == statement.new for key in keys):
        raise DuplicateObject(f'constraint "{statement.new}" for relation "{table.name.item}" already exists')
    if catalog.named(replace(table.name, item=statement.new)) is not None:
        raise DuplicateRelation(f'relation "{statement.new}" already exists')
    made = _made(table)
    renamed = tuple(
        replace(key, name=statement.new) if key.name == statement.constraint else key for key in made.keys
    )  # fmt: skip
    found = create_table(replace(made, keys=renamed), _inside(context))
    items: list[Item] = [replace(table, keys=found.keys, create_sql=found.create_sql)]
    for index in catalog.indexes(table.id):
        if index.constraint and index.name.item == statement.constraint:
            items.append(replace(index, name=replace(index.name, item=statement.new)))
    return bound.BoundRedefine(TAG, tuple(items), catalog.databases, catalog.schemas)


def _made(table: Table) -> CreateTable:
    (made,) = dialect.parse(table.create_sql)
    assert isinstance(made, CreateTable)
    if is_temporary(table.name):
        made = replace(made, name=replace(made.name, parts=(table.name.item,)), temporary=True)
    return made


def _inside(context: Context) -> Context:
    """Statements of the catalog have every name in full; those of the client are looked up as the client's are."""
    return replace(context, uses=[], fixed=[])


def _said_otherwise(
    table: Table, found: bound.BoundCreateTable, context: Context, notices: Sequence[str]
) -> bound.BoundRedefine:
    """The same rows and promises, other defaults."""
    item = replace(
        table, create_sql=found.create_sql, defaults=found.defaults, default_texts=found.default_texts,
    )  # fmt: skip
    catalog = context.catalog
    return bound.BoundRedefine(TAG, (item,), catalog.databases, catalog.schemas, tuple(notices))


def rename_column(statement: AlterRenameColumn, context: Context) -> bound.BoundRedefine:
    """A column under another name. What depends on the relation goes on to know it under the old one."""
    catalog, tag = context.catalog, f"ALTER {str(statement.kind).upper()}"
    also = (View, MaterializedView) if statement.kind is ObjectKind.TABLE else ()
    item = find(statement.kind, statement.name, statement.if_exists, context, also)
    if item is None:
        return nothing(tag, statement.name, context)
    if not isinstance(item, Table | View | MaterializedView):
        raise WrongObjectType(
            f"the columns of {kind(item)} {item.name.item} are not named here", position=statement.name.at,
            hint="Name them in a view over it.",
        )  # fmt: skip
    place = catalog.column(item, statement.column, statement.at)
    if any(column.name == statement.new for column in item.columns):
        raise DuplicateColumn(
            f'column "{statement.new}" of relation "{item.name.item}" already exists', position=statement.at
        )
    renamed = _renamed(item, place, statement.new, context)
    moved = {item.id: unmoved(item, renamed)}
    new = catalog.redefined([renamed])
    changed: list[Item] = [renamed]
    for id in catalog.above([item.id]):
        if id == item.id:
            continue
        found = _follows(catalog.items[id], moved, context, replace(context, catalog=new))
        moved[id] = unmoved(catalog.items[id], found)
        changed.append(found)
        new = new.redefined([found])
    return bound.BoundRedefine(tag, tuple(changed), catalog.databases, catalog.schemas)


def _renamed(item: Table | View | MaterializedView, place: int, name: str, context: Context) -> Item:
    if isinstance(item, Table):
        made = _made(item)
        old = made.columns[place].name
        columns = tuple(replace(column, name=name) if i == place else column for i, column in enumerate(made.columns))
        keys = tuple(_key_with(key, old, name) for key in made.keys)
        found = create_table(replace(made, columns=columns, keys=keys), _inside(context))
        return replace(item, columns=found.columns, create_sql=found.create_sql)
    (made,) = dialect.parse(item.create_sql)
    assert isinstance(made, CreateView)
    names = tuple(name if i == place else column.name for i, column in enumerate(item.columns))
    renamed = dict(zip((column.name for column in item.columns), names, strict=True))
    options = tuple(
        replace(option, value=tuple(renamed[str(each)] for each in option.value))
        if option.name == ASSERTED and isinstance(option.value, tuple)
        else option
        for option in made.options
    )
    if is_temporary(item.name):
        made = replace(made, name=replace(made.name, parts=(item.name.item,)), temporary=True)
    found = create_view(
        replace(made, columns=names, options=options), replace(context, path=Path(temporary=context.path.temporary))
    )
    return replace(item, columns=found.columns, create_sql=found.create_sql)


def _key_with(key: KeyConstraint, old: str, new: str) -> KeyConstraint:
    return replace(key, columns=tuple(new if column == old else column for column in key.columns))


def _called(expression: KeyExpression, name: str) -> KeyExpression:
    return replace(expression, text=name)


def _follows(item: Item, moved: dict[int, Moved], before: Context, after: Context) -> Item:
    """A dependent over what was renamed."""
    if isinstance(item, Index):
        on = after.catalog.items[item.on]
        if item.constraint:  # what it computes is of columns by their places
            called = (on.columns[min(each.scalar.reads)].name for each in item.expressions)
            return replace(item, expressions=tuple(map(_called, item.expressions, called)))
        if item.expressions:
            found = again(item, before.catalog, after.catalog, moved, before)
            assert isinstance(found, bound.BoundCreateIndex)
            if [each.scalar for each in found.expressions] != [each.scalar for each in item.expressions]:
                raise lost(item, "it would mean something else")
            item = replace(item, expressions=found.expressions)
        return replace(item, create_sql=index_sql(item, on))
    try:
        found = again(item, before.catalog, after.catalog, moved, before)
    except SqlError as error:
        raise lost(item, error.detail or error.message) from None
    match item, found:
        case View(), bound.BoundCreateView():
            relation = with_finishing_as_topk(found.query)
            return replace(item, relation=relation, columns=found.columns, create_sql=found.create_sql)
        case MaterializedView(), bound.BoundCreateMaterializedView():
            return replace(item, relation=found.relation, columns=found.columns, create_sql=found.create_sql)
        case _:
            raise AssertionError(f"{item.create_sql} makes another kind of item")
