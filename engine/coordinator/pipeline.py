"""From a bound relation to a dataflow: the planner's one line, under the options and indexes of this database."""

from engine.catalog.catalog import Catalog
from engine.catalog.items import Index, MaterializedView, Source, SourceRelation, Table, View
from engine.cluster.worker import sources
from engine.coordinator.options import Options
from engine.dataflow.graph import Plan
from engine.plan.decorrelate import decorrelate
from engine.plan.lower import Arranged, lower
from engine.plan.optimize import optimize, prepare
from engine.plan.relation import Relation


def dataflow(relation: Relation, catalog: Catalog, options: Options) -> Plan:
    """lower(optimize(decorrelate(relation))), the optimiser if it is on."""
    logical = optimize(decorrelate(prepare(relation))) if options.optimize else decorrelate(relation)
    return lower(logical, arranged(catalog))


def plans_beneath(plan: Plan, catalog: Catalog, options: Options) -> list[Plan]:
    """The plan, and those of the maintained views that it reads, and so on."""
    plans, seen = [plan], set[int]()
    for each in plans:
        for id in sources(each) - seen:
            seen.add(id)
            item = catalog.items.get(id)
            if isinstance(item, View | MaterializedView):
                plans.append(dataflow(item.relation, catalog, options))
    return plans


def arranged(catalog: Catalog) -> Arranged:
    """The keys that collections are arranged by: what a join shares rather than make its own.

    Those of indexes; and the whole row, which is how a collection that retracts keeps its rows.
    """
    keys: dict[int, set[tuple[int, ...]]] = {}
    for item in catalog.items.values():
        match item:
            case Index():
                keys.setdefault(item.collection, set()).add(item.key)
            case Table() | Source(append_only=False) | SourceRelation(append_only=False):
                keys.setdefault(item.id, set()).add(tuple(range(len(item.columns))))
            case _:
                pass
    return keys
