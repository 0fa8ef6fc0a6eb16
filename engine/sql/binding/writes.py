"""Statements that write to tables: INSERT, UPDATE, DELETE, TRUNCATE."""

from collections.abc import Sequence

from engine import types
from engine.catalog.items import Table, UniqueKey, kind
from engine.errors import (
    CannotCoerce,
    DuplicateColumn,
    InvalidColumnReference,
    SyntaxError_,
    TypeMismatch,
    UndefinedColumn,
    UndefinedObject,
    WrongObjectType,
)
from engine.expr.scalar import Literal, Ref
from engine.plan.relation import BoundScalar, Filter, Local, Query, Relation, TopK
from engine.sql import bound, statements, syntax
from engine.sql.binding.applying import cast, located
from engine.sql.binding.context import Context
from engine.sql.binding.copying import copy_file
from engine.sql.binding.place import Place
from engine.sql.binding.queries import Queries, rows_of
from engine.sql.binding.select import projected
from engine.sql.resolved.rows import BoundConflict, Over
from engine.sql.scope import Around, Range, Scope, ScopeColumn, Source, moved, shifted
from engine.sql.statement.data import OnConflict
from engine.types import CastContext, Column


def insert(statement: statements.Insert, context: Context) -> bound.BoundInsert:
    table = written_table(statement.table, context, "insert into")
    targets = _targets(statement, table)
    binder = Queries(context)
    if statement.query is None:
        relation = rows_of([defaults(table, binder)])
    else:
        relation = _given(binder, statement.query, table, targets, statement)
    conflict = None if statement.conflict is None else _conflict(statement, statement.conflict, table, binder)
    answer, returning = None, ()
    if statement.returning:
        star = columns_at(table, 0)
        scope = Scope(star, (range_of(table, statement.alias, star),), len(star), Around(None, {}))
        scalars, returning = binder.returned(statement.returning, scope)
        local = _local(table, 1, binder)
        answer = Over(local.id, projected(local, len(star), scalars))
    found = Query(relation, tuple(column.name for column in table.columns))
    return bound.BoundInsert(table.id, found, frozenset(binder.reads), conflict, answer, returning, binder.unsettled)


def _local(table: Table, times: int, binder: Queries) -> Local:
    """Rows of the table, so many beside each other, that only running the statement gives."""
    columns = table.columns * times
    return Local(binder.fresh(), tuple(c.type for c in columns), tuple(c.nullable for c in columns))


def columns_at(table: Table, begin: int) -> tuple[ScopeColumn, ...]:
    """The table's columns, where they stand from column `begin` of a row."""
    return tuple(ScopeColumn(c.name, begin + i, c.type, c.nullable) for i, c in enumerate(table.columns))


def range_of(table: Table, alias: str | None, star: tuple[ScopeColumn, ...]) -> Range:
    """The table as an item of FROM."""
    return Range(alias or table.name.item, () if alias else (table.name.database, table.name.schema), star)


def _conflict(statement: statements.Insert, conflict: OnConflict, table: Table, binder: Queries) -> BoundConflict:
    keys = tuple(tuple(sorted(key.columns)) for key in _arbiters(conflict, table))
    if conflict.assignments is None:
        return BoundConflict(keys, None)
    width = len(table.columns)
    old, new = columns_at(table, 0), columns_at(table, width)
    ranges = (range_of(table, statement.alias, old), Range("excluded", (), new))
    scope = Scope(old, ranges, 2 * width, Around(None, {}))
    local = _local(table, 2, binder)
    relation: Relation = local
    if conflict.where is not None:
        relation = Filter(relation, (binder.boolean(conflict.where, Place(scope, "WHERE"), "WHERE"),))
    changed = changed_by(conflict.assignments, table, binder, scope)
    row = [changed.get(i, column.ref) for i, column in enumerate(old)]
    return BoundConflict(keys, Over(local.id, projected(relation, 2 * width, [*(column.ref for column in old), *row])))


def _arbiters(conflict: OnConflict, table: Table) -> Sequence[UniqueKey]:
    """The keys that ON CONFLICT means."""
    if conflict.constraint is not None:
        found = [key for key in table.keys if key.name == conflict.constraint]
        if not found:
            raise UndefinedObject(
                f'constraint "{conflict.constraint}" for table "{table.name.item}" does not exist', position=conflict.at
            )
        return found
    if not conflict.columns:
        return table.keys
    wanted = {named_column(table, name, conflict.at) for name in conflict.columns}
    found = [key for key in table.keys if set(key.columns) == wanted]
    if not found:
        raise InvalidColumnReference(
            "there is no unique or exclusion constraint matching the ON CONFLICT specification", position=conflict.at
        )
    return found[:1]


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
                    given[target] = assigned(binder.towards(node, place, column.type), column, node.at)
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


def _targets(statement: statements.Insert | statements.CopyFrom, table: Table) -> list[int]:
    """The table's columns that the statement gives, in its order."""
    if not statement.columns:
        return list(range(len(table.columns)))
    found: list[int] = []
    for name in statement.columns:
        index = named_column(table, name, statement.table.at)
        if index in found:
            raise DuplicateColumn(f'column "{name}" specified more than once', position=statement.table.at)
        found.append(index)
    return found


def named_column(table: Table, name: str, at: int) -> int:
    """The number of the table's column of that name."""
    for index, column in enumerate(table.columns):
        if column.name == name:
            return index
    raise UndefinedColumn(f'column "{name}" of relation "{table.name.item}" does not exist', position=at)


