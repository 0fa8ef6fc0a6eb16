"""ALTER MATERIALIZED VIEW ... APPLY REPLACEMENT: a view goes on as another query's answer, under all that reads it.

the catalog    the view with the replacement's query; the replacement is gone
the log        that, and up to which tick the view was something else
the next tick  whoever reads the view gets the difference (engine/dataflow/turning.py), with the block's writes
"""

from engine.catalog.items import MaterializedView
from engine.cluster.command import Retain
from engine.coordinator.ddl import history_of
from engine.coordinator.draft import Draft
from engine.coordinator.result import Result
from engine.errors import ObjectNotInState, Unsupported
from engine.sql.binding.replacements import TAG
from engine.sql.bound import BoundTurn


def turn(draft: Draft, bound: BoundTurn) -> Result:
    """Under the tick lock. What hydrates was waited for before."""
    coordinator, other = draft.coordinator, draft.catalog.items[bound.other]
    if bound.other not in coordinator.catalog.items:
        raise Unsupported(f'"{other.name.item}" was made by this transaction', hint="COMMIT first.")
    if not coordinator.is_live(bound.other):
        raise ObjectNotInState(f'"{other.name.item}" is hydrating', hint="mz_hydration_statuses shows how far it is.")
    target = bound.items[0]
    assert isinstance(target, MaterializedView)
    draft.catalog = draft.catalog.redefined(bound.items)
    draft.turn(bound.target, bound.other)

    def make() -> None:
        coordinator.turn(bound.target, bound.other)
        if coordinator.is_live(bound.target):
            coordinator.send(Retain(bound.target, history_of(coordinator, target.history_ms)))

    draft.later(bound.target, make)
    return Result(TAG)
