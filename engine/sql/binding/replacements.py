"""APPLY REPLACEMENT: the catalog when a replacement has taken its target's place.

The replacement has fitted when it was made; whether it does still is asked again (fitting.py).
"""

from dataclasses import replace

from engine.catalog.catalog import Catalog
from engine.catalog.items import DurableSubscription, Index, Item, MaterializedView, Sink, View, kind
from engine.errors import DependentObjects, SqlError, WrongObjectType
from engine.plan.lower import with_finishing_as_topk
from engine.sql import bound, dialect, statements
from engine.sql.binding.alters import nothing
from engine.sql.binding.context import Context
from engine.sql.binding.definitions import create_index, create_view
from engine.sql.binding.dependents import at_catalog, made_by
from engine.sql.binding.drops import find
from engine.sql.binding.fitting import check_replacement
from engine.sql.binding.sinks import create_sink
from engine.sql.binding.subscriptions import create_durable_subscription
from engine.sql.statement.parts import ObjectKind
from engine.sql.syntax import Name

TAG = "ALTER MATERIALIZED VIEW"


def apply(statement: statements.ApplyReplacement, context: Context) -> bound.BoundTurn | bound.BoundRedefine:
    """The target as it is by the replacement's query, and what depends on it over that."""
    catalog = context.catalog
    target = find(ObjectKind.MATERIALIZED_VIEW, statement.name, statement.if_exists, context)
    if target is None:
        return nothing(TAG, statement.name, context)
    other = find(ObjectKind.MATERIALIZED_VIEW, statement.replacement, False, context)
    assert isinstance(target, MaterializedView)
    assert isinstance(other, MaterializedView)
    if other.replaces != target.id:
        raise WrongObjectType(
            f'"{other.name.item}" is not a replacement for "{target.name.item}"', position=statement.replacement.at,
            hint=f"CREATE REPLACEMENT MATERIALIZED VIEW ... FOR {target.name.item} makes one.",
        )  # fmt: skip
    made = made_by(other)
    name = Name((target.name.database, target.name.schema, target.name.item), made.name.at, made.name.end)
    found = create_view(replace(made, name=name, replacement_for=None), at_catalog(context, catalog))
    assert isinstance(found, bound.BoundCreateMaterializedView)
    check_replacement(target, found.columns, found.relation, found.depends_on, catalog, statement.replacement.at)
    turned = replace(
        target, columns=found.columns, relation=found.relation, depends_on=found.depends_on, schedule=found.schedule,
        create_sql=found.create_sql, history_ms=found.history_ms,
    )  # fmt: skip
    new = catalog.redefined([turned])
    changed: list[Item] = [turned]
    for id in catalog.above([target.id]):
        if id not in (target.id, other.id):
            changed.append(_over(catalog.items[id], new, context))
            new = new.redefined(changed[-1:])
    return bound.BoundTurn(target.id, other.id, tuple(changed))


def _over(item: Item, catalog: Catalog, context: Context) -> Item:
    """A dependent bound against the catalog as it will be: more may be known of the columns that it reads."""
    pending = isinstance(item, MaterializedView) and item.replaces is not None
    within = replace(at_catalog(context, catalog), restoring=pending)
    try:
        match item:
            case View() | MaterializedView():
                match create_view(made_by(item), within):
                    case bound.BoundCreateView() as found:
                        return replace(item, relation=with_finishing_as_topk(found.query), columns=found.columns)
                    case bound.BoundCreateMaterializedView() as found:
                        return replace(item, relation=found.relation, columns=found.columns)
            case Index() if item.expressions:
                (made,) = dialect.parse(item.create_sql)
                assert isinstance(made, statements.CreateIndex)
                return replace(item, expressions=create_index(made, within).expressions)
            case Sink():
                (made,) = dialect.parse(item.create_sql)
                assert isinstance(made, statements.CreateSink)
                return replace(item, relation=create_sink(made, within).relation)
            case DurableSubscription():
                (made,) = dialect.parse(item.create_sql)
                assert isinstance(made, statements.CreateDurableSubscription)
                found = create_durable_subscription(made, within)
                return replace(item, relation=found.relation, told=found.told)
            case _:
                return item
    except SqlError as error:
        raise DependentObjects(
            f'{kind(item)} "{item.name.item}" cannot go on from the replacement', detail=error.message,
            hint="DROP it first.",
        ) from None  # fmt: skip
