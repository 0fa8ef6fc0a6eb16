"""EXPLAIN: the planner's line, stopped at a stage and printed."""

from engine.coordinator.coordinator import Coordinator
from engine.coordinator.result import Result
from engine.sql.bound import BoundExplain


def explain(coordinator: Coordinator, bound: BoundExplain) -> Result:
    """The stage of a query, one row a line."""
    raise NotImplementedError
