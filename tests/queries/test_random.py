"""Random queries as views over random histories: equal to the query asked again, and to DuckDB's answer, at every step.

Every fourth history is lived through with the optimiser off, so that on and off mean the same.
"""

from collections import Counter

import pytest

from engine.plan.optimize import BOUND_RULES, RULES
from engine.sql.bound import BoundSelect
from tests.golden.test_golden import count_changes
from tests.queries.compared import DuckDB
from tests.queries.history import history
from tests.queries.random_sql import KEYS, TABLES, random_query
from tests.sql.world import World


@pytest.mark.parametrize("seed", range(8))
def test_random_queries(seed: int) -> None:
    compared, wrong = history(DuckDB(), seed, queries=8, batches=3, optimize=seed % 4 != 3)
    assert not wrong, "\n".join(wrong)
    assert compared > 20


def test_random_queries_reach_every_rule() -> None:
    """What no random query asks for is not held to anything above."""
    world, changed, seed = World(), Counter[str](), 0
    for name, columns in TABLES.items():
        listed = ", ".join(f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in columns)
        key = f", PRIMARY KEY ({', '.join(KEYS[name])})" if name in KEYS else ""
        world.run(f"CREATE TABLE {name} ({listed}{key})")
    names = {rule.__name__ for rule in (*RULES, *BOUND_RULES)}
    while names - changed.keys():
        bound = world.run(random_query(seed))
        assert isinstance(bound, BoundSelect)
        count_changes(bound.query.relation, changed)
        seed += 1
        assert seed < 500, names - changed.keys()