def written_table(name: syntax.Name, context: Context, verb: str) -> Table:
    """The table of that name: nothing else can be written to."""
    item = context.catalog.resolve(name.parts, context.path, name.at)
    if not isinstance(item, Table):
        raise WrongObjectType(f'cannot {verb} {kind(item)} "{item.name.item}"', position=name.at)
    return item


def _target(
    name: syntax.Name,
    alias: str | None,
    beside: Sequence[syntax.FromItem],
    where: syntax.Expression | None,
    context: Context,
    verb: str,
) -> tuple[Queries, Table, Relation, Scope]:
    """The rows of a table that UPDATE or DELETE means, beside those of its FROM or USING."""
    table = written_table(name, context, verb)
    binder = Queries(context)
    star = columns_at(table, 0)
    around = Around(None, {})
    source = Source(binder.read(table, name.at), len(star), star, (range_of(table, alias, star),))
    source = binder.joined(source, beside, around)
    scope = source.scope(around)
    relation = source.relation
    if where is not None:
        relation = Filter(relation, (binder.boolean(where, Place(scope, "WHERE"), "WHERE"),))
    return binder, table, relation, scope


def delete(statement: statements.Delete, context: Context) -> bound.BoundDelete:
    binder, table, relation, scope = _target(
        statement.table, statement.alias, statement.using, statement.where, context, "delete from"
    )
    scalars, returning = binder.returned(statement.returning, scope) if statement.returning else ([], ())
    once = bool(statement.using)
    relation = _once(relation, len(table.columns), once)
    relation = projected(relation, scope.width, [*(column.ref for column in columns_at(table, 0)), *scalars])
    return bound.BoundDelete(table.id, relation, frozenset(binder.reads), once, returning, binder.unsettled)


def truncate(statement: statements.Truncate, context: Context) -> bound.BoundTruncate:
    found: dict[int, bound.BoundDelete] = {}
    for name in statement.tables:
        table = written_table(name, context, "truncate")
        found[table.id] = delete(statements.Delete(name, None, (), None, (), statement.span), context)
    return bound.BoundTruncate(tuple(found.values()))


def update(statement: statements.Update, context: Context) -> bound.BoundUpdate:
    binder, table, relation, scope = _target(
        statement.table, statement.alias, statement.from_, statement.where, context, "update"
    )
    width = len(table.columns)
    old = [column.ref for column in columns_at(table, 0)]
    changed = changed_by(statement.assignments, table, binder, scope)
    new = [changed.get(i, scalar) for i, scalar in enumerate(old)]
    once = bool(statement.from_)
    relation = _once(relation, width, once)
    beside = [Ref(i, types.UNKNOWN) for i in range(width, scope.width)] if statement.returning else []
    found = projected(relation, scope.width, [*old, *new, *beside])
    returning: tuple[Column, ...] = ()
    if statement.returning:
        # What RETURNING names is the new row; what it names of FROM stands behind it.
        star, ranges = shifted(scope.star, width, False), moved(scope.ranges, width, False)
        after = Source(found, width + scope.width, star, ranges)
        scalars, returning = binder.returned(statement.returning, after.scope(Around(None, {})))
        both = [Ref(i, column.type, column.nullable) for i, column in enumerate(table.columns * 2)]
        found = projected(found, after.width, [*both, *scalars])
    return bound.BoundUpdate(table.id, found, frozenset(binder.reads), once, returning, binder.unsettled)


def _once(relation: Relation, width: int, once: bool) -> Relation:
    """One of the rows for each row of the table, where what stands beside it may make it many."""
    return TopK(relation, tuple(range(width)), (), 1, 0) if once else relation


def changed_by(
    assignments: Sequence[tuple[syntax.Name, syntax.Expression]], table: Table, binder: Queries, scope: Scope
) -> dict[int, BoundScalar]:
    """The new values of the columns that SET names."""
    changed: dict[int, BoundScalar] = {}
    for name, node in assignments:
        index = named_column(table, name.parts[-1], name.at)
        if index in changed:
            raise SyntaxError_(f'multiple assignments to same column "{name.parts[-1]}"', position=name.at)
        if isinstance(node, syntax.Default):
            changed[index] = defaults(table, binder)[index]
        else:
            column = table.columns[index]
            changed[index] = assigned(binder.towards(node, Place(scope, "UPDATE"), column.type), column, node.at)
    return changed


def copy_from(statement: statements.CopyFrom, context: Context) -> bound.BoundCopyFrom:
    table = written_table(statement.table, context, "copy to")
    targets = _targets(statement, table)
    binder = Queries(context)
    form, file = copy_file(statement.path, statement.at, statement.options, context)
    at = statement.table.at
    row = defaults(table, binder)
    given: list[Column] = []
    for i, target in enumerate(targets):
        column = table.columns[target]
        plain = column.type.plain
        # What names something of the catalog is looked up in it: a cast, where the statement is settled.
        kind = types.TEXT if plain in types.REGISTERED and not form.binary else plain
        given.append(Column(column.name, kind))
        value = Ref(i, kind) if kind == plain else located(at, cast, Ref(i, kind), plain, CastContext.EXPLICIT)
        row[target] = assigned(value, column, at)
    local = Local(binder.fresh(), tuple(column.type for column in given))
    relation = projected(local, len(targets), row)
    over = Over(local.id, relation)
    return bound.BoundCopyFrom(table.id, table.name.item, tuple(given), over, form, binder.unsettled, file)
