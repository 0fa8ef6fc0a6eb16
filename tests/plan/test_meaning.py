"""A plan means what the bound relation means, whatever the stages in between did: random relations x random rows."""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from engine.dataflow.graph import Plan
from engine.plan.check import check
from engine.plan.decorrelate import decorrelate
from engine.plan.facts import Facts
from engine.plan.lower import lower
from engine.plan.optimize import RULES, optimize, prepare
from engine.plan.relation import Relation
from tests.plan.bound_rows import Bound
from tests.plan.plan_rows import plan_rows
from tests.plan.random_relations import Generator, contents
from tests.plan.sql_values import EvaluationError

SEEDS = range(200)


@pytest.mark.parametrize("seed", SEEDS)
def test_lowered_is_bound(seed: int) -> None:
    random = Random(seed)
    relation, _ = Generator(random).relation(random.choice((1, 2, 3)))
    agree(relation, lower(decorrelate(relation)), random)


def agree(relation: Relation, plan: Plan, random: Random) -> None:
    """The plan's rows are the relation's. It may raise the errors of subqueries that a CASE or AND guards, and may drop
    the errors of what nobody reads."""
    for _ in range(3):
        rows = contents(random)
        wanted = outcome(lambda rows=rows: Bound(rows).rows(relation))
        found = outcome(lambda rows=rows: plan_rows(plan, rows))
        if wanted is not None and found != wanted:
            assert found is None
            assert outcome(lambda rows=rows: Bound(rows, eager=True).rows(relation)) is None


def outcome(run: Callable[[], Counter]) -> Counter | None:
    """The rows, or None for an error."""
    try:
        return run()
    except EvaluationError:
        return None


@pytest.mark.parametrize("seed", SEEDS)
def test_optimised_is_bound(seed: int) -> None:
    random = Random(seed)
    relation, _ = Generator(random).relation(random.choice((1, 2, 3)))
    agree(relation, lower(optimize(decorrelate(prepare(relation)))), random)


@pytest.mark.parametrize("seed", SEEDS)
def test_aggregates_below_a_join_are_those_above_it(seed: int) -> None:
    random = Random(seed)
    relation = Generator(random, flat=True).grouped_join()
    agree(relation, lower(optimize(decorrelate(prepare(relation)))), random)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_rule_adds_an_error(seed: int) -> None:
    """Without subqueries a plan fails only where the relation does: nothing fallible moved above its guard."""
    random = Random(seed)
    relation, _ = Generator(random, fallible=True, flat=True).relation(random.choice((2, 3, 4)))
    plan = lower(optimize(decorrelate(prepare(relation))))
    for _ in range(3):
        rows = contents(random)
        wanted = outcome(lambda rows=rows: Bound(rows).rows(relation))
        assert wanted is None or outcome(lambda rows=rows: plan_rows(plan, rows)) == wanted


@pytest.mark.parametrize("seed", SEEDS)
def test_shared_arrangements_change_no_row(seed: int) -> None:
    random = Random(seed)
    relation, _ = Generator(random).relation(random.choice((2, 3)))
    kept = {1: {(0, 1)}, 2: {(0, 1)}, 3: {(0, 1, 2)}}
    for arranged in ({1: {(0,), (1,)}, 2: {(0,)}, 3: {(1, 0), (2,)}}, kept):
        agree(relation, lower(optimize(decorrelate(prepare(relation))), arranged), random)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_rule_leaves_a_well_formed_relation(seed: int) -> None:
    random = Random(seed)
    bound, _ = Generator(random).relation(random.choice((2, 3, 4)))
    relation = decorrelate(prepare(bound))
    check(relation)
    for rule in RULES:
        relation = rule(relation, Facts())
        check(relation)
