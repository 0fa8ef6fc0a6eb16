"""MERGE: each row of a source does to a table what the first clause says that is for it.

Rule   the source LEFT JOIN the table; of the rows where the table is there WHEN MATCHED, of the others WHEN NOT
       MATCHED; a clause has those whose condition is true and that no clause before it has. What a clause computes is
       computed of its own rows alone.
"""

from collections.abc import Sequence
from typing import Final

from engine import types
from engine.catalog.items import Table
from engine.errors import SyntaxError_
from engine.expr.scalar import Literal, Ref
from engine.plan.relation import BoundJoin, BoundScalar, Filter, JoinKind, Map, Relation, Union
from engine.sql import bound, statements, syntax
from engine.sql.binding.applying import call, negated
from engine.sql.binding.context import Context
from engine.sql.binding.place import Place
from engine.sql.binding.queries import Queries
from engine.sql.binding.select import projected
from engine.sql.binding.writes import (
    assigned,
    changed_by,
    columns_at,
    defaults,
    named_column,
    range_of,
    written_table,
)
from engine.sql.resolved.rows import MergeAction
from engine.sql.scope import Around, Scope, moved, shifted, together
from engine.sql.statement.data import MergeDelete, MergeInsert, MergeUpdate, MergeWhen

AROUND: Final = Around(None, {})


def merge(statement: statements.Merge, context: Context) -> bound.BoundMerge:
    """Rows: what is done (MergeAction), the table's row as it is, and as it will be."""
    table = written_table(statement.table, context, "merge into")
    binder = Queries(context)
    source = binder.from_item(statement.source, AROUND)
    marker = source.width + len(table.columns)
    inner = columns_at(table, 0)
    star = shifted(inner, source.width, False)
    ranges = moved((range_of(table, statement.alias, inner),), source.width, False)
    there = Map(binder.read(table, statement.table.at), (Literal(True, types.BOOLEAN),))
    both = Scope((*source.star, *star), together(source.ranges, ranges, statement.table.at), marker, AROUND)
    on = binder.boolean(statement.on, Place(both, "JOIN/ON"), "JOIN/ON")
    joined = BoundJoin(source.relation, there, on, JoinKind.LEFT)
    padded = shifted(inner, source.width, True)
    matched = Scope((*source.star, *padded), (*source.ranges, *moved(ranges, 0, True)), marker + 1, AROUND)
    alone = Scope(source.star, source.ranges, marker + 1, AROUND)
    is_alone = call("is_null", Ref(marker, types.BOOLEAN))
    old: list[BoundScalar] = [column.ref for column in padded]
    nothing: list[BoundScalar] = [Literal(None, column.type) for column in table.columns]
    parts: list[Relation] = []
    for which, scope in ((True, matched), (False, alone)):
        rows: Relation = Filter(joined, (negated(is_alone, which),))
        for when in statement.whens:
            if when.matched is not which:
                continue
            own = rows
            if when.condition is not None:
                holds = call("is_true", binder.boolean(when.condition, Place(scope, "MERGE WHEN"), "MERGE WHEN"))
                own, rows = Filter(rows, (holds,)), Filter(rows, (negated(holds),))
            match when.action:
                case MergeUpdate(assignments):
                    changed = changed_by(assignments, table, binder, scope)
                    new = [changed.get(i, scalar) for i, scalar in enumerate(old)]
                    action, row = MergeAction.UPDATE, [*old, *new]
                case MergeDelete():
                    action, row = MergeAction.DELETE, [*old, *nothing]
                case MergeInsert():
                    action, row = MergeAction.INSERT, [*nothing, *_inserted(when, when.action, table, binder, scope)]
                case None:
                    action, row = MergeAction.NOTHING, [*nothing, *nothing]
            if when.action is not None or when.condition is not None:
                parts.append(projected(own, marker + 1, [Literal(action.value, types.INTEGER), *row]))
    relation = Union(tuple(parts)) if parts else None
    return bound.BoundMerge(table.id, relation, frozenset(binder.reads), binder.unsettled)


def _inserted(
    when: MergeWhen, action: MergeInsert, table: Table, binder: Queries, scope: Scope
) -> Sequence[BoundScalar]:
    targets = [named_column(table, name, when.at) for name in action.columns] or list(range(len(table.columns)))
    if len(set(targets)) < len(targets):
        raise SyntaxError_("a column is specified more than once", position=when.at)
    row = defaults(table, binder)
    values = action.values
    if values is not None:
        if len(values) > len(targets):
            raise SyntaxError_("INSERT has more expressions than target columns", position=values[len(targets)].at)
        if len(values) < len(targets) and action.columns:
            raise SyntaxError_("INSERT has more target columns than expressions", position=when.at)
        for node, target in zip(values, targets, strict=False):
            column = table.columns[target]
            if not isinstance(node, syntax.Default):
                row[target] = assigned(binder.towards(node, Place(scope, "VALUES"), column.type), column, node.at)
    return row
