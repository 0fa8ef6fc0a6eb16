"""EXPLAIN: the planner's line, stopped at a stage and printed."""

from typing import assert_never

from engine.coordinator.coordinator import Coordinator
from engine.coordinator.pipeline import dataflow
from engine.coordinator.result import Result
from engine.plan.decorrelate import decorrelate
from engine.plan.explain import explain_plan, explain_query
from engine.plan.optimize import optimize, prepare
from engine.sql.bound import BoundExplain
from engine.sql.statement.session import Stage
from engine.types import TEXT, Column


def explain(coordinator: Coordinator, bound: BoundExplain) -> Result:
    """The stage of a query as one text: its relation, or with PHYSICAL its dataflow."""
    columns = (Column(f"{bound.stage.value.capitalize()} Plan", TEXT, False),)
    return coordinator.rows("EXPLAIN", columns, [(shown(coordinator, bound),)])


def shown(coordinator: Coordinator, bound: BoundExplain) -> str:
    relation = bound.query.relation
    match bound.stage:
        case Stage.RAW:
            return explain_query(bound.query)
        case Stage.DECORRELATED:
            return explain_query(bound.query, decorrelate(relation))
        case Stage.OPTIMIZED:
            return explain_query(bound.query, optimize(decorrelate(prepare(relation))))
        case Stage.PHYSICAL:
            catalog = coordinator.catalog
            names = {id: str(item.name.item) for id, item in catalog.items.items()}
            return explain_plan(dataflow(relation, catalog, coordinator.options), names)
        case _:
            assert_never(bound.stage)
