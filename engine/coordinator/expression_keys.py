"""Look-ups by what an index computes: `WHERE lower(name) = 'ann'` where there is an index by lower(name).

Law  Such an index is a collection that has the rows of its relation and the expressions behind them, so the plan over
     it is the plan over the relation. An expression that fails on some row fails the index; the relation itself is read
     then, whose filters may never have come to that row.
"""

from engine.coordinator.coordinator import Coordinator
from engine.dataflow.graph import Mfp, Plan, Source
from engine.plan.lookup import as_lookup, over_index
from engine.plan.rules.fold import folded


def by_expression(coordinator: Coordinator, plan: Plan, surely: bool = False) -> Mfp | None:
    """The plan over an index that answers it by a look-up; `surely`: one that cannot fail. O(items) where the plan
    reads one collection."""
    if not isinstance(plan, Mfp) or not isinstance(plan.input, Source) or not plan.steps:
        return None
    for index in coordinator.catalog.indexes(plan.input.id):
        if index.expressions and coordinator.is_live(index.id):
            computed = tuple(folded(each.scalar) for each in index.expressions)
            found = over_index(plan, index.id, computed)
            if surely and any(scalar.fallible for scalar in computed):
                continue
            if as_lookup(found, {index.id: frozenset({index.key})}, later=surely) is not None:
                return found
    return None
