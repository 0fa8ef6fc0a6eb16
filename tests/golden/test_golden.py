"""Golden scripts: SQL in, what the planner makes of it out. `pytest tests/golden --update` rewrites the outputs.

A script is blocks between blank lines. A block is one statement (`--` starts a comment); a query has three sections
below it: `[plan]>` the decorrelated relation, `[opt]>` the optimised one, `[flow]>` the dataflow.
"""

from collections import Counter
from pathlib import Path

import pytest

from engine.coordinator.pipeline import arranged
from engine.plan.decorrelate import decorrelate
from engine.plan.explain import explain_plan, explain_query
from engine.plan.facts import Facts
from engine.plan.lower import lower
from engine.plan.optimize import BOUND_RULES, RULES, optimize, prepare
from engine.plan.relation import Relation
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


def test_every_rule_changes_a_script() -> None:
    """No rule is there for nothing: each changes a plan of these, and is told by its name if none does."""
    changed: Counter[str] = Counter()
    for script in SCRIPTS:
        world = World()
        for block in blocks(script.read_text()):
            bound = world.run(block)
            if isinstance(bound, BoundSelect):
                count_changes(bound.query.relation, changed)
    names = {rule.__name__ for rule in (*RULES, *BOUND_RULES)}
    assert names - changed.keys() == set()


def count_changes(relation: Relation, changed: Counter[str]) -> None:
    """How often each rule changes the relation on its way."""
    for rule in BOUND_RULES:
        before, relation = relation, rule(relation)
        changed[rule.__name__] += relation != before
    relation, facts = decorrelate(relation), Facts()
    for _ in range(2):
        for rule in RULES:
            before, relation = relation, rule(relation, facts.afresh())
            changed[rule.__name__] += relation != before
    for name in [name for name, times in changed.items() if not times]:
        del changed[name]


def blocks(text: str) -> list[str]:
    """The statements, without what the planner makes of them."""
    return [block.split("\n[plan]>")[0].strip("\n") for block in text.split("\n\n") if block.strip()]


def run(text: str) -> str:
    """The script with the sections that the planner makes now."""
    world = World()
    return "\n\n".join(output(block, world) for block in blocks(text)) + "\n"


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
