"""CREATE TABLE: columns, their defaults, and the keys that their rows must keep; CREATE TABLE AS."""

from collections.abc import Sequence
from dataclasses import replace

from engine.catalog.items import QualifiedName, UniqueKey
from engine.errors import (
    DuplicateColumn,
    DuplicateRelation,
    InvalidTableDefinition,
    SyntaxError_,
    TypeMismatch,
    UndefinedColumn,
    Unsupported,
)
from engine.expr.scalar import Literal
from engine.plan.relation import BoundScalar
from engine.sql import bound, statements, syntax
from engine.sql.binding.context import Context
from engine.sql.binding.options import history, history_sql
from engine.sql.binding.place import Place
from engine.sql.binding.queries import NOWHERE, Queries
from engine.sql.binding.reads import query
from engine.sql.binding.writes import assigned
from engine.sql.binding.writing import full, quoted, type_sql
from engine.sql.statement.parts import ColumnDefinition, KeyConstraint
from engine.types import Column


def declared(definitions: Sequence[ColumnDefinition], binder: Queries) -> tuple[Column, ...]:
    """The columns of a source: those of tables have keys and defaults too. Any of them may be NULL, whatever is said:
    what the world sends is not checked against it, and a plan that trusted it would be wrong."""
    for definition in definitions:
        if definition.keys:
            word = "PRIMARY KEY" if definition.keys[0].primary else "UNIQUE"
            raise Unsupported(f"{word} of a source is not supported", position=definition.keys[0].at)
        if definition.default is not None and not isinstance(definition.default, syntax.Null):
            raise Unsupported("DEFAULT of a source's column is not supported", position=definition.default.at)
        if definition.not_null and not binder.context.restoring:
            hint = "Leave it out, and let a view say WHERE ... IS NOT NULL."
            raise Unsupported("NOT NULL of a source's column is not supported", hint=hint, position=definition.at)
    return tuple(replace(column, nullable=True) for column in columns_of(definitions, binder))


def columns_of(definitions: Sequence[ColumnDefinition], binder: Queries) -> tuple[Column, ...]:
    """Names and types."""
    seen: set[str] = set()
    for definition in definitions:
        if definition.name in seen:
            raise DuplicateColumn(f'column "{definition.name}" specified more than once', position=definition.at)
        seen.add(definition.name)
    return tuple(Column(d.name, binder.type_of(d.type), not d.not_null) for d in definitions)


def create_table(statement: statements.CreateTable, context: Context) -> bound.BoundCreateTable:
    new_name = context.catalog.new_temporary_name if statement.temporary else context.catalog.new_name
    name = new_name(statement.name.parts, context.path, statement.name.at)
    binder = Queries(context)
    columns = columns_of(statement.columns, binder)
    keys = _keys(statement, name, columns, context)
    primary = {column for key in keys if key.primary for column in key.columns}
    columns = tuple(replace(column, nullable=False) if i in primary else column for i, column in enumerate(columns))
    defaults = tuple(_default(d, column, context) for d, column in zip(statement.columns, columns, strict=True))
    if all(isinstance(scalar, Literal) and scalar.value is None for scalar in defaults):
        defaults = ()
    history_ms = history(statement.options)
    parts = [_column_sql(d, column, binder) for d, column in zip(statement.columns, columns, strict=True)]
    parts += [_key_sql(key, columns) for key in keys]
    text = f"CREATE TABLE {full(name)} ({', '.join(parts)}){history_sql(history_ms)}"
    texts = tuple(None if d.default is None else d.default_sql for d in statement.columns) if defaults else ()
    return bound.BoundCreateTable(
        name, columns, keys, defaults, statement.temporary, statement.if_not_exists, text, frozenset(binder.types),
        history_ms, texts,
    )  # fmt: skip


