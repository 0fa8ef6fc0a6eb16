"""What of a recursion depends on its variables: the rest is computed once, outside."""

from collections.abc import Mapping, Sequence

from engine.dataflow import graph
from engine.dataflow.graph import Plan


def temporal_inside(plan: Plan, depending: Mapping[int, bool]) -> bool:
    """Whether a Temporal is among the parts that depend on a loop's variables: nothing could wake it there."""
    if not depending.get(id(plan), False):
        return False
    return isinstance(plan, graph.Temporal) or any(temporal_inside(child, depending) for child in graph.inputs(plan))


def depends(plan: Plan, on: Sequence[Plan], known: dict[int, bool]) -> bool:
    """Whether one of those nodes is among what a plan reads."""
    if id(plan) not in known:
        known[id(plan)] = any(plan is node for node in on) or any(
            depends(child, on, known) for child in graph.inputs(plan)
        )
    return known[id(plan)]


def independent(plan: Plan, on: Sequence[Plan], known: dict[int, bool], found: dict[int, Plan]) -> None:
    """Collect the largest parts of a plan that do not depend on those nodes."""
    if not depends(plan, on, known):
        found[id(plan)] = plan
        return
    for child in graph.inputs(plan):
        independent(child, on, known, found)
