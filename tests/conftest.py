"""What every test runs under: one hypothesis profile, and one seed that replays a failure.

Deadlines are off because the first call of a kernel may compile it; examples are few because each is a whole history.
In CI they are the same in every run, so that what turns red is the change; elsewhere every run looks at others.
`HYPOTHESIS_PROFILE=deep` looks longer. `--update` rewrites the golden scripts.

Much of the time is spent waiting for brokers, servers and restarts, so `make test` runs the files in two processes.
Each starts for itself what its tests share: a broker, a database, a browser.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "tailrace", deadline=None, max_examples=50, print_blob=True, suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)  # fmt: skip
settings.register_profile("deep", settings.get_profile("tailrace"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tailrace"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite tests/golden with what the planner makes now")