def create_table_as(statement: statements.CreateTableAs, context: Context) -> bound.BoundCreateTableAs:
    """The table has the query's columns; as in PostgreSQL any of them may be NULL in it."""
    new_name = context.catalog.new_temporary_name if statement.temporary else context.catalog.new_name
    name = new_name(statement.name.parts, context.path, statement.name.at)
    rows = query(statement.statement.query, context)
    if len(statement.columns) > len(rows.columns):
        raise SyntaxError_("too many column names were specified", position=statement.name.at)
    names = [*statement.columns, *(column.name for column in rows.columns[len(statement.columns) :])]
    for each in names:
        if names.count(each) > 1:
            raise DuplicateColumn(f'column "{each}" specified more than once', position=statement.statement.query.at)
    columns = tuple(Column(each, column.type) for each, column in zip(names, rows.columns, strict=True))
    history_ms = history(statement.options)
    parts = ", ".join(f"{quoted(column.name)} {type_sql(column.type)}" for column in columns)
    text = f"CREATE TABLE {full(name)} ({parts}){history_sql(history_ms)}"
    table = bound.BoundCreateTable(
        name, columns, (), (), statement.temporary, statement.if_not_exists, text, frozenset(), history_ms
    )
    return bound.BoundCreateTableAs(table, rows, statement.filled)


def _column_sql(definition: ColumnDefinition, column: Column, binder: Queries) -> str:
    named = next((u.item for u in binder.context.uses if u.name is definition.type.written), None)
    kind = type_sql(column.type) if named is None or definition.type.dimensions else full(named.name)
    default = f" DEFAULT {definition.default_sql}" if definition.default is not None else ""
    return f"{quoted(column.name)} {kind}{default}{'' if column.nullable else ' NOT NULL'}"


def _key_sql(key: UniqueKey, columns: Sequence[Column]) -> str:
    word = "PRIMARY KEY" if key.primary else "UNIQUE"
    return f"CONSTRAINT {quoted(key.name)} {word} ({', '.join(quoted(columns[c].name) for c in key.columns)})"


def _default(definition: ColumnDefinition, column: Column, context: Context) -> BoundScalar:
    """The value of a column that INSERT does not give: an expression over nothing."""
    if definition.default is None:
        return Literal(None, column.type)
    binder = Queries(context)
    scalar = binder.scalar(definition.default, Place(NOWHERE, "DEFAULT"))
    if binder.reads:
        raise Unsupported("cannot use subquery in DEFAULT expression", position=definition.default.at)
    try:
        return assigned(scalar, column, definition.default.at)
    except TypeMismatch as error:
        message = f'column "{column.name}" is of type {column.type.name} but default expression is of type {{}}'
        raise TypeMismatch(message.format(scalar.type.name), hint=error.hint, position=error.position) from None


def _keys(
    statement: statements.CreateTable, name: QualifiedName, columns: Sequence[Column], context: Context
) -> tuple[UniqueKey, ...]:
    found: list[UniqueKey] = []
    taken: set[str] = {name.item}
    for constraint in statement.keys:
        key = tuple(_key_column(column, constraint, columns) for column in constraint.columns)
        if constraint.primary and any(other.primary for other in found):
            raise InvalidTableDefinition(
                f'multiple primary keys for table "{name.item}" are not allowed', position=constraint.at
            )
        label = constraint.name or _free_name(constraint, name, taken, context)
        if label in taken:
            raise DuplicateRelation(f'relation "{label}" already exists', position=constraint.at)
        taken.add(label)
        found.append(UniqueKey(label, key, constraint.primary))
    return tuple(found)


def _key_column(name: str, constraint: KeyConstraint, columns: Sequence[Column]) -> int:
    found = [i for i, column in enumerate(columns) if column.name == name]
    if not found:
        raise UndefinedColumn(f'column "{name}" named in key does not exist', position=constraint.at)
    if constraint.columns.count(name) > 1:
        word = "primary key" if constraint.primary else "unique"
        raise DuplicateColumn(f'column "{name}" appears twice in {word} constraint', position=constraint.at)
    return found[0]


def _free_name(constraint: KeyConstraint, name: QualifiedName, taken: set[str], context: Context) -> str:
    """PostgreSQL's name for a constraint without one: t_pkey, t_a_b_key; then with a number."""
    stem = f"{name.item}_pkey" if constraint.primary else f"{name.item}_{'_'.join(constraint.columns)}_key"
    label, number = stem, 0
    while label in taken or context.catalog.named(replace(name, item=label)) is not None:
        number += 1
        label = f"{stem}{number}"
    return label
