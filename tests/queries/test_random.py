"""Random queries as views over random histories: equal to the query asked again, and to DuckDB's answer, at every step.

Every fourth history is lived through with the optimiser off, so that on and off mean the same.
"""

import pytest

from tests.queries.compared import DuckDB
from tests.queries.history import history


@pytest.mark.parametrize("seed", range(8))
def test_random_queries(seed: int) -> None:
    compared, wrong = history(DuckDB(), seed, queries=8, batches=3, optimize=seed % 4 != 3)
    assert not wrong, "\n".join(wrong)
    assert compared > 20
