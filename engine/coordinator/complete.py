"""What a subscription rests on, so that it ends when nothing can come any more: a file that is not followed has been
read, a generator has made its last row, a query of constants never had anything to wait for.
"""

from collections.abc import Set

from engine.catalog.catalog import Catalog
from engine.catalog.items import MaterializedView, Source, SystemRelation, Table, below
from engine.cluster.worker import sources
from engine.coordinator.options import Options
from engine.coordinator.pipeline import plans_beneath
from engine.dataflow.graph import Plan, Temporal, nodes


def rests_on(plan: Plan, catalog: Catalog, options: Options) -> Set[int] | None:
    """The sources that all of a plan's output follows from; None: it follows from a table, the system, the time too."""
    items = list(below(catalog.items, sources(plan)))
    if any(isinstance(item, Table | SystemRelation) for item in items):
        return None  # so it mostly is, and then no view is planned to find out
    if any(isinstance(item, MaterializedView) and item.schedule is not None for item in items):
        return None
    if any(isinstance(node, Temporal) for each in plans_beneath(plan, catalog, options) for node in nodes(each)):
        return None
    return {item.id for item in items if isinstance(item, Source)}
