"""Statements to bound statements: the door of the binder.

Pure: the context holds all that a statement may depend on, and nothing is changed. Every error is an SqlError with the
position of what is wrong.
"""

from typing import assert_never

from engine.errors import InvalidParameter, Unsupported
from engine.sql import bound, statements
from engine.sql.binding import (
    alter_table,
    alters,
    connections,
    definitions,
    drops,
    explains,
    merges,
    postgres,
    reads,
    replacements,
    roles,
    shows,
    sinks,
    sources,
    subscriptions,
    tables,
    writes,
)
from engine.sql.binding.context import Context
from engine.sql.bound import Bound
from engine.sql.statements import Statement

__all__ = ["Context", "bind"]


def bind(statement: Statement, context: Context) -> Bound:
    """A statement with its names and types resolved against the catalog of the moment."""
    match statement:
        case statements.SelectStatement():
            return reads.select(statement, context)
        case statements.Insert():
            return writes.insert(statement, context)
        case statements.Update():
            return writes.update(statement, context)
        case statements.Delete():
            return writes.delete(statement, context)
        case statements.Merge():
            return merges.merge(statement, context)
        case statements.Truncate():
            return writes.truncate(statement, context)
        case statements.Subscribe():
            return reads.subscribe(statement, context)
        case statements.Explain():
            return explains.explain(statement, context)
        case statements.ExplainTimestamp():
            return explains.explain_timestamp(statement, context)
        case statements.ExplainAnalyze():
            return explains.explain_analyze(statement, context)
        case statements.Copy():
            return reads.copy(statement, context)
        case statements.CopyFrom():
            return writes.copy_from(statement, context)
        case statements.CreateTable():
            return tables.create_table(statement, context)
        case statements.CreateTableAs():
            return tables.create_table_as(statement, context)
        case statements.CreateView():
            return definitions.create_view(statement, context)
        case statements.CreateIndex():
            return definitions.create_index(statement, context)
        case statements.CreateSource():
            return sources.create_source(statement, context)
        case statements.CreateCopy():
            return postgres.create_copy(statement, context)
        case statements.CreateViews():
            return postgres.create_views(statement, context)
        case statements.AlterAddSubsources():
            return postgres.add_subsources(statement, context)
        case statements.CreateSecret():
            return connections.create_secret(statement, context)
        case statements.AlterSecret():
            return connections.alter_secret(statement, context)
        case statements.CreateConnection():
            return connections.create_connection(statement, context)
        case statements.CreateSink():
            return sinks.create_sink(statement, context)
        case statements.CreateDurableSubscription():
            return subscriptions.create_durable_subscription(statement, context)
        case statements.Acknowledge():
            return subscriptions.acknowledge(statement, context)
        case statements.ValidateConnection():
            return connections.validate_connection(statement, context)
        case statements.CreateType():
            return definitions.create_type(statement, context)
        case statements.CreateSchema():
            return definitions.create_schema(statement, context)
        case statements.CreateDatabase():
            return definitions.create_database(statement, context)
        case statements.Drop():
            return drops.drop(statement, context)
        case statements.CreateRole():
            return roles.create_role(statement, context)
        case statements.AlterRole():
            return roles.alter_role(statement, context)
        case statements.AlterSystem():
            return roles.alter_system(statement, context)
        case statements.DropRoles():
            return roles.drop_roles(statement, context)
        case statements.AlterRename():
            return alters.rename(statement, context)
        case statements.AlterRenameColumn():
            return alter_table.rename_column(statement, context)
        case statements.AlterRenameConstraint():
            return alter_table.rename_constraint(statement, context)
        case statements.AlterSetSchema():
            return alters.set_schema(statement, context)
        case statements.AlterTable():
            return alter_table.alter_table(statement, context)
        case statements.ApplyReplacement():
            return replacements.apply(statement, context)
        case statements.AlterSwap():
            return alters.swap(statement, context)
        case statements.AlterSinkFrom():
            return sinks.set_from(statement, context)
        case statements.AlterRetain():
            return alters.retain(statement, context)
        case statements.CommentOn():
            return alters.comment(statement, context)
        case statements.CreateCluster():
            return definitions.create_cluster(statement, context)
        case statements.DropClusters():
            return drops.drop_clusters(statement, context)
        case statements.Inert():
            return bound.BoundInert(statement.tag, statement.reason)
        case statements.ShowObjects():
            return shows.show(statement, context)
        case statements.ShowCreate():
            return shows.show_create(statement, context)
        case statements.ShowVariable():
            return bound.BoundShowVariable(statement.name)
        case statements.SetVariable():
            return _set(statement)
        case statements.Transaction():
            return bound.BoundTransaction(statement.verb, statement.savepoint, statement.read_only)
        case statements.Raise():
            return bound.BoundRaise(statement.level, statement.message)
        case statements.Discard():
            return bound.BoundDiscard(statement.what)
        case (
            statements.Prepare() | statements.Execute() | statements.Deallocate()
            | statements.Declare() | statements.Fetch() | statements.CloseCursor()
        ):  # fmt: skip
            raise Unsupported("a statement about the session's own names cannot be bound")
        case _:
            assert_never(statement)


def _set(statement: statements.SetVariable) -> bound.BoundSet:
    if statement.values is None:
        return bound.BoundSet(statement.name, None, statement.local, statement.resets)
    if len(statement.values) > 1 and statement.name != "search_path":
        raise InvalidParameter(f"SET {statement.name} takes only one argument")
    return bound.BoundSet(statement.name, ", ".join(statement.values), statement.local)
