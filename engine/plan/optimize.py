"""`optimize`: pure rules, run in their order until nothing changes. On or off, the rows are the same (tests/plan)."""

from collections.abc import Callable
from typing import Final

from engine.plan.facts import Facts
from engine.plan.relation import Relation
from engine.plan.rules.array_queries import join_array_queries
from engine.plan.rules.demand import prune
from engine.plan.rules.eager import count_in_bins
from engine.plan.rules.fallible_keys import key_fallible
from engine.plan.rules.fold import fold
from engine.plan.rules.fuse import fuse
from engine.plan.rules.joins import flatten_joins
from engine.plan.rules.lets import inline_lets
from engine.plan.rules.outer_joins import simplify_outer_joins
from engine.plan.rules.pushdown import push_down
from engine.plan.rules.reductions import reduce_below_joins
from engine.plan.rules.row_lists import join_row_lists

Rule = Callable[[Relation, Facts], Relation]

RULES: Final[tuple[Rule, ...]] = (
    inline_lets, fold, fuse, flatten_joins, push_down, fuse, flatten_joins, key_fallible, count_in_bins,
    reduce_below_joins, prune, fuse
)  # fmt: skip

BOUND_RULES: Final[tuple[Callable[[Relation], Relation], ...]] = (
    simplify_outer_joins, join_row_lists, join_array_queries
)  # fmt: skip
"""What is seen better before subqueries and outer joins have become joins."""

ROUNDS_MAX: Final = 4
"""Each round can only open what the one before uncovered; real queries settle in two."""


def prepare(relation: Relation) -> Relation:
    """The bound relation with the same rows and less for `decorrelate` to do."""
    for rule in BOUND_RULES:
        relation = rule(relation)
    return relation


def optimize(relation: Relation, rules: tuple[Rule, ...] = RULES) -> Relation:
    """The relation with the same rows and less to do. `decorrelate` has run."""
    facts = Facts()
    for _ in range(ROUNDS_MAX):
        before = relation
        for rule in rules:
            relation = rule(relation, facts.afresh())
        if relation == before:
            break
    return relation
