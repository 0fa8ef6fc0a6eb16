"""Statements that write to tables: INSERT, UPDATE, DELETE."""

from collections.abc import Sequence

from engine.catalog.items import Table, kind
from engine.errors import (
    CannotCoerce,
    DuplicateColumn,
    SyntaxError_,
    TypeMismatch,
    UndefinedColumn,
    Unsupported,
    WrongObjectType,
)
from engine.expr.scalar import Literal, Ref
from engine.plan.relation import BoundScalar, Filter, Query, Relation
from engine.sql import bound, statements, syntax
from engine.sql.binding.context import Context
from engine.sql.binding.queries import Queries, rows_of
from engine.sql.binding.scalars import Place, cast, located
from engine.sql.binding.select import projected
from engine.sql.binding.session import settle
from engine.sql.scope import Around, Range, Scope, ScopeColumn
from engine.types import CastContext, Column


def insert(statement: statements.Insert, context: Context) -> bound.BoundInsert:
    if statement.returning:
        raise Unsupported("RETURNING is not supported", position=statement.returning[0].expression.at)
    table = _table(statement.table, context, "insert into")
    targets = _targets(statement, table)
    binder = Queries(context)
    if statement.query is None:
        relation = rows_of([defaults(table, binder)])
    else:
        relation = _given(binder, statement.query, table, targets, statement)
    if binder.unsettled:
        relation = settle(relation, context)
    found = Query(relation, tuple(column.name for column in table.columns))
    return bound.BoundInsert(table.id, found, frozenset(binder.reads))


def _given(
    binder: Queries, query: syntax.Query, table: Table, targets: Sequence[int], statement: statements.Insert
) -> Relation:
    """The rows of the query with the table's columns, NULL where it gives none."""
    around = Around(None, {})
    plain = not (query.order or query.limit or query.offset or query.with_)
    if isinstance(query.body, syntax.Values) and plain:
        values = query.body
        width = len(values.rows[0])
        _fits(width, targets, statement, values.rows[0][len(targets)].at if width > len(targets) else 0)
        missing = defaults(table, binder)
        wanted = [table.columns[i] for i in targets[:width]]
        place = Place(Scope((), (), 0, around), "VALUES")
        rows: list[list[BoundScalar]] = []
        for row in values.rows:
            if len(row) != width:
                raise SyntaxError_("VALUES lists must all be the same length", position=row[0].at)
            given = list(missing)
            for node, target, column in zip(row, targets, wanted, strict=False):
                if not isinstance(node, syntax.Default):
                    given[target] = assigned(binder.scalar(node, place), column, node.at)
            rows.append(given)
        return rows_of(rows)
    sub = binder.closed(binder.query(query, around))
    width = len(sub.columns)
    _fits(width, targets, statement, query.at)
    given = defaults(table, binder)
    for i, (found, target) in enumerate(zip(sub.columns, targets, strict=False)):
        column = table.columns[target]
        ref = Ref(i, found.type, found.nullable)
        if i in sub.unknown and found.type != column.type:
            given[target] = located(query.at, cast, ref, column.type, CastContext.EXPLICIT)
        else:
            given[target] = assigned(ref, column, query.at)
    return projected(sub.relation, width, given)


def defaults(table: Table, binder: Queries) -> list[BoundScalar]:
    """What each column holds that a statement does not give. Session functions in it are still to be settled."""
    binder.unsettled = binder.unsettled or bool(table.defaults)
    return list(table.defaults) or [Literal(None, column.type) for column in table.columns]


def _fits(width: int, targets: Sequence[int], statement: statements.Insert, at: int) -> None:
    if width > len(targets):
        raise SyntaxError_("INSERT has more expressions than target columns", position=at)
    if width < len(targets) and statement.columns:
        raise SyntaxError_("INSERT has more target columns than expressions", position=statement.table.end + 1)


def assigned(scalar: BoundScalar, column: Column, at: int) -> BoundScalar:
    """The value as it is stored into the column."""
    if scalar.type == column.type:
        return scalar
    try:
        return located(at, cast, scalar, column.type, CastContext.ASSIGNMENT)
    except (TypeMismatch, CannotCoerce) as error:
        raise TypeMismatch(
            f'column "{column.name}" is of type {column.type.name} but expression is of type {scalar.type.name}',
            hint="You will need to rewrite or cast the expression.",
            position=at,
        ) from error


def _targets(statement: statements.Insert, table: Table) -> list[int]:
    """The table's columns that the statement gives, in its order."""
    if not statement.columns:
        return list(range(len(table.columns)))
    found: list[int] = []
    for name in statement.columns:
        index = _column(table, name, statement.table.at)
        if index in found:
            raise DuplicateColumn(f'column "{name}" specified more than once', position=statement.table.at)
        found.append(index)
    return found


def _column(table: Table, name: str, at: int) -> int:
    for index, column in enumerate(table.columns):
        if column.name == name:
            return index
    raise UndefinedColumn(f'column "{name}" of relation "{table.name.item}" does not exist', position=at)


def _table(name: syntax.Name, context: Context, verb: str) -> Table:
    item = context.catalog.resolve(name.parts, context.path, name.at)
    if not isinstance(item, Table):
        raise WrongObjectType(f'cannot {verb} {kind(item)} "{item.name.item}"', position=name.at)
    return item


def _target(
    name: syntax.Name, alias: str | None, where: syntax.Expression | None, context: Context, verb: str
) -> tuple[Queries, Table, Relation, Scope]:
    """The rows of a table that UPDATE or DELETE means."""
    table = _table(name, context, verb)
    binder = Queries(context)
    relation = binder.read(table, name.at)
    star = tuple(ScopeColumn(c.name, i, c.type, c.nullable) for i, c in enumerate(table.columns))
    qualifier = () if alias else (table.name.database, table.name.schema)
    ranges = (Range(alias or table.name.item, qualifier, star),)
    scope = Scope(star, ranges, len(star), Around(None, {}))
    if where is not None:
        relation = Filter(relation, (binder.boolean(where, Place(scope, "WHERE"), "WHERE"),))
    return binder, table, relation, scope


def delete(statement: statements.Delete, context: Context) -> bound.BoundDelete:
    if statement.returning:
        raise Unsupported("RETURNING is not supported", position=statement.returning[0].expression.at)
    binder, table, relation, _ = _target(statement.table, statement.alias, statement.where, context, "delete from")
    if binder.unsettled:
        relation = settle(relation, context)
    return bound.BoundDelete(table.id, relation, frozenset(binder.reads))


def update(statement: statements.Update, context: Context) -> bound.BoundUpdate:
    if statement.returning:
        raise Unsupported("RETURNING is not supported", position=statement.returning[0].expression.at)
    binder, table, relation, scope = _target(statement.table, statement.alias, statement.where, context, "update")
    row: list[BoundScalar] = [column.ref for column in scope.star]
    changed: dict[int, BoundScalar] = {}
    for name, node in statement.assignments:
        index = _column(table, name.parts[-1], name.at)
        if index in changed:
            raise SyntaxError_(f'multiple assignments to same column "{name.parts[-1]}"', position=name.at)
        column = table.columns[index]
        if isinstance(node, syntax.Default):
            changed[index] = defaults(table, binder)[index]
        else:
            changed[index] = assigned(binder.scalar(node, Place(scope, "UPDATE")), column, node.at)
    new = [changed.get(i, scalar) for i, scalar in enumerate(row)]
    found = projected(relation, scope.width, [*row, *new])
    if binder.unsettled:
        found = settle(found, context)
    return bound.BoundUpdate(table.id, found, frozenset(binder.reads))
