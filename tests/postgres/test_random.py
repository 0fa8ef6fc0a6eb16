"""Random queries as views over random histories: equal to the query asked again, and to PostgreSQL's answer, at every
step. Every fourth history is lived through with the optimiser off."""

import pytest

from tests.postgres.compared import PostgreSQL
from tests.postgres.conftest import Upstream
from tests.queries.history import history


@pytest.mark.parametrize("seed", range(4))
def test_random_queries(upstream: Upstream, seed: int) -> None:
    compared, wrong = history(PostgreSQL(upstream.connection), seed, queries=10, batches=3, optimize=seed % 4 != 3)
    assert not wrong, "\n".join(wrong)
    assert compared > 20
