"""What a subscription rests on, so that it ends when nothing can come any more: a file that is not followed has been
read, a generator has made its last row, a query of constants never had anything to wait for.
"""

from collections.abc import Set

from engine.catalog.catalog import Catalog
from engine.catalog.items import MaterializedView, Source, SourceRelation, SystemRelation, Table, View
from engine.cluster.worker import sources
from engine.coordinator.options import Options
from engine.coordinator.pipeline import dataflow
from engine.dataflow import graph
from engine.dataflow.graph import Plan


def rests_on(plan: Plan, catalog: Catalog, options: Options) -> Set[int] | None:
    """The sources that all of a plan's output follows from; None: it follows from a table, the system, the time too."""
    if _may_always_change(sources(plan), catalog) or _asks_the_time(plan):
        return None
    found: set[int] = set()
    for id in sources(plan):
        match catalog.items[id]:
            case Source():
                found.add(id)
            case SourceRelation(source=source):
                found.add(source)
            case View(relation=relation) | MaterializedView(relation=relation, schedule=None):
                below = rests_on(dataflow(relation, catalog, options), catalog, options)
                if below is None:
                    return None
                found |= below
            case _:
                return None
    return found


def _may_always_change(ids: Set[int], catalog: Catalog) -> bool:
    """Whether a table or a system relation is below. Mostly one is, and then no view is planned to find out."""
    items = [catalog.items.get(id) for id in ids]
    return any(
        item is None or isinstance(item, Table | SystemRelation) or _may_always_change(item.depends_on, catalog)
        for item in items
    )


def _asks_the_time(plan: Plan) -> bool:
    return isinstance(plan, graph.Temporal) or any(map(_asks_the_time, graph.inputs(plan)))
