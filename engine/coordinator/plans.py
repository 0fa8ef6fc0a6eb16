"""The plans of SELECTs that were asked before.

Rule  A plan follows from the settled relation, the keys that collections are arranged by and the options: it is kept by
      the relation's value, as long as the catalog is the same one. What a statement depends on beside its text (the
      search path, the role, variables, the time) is in the relation by then, as names that are resolved and constants.
Law   The answer is the one that planning anew would give: equal relations mean the same (engine/expr/registry.py,
      Function; engine/catalog/system/functions.py).
Cost  A walk over the relation and its hash: a twentieth of planning it. The plans that were asked for last are kept, up
      to Options.plan_nodes_max together.
"""

import threading
from collections import OrderedDict
from typing import Final

from engine.catalog.catalog import Catalog
from engine.coordinator.options import Options
from engine.coordinator.pipeline import dataflow
from engine.dataflow.graph import Plan
from engine.plan.relation import Constant, Relation, children, scalars

SIZE_MAX: Final = 2_048
"""Nodes of a relation that is kept. A larger one is planned each time, rather than push so many others out."""


class Plans:
    """Safe in any thread."""

    def __init__(self, options: Options) -> None:
        self._options: Final = options
        self._catalog: Catalog | None = None
        self._kept: Final[OrderedDict[Relation, tuple[Plan, int]]] = OrderedDict()  # the one asked for last is last
        self.nodes = 0
        """Of all relations that are kept."""
        self._lock: Final = threading.Lock()

    def of(self, relation: Relation, catalog: Catalog) -> Plan:
        """The plan of a bound relation in which nothing of the moment is left."""
        size = size_of(relation)
        if size > SIZE_MAX:
            return dataflow(relation, catalog, self._options)
        with self._lock:
            if self._catalog is not catalog:
                self._catalog, self.nodes = catalog, 0
                self._kept.clear()
            found = self._kept.get(relation)
            if found is not None:
                self._kept.move_to_end(relation)
                return found[0]
        plan = dataflow(relation, catalog, self._options)
        with self._lock:
            if self._catalog is catalog and relation not in self._kept:
                self._kept[relation] = plan, size
                self.nodes += size
                while self.nodes > self._options.plan_nodes_max:
                    _, (_, gone) = self._kept.popitem(last=False)
                    self.nodes -= gone
        return plan


def size_of(relation: Relation) -> int:
    """How many relations, scalars and fixed values it is made of, shared ones counted each time; beyond SIZE_MAX, some
    number beyond."""
    size, waiting = 0, [relation]
    while waiting and size <= SIZE_MAX:
        node = waiting.pop()
        size += 1 + sum(scalar.size for scalar in scalars(node))
        if isinstance(node, Constant):
            size += len(node.rows) * len(node.types)
        waiting += children(node)
    return size
