"""Bound statements with the moment put in: the last step before one runs.

What a statement is bound to is good until the catalog changes; what differs from one run of it to the next is its
parameters' values, the session's functions and the rows of system relations. `settled` puts them in. Rows that are then
all literals (INSERT ... VALUES ($1, now())) are made the Constant that needs no dataflow.
"""

from dataclasses import replace

from engine.expr.scalar import Literal
from engine.plan.relation import Constant, Map, Project, Query, Relation, Union
from engine.plan.rules.fold import folded
from engine.plan.scalars import is_plain
from engine.sql import bound
from engine.sql.binding.context import Context
from engine.sql.binding.session import settle, with_values
from engine.sql.binding.tree import rewrite
from engine.sql.bound import Bound
from engine.sql.resolved.rows import Over


def settled(statement: Bound, context: Context) -> Bound:
    """The statement as it runs at this moment, with these parameters. The same object where nothing is the moment's."""
    match statement:
        case bound.BoundCopy():
            inner = settled(statement.statement, context)
            assert isinstance(inner, bound.BoundSelect | bound.BoundSubscribe)
            return statement if inner is statement.statement else replace(statement, statement=inner)
        case bound.BoundCreateTableAs():
            rows = settled(statement.rows, replace(context, locks=None))  # to wait for one would hold up every tick
            assert isinstance(rows, bound.BoundSelect)
            return statement if rows is statement.rows else replace(statement, rows=rows)
        case bound.BoundTruncate():
            return statement
        case (
            bound.BoundSelect() | bound.BoundInsert() | bound.BoundDelete() | bound.BoundUpdate() | bound.BoundMerge()
            | bound.BoundSubscribe() | bound.BoundCopyFrom()
        ):  # fmt: skip
            return _settled(statement, context) if statement.unsettled else statement
        case _:
            return statement


def _settled(
    statement: bound.BoundSelect
    | bound.BoundInsert
    | bound.BoundDelete
    | bound.BoundUpdate
    | bound.BoundMerge
    | bound.BoundSubscribe
    | bound.BoundCopyFrom,
    context: Context,
) -> Bound:
    match statement:
        case bound.BoundSelect():
            as_of = statement.as_of
            if as_of is not None and not as_of.at_least:
                context = replace(context, read_at=as_of.timestamp)
            query = _query(statement.query, context)
            assigned, pauses = tuple(context.assigned), tuple(context.pauses)
            return replace(statement, query=query, unsettled=False, assigned=assigned, pauses=pauses)
        case bound.BoundInsert():
            conflict = statement.conflict
            if conflict is not None:
                conflict = replace(conflict, update=_over(conflict.update, context))
            query, answer = _query(statement.query, context), _over(statement.answer, context)
            return replace(statement, query=query, conflict=conflict, answer=answer, unsettled=False)
        case bound.BoundSubscribe():
            return replace(statement, relation=with_values(statement.relation, context), unsettled=False)
        case bound.BoundDelete() | bound.BoundUpdate():
            return replace(statement, relation=settle(statement.relation, context), unsettled=False)
        case bound.BoundMerge():
            relation = None if statement.relation is None else settle(statement.relation, context)
            return replace(statement, relation=relation, unsettled=False)
        case bound.BoundCopyFrom():
            rows = Over(statement.rows.id, settle(statement.rows.relation, context))
            return replace(statement, rows=rows, unsettled=False)


def _query(query: Query, context: Context) -> Query:
    return replace(query, relation=rewrite(settle(query.relation, context), literal_rows))


def _over(over: Over | None, context: Context) -> Over | None:
    return None if over is None else Over(over.id, settle(over.relation, context))


def literal_rows(node: Relation) -> Relation:
    """One step of making rows of literals a Constant: of a node whose inputs have been through it."""
    match node:
        case Map(Constant() as rows, scalars):
            found = [folded(scalar) if is_plain(scalar) else scalar for scalar in scalars]
            values = tuple(scalar.value for scalar in found if isinstance(scalar, Literal))
            if len(values) < len(scalars):
                return node
            types = (*rows.types, *(scalar.type for scalar in scalars))
            return Constant(tuple(((*row, *values), count) for row, count in rows.rows), types)
        case Project(Constant() as rows, columns):
            cut = tuple((tuple(row[i] for i in columns), count) for row, count in rows.rows)
            return Constant(cut, tuple(rows.types[i] for i in columns))
        case Union(inputs) if all(isinstance(part, Constant) for part in inputs):
            parts = [part for part in inputs if isinstance(part, Constant)]
            return Constant(tuple(row for part in parts for row in part.rows), parts[0].types)
        case _:
            return node
