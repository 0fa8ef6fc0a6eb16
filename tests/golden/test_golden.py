"""Golden scripts: SQL in, what the planner makes of it out. `pytest tests/golden --update` rewrites the outputs.

A script is blocks between blank lines. A block is one statement (`--` starts a comment); a query has three sections
below it: `[plan]>` the decorrelated relation, `[opt]>` the optimised one, `[flow]>` the dataflow.
"""

from pathlib import Path

import pytest

from engine.coordinator.pipeline import arranged
from engine.plan.decorrelate import decorrelate
from engine.plan.explain import explain_plan, explain_query
from engine.plan.lower import lower
from engine.plan.optimize import optimize, prepare
from engine.sql.bound import BoundSelect
from tests.sql.world import World

SCRIPTS = sorted(Path(__file__).parent.glob("*.sql"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_golden(script: Path, request: pytest.FixtureRequest) -> None:
    text = script.read_text()
    found = run(text)
    if request.config.getoption("--update"):
        script.write_text(found)
    else:
        assert found == text


def run(text: str) -> str:
    """The script with the sections that the planner makes now."""
    world = World()
    blocks = [block.split("\n[plan]>")[0].strip("\n") for block in text.split("\n\n") if block.strip()]
    return "\n\n".join(output(block, world) for block in blocks) + "\n"


def output(block: str, world: World) -> str:
    bound = world.run(block)
    if not isinstance(bound, BoundSelect):
        return block
    query = bound.query
    plan = decorrelate(query.relation)
    opt = optimize(decorrelate(prepare(query.relation)))
    names = {item.id: item.name.item for item in world.catalog.items.values()}
    flow = explain_plan(lower(opt, arranged(world.catalog)), names)
    return f"{block}\n[plan]>\n{explain_query(query, plan)}\n[opt]>\n{explain_query(query, opt)}\n[flow]>\n{flow}"
